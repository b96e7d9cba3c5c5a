"""Claims on the database: the conditional UPDATE, the offers that it ends, and automatic assignment."""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from sqlmodel import col, select

from app.commands.auto_assign import auto_assign
from app.commands.claim import claim_lead_offer, take_lead
from app.db.engine import Database
from app.db.models import Delivery, Lead, LeadOffer, Team, TeamMember, User
from app.domain.enums import Channel, ClaimedVia, DeliveryStatus, EndReason, LeadOfferStatus, RequestStatus
from app.errors import ApiError, Code
from tests.support.world import NOW, Cast, World

MINUTE = timedelta(minutes=1)
LATER = NOW + 30 * MINUTE

State = tuple[LeadOfferStatus, EndReason | None]


async def take(database: Database, lead: Lead, user: User, via: ClaimedVia = ClaimedVia.APP) -> bool:
    async with database.write() as session:
        return await take_lead(session, lead.id, user.id, via, LATER)


async def assign(database: Database, lead: Lead) -> bool:
    async with database.write() as session:
        return await auto_assign(session, lead.id, LATER)


async def holder(database: Database, lead: Lead) -> tuple[Any, ...]:
    async with database.read() as session:
        held = await session.get_one(Lead, lead.id)
        return held.claimed_by_id, held.claimed_at, held.claimed_via


async def states(database: Database) -> dict[int, State]:
    """The state of each offer by its id."""
    async with database.read() as session:
        return {offer.id: (offer.status, offer.end_reason) for offer in await session.exec(select(LeadOffer))}


async def deliveries(database: Database) -> list[tuple[int, Channel, DeliveryStatus, Any]]:
    async with database.read() as session:
        found = await session.exec(select(Delivery).order_by(col(Delivery.id)))
        return [(one.offer_id, one.channel, one.status, one.next_attempt_at) for one in found]


def delivery(offer: LeadOffer, status: DeliveryStatus = DeliveryStatus.PENDING) -> Delivery:
    is_pending = status is DeliveryStatus.PENDING
    return Delivery(
        offer_id=offer.id, channel=Channel.EMAIL, status=status, next_attempt_at=NOW if is_pending else None
    )


# Refusals


@pytest.mark.parametrize(
    ("status", "due_after", "words"),
    [
        (LeadOfferStatus.SCHEDULED, 1, "This offer opens at 2026-03-02T09:31:00.000Z."),
        (LeadOfferStatus.SENT, 1, "This offer opens at 2026-03-02T09:31:00.000Z."),
        (LeadOfferStatus.SENT, 0, "The user of this offer is not in the team any more."),
        (LeadOfferStatus.SENT, None, "The user of this offer is not in the team any more."),
        (LeadOfferStatus.DECLINED, 1, "This offer was declined."),
        (LeadOfferStatus.CANCELLED, 0, "This offer was withdrawn."),
    ],
)
async def test_a_refused_claim_says_why(
    database: Database, world: World, cast: Cast, status: LeadOfferStatus, due_after: int | None, words: str
) -> None:
    """An offer that is due and open is refused here because Charlie is not in the team."""
    notify_at = None if due_after is None else LATER + due_after * MINUTE
    lead = await world.lead(cast.alice, cast.team)
    offer = await world.offer(lead, cast.charlie, status=status, notify_at=notify_at)
    with pytest.raises(ApiError) as refused:
        async with database.write() as session:
            await claim_lead_offer(session, cast.charlie.id, offer.id, ClaimedVia.APP, LATER)
    assert (refused.value.code, refused.value.message) == (Code.OFFER_NOT_OPEN, words)


# Taking a lead


