"""A lead that cannot be processed is retried with pauses and given up after five failures."""

import logging
from datetime import timedelta

import pytest

from app.db.engine import Database
from app.domain.enums import Channel, LeadOfferStatus
from app.worker.failing_leads import FailingLeads
from app.worker.worker import Worker
from tests.support.api import settings_for
from tests.support.world import NOW, Cast, World
from tests.worker.test_isolation import Outbox, RecordingWebhook, outbox

__all__ = ["outbox"]  # the fixture

MINUTE = timedelta(minutes=1)
PAUSES = (1, 4, 8, 17)


def test_pauses_and_the_end() -> None:
    leads = FailingLeads("testing")
    now = NOW
    for pause in PAUSES:
        leads.failed(7, now)
        assert leads.waiting(now) == leads.waiting(now + (pause - 1) * MINUTE) == [7]
        assert leads.next_attempt(after=now) == now + pause * MINUTE
        assert leads.next_attempt(after=now + pause * MINUTE) is None
        now += pause * MINUTE
        assert leads.waiting(now) == []
    leads.failed(7, now)
    assert leads.waiting(now + timedelta(days=400)) == [7]
    assert leads.next_attempt(after=now) is None


def test_a_success_forgets_the_failures() -> None:
    leads = FailingLeads("testing")
    for _ in range(4):
        leads.failed(7, NOW)
    leads.failed(8, NOW)
    leads.succeeded(7)
    leads.succeeded(9)
    assert leads.waiting(NOW) == [8]
    leads.failed(7, NOW)
    assert leads.next_attempt(after=NOW) == NOW + MINUTE
    assert sorted(leads.waiting(NOW)) == [7, 8]


@pytest.mark.parametrize("step", ["due offers", "exhausted"])
async def test_a_worker_gives_a_lead_up(
    outbox: Outbox,
    database: Database,
    database_url: str,
    world: World,
    cast: Cast,
    step: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """It fails at once and 1, 5, 13 and 30 minutes later, and in no pass between or after these."""
    if step == "due offers":
        lead = await world.lead(cast.alice, cast.team)
        await world.offer(lead, cast.bob, status=LeadOfferStatus.SCHEDULED, assign_automatically=True)
        await outbox.refuse_update("leads", "NEW.id = 1 AND NEW.claimed_by_id IS NOT NULL")
    else:
        await world.lead(cast.alice, cast.team, watched_since=NOW - 60 * MINUTE)
        await outbox.refuse_update("leads", "NEW.id = 1 AND NEW.exhausted_at IS NOT NULL")

    now = NOW
    worker = Worker(
        database,
        settings_for(database_url),
        dict.fromkeys(Channel, outbox.outbound),
        lambda: now,
        RecordingWebhook(outbox.outbound),
    )
    failures = []
    for minute in range(60):
        now = NOW + minute * MINUTE
        caplog.clear()
        await worker.run_once()
        failures += [minute for record in caplog.records if record.message == "Lead 1 failed unexpectedly"]
        given_up = [record for record in caplog.records if "does not try it again" in record.message]
        assert [record.levelno for record in given_up] == ([logging.ERROR] if minute == 30 else [])
    assert failures == [0, 1, 5, 13, 30]
