"""One pass of the worker, at times that the tests choose."""

import asyncio
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlmodel import col, select

from app.commands.claim import claim_lead_offer, decline_lead_offer
from app.commands.locks import lock_lead
from app.commands.submit import submit_lead_offers
from app.db.engine import Database
from app.db.models import Delivery, Lead, LeadOffer, User
from app.domain.enums import Channel, ClaimedVia, DeliveryStatus, EndReason, LeadOfferStatus, OrderMethod
from app.worker.channels.base import DeliveryError, Message
from app.worker.leases import MESSAGES
from app.worker.worker import Worker
from tests.support.api import settings_for
from tests.support.world import NOW, Cast, World

MINUTE = timedelta(minutes=1)


@dataclass
class Recorder:
    """A channel that records messages, or fails if `failure` is set."""

    max_concurrent: int = 50
    accepts_replies: bool = False
    sent: list[Message] = field(default_factory=list)
    failure: DeliveryError | None = None

    async def send(self, message: Message) -> None:
        if self.failure is not None:
            raise self.failure
        self.sent.append(message)

    async def close(self) -> None:
        pass

    def take(self) -> list[str]:
        """Return the recipients since the last call, in alphabetical order."""
        recipients = sorted(message.to for message in self.sent)
        self.sent.clear()
        return recipients


@dataclass
class Office:
    """A database with a worker, a channel and a clock."""

    database: Database
    url: str
    channel: Recorder
    now: datetime = NOW

    async def dispatch(self, after: timedelta = timedelta()) -> list[str]:
        """Run one pass, `after` later. Return the recipients."""
        self.now += after
        channels = dict.fromkeys(Channel, self.channel)
        await Worker(self.database, settings_for(self.url), channels, lambda: self.now).run_once()
        return self.channel.take()

    async def submit(self, lead: Lead) -> None:
        async with self.database.write() as session:
            await submit_lead_offers(session, lead.creator_id, lead.id, self.now)

    async def states(self, lead: Lead) -> list[tuple[LeadOfferStatus, EndReason | None]]:
        async with self.database.read() as session:
            mine = select(LeadOffer).where(col(LeadOffer.lead_id) == lead.id).order_by(col(LeadOffer.id))
            return [(offer.status, offer.end_reason) for offer in await session.exec(mine)]

    async def deliveries(self) -> list[Delivery]:
        async with self.database.read() as session:
            return [*(await session.exec(select(Delivery).order_by(col(Delivery.id)))).all()]

    async def holder(self, lead: Lead) -> tuple[int | None, ClaimedVia | None]:
        async with self.database.read() as session:
            held = await session.get_one(Lead, lead.id)
            return held.claimed_by_id, held.claimed_via


@pytest.fixture
def office(database: Database, database_url: str) -> Office:
    return Office(database, database_url, Recorder())


@pytest.fixture
async def lead(world: World, cast: Cast) -> Lead:
    return await world.lead(cast.alice, cast.team)


SCHEDULED, SENT, CANCELLED, CLAIMED = (
    (status, None)
    for status in (
        LeadOfferStatus.SCHEDULED,
        LeadOfferStatus.SENT,
        LeadOfferStatus.CANCELLED,
        LeadOfferStatus.CLAIMED,
    )
)


# Timing


async def test_each_rank_is_notified_when_its_turn_comes(office: Office, world: World, cast: Cast, lead: Lead) -> None:
    await world.member_user(cast.team, rank=2, email="dora@example.com")
    await office.submit(lead)
    assert await office.dispatch() == [cast.bob.email]
    assert await office.states(lead) == [SENT, SCHEDULED]
    assert await office.dispatch(15 * MINUTE - timedelta(milliseconds=1)) == []
    assert await office.dispatch(timedelta(milliseconds=1)) == ["dora@example.com"]
    assert await office.states(lead) == [SENT, SENT]
    assert await office.dispatch(30 * MINUTE) == []
    first = (await office.deliveries())[0]
    assert (first.status, first.attempts, first.sent_at, first.next_attempt_at, first.lease) == (
        DeliveryStatus.SENT,
        1,
        NOW,
        None,
        None,
    )


async def test_work_that_came_due_while_no_worker_ran_is_done_later(office: Office, cast: Cast, lead: Lead) -> None:
    await office.submit(lead)
    assert await office.dispatch(50 * MINUTE) == [cast.bob.email]


async def test_every_channel_gets_a_message(office: Office, world: World, cast: Cast, lead: Lead) -> None:
    await world.member_user(
        cast.team, rank=1, email="dora@example.com", phone="+12025550142", has_text_alert=True, has_call_alert=True
    )
    await office.submit(lead)
    assert await office.dispatch() == ["+12025550142", "+12025550142", cast.bob.email, "dora@example.com"]


async def test_declining_notifies_the_next_rank_at_once(office: Office, world: World, cast: Cast, lead: Lead) -> None:
    dora = await world.member_user(cast.team, rank=2)
    await office.submit(lead)
    await office.dispatch()
    async with office.database.write() as session:
        await decline_lead_offer(session, cast.bob.id, 1, office.now)
    assert await office.dispatch() == [dora.email]


