"""When the current step of a lead is over: `leads.gives_up_at`.

A step offers a lead to a team. Whatever creates, ends or moves offers calls `set_gives_up_at` last, in the same
transaction. A claim is the exception: its conditional write of the lead sets the column to null itself.
"""

from collections.abc import Collection, Sequence
from datetime import datetime

from sqlalchemy import ColumnElement, Integer, bindparam, case, func, or_, text, update
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession
from sqlmodel.sql.expression import SelectOfScalar

from app.commands.offer_standing import IS_OPEN
from app.db.compiled import Statement
from app.db.engine import UNCLAIMED_MINUTES
from app.db.functions import member_of, minutes_after
from app.db.models import IS_WATCHED, Lead, LeadOffer, LeadRollout
from app.db.types import Id, UTCDateTime

BATCH_SIZE = 500


def unclaimed_minutes(session: AsyncSession) -> int:
    """Return how many minutes the last step of a lead waits after its last offer."""
    minutes: int = session.info[UNCLAIMED_MINUTES]
    return minutes


async def set_gives_up_at(session: AsyncSession, lead_ids: Sequence[int], now: datetime) -> None:
    """Set when the current steps of these leads are over. The caller has locked the leads and flushed its changes.

    | a lead that is distributed to a team | is over |
    |---|---|
    | claimed; or reported to its creator, and not offered since; or imported, and never submitted here | never |
    | never offered to anybody | the patience of the server after its creation |
    | with SCHEDULED or SENT offers | the step's wait after the latest of them |
    | with other offers only | now |
    """
    for lead_id in lead_ids:
        await _SET.run(session, lead_id=lead_id, now=now, unclaimed_minutes=unclaimed_minutes(session))


_ENDS_AT = func.coalesce(col(Lead.gives_up_at), col(Lead.watched_since))
"""When a step is over. A server of an earlier version does not write it: such a lead is looked at, at once."""


async def leads_to_end(session: AsyncSession, now: datetime, skip: Collection[int] = ()) -> Sequence[int]:
    """Return the ids of leads whose step is over, except `skip`: the longest over first, at most BATCH_SIZE."""
    found = select(Lead.id).where(text(IS_WATCHED), now >= _ENDS_AT).order_by(_ENDS_AT, col(Lead.id))
    if skip:
        found = found.where(~member_of(col(Lead.id), skip))
    return (await session.exec(found.limit(BATCH_SIZE))).all()


async def next_step_end(session: AsyncSession, after: datetime) -> datetime | None:
    """Return when the first step is over after `after` if nobody claims its lead; None if there is none."""
    found = select(func.min(_ENDS_AT)).where(text(IS_WATCHED), after < _ENDS_AT)
    return (await session.exec(found)).one()


def count_lost_leads() -> SelectOfScalar[int]:
    """Return a statement that counts unclaimed leads whose step was over a minute before `now`, or never is.

    While a worker runs there are none: each of them would be passed on, or reported to its creator.
    """
    overdue = col(Lead.gives_up_at) < bindparam("a_minute_ago", type_=UTCDateTime)
    return select(func.count()).where(text(IS_WATCHED), or_(col(Lead.gives_up_at).is_(None), overdue))


_NOW = bindparam("now", type_=UTCDateTime)
_UNCLAIMED_MINUTES = bindparam("unclaimed_minutes", type_=Integer)
_OF_LEAD = col(LeadOffer.lead_id) == col(Lead.id)


def _gives_up_at() -> ColumnElement[datetime | None]:
    latest = select(LeadRollout.id).where(col(LeadRollout.lead_id) == col(Lead.id)).order_by(col(LeadRollout.id).desc())
    last_step = latest.limit(1).scalar_subquery()
    last_wait = latest.with_only_columns(col(LeadRollout.wait_minutes)).limit(1).scalar_subquery()
    last_open = select(func.max(LeadOffer.notify_at)).where(_OF_LEAD, IS_OPEN).scalar_subquery()
    # Not EXISTS, for which PostgreSQL may read the offers of all leads into a hash table.
    an_offer = select(LeadOffer.id).where(_OF_LEAD).limit(1).scalar_subquery()
    was_offered = or_(an_offer.is_not(None), last_step.is_not(None))
    over_at = func.coalesce(
        minutes_after(last_open, func.coalesce(last_wait, _UNCLAIMED_MINUTES)),
        case((was_offered, _NOW)),
        minutes_after(col(Lead.watched_since), _UNCLAIMED_MINUTES),
    )
    return case((text(f"({IS_WATCHED})"), over_at))


_SET = Statement[None](
    update(Lead).where(col(Lead.id) == bindparam("lead_id", type_=Id)).values(gives_up_at=_gives_up_at())
)
