"""Due offers that the worker processes itself: which leads have some, when the next is due, and what is done."""

from datetime import timedelta
from typing import Any

import pytest

from app.commands import due_offers
from app.commands.due_offers import leads_with_due_offers, next_due_offer, process_due
from app.db.engine import Database
from app.db.models import Lead, LeadOffer
from app.domain.enums import EndReason, LeadOfferStatus
from tests.support.world import NOW, Cast, World

MINUTE = timedelta(minutes=1)
INSTANT = timedelta(milliseconds=1)
SILENT: dict[str, Any] = {"has_email_alert": False, "status": LeadOfferStatus.SCHEDULED}
"""An offer without a channel."""
HELD: dict[str, Any] = {"assign_automatically": True, "status": LeadOfferStatus.SENT}
"""An automatic offer whose user was notified in the meantime; give it `held_until`."""


async def read_offer(database: Database, offer: LeadOffer) -> LeadOffer:
    async with database.read() as session:
        return await session.get_one(LeadOffer, offer.id)


async def process(database: Database, lead: Lead) -> None:
    async with database.write() as session:
        await process_due(session, lead.id, NOW)


@pytest.fixture
async def lead(world: World, cast: Cast) -> Lead:
    return await world.lead(cast.alice, cast.team)


@pytest.mark.parametrize(
    ("fields", "due_at"),
    [
        (SILENT | {"notify_at": NOW}, NOW),
        ({"status": LeadOfferStatus.SCHEDULED, "assign_automatically": True, "notify_at": NOW}, NOW),
        (HELD | {"notify_at": NOW, "held_until": NOW + MINUTE}, NOW + MINUTE),
        ({"status": LeadOfferStatus.SCHEDULED, "notify_at": NOW}, None),  # its deliveries process it
        (SILENT | {"notify_at": NOW, "status": LeadOfferStatus.SENT}, None),
        (HELD | {"notify_at": NOW}, None),
    ],
)
async def test_from_when_an_offer_is_due(
    database: Database, world: World, cast: Cast, lead: Lead, fields: dict[str, Any], due_at: Any
) -> None:
    await world.offer(lead, cast.bob, **fields)
    async with database.read() as session:
        assert await next_due_offer(session, after=NOW - INSTANT) == due_at
        if due_at is not None:
            assert await next_due_offer(session, after=due_at) is None
            assert await leads_with_due_offers(session, due_at - INSTANT) == []
            assert await leads_with_due_offers(session, due_at) == [lead.id]
        else:
            assert await leads_with_due_offers(session, NOW + MINUTE) == []


async def test_leads_come_once_each_lowest_first_in_batches(
    database: Database, world: World, cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(due_offers, "BATCH_SIZE", 2)
    leads = [await world.lead(cast.alice, cast.team) for _ in range(3)]
    for n, lead in enumerate(leads):
        for user in (cast.bob, cast.charlie):
            await world.offer(lead, user, **SILENT, notify_at=NOW - n * MINUTE)
    first, second, third = (lead.id for lead in leads)
    async with database.read() as session:
        assert await leads_with_due_offers(session, NOW) == [first, second]
        assert await leads_with_due_offers(session, NOW, skip=[first]) == [second, third]
        assert await next_due_offer(session, after=NOW - 3 * MINUTE) == NOW - 2 * MINUTE


@pytest.mark.parametrize("held_until", [NOW - MINUTE, NOW])
async def test_an_offer_is_not_held_any_longer_if_its_user_cannot_get_the_lead(
    database: Database, world: World, cast: Cast, lead: Lead, held_until: Any
) -> None:
    """Otherwise the lead would have a due offer in each pass, and the worker would never come to rest."""
    cast.bob.away_until = NOW + MINUTE
    await world.add(cast.bob)
    offer = await world.offer(lead, cast.bob, **HELD, held_until=held_until)
    await process(database, lead)
    after = await read_offer(database, offer)
    assert (after.status, after.held_until) == (LeadOfferStatus.SENT, None)
    async with database.read() as session:
        assert await leads_with_due_offers(session, NOW) == []


async def test_an_offer_that_is_held_until_later_stays_held(
    database: Database, world: World, cast: Cast, lead: Lead
) -> None:
    await world.claimed(lead, cast.alice)
    held = await world.offer(lead, cast.bob, **HELD, held_until=NOW + INSTANT)
    elsewhere = await world.offer(await world.lead(cast.alice, cast.team), cast.bob, **HELD, held_until=NOW)
    await process(database, lead)
    assert (await read_offer(database, held)).held_until == NOW + INSTANT
    assert (await read_offer(database, elsewhere)).held_until == NOW


async def test_only_due_scheduled_offers_without_a_channel_are_marked_as_sent(
    database: Database, world: World, cast: Cast, lead: Lead
) -> None:
    users = [cast.bob, *[await world.member_user(cast.team, rank=1) for _ in range(4)]]
    fields: list[tuple[dict[str, Any], LeadOfferStatus]] = [
        (SILENT, LeadOfferStatus.SENT),
        (SILENT | {"notify_at": NOW + INSTANT}, LeadOfferStatus.SCHEDULED),
        (SILENT | {"has_email_alert": True}, LeadOfferStatus.SCHEDULED),
        (SILENT | {"has_text_alert": True}, LeadOfferStatus.SCHEDULED),
        (SILENT | {"status": LeadOfferStatus.DECLINED}, LeadOfferStatus.DECLINED),
    ]
    offers = [await world.offer(lead, user, **each) for user, (each, _) in zip(users, fields, strict=True)]
    other = await world.offer(await world.lead(cast.alice, cast.team), cast.bob, **SILENT)
    await process(database, lead)
    statuses = [(await read_offer(database, offer)).status for offer in offers]
    assert statuses == [status for _, status in fields]
    assert (await read_offer(database, other)).status is LeadOfferStatus.SCHEDULED


async def test_an_offer_whose_user_has_left_is_withdrawn_and_the_next_rank_moves_up(
    database: Database, world: World, cast: Cast, lead: Lead
) -> None:
    cast.bob.is_active = False
    await world.add(cast.bob)
    dora = await world.member_user(cast.team, rank=2)
    gone = await world.offer(lead, cast.bob, **SILENT, rank=1)
    ahead = await world.offer(lead, dora, **SILENT, rank=2, notify_at=NOW + 15 * MINUTE)
    await process(database, lead)
    after = await read_offer(database, gone)
    assert (after.status, after.end_reason) == (LeadOfferStatus.CANCELLED, EndReason.SWITCHED_OFF)
    assert (await read_offer(database, ahead)).notify_at == NOW
