"""Caps on the database: who has had their leads of the day, what counts, and automatic assignments at once."""

import asyncio
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlmodel import col, select

from app.commands.assign import assign_lead
from app.commands.claim import claim_lead_offer, decline_lead_offer
from app.commands.due_offers import process_due
from app.commands.preview import preview_lead_offers
from app.commands.release import release_lead
from app.commands.submit import Submitted, submit_lead_offers
from app.db.engine import Database
from app.db.models import Contact, Delivery, DistributionOption, Lead, LeadOffer, Team, User
from app.domain.enums import ClaimedVia, DeliveryStatus, EndReason, LeadOfferStatus, OrderMethod, SkipReason
from app.errors import ApiError, Code
from tests.support.world import NOW, Cast, World, at, change

MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
CANCELLED, CLAIMED, SCHEDULED, SENT = (
    LeadOfferStatus.CANCELLED,
    LeadOfferStatus.CLAIMED,
    LeadOfferStatus.SCHEDULED,
    LeadOfferStatus.SENT,
)


class Desk:
    """A team of Alice's, by rank 15 minutes apart unless given, whose members may have caps."""

    def __init__(self, database: Database, world: World, alice: User) -> None:
        self.database, self.world, self.alice = database, world, alice
        self.options: dict[int, DistributionOption] = {}

    async def build(self, **settings: Any) -> "Desk":
        self.team: Team = await self.world.team(self.alice, **settings)
        return self

    async def member(self, cap: int | None = None, timezone: str = "UTC", **option: Any) -> User:
        """Add a member whose rank is the number of those before."""
        user = await self.world.user(f"M{len(self.options)}", timezone=timezone)
        defaults: dict[str, Any] = {"rank": len(self.options), "max_leads_per_day": cap}
        self.options[user.id] = await self.world.member(self.team, user, **(defaults | option))
        return user

    async def lead(self, contact: Contact | None = None) -> Lead:
        return await self.world.lead(self.alice, self.team, contact)

    async def submit(self, lead: Lead, through: Database | None = None) -> Submitted:
        return await (through or self.database).in_transaction(
            lambda session: submit_lead_offers(session, self.alice.id, lead.id, NOW)
        )

    async def got(self, user: User, claimed_at: datetime | None, team: Team | None = None) -> Lead:
        """Add a lead that the user claimed at this time by an offer of the team."""
        lead = await self.world.lead(self.alice, team or self.team)
        await self.world.offer(lead, user, team or self.team, CLAIMED)
        await self.world.claimed(lead, user)
        await change(self.world, lead, claimed_at=claimed_at)
        return lead

    async def is_capped(self, user: User, now: datetime = NOW) -> bool:
        """Return whether the user would be skipped for the cap, and check that nothing else keeps them."""
        async with self.database.read() as session:
            lead = await self.lead()
            preview = await preview_lead_offers(session, self.alice.id, lead.id, None, now, ())
        reasons = {skip.user_id: skip.reason for skip in preview.skipped}
        assert reasons.get(user.id) in (None, SkipReason.CAP_REACHED)
        assert (user.id in reasons) != (user.id in {offer.user_id for offer in preview.offers})
        return user.id in reasons

    async def offer_id(self, lead: Lead, user: User) -> int:
        mine = select(LeadOffer.id).where(col(LeadOffer.user_id) == user.id, col(LeadOffer.lead_id) == lead.id)
        async with self.database.read() as session:
            return (await session.exec(mine)).one()

    async def claim(self, lead: Lead, user: User, now: datetime = NOW) -> None:
        offer_id = await self.offer_id(lead, user)
        await self.database.in_transaction(
            lambda session: claim_lead_offer(session, user.id, offer_id, ClaimedVia.APP, now)
        )

    async def process_due(self, lead: Lead, now: datetime, through: Database | None = None) -> None:
        await (through or self.database).in_transaction(lambda session: process_due(session, lead.id, now))

    async def holder(self, lead: Lead) -> int | None:
        async with self.database.read() as session:
            return (await session.get_one(Lead, lead.id)).claimed_by_id

    async def offers(self, lead: Lead) -> list[tuple[int | None, LeadOfferStatus, EndReason | None, datetime | None]]:
        found = select(LeadOffer).where(col(LeadOffer.lead_id) == lead.id).order_by(col(LeadOffer.user_id))
        async with self.database.read() as session:
            return [(o.user_id, o.status, o.end_reason, o.notify_at) for o in await session.exec(found)]

    async def held(self) -> Counter[int | None]:
        """Return how many leads each user has; those of nobody by None."""
        async with self.database.read() as session:
            return Counter(await session.exec(select(Lead.claimed_by_id)))


