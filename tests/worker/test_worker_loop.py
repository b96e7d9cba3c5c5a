"""The loops of a running worker: when they wake, and how they end. Here the clock is the real one."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from app.db.engine import Database
from app.db.models import Delivery, Event, LeadOffer, Notice
from app.domain.enums import Channel, DeliveryStatus, EventKind, LeadOfferStatus
from app.errors import ApiError, Code
from app.worker import worker as loops
from app.worker.channels.base import Message
from app.worker.leases import RetrySchedule
from app.worker.worker import Worker
from tests.support.api import settings_for
from tests.support.waiting import until
from tests.support.world import Cast, World
from tests.worker.test_isolation import Outbound, RecordingWebhook

SOON = timedelta(seconds=0.4)
PATIENCE = 30.0
"""Seconds in which a worker has to act, on a busy machine. The one of `office` looks by itself every 60 seconds."""
PENDING = DeliveryStatus.PENDING


@dataclass
class Slow(Outbound):
    """A channel whose messages take a while. Notes those that began, and how many were sent at the same time."""

    seconds: float = 0.2
    began: list[str] = field(default_factory=list)
    at_once: int = 0
    most_at_once: int = 0

    async def send(self, message: Message) -> None:
        self.began.append(message.to)
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            await asyncio.sleep(self.seconds)
        finally:
            self.at_once -= 1
        self.record(message.to)


@dataclass
class Office:
    """A worker that looks for work only when it is woken: at the time of the next due row, not every second."""

    worker: Worker
    outbound: Outbound

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Run the worker for the time of the block, and stop it. It must not have failed."""
        running = asyncio.create_task(self.worker.run())
        yield
        self.worker.stop()
        async with asyncio.timeout(PATIENCE):
            await running


def start(database: Database, url: str, outbound: Outbound, **fields: Any) -> Office:
    channels = dict.fromkeys(Channel, outbound)
    clock = fields.pop("clock", lambda: datetime.now(UTC))
    worker = Worker(database, settings_for(url), channels, clock, RecordingWebhook(outbound), **fields)
    return Office(worker, outbound)


@pytest.fixture
def office(database: Database, database_url: str, monkeypatch: pytest.MonkeyPatch) -> Office:
    monkeypatch.setattr(loops, "POLL_SECONDS", 60.0)
    monkeypatch.setattr(loops, "IDLE_SECONDS", 60.0)
    return start(database, database_url, Outbound())


async def add_delivery(world: World, cast: Cast, at: datetime) -> None:
    offer = await world.offer(
        await world.lead(cast.alice, cast.team), cast.bob, status=LeadOfferStatus.SCHEDULED, notify_at=at
    )
    await world.add(Delivery(offer_id=offer.id, channel=Channel.EMAIL, status=PENDING, next_attempt_at=at))


async def add_notice(world: World, cast: Cast, at: datetime) -> None:
    lead = await world.lead(cast.alice, cast.team, exhausted_at=at)
    await world.add(Notice(lead_id=lead.id, status=PENDING, next_attempt_at=at))


async def add_event(world: World, cast: Cast, at: datetime) -> None:
    event: dict[str, Any] = {"key": "evt_1", "kind": EventKind.OFFER_CLAIMED, "payload": "{}", "happened_at": at}
    await world.add(Event(**event, status=PENDING, next_attempt_at=at))


@pytest.mark.parametrize("add", [add_delivery, add_notice, add_event])
@pytest.mark.parametrize("later", [-SOON, SOON])
async def test_what_is_due_later_is_sent_at_its_time(
    office: Office, world: World, cast: Cast, add: Any, later: timedelta, caplog: pytest.LogCaptureFixture
) -> None:
    due_at = datetime.now(UTC) + later
    await add(world, cast, due_at)
    async with office.running():
        await until(lambda: office.outbound.sent != [], PATIENCE)
        assert datetime.now(UTC) >= due_at
    assert len(office.outbound.sent) == 1
    assert "The worker failed" not in caplog.text


async def test_an_offer_without_a_channel_is_processed_at_its_time(
    office: Office, database: Database, world: World, cast: Cast, caplog: pytest.LogCaptureFixture
) -> None:
    lead = await world.lead(cast.alice, cast.team)
    silent: dict[str, Any] = {"has_email_alert": False, "notify_at": datetime.now(UTC) + SOON}
    offer = await world.offer(lead, cast.bob, status=LeadOfferStatus.SCHEDULED, **silent)

    async def is_sent() -> bool:
        async with database.read() as session:
            return (await session.get_one(LeadOffer, offer.id)).status is LeadOfferStatus.SENT

    async with office.running(), asyncio.timeout(PATIENCE):
        while not await is_sent():  # noqa: ASYNC110  the worker tells nobody what it has done
            await asyncio.sleep(0.05)
    assert "The worker failed" not in caplog.text


