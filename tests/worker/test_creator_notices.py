"""Notices to the creators of leads that nobody has claimed: when one is sent, held, cancelled or fails."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from app.db.engine import Database
from app.db.models import Lead, Notice
from app.domain.enums import Channel, DeliveryStatus
from app.worker.worker import Worker
from tests.support.api import settings_for
from tests.support.world import NOW, Cast, World
from tests.worker.test_worker import Recorder


async def dispatch(database: Database, url: str, channel: Recorder, now: datetime = NOW) -> Notice:
    """Run one pass of a worker, and return the notice."""
    await Worker(database, settings_for(url), dict.fromkeys(Channel, channel), lambda: now).run_once()
    async with database.read() as session:
        return await session.get_one(Notice, 1)


@pytest.fixture
async def lead(world: World, cast: Cast) -> Lead:
    """A lead whose rollout is exhausted. Its creator, Alice, is to be notified now."""
    lead = await world.lead(cast.alice, cast.team, type="Buyer", exhausted_at=NOW)
    await world.add(Notice(lead_id=lead.id, status=DeliveryStatus.PENDING, next_attempt_at=NOW))
    return lead


async def test_the_creator_gets_one_e_mail(database: Database, database_url: str, cast: Cast, lead: Lead) -> None:
    channel = Recorder()
    notice = await dispatch(database, database_url, channel)
    assert (notice.status, notice.attempts, notice.next_attempt_at) == (DeliveryStatus.SENT, 1, None)
    (message,) = channel.sent
    assert (message.id, message.to) == ("notice-1", cast.alice.email)
    assert message.subject == f"Nobody has claimed lead {lead.id}: Buyer"


async def test_a_notice_of_a_claimed_lead_is_cancelled(
    database: Database, database_url: str, world: World, cast: Cast, lead: Lead
) -> None:
    await world.claimed(lead, cast.bob)
    await _is_cancelled(database, database_url)


async def test_a_notice_of_a_lead_that_is_offered_again_is_cancelled(
    database: Database, database_url: str, world: World, lead: Lead
) -> None:
    lead.exhausted_at = None
    await world.add(lead)
    await _is_cancelled(database, database_url)


async def test_a_notice_to_a_deactivated_creator_is_cancelled(
    database: Database, database_url: str, world: World, cast: Cast, lead: Lead
) -> None:
    cast.alice.is_active = False
    await world.add(cast.alice)
    await _is_cancelled(database, database_url)


async def _is_cancelled(database: Database, database_url: str) -> None:
    channel = Recorder()
    notice = await dispatch(database, database_url, channel)
    assert channel.sent == []
    assert (notice.status, notice.attempts, notice.next_attempt_at, notice.lease) == (
        DeliveryStatus.CANCELLED,
        0,
        None,
        None,
    )


async def test_a_notice_waits_for_the_end_of_the_creators_quiet_hours(
    database: Database, database_url: str, world: World, cast: Cast, lead: Lead
) -> None:
    cast.alice.timezone, cast.alice.quiet_hours_start, cast.alice.quiet_hours_end = "UTC", "08:00", "09:20"
    await world.add(cast.alice)
    channel, end = Recorder(), NOW + timedelta(minutes=20)
    notice = await dispatch(database, database_url, channel)
    assert (notice.status, notice.attempts, notice.next_attempt_at, notice.lease) == (
        DeliveryStatus.PENDING,
        0,
        end,
        None,
    )
    assert channel.sent == []
    assert (await dispatch(database, database_url, channel, end)).status is DeliveryStatus.SENT
    assert channel.take() == [cast.alice.email]


@pytest.mark.parametrize("address", [None, ""])
async def test_a_creator_without_an_address_gets_none(
    database: Database, database_url: str, world: World, cast: Cast, lead: Lead, address: Any
) -> None:
    cast.alice.email = address
    await world.add(cast.alice)
    notice = await dispatch(database, database_url, Recorder())
    assert (notice.status, notice.attempts, notice.error) == (
        DeliveryStatus.FAILED,
        1,
        "The user has no e-mail address.",
    )
