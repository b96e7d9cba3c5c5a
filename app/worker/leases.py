"""Leases: how workers share the rows to send, and how the outcome of an attempt is recorded.

A worker leases a row: it writes its token into the row and moves `next_attempt_at` to the end of the lease. Other
workers do not find the row until then. If the worker dies, the row is due again when the lease ends. An outcome counts
only while the row still carries the token.
"""

import random
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, func, update
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from app.db.functions import member_of
from app.db.models import Delivery, Event, Notice, WaitingInvitation
from app.domain.enums import DeliveryStatus
from app.worker.channels.base import DeliveryError


@dataclass(frozen=True, slots=True)
class RetrySchedule:
    """How long to wait after each failed attempt. A row fails for good once there is no pause left."""

    pauses: tuple[timedelta, ...]
    jitter: float
    """A pause is up to this fraction longer or shorter, so that rows that failed together are not retried together."""

    def pause_after(self, attempts: int, failure: DeliveryError, luck: float) -> timedelta | None:
        """Return how long to wait after this many failed attempts, or None if there is to be no other attempt.

        `luck`, from 0 to 1, chooses the jitter. If the provider asked for a longer pause, that is used.
        """
        if failure.permanent or attempts > len(self.pauses):
            return None
        pause = self.pauses[attempts - 1] * (1 - self.jitter + 2 * self.jitter * luck)
        return max(pause, timedelta(seconds=failure.retry_after or 0))


MESSAGES = RetrySchedule(tuple(timedelta(minutes=minutes) for minutes in (1, 4, 8, 17)), jitter=0.2)
"""Five attempts within about 30 minutes: a lead does not wait for longer."""

NEW_WORK = "lead_offers_work"
"""The PostgreSQL notification channel that wakes workers. Database triggers notify it too."""

NEW_EVENTS = "events"
"""The payload of a notification that concerns webhook events only."""

Table = type[Delivery] | type[Notice] | type[WaitingInvitation] | type[Event]

_UNSYNCHRONIZED = {"synchronize_session": False}


@dataclass(frozen=True, slots=True)
class Outcome:
    """The outcome of an attempt to send a row: sent, or failed with an error."""

    row_id: int
    failure: DeliveryError | None = None


async def next_attempt(session: AsyncSession, table: Table, after: datetime | None = None) -> datetime | None:
    """Return when the first pending row is due, or the first that is due after `after`; None if there is none."""
    pending = select(func.min(table.next_attempt_at)).where(col(table.status) == DeliveryStatus.PENDING)
    return (await session.exec(pending if after is None else pending.where(col(table.next_attempt_at) > after))).one()


async def wake_workers(session: AsyncSession, table: Table) -> None:
    """Have all workers look for due rows of a table once the transaction is committed. Does nothing on SQLite."""
    if session.get_bind().dialect.name == "postgresql":
        await session.exec(select(func.pg_notify(NEW_WORK, NEW_EVENTS if table is Event else "")))


@dataclass(frozen=True, slots=True)
class Lease:
    """The rows of one table that carry this worker's token."""

    table: Table
    token: str
    retries: RetrySchedule = MESSAGES

    async def take(
        self, session: AsyncSession, condition: ColumnElement[bool], limit: int, *, due_by: datetime, until: datetime
    ) -> dict[int, datetime]:
        """Lease up to `limit` rows that are due, until `until`. Return when each was due, by its id.

        Rows that another worker is leasing at the same time are skipped.
        """
        table = self.table
        due = (
            select(table.id, table.next_attempt_at)
            .where(col(table.status) == DeliveryStatus.PENDING, col(table.next_attempt_at) <= due_by, condition)
            .order_by(col(table.next_attempt_at), col(table.id))
            .limit(limit)
            .with_for_update(skip_locked=True)
        )
        found = {row_id: at for row_id, at in await session.exec(due) if at is not None}
        if found:
            leased = update(table).where(member_of(col(table.id), [*found]))
            await session.exec(
                leased.values(lease=self.token, next_attempt_at=until), execution_options=_UNSYNCHRONIZED
            )
        return found

    async def release(self, session: AsyncSession, row_ids: Collection[int], now: datetime) -> None:
        """End the lease of rows without an outcome, and wake other workers to send them now."""
        await self._end(session, row_ids, next_attempt_at=now)
        await wake_workers(session, self.table)

    async def hold(self, session: AsyncSession, row_id: int, until: datetime) -> None:
        """End the lease without an attempt; the row is due again at `until`."""
        await self._end(session, [row_id], next_attempt_at=until)

    async def cancel(self, session: AsyncSession, row_id: int) -> None:
        """End the lease without an attempt; the row is never sent."""
        await self._end(session, [row_id], next_attempt_at=None, status=DeliveryStatus.CANCELLED)

    async def _end(self, session: AsyncSession, row_ids: Collection[int], **values: Any) -> None:
        pending = (*self._rows(row_ids), col(self.table.status) == DeliveryStatus.PENDING)
        ended = update(self.table).where(*pending).values(lease=None, **values)
        await session.exec(ended, execution_options=_UNSYNCHRONIZED)

    async def record(self, session: AsyncSession, outcomes: Sequence[Outcome], now: datetime) -> list[int]:
        """Write the outcomes of attempts. Return the ids of the rows that have failed for good.

        A row that was sent is recorded as sent even if it was cancelled in the meantime.
        """
        sent = [outcome.row_id for outcome in outcomes if outcome.failure is None]
        failures = {outcome.row_id: outcome.failure for outcome in outcomes if outcome.failure is not None}
        if sent:
            await self._record_sent(session, sent, now)
        return await self._record_failures(session, failures, now) if failures else []

    async def _record_sent(self, session: AsyncSession, row_ids: Sequence[int], now: datetime) -> None:
        recorded = update(self.table).values(
            status=DeliveryStatus.SENT,
            sent_at=now,
            attempts=col(self.table.attempts) + 1,
            next_attempt_at=None,
            error=None,
            lease=None,
        )
        await session.exec(recorded.where(*self._rows(row_ids)), execution_options=_UNSYNCHRONIZED)

    async def _record_failures(
        self, session: AsyncSession, failures: dict[int, DeliveryError], now: datetime
    ) -> list[int]:
        """Skip rows that another worker has leased in the meantime, and leave cancelled ones cancelled."""
        table = self.table
        found = select(table.id, table.attempts, table.status).where(*self._rows([*failures])).with_for_update()
        rows = [
            self._failed(row_id, failures[row_id], attempts, DeliveryStatus(status), now)
            for row_id, attempts, status in await session.exec(found)
        ]
        if rows:
            await session.exec(update(table), params=rows)  # by their ids
        return [row["id"] for row in rows if row["status"] is DeliveryStatus.FAILED]

    def _rows(self, row_ids: Collection[int]) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
        return member_of(col(self.table.id), row_ids), col(self.table.lease) == self.token

    def _failed(
        self, row_id: int, failure: DeliveryError, attempts: int, status: DeliveryStatus, now: datetime
    ) -> dict[str, Any]:
        """Return the new values of a row whose attempt failed after `attempts` earlier ones."""
        pause = self.retries.pause_after(attempts + 1, failure, random.random())  # noqa: S311  no secret
        if status is DeliveryStatus.PENDING and pause is None:
            status = DeliveryStatus.FAILED
        return {
            "id": row_id,
            "status": status,
            "next_attempt_at": now + pause if pause and status is DeliveryStatus.PENDING else None,
            "attempts": attempts + 1,
            "error": failure.reason,
            "lease": None,
        }