@pytest.fixture
async def desk(database: Database, world: World, cast: Cast) -> Desk:
    return await Desk(database, world, cast.alice).build()


# What counts


@pytest.mark.parametrize(
    ("cap", "held", "is_capped"),
    [(0, 0, True), (1, 0, False), (1, 1, True), (2, 1, False), (2, 3, True), (None, 3, False)],
)
async def test_a_member_is_skipped_once_they_have_as_many_leads(
    desk: Desk, cap: int | None, held: int, is_capped: bool
) -> None:
    member, _ = await desk.member(cap), await desk.member()
    for _ in range(held):
        await desk.got(member, NOW)
    assert await desk.is_capped(member) is is_capped


async def test_a_submit_names_the_cap(desk: Desk) -> None:
    capped, free = await desk.member(0), await desk.member()
    submitted = await desk.submit(await desk.lead())
    assert [(offer.user_id, offer.notify_at) for offer in submitted.offers] == [(free.id, NOW)]
    assert [(skip.user_id, skip.reason) for skip in submitted.skipped] == [(capped.id, SkipReason.CAP_REACHED)]


async def test_a_team_whose_members_all_reached_their_caps_takes_no_lead(desk: Desk) -> None:
    await desk.member(0)
    with pytest.raises(ApiError) as refused:
        await desk.submit(await desk.lead())
    assert refused.value.code is Code.NO_ELIGIBLE_MEMBERS


async def test_leads_of_other_teams_do_not_count(desk: Desk) -> None:
    member, other = await desk.member(1), await desk.world.team(desk.alice)
    await desk.got(member, NOW, other)
    assert not await desk.is_capped(member)
    await desk.got(member, NOW)
    assert await desk.is_capped(member)


async def test_a_lead_that_somebody_else_took_does_not_count(desk: Desk) -> None:
    member, other = await desk.member(1), await desk.member()
    lead = await desk.got(other, NOW)
    await desk.world.offer(lead, member, status=LeadOfferStatus.EXPIRED)
    assert not await desk.is_capped(member)


async def test_a_released_lead_does_not_count(desk: Desk) -> None:
    member, _ = await desk.member(1), await desk.member()
    lead = await desk.got(member, NOW)
    assert await desk.is_capped(member)
    await desk.database.in_transaction(lambda session: release_lead(session, desk.alice.id, lead.id, NOW))
    assert not await desk.is_capped(member)


async def test_claims_by_hand_count_and_are_not_refused(desk: Desk) -> None:
    member, _ = await desk.member(1), await desk.member()
    leads = [await desk.lead() for _ in range(3)]
    for lead in leads:
        await desk.submit(lead)
    for lead in leads:
        await desk.claim(lead, member)
    assert (await desk.held())[member.id] == 3
    assert await desk.is_capped(member)


async def test_an_assigned_lead_counts_and_is_not_refused(desk: Desk) -> None:
    member, _ = await desk.member(1), await desk.member()
    for _ in range(2):
        lead = await desk.lead()
        async with desk.database.write() as session:
            await assign_lead(session, desk.alice.id, lead.id, member.id, NOW)
        assert await desk.holder(lead) == member.id
        assert await desk.is_capped(member)


# The day


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("timezone", "midnight"),
    [
        ("UTC", "2026-03-02T00:00"),
        ("America/Los_Angeles", "2026-03-02T08:00"),
        ("Asia/Kathmandu", "2026-03-01T18:15"),
        ("Nowhere/Unknown", "2026-03-02T00:00"),
        ("Europe/Berlin", "2026-03-28T23:00"),  # a day of 23 hours
        ("Europe/Berlin", "2026-10-24T22:00"),  # a day of 25 hours
        ("Africa/Cairo", "2026-04-23T22:00"),  # the clock skips from midnight to one
        ("America/Havana", "2026-11-01T04:00"),  # midnight comes twice
    ],
)
async def test_the_cap_counts_since_midnight_of_the_members_zone(desk: Desk, timezone: str, midnight: str) -> None:
    member, began = await desk.member(1, timezone), utc(midnight)
    await desk.member()
    lead = await desk.got(member, began - timedelta(milliseconds=1))
    assert await desk.is_capped(member, began - timedelta(milliseconds=1))
    for hours in (0, 2, 22):
        assert not await desk.is_capped(member, began + hours * HOUR)
    await change(desk.world, lead, claimed_at=began)
    for hours in (0, 2, 22):
        assert await desk.is_capped(member, began + hours * HOUR)
    assert not await desk.is_capped(member, began + 25 * HOUR)