async def test_taking_a_lead_ends_all_other_offers(database: Database, world: World, cast: Cast) -> None:
    lead, other = [await world.lead(cast.alice, cast.team) for _ in range(2)]
    mine = await world.offer(lead, cast.bob, status=LeadOfferStatus.SENT)
    theirs = {status: await world.offer(lead, await world.user(), status=status) for status in LeadOfferStatus}
    elsewhere = await world.offer(other, cast.bob)

    assert await take(database, lead, cast.bob, ClaimedVia.EMAIL)

    assert await holder(database, lead) == (cast.bob.id, LATER, ClaimedVia.EMAIL)
    after = await states(database)
    assert after.pop(mine.id) == (LeadOfferStatus.CLAIMED, None)
    assert after.pop(elsewhere.id) == (LeadOfferStatus.SENT, None)
    assert {status: after[offer.id] for status, offer in theirs.items()} == {
        LeadOfferStatus.SCHEDULED: (LeadOfferStatus.CANCELLED, EndReason.CLAIMED),
        LeadOfferStatus.SENT: (LeadOfferStatus.EXPIRED, EndReason.CLAIMED),
        LeadOfferStatus.CLAIMED: (LeadOfferStatus.EXPIRED, EndReason.CLAIMED),
        LeadOfferStatus.DECLINED: (LeadOfferStatus.DECLINED, None),
        LeadOfferStatus.EXPIRED: (LeadOfferStatus.EXPIRED, None),
        LeadOfferStatus.CANCELLED: (LeadOfferStatus.CANCELLED, None),
    }
    assert await holder(database, other) == (None, None, None)


async def test_taking_a_lead_cancels_its_pending_deliveries(database: Database, world: World, cast: Cast) -> None:
    lead, other = [await world.lead(cast.alice, cast.team) for _ in range(2)]
    mine, theirs = await world.offer(lead, cast.bob), await world.offer(lead, cast.charlie)
    elsewhere = await world.offer(other, cast.bob)
    await world.add(delivery(mine), delivery(theirs), delivery(theirs, DeliveryStatus.SENT), delivery(elsewhere))
    await take(database, lead, cast.bob)
    assert await deliveries(database) == [
        (mine.id, Channel.EMAIL, DeliveryStatus.CANCELLED, None),
        (theirs.id, Channel.EMAIL, DeliveryStatus.CANCELLED, None),
        (theirs.id, Channel.EMAIL, DeliveryStatus.SENT, None),
        (elsewhere.id, Channel.EMAIL, DeliveryStatus.PENDING, NOW),
    ]


async def test_only_the_holders_withdrawn_offer_becomes_claimed(database: Database, world: World, cast: Cast) -> None:
    lead = await world.lead(cast.alice, cast.team)
    mine = await world.offer(lead, cast.bob, status=LeadOfferStatus.CANCELLED, end_reason=EndReason.AWAY)
    nobodys = await world.offer(lead, None)
    await take(database, lead, cast.bob, ClaimedVia.ASSIGNED)
    assert await states(database) == {
        mine.id: (LeadOfferStatus.CLAIMED, None),
        nobodys.id: (LeadOfferStatus.EXPIRED, EndReason.CLAIMED),
    }


async def test_a_second_claim_changes_nothing(database: Database, world: World, cast: Cast) -> None:
    lead = await world.lead(cast.alice, cast.team)
    for user in (cast.bob, cast.charlie):
        await world.offer(lead, user)
    assert await take(database, lead, cast.bob)
    before = await holder(database, lead), await states(database)
    assert not await take(database, lead, cast.charlie, ClaimedVia.PHONE)
    assert not await take(database, lead, cast.bob, ClaimedVia.PHONE)
    assert (await holder(database, lead), await states(database)) == before


async def test_one_of_two_overlapping_claims_wins(
    database: Database, elsewhere: Database, world: World, cast: Cast
) -> None:
    lead = await world.lead(cast.alice, cast.team)
    async with database.write() as session:
        assert await take_lead(session, lead.id, cast.bob.id, ClaimedVia.APP, NOW)
        other = asyncio.create_task(take(elsewhere, lead, cast.charlie))
        _, waiting = await asyncio.wait({other}, timeout=0.3)
        assert waiting
    assert not await other
    assert await holder(database, lead) == (cast.bob.id, NOW, ClaimedVia.APP)


async def test_one_of_many_simultaneous_claims_wins(
    database: Database, elsewhere: Database, world: World, cast: Cast
) -> None:
    users = [await world.user() for _ in range(16)]
    for _ in range(5):
        lead = await world.lead(cast.alice, cast.team)
        offers = {user.id: (await world.offer(lead, user)).id for user in users}
        won = await asyncio.gather(*(take((database, elsewhere)[n % 2], lead, user) for n, user in enumerate(users)))
        assert won.count(True) == 1
        winner = users[won.index(True)]
        assert (await holder(database, lead))[0] == winner.id
        after = await states(database)
        assert after[offers[winner.id]] == (LeadOfferStatus.CLAIMED, None)
        assert sum(after[offer][0] is LeadOfferStatus.EXPIRED for offer in offers.values()) == 15


