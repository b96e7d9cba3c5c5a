"""Retention: deletes what is stored about leads that ended long ago, old webhook events, and removed invitations.

A lead ended before a time if

- somebody has had it since before that time, or it was reported to its creator as unclaimed before that time, and
- it has no offer that is SCHEDULED, or that is SENT and was due at that time or later.

Its deliveries, steps, notices and text replies are deleted. The lead, its contact, its offers and its claims stay:
everything that commands and figures read of a lead that has ended. For the same reason, these rows stay:

- Steps that used a member's turn, and those of a claimed lead that a team follows. Figures count the former. If the
  latter lead is released, it goes on to that team. They stay without their offers and skipped members.
- Deliveries that were sent and whose offer was cancelled: figures count the offer as missed.
- Everything that is still to be sent.

Each batch is a transaction of its own, which locks its leads and checks again. Commands, workers and other prunes can
run at the same time, and a prune can be stopped and repeated at any time.
"""

from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, and_, delete, exists, func, literal, null, or_
from sqlmodel import SQLModel, col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from app.commands.chains import following_team
from app.commands.locks import lock_leads
from app.db.engine import Database
from app.db.functions import member_of
from app.db.models import (
    Delivery,
    Event,
    Lead,
    LeadOffer,
    LeadRollout,
    Notice,
    RolloutOffer,
    RolloutSkip,
    TextReply,
    WaitingInvitation,
)
from app.domain.enums import LeadOfferStatus

WINDOW = 5_000
"""How many rows of a table are looked at in one read."""

AT_ONCE = 500
"""How many rows one transaction deletes."""

STEPS_AT_ONCE = 30
"""How many steps one transaction deletes, with about ten offers or skipped members each."""

Rows = Sequence[tuple[Any, int | None, bool]]
"""The primary key of each row, the id of the lead that it belongs to, and whether it goes itself."""

Counts = Counter[str]
"""Numbers of rows by the name of their table."""


@dataclass(frozen=True, slots=True)
class Prunable:
    """Rows of a table that can be deleted, and how they are counted and deleted. See `Rows`."""

    table: type[SQLModel]
    key: Any
    """The primary key, whose order is that of the prune."""
    find: Callable[[datetime], Any]
    """Returns a statement that selects `Rows`, for a time before which leads must have ended."""
    count: Callable[[AsyncSession, Rows], Awaitable[Counts]]
    delete: Callable[[AsyncSession, Rows], Awaitable[Counts]]
    at_once: int = AT_ONCE

    @property
    def name(self) -> str:
        return str(self.table.__tablename__)


async def size(db: Database, prunable: Prunable) -> int:
    """Return how many rows the table has."""
    async with db.read() as session:
        return (await session.exec(select(func.count()).select_from(prunable.table))).one()


async def prune(
    db: Database, prunable: Prunable, before: datetime, advance: Callable[[int], object], *, is_dry_run: bool
) -> Counts:
    """Delete what belongs to leads that ended before this time, and return how many rows of which tables.

    A dry run only counts. `advance` is called with the number of rows that were looked at.
    """
    counts, after = Counts(), None
    while True:
        async with db.read() as session:
            seen, last = await _next_window(session, prunable, after)
            if not seen:
                return counts
            conditions = [prunable.key <= last, *([] if after is None else [prunable.key > after])]
            rows = (await session.exec(prunable.find(before).where(*conditions))).all()
            if is_dry_run:
                counts += await prunable.count(session, rows)
        for start in range(0, 0 if is_dry_run else len(rows), prunable.at_once):
            counts += await _delete(db, prunable, before, rows[start : start + prunable.at_once])
        advance(seen)
        after = last


async def _next_window(session: AsyncSession, prunable: Prunable, after: Any) -> tuple[int, Any]:
    """Return the number of the next rows, and the key of the last one."""
    keys = select(prunable.key.label("key")).order_by(prunable.key).limit(WINDOW)
    window = (keys if after is None else keys.where(prunable.key > after)).subquery()
    return (await session.exec(select(func.count(), func.max(window.c.key)))).one()


async def _delete(db: Database, prunable: Prunable, before: datetime, rows: Rows) -> Counts:
    keys, lead_ids = [key for key, *_ in rows], {lead_id for _, lead_id, _ in rows if lead_id is not None}

    async def delete_locked(session: AsyncSession) -> Counts:
        if lead_ids:
            await lock_leads(session, lead_ids)
        still = (await session.exec(prunable.find(before).where(member_of(prunable.key, keys)))).all()
        return await prunable.delete(session, still)

    return await db.in_transaction(delete_locked)


# Conditions


def has_ended(before: datetime) -> ColumnElement[bool]:
    """Return the condition that a lead of the enclosing statement ended before this time, as defined above."""
    was_due_since = and_(col(LeadOffer.status) == LeadOfferStatus.SENT, col(LeadOffer.notify_at) >= before)
    is_offered = or_(col(LeadOffer.status) == LeadOfferStatus.SCHEDULED, was_due_since)
    offers = select(1).where(col(LeadOffer.lead_id) == col(Lead.id), is_offered).correlate(Lead)
    has_holder = col(Lead.claimed_by_id).is_not(None)
    return and_(
        or_(
            and_(has_holder, func.coalesce(Lead.claimed_at, Lead.created_at) < before),
            and_(~has_holder, col(Lead.exhausted_at) < before),
        ),
        ~exists(offers),
    )


