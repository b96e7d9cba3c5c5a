"""Webhook events: written with the commit of what they report, sent at least once, always with the same body."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlmodel import col, select

from app.commands.assign import assign_lead
from app.commands.claim import claim_lead_offer, decline_lead_offer
from app.commands.delivery_status import record_delivery_status
from app.commands.submit import submit_lead_offers
from app.config import Settings
from app.db.engine import Database, connect_as_configured
from app.db.models import Delivery, Event, Lead, LeadOffer
from app.domain.enums import Channel, ClaimedVia, DeliveryStatus, EventKind, OrderMethod
from app.worker.channels.base import DeliveryError, Message
from app.worker.channels.registry import make_webhook
from app.worker.webhook_events import DELETED_AT_ONCE, FAILED_KEPT_FOR, PAUSES, SENT_KEPT_FOR
from app.worker.worker import Worker
from tests.docs.pages import DOCS, table
from tests.process.test_workers import run
from tests.support.api import serving, settings_for
from tests.support.databases import statements_of
from tests.support.processes import start, stop
from tests.support.waiting import until
from tests.support.webhook_endpoint import PATH, SILENCE, Post, Receiver, answer, receiving
from tests.support.world import NOW, Cast, World

MINUTE = timedelta(minutes=1)
CLAIM = "mutation ($id: ID!) { claimLeadOffer(id: $id) { leadOffer { id } } }"


@dataclass
class Recorder:
    """A channel that records its recipients, or fails if `failure` is set."""

    max_concurrent: int = 50
    accepts_replies: bool = False
    to: list[str] = field(default_factory=list)
    failure: DeliveryError | None = None

    async def send(self, message: Message) -> None:
        if self.failure:
            raise self.failure
        self.to.append(message.to)

    async def close(self) -> None:
        pass


@dataclass
class Office:
    """A database with a webhook, a worker and a clock."""

    database: Database
    settings: Settings
    receiver: Receiver
    channel: Recorder
    now: datetime = NOW

    def worker(self) -> Worker:
        channels = dict.fromkeys(Channel, self.channel)
        return Worker(self.database, self.settings, channels, lambda: self.now, make_webhook(self.settings))

    async def dispatch(self, after: timedelta = timedelta()) -> list[dict[str, Any]]:
        """Run one pass, `after` later. Return the events that the webhook received."""
        self.now += after
        await self.worker().run_once()
        return self.receiver.take()

    async def submit(self, lead: Lead) -> None:
        async with self.database.write() as session:
            await submit_lead_offers(session, lead.creator_id, lead.id, self.now)

    async def claim(self, offer: LeadOffer, via: ClaimedVia = ClaimedVia.APP) -> None:
        async with self.database.write() as session:
            await claim_lead_offer(session, offer.user_id or 0, offer.id, via, self.now)

    async def offer(self, offer_id: int) -> LeadOffer:
        async with self.database.read() as session:
            return await session.get_one(LeadOffer, offer_id)

    async def events(self) -> list[Event]:
        async with self.database.read() as session:
            return [*(await session.exec(select(Event).order_by(col(Event.id)))).all()]


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as receiver:
        yield receiver


@pytest.fixture
async def office(database_url: str, receiver: Receiver) -> AsyncIterator[Office]:
    settings = settings_for(database_url, **receiver.settings)
    database = connect_as_configured(settings)
    yield Office(database, settings, receiver, Recorder())
    await database.close()


@pytest.fixture
async def offer(world: World, cast: Cast) -> LeadOffer:
    """Bob's offer of a lead that was created at NOW."""
    return await world.offer(await world.lead(cast.alice, cast.team), cast.bob)


def claimed(offer: LeadOffer, via: str, at: str = "2026-03-02T09:00:00.000Z", seconds: int = 0) -> dict[str, Any]:
    return {
        "type": "offer.claimed",
        "timestamp": at,
        "data": {
            "offerId": str(offer.id),
            "leadId": str(offer.lead_id),
            "userId": str(offer.user_id),
            "teamId": str(offer.team_id),
            "claimedVia": via,
            "claimedAt": at,
            "timeToClaim": seconds,
        },
    }


# Contents


async def test_a_claim_over_graphql_emits_an_event(office: Office, cast: Cast, offer: LeadOffer) -> None:
    async with serving(office.settings, NOW + timedelta(seconds=12.5)) as api:
        for _ in range(2):  # repeating a claim changes nothing
            await api.user(cast.bob).ask(CLAIM, id=offer.id)
    assert await office.dispatch(MINUTE) == [claimed(offer, "APP", "2026-03-02T09:00:12.500Z", 12)]
    assert await office.dispatch(MINUTE) == []