async def test_members_have_days_of_their_own(desk: Desk) -> None:
    """At 09:00 in UTC, one of them has had this day for an hour, the other for more than 14 hours."""
    west, east = await desk.member(1, "America/Los_Angeles"), await desk.member(1, "Asia/Kathmandu")
    await desk.member()
    for member in (west, east):
        await desk.got(member, NOW - 2 * HOUR)
    assert (await desk.is_capped(west), await desk.is_capped(east)) == (False, True)


async def test_a_claim_that_was_imported_without_a_time_does_not_count(desk: Desk) -> None:
    member, _ = await desk.member(1), await desk.member()
    await desk.got(member, None)
    assert not await desk.is_capped(member)


# Automatic offers


async def test_an_automatic_offer_that_comes_due_over_a_cap_is_withdrawn(desk: Desk) -> None:
    first, capped, last = [
        await desk.member(cap, assign_automatically=auto) for cap, auto in [(None, False), (1, True), (None, True)]
    ]
    lead = await desk.lead()
    await desk.submit(lead)
    await desk.got(capped, at(5))
    await desk.process_due(lead, at(15))
    assert await desk.holder(lead) is None, "the first member may still claim it"
    assert await desk.offers(lead) == [
        (first.id, SCHEDULED, None, NOW),
        (capped.id, CANCELLED, EndReason.CAP, at(15)),
        (last.id, SCHEDULED, None, at(30)),
    ]
    async with desk.database.read() as session:
        pending = select(Delivery.offer_id).where(col(Delivery.status) == DeliveryStatus.PENDING)
        assert len((await session.exec(pending)).all()) == 2
    await desk.process_due(lead, at(30))
    assert await desk.holder(lead) == last.id


async def test_the_next_member_moves_up_if_nobody_else_can_claim(desk: Desk) -> None:
    """A member in quiet hours who is over the cap does not keep the lead until the morning."""
    first, capped, last = await desk.member(), await desk.member(1, assign_automatically=True), await desk.member()
    await change(desk.world, capped, quiet_hours_start="08:00", quiet_hours_end="20:00")
    lead = await desk.lead()
    await desk.submit(lead)
    await desk.got(capped, at(5))
    offer_id = await desk.offer_id(lead, first)
    await desk.database.in_transaction(lambda session: decline_lead_offer(session, first.id, offer_id, at(6)))
    await desk.process_due(lead, at(6))
    assert await desk.offers(lead) == [
        (first.id, LeadOfferStatus.DECLINED, None, NOW),
        (capped.id, CANCELLED, EndReason.CAP, at(6)),
        (last.id, SCHEDULED, None, at(6)),
    ]


async def test_an_automatic_offer_below_the_cap_takes_the_lead(desk: Desk) -> None:
    member, other = await desk.member(2, assign_automatically=True), await desk.member()
    leads = [await desk.lead() for _ in range(3)]
    for lead in leads:
        await desk.submit(lead)
    assert [await desk.holder(lead) for lead in leads] == [member.id, member.id, None]
    assert [user_id for user_id, *_ in await desk.offers(leads[2])] == [other.id]


async def test_a_cap_that_is_set_later_counts(desk: Desk) -> None:
    _, member = await desk.member(), await desk.member(assign_automatically=True)
    leads = [await desk.lead() for _ in range(2)]
    for lead in leads:
        await desk.submit(lead)
    await change(desk.world, desk.options[member.id], max_leads_per_day=1)
    for lead in leads:
        await desk.process_due(lead, at(15))
    assert await desk.held() == {member.id: 1, None: 1}
    assert (await desk.offers(leads[1]))[1][:3] == (member.id, CANCELLED, EndReason.CAP)


async def test_a_released_lead_is_not_assigned_over_a_cap(desk: Desk) -> None:
    first, capped = await desk.member(assign_automatically=True), await desk.member(1, assign_automatically=True)
    lead = await desk.lead()
    await desk.submit(lead)
    await desk.got(capped, NOW)
    await desk.database.in_transaction(lambda session: release_lead(session, desk.alice.id, lead.id, at(1)))
    assert await desk.holder(lead) is None
    assert [(user_id, reason) for user_id, _, reason, _ in await desk.offers(lead)] == [
        (first.id, None),
        (capped.id, EndReason.CAP),
    ]


