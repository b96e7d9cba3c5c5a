"""Health checks and the metrics endpoint."""

import re
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import text

from app.db import migrations
from app.db.engine import Database
from app.db.models import Delivery, Event, LeadOffer
from app.domain.enums import Channel, DeliveryStatus, EventKind, LeadOfferStatus
from app.observability import metrics
from tests.support.api import Api, serving, settings_for
from tests.support.databases import sqlite_url
from tests.support.world import NOW, Cast, World

DEPLOYING = (Path(__file__).parents[2] / "docs" / "deploying.md").read_text(encoding="utf-8")


async def test_a_working_server_is_live_and_ready(api: Api) -> None:
    for address in ("/healthz", "/readyz"):
        answer = await api.http.get(address)
        assert (answer.status_code, answer.json()) == (200, {"status": "ok"})


async def test_without_its_database_a_server_is_live_but_not_ready(tmp_path: Path) -> None:
    for url in (sqlite_url(tmp_path / "empty.db"), "postgresql+asyncpg://u:hunter2@127.0.0.1:1/none"):
        async with serving(settings_for(url)) as api:
            assert (await api.http.get("/healthz")).status_code == 200
            answer = await api.http.get("/readyz")
            assert answer.status_code == 503
            assert answer.json()["status"] == "unavailable"
            assert "hunter2" not in answer.text
            assert "lead_offers_database_up 0.0\n" in (await api.http.get("/metrics")).text


async def test_an_older_schema_is_not_ready_and_a_newer_one_is(
    api: Api, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(migrations, "_earlier_revisions", lambda: {"0000"})
    for revision, status in (("0000", 503), ("9999", 200)):
        async with database.write() as session:
            await (await session.connection()).execute(
                text("UPDATE alembic_version SET version_num = :revision"), {"revision": revision}
            )
        answer = await api.http.get("/readyz")
        assert answer.status_code == status


async def test_metrics_have_the_format_of_prometheus(api: Api, cast: Cast) -> None:
    await api.user(cast.bob).ask("query Scraped { me { id } }")
    answer = await api.http.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=")
    assert 'lead_offers_requests_total{operation="Scraped",outcome="OK"} 1.0' in answer.text
    assert "lead_offers_database_up 1.0\n" in answer.text


async def test_every_metric_is_documented(api: Api, cast: Cast) -> None:
    table = re.search(r"\| metric .*\n\|-.*\n((?:\|.*\n)+)", DEPLOYING)
    assert table
    documented = set(re.findall(r"`(lead_offers_\w+)`", table[1]))
    told = (await api.http.get("/metrics")).text
    assert documented == {name for name in re.findall(r"# TYPE (\S+)", told) if "_created" not in name}


async def test_health_checks_are_not_counted(api: Api) -> None:
    counted = {"operation": "none", "outcome": "OK"}
    before = metrics.registry.get_sample_value("lead_offers_requests_total", counted)
    for address in ("/healthz", "/readyz", "/metrics"):
        await api.http.get(address)
    assert metrics.registry.get_sample_value("lead_offers_requests_total", counted) == before


async def test_metrics_of_offers_that_nobody_will_be_told_of(api: Api, world: World, cast: Cast) -> None:
    async def counted() -> str:
        told = (await api.http.get("/metrics")).text
        return told.partition("\nlead_offers_silent_offers ")[2].partition("\n")[0]

    def delivery(offer: LeadOffer, status: DeliveryStatus) -> Delivery:
        return Delivery(offer_id=offer.id, channel=Channel.EMAIL, status=status, next_attempt_at=NOW)

    lead, scheduled = await world.lead(cast.alice, cast.team), LeadOfferStatus.SCHEDULED
    await world.offer(lead, cast.charlie, status=scheduled, has_email_alert=None)
    await world.offer(lead, cast.alice, status=LeadOfferStatus.SENT)
    assert await counted() == "0.0"
    silent = await world.offer(lead, cast.bob, status=scheduled)
    assert await counted() == "1.0"
    await world.add(delivery(silent, DeliveryStatus.CANCELLED))
    assert await counted() == "1.0"
    await world.add(delivery(silent, DeliveryStatus.PENDING))
    assert await counted() == "0.0"


async def test_metrics_of_leads_that_nobody_passes_on(api: Api, world: World, cast: Cast) -> None:
    async def counted() -> str:
        told = (await api.http.get("/metrics")).text
        return told.partition("\nlead_offers_lost_leads ")[2].partition("\n")[0]

    minute = timedelta(minutes=1)
    lead = await world.lead(cast.alice, cast.team, watched_since=NOW)
    never_submitted = await world.lead(cast.alice, cast.team)
    for gives_up_at, lost in ((NOW, 0), (NOW - minute, 0), (NOW - minute - minute / 60_000, 1), (None, 1)):
        never_submitted.gives_up_at = lead.gives_up_at = gives_up_at
        await world.add(lead, never_submitted)
        assert await counted() == f"{lost}.0", gives_up_at
    for ended in ({"exhausted_at": NOW}, {"exhausted_at": None, "claimed_by_id": cast.bob.id}):
        lead.sqlmodel_update(ended)
        await world.add(lead)
        assert await counted() == "0.0", ended


async def test_metrics_of_due_deliveries(api: Api, world: World, cast: Cast) -> None:
    offer = await world.offer(await world.lead(cast.alice, cast.team), cast.bob)
    for minutes, status in ((-3, DeliveryStatus.PENDING), (-9, DeliveryStatus.SENT), (5, DeliveryStatus.PENDING)):
        at = NOW + timedelta(minutes=minutes)
        await world.add(Delivery(offer_id=offer.id, channel=Channel.EMAIL, status=status, next_attempt_at=at))
    told = (await api.http.get("/metrics")).text
    assert "lead_offers_deliveries_due 1.0\n" in told
    assert "lead_offers_deliveries_overdue_seconds 180.0\n" in told


async def test_metrics_of_due_events(api: Api, world: World) -> None:
    for minutes, status in ((-3, DeliveryStatus.PENDING), (None, DeliveryStatus.FAILED), (5, DeliveryStatus.PENDING)):
        at = None if minutes is None else NOW + timedelta(minutes=minutes)
        kind = EventKind.OFFER_CLAIMED
        await world.add(Event(key="evt", kind=kind, payload="{}", happened_at=NOW, status=status, next_attempt_at=at))
    told = (await api.http.get("/metrics")).text
    assert "lead_offers_events_due 1.0\n" in told
    assert "lead_offers_events_overdue_seconds 180.0\n" in told
