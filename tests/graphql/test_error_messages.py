"""The messages of the errors of mutations. Codes and permissions are tested beside each mutation."""

from typing import Any

from app.db.models import DistributionOption, User
from app.domain.enums import LeadOfferStatus, OrderMethod, RequestStatus
from tests.graphql.test_claim_mutations import ASSIGN, CLAIM, DECLINE, RELEASE
from tests.graphql.test_lead_routes import CREATE as CREATE_ROUTE
from tests.graphql.test_lead_routes import DELETE as DELETE_ROUTE
from tests.graphql.test_lead_routes import UPDATE as UPDATE_ROUTE
from tests.graphql.test_leads import CREATE as CREATE_LEAD
from tests.graphql.test_leads import UPDATE as UPDATE_LEAD
from tests.graphql.test_leads import UPDATE_CONTACT
from tests.graphql.test_teams import ANSWER, DELETE, INVITE, REMOVE, REMOVE_OPTION, SET, UPDATE
from tests.support.api import Api
from tests.support.world import Cast, World

SUBMIT = "mutation ($id: ID!) { submitLeadOffers(leadId: $id) { createdCount } }"
PREVIEW = "query ($id: ID!, $at: DateTime) { previewLeadOffers(leadId: $id, at: $at) { team { id } } }"
AWAY = "mutation ($until: DateTime!) { setAway(until: $until) { me { id } } }"
QUIET = "mutation ($start: String!, $end: String!) { setQuietHours(start: $start, end: $end) { me { id } } }"
BY_TEAM = {"distributionTarget": "TEAM_ROLLOUT", "teamSelectionMethod": "SPECIFIC_TEAM"}


async def message(viewer: Api, document: str, **variables: Any) -> str:
    """Return the message of the only error in the response."""
    errors = (await viewer.send(document, **variables))["errors"]
    assert len(errors) == 1, errors
    text: str = errors[0]["message"]
    return text


async def test_errors_of_teams(api: Api, world: World, cast: Cast) -> None:
    alice, bob = api.user(cast.alice), api.user(cast.bob)
    by_time = await world.team(cast.alice, OrderMethod.TIME)
    routed = await world.team(cast.alice, name="North")
    await world.route(await world.source(cast.alice), routed)
    unknown, forbidden = "There is no team with this id.", "Only the creator of a team may change it."
    calls: list[tuple[str, dict[str, Any]]] = [(UPDATE, {"input": {}}), (DELETE, {})]
    for document, variables in calls:
        assert await message(alice, document, id=999, **variables) == unknown
        assert await message(bob, document, id=cast.team.id, **variables) == forbidden
    minutes = {"minsUntilNextAlert": 5}
    told = "input.minsUntilNextAlert: must be 0 in a team that orders its members by time"
    assert await message(alice, UPDATE, id=by_time.id, input=minutes) == told
    told = "A lead route sends leads to the team North. Change or delete the route first."
    assert await message(alice, DELETE, id=routed.id) == told


async def test_errors_of_members(api: Api, world: World, cast: Cast) -> None:
    alice, bob, team = api.user(cast.alice), api.user(cast.bob), cast.team.id
    dora = await world.membership(cast.team, await world.user("Dora"), RequestStatus.PENDING)
    assert (
        await message(alice, INVITE, team=team, email="no@example.com") == "There is no user with this e-mail address."
    )
    told = "email: is your own: the creator of a team needs no invitation"
    assert await message(alice, INVITE, team=team, email=cast.alice.email) == told
    assert (
        await message(bob, ANSWER, id=dora.id, answer="ACCEPTED") == "Only the invited user may answer an invitation."
    )
    assert await message(bob, REMOVE, id=dora.id) == "Only the creator of a team may remove its members."
    unknown = "There is no team member with this id."
    assert await message(api.user(cast.charlie), REMOVE, id=dora.id) == unknown
    assert await message(alice, REMOVE, id=999) == unknown
    assert await message(alice, ANSWER, id=999, answer="DECLINED") == unknown


async def test_errors_of_distribution_options(api: Api, world: World, cast: Cast) -> None:
    alice, by_bob = api.user(cast.alice), {"teamId": cast.team.id, "userId": cast.bob.id}
    full = await world.team(cast.alice, name="North")
    people = [User(first_name="Ann", last_name=str(i), email=f"ann{i}@example.com", timezone="UTC") for i in range(200)]
    await world.add(*people)
    await world.add(*(DistributionOption(team_id=full.id, user_id=one.id) for one in people))

    told = "input.teamId: is not the id of a team that you can see"
    assert await message(alice, SET, input=by_bob | {"teamId": 999}) == told
    told = "input.userId: is not the id of a member or of the creator of this team"
    assert await message(alice, SET, input=by_bob | {"userId": cast.charlie.id}) == told
    told = "input.minsUntilLeadOffer: must be 0 in a team that does not order its members by time"
    assert await message(alice, SET, input=by_bob | {"minsUntilLeadOffer": 5}) == told
    told = "The team North already has 200 distribution options, the maximum."
    assert await message(alice, SET, input={"teamId": full.id, "userId": cast.alice.id}) == told
    bobs = await world.option(await world.team(cast.alice), cast.bob)
    for viewer, option_id in ((alice, 9999), (api.user(cast.charlie), bobs.id)):
        told = "There is no distribution option with this id."
        assert await message(viewer, REMOVE_OPTION, id=option_id) == told