def _was_missed() -> ColumnElement[bool]:
    return and_(col(LeadOffer.status) == LeadOfferStatus.CANCELLED, col(Delivery.sent_at).is_not(None))


def _deliveries(before: datetime) -> Any:
    return (
        select(Delivery.id, Lead.id, literal(True))
        .join(LeadOffer, col(LeadOffer.id) == col(Delivery.offer_id))
        .join(Lead, col(Lead.id) == col(LeadOffer.lead_id))
        .where(col(Delivery.next_attempt_at).is_(None), has_ended(before), ~_was_missed())
        .order_by(col(Delivery.id))
    )


_DETAILS = (RolloutOffer, RolloutSkip)
"""The tables whose rows belong to a step, and are deleted before it."""


def _steps(before: datetime) -> Any:
    goes_on = and_(col(Lead.claimed_by_id).is_not(None), following_team(Lead).is_not(None))
    is_kept = or_(col(LeadRollout.turn_user_id).is_not(None), goes_on)
    details = [exists(select(1).where(col(table.rollout_id) == col(LeadRollout.id))) for table in _DETAILS]
    return (
        select(LeadRollout.id, Lead.id, ~is_kept)
        .join(Lead, col(Lead.id) == col(LeadRollout.lead_id))
        .where(has_ended(before), or_(~is_kept, *details))
        .order_by(col(LeadRollout.id))
    )


def _notices(before: datetime) -> Any:
    return (
        select(Notice.id, Lead.id, literal(True))
        .join(Lead, col(Lead.id) == col(Notice.lead_id))
        .where(col(Notice.next_attempt_at).is_(None), has_ended(before))
        .order_by(col(Notice.id))
    )


def _text_replies(before: datetime) -> Any:
    return (
        select(TextReply.id, Lead.id, literal(True))
        .outerjoin(LeadOffer, col(LeadOffer.id) == col(TextReply.offer_id))
        .outerjoin(Lead, col(Lead.id) == col(LeadOffer.lead_id))
        .where(col(TextReply.received_at) < before, or_(col(TextReply.offer_id).is_(None), has_ended(before)))
        .order_by(col(TextReply.id))
    )


def _events(before: datetime) -> Any:
    return (
        select(Event.id, null(), literal(True))
        .where(col(Event.next_attempt_at).is_(None), col(Event.happened_at) < before)
        .order_by(col(Event.id))
    )


def _removed_invitations(before: datetime) -> Any:
    return (
        select(WaitingInvitation.id, null(), literal(True))
        .where(col(WaitingInvitation.next_attempt_at).is_(None), col(WaitingInvitation.removed_at) < before)
        .order_by(col(WaitingInvitation.id))
    )


# Deletion


def _plain(table: Any, key: Any, find: Callable[[datetime], Any]) -> Prunable:
    """Return the rows of a table that no other table belongs to."""

    async def count(_session: AsyncSession, rows: Rows) -> Counts:
        return Counts({table.__tablename__: len(rows)})

    async def delete_rows(session: AsyncSession, rows: Rows) -> Counts:
        return Counts({table.__tablename__: await _delete_where(session, table, key, [row[0] for row in rows])})

    return Prunable(table, key, find, count, delete_rows)


async def _count_steps(session: AsyncSession, rows: Rows) -> Counts:
    counts = Counts({LeadRollout.__tablename__: sum(is_deleted for *_, is_deleted in rows)})
    for table in _DETAILS:
        of_steps = member_of(col(table.rollout_id), [row[0] for row in rows])
        counts[table.__tablename__] = (await session.exec(select(func.count()).where(of_steps))).one()
    return counts


async def _delete_steps(session: AsyncSession, rows: Rows) -> Counts:
    """Delete a step together with its offers and skipped members, so that nobody sees half of it."""
    step_ids, deleted = [row[0] for row in rows], [key for key, _, is_deleted in rows if is_deleted]
    counts = Counts()
    for table in _DETAILS:
        counts[table.__tablename__] = await _delete_where(session, table, table.rollout_id, step_ids)
    counts[LeadRollout.__tablename__] = await _delete_where(session, LeadRollout, LeadRollout.id, deleted)
    return counts


async def _delete_where(session: AsyncSession, table: Any, key: Any, keys: Sequence[Any]) -> int:
    statement = delete(table).where(member_of(col(key), keys))
    deleted = await session.exec(statement, execution_options={"synchronize_session": False})
    return deleted.rowcount


PRUNABLE = (
    _plain(Delivery, Delivery.id, _deliveries),
    Prunable(LeadRollout, LeadRollout.id, _steps, _count_steps, _delete_steps, STEPS_AT_ONCE),
    _plain(Notice, Notice.id, _notices),
    _plain(TextReply, TextReply.id, _text_replies),
    _plain(Event, Event.id, _events),
    _plain(WaitingInvitation, WaitingInvitation.id, _removed_invitations),
)
"""Everything that a prune deletes, table by table."""

TABLES = (
    *("deliveries", "rollout_offers", "rollout_skips", "lead_rollouts", "notices", "text_replies", "events"),
    "waiting_invitations",
)
"""The names in `Counts`, in the order in which the command shows them."""
