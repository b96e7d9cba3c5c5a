"""Events that have failed for good: how they are listed, counted and sent again."""

import asyncio
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from typer.testing import CliRunner, Result

from app.cli import app
from app.db.models import Event, LeadOffer
from app.domain.enums import ClaimedVia, DeliveryStatus, EventKind
from app.observability.metrics import registry
from tests.support.processes import start, stop
from tests.support.waiting import until
from tests.support.webhook_endpoint import answer
from tests.support.world import NOW, World
from tests.worker.test_webhook_events import Office, offer, office, receiver

__all__ = ["offer", "office", "receiver"]

Run = Callable[..., Result]
SINCE = ("replay", "--since", "2026-03-02T09:00:00Z")


@pytest.fixture
def run(database_url: str, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run `lead-offers events` with these arguments."""
    monkeypatch.setenv("LEAD_OFFERS_DATABASE_URL", database_url)
    return lambda *arguments: CliRunner().invoke(app, ["events", *arguments])


def event(key: str, status: DeliveryStatus = DeliveryStatus.FAILED, seconds: float = 0) -> Event:
    return Event(
        key=key,
        kind=EventKind.OFFER_CLAIMED,
        payload=f'{{"key":"{key}"}}',
        happened_at=NOW + timedelta(seconds=seconds),
        status=status,
        attempts=10,
        error="The webhook endpoint responded with status 500.",
    )


def failures() -> list[float | None]:
    names = ("lag_seconds_count", "failures_total")
    values = [registry.get_sample_value(f"lead_offers_event_{name}") for name in names]
    return [*values, registry.get_sample_value("lead_offers_events_failed_total")]


async def test_an_event_is_listed_and_sent_again_with_the_same_id_and_body(
    office: Office, offer: LeadOffer, run: Run
) -> None:
    office.receiver.answer = lambda _post: answer(410 if len(office.receiver.posts) == 1 else 200)
    before = failures()
    await office.claim(offer, ClaimedVia.APP)
    await office.worker().run_once()
    (failed,) = await office.events()
    listed = await asyncio.to_thread(run, "failed")
    row = f"{failed.key}\toffer.claimed\t2026-03-02T09:00:00.000Z\t1\tThe webhook endpoint responded with status 410.\n"
    assert (listed.exit_code, listed.stdout, listed.stderr) == (0, row, "")

    replayed = await asyncio.to_thread(run, *SINCE)
    assert (replayed.exit_code, replayed.stdout) == (0, row)
    again = await asyncio.to_thread(run, *SINCE)
    assert (again.exit_code, again.stdout) == (0, "")  # it is pending

    office.now += timedelta(days=400)  # later than the clock of the command
    await office.worker().run_once()
    first, second = office.receiver.posts
    assert (first.id, first.path, first.body) == (second.id, second.path, second.body)
    assert second.event["type"] == "offer.claimed"  # the signature is valid
    assert [after - (was or 0) for after, was in zip(failures(), before, strict=True) if after is not None] == [1, 1, 1]


async def test_a_replayed_event_gets_the_whole_schedule(office: Office, world: World, run: Run) -> None:
    await world.add(event("evt_1"))
    await asyncio.to_thread(run, *SINCE)
    office.receiver.answer = lambda _post: answer(503)
    office.now += timedelta(days=400)
    await office.worker().run_once()
    (again,) = await office.events()
    assert (again.status, again.attempts) == (DeliveryStatus.PENDING, 1)
    assert again.next_attempt_at is not None
    assert again.next_attempt_at - office.now < timedelta(seconds=6)


async def test_only_failed_events_of_the_time_are_sent_again(office: Office, world: World, run: Run) -> None:
    rows = [
        event("evt_before", seconds=-0.001),
        event("evt_sent", DeliveryStatus.SENT),
        event("evt_at"),
        event("evt_pending", DeliveryStatus.PENDING),
        event("evt_after", seconds=9),
    ]
    await world.add(*rows)

    def keys(result: Result) -> list[str]:
        assert result.exit_code == 0, result.stderr
        return [line.split("\t")[0] for line in result.stdout.splitlines()]

    assert keys(await asyncio.to_thread(run, "failed")) == ["evt_before", "evt_at", "evt_after"]
    told = json.loads((await asyncio.to_thread(run, "failed", "--json")).stdout)
    assert told[0] == {
        "id": "evt_before",
        "kind": "offer.claimed",
        "happened_at": "2026-03-02T08:59:59.999Z",
        "attempts": 10,
        "error": "The webhook endpoint responded with status 500.",
    }
    for wrong in ("evt_before", "evt_sent", "evt_pending", "nothing\n"):
        refused = await asyncio.to_thread(run, *SINCE, "--id", "evt_at", "--id", wrong)
        assert (refused.exit_code, refused.stdout) == (1, "")
        assert "is not the id of a failed event of that time" in refused.stderr
    assert keys(await asyncio.to_thread(run, *SINCE, "--id", "evt_after")) == ["evt_after"]
    assert keys(await asyncio.to_thread(run, *SINCE)) == ["evt_at"]
    assert keys(await asyncio.to_thread(run, "failed")) == ["evt_before"]


@pytest.mark.parametrize("time", ["yesterday", "2026-03-02T09:00", "2026-02-30", ""])
def test_an_invalid_time_is_refused(run: Run, time: str) -> None:
    result = run("replay", "--since", time)
    assert result.exit_code == 2
    assert "Invalid value for '--since'" in result.stderr
    assert run("replay").exit_code == 2


@pytest.mark.process
async def test_a_replay_wakes_an_idle_worker(office: Office, database_url: str, world: World, run: Run) -> None:
    process = start(database_url, "dispatch", fallback="console", **office.receiver.settings)

    async def it_came() -> bool:
        return len(office.receiver.posts) == 1

    await world.add(event("evt_new", DeliveryStatus.PENDING))
    async with office.database.write() as session:
        (await session.get_one(Event, 1)).next_attempt_at = NOW
    await until(it_came)
    again = event("evt_again")
    again.happened_at = datetime.now(UTC)  # the worker process deletes old events
    await world.add(again)
    await asyncio.sleep(1)
    await asyncio.to_thread(run, *SINCE)

    async def it_came_again() -> bool:
        return [post.id for post in office.receiver.posts] == ["evt_new", "evt_again"]

    await until(it_came_again, 20)
    stop(process)
