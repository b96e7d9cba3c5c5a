"""Users, as themselves and as others see them."""

from datetime import datetime
from typing import Any

import strawberry
from sqlalchemy import ColumnElement, and_, case

from app.db import models
from app.graphql.context import Info
from app.graphql.fields import Asker, resolved

Row = strawberry.Parent[models.User]


@strawberry.type(description="A daily span in the user's own time zone; over midnight when end is before start.")
class QuietHours:
    start: str = strawberry.field(description="HH:MM")
    end: str = strawberry.field(description="HH:MM")


def _phone(user: Row, info: Info) -> str | None:
    return user.phone if _is_me(user, info) else None


def _away_until(user: Row, info: Info) -> datetime | None:
    until = user.away_until if _is_me(user, info) else None
    return until if until is not None and until > info.context.now else None


def _quiet_hours(user: Row, info: Info) -> QuietHours | None:
    if not _is_me(user, info) or user.quiet_hours_start is None or user.quiet_hours_end is None:
        return None
    return QuietHours(start=user.quiet_hours_start, end=user.quiet_hours_end)


def _is_me(user: models.User, info: Info) -> bool:
    return user.id == info.context.viewer.id


def _own_phone(user: Any, asker: Asker) -> ColumnElement[str | None]:
    return case((user.id == asker.id, user.phone))


def _own_away_until(user: Any, asker: Asker) -> ColumnElement[datetime | None]:
    return case((and_(user.id == asker.id, user.away_until > asker.now), user.away_until))


@strawberry.type(description="An agent, or the leader of a team.")
class User:
    id: strawberry.ID
    first_name: str
    last_name: str
    email: str | None = strawberry.field(description="Null once the account has been erased.")
    phone: str | None = resolved(_phone, "Null to everyone but the user themself.", _own_phone)
    timezone: str = strawberry.field(description="IANA name, e.g. America/Los_Angeles.")
    away_until: datetime | None = resolved(
        _away_until,
        description="Until when the user gets no new offers. Null to everyone but the user themself, and when not "
        "away.",
        sql=_own_away_until,
    )
    quiet_hours: QuietHours | None = resolved(
        _quiet_hours, description="Null to everyone but the user themself, and when none are set."
    )
