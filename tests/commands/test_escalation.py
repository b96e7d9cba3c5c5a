"""Escalation: which offers and deliveries of a lead move forward, by how much, and what is returned."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlmodel import col, select

from app.commands.escalation import escalate
from app.db.engine import Database
from app.db.models import Delivery, Lead, LeadOffer
from app.domain.enums import Channel, DeliveryStatus, LeadOfferStatus, OrderMethod
from tests.support.world import NOW, Cast, World, at

MINUTE = timedelta(minutes=1)
BY_RANK: dict[str, Any] = {"status": LeadOfferStatus.SCHEDULED, "order_method": OrderMethod.RANK, "rank": 2}


@pytest.fixture
async def lead(world: World, cast: Cast) -> Lead:
    """A lead that nobody can claim: Bob has declined it."""
    lead = await world.lead(cast.alice, cast.team)
    await world.offer(lead, cast.bob, status=LeadOfferStatus.DECLINED, order_method=OrderMethod.RANK, rank=1)
    return lead


async def move(database: Database, lead: Lead, now: datetime = NOW) -> bool:
    async with database.write() as session:
        return await escalate(session, lead.id, now)


async def moments(database: Database, lead: Lead) -> list[datetime | None]:
    async with database.read() as session:
        found = select(LeadOffer.notify_at).where(col(LeadOffer.lead_id) == lead.id).order_by(col(LeadOffer.id))
        return [*(await session.exec(found)).all()]


async def attempts(database: Database) -> list[datetime | None]:
    async with database.read() as session:
        return [*(await session.exec(select(Delivery.next_attempt_at).order_by(col(Delivery.id)))).all()]


async def test_all_move_by_the_wait_of_the_first(database: Database, world: World, cast: Cast, lead: Lead) -> None:
    for minutes in (40, 25, 65):
        user = await world.member_user(cast.team)
        await world.offer(lead, user, notify_at=at(minutes), **BY_RANK)
    assert await move(database, lead, at(5)) is True
    assert await moments(database, lead) == [NOW, at(20), at(5), at(45)]
    assert await move(database, lead, at(5)) is False
    assert await moments(database, lead) == [NOW, at(20), at(5), at(45)]


async def test_pending_deliveries_of_the_moved_offers_move_along(
    database: Database, world: World, cast: Cast, lead: Lead
) -> None:
    user, other = await world.member_user(cast.team), await world.member_user(cast.team)
    first = await world.offer(lead, user, notify_at=at(15), **BY_RANK)
    second = await world.offer(lead, other, notify_at=at(30), **BY_RANK)
    elsewhere = await world.offer(await world.lead(cast.alice, cast.team), user, notify_at=at(15), **BY_RANK)

    def delivery(offer: LeadOffer, status: DeliveryStatus, next_attempt_at: datetime | None) -> Delivery:
        return Delivery(offer_id=offer.id, channel=Channel.EMAIL, status=status, next_attempt_at=next_attempt_at)

    await world.add(
        delivery(first, DeliveryStatus.PENDING, at(15)),
        delivery(first, DeliveryStatus.CANCELLED, None),
        delivery(second, DeliveryStatus.PENDING, at(30)),
        delivery(second, DeliveryStatus.SENT, None),
        delivery(elsewhere, DeliveryStatus.PENDING, at(20)),
    )
    assert await move(database, lead) is True
    assert await attempts(database) == [NOW, None, at(15), None, at(20)]


async def test_a_delivery_that_is_being_sent_does_not_move(
    database: Database, world: World, cast: Cast, lead: Lead
) -> None:
    """The time of the command is before that at which it was due: the command has waited for the lead's lock."""
    offer = await world.offer(lead, await world.member_user(cast.team), notify_at=at(1), **BY_RANK)
    delivery = Delivery(
        offer_id=offer.id,
        channel=Channel.EMAIL,
        status=DeliveryStatus.PENDING,
        next_attempt_at=at(3),
        lease="a worker's",
    )
    await world.add(delivery)
    assert await move(database, lead) is True
    assert await attempts(database) == [at(3)]


@pytest.mark.parametrize(
    ("fields", "moves"),
    [
        ({}, True),
        ({"order_method": OrderMethod.TIME}, False),
        ({"order_method": OrderMethod.TIME, "rank": None}, False),
        ({"order_method": OrderMethod.RANK, "rank": None}, True),
        ({"order_method": None}, True),
        ({"order_method": None, "rank": None}, False),
        ({"status": LeadOfferStatus.DECLINED}, False),
        ({"status": LeadOfferStatus.CANCELLED}, False),
        ({"status": LeadOfferStatus.SENT}, False),
        ({"status": LeadOfferStatus.SENT, "notify_at": at(-1)}, False),
    ],
)
async def test_only_scheduled_offers_by_rank_move(
    database: Database, world: World, cast: Cast, lead: Lead, fields: dict[str, Any], moves: bool
) -> None:
    user = await world.member_user(cast.team)
    offer = await world.offer(lead, user, **({"notify_at": at(15)} | BY_RANK | fields))
    assert await move(database, lead) is moves
    assert await moments(database, lead) == [NOW, NOW if moves else offer.notify_at]


async def test_nothing_moves_while_somebody_can_claim(database: Database, world: World, cast: Cast, lead: Lead) -> None:
    await world.offer(lead, await world.member_user(cast.team), **(BY_RANK | {"status": LeadOfferStatus.SENT}))
    await world.offer(lead, await world.member_user(cast.team), notify_at=at(15), **BY_RANK)
    assert await move(database, lead) is False
    assert await moments(database, lead) == [NOW, NOW, at(15)]


async def test_nothing_moves_while_somebody_has_the_lead(
    database: Database, world: World, cast: Cast, lead: Lead
) -> None:
    await world.offer(lead, await world.member_user(cast.team), notify_at=at(15), **BY_RANK)
    await world.claimed(lead, cast.bob)
    assert await move(database, lead) is False
    assert await moments(database, lead) == [NOW, at(15)]


async def test_an_offer_that_was_due_stays(database: Database, world: World, cast: Cast, lead: Lead) -> None:
    """Its user has left the team, so that nobody can claim the lead."""
    await world.offer(lead, cast.charlie, notify_at=at(-5), **BY_RANK)
    await world.offer(lead, await world.member_user(cast.team), notify_at=at(15), **BY_RANK)
    assert await move(database, lead) is True
    assert await moments(database, lead) == [NOW, at(-5), NOW]
