"""Mutations of when the viewer is there: away, and quiet hours."""

from datetime import datetime
from typing import Any

import strawberry

from app.commands import availability
from app.graphql.context import Info
from app.graphql.fields import payload, resolved
from app.graphql.mutations.transaction import writing
from app.graphql.types.users import User


@strawberry.type(description="You, away.")
class SetAwayPayload:
    me: User


@strawberry.type(description="You, back.")
class ClearAwayPayload:
    me: User


@strawberry.type(description="You, with your quiet hours.")
class SetQuietHoursPayload:
    me: User


@strawberry.type(description="You, without quiet hours.")
class ClearQuietHoursPayload:
    me: User


async def _set_away(info: Info, until: datetime) -> Any:
    async with writing(info) as session:
        me = await availability.set_away(session, info.context.viewer.id, until, info.context.now)
    return payload(SetAwayPayload, me=me)


async def _clear_away(info: Info) -> Any:
    async with writing(info) as session:
        me = await availability.clear_away(session, info.context.viewer.id)
    return payload(ClearAwayPayload, me=me)


async def _set_quiet_hours(info: Info, start: str, end: str) -> Any:
    async with writing(info) as session:
        me = await availability.set_quiet_hours(session, info.context.viewer.id, start, end, info.context.now)
    return payload(SetQuietHoursPayload, me=me)


async def _clear_quiet_hours(info: Info) -> Any:
    async with writing(info) as session:
        me = await availability.clear_quiet_hours(session, info.context.viewer.id, info.context.now)
    return payload(ClearQuietHoursPayload, me=me)


@strawberry.type
class AvailabilityMutations:
    set_away: SetAwayPayload | None = resolved(
        _set_away,
        "You are away: until then you get no new offers, and your scheduled offers that come due before then are "
        "cancelled. What was sent stays open.",
    )
    clear_away: ClearAwayPayload | None = resolved(
        _clear_away, "You are back. A new submit offers again what was cancelled."
    )
    set_quiet_hours: SetQuietHoursPayload | None = resolved(
        _set_quiet_hours,
        "From start to end, HH:MM in your time zone, messages and automatic assignments wait; over midnight when end "
        "is before start. You may claim by hand all the same.",
    )
    clear_quiet_hours: ClearQuietHoursPayload | None = resolved(
        _clear_quiet_hours, "Nothing waits any more; what has waited is sent."
    )