async def test_errors_of_leads(api: Api, world: World, cast: Cast) -> None:
    alice, bob = api.user(cast.alice), api.user(cast.bob)
    mine = {"contactId": (await world.contact(cast.alice)).id}
    lead = await world.lead(cast.alice, cast.team)
    await world.offer(lead, cast.bob)
    needs_contact = "input.contactId: is required unless contact is given, and only one of them may be given"
    for sent, told in (
        ({}, needs_contact),
        (mine | {"contact": {}}, needs_contact),
        ({"contactId": 999}, "input.contactId: is not the id of a contact that you entered"),
        (mine | {"sourceId": 999}, "input.sourceId: is not the id of a lead source that you entered"),
        (mine | {"teamId": cast.team.id}, "input.teamId: must not be given without distributionTarget"),
        (
            mine | {"teamSelectionMethod": "ZIPCODE"},
            "input.teamSelectionMethod: must not be given without distributionTarget",
        ),
        (mine | BY_TEAM | {"teamId": 999}, "input.teamId: is not the id of a team that you created"),
    ):
        assert await message(alice, CREATE_LEAD, input=sent) == told

    told = "The target, method, team and zipcode cannot change while the lead is claimed or has an open offer."
    assert await message(alice, UPDATE_LEAD, id=lead.id, input={"zipcode": "94105"}) == told
    for document, variables, verb in (
        (UPDATE_LEAD, {"input": {}}, "change"),
        (ASSIGN, {"userId": cast.bob.id}, "assign"),
        (SUBMIT, {}, "submit"),
    ):
        assert await message(alice, document, id=999, **variables) == "There is no lead with this id."
        told = f"Only the creator of a lead may {verb} it."
        assert await message(bob, document, id=lead.id, **variables) == told
    assert await message(alice, UPDATE_CONTACT, id=999, input={}) == "There is no contact with this id."


async def test_errors_of_lead_routes(api: Api, world: World, cast: Cast) -> None:
    alice, source = api.user(cast.alice), await world.source(cast.alice)
    route = await world.route(source)
    await world.route(source, lead_type="Buyer")
    new = {"leadSourceId": source.id, "distributionTarget": "MYSELF"}
    told = "The lead source already has a route for leads of all types."
    assert await message(alice, CREATE_ROUTE, input=new) == told
    told = "The lead source already has a route for leads of this type."
    assert await message(alice, UPDATE_ROUTE, id=route.id, input={"leadType": "BUYER"}) == told
    told = "input.leadSourceId: is not the id of a lead source that you entered"
    assert await message(alice, UPDATE_ROUTE, id=route.id, input={"leadSourceId": 999}) == told
    calls: list[tuple[str, dict[str, Any]]] = [(UPDATE_ROUTE, {"input": {}}), (DELETE_ROUTE, {})]
    for document, variables in calls:
        assert await message(alice, document, id=999, **variables) == "There is no lead route with this id."


async def test_errors_of_offers(api: Api, world: World, cast: Cast) -> None:
    alice, bob = api.user(cast.alice), api.user(cast.bob)
    lead = await world.lead(cast.alice, cast.team)
    offer = await world.offer(lead, cast.bob)
    for document in (CLAIM, DECLINE):
        assert await message(bob, document, id=999) == "There is no lead offer with this id."
        told = "Only the user to whom a lead is offered may claim or decline the offer."
        assert await message(alice, document, id=offer.id) == told
    assert await message(alice, ASSIGN, id=lead.id, userId=cast.charlie.id) == (
        "There is no active member with this id in any of your teams."
    )
    assert await message(bob, RELEASE, id=999) == "There is no lead with this id."
    assert await message(alice, RELEASE, id=lead.id) == "Nobody has claimed this lead."

    await world.claimed(lead, cast.alice)
    assert await message(bob, RELEASE, id=lead.id) == "Only the holder and the creator of a lead may release it."
    assert await message(bob, CLAIM, id=offer.id) == "Alice Example has this lead."


async def test_an_ended_offer_says_how_it_ended(api: Api, world: World, cast: Cast) -> None:
    bob = api.user(cast.bob)
    for status, told in (
        (LeadOfferStatus.CLAIMED, "You have claimed this lead. Release it to give it back."),
        (LeadOfferStatus.EXPIRED, "Somebody else has claimed this lead."),
        (LeadOfferStatus.CANCELLED, "This offer was withdrawn."),
    ):
        offer = await world.offer(await world.lead(cast.alice, cast.team), cast.bob, status=status)
        assert await message(bob, DECLINE, id=offer.id) == told


async def test_errors_of_times(api: Api, world: World, cast: Cast) -> None:
    lead, alice = await world.lead(cast.alice, cast.team), api.user(cast.alice)
    now = "2026-03-02T09:00:00.000Z"
    assert await message(alice, AWAY, until=now) == f"until: must be after {now}, which is now"
    assert await message(alice, QUIET, start="22:00", end="22:00") == "end: must differ from start"
    earlier = "2026-03-02T08:59:59.999Z"
    assert await message(alice, PREVIEW, id=lead.id, at=earlier) == f"at: must not be before {now}, which is now"
    assert await alice.ask(PREVIEW, id=lead.id, at=now)


async def test_a_token_without_the_scope_is_told_which_one(api: Api, cast: Cast) -> None:
    told = "The access token lacks the scope write."
    assert await message(api.user(cast.alice, "read"), AWAY, until="2030-01-01T00:00:00Z") == told
    told = "The access token lacks the scope read."
    assert await message(api.user(cast.alice, "write"), "{ me { id } }") == told