# The contact's agent


@pytest.mark.parametrize("cap", [0, 1])
async def test_the_contacts_agent_is_never_refused(desk: Desk, cap: int) -> None:
    await desk.build(keeps_contacts=True, mins_until_next_alert=0)
    _, agent = await desk.member(assign_automatically=True), await desk.member(cap, assign_automatically=True)
    contact = await desk.world.contact(desk.alice)
    held = await desk.got(agent, NOW)
    await change(desk.world, held, contact_id=contact.id)
    for _ in range(2):
        lead = await desk.lead(contact)
        await desk.submit(lead)
        assert await desk.holder(lead) == agent.id
    assert await desk.is_capped(agent), "of other contacts' leads"


async def test_an_agent_who_waits_for_the_end_of_quiet_hours_is_not_refused(desk: Desk) -> None:
    await desk.build(keeps_contacts=True)
    _, agent = await desk.member(), await desk.member(0, assign_automatically=True)
    await change(desk.world, agent, quiet_hours_start="08:00", quiet_hours_end="10:00")
    contact = await desk.world.contact(desk.alice)
    await change(desk.world, await desk.got(agent, NOW), contact_id=contact.id)
    lead = await desk.lead(contact)
    await desk.submit(lead)
    assert await desk.holder(lead) is None
    await desk.process_due(lead, at(60))
    assert await desk.holder(lead) == agent.id


async def test_a_holder_of_the_contact_who_is_not_the_agent_keeps_the_cap(desk: Desk) -> None:
    """Another member claimed a lead of this contact later, and has an open offer of this one."""
    await desk.build(keeps_contacts=True)
    agent, former = await desk.member(), await desk.member(2, assign_automatically=True)
    contact = await desk.world.contact(desk.alice)
    for user, claimed_at in [(former, at(-20)), (agent, at(-10))]:
        await change(desk.world, await desk.got(user, claimed_at), contact_id=contact.id)
    lead = await desk.lead(contact)
    await desk.submit(lead)
    assert [(user_id, notify_at) for user_id, _, _, notify_at in await desk.offers(lead)] == [
        (agent.id, NOW),
        (former.id, at(15)),
    ]
    await desk.got(former, NOW)
    await desk.process_due(lead, at(15))
    assert (await desk.offers(lead))[1][:3] == (former.id, CANCELLED, EndReason.CAP)


# Races


@pytest.mark.parametrize("method", [OrderMethod.ROUND_ROBIN, OrderMethod.RANK, OrderMethod.TIME])
async def test_a_cap_of_1_holds_under_40_leads_at_once(
    desk: Desk, database: Database, elsewhere: Database, method: OrderMethod
) -> None:
    await desk.build(order_method=method, mins_until_next_alert=0)
    members = [await desk.member(1, assign_automatically=True) for _ in range(3)]
    leads = [await desk.lead() for _ in range(40)]
    answers = await asyncio.gather(
        *(desk.submit(lead, (database, elsewhere)[n % 2]) for n, lead in enumerate(leads)),
        return_exceptions=True,
    )
    refused = [answer for answer in answers if isinstance(answer, BaseException)]
    assert [error.code for error in refused if isinstance(error, ApiError)] == [Code.NO_ELIGIBLE_MEMBERS] * 37
    one_each: dict[int | None, int] = {member.id: 1 for member in members}
    assert await desk.held() == {**one_each, None: 37}


async def test_a_cap_holds_when_offers_of_many_leads_come_due_at_once(
    desk: Desk, database: Database, elsewhere: Database
) -> None:
    """The offers were made before the member had any lead, so that only the assignment itself can tell."""
    _, capped, last = await desk.member(), await desk.member(2, assign_automatically=True), await desk.member()
    leads = [await desk.lead() for _ in range(20)]
    for lead in leads:
        await desk.submit(lead)
    await asyncio.gather(
        *(desk.process_due(lead, at(15), (database, elsewhere)[n % 2]) for n, lead in enumerate(leads))
    )
    assert await desk.held() == {capped.id: 2, None: 18}
    ended = Counter([row[2] for lead in leads for row in await desk.offers(lead) if row[0] == capped.id])
    assert ended == {EndReason.CAP: 18, None: 2}
    assert {row[1] for lead in leads for row in await desk.offers(lead) if row[0] == last.id} == {SCHEDULED, CANCELLED}