async def test_a_failed_attempt_is_retried_at_its_time(
    office: Office, world: World, cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The loop that sends wakes the one that sleeps until the next row, which had none to wait for."""
    monkeypatch.setattr(RetrySchedule, "pause_after", lambda *_attempt: SOON)
    recipient = cast.bob.email or ""
    office.outbound.poisoned.add(recipient)
    await add_delivery(world, cast, datetime.now(UTC))

    async def is_attempted() -> bool:
        async with office.worker.db.read() as session:
            return (await session.get_one(Delivery, 1)).attempts == 1

    async with office.running(), asyncio.timeout(PATIENCE):
        while not await is_attempted():  # noqa: ASYNC110  the worker tells nobody what it has done
            await asyncio.sleep(0.05)
        office.outbound.poisoned.clear()
        await until(lambda: office.outbound.sent == [recipient], PATIENCE)


async def test_an_idle_worker_stops_at_once(office: Office, caplog: pytest.LogCaptureFixture) -> None:
    async with office.running():
        await asyncio.sleep(0.2)  # the loops rest
        began = asyncio.get_running_loop().time()
        office.worker.stop()
    assert asyncio.get_running_loop().time() - began < PATIENCE
    assert "The worker failed" not in caplog.text


@pytest.mark.parametrize("add", [add_delivery, add_notice, add_event])
async def test_a_worker_without_work_sleeps(
    office: Office, statements: list[str], world: World, cast: Cast, add: Any
) -> None:
    await add(world, cast, datetime.now(UTC))
    async with office.running():
        await until(lambda: office.outbound.sent != [], PATIENCE)
        async with asyncio.timeout(PATIENCE):  # each loop looks once more
            seen = -1
            while seen != len(statements):
                seen = len(statements)
                await asyncio.sleep(0.5)


@pytest.mark.parametrize(("grace", "seconds", "status"), [(5.0, 0.3, DeliveryStatus.SENT), (0.05, 60.0, PENDING)])
async def test_a_stop_waits_for_the_attempts_in_progress(
    database: Database,
    database_url: str,
    world: World,
    cast: Cast,
    grace: float,
    seconds: float,
    status: DeliveryStatus,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """An attempt that takes longer than the grace is abandoned, and its row is free for another worker."""
    monkeypatch.setattr(loops, "GRACE_SECONDS", grace)
    slow = Slow(seconds=seconds)
    office = start(database, database_url, slow)
    await add_delivery(world, cast, datetime.now(UTC))
    async with office.running():
        await until(lambda: slow.began != [], PATIENCE)
    async with database.read() as session:
        row = await session.get_one(Delivery, 1)
    assert (row.status, row.lease) == (status, None)
    assert row.next_attempt_at is None or row.next_attempt_at <= datetime.now(UTC)


async def test_a_worker_goes_on_after_a_failure(
    database: Database,
    database_url: str,
    world: World,
    cast: Cast,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(loops, "RETRY_SECONDS", 0.05)
    failures = iter([True] * 6)

    async def synchronize() -> None:
        if next(failures, False):
            raise ApiError(Code.UNAVAILABLE, "The database cannot be reached.")

    office = start(database, database_url, Outbound(), synchronize=synchronize)
    await add_delivery(world, cast, datetime.now(UTC))
    async with office.running():
        await until(lambda: office.outbound.sent != [], PATIENCE)
    assert "The worker failed. It continues in 0.05 seconds." in caplog.text


async def test_a_channel_sends_two_batches_at_once(
    database: Database, database_url: str, world: World, cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And the next ones right after them, without a pause."""
    monkeypatch.setattr(loops, "POLL_SECONDS", 60.0)
    monkeypatch.setattr(loops, "IDLE_SECONDS", 60.0)
    slow = Slow(max_concurrent=1, seconds=0.7)
    office = start(database, database_url, slow)
    for _ in range(4):
        await add_delivery(world, cast, datetime.now(UTC))
    async with office.running():
        await until(lambda: len(slow.sent) == 4, PATIENCE)
    assert slow.most_at_once == 2