@pytest.mark.parametrize("via", [ClaimedVia.EMAIL, ClaimedVia.TEXT, ClaimedVia.PHONE])
async def test_the_event_says_how_the_lead_was_claimed(office: Office, offer: LeadOffer, via: ClaimedVia) -> None:
    await office.claim(offer, via)
    assert await office.dispatch() == [claimed(offer, via.name)]


async def test_the_time_to_claim_of_an_event_is_never_negative(office: Office, world: World, cast: Cast) -> None:
    lead = await world.lead(cast.alice, cast.team, created_at=NOW + timedelta(days=4 * 365))
    offer = await world.offer(lead, cast.bob)
    await office.claim(offer, ClaimedVia.APP)
    assert await office.dispatch() == [claimed(offer, "APP", seconds=0)]


async def test_an_automatic_assignment_emits_an_event(office: Office, world: World, cast: Cast) -> None:
    team = await world.team(cast.alice, OrderMethod.TIME)
    dora = await world.member_user(team, mins_until_lead_offer=5, assign_automatically=True)
    lead = await world.lead(cast.alice, team)
    await office.submit(lead)
    assert await office.dispatch() == []
    told = await office.dispatch(5 * MINUTE)
    assert told == [claimed(await office.offer(1), "AUTO", "2026-03-02T09:05:00.000Z", 300)]
    assert told[0]["data"]["userId"] == str(dora.id)


async def test_an_assignment_emits_an_event_with_its_new_offer(office: Office, world: World, cast: Cast) -> None:
    lead = await world.lead(cast.alice, cast.team)
    for user in (cast.alice, cast.alice, cast.bob):  # assigning it to its holder changes nothing
        async with office.database.write() as session:
            await assign_lead(session, cast.alice.id, lead.id, user.id, NOW)
    told = await office.dispatch()
    assert told == [claimed(await office.offer(offer_id), "ASSIGNED") for offer_id in (1, 2)]
    assert [event["data"]["userId"] for event in told] == [str(cast.alice.id), str(cast.bob.id)]


async def test_an_exhausted_rollout_emits_one_event(office: Office, cast: Cast, world: World) -> None:
    lead = await world.lead(cast.alice, cast.team)
    await office.submit(lead)
    await office.dispatch()
    async with office.database.write() as session:
        await decline_lead_offer(session, cast.bob.id, 1, NOW)
    assert await office.dispatch(MINUTE) == [
        {
            "type": "rollout.exhausted",
            "timestamp": "2026-03-02T09:01:00.000Z",
            "data": {
                "leadId": str(lead.id),
                "creatorId": str(cast.alice.id),
                "exhaustedAt": "2026-03-02T09:01:00.000Z",
            },
        }
    ]
    assert await office.dispatch(60 * MINUTE) == []


async def test_a_delivery_that_fails_for_good_emits_an_event(office: Office, cast: Cast, world: World) -> None:
    await office.submit(await world.lead(cast.alice, cast.team))
    office.channel.failure = DeliveryError("The mail server did not respond in time.")
    for _ in range(4):
        assert await office.dispatch(25 * MINUTE) == []
        async with office.database.write() as session:  # keeps the lead from being exhausted
            (await session.get_one(LeadOffer, 1)).notify_at = office.now
    (told,) = await office.dispatch(25 * MINUTE)
    assert (told["type"], told["timestamp"]) == ("delivery.failed", "2026-03-02T11:05:00.000Z")
    assert told["data"] == {
        "deliveryId": "1",
        "offerId": "1",
        "leadId": "1",
        "userId": str(cast.bob.id),
        "channel": "EMAIL",
        "attempts": 5,
        "error": "The mail server did not respond in time.",
    }


async def test_a_failure_after_the_lease_was_lost_emits_nothing(office: Office, cast: Cast, world: World) -> None:
    """The worker took longer than its lease."""
    await office.submit(await world.lead(cast.alice, cast.team))

    class Overtaken(Recorder):
        async def send(self, message: Message) -> None:
            async with office.database.write() as session:
                (await session.get_one(Delivery, 1)).lease = "another's"
            raise DeliveryError("no", permanent=True)

    office.channel = Overtaken()
    assert await office.dispatch() == []


async def test_a_rolled_back_claim_emits_nothing(office: Office, offer: LeadOffer) -> None:
    async def claim_in_vain() -> None:
        async with office.database.write() as session:
            await claim_lead_offer(session, offer.user_id or 0, offer.id, ClaimedVia.APP, NOW)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await claim_in_vain()
    assert await office.dispatch() == []
    assert await office.events() == []


async def test_without_a_webhook_nothing_is_written(
    office: Office, database: Database, world: World, cast: Cast, offer: LeadOffer
) -> None:
    """Nor is anything read for it: a claim runs two statements fewer."""
    other = await world.offer(await world.lead(cast.alice, cast.team), cast.bob)
    counted, uncounted = statements_of(office.database), statements_of(database)
    await office.claim(offer)
    settings = office.settings.model_copy(update={"webhook_url": None})
    without = Office(database, settings, office.receiver, office.channel)
    await without.claim(other)
    assert len(uncounted) == len(counted) - 2
    uncounted.clear()
    await without.dispatch()
    assert not [statement for statement in uncounted if "events" in statement]
    assert len(await office.events()) == 1  # of the first claim