async def test_an_offer_without_a_channel_is_sent_at_once(office: Office, world: World, cast: Cast) -> None:
    team = await world.team(cast.alice, OrderMethod.TIME)
    await world.member(team, cast.bob, has_email_alert=False, mins_until_lead_offer=5)
    lead = await world.lead(cast.alice, team)
    await office.submit(lead)
    assert await office.dispatch() == []
    assert await office.states(lead) == [SCHEDULED]
    assert await office.dispatch(5 * MINUTE) == []
    assert await office.states(lead) == [SENT]


# Checks before sending


async def test_nobody_is_notified_of_a_claimed_lead(office: Office, world: World, cast: Cast, lead: Lead) -> None:
    await world.member_user(cast.team, rank=1)
    await office.submit(lead)
    async with office.database.write() as session:
        await claim_lead_offer(session, cast.bob.id, 1, ClaimedVia.APP, office.now)
    assert await office.dispatch(60 * MINUTE) == []


async def test_no_sending_begins_after_a_claim(office: Office, elsewhere: Database, cast: Cast, lead: Lead) -> None:
    """The worker has leased the delivery while a claim is in progress: it waits for the claim and sends nothing."""
    await office.submit(lead)
    async with elsewhere.write() as session:
        await lock_lead(session, lead.id)
        dispatching = asyncio.create_task(office.dispatch())
        await asyncio.sleep(0.3)
        await claim_lead_offer(session, cast.bob.id, 1, ClaimedVia.APP, office.now)
    assert await dispatching == []
    assert [d.status for d in await office.deliveries()] == [DeliveryStatus.CANCELLED]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"is_active": False}, EndReason.SWITCHED_OFF),
        ({"away_until": NOW + MINUTE}, EndReason.AWAY),
    ],
)
async def test_an_unavailable_user_is_skipped_and_the_next_rank_moves_up(
    office: Office, world: World, cast: Cast, lead: Lead, change: dict[str, Any], reason: EndReason
) -> None:
    dora = await world.member_user(cast.team, rank=2)
    await office.submit(lead)
    cast.bob.sqlmodel_update(change)
    await world.add(cast.bob)
    assert await office.dispatch() == [dora.email]
    assert await office.states(lead) == [(LeadOfferStatus.CANCELLED, reason), SENT]
    assert [d.status for d in await office.deliveries()] == [DeliveryStatus.CANCELLED, DeliveryStatus.SENT]


async def test_a_user_without_the_team_is_not_notified(office: Office, world: World, cast: Cast, lead: Lead) -> None:
    await office.submit(lead)
    cast.team.deleted_at = NOW
    await world.add(cast.team)
    assert cast.bob.email not in await office.dispatch()
    assert await office.states(lead) == [(LeadOfferStatus.CANCELLED, EndReason.TEAM_DELETED)]


# Automatic assignment


async def test_an_automatic_offer_precedes_all_messages(office: Office, world: World, cast: Cast) -> None:
    team = await world.team(cast.alice, OrderMethod.TIME)
    await world.member(team, cast.bob, mins_until_lead_offer=5)
    dora = await world.member_user(team, mins_until_lead_offer=5, assign_automatically=True)
    lead = await world.lead(cast.alice, team)
    await office.submit(lead)
    assert await office.dispatch(5 * MINUTE) == [dora.email]
    assert await office.holder(lead) == (dora.id, ClaimedVia.AUTO)


# Quiet hours


async def quiet_bob(world: World, cast: Cast) -> User:
    cast.bob.timezone, cast.bob.quiet_hours_start, cast.bob.quiet_hours_end = "UTC", "08:00", "09:20"
    await world.add(cast.bob)
    return cast.bob


async def test_quiet_hours_hold_back_messages_but_not_the_tiers(
    office: Office, world: World, cast: Cast, lead: Lead
) -> None:
    await quiet_bob(world, cast)
    dora = await world.member_user(cast.team, rank=2)
    await office.submit(lead)
    assert await office.dispatch() == []
    assert await office.dispatch(15 * MINUTE) == [dora.email]
    assert await office.states(lead) == [SCHEDULED, SENT]
    assert await office.dispatch(5 * MINUTE) == [cast.bob.email]
    assert (await office.deliveries())[0].attempts == 1


async def test_quiet_hours_hold_back_the_automatic_assignment(office: Office, world: World, cast: Cast) -> None:
    await quiet_bob(world, cast)
    team = await world.team(cast.alice, OrderMethod.TIME)
    await world.member(team, cast.bob, assign_automatically=True)
    dora = await world.member_user(team, mins_until_lead_offer=10)
    lead = await world.lead(cast.alice, team)
    await office.submit(lead)
    assert await office.dispatch(10 * MINUTE) == [dora.email]
    assert await office.holder(lead) == (None, None)
    assert await office.dispatch(10 * MINUTE) == [cast.bob.email]
    assert await office.holder(lead) == (cast.bob.id, ClaimedVia.AUTO)


