"""Users, as themselves and as others see them."""

from datetime import datetime

import strawberry

from app.access.field_access import ABSENCE, PRIVATE_SETTINGS
from app.db import models
from app.graphql.context import Info
from app.graphql.fields import resolved, restricted

Row = strawberry.Parent[models.User]


@strawberry.type(description="A daily span in the user's own time zone; over midnight when end is before start.")
class QuietHours:
    start: str = strawberry.field(description="HH:MM")
    end: str = strawberry.field(description="HH:MM")


async def _quiet_hours(user: Row, info: Info) -> QuietHours | None:
    if user.quiet_hours_start is None or user.quiet_hours_end is None:
        return None
    if not await info.context.can_read(user, PRIVATE_SETTINGS):
        return None
    return QuietHours(start=user.quiet_hours_start, end=user.quiet_hours_end)


@strawberry.type(description="An agent, or the leader of a team.")
class User:
    id: strawberry.ID
    first_name: str
    last_name: str
    email: str | None = strawberry.field(description="Null once the account has been erased.")
    phone: str | None = restricted("phone", PRIVATE_SETTINGS, "Null to everyone but the user themself.")
    timezone: str = strawberry.field(description="IANA name, e.g. America/Los_Angeles.")
    away_until: datetime | None = restricted(
        "away_until",
        ABSENCE,
        "Until when the user gets no new offers. Null to everyone but the user themself, and when not away.",
    )
    quiet_hours: QuietHours | None = resolved(
        _quiet_hours, description="Null to everyone but the user themself, and when none are set."
    )
