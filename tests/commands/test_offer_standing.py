"""Whether an offer can be claimed, and why its user must not get it: each condition beside rows that do not matter."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
from sqlmodel import col, select

from app.commands.offer_standing import claim_succeeds, claimable, ineligibility
from app.db.engine import Database
from app.db.models import Lead, LeadOffer, User
from app.domain.enums import EndReason, LeadOfferStatus, RequestStatus
from tests.support.world import NOW, Cast, World

INSTANT = timedelta(milliseconds=1)


@dataclass
class Standing:
    claimable: bool
    ineligibility: EndReason | None
    succeeds: list[str]
    """The names of those of Alice, Bob and Charlie who may claim."""


async def standing(database: Database, cast: Cast, offer: LeadOffer) -> Standing:
    users = (cast.alice, cast.bob, cast.charlie)
    succeeds: Any = [claim_succeeds(user.id, NOW) for user in users]
    found: Any = select(claimable(NOW), ineligibility(NOW), *succeeds).where(col(LeadOffer.id) == offer.id)
    async with database.read() as session:
        can_claim, reason, *may = (await session.exec(found)).one()
    return Standing(bool(can_claim), reason, [user.first_name for user, ok in zip(users, may, strict=True) if ok])


@pytest.fixture
async def lead(world: World, cast: Cast) -> Lead:
    """The lead of the tests, beside another one that is unclaimed, and one that Charlie holds."""
    await world.offer(await world.lead(cast.alice, cast.team), cast.bob)
    await world.claimed(await world.lead(cast.charlie), cast.charlie)
    return await world.lead(cast.alice, cast.team)


@pytest.mark.parametrize(
    ("fields", "is_claimable"),
    [
        ({"status": LeadOfferStatus.SENT}, True),
        ({"status": LeadOfferStatus.SCHEDULED}, True),
        ({"notify_at": None}, True),
        ({"notify_at": NOW + INSTANT}, False),
        ({"status": LeadOfferStatus.DECLINED}, False),
        ({"status": LeadOfferStatus.CANCELLED}, False),
        ({"status": LeadOfferStatus.EXPIRED}, False),
        ({"status": LeadOfferStatus.CLAIMED}, False),
    ],
)
async def test_an_open_due_offer_can_be_claimed(
    database: Database, world: World, cast: Cast, lead: Lead, fields: dict[str, Any], is_claimable: bool
) -> None:
    offer = await world.offer(lead, cast.bob, **fields)
    expected = Standing(is_claimable, None, ["Bob"] if is_claimable else [])
    assert await standing(database, cast, offer) == expected


async def test_a_claimed_lead_can_be_claimed_again_by_its_holder(
    database: Database, world: World, cast: Cast, lead: Lead
) -> None:
    offer = await world.offer(lead, cast.bob)
    await world.claimed(lead, cast.charlie)
    assert await standing(database, cast, offer) == Standing(False, None, [])
    await world.claimed(lead, cast.bob)
    assert await standing(database, cast, offer) == Standing(False, None, ["Bob"])


@pytest.mark.parametrize(("until", "reason"), [(NOW + INSTANT, EndReason.AWAY), (NOW, None)])
async def test_a_user_who_is_away_claims_by_hand_only(
    database: Database, world: World, cast: Cast, lead: Lead, until: Any, reason: EndReason | None
) -> None:
    offer = await world.offer(lead, cast.bob)
    cast.bob.away_until = until
    cast.alice.away_until = NOW + INSTANT
    await world.add(cast.bob, cast.alice)
    assert await standing(database, cast, offer) == Standing(True, reason, ["Bob"])


async def test_a_deactivated_user(database: Database, world: World, cast: Cast, lead: Lead) -> None:
    """The reason is given before all others."""
    offer = await world.offer(lead, cast.bob)
    cast.bob.is_active, cast.bob.away_until, cast.team.deleted_at = False, NOW + INSTANT, NOW
    await world.add(cast.bob, cast.team)
    assert await standing(database, cast, offer) == Standing(False, EndReason.SWITCHED_OFF, [])


async def test_a_deleted_team(database: Database, world: World, cast: Cast, lead: Lead) -> None:
    await world.team(cast.alice, deleted_at=NOW)
    offer = await world.offer(lead, cast.bob)
    assert (await standing(database, cast, offer)).claimable
    cast.bob.away_until, cast.team.deleted_at = NOW + INSTANT, NOW
    await world.add(cast.bob, cast.team)
    assert await standing(database, cast, offer) == Standing(False, EndReason.TEAM_DELETED, [])


@pytest.mark.parametrize("status", [RequestStatus.PENDING, RequestStatus.DECLINED, None])
async def test_a_user_who_is_not_in_the_team(
    database: Database, world: World, cast: Cast, lead: Lead, status: RequestStatus | None
) -> None:
    """Teams and memberships of their own elsewhere do not matter."""
    dora: User = await world.user("Dora", away_until=NOW + INSTANT)
    await world.team(dora)
    await world.membership(await world.team(cast.alice), dora)
    if status is not None:
        await world.membership(cast.team, dora, status)
    offer = await world.offer(lead, dora)
    assert await standing(database, cast, offer) == Standing(False, EndReason.LEFT, [])


async def test_the_creator_of_a_team_is_in_it_and_an_imported_offer_needs_none(
    database: Database, world: World, cast: Cast, lead: Lead
) -> None:
    own = await world.offer(lead, cast.alice)
    assert await standing(database, cast, own) == Standing(True, None, ["Alice"])
    imported = await world.offer(await world.lead(cast.alice), cast.charlie)
    assert await standing(database, cast, imported) == Standing(True, None, ["Charlie"])


async def test_an_offer_without_a_user_is_nobodys(database: Database, world: World, cast: Cast) -> None:
    offer = await world.offer(await world.lead(cast.alice), None)
    assert await standing(database, cast, offer) == Standing(False, None, [])