# Automatic assignment


async def automatic(world: World, lead: Lead, user: User, minutes: int = 0, **fields: Any) -> LeadOffer:
    defaults: dict[str, Any] = {
        "status": LeadOfferStatus.SCHEDULED,
        "assign_automatically": True,
        "notify_at": NOW + minutes * MINUTE,
    }
    return await world.offer(lead, user, **(defaults | fields))


@pytest.mark.parametrize(
    ("first", "second", "winner"),
    [
        ({"minutes": 0, "rank": 9}, {"minutes": 1, "rank": 1}, 0),
        ({"minutes": 1, "rank": 1}, {"minutes": 0, "rank": None}, 1),
        ({"rank": 2}, {"rank": 1}, 1),
        ({"rank": None}, {"rank": 7}, 1),
        ({"rank": 1}, {"rank": 1}, 0),
        ({"rank": None}, {"rank": None}, 0),
        ({"minutes": 31}, {"minutes": 30}, 1),
        ({"assign_automatically": False}, {}, 1),
        ({"status": LeadOfferStatus.DECLINED}, {}, 1),
        ({"status": LeadOfferStatus.CANCELLED}, {}, 1),
        ({"status": LeadOfferStatus.SENT}, {}, 0),
        ({"notify_at": None, "status": LeadOfferStatus.SENT}, {}, 1),
    ],
)
async def test_the_first_due_automatic_offer_takes_the_lead(
    database: Database, world: World, cast: Cast, first: dict[str, Any], second: dict[str, Any], winner: int
) -> None:
    lead = await world.lead(cast.alice, cast.team)
    users = [cast.bob, cast.alice]  # the earlier offer of two equal ones is not that of the earlier user
    for user, fields in zip(users, (first, second), strict=True):
        await automatic(world, lead, user, **fields)
    assert await assign(database, lead)
    assert await holder(database, lead) == (users[winner].id, LATER, ClaimedVia.AUTO)


async def test_an_assigned_user_is_notified_on_their_channels(database: Database, world: World, cast: Cast) -> None:
    lead = await world.lead(cast.alice, cast.team)
    offer = await automatic(world, lead, cast.bob, has_call_alert=True)
    await world.add(delivery(offer))
    assert await assign(database, lead)
    assert await deliveries(database) == [
        (offer.id, Channel.EMAIL, DeliveryStatus.CANCELLED, None),
        (offer.id, Channel.CALL, DeliveryStatus.PENDING, LATER),
        (offer.id, Channel.EMAIL, DeliveryStatus.PENDING, LATER),
    ]


async def test_nothing_is_assigned_without_a_due_automatic_offer(database: Database, world: World, cast: Cast) -> None:
    lead = await world.lead(cast.alice, cast.team)
    await automatic(world, lead, cast.alice, minutes=31)
    await automatic(world, lead, cast.bob, assign_automatically=False)
    before = await states(database)
    assert not await assign(database, lead)
    assert await holder(database, lead) == (None, None, None)
    assert await states(database) == before


async def test_a_claimed_lead_is_not_assigned(database: Database, world: World, cast: Cast) -> None:
    lead = await world.lead(cast.alice, cast.team)
    offer = await automatic(world, lead, cast.bob)
    await world.add(delivery(offer))
    await world.claimed(lead, cast.charlie)
    assert not await assign(database, lead)
    assert (await holder(database, lead))[0] == cast.charlie.id
    assert len(await deliveries(database)) == 1


Change = Callable[[User, Team, TeamMember], None]


def switch_off(user: User, _team: Team, _member: TeamMember) -> None:
    user.is_active = False


def go_away(user: User, _team: Team, _member: TeamMember) -> None:
    user.away_until = LATER + MINUTE


def come_back(user: User, _team: Team, _member: TeamMember) -> None:
    user.away_until = LATER


def leave(_user: User, _team: Team, member: TeamMember) -> None:
    member.request_status = RequestStatus.DECLINED


def leave_and_switch_off(user: User, _team: Team, member: TeamMember) -> None:
    user.is_active, member.request_status = False, RequestStatus.DECLINED


def delete(_user: User, team: Team, _member: TeamMember) -> None:
    team.deleted_at = NOW


