"""One batch of rows, step by step: what happens to a row if a transaction of the batch fails."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import true
from sqlmodel.ext.asyncio.session import AsyncSession

from app.db.engine import Database
from app.db.models import Event
from app.domain.enums import DeliveryStatus, EventKind
from app.worker.batch import Batch, Queue, Send, send_batch
from app.worker.channels.base import DeliveryError
from app.worker.leases import Lease
from tests.support.world import NOW, World

MINUTE = timedelta(minutes=1)


class Sender:
    """Prepares every row, and notes which are sent. Rows in `failing` fail, and those in `held` are not prepared."""

    def __init__(self) -> None:
        self.sent: list[int] = []
        self.failing: set[int] = set()
        self.held: set[int] = set()

    async def prepare(self, session: AsyncSession, lease: Lease, ids: Sequence[int], _now: Any) -> dict[int, Send]:
        for row_id in self.held.intersection(ids):
            await lease.hold(session, row_id, NOW + MINUTE)
        return {row_id: self._send(row_id) for row_id in ids if row_id not in self.held}

    def _send(self, row_id: int) -> Send:
        async def send() -> None:
            self.sent.append(row_id)
            if row_id in self.failing:
                raise DeliveryError("no")

        return send


@pytest.fixture
async def events(world: World) -> None:
    """Three events, due one, two and three minutes ago; the last of them first by id."""
    for n in (1, 2, 3):
        event: dict[str, Any] = {"key": f"evt_{n}", "kind": EventKind.OFFER_CLAIMED, "payload": "{}"}
        due_at = NOW - n * MINUTE
        await world.add(Event(**event, happened_at=NOW, status=DeliveryStatus.PENDING, next_attempt_at=due_at))


async def send(database: Database, sender: Sender, size: int = 10, **fields: Any) -> Batch:
    queue = Queue("Events", Event, true(), size, sender.prepare, **fields)
    return await send_batch(database, queue, NOW, lambda: NOW, MINUTE, abandon=asyncio.Event())


async def rows(database: Database) -> list[Event]:
    async with database.read() as session:
        return [await session.get_one(Event, n) for n in (1, 2, 3)]


async def test_a_batch_counts_what_it_did(database: Database, events: None) -> None:
    sender = Sender()
    sender.failing, sender.held = {1}, {2}
    assert await send(database, sender) == Batch(leased=3, failed=1, lags=[180.0])
    assert sorted(sender.sent) == [1, 3]
    failed, held, sent = await rows(database)
    assert (failed.status, failed.attempts, failed.error) == (DeliveryStatus.PENDING, 1, "no")
    assert (held.status, held.attempts, held.next_attempt_at) == (DeliveryStatus.PENDING, 0, NOW + MINUTE)
    assert (sent.status, sent.attempts, sent.next_attempt_at) == (DeliveryStatus.SENT, 1, None)
    assert await send(database, sender) == Batch(0)


async def test_the_rows_that_were_due_first_are_sent_first(database: Database, events: None) -> None:
    sender = Sender()
    for row_id in (3, 2, 1):
        assert (await send(database, sender, size=1)).leased == 1
        assert sender.sent[-1] == row_id


async def test_rows_are_leased_while_they_are_sent(database: Database, elsewhere: Database, events: None) -> None:
    """Another worker finds none of them until the lease ends."""
    others: list[Batch] = []

    class Overtaken(Sender):
        def _send(self, row_id: int) -> Send:
            async def look() -> None:
                others.append(await send(elsewhere, Sender()))
                self.sent += [row.id for row in await rows(elsewhere) if row.next_attempt_at == NOW + MINUTE]

            return look

    sender = Overtaken()
    await send(database, sender, size=1)
    assert others == [Batch(2, 0, [120.0, 60.0])]
    assert sender.sent == [3]


async def test_a_row_is_sent_once_if_the_transaction_that_began_it_fails(
    database: Database, events: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Sending begins before the commit, and a commit may fail. The rows that were begun are not begun again."""
    sender = Sender()
    failures = [RuntimeError("the commit failed")]
    in_transaction = database.in_transaction

    async def failing(work: Callable[[AsyncSession], Awaitable[Any]]) -> Any:
        result = await in_transaction(work)
        if sender.sent and failures:
            raise failures.pop()
        return result

    monkeypatch.setattr(Database, "in_transaction", lambda _self, work: failing(work))
    batch = await send(database, sender)
    assert failures == []
    assert sorted(sender.sent) == [1, 2, 3]
    assert (batch.leased, batch.failed) == (3, 0)
    assert [row.status for row in await rows(database)] == [DeliveryStatus.SENT] * 3
