"""Attempts at deliveries, notices and events: each taken by one worker, and what became of it.

Taking is a lease. The row moves its next attempt to the lease's end, so that nobody else finds it until then, and the
attempt of a worker that died is made again. An outcome counts only under the lease it belongs to.
"""

import asyncio
import random
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, bindparam, func, update
from sqlmodel import SQLModel, col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from app.db.functions import member_of
from app.db.models import Delivery, Event, Notice
from app.domain.enums import DeliveryStatus
from app.worker.channels.base import DeliveryError

PAUSES = tuple(timedelta(minutes=minutes) for minutes in (1, 4, 8, 17))
"""Between the attempts: five in half an hour. The last failure is the end."""

JITTER = 0.2
"""By which part a pause is longer or shorter, so that what failed together does not come back together."""

NEW_WORK = "lead_offers_work"
"""Where PostgreSQL tells of new work."""

NEW_EVENTS = "events"
"""What it says there of events alone."""

Work = type[Delivery] | type[Notice] | type[Event]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of an attempt at the row `id`; without a failure the message is sent."""

    id: int
    failure: DeliveryError | None = None


def pause_after(attempts: int, failure: DeliveryError, luck: float) -> timedelta | None:
    """How long to wait after that many failed attempts; None where there is none to follow. `luck` is 0 to 1.

    A provider that says how long to leave it alone is left alone for as long.
    """
    if failure.permanent or attempts > len(PAUSES):
        return None
    pause = PAUSES[attempts - 1] * (1 - JITTER + 2 * JITTER * luck)
    return max(pause, timedelta(seconds=failure.retry_after or 0))


async def next_attempt(session: AsyncSession, work: Work, after: datetime | None = None) -> datetime | None:
    """The moment of the first pending attempt, or of the first that lies after a moment; null where there is none."""
    pending = select(func.min(work.next_attempt_at)).where(col(work.status) == DeliveryStatus.PENDING)
    return (await session.exec(pending if after is None else pending.where(col(work.next_attempt_at) > after))).one()


async def take(
    session: AsyncSession,
    work: Work,
    among: ColumnElement[bool],
    limit: int,
    lease: str,
    *,
    now: datetime,
    until: datetime,
) -> dict[int, datetime]:
    """Leases some rows that are due; when each was due, by its id. What others take at the same time is passed over."""
    due = (
        select(work.id, work.next_attempt_at)
        .where(col(work.status) == DeliveryStatus.PENDING, col(work.next_attempt_at) <= now, among)
        .order_by(col(work.next_attempt_at), col(work.id))
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    found = {row_id: at for row_id, at in await session.exec(due) if at is not None}
    if found:
        await session.exec(
            update(work).where(member_of(col(work.id), [*found])).values(lease=lease, next_attempt_at=until),
            execution_options={"synchronize_session": False},
        )
    return found


async def outcomes_of(under_way: Collection[asyncio.Task[Outcome]], given_up: asyncio.Event) -> list[Outcome]:
    """What became of the attempts. Once they are given up, those under way are broken off and have no outcome."""
    if not under_way:
        return []
    giving_up = asyncio.ensure_future(given_up.wait())
    all_ended = asyncio.ensure_future(asyncio.wait(under_way))
    await asyncio.wait({giving_up, all_ended}, return_when=asyncio.FIRST_COMPLETED)
    for task in (giving_up, all_ended, *under_way):
        task.cancel()
    await asyncio.wait({giving_up, all_ended, *under_way})
    return [task.result() for task in under_way if not (given_up.is_set() and task.cancelled())]


async def give_back(session: AsyncSession, work: Work, ids: Collection[int], lease: str, now: datetime) -> None:
    """Ends the lease of what has no outcome, as if it had never been taken: others take it now."""
    still_mine = (member_of(col(work.id), ids), col(work.lease) == lease, col(work.status) == DeliveryStatus.PENDING)
    await session.exec(
        update(work).where(*still_mine).values(lease=None, next_attempt_at=now),
        execution_options={"synchronize_session": False},
    )
    if session.get_bind().dialect.name == "postgresql":
        await session.exec(select(func.pg_notify(NEW_WORK, NEW_EVENTS if work is Event else "")))


async def put_off(session: AsyncSession, work: Work, row_id: int, lease: str, until: datetime) -> None:
    """Ends the lease without an attempt: quiet hours."""
    await _end_lease(session, work, row_id, lease, next_attempt_at=until)


async def cancel(session: AsyncSession, work: Work, row_id: int, lease: str) -> None:
    """Ends the lease without an attempt, now or later: nobody is to be told any more."""
    await _end_lease(session, work, row_id, lease, next_attempt_at=None, status=DeliveryStatus.CANCELLED)


async def _end_lease(session: AsyncSession, work: Work, row_id: int, lease: str, **values: Any) -> None:
    mine = (col(work.id) == row_id, col(work.lease) == lease, col(work.status) == DeliveryStatus.PENDING)
    await session.exec(
        update(work).where(*mine).values(lease=None, **values), execution_options={"synchronize_session": False}
    )


async def record(
    session: AsyncSession, work: Work, lease: str, outcomes: Sequence[Outcome], now: datetime
) -> list[int]:
    """Writes what became of the attempts; the ids of what has failed for good.

    What was sent is recorded as sent, even where it was cancelled meanwhile.
    """
    sent = [outcome.id for outcome in outcomes if outcome.failure is None]
    failed = [(outcome.id, outcome.failure) for outcome in outcomes if outcome.failure is not None]
    if sent:
        await _record_sent(session, work, lease, sent, now)
    return await _record_failed(session, work, lease, failed, now) if failed else []


async def _record_sent(session: AsyncSession, work: Work, lease: str, ids: Sequence[int], now: datetime) -> None:
    await session.exec(
        update(work)
        .where(member_of(col(work.id), ids), col(work.lease) == lease)
        .values(
            status=DeliveryStatus.SENT,
            sent_at=now,
            attempts=col(work.attempts) + 1,
            next_attempt_at=None,
            error=None,
            lease=None,
        ),
        execution_options={"synchronize_session": False},
    )


async def _record_failed(
    session: AsyncSession, work: Work, lease: str, failed: Sequence[tuple[int, DeliveryError]], now: datetime
) -> list[int]:
    """Under the rows' locks: what was cancelled meanwhile stays cancelled, what somebody else has taken is theirs."""
    leased = (member_of(col(work.id), [row_id for row_id, _ in failed]), col(work.lease) == lease)
    found = select(work.id, work.attempts, work.status).where(*leased).with_for_update()
    mine = {row_id: (attempts, DeliveryStatus(status)) for row_id, attempts, status in await session.exec(found)}
    rows = [_failed(row_id, failure, *mine[row_id], now) for row_id, failure in failed if row_id in mine]
    if rows:
        table = SQLModel.metadata.tables[str(work.__tablename__)]
        columns = ("status", "next_attempt_at", "attempts", "error")
        changed: Any = {"lease": None} | {name: bindparam(f"its_{name}") for name in columns}
        await session.exec(update(table).where(table.c.id == bindparam("its_id")).values(changed), params=rows)
    return [row["its_id"] for row in rows if row["its_status"] is DeliveryStatus.FAILED]


def _failed(
    row_id: int, failure: DeliveryError, attempts: int, status: DeliveryStatus, now: datetime
) -> dict[str, Any]:
    """What is written of an attempt that was preceded by so many."""
    pause = pause_after(attempts + 1, failure, random.random())  # noqa: S311  no secret
    if status is DeliveryStatus.PENDING and pause is None:
        status = DeliveryStatus.FAILED
    return {
        "its_id": row_id,
        "its_status": status,
        "its_next_attempt_at": now + pause if pause and status is DeliveryStatus.PENDING else None,
        "its_attempts": attempts + 1,
        "its_error": failure.reason,
    }
