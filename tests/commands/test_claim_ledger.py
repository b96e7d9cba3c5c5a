"""The ledger of claims: every command that makes somebody a holder, or ends that, writes it."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from app.commands.assign import assign_lead
from app.commands.auto_assign import auto_assign
from app.commands.claim import claim_lead_offer, decline_lead_offer
from app.commands.members import remove_team_member
from app.commands.release import release_lead, release_leads
from app.commands.users import deactivate_user
from app.db.engine import Database
from app.db.models import Claim, Lead, LeadOffer, TeamMember
from app.domain.enums import ClaimedVia, ClaimEnd, LeadOfferStatus
from app.errors import ApiError, Code
from tests.support.world import NOW, Cast, World, at

APP, ASSIGNED, AUTO, TEXT = ClaimedVia.APP, ClaimedVia.ASSIGNED, ClaimedVia.AUTO, ClaimedVia.TEXT


class Ledger:
    """Runs commands on one lead, and reads its claims."""

    def __init__(self, database: Database, cast: Cast, lead: Lead) -> None:
        self.database, self.cast, self.lead = database, cast, lead

    async def run(self, *commands: Callable[[AsyncSession], Awaitable[Any]]) -> None:
        for command in commands:
            async with self.database.write() as session:
                await command(session)
            await self.check()

    async def claim(self, offer: LeadOffer, minutes: float, via: ClaimedVia = APP) -> None:
        assert offer.user_id is not None
        user_id = offer.user_id
        await self.run(lambda session: claim_lead_offer(session, user_id, offer.id, via, at(minutes)))

    async def assign(self, user_id: int, minutes: float) -> None:
        await self.run(
            lambda session: assign_lead(session, self.cast.alice.id, self.lead.id, user_id, at(minutes)),
        )

    async def release(self, viewer_id: int, minutes: float) -> None:
        await self.run(lambda session: release_lead(session, viewer_id, self.lead.id, at(minutes)))

    async def check(self) -> None:
        """The open row agrees with the lead."""
        claims = await self.claims()
        async with self.database.read() as session:
            lead = await session.get_one(Lead, self.lead.id)
        ended = [each.ended_at for each in claims if each.ended_at]
        held = [(lead.claimed_by_id, max([*filter(None, [lead.claimed_at]), *ended], default=None), lead.claimed_via)]
        assert [(each.user_id, each.claimed_at, each.via) for each in claims if each.ended_at is None] == (
            held if lead.claimed_by_id is not None else []
        )
        assert lead.first_claimed_at == (claims[0].claimed_at if claims else None)

    async def claims(self) -> list[Claim]:
        async with self.database.read() as session:
            found = select(Claim).where(col(Claim.lead_id) == self.lead.id).order_by(col(Claim.id))
            return [*await session.exec(found)]

    async def rows(self) -> list[tuple[Any, ...]]:
        """Return user, way, and when and why each claim began and ended, in minutes after NOW."""

        def minutes(moment: Any) -> float | None:
            return None if moment is None else (moment - NOW) / timedelta(minutes=1)

        return [
            (each.user_id, each.via, minutes(each.claimed_at), minutes(each.ended_at), each.end_reason)
            for each in await self.claims()
        ]


@pytest.fixture
async def lead(world: World, cast: Cast) -> Lead:
    return await world.lead(cast.alice, cast.team)


@pytest.fixture
async def ledger(database: Database, cast: Cast, lead: Lead) -> Ledger:
    return Ledger(database, cast, lead)


async def test_a_claim_a_release_and_the_next_claim(world: World, cast: Cast, lead: Lead, ledger: Ledger) -> None:
    carol = await world.member_user(cast.team)
    bobs, carols = await world.offer(lead, cast.bob), await world.offer(lead, carol)
    await ledger.claim(bobs, 1, TEXT)
    await ledger.claim(bobs, 2)
    with pytest.raises(ApiError) as refused:
        await ledger.claim(carols, 3)
    assert refused.value.code is Code.ALREADY_CLAIMED
    await ledger.release(cast.bob.id, 4)
    await ledger.claim(carols, 5)
    assert await ledger.rows() == [
        (cast.bob.id, TEXT, 1, 4, ClaimEnd.RELEASED),
        (carol.id, APP, 5, None, None),
    ]
    assert [(each.offer_id, each.team_id) for each in await ledger.claims()] == [
        (bobs.id, cast.team.id),
        (carols.id, cast.team.id),
    ]


async def test_no_claim_ends_before_it_began(world: World, cast: Cast, lead: Lead, ledger: Ledger) -> None:
    """A request that arrived before the claim may get the lead's lock after it."""
    await ledger.claim(await world.offer(lead, cast.bob), 2)
    await ledger.release(cast.bob.id, 1)
    assert await ledger.rows() == [(cast.bob.id, APP, 2, 2, ClaimEnd.RELEASED)]


