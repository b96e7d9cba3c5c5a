"""Users who leave get no more offers: removed, declined, deactivated, or their team is deleted."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import pytest
from sqlmodel import col, select

from app.commands.users import activate_user, deactivate_user
from app.db.engine import Database
from app.db.models import Delivery, Lead, LeadOffer, TeamMember
from app.domain.enums import Channel, DeliveryStatus, EndReason, LeadOfferStatus
from app.errors import ApiError
from tests.graphql.test_teams import ANSWER, DELETE, REMOVE, membership, refused
from tests.support.api import Api
from tests.support.world import NOW, Cast, World

Leave = Callable[[Api, World, Cast], Awaitable[Any]]

SUBMIT = """mutation ($id: ID!) {
  submitLeadOffers(leadId: $id) { createdCount skipped { reason } offers { status user { id } } }
}"""


async def _removed(api: Api, world: World, cast: Cast) -> None:
    await api.user(cast.alice).ask(REMOVE, id=(await membership(world, cast)).id)


async def _declined(api: Api, world: World, cast: Cast) -> None:
    await api.user(cast.bob).ask(ANSWER, id=(await membership(world, cast)).id, answer="DECLINED")


async def _switched_off(api: Api, world: World, cast: Cast) -> None:
    async with world.database.write() as session:
        await deactivate_user(session, str(cast.bob.email), NOW)


async def _team_deleted(api: Api, world: World, cast: Cast) -> None:
    await api.user(cast.alice).ask(DELETE, id=cast.team.id)


WAYS = [
    pytest.param(_removed, EndReason.LEFT, id="removed"),
    pytest.param(_declined, EndReason.LEFT, id="declined"),
    pytest.param(_switched_off, EndReason.SWITCHED_OFF, id="switched off"),
    pytest.param(_team_deleted, EndReason.TEAM_DELETED, id="team deleted"),
]


async def offers_of(database: Database, lead: Lead) -> dict[int | None, tuple[LeadOfferStatus, EndReason | None]]:
    async with database.read() as session:
        offers = await session.exec(select(LeadOffer).where(col(LeadOffer.lead_id) == lead.id))
        return {offer.user_id: (offer.status, offer.end_reason) for offer in offers}


@pytest.mark.parametrize(("leave", "reason"), WAYS)
async def test_open_offers_are_withdrawn(
    api: Api, world: World, cast: Cast, database: Database, leave: Leave, reason: EndReason
) -> None:
    lead = {status: await world.lead(cast.alice, cast.team) for status in LeadOfferStatus}
    for status in LeadOfferStatus:
        offer = await world.offer(lead[status], cast.bob, status=status)
        for done in (DeliveryStatus.SENT, DeliveryStatus.PENDING):
            due = NOW if done is DeliveryStatus.PENDING else None
            await world.add(Delivery(offer_id=offer.id, channel=Channel.EMAIL, status=done, next_attempt_at=due))
    await world.claimed(lead[LeadOfferStatus.CLAIMED], cast.bob)

    await leave(api, world, cast)

    ended = {status: (await offers_of(database, lead[status]))[cast.bob.id] for status in LeadOfferStatus}
    withdrawn = dict.fromkeys((LeadOfferStatus.SCHEDULED, LeadOfferStatus.SENT), (LeadOfferStatus.CANCELLED, reason))
    assert ended == {status: (status, None) for status in LeadOfferStatus} | withdrawn
    async with database.read() as session:
        deliveries = (await session.exec(select(LeadOffer.lead_id, Delivery.status).join(LeadOffer))).all()
        holder = (
            await session.exec(select(Lead.claimed_by_id).where(Lead.id == lead[LeadOfferStatus.CLAIMED].id))
        ).one()
    assert holder == cast.bob.id
    for status in (LeadOfferStatus.SCHEDULED, LeadOfferStatus.SENT):
        told = {delivery for lead_id, delivery in deliveries if lead_id == lead[status].id}
        assert told == {DeliveryStatus.SENT, DeliveryStatus.CANCELLED}
    assert {delivery for lead_id, delivery in deliveries if lead_id == lead[LeadOfferStatus.CLAIMED].id} == {
        DeliveryStatus.SENT,
        DeliveryStatus.PENDING,
    }


@pytest.mark.parametrize(("leave", "reason"), WAYS)
async def test_other_offers_stay_open(
    api: Api, world: World, cast: Cast, database: Database, leave: Leave, reason: EndReason
) -> None:
    """Offers to other members, unless the team is deleted, and offers by other teams."""
    other = await world.team(cast.charlie)
    await world.member(other, cast.bob)
    lead, elsewhere = await world.lead(cast.alice, cast.team), await world.lead(cast.charlie, other)
    await world.offer(lead, cast.alice)
    await world.offer(elsewhere, cast.bob)
    await leave(api, world, cast)
    is_open = (LeadOfferStatus.SENT, None)
    withdrawn = (LeadOfferStatus.CANCELLED, reason)
    assert (await offers_of(database, lead))[cast.alice.id] == (withdrawn if leave is _team_deleted else is_open)
    assert (await offers_of(database, elsewhere))[cast.bob.id] == (withdrawn if leave is _switched_off else is_open)


@pytest.mark.parametrize(
    ("leave", "come_back", "reason"),
    [
        (_declined, "accept", "INVITATION_DECLINED"),
        (_removed, "invite", "NOT_A_MEMBER"),
        (_switched_off, "activate", "USER_INACTIVE"),
    ],
)
async def test_a_submit_skips_who_left_and_offers_leads_to_who_came_back(
    api: Api, world: World, cast: Cast, leave: Leave, come_back: str, reason: str
) -> None:
    await world.option(cast.team, cast.alice, rank=0)
    lead, alice = await world.lead(cast.alice, cast.team), api.user(cast.alice)
    await alice.ask(SUBMIT, id=lead.id)
    await leave(api, world, cast)
    again = (await alice.ask(SUBMIT, id=lead.id))["submitLeadOffers"]
    assert [skip["reason"] for skip in again["skipped"]] == ["ALREADY_OFFERED", reason]
    if come_back == "activate":
        async with world.database.write() as session:
            await activate_user(session, str(cast.bob.email))
    elif come_back == "invite":
        await world.membership(cast.team, cast.bob)
    else:
        await api.user(cast.bob).ask(ANSWER, id=(await membership(world, cast)).id, answer="ACCEPTED")
    back = (await alice.ask(SUBMIT, id=lead.id))["submitLeadOffers"]
    assert back["createdCount"] == 1
    assert {"status": "SCHEDULED", "user": {"id": str(cast.bob.id)}} in back["offers"]


async def test_the_option_of_a_removed_user_remains(api: Api, world: World, cast: Cast) -> None:
    member = await membership(world, cast)
    read = "{ teams { data { members { total } distributionOptions { total } } } }"
    removed = (await api.user(cast.alice).ask(REMOVE, id=member.id))["removeTeamMember"]
    assert removed == {"removedTeamMemberId": str(member.id), "team": {"members": {"total": 0}}}
    assert (await api.user(cast.alice).ask(read))["teams"]["data"] == [
        {"members": {"total": 0}, "distributionOptions": {"total": 1}}
    ]
    assert await refused(api.user(cast.bob), ANSWER, id=member.id, answer="ACCEPTED") == "NOT_FOUND"


async def test_a_deactivated_user_keeps_their_leads(world: World, cast: Cast, database: Database) -> None:
    held = [await world.lead(cast.alice, cast.team) for _ in range(2)]
    for lead in held:
        await world.claimed(lead, cast.bob)
    for _ in range(2):
        async with database.write() as session:
            kept = await deactivate_user(session, f" {cast.bob.email} ".upper(), NOW)
        assert [(one.lead.id, one.contact.first_name) for one in kept] == [(lead.id, "Mary") for lead in held]
    async with database.write() as session:
        with pytest.raises(ApiError, match="No user has the e-mail address"):
            await deactivate_user(session, "nobody@example.com", NOW)


async def test_leaving_during_submits_leaves_no_open_offer(
    api: Api, world: World, cast: Cast, database: Database
) -> None:
    """Submits of several leads and the removal of a member wait for each other, without a deadlock."""
    leads = [await world.lead(cast.alice, cast.team) for _ in range(6)]
    alice, member = api.user(cast.alice), await membership(world, cast)
    for lead in leads[:3]:
        await alice.ask(SUBMIT, id=lead.id)
    answers = await asyncio.gather(
        *(alice.send(SUBMIT, id=lead.id) for lead in reversed(leads)), alice.send(REMOVE, id=member.id)
    )
    codes = {error["extensions"]["code"] for answer in answers for error in answer.get("errors", ())}
    assert codes <= {"NO_ELIGIBLE_MEMBERS"}
    for lead in leads[:3]:
        assert (await offers_of(database, lead))[cast.bob.id][0] is LeadOfferStatus.CANCELLED
    async with database.read() as session:
        assert (await session.exec(select(TeamMember))).all() == []


@pytest.mark.parametrize(("leave", "reason"), WAYS[:3])
async def test_a_lead_whose_offer_has_ended_is_not_offered_on(
    api: Api, world: World, cast: Cast, database: Database, leave: Leave, reason: EndReason
) -> None:
    """Only the leads of the offers that are withdrawn escalate."""
    dora = await world.member_user(cast.team, rank=2)
    lead = await world.lead(cast.alice, cast.team)
    await world.offer(lead, cast.bob, status=LeadOfferStatus.DECLINED)
    later = NOW + timedelta(minutes=15)
    ahead = await world.offer(lead, dora, status=LeadOfferStatus.SCHEDULED, rank=2, notify_at=later)
    await leave(api, world, cast)
    async with database.read() as session:
        assert (await session.get_one(LeadOffer, ahead.id)).notify_at == later