async def test_a_reported_delivery_failure_emits_one_event(office: Office, cast: Cast, world: World) -> None:
    await office.submit(await world.lead(cast.alice, cast.team))
    await office.dispatch()
    for failure in ("The line was busy.", "Nobody answered the call.", None):
        async with office.database.write() as session:
            await record_delivery_status(session, 1, failure, office.now)
    assert [(told["type"], told["data"]["error"]) for told in await office.dispatch()] == [
        ("delivery.failed", "The line was busy.")
    ]


async def test_events_have_the_documented_fields_and_no_contact_data(
    office: Office, world: World, cast: Cast, offer: LeadOffer
) -> None:
    await office.claim(offer)
    cast.team.next_team_id, cast.team.mins_until_next_team = (await world.team(cast.alice)).id, 60  # it has nobody
    await world.add(cast.team)
    await office.submit(await world.lead(cast.alice, cast.team))
    office.channel.failure = DeliveryError("no", permanent=True)
    told = [*await office.dispatch(), *await office.dispatch(60 * MINUTE)]
    documented = {row[0].strip("`"): re.findall(r"`(\w+)`", row[2]) for row in table(DOCS["webhooks"], "event")}
    assert {event["type"]: [*event["data"]] for event in told} == documented
    assert not [secret for secret in ("@", "+1202", "Mary", "Bob") if secret in str(told)]


# Sending


def failing(said: bytes, times: int) -> Any:
    """Return a receiver that responds this way so many times and then accepts everything."""
    left = iter([said] * times)
    return lambda _post: next(left, answer(200))


async def test_a_retry_has_the_same_id_and_body(office: Office, offer: LeadOffer) -> None:
    await office.claim(offer)
    office.receiver.answer = failing(answer(500), 2)
    for pause in (0, 6, 360):
        office.now += timedelta(seconds=pause)
        await office.worker().run_once()
    first, *again = office.receiver.posts
    assert [(post.id, post.body) for post in again] == [(first.id, first.body)] * 2
    assert first.id.startswith("evt_")
    assert {post.event["type"] for post in office.receiver.posts} == {"offer.claimed"}  # with valid signatures
    (event,) = await office.events()
    assert (event.status, event.attempts, event.error, event.lease) == (DeliveryStatus.SENT, 3, None, None)
    assert event.sent_at == office.now


async def test_an_event_is_attempted_ten_times(
    office: Office, offer: LeadOffer, caplog: pytest.LogCaptureFixture
) -> None:
    await office.claim(offer)
    office.receiver.answer = lambda _post: answer(500)
    for pause in PAUSES:
        await office.dispatch()
        (event,) = await office.events()
        assert event.next_attempt_at is not None
        assert 0.89 < (event.next_attempt_at - office.now) / pause < 1.11
        office.now = event.next_attempt_at
    await office.dispatch()
    (event,) = await office.events()
    assert (event.status, event.attempts, event.next_attempt_at) == (DeliveryStatus.FAILED, 10, None)
    assert (
        f"Event {event.key} (offer.claimed) could not be delivered to the webhook: The webhook endpoint responded with"
        in caplog.text
    )


async def test_an_event_that_the_receiver_calls_gone_is_not_retried(office: Office, offer: LeadOffer) -> None:
    await office.claim(offer)
    office.receiver.answer = lambda _post: answer(410, "Retry-After: 5")
    await office.dispatch()
    (event,) = await office.events()
    assert (event.status, event.attempts, event.next_attempt_at) == (DeliveryStatus.FAILED, 1, None)


@pytest.mark.parametrize("said", [*map(answer, (400, 401, 403, 404)), answer(302, "Location: /elsewhere"), b"SMTP"])
async def test_any_other_failure_is_retried(office: Office, offer: LeadOffer, said: bytes) -> None:
    await office.claim(offer)
    office.receiver.answer = failing(said, 1)
    await office.dispatch()
    assert await office.dispatch(timedelta(seconds=4)) == []
    assert await office.dispatch(timedelta(seconds=2)) == [claimed(offer, "APP")]


async def test_retry_after_is_respected(office: Office, offer: LeadOffer) -> None:
    await office.claim(offer)
    office.receiver.answer = failing(answer(429, "Retry-After: 600"), 1)
    assert len(await office.dispatch()) == 1
    assert await office.dispatch(timedelta(seconds=599)) == []
    assert await office.dispatch(timedelta(seconds=1)) == [claimed(offer, "APP")]


