"""Processes go by the database's clock, whatever the clocks of their machines say."""

import asyncio
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import pytest

from app.db import clock as clock_module
from app.db.clock import DatabaseClock
from app.db.engine import Database
from app.db.models import Delivery
from app.domain.enums import Channel, DeliveryStatus, LeadOfferStatus
from app.domain.timestamps import utc_now
from app.worker.channels.base import Message
from app.worker.worker import Worker
from tests.support.api import settings_for
from tests.support.world import NOW, Cast, World

SKEWS = [timedelta(seconds=120), timedelta(seconds=-120), timedelta(days=-400)]
DELIVERIES = 5


def off_by(skew: timedelta) -> Callable[[], datetime]:
    return lambda: utc_now() + skew


@pytest.mark.parametrize("skew", SKEWS)
async def test_the_local_clock_is_corrected(database: Database, skew: timedelta) -> None:
    clock = DatabaseClock(database, off_by(skew))
    assert abs(clock() - utc_now() - skew) < timedelta(seconds=1)
    await clock.synchronize()
    if database.is_postgresql:
        assert abs(clock() - utc_now()) < timedelta(seconds=1)
        assert clock().microsecond % 1_000 == 0
    else:
        assert abs(clock() - utc_now() - skew) < timedelta(seconds=1)


async def test_it_is_measured_now_and_then(
    database: Database, statements: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = DatabaseClock(database)
    for _ in range(3):
        await clock.synchronize()
    assert len(statements) == (1 if database.is_postgresql else 0)
    monkeypatch.setattr(clock_module, "MEASURE_EVERY", 0)
    await clock.synchronize()
    assert len(statements) == (2 if database.is_postgresql else 0)


async def test_a_large_difference_is_logged(database: Database, caplog: pytest.LogCaptureFixture) -> None:
    await DatabaseClock(database).synchronize()
    assert caplog.messages == []
    await DatabaseClock(database, off_by(timedelta(seconds=120))).synchronize()
    expected = ["The clock of this machine is +120.0 s ahead of the database's, which is used instead"]
    assert caplog.messages == (expected if database.is_postgresql else [])


@dataclass
class SlowChannel:
    """Records messages. Sending takes a while."""

    max_concurrent: int = 50
    accepts_replies: bool = False
    sent: Counter[str] = field(default_factory=Counter)
    has_begun: asyncio.Event = field(default_factory=asyncio.Event)

    async def send(self, message: Message) -> None:
        self.sent[message.id] += 1
        self.has_begun.set()
        await asyncio.sleep(0.5)

    async def close(self) -> None:
        pass


@pytest.mark.parametrize("first", [timedelta(seconds=-120), timedelta(seconds=120), timedelta()])
async def test_two_workers_with_different_clocks_send_each_message_once(
    database: Database, elsewhere: Database, database_url: str, world: World, cast: Cast, first: timedelta
) -> None:
    """The second worker looks for work while the first one sends. Their clocks differ by more than the lease lasts."""
    if not database.is_postgresql:
        return  # its workers share the clock of one machine
    for _ in range(DELIVERIES):
        offer = await world.offer(await world.lead(cast.alice, cast.team), cast.bob, status=LeadOfferStatus.SCHEDULED)
        await world.add(
            Delivery(offer_id=offer.id, channel=Channel.EMAIL, status=DeliveryStatus.PENDING, next_attempt_at=NOW)
        )
    channel = SlowChannel()
    settings = settings_for(database_url, lease_seconds=60)

    async def work(db: Database, skew: timedelta) -> str:
        clock = DatabaseClock(db, off_by(skew))
        worker = Worker(db, settings, dict.fromkeys(Channel, channel), clock, synchronize=clock.synchronize)
        return await worker.run_once()

    sending = asyncio.create_task(work(database, first))
    await channel.has_begun.wait()
    assert "0 deliveries due" in await work(elsewhere, -first or timedelta(seconds=120))
    assert f"{DELIVERIES} sent" in await sending
    assert channel.sent == {f"delivery-{n}": 1 for n in range(1, DELIVERIES + 1)}