# Failures


async def test_a_temporary_failure_is_attempted_five_times(office: Office, cast: Cast, lead: Lead) -> None:
    await office.submit(lead)
    office.channel.failure = DeliveryError("The mail server did not respond in time.")
    for n in range(1, 5):
        assert await office.dispatch() == []
        (delivery,) = await office.deliveries()
        assert (delivery.status, delivery.attempts, delivery.error) == (
            DeliveryStatus.PENDING,
            n,
            office.channel.failure.reason,
        )
        assert delivery.next_attempt_at is not None
        assert 0.79 < (delivery.next_attempt_at - office.now) / MESSAGES.pauses[n - 1] < 1.21
        assert await office.states(lead) == [SCHEDULED]
        office.now = delivery.next_attempt_at
    await office.dispatch()
    (delivery,) = await office.deliveries()
    assert (delivery.status, delivery.attempts, delivery.next_attempt_at) == (DeliveryStatus.FAILED, 5, None)
    assert await office.states(lead) == [SENT]  # every delivery has come to an end


async def test_a_retry_may_succeed(office: Office, cast: Cast, lead: Lead) -> None:
    await office.submit(lead)
    office.channel.failure = DeliveryError("no")
    await office.dispatch()
    office.channel.failure = None
    assert await office.dispatch(2 * MINUTE) == [cast.bob.email]
    (delivery,) = await office.deliveries()
    assert (delivery.status, delivery.attempts, delivery.error) == (DeliveryStatus.SENT, 2, None)


async def test_a_permanent_failure_is_not_retried(office: Office, world: World, cast: Cast, lead: Lead) -> None:
    await world.member_user(cast.team, rank=1, phone=None, has_text_alert=True, has_email_alert=False)
    await office.submit(lead)
    await office.dispatch()
    text = (await office.deliveries())[1]
    assert (text.status, text.attempts, text.error) == (DeliveryStatus.FAILED, 1, "The user has no phone number.")
    assert await office.states(lead) == [SENT, SENT]


async def test_a_message_sent_during_a_claim_is_recorded_as_sent(
    office: Office, elsewhere: Database, cast: Cast, lead: Lead
) -> None:
    await office.submit(lead)
    arrived = asyncio.Event()

    class Slow(Recorder):
        async def send(self, message: Message) -> None:
            async with elsewhere.write() as session:
                await claim_lead_offer(session, cast.bob.id, 1, ClaimedVia.APP, NOW)
            arrived.set()

    office.channel = Slow()
    await office.dispatch()
    assert arrived.is_set()
    assert [(d.status, d.next_attempt_at) for d in await office.deliveries()] == [(DeliveryStatus.SENT, None)]
    assert await office.states(lead) == [CLAIMED]


async def test_the_attempt_of_a_dead_worker_is_repeated_after_its_lease(office: Office, cast: Cast, lead: Lead) -> None:
    await office.submit(lead)

    class Dying(Recorder):
        async def send(self, message: Message) -> None:
            raise asyncio.CancelledError

    recorder, office.channel = office.channel, Dying()
    with pytest.raises(asyncio.CancelledError):
        await office.dispatch()
    office.channel = recorder
    assert await office.dispatch(timedelta(seconds=59)) == []
    assert await office.dispatch(timedelta(seconds=1)) == [cast.bob.email]


# Exhausted rollouts


async def test_the_creator_is_notified_once_of_an_exhausted_lead(office: Office, cast: Cast, lead: Lead) -> None:
    await office.submit(lead)
    assert await office.dispatch() == [cast.bob.email]
    assert await office.dispatch(60 * MINUTE - timedelta(milliseconds=1)) == []
    assert await office.dispatch(timedelta(milliseconds=1)) == [cast.alice.email]
    assert await office.dispatch(60 * MINUTE) == []


async def test_a_new_offer_restarts_the_count(office: Office, world: World, cast: Cast, lead: Lead) -> None:
    await office.submit(lead)
    async with office.database.write() as session:
        await decline_lead_offer(session, cast.bob.id, 1, office.now)
    assert await office.dispatch() == [cast.alice.email]  # everybody has declined
    dora = await world.member_user(cast.team, rank=2)
    await office.submit(lead)
    assert await office.dispatch() == [dora.email]
    assert await office.dispatch(60 * MINUTE) == [cast.alice.email]


async def test_which_leads_can_be_exhausted(office: Office, world: World, cast: Cast) -> None:
    """Leads created here, submitted or not. Not imported or claimed leads, nor those kept by their creator."""
    await world.lead(cast.alice, cast.team)
    await world.lead(cast.alice, watched_since=NOW)
    held = await world.lead(cast.alice, cast.team, watched_since=NOW)
    await world.claimed(held, cast.bob)
    assert await office.dispatch(120 * MINUTE) == []
    await world.lead(cast.alice, cast.team, watched_since=office.now)
    assert await office.dispatch(59 * MINUTE) == []
    assert await office.dispatch(MINUTE) == [cast.alice.email]
