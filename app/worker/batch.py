"""The loop that sends due rows of any kind: lease a batch, prepare it, send it concurrently, record the outcomes.

Each step except sending is a short transaction. An unexpected failure affects one row only: it counts as a failed
attempt of that row and is logged with its traceback.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import uuid4

from sqlalchemy import ColumnElement
from sqlmodel.ext.asyncio.session import AsyncSession

from app.db.engine import Database
from app.domain.timestamps import seconds_between
from app.observability import tracing
from app.worker.channels.base import DeliveryError
from app.worker.isolation import isolate_failures
from app.worker.leases import MESSAGES, Lease, Outcome, RetrySchedule, Table

logger = logging.getLogger(__name__)

UNEXPECTED = "An unexpected error occurred."
"""The error of a row that failed unexpectedly. The log has the details."""

Send = Callable[[], Awaitable[None]]
"""Composes and sends one message. Raises DeliveryError if the message could not be sent."""

Prepare = Callable[[AsyncSession, Lease, Sequence[int], datetime], Awaitable[Mapping[int, Send]]]
"""Reads leased rows, cancels or holds those that are not to be sent now, and returns how to send the others."""

Lock = Callable[[AsyncSession, Sequence[int]], Awaitable[object]]
"""Locks what has to be locked before any of these rows is changed, see app/commands/locks.py."""

Record = Callable[[Lease, AsyncSession, Sequence[Outcome], datetime], Awaitable[object]]
"""Writes outcomes, and what follows from them."""


async def _no_locks(_session: AsyncSession, _row_ids: Sequence[int]) -> None:
    pass


@dataclass(frozen=True, slots=True)
class Queue:
    """One kind of rows to send: where they are, how many at once, and how they are locked, prepared and recorded."""

    name: str
    table: Table
    condition: ColumnElement[bool]
    batch_size: int
    prepare: Prepare
    record: Record = Lease.record
    lock: Lock = _no_locks
    retries: RetrySchedule = MESSAGES


@dataclass(frozen=True, slots=True)
class Batch:
    """The result of a batch: the number of leased rows and failed attempts, and how late each sent row was."""

    leased: int
    failed: int = 0
    lags: Sequence[float] = ()
    """Seconds from when the row was due."""


async def send_batch(
    db: Database,
    queue: Queue,
    due_by: datetime,
    clock: Callable[[], datetime],
    lease_for: timedelta,
    *,
    abandon: asyncio.Event,
) -> Batch:
    """Send some of the queue's rows that were due at `due_by`.

    Once `abandon` is set, attempts in progress are cancelled and their rows released to other workers.
    """
    now = clock()
    lease = Lease(queue.table, uuid4().hex, queue.retries)
    due = await db.in_transaction(
        lambda session: lease.take(session, queue.condition, queue.batch_size, due_by=due_by, until=now + lease_for)
    )
    if not due:
        return Batch(0)

    with tracing.work_span(f"send batch: {queue.name}"):
        outcomes, done_at = await _send_due(db, queue, lease, [*due], now, clock, abandon=abandon)

    lags = [seconds_between(due[outcome.row_id], done_at) for outcome in outcomes if outcome.failure is None]
    return Batch(len(due), len(outcomes) - len(lags), lags)


async def _send_due(
    db: Database,
    queue: Queue,
    lease: Lease,
    due: Sequence[int],
    now: datetime,
    clock: Callable[[], datetime],
    *,
    abandon: asyncio.Event,
) -> tuple[Sequence[Outcome], datetime]:
    """Send the leased rows. Return their outcomes, and when they were recorded."""
    attempts: dict[int, asyncio.Task[Outcome]] = {}
    outcomes: list[Outcome] = []
    try:
        outcomes += await _begin(db, queue, lease, due, now, attempts)
    finally:
        outcomes += await _finished(attempts.values(), abandon)
        done_at = clock()
        await _record(db, queue, lease, outcomes, done_at)
        if unfinished := attempts.keys() - {outcome.row_id for outcome in outcomes}:
            await _release(db, queue, lease, sorted(unfinished), done_at)
    return outcomes, done_at


async def _begin(
    db: Database,
    queue: Queue,
    lease: Lease,
    row_ids: Sequence[int],
    now: datetime,
    attempts: dict[int, asyncio.Task[Outcome]],
) -> list[Outcome]:
    """Prepare the rows and begin to send them, as `attempts`. Return the outcomes of rows that failed before that.

    Sending begins before the transaction ends, that is, under the queue's locks: for a delivery the lock of its lead,
    so that no sending begins after a claim is committed.
    """

    async def begin(session: AsyncSession, ids: Sequence[int]) -> None:
        if not (missing := [row_id for row_id in ids if row_id not in attempts]):
            return
        await queue.lock(session, missing)
        for row_id, send in (await queue.prepare(session, lease, missing, now)).items():
            attempts[row_id] = asyncio.create_task(_attempt(queue.table, row_id, send))
        await asyncio.sleep(0)  # lets every attempt begin

    failed = await isolate_failures(db, begin, row_ids, queue.table.__name__)
    return [Outcome(row_id, DeliveryError(UNEXPECTED)) for row_id in failed if row_id not in attempts]


async def _release(db: Database, queue: Queue, lease: Lease, row_ids: Sequence[int], now: datetime) -> None:
    async def release(session: AsyncSession) -> None:
        await queue.lock(session, row_ids)
        await lease.release(session, row_ids, now)

    await db.in_transaction(release)


async def _attempt(table: Table, row_id: int, send: Send) -> Outcome:
    try:
        await send()
    except DeliveryError as failure:
        return Outcome(row_id, failure)
    except Exception:
        logger.exception("%s %d: sending failed unexpectedly", table.__name__, row_id)
        return Outcome(row_id, DeliveryError(UNEXPECTED))
    return Outcome(row_id)


async def _finished(attempts: Collection[asyncio.Task[Outcome]], abandon: asyncio.Event) -> list[Outcome]:
    """Wait for the attempts. Once `abandon` is set, cancel those in progress: they have no outcome."""
    if not attempts:
        return []
    abandoned = asyncio.ensure_future(abandon.wait())
    all_done = asyncio.ensure_future(asyncio.wait(attempts))
    await asyncio.wait({abandoned, all_done}, return_when=asyncio.FIRST_COMPLETED)
    for task in (abandoned, all_done, *attempts):
        task.cancel()
    await asyncio.wait({abandoned, all_done, *attempts})
    return [attempt.result() for attempt in attempts if not (abandon.is_set() and attempt.cancelled())]


async def _record(db: Database, queue: Queue, lease: Lease, outcomes: Sequence[Outcome], now: datetime) -> None:
    """Record the outcomes. An outcome that cannot be recorded counts as a failed attempt, and has no other effect."""
    by_id = {outcome.row_id: outcome for outcome in outcomes}

    async def record(session: AsyncSession, ids: Sequence[int]) -> None:
        await queue.lock(session, ids)
        await queue.record(lease, session, [by_id[row_id] for row_id in ids], now)

    async def record_failure(session: AsyncSession, ids: Sequence[int]) -> None:
        await queue.lock(session, ids)
        await lease.record(session, [Outcome(row_id, DeliveryError(UNEXPECTED)) for row_id in ids], now)

    unrecorded = await isolate_failures(db, record, [*by_id], queue.table.__name__)
    await isolate_failures(db, record_failure, unrecorded, queue.table.__name__)