async def test_no_claim_begins_before_the_one_before_it_ended(
    world: World, cast: Cast, lead: Lead, ledger: Ledger
) -> None:
    carol = await world.member_user(cast.team)
    await ledger.claim(await world.offer(lead, cast.bob), 1)
    await ledger.release(cast.bob.id, 5)
    await ledger.assign(carol.id, 3)
    await ledger.assign(cast.bob.id, 4)
    assert await ledger.rows() == [
        (cast.bob.id, APP, 1, 5, ClaimEnd.RELEASED),
        (carol.id, ASSIGNED, 5, 5, ClaimEnd.REASSIGNED),
        (cast.bob.id, ASSIGNED, 5, None, None),
    ]


async def test_a_creator_releases_too(world: World, cast: Cast, lead: Lead, ledger: Ledger) -> None:
    await ledger.claim(await world.offer(lead, cast.bob), 1)
    await ledger.release(cast.alice.id, 2)
    with pytest.raises(ApiError):
        await ledger.release(cast.alice.id, 3)
    assert await ledger.rows() == [(cast.bob.id, APP, 1, 2, ClaimEnd.RELEASED)]


async def test_assigning_a_claimed_lead_ends_the_claim(world: World, cast: Cast, lead: Lead, ledger: Ledger) -> None:
    """Assigning it to its holder again changes nothing."""
    carol = await world.member_user(cast.team)
    await ledger.claim(await world.offer(lead, cast.bob), 1)
    await ledger.assign(carol.id, 2)
    await ledger.assign(carol.id, 3)
    await ledger.assign(cast.bob.id, 4)
    await ledger.release(cast.bob.id, 5)
    assert await ledger.rows() == [
        (cast.bob.id, APP, 1, 2, ClaimEnd.REASSIGNED),
        (carol.id, ASSIGNED, 2, 4, ClaimEnd.REASSIGNED),
        (cast.bob.id, ASSIGNED, 4, 5, ClaimEnd.RELEASED),
    ]


async def test_an_assigned_user_without_an_offer_gets_one(world: World, cast: Cast, lead: Lead, ledger: Ledger) -> None:
    """A member of another team gets an offer that has no team, and so has the claim."""
    other = await world.team(cast.alice)
    dora = await world.member_user(other)
    await ledger.assign(cast.bob.id, 1)
    await ledger.assign(dora.id, 2)
    async with ledger.database.read() as session:
        offers = {each.user_id: each for each in await session.exec(select(LeadOffer))}
    assert [(each.offer_id, each.team_id) for each in await ledger.claims()] == [
        (offers[cast.bob.id].id, cast.team.id),
        (offers[dora.id].id, None),
    ]


async def test_an_automatic_assignment_after_a_release(world: World, cast: Cast, lead: Lead, ledger: Ledger) -> None:
    """The release gives the lead to the next automatic offer in its own transaction."""
    carol = await world.member_user(cast.team)
    await world.offer(lead, cast.bob, assign_automatically=True, rank=1)
    await world.offer(lead, carol, assign_automatically=True, rank=2, status=LeadOfferStatus.SCHEDULED)
    await ledger.run(lambda session: auto_assign(session, lead.id, at(1)))
    await ledger.release(cast.bob.id, 2)
    assert await ledger.rows() == [
        (cast.bob.id, AUTO, 1, 2, ClaimEnd.RELEASED),
        (carol.id, AUTO, 2, None, None),
    ]


async def test_a_holder_who_leaves_keeps_the_lead(world: World, cast: Cast, lead: Lead, ledger: Ledger) -> None:
    """Only an operator's `--release` ends the claim of a user who was removed and deactivated."""
    await ledger.claim(await world.offer(lead, cast.bob), 1)
    async with ledger.database.read() as session:
        member = (await session.exec(select(TeamMember.id).where(col(TeamMember.user_id) == cast.bob.id))).one()
    await ledger.run(
        lambda session: remove_team_member(session, cast.alice.id, member, at(2)),
        lambda session: deactivate_user(session, str(cast.bob.email), at(3)),
    )
    assert await ledger.rows() == [(cast.bob.id, APP, 1, None, None)]
    await ledger.run(lambda session: release_leads(session, cast.bob.id, [lead.id], at(4)))
    assert await ledger.rows() == [(cast.bob.id, APP, 1, 4, ClaimEnd.RELEASED)]


