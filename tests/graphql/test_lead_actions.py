"""Fields that say whether the viewer can act on a lead, over HTTP: each agrees with the mutation."""

from typing import Any

import pytest

from app.db.models import Lead
from app.domain.enums import LeadOfferStatus, RequestStatus
from tests.support.api import Api
from tests.support.world import NOW, Cast, World, at, change

ACTIONS = "id viewerCanSubmit viewerCanAssign viewerCanRelease assignableUsers { total limit skip data { id } }"
READ = f"query ($id: ID!) {{ lead(id: $id) {{ {ACTIONS} }} }}"
SUBMIT = "mutation ($id: ID!) { submitLeadOffers(leadId: $id) { createdCount } }"
ASSIGN = "mutation ($id: ID!, $user: ID!) { assignLead(id: $id, userId: $user) { lead { claimedBy { id } } } }"
RELEASE = "mutation ($id: ID!) { releaseLead(id: $id) { lead { id } } }"


async def actions(viewer: Api, lead: Lead) -> dict[str, Any]:
    read = await viewer.ask(READ, id=lead.id)
    listed = await viewer.ask(f"{{ leads(limit: 100) {{ data {{ {ACTIONS} }} }} }}")
    assert read["lead"] in listed["leads"]["data"]
    answer: dict[str, Any] = read["lead"]
    return answer


async def test_a_submit_succeeds_where_the_field_says_so(api: Api, world: World, cast: Cast) -> None:
    dora = await world.user("Dora", away_until=at(60))
    no_options = await world.team(cast.alice)
    all_away = await world.team(cast.alice, zipcodes=["02138"])
    await world.member(all_away, dora)
    capped = await world.team(cast.alice)
    await world.member(capped, cast.bob, max_leads_per_day=0)
    followed = await world.team(cast.alice, next_team_id=cast.team.id, mins_until_next_team=5)
    running = await world.lead(cast.alice, all_away)
    await world.offer(running, dora)
    held = await world.lead(cast.alice, cast.team)
    await world.claimed(held, cast.bob)
    exhausted = await world.lead(cast.alice, cast.team)
    await world.offer(exhausted, cast.bob, status=LeadOfferStatus.DECLINED)
    cases = {
        "unsubmitted": (await world.lead(cast.alice, cast.team), None),
        "running": (running, None),
        "passed over": (await world.lead(cast.alice, followed), None),
        "held": (held, "ALREADY_CLAIMED"),
        "exhausted": (exhausted, "NO_ELIGIBLE_MEMBERS"),
        "away": (await world.lead(cast.alice, all_away), "NO_ELIGIBLE_MEMBERS"),
        "away by zipcode": (await world.zipcode_lead(cast.alice, "02138"), "NO_ELIGIBLE_MEMBERS"),
        "capped": (await world.lead(cast.alice, capped), "NO_ELIGIBLE_MEMBERS"),
        "without options": (await world.lead(cast.alice, no_options), "NO_DISTRIBUTION_OPTIONS"),
        "without a team": (await world.zipcode_lead(cast.alice, "99999"), "NO_TEAM_FOR_ZIPCODE"),
        "without a zipcode": (await world.zipcode_lead(cast.alice, None), "ZIPCODE_MISSING"),
        "for me": (await world.lead(cast.alice), "NOT_TEAM_ROLLOUT"),
    }
    alice = api.user(cast.alice)
    said: dict[str, bool] = {}
    told: dict[str, str | None] = {}
    for name, (lead, _) in cases.items():
        said[name] = (await actions(alice, lead))["viewerCanSubmit"]
        response = await alice.send(SUBMIT, id=lead.id)
        told[name] = response["errors"][0]["extensions"]["code"] if "errors" in response else None
    assert told == {name: code for name, (_, code) in cases.items()}
    assert said == {name: code is None for name, (_, code) in cases.items()}


async def test_others_and_tokens_without_the_scope_cannot_act(api: Api, world: World, cast: Cast) -> None:
    lead = await world.lead(cast.alice, cast.team)
    await world.offer(lead, cast.bob)
    nothing = {"id": str(lead.id), "viewerCanSubmit": False, "viewerCanAssign": False, "viewerCanRelease": False}
    assert await actions(api.user(cast.bob), lead) == nothing | {"assignableUsers": None}
    assert (await actions(api.user(cast.alice), lead))["viewerCanSubmit"]
    assert not (await actions(api.user(cast.alice, scope="read"), lead))["viewerCanSubmit"]
    await world.claimed(lead, cast.bob)
    holder = nothing | {"viewerCanRelease": True, "assignableUsers": None}
    assert await actions(api.user(cast.bob), lead) == holder
    refused = await api.user(cast.bob).refusal(ASSIGN, id=lead.id, user=cast.bob.id)
    assert refused["code"] == "FORBIDDEN"
    assert (await actions(api.user(cast.alice), lead))["viewerCanRelease"]
    reader = await actions(api.user(cast.alice, scope="read"), lead)
    assert not reader["viewerCanAssign"] | reader["viewerCanRelease"]
    assert reader["assignableUsers"]["total"] == 2


