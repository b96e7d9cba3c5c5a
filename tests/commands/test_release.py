"""Release: which offers come back, as what and when, and why the others stay away."""

from datetime import datetime, timedelta

import pytest
from sqlmodel import col, select

from app.commands.release import release_lead
from app.db.engine import Database
from app.db.models import Delivery, Lead, LeadOffer, User
from app.domain.enums import DeliveryStatus, EndReason, LeadOfferStatus, RequestStatus
from tests.support.world import NOW, Cast, World

MINUTE = timedelta(minutes=1)
LATER = NOW + 60 * MINUTE
CANCELLED, EXPIRED = LeadOfferStatus.CANCELLED, LeadOfferStatus.EXPIRED


@pytest.fixture
async def lead(world: World, cast: Cast) -> Lead:
    """A lead that Bob has claimed."""
    lead = await world.lead(cast.alice, cast.team)
    await world.offer(lead, cast.bob, status=LeadOfferStatus.CLAIMED)
    await world.claimed(lead, cast.bob)
    return lead


async def release(database: Database, lead: Lead, user: User) -> None:
    async with database.write() as session:
        assert (await release_lead(session, user.id, lead.id, LATER)).claimed_by_id is None


async def states(database: Database) -> list[tuple[LeadOfferStatus, EndReason | None, datetime | None]]:
    """The offers after Bob's, by id."""
    async with database.read() as session:
        offers = [*await session.exec(select(LeadOffer).order_by(col(LeadOffer.id)))]
    assert (offers[0].status, offers[0].end_reason) == (LeadOfferStatus.DECLINED, None)
    return [(offer.status, offer.end_reason, offer.notify_at) for offer in offers[1:]]


async def scheduled(database: Database) -> list[tuple[int, datetime | None]]:
    async with database.read() as session:
        pending = select(Delivery).where(col(Delivery.status) == DeliveryStatus.PENDING).order_by(col(Delivery.id))
        return [(delivery.offer_id, delivery.next_attempt_at) for delivery in await session.exec(pending)]


async def test_what_the_claim_had_ended_comes_back(database: Database, world: World, cast: Cast, lead: Lead) -> None:
    """A sent offer is sent again now; those ahead keep their spacing, the first of them now."""
    for status, minutes in ((EXPIRED, 0), (CANCELLED, 30), (CANCELLED, 45)):
        user = await world.member_user(cast.team)
        await world.offer(lead, user, status=status, end_reason=EndReason.CLAIMED, notify_at=NOW + minutes * MINUTE)
    await release(database, lead, cast.bob)
    assert await states(database) == [
        (LeadOfferStatus.SENT, None, NOW),
        (LeadOfferStatus.SCHEDULED, None, LATER),
        (LeadOfferStatus.SCHEDULED, None, LATER + 15 * MINUTE),
    ]
    assert await scheduled(database) == [(2, LATER), (3, LATER), (4, LATER + 15 * MINUTE)]


@pytest.mark.parametrize("reason", [*(reason for reason in EndReason if reason is not EndReason.CLAIMED), None])
async def test_an_offer_that_ended_for_another_reason_stays_cancelled(
    database: Database, world: World, cast: Cast, lead: Lead, reason: EndReason | None
) -> None:
    user = await world.member_user(cast.team)
    await world.offer(lead, user, status=CANCELLED, end_reason=reason, notify_at=NOW + 30 * MINUTE)
    await release(database, lead, cast.alice)
    assert await states(database) == [(CANCELLED, reason, NOW + 30 * MINUTE)]
    assert await scheduled(database) == []


async def test_a_declined_offer_stays_declined(database: Database, world: World, cast: Cast, lead: Lead) -> None:
    await world.offer(lead, await world.member_user(cast.team), status=LeadOfferStatus.DECLINED)
    await release(database, lead, cast.alice)
    assert await states(database) == [(LeadOfferStatus.DECLINED, None, NOW)]
    assert await scheduled(database) == []


@pytest.mark.parametrize("status", [EXPIRED, CANCELLED])
@pytest.mark.parametrize("reason", [EndReason.SWITCHED_OFF, EndReason.LEFT, EndReason.TEAM_DELETED])
async def test_an_offer_of_a_departed_user_stays_away_with_the_reason(
    database: Database, world: World, cast: Cast, lead: Lead, status: LeadOfferStatus, reason: EndReason
) -> None:
    user = await world.user(is_active=reason is not EndReason.SWITCHED_OFF)
    team = await world.team(cast.alice, deleted_at=NOW if reason is EndReason.TEAM_DELETED else None)
    left = reason is EndReason.LEFT
    await world.member(team, user, RequestStatus.DECLINED if left else RequestStatus.ACCEPTED)
    await world.offer(lead, user, team, status=status, end_reason=EndReason.CLAIMED, notify_at=NOW)
    await release(database, lead, cast.alice)
    assert await states(database) == [(CANCELLED, reason, NOW)]
    assert await scheduled(database) == []


@pytest.mark.parametrize("status", [EXPIRED, CANCELLED])
async def test_an_offer_without_a_user_stays_away(
    database: Database, world: World, cast: Cast, lead: Lead, status: LeadOfferStatus
) -> None:
    await world.offer(lead, None, status=status, end_reason=EndReason.CLAIMED)
    await release(database, lead, cast.alice)
    assert await states(database) == [(CANCELLED, EndReason.LEFT, NOW)]
    assert await scheduled(database) == []


async def test_an_offer_of_a_user_who_is_away_comes_back(
    database: Database, world: World, cast: Cast, lead: Lead
) -> None:
    user = await world.member_user(cast.team, away_until=LATER + MINUTE)
    await world.offer(lead, user, status=EXPIRED, end_reason=EndReason.CLAIMED)
    await release(database, lead, cast.alice)
    assert await states(database) == [(LeadOfferStatus.SENT, None, NOW)]