@pytest.mark.parametrize("status", [LeadOfferStatus.SCHEDULED, LeadOfferStatus.SENT])
@pytest.mark.parametrize(
    ("what", "reason"),
    [
        (come_back, None),
        (switch_off, EndReason.SWITCHED_OFF),
        (go_away, EndReason.AWAY),
        (leave, EndReason.LEFT),
        (leave_and_switch_off, EndReason.SWITCHED_OFF),
        (delete, EndReason.TEAM_DELETED),
    ],
)
async def test_a_user_who_is_no_longer_eligible_is_passed_over(
    database: Database, world: World, cast: Cast, what: Change, reason: EndReason | None, status: LeadOfferStatus
) -> None:
    team, gone = await world.team(cast.alice), await world.user("Gone")
    member = await world.membership(team, gone)
    lead = await world.lead(cast.alice, cast.team)
    offer = await automatic(world, lead, gone, team=team, rank=1, status=status)
    following = await automatic(world, lead, cast.bob, rank=2)
    await world.add(delivery(offer))
    what(gone, team, member)
    await world.add(gone, team, member)

    assert await assign(database, lead)

    after = await states(database)
    if reason is None:
        assert (await holder(database, lead))[0] == gone.id
        return
    assert (await holder(database, lead))[0] == cast.bob.id
    assert after[following.id] == (LeadOfferStatus.CLAIMED, None)
    is_sent = status is LeadOfferStatus.SENT
    assert after[offer.id] == (
        (LeadOfferStatus.EXPIRED, EndReason.CLAIMED) if is_sent else (LeadOfferStatus.CANCELLED, reason)
    )


@pytest.mark.parametrize("status", [LeadOfferStatus.SCHEDULED, LeadOfferStatus.SENT])
async def test_nobody_gets_the_lead_if_no_due_user_is_eligible(
    database: Database, world: World, cast: Cast, status: LeadOfferStatus
) -> None:
    lead = await world.lead(cast.alice, cast.team)
    gone, left = await world.user(is_active=False), cast.charlie
    offers = [await automatic(world, lead, user, status=status) for user in (gone, left)]
    await world.add(*(delivery(offer) for offer in offers))
    assert not await assign(database, lead)
    assert await holder(database, lead) == (None, None, None)
    ended = [(LeadOfferStatus.CANCELLED, reason) for reason in (EndReason.SWITCHED_OFF, EndReason.LEFT)]
    still = [(LeadOfferStatus.SENT, None)] * 2
    assert list((await states(database)).values()) == (still if status is LeadOfferStatus.SENT else ended)
    assert [state for _, _, state, _ in await deliveries(database)] == [DeliveryStatus.CANCELLED] * 2


async def test_offers_after_the_new_holders_are_not_checked(database: Database, world: World, cast: Cast) -> None:
    lead = await world.lead(cast.alice, cast.team)
    await automatic(world, lead, cast.bob, rank=1)
    later = await automatic(world, lead, await world.user(is_active=False), rank=2)
    assert await assign(database, lead)
    assert (await states(database))[later.id] == (LeadOfferStatus.CANCELLED, EndReason.CLAIMED)


async def test_an_imported_offer_without_a_team_needs_no_membership(
    database: Database, world: World, cast: Cast
) -> None:
    lead = await world.lead(cast.alice)
    await automatic(world, lead, cast.charlie)
    assert await assign(database, lead)
    assert (await holder(database, lead))[0] == cast.charlie.id


# Cost


async def test_a_claim_takes_five_statements_however_many_offers_it_ends(
    database: Database, world: World, cast: Cast, statements: list[str]
) -> None:
    """The statements lock the lead, read the offer, take the lead, end the offers and cancel their deliveries.

    The one that takes the lead also writes the ledger on PostgreSQL. SQLite, without a round trip, takes another one.
    """
    counts = []
    for size in (0, 2, 40):  # the first claim over a connection of asyncpg asks for types, too
        lead = await world.lead(cast.alice, cast.team)
        mine = await world.offer(lead, cast.bob)
        for _ in range(size):
            await world.offer(lead, await world.user())
        statements.clear()
        async with database.write() as session:
            claimed = await claim_lead_offer(session, cast.bob.id, mine.id, ClaimedVia.APP, LATER)
        counts.append(len(statements))
        assert (claimed.id, claimed.status) == (mine.id, LeadOfferStatus.CLAIMED)
        async with database.read() as session:
            assert claimed == await session.get_one(LeadOffer, mine.id)
    assert counts[1:] == [5, 5] if database.is_postgresql else [6, 6]