@pytest.mark.parametrize("of_team", [True, False])
async def test_a_release_succeeds_where_the_field_says_so(api: Api, world: World, cast: Cast, of_team: bool) -> None:
    for holder, viewer, code in (
        (cast.bob, cast.bob, None),
        (cast.bob, cast.alice, None),
        (cast.bob, cast.charlie, "FORBIDDEN"),
        (None, cast.alice, "CONFLICT"),
    ):
        lead = await world.lead(cast.alice, cast.team if of_team else None)
        await world.offer(lead, cast.charlie)
        if holder is not None:
            await world.claimed(lead, holder)
        assert (await actions(api.user(viewer), lead))["viewerCanRelease"] is (code is None)
        response = await api.user(viewer).send(RELEASE, id=lead.id)
        assert ([e["extensions"]["code"] for e in response.get("errors", ())] or [None]) == [code]


@pytest.mark.parametrize("of_team", [True, False])
async def test_assignable_users_are_those_whom_an_assignment_accepts(
    api: Api, world: World, cast: Cast, of_team: bool
) -> None:
    deleted, others = await world.team(cast.alice, deleted_at=NOW), await world.team(cast.charlie)
    second = await world.team(cast.alice)
    await world.member(second, cast.bob)
    people = [cast.alice, cast.bob, cast.charlie]
    people += [await world.member_user(second, is_active=False), await world.member_user(deleted)]
    people += [await world.member_user(others), await world.member_user(second, away_until=at(60))]
    for status in (RequestStatus.PENDING, RequestStatus.DECLINED):
        people.append(await world.user())
        await world.member(second, people[-1], status)
    people.append(await world.user("Option"))
    await world.option(second, people[-1])

    lead = await world.lead(cast.alice, cast.team if of_team else None)
    alice = api.user(cast.alice)
    accepted: list[dict[str, str]] = []
    shown = (await actions(alice, lead))["assignableUsers"]
    for user in people:
        response = await alice.send(ASSIGN, id=lead.id, user=user.id)
        accepted += [] if "errors" in response else [{"id": str(user.id)}]
        assert (await actions(alice, lead))["viewerCanAssign"]
    assert shown == {"total": 3, "limit": 10, "skip": 0, "data": accepted}


@pytest.mark.parametrize("planned", [True, False])
async def test_assignable_users_come_in_pages(api: Api, world: World, cast: Cast, planned: bool) -> None:
    more = [await world.member_user(cast.team) for _ in range(3)]
    for _ in range(2):
        await world.lead(cast.alice)
    page = "assignableUsers(limit: 2, skip: 1) { total limit skip data { id } }"
    beside = "" if planned else "previewLeadOffers(leadId: 3) { lead { PAGE } }"
    await world.lead(cast.alice, cast.team)
    query = f"{{ leads {{ data {{ PAGE none: assignableUsers(limit: 0) {{ total data {{ id }} }} }} }} {beside} }}"
    data = await api.user(cast.alice).ask(query.replace("PAGE", page))
    expected = {"total": 5, "limit": 2, "skip": 1, "data": [{"id": str(cast.bob.id)}, {"id": str(more[0].id)}]}
    assert [lead["assignableUsers"] for lead in data["leads"]["data"]] == [expected] * 3
    assert [lead["none"] for lead in data["leads"]["data"]] == [{"total": 5, "data": []}] * 3
    for sent, field in (("limit: -1", "limit"), ("skip: -1", "skip")):
        bad = await api.user(cast.alice).refusal(f"{{ leads {{ data {{ assignableUsers({sent}) {{ total }} }} }} }}")
        assert (bad["code"], bad["field"]) == ("BAD_USER_INPUT", field)


async def test_pages_of_assignable_users_count_towards_the_cost(api: Api, cast: Cast) -> None:
    page = "assignableUsers(limit: 100) { data { id firstName lastName email } }"
    refused = await api.user(cast.alice).refusal(f"{{ leads(limit: 100) {{ data {{ {page} }} }} }}")
    assert refused["code"] == "QUERY_TOO_COMPLEX"


async def test_the_zone_of_a_member_decides_when_their_cap_begins_anew(api: Api, world: World, cast: Cast) -> None:
    """NOW is 01:00 of the night in Los Angeles, so that midnight there was an hour ago."""
    team = await world.team(cast.alice)
    user = await world.member_user(team, timezone="America/Los_Angeles", max_leads_per_day=1)
    got = await world.lead(cast.alice, team)
    await world.offer(got, user, status=LeadOfferStatus.CLAIMED)
    await world.claimed(got, user)
    lead = await world.lead(cast.alice, team)
    for claimed_at, can_submit in ((at(-60), False), (at(-60.01), True)):
        await change(world, got, claimed_at=claimed_at)
        assert (await actions(api.user(cast.alice), lead))["viewerCanSubmit"] is can_submit
