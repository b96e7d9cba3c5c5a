"""Deliveries that a worker has leased: which are sent, held or cancelled, and to whom the message goes."""

from datetime import timedelta
from typing import Any

import pytest

from app.commands.text_opt_outs import opt_out_of_texts
from app.db.engine import Database
from app.db.models import Delivery, Lead, LeadOffer
from app.domain.enums import Channel, DeliveryStatus, LeadOfferStatus
from app.worker.worker import Worker
from tests.support.api import settings_for
from tests.support.world import NOW, Cast, World
from tests.worker.test_worker import Recorder

MINUTE = timedelta(minutes=1)
SCHEDULED = LeadOfferStatus.SCHEDULED
PUBLIC = "https://leads.example.com"


@pytest.fixture
async def lead(world: World, cast: Cast) -> Lead:
    return await world.lead(cast.alice, cast.team)


async def offered(world: World, lead: Lead, user: Any, channel: Channel = Channel.EMAIL, **fields: Any) -> LeadOffer:
    """Add an offer with a delivery that is due now."""
    offer = await world.offer(lead, user, **({"status": SCHEDULED} | fields))
    await world.add(Delivery(offer_id=offer.id, channel=channel, status=DeliveryStatus.PENDING, next_attempt_at=NOW))
    return offer


async def dispatch(database: Database, url: str, channel: Recorder) -> str:
    settings = settings_for(url, public_url=PUBLIC)
    return await Worker(database, settings, dict.fromkeys(Channel, channel), lambda: NOW).run_once()


async def after(database: Database, offer: LeadOffer) -> tuple[LeadOfferStatus, DeliveryStatus, Any]:
    async with database.read() as session:
        delivery = await session.get_one(Delivery, offer.id)
        return (await session.get_one(LeadOffer, offer.id)).status, delivery.status, delivery.next_attempt_at


async def test_a_pass_is_summarized(database: Database, database_url: str, world: World, cast: Cast) -> None:
    leads = [await world.lead(cast.alice, cast.team) for _ in range(5)]
    await offered(world, leads[0], cast.bob)
    nobody = await world.member_user(cast.team, email=None)
    await offered(world, leads[1], nobody)
    await offered(world, leads[2], cast.bob)
    await world.claimed(leads[2], cast.alice)
    sleeper = await world.member_user(cast.team, timezone="UTC", quiet_hours_start="08:00", quiet_hours_end="10:00")
    await offered(world, leads[3], sleeper)
    await world.offer(leads[4], cast.bob, status=SCHEDULED, has_email_alert=False)
    assert await dispatch(database, database_url, Recorder()) == (
        "1 leads processed, 4 deliveries due: 1 sent, 1 failed, 2 held or cancelled; 0 notices and 0 events due"
    )


async def test_a_lead_of_somebody_else_cancels_the_delivery_only(
    database: Database, database_url: str, world: World, cast: Cast, lead: Lead
) -> None:
    offer = await offered(world, lead, cast.bob)
    await world.claimed(lead, cast.alice)
    channel = Recorder()
    await dispatch(database, database_url, channel)
    assert channel.sent == []
    assert await after(database, offer) == (SCHEDULED, DeliveryStatus.CANCELLED, None)


@pytest.mark.parametrize("status", [LeadOfferStatus.DECLINED, LeadOfferStatus.CANCELLED, LeadOfferStatus.EXPIRED])
async def test_an_ended_offer_cancels_the_delivery_only(
    database: Database, database_url: str, world: World, cast: Cast, lead: Lead, status: LeadOfferStatus
) -> None:
    offer = await offered(world, lead, cast.bob, status=status)
    channel = Recorder()
    await dispatch(database, database_url, channel)
    assert channel.sent == []
    assert await after(database, offer) == (status, DeliveryStatus.CANCELLED, None)


async def test_a_held_delivery_is_due_at_the_end_of_the_quiet_hours(
    database: Database, database_url: str, world: World, cast: Cast, lead: Lead
) -> None:
    cast.bob.timezone, cast.bob.quiet_hours_start, cast.bob.quiet_hours_end = "UTC", "08:00", "09:20"
    await world.add(cast.bob)
    offer = await offered(world, lead, cast.bob)
    await dispatch(database, database_url, Recorder())
    assert await after(database, offer) == (SCHEDULED, DeliveryStatus.PENDING, NOW + 20 * MINUTE)


@pytest.mark.parametrize("is_claimed", [False, True])
@pytest.mark.parametrize("channel", [Channel.EMAIL, Channel.TEXT, Channel.CALL])
async def test_each_channel_has_its_recipient_and_text(
    database: Database, database_url: str, world: World, cast: Cast, lead: Lead, channel: Channel, is_claimed: bool
) -> None:
    dora = await world.member_user(cast.team, "Dora", phone="+12025550142")
    offer = await offered(world, lead, dora, channel, status=LeadOfferStatus.SENT)
    if is_claimed:
        await world.claimed(lead, dora)
    recorder = Recorder(accepts_replies=True)
    await dispatch(database, database_url, recorder)
    (message,) = recorder.sent
    assert message.id == f"delivery-{offer.id}"
    assert message.to == (dora.email if channel is Channel.EMAIL else dora.phone)
    asks = channel is Channel.CALL and not is_claimed
    assert (message.keypress_url is not None) == asks
    if asks:
        assert (message.keypress_url or "").startswith(f"{PUBLIC}/twilio/keys?link={offer.id}.p.")
    assert message.subject.startswith("Your new lead" if is_claimed else "Lead offer")
    links = {Channel.EMAIL: ".e.", Channel.TEXT: ".t."}
    has_link = channel in links and not is_claimed
    assert (f"{PUBLIC}/claim?link={offer.id}" in message.text) == has_link
    if has_link:
        assert f"{PUBLIC}/claim?link={offer.id}{links[channel]}" in message.text
    assert ("press 1" in message.text) == asks
    assert ("Reply 1" in message.text) == (channel is Channel.TEXT and not is_claimed)
    assert message.text.startswith("Hello Dora") == (channel is Channel.EMAIL or asks)


@pytest.mark.parametrize(
    ("channel", "fields", "error"),
    [
        (Channel.EMAIL, {"email": None}, "The user has no e-mail address."),
        (Channel.TEXT, {"phone": None}, "The user has no phone number."),
        (Channel.CALL, {"phone": None}, "The user has no phone number."),
        (Channel.TEXT, {"phone": "+12025550142"}, "The user has opted out of texts to this number."),
        (Channel.CALL, {"phone": "+12025550142"}, None),
        (Channel.TEXT, {"phone": "+12025550143"}, None),
    ],
)
async def test_a_user_who_cannot_be_reached(
    database: Database,
    database_url: str,
    world: World,
    cast: Cast,
    lead: Lead,
    channel: Channel,
    fields: dict[str, Any],
    error: str | None,
) -> None:
    """Dora has opted out of texts to +12025550142, which others may have too."""
    dora = await world.member_user(cast.team, "Dora", **fields)
    await world.member_user(cast.team, phone="+12025550142")
    async with database.write() as session:
        await opt_out_of_texts(session, "+12025550142", NOW)
    await offered(world, lead, dora, channel)
    await dispatch(database, database_url, Recorder())
    async with database.read() as session:
        delivery = await session.get_one(Delivery, 1)
    assert (delivery.status, delivery.attempts, delivery.error) == (
        DeliveryStatus.FAILED if error else DeliveryStatus.SENT,
        1,
        error,
    )
