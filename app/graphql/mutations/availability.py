"""Mutations of the viewer's availability: absences and quiet hours."""

from datetime import datetime
from typing import Annotated, Any

import strawberry
from strawberry import argument

from app.commands import availability
from app.graphql.context import Info
from app.graphql.fields import column, payload, resolved
from app.graphql.mutations.transaction import write
from app.graphql.types.users import User

Until = Annotated[datetime, argument(description="End of your absence. Must be in the future, else BAD_USER_INPUT.")]
Start = Annotated[str, argument(description="Start, as HH:MM in your time zone.")]
End = Annotated[
    str,
    argument(
        description="End, as HH:MM in your time zone; on the next day if earlier than start. Equal to start is "
        "BAD_USER_INPUT."
    ),
]


@strawberry.type(description="Result of setAway.")
class SetAwayPayload:
    me: User = column("Your account, as it is now.")


@strawberry.type(description="Result of clearAway.")
class ClearAwayPayload:
    me: User = column("Your account, as it is now.")


@strawberry.type(description="Result of setQuietHours.")
class SetQuietHoursPayload:
    me: User = column("Your account, as it is now.")


@strawberry.type(description="Result of clearQuietHours.")
class ClearQuietHoursPayload:
    me: User = column("Your account, as it is now.")


async def _set_away(info: Info, until: Until) -> Any:
    me = await write(
        info, lambda session: availability.set_away(session, info.context.viewer.id, until, info.context.now)
    )
    return payload(SetAwayPayload, me=me)


async def _clear_away(info: Info) -> Any:
    me = await write(info, lambda session: availability.clear_away(session, info.context.viewer.id))
    return payload(ClearAwayPayload, me=me)


async def _set_quiet_hours(info: Info, start: Start, end: End) -> Any:
    me = await write(
        info,
        lambda session: availability.set_quiet_hours(session, info.context.viewer.id, start, end, info.context.now),
    )
    return payload(SetQuietHoursPayload, me=me)


async def _clear_quiet_hours(info: Info) -> Any:
    me = await write(
        info, lambda session: availability.clear_quiet_hours(session, info.context.viewer.id, info.context.now)
    )
    return payload(ClearQuietHoursPayload, me=me)


@strawberry.type
class AvailabilityMutations:
    set_away: SetAwayPayload | None = resolved(
        _set_away,
        "Marks you as away until the given time. Until then submits skip you, and your SCHEDULED offers that come due "
        "before it become CANCELLED. SENT offers stay open, and you can still claim by hand. Idempotent.",
    )
    clear_away: ClearAwayPayload | None = resolved(
        _clear_away,
        "Marks you as no longer away. Cancelled offers do not come back by themselves; a new submit offers those leads "
        "to you again. Idempotent.",
    )
    set_quiet_hours: SetQuietHoursPayload | None = resolved(
        _set_quiet_hours,
        "Sets a daily period during which the server sends you no messages and assigns you no leads automatically. "
        "They follow at its end if the lead is still unclaimed. You can claim by hand at any time. Idempotent.",
    )
    clear_quiet_hours: ClearQuietHoursPayload | None = resolved(
        _clear_quiet_hours,
        "Removes your quiet hours. Messages and assignments that were held back follow at once. Idempotent.",
    )