async def test_a_refused_or_declined_offer_writes_nothing(world: World, cast: Cast, lead: Lead, ledger: Ledger) -> None:
    early = await world.offer(lead, cast.bob, notify_at=at(60))
    with pytest.raises(ApiError):
        await ledger.claim(early, 1)
    await ledger.run(lambda session: decline_lead_offer(session, cast.bob.id, early.id, at(2)))
    assert await ledger.rows() == []


async def test_the_database_allows_one_open_claim(world: World, cast: Cast, lead: Lead, ledger: Ledger) -> None:
    await ledger.claim(await world.offer(lead, cast.bob), 1)
    await world.add(
        Claim(
            lead_id=lead.id, user_id=cast.alice.id, via=APP, claimed_at=NOW, ended_at=NOW, end_reason=ClaimEnd.RELEASED
        )
    )
    with pytest.raises(IntegrityError):
        await world.add(Claim(lead_id=lead.id, user_id=cast.alice.id, via=APP, claimed_at=NOW))


# Servers of an earlier version, during an upgrade

OLD_CLAIM = "UPDATE leads SET claimed_by_id = :user_id, claimed_at = :now, claimed_via = 'TEXT' WHERE id = :lead_id"
OLD_RELEASE = "UPDATE leads SET claimed_by_id = NULL, claimed_at = NULL, claimed_via = NULL WHERE id = :lead_id"


async def write_as_before(ledger: Ledger, statement: str, user_id: int | None = None, minutes: float = 0) -> None:
    now: Any = at(minutes) if ledger.database.is_postgresql else f"{at(minutes):%Y-%m-%d %H:%M:%S}.000000"
    values = {"lead_id": ledger.lead.id, "user_id": user_id, "now": now}
    named = {name: value for name, value in values.items() if f":{name}" in statement}
    async with ledger.database.write_engine.begin() as connection:
        if ledger.database.is_postgresql:
            await connection.execute(text("SET LOCAL lead_offers.keeps_ledger = ''"))
        await connection.execute(text(statement), named)


async def test_an_old_server_that_releases_ends_the_claim(world: World, cast: Cast, lead: Lead, ledger: Ledger) -> None:
    """On both databases. Otherwise the constraint would refuse the next claim."""
    carol = await world.member_user(cast.team)
    await ledger.claim(await world.offer(lead, cast.bob), 1)
    await write_as_before(ledger, OLD_RELEASE)
    await ledger.check()
    await ledger.claim(await world.offer(lead, carol), 2)
    (first, second) = await ledger.claims()
    assert (first.user_id, first.end_reason) == (cast.bob.id, ClaimEnd.RELEASED)
    assert first.ended_at is not None
    assert first.ended_at > NOW
    assert first.ended_at.microsecond % 1000 == 0
    assert (second.user_id, second.ended_at) == (carol.id, None)


async def test_claims_of_an_old_server_are_added(world: World, cast: Cast, lead: Lead, ledger: Ledger) -> None:
    """On PostgreSQL, where servers are upgraded one after the other."""
    if not ledger.database.is_postgresql:
        pytest.xfail("SQLite cannot wait for the end of the transaction")
    offer = await world.offer(lead, cast.bob)
    await write_as_before(ledger, OLD_CLAIM, cast.bob.id, 1)
    await ledger.check()
    await write_as_before(ledger, OLD_CLAIM, cast.alice.id, 2)
    await ledger.check()
    first, second = await ledger.claims()
    assert (first.user_id, first.offer_id, first.team_id) == (cast.bob.id, offer.id, cast.team.id)
    assert (first.via, first.claimed_at, first.ended_at, first.end_reason) == (TEXT, at(1), at(2), ClaimEnd.REASSIGNED)
    assert (second.user_id, second.offer_id, second.team_id) == (cast.alice.id, None, cast.team.id)
    await ledger.release(cast.alice.id, 3)
    assert (await ledger.rows())[-1] == (cast.alice.id, TEXT, 2, 3, ClaimEnd.RELEASED)