async def test_many_are_sent_in_one_pass(office: Office, world: World, cast: Cast) -> None:
    offers = [await world.offer(await world.lead(cast.alice, cast.team), cast.bob) for _ in range(45)]
    for one in offers:
        await office.claim(one)
    told = await office.dispatch()
    assert sorted(int(event["data"]["offerId"]) for event in told) == [one.id for one in offers]


async def test_old_events_are_deleted_once_they_have_ended(office: Office, world: World) -> None:
    def event(happened_at: datetime, status: DeliveryStatus, next_at: datetime | None = None) -> Event:
        return Event(
            key=f"evt_{status}_{happened_at}",
            kind=EventKind.OFFER_CLAIMED,
            payload="{}",
            happened_at=happened_at,
            status=status,
            next_attempt_at=next_at,
        )

    instant = timedelta(milliseconds=1)
    old, older = NOW - SENT_KEPT_FOR - instant, NOW - FAILED_KEPT_FOR - instant
    kept = [
        event(older, DeliveryStatus.PENDING, NOW + MINUTE),
        event(old + instant, DeliveryStatus.SENT),
        event(older + instant, DeliveryStatus.FAILED),
    ]
    gone = [event(old, DeliveryStatus.SENT), event(older, DeliveryStatus.FAILED)]
    await world.add(*kept, *gone)
    await office.dispatch()
    assert [one.key for one in await office.events()] == [one.key for one in kept]
    await world.add(*(event(old + timedelta(seconds=n), DeliveryStatus.SENT) for n in range(-DELETED_AT_ONCE, 0)))
    await office.dispatch()
    assert len(await office.events()) == 4  # the three kept ones, and one beyond the limit


# Workers


async def test_a_slow_webhook_delays_no_message(office: Office, offer: LeadOffer, world: World, cast: Cast) -> None:
    await office.claim(offer)
    await office.submit(await world.lead(cast.alice, cast.team))
    office.receiver.answer = lambda _post: SILENCE
    worker = office.worker()
    running = asyncio.create_task(worker.run())

    async def bob_was_told() -> bool:
        return office.channel.to == [cast.bob.email]

    async def the_receiver_is_asked() -> bool:
        return len(office.receiver.posts) == 1

    await until(the_receiver_is_asked, 10)
    await until(bob_was_told, 10)
    assert [event.status for event in await office.events()] == [DeliveryStatus.PENDING]
    running.cancel()
    with suppress(asyncio.CancelledError):
        await running
    assert worker.webhook is not None
    await worker.webhook.close()


@pytest.mark.process
async def test_a_claim_wakes_an_idle_worker(office: Office, database_url: str, offer: LeadOffer) -> None:
    """On PostgreSQL, long before it would poll."""
    process = start(database_url, "dispatch", fallback="console", **office.receiver.settings)

    async def it_listens() -> bool:
        return len(office.receiver.posts) == 1

    async def it_heard() -> bool:
        return len(office.receiver.posts) == 2

    await office.claim(offer)
    await until(it_listens)
    await asyncio.sleep(1)
    async with office.database.write() as session:
        await assign_lead(session, offer.offered_by_id, offer.lead_id, offer.offered_by_id, NOW)
    await until(it_heard, 20)
    assert [event["data"]["claimedVia"] for event in office.receiver.take()] == ["APP", "ASSIGNED"]
    stop(process)
    assert process.returncode == 0


@pytest.mark.process
async def test_the_event_of_a_killed_worker_is_sent_again_unchanged(
    office: Office, database_url: str, offer: LeadOffer
) -> None:
    office.now = datetime.now(UTC)  # the worker process deletes old events
    await office.claim(offer)
    posts: list[Post] = office.receiver.posts
    office.receiver.answer = lambda _post: SILENCE
    settings = {"fallback": "console", "lease_seconds": "4", **office.receiver.settings}

    async def it_came() -> bool:
        return bool(posts)

    async def it_came_again() -> bool:
        return len(posts) == 2

    process = start(database_url, "dispatch", **settings)
    await until(it_came, 20)
    process.kill()
    process.wait()
    office.receiver.answer = lambda _post: answer(200)
    process = start(database_url, "dispatch", **settings)
    await until(it_came_again, 20)
    stop(process)
    assert (posts[0].id, posts[0].body) == (posts[1].id, posts[1].body)
    (event,) = await office.events()
    assert (event.status, event.attempts) == (DeliveryStatus.SENT, 1)


@pytest.mark.process
async def test_once_sends_events_and_does_not_log_the_webhook_url(
    office: Office, database_url: str, offer: LeadOffer
) -> None:
    await office.claim(offer)
    done = await run(database_url, "dispatch", "--once", fallback="console", **office.receiver.settings)
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith("; 0 notices and 1 events due\n")
    assert office.receiver.take() == [claimed(offer, "APP")]
    assert PATH not in done.stderr
