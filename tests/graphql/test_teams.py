"""Teams, members and distribution options over HTTP: each is allowed to the creator and refused to others."""

import asyncio
from typing import Any

from sqlmodel import col, func, select

from app.db.engine import Database
from app.db.models import DistributionOption, Team, TeamMember, TeamZipcode, User
from app.domain.enums import OrderMethod, RequestStatus
from tests.support.api import Api
from tests.support.world import NOW, Cast, World, at

TEAM = "team { id name orderMethod minsUntilNextAlert distributionZipcodes creator { id } createdAt }"
CREATE = f"mutation ($input: CreateTeamInput!) {{ createTeam(input: $input) {{ {TEAM} }} }}"
UPDATE = f"mutation ($id: ID!, $input: UpdateTeamInput!) {{ updateTeam(id: $id, input: $input) {{ {TEAM} }} }}"
DELETE = "mutation ($id: ID!) { deleteTeam(id: $id) { deletedTeamId } }"
INVITE = """mutation ($team: ID!, $email: String!) {
  inviteTeamMember(teamId: $team, email: $email) { teamMember { id requestStatus team { id } user { id } } }
}"""
ANSWER = """mutation ($id: ID!, $answer: InvitationAnswer!) {
  respondToInvitation(teamMemberId: $id, answer: $answer) { teamMember { id requestStatus } }
}"""
REMOVE = "mutation ($id: ID!) { removeTeamMember(id: $id) { removedTeamMemberId team { members { total } } } }"
OPTION = """
  id rank minsUntilLeadOffer assignAutomatically hasCallAlert hasTextAlert hasEmailAlert user { id } team { id }
"""
SET = f"""mutation ($input: DistributionOptionInput!) {{
  setDistributionOption(input: $input) {{ distributionOption {{ {OPTION} }} }}
}}"""
UPDATE_OPTION = f"""mutation ($id: ID!, $input: UpdateDistributionOptionInput!) {{
  updateDistributionOption(id: $id, input: $input) {{ distributionOption {{ {OPTION} }} }}
}}"""
REMOVE_OPTION = """mutation ($id: ID!) {
  removeDistributionOption(id: $id) { removedDistributionOptionId team { distributionOptions { total } } }
}"""


async def refused(viewer: Api, document: str, **variables: Any) -> str:
    """The code of the error, and the invalid field if there is one."""
    extensions = await viewer.refusal(document, **variables)
    return " ".join(filter(None, [extensions["code"], extensions.get("field")]))


async def count(database: Database, model: Any) -> int:
    async with database.read() as session:
        return int((await session.exec(select(func.count()).select_from(model))).one())


async def membership(world: World, cast: Cast) -> TeamMember:
    """Bob's membership of Alice's team."""
    async with world.database.read() as session:
        bobs = (col(TeamMember.team_id) == cast.team.id, col(TeamMember.user_id) == cast.bob.id)
        return (await session.exec(select(TeamMember).where(*bobs))).one()


async def test_a_new_team_belongs_to_its_creator(api: Api, cast: Cast) -> None:
    zipcodes = ["94105-1234", "02138", "94105"]
    sent = {"name": "  Bay  ", "minsUntilNextAlert": 5, "distributionZipcodes": zipcodes}
    team = (await api.user(cast.charlie).ask(CREATE, input=sent))["createTeam"]["team"]
    assert team == {
        "id": team["id"],
        "name": "Bay",
        "orderMethod": "RANK",
        "minsUntilNextAlert": 5,
        "distributionZipcodes": ["02138", "94105"],
        "creator": {"id": str(cast.charlie.id)},
        "createdAt": "2026-03-02T09:00:00.000Z",
    }
    assert (await api.user(cast.charlie).ask("{ teams { data { id } } }"))["teams"]["data"] == [{"id": team["id"]}]


async def test_null_takes_the_default_of_a_new_team(api: Api, cast: Cast) -> None:
    sent = {"name": "Bay", "orderMethod": None, "minsUntilNextAlert": None, "distributionZipcodes": None}
    team = (await api.user(cast.charlie).ask(CREATE, input=sent))["createTeam"]["team"]
    assert (team["orderMethod"], team["minsUntilNextAlert"], team["distributionZipcodes"]) == ("RANK", 0, [])


WRONG: list[tuple[dict[str, Any], str]] = [
    *(({"name": name}, "input.name") for name in ("\u200b", "\u2800", "\u202eBay", "B\u0001ay", "B\nay")),
    ({"name": " \t"}, "input.name"),
    ({"name": "x" * 256}, "input.name"),
    ({"name": "a\0b"}, "input.name"),
    ({"minsUntilNextAlert": -1}, "input.minsUntilNextAlert"),
    ({"minsUntilNextAlert": 525_601}, "input.minsUntilNextAlert"),
    ({"minsUntilNextAlert": 5, "orderMethod": "TIME"}, "input.minsUntilNextAlert"),
    ({"distributionZipcodes": ["94105", "9410"]}, "input.distributionZipcodes.1"),
    ({"distributionZipcodes": ["\uff19\uff14105"]}, "input.distributionZipcodes.0"),
    ({"distributionZipcodes": ["94105-12"]}, "input.distributionZipcodes.0"),
    ({"distributionZipcodes": [f"{i:05}" for i in range(5_001)]}, "input.distributionZipcodes"),
    ({"orderMethod": "ALPHABET"}, "input.orderMethod"),
]


async def test_invalid_values_are_reported(api: Api, cast: Cast, database: Database) -> None:
    alice = api.user(cast.alice)
    for sent, field in WRONG:
        assert await refused(alice, CREATE, input={"name": "Bay"} | sent) == f"BAD_USER_INPUT {field}", sent
        assert await refused(alice, UPDATE, id=cast.team.id, input=sent) == f"BAD_USER_INPUT {field}", sent
    assert await count(database, Team) == 1


async def test_the_largest_values_are_accepted(api: Api, cast: Cast, database: Database) -> None:
    sent = {
        "name": "x" * 255,
        "minsUntilNextAlert": 525_600,
        "distributionZipcodes": [f"{i:05}" for i in range(5_000)],
    }
    team = (await api.user(cast.alice).ask(UPDATE, id=cast.team.id, input=sent))["updateTeam"]["team"]
    assert (team["name"], team["minsUntilNextAlert"]) == (sent["name"], 525_600)
    assert await count(database, TeamZipcode) == 5_000


async def test_several_problems_are_reported_together(api: Api, cast: Cast) -> None:
    sent = {"name": "", "minsUntilNextAlert": -1, "distributionZipcodes": ["x", "94105", "y"]}
    extensions = await api.user(cast.alice).refusal(CREATE, input=sent)
    assert [problem["field"] for problem in extensions["problems"]] == [
        "input.name",
        "input.minsUntilNextAlert",
        "input.distributionZipcodes.0",
        "input.distributionZipcodes.2",
    ]


async def test_an_update_changes_only_the_fields_it_names(api: Api, world: World, cast: Cast) -> None:
    team = await world.team(cast.alice, zipcodes=["94105", "94106"])
    alice = api.user(cast.alice)
    before = (await alice.ask(UPDATE, id=team.id, input={}))["updateTeam"]["team"]
    assert before["name"] == team.name
    changes = {"distributionZipcodes": ["94107", "94106"]}
    after = (await alice.ask(UPDATE, id=team.id, input=changes))["updateTeam"]["team"]
    assert after == before | {"distributionZipcodes": ["94106", "94107"]}
    for field in ("name", "orderMethod", "minsUntilNextAlert", "distributionZipcodes"):
        assert await refused(alice, UPDATE, id=team.id, input={field: None}) == f"BAD_USER_INPUT input.{field}"


async def test_another_order_method_zeroes_what_only_the_old_one_used(api: Api, world: World, cast: Cast) -> None:
    alice, read = api.user(cast.alice), "{ teams { data { distributionOptions { data { minsUntilLeadOffer } } } } }"
    changed = (await alice.ask(UPDATE, id=cast.team.id, input={"orderMethod": "TIME"}))["updateTeam"]["team"]
    assert (changed["orderMethod"], changed["minsUntilNextAlert"]) == ("TIME", 0)
    sent = {"teamId": cast.team.id, "userId": cast.bob.id}
    assert await alice.ask(SET, input=sent | {"minsUntilLeadOffer": 30})
    gap = {"minsUntilNextAlert": 5}
    assert await refused(alice, UPDATE, id=cast.team.id, input=gap) == "BAD_USER_INPUT input.minsUntilNextAlert"
    changes = {"orderMethod": "RANK", "minsUntilNextAlert": 5}
    changed = (await alice.ask(UPDATE, id=cast.team.id, input=changes))["updateTeam"]["team"]
    assert (changed["orderMethod"], changed["minsUntilNextAlert"]) == ("RANK", 5)
    options = (await alice.ask(read))["teams"]["data"][0]["distributionOptions"]["data"]
    assert options == [{"minsUntilLeadOffer": 0}]
    late = sent | {"minsUntilLeadOffer": 30}
    assert await refused(alice, SET, input=late) == "BAD_USER_INPUT input.minsUntilLeadOffer"


async def test_only_the_creator_changes_a_team(api: Api, world: World, cast: Cast) -> None:
    """Bob, who sees the team, gets FORBIDDEN; Charlie, who does not, gets NOT_FOUND."""
    member, option = await membership(world, cast), await bobs_option(world)
    changes: tuple[tuple[str, dict[str, Any]], ...] = (
        (UPDATE, {"id": cast.team.id, "input": {"name": "Mine"}}),
        (INVITE, {"team": cast.team.id, "email": cast.charlie.email}),
        (REMOVE_OPTION, {"id": option.id}),
        (REMOVE, {"id": member.id}),
        (DELETE, {"id": cast.team.id}),
    )
    for document, variables in changes:
        assert await refused(api.user(cast.charlie), document, **variables) == "NOT_FOUND"
        assert await refused(api.user(cast.bob), document, **variables) == "FORBIDDEN"
        assert await refused(api.user(cast.alice, "read"), document, **variables) == "FORBIDDEN"
    for document, variables in changes:
        assert await api.user(cast.alice, "write").ask(document, **variables)
    for document, variables in changes:
        assert await refused(api.user(cast.alice), document, **variables) == "NOT_FOUND"
        if "id" in variables:
            assert await refused(api.user(cast.alice), document, **variables | {"id": "x"}) == "NOT_FOUND"


async def test_a_removed_option_or_member_is_gone_and_the_others_stay(api: Api, world: World, cast: Cast) -> None:
    alice, member, option = api.user(cast.alice), await membership(world, cast), await bobs_option(world)
    dora = await world.member_user(cast.team, "Dora")
    told = (await alice.ask(REMOVE_OPTION, id=option.id))["removeDistributionOption"]
    assert told == {"removedDistributionOptionId": str(option.id), "team": {"distributionOptions": {"total": 1}}}
    told = (await alice.ask(REMOVE, id=member.id))["removeTeamMember"]
    assert told == {"removedTeamMemberId": str(member.id), "team": {"members": {"total": 1}}}
    read = """{ teams { data {
      members { data { user { id } } } distributionOptions { data { user { id } } }
    } } }"""
    left = {"data": [{"user": {"id": str(dora.id)}}]}
    assert (await alice.ask(read))["teams"]["data"] == [{"members": left, "distributionOptions": left}]
    assert await refused(alice, REMOVE_OPTION, id=option.id) == "NOT_FOUND"
    assert await refused(alice, REMOVE, id=member.id) == "NOT_FOUND"


async def test_invited_users_cannot_remove_themselves(api: Api, world: World, cast: Cast) -> None:
    """They answer the invitation. Only the creator removes a membership."""
    member = await world.membership(cast.team, cast.charlie, RequestStatus.PENDING)
    assert await refused(api.user(cast.charlie), REMOVE, id=member.id) == "FORBIDDEN"
    assert await api.user(cast.alice).ask(REMOVE, id=member.id)


async def bobs_option(world: World) -> DistributionOption:
    async with world.database.read() as session:
        return (await session.exec(select(DistributionOption))).one()


async def test_a_deleted_team_is_gone_from_lists_but_not_from_its_offers(api: Api, world: World, cast: Cast) -> None:
    lead = await world.lead(cast.alice, cast.team)
    await world.offer(lead, cast.bob)
    deleted = await api.user(cast.alice).ask(DELETE, id=cast.team.id)
    assert deleted == {"deleteTeam": {"deletedTeamId": str(cast.team.id)}}
    assert await refused(api.user(cast.alice), DELETE, id=cast.team.id) == "NOT_FOUND"
    everywhere = """query ($id: ID!) {
      team(id: $id) { id } teams { total } teamMemberships { total } leadOffers { data { status team { id } } }
    }"""
    for user in (cast.alice, cast.bob):
        assert await api.user(user).ask(everywhere, id=cast.team.id) == {
            "team": None,
            "teams": {"total": 0},
            "teamMemberships": {"total": 0},
            "leadOffers": {"data": [{"status": "CANCELLED", "team": {"id": str(cast.team.id)}}]},
        }


async def test_a_team_that_a_route_names_is_not_deleted(api: Api, world: World, cast: Cast) -> None:
    route = await world.route(await world.source(cast.alice), cast.team)
    assert await refused(api.user(cast.alice), DELETE, id=cast.team.id) == "CONFLICT"
    await api.user(cast.alice).ask(f"mutation {{ deleteLeadRoute(id: {route.id}) {{ deletedLeadRouteId }} }}")
    assert await api.user(cast.alice).ask(DELETE, id=cast.team.id)


async def test_only_the_invited_user_finds_and_answers_an_invitation(api: Api, cast: Cast) -> None:
    alice, charlie = api.user(cast.alice), api.user(cast.charlie)
    email = f" {cast.charlie.email} ".upper()
    invited = (await alice.ask(INVITE, team=cast.team.id, email=email))["inviteTeamMember"]["teamMember"]
    assert (invited["requestStatus"], invited["user"]) == ("PENDING", {"id": str(cast.charlie.id)})
    mine = "{ teamMemberships(where: {requestStatus: {eq: PENDING}}) { data { id team { id members { total } } } } }"
    found = {"id": invited["id"], "team": {"id": str(cast.team.id), "members": None}}
    assert await charlie.ask(mine) == {"teamMemberships": {"data": [found]}}
    for answer in ("ACCEPTED", "DECLINED"):
        assert await refused(api.user(cast.bob), ANSWER, id=invited["id"], answer=answer) == "FORBIDDEN"
        assert await refused(alice, ANSWER, id=invited["id"], answer=answer) == "FORBIDDEN"
    assert await refused(charlie, ANSWER, id="999", answer="ACCEPTED") == "NOT_FOUND"
    for answer in ("DECLINED", "DECLINED", "ACCEPTED", "ACCEPTED", "DECLINED"):
        answered = (await charlie.ask(ANSWER, id=invited["id"], answer=answer))["respondToInvitation"]
        assert answered["teamMember"] == {"id": invited["id"], "requestStatus": answer}
    again = (await alice.ask(INVITE, team=cast.team.id, email=cast.charlie.email))["inviteTeamMember"]["teamMember"]
    assert again == invited


async def test_a_stranger_does_not_learn_of_an_invitation(api: Api, world: World, cast: Cast) -> None:
    member = await membership(world, cast)
    assert await refused(api.user(cast.charlie), ANSWER, id=member.id, answer="ACCEPTED") == "NOT_FOUND"
    assert await api.user(cast.bob).ask(ANSWER, id=member.id, answer="ACCEPTED")


async def test_a_member_who_is_invited_again_stays_a_member(api: Api, cast: Cast) -> None:
    member = (await api.user(cast.alice).ask(INVITE, team=cast.team.id, email=cast.bob.email))["inviteTeamMember"]
    assert member["teamMember"]["requestStatus"] == "ACCEPTED"


async def test_unknown_addresses_cannot_be_invited(api: Api, cast: Cast) -> None:
    for email, told in (
        ("nobody@example.com", "NOT_FOUND"),
        ("alice", "BAD_USER_INPUT email"),
        ("", "BAD_USER_INPUT email"),
        ("a\0@example.com", "BAD_USER_INPUT email"),
    ):
        assert await refused(api.user(cast.alice), INVITE, team=cast.team.id, email=email) == told


async def test_the_creator_cannot_be_invited(api: Api, cast: Cast) -> None:
    own = {"team": cast.team.id, "email": cast.alice.email}
    assert await refused(api.user(cast.alice), INVITE, **own) == "BAD_USER_INPUT email"


async def test_concurrent_invitations_make_one_membership(api: Api, cast: Cast, database: Database) -> None:
    for _ in range(3):
        team = (await api.user(cast.alice).ask(CREATE, input={"name": "Race"}))["createTeam"]["team"]
        before = await count(database, TeamMember)
        invitations = [api.user(cast.alice).ask(INVITE, team=team["id"], email=cast.bob.email) for _ in range(4)]
        answers = await asyncio.gather(*invitations)
        assert len({answer["inviteTeamMember"]["teamMember"]["id"] for answer in answers}) == 1
        assert await count(database, TeamMember) == before + 1


async def test_an_option_is_replaced_as_a_whole(api: Api, cast: Cast, database: Database) -> None:
    sent = {"teamId": cast.team.id, "userId": cast.bob.id}
    alice = api.user(cast.alice)
    full = {"rank": 3, "assignAutomatically": True, "hasCallAlert": True, "hasTextAlert": True, "hasEmailAlert": False}
    option = (await alice.ask(SET, input=sent | full))["setDistributionOption"]["distributionOption"]
    assert {field: option[field] for field in full} == full
    defaults = {
        "rank": None,
        "minsUntilLeadOffer": 0,
        "assignAutomatically": False,
        "hasCallAlert": False,
        "hasTextAlert": False,
        "hasEmailAlert": True,
    }
    for left_out in ({}, dict.fromkeys(defaults)):
        again = (await alice.ask(SET, input=sent | left_out))["setDistributionOption"]["distributionOption"]
        assert again == option | defaults
    assert await count(database, DistributionOption) == 1


async def test_members_and_the_creator_can_have_an_option(api: Api, world: World, cast: Cast) -> None:
    """Members of any status can, and nobody outside the team."""
    alice, team = api.user(cast.alice), cast.team.id
    declined = await world.user("Dorothy")
    await world.membership(cast.team, declined, RequestStatus.DECLINED)
    for user in (cast.alice, cast.bob, declined):
        assert await alice.ask(SET, input={"teamId": team, "userId": user.id})
    elsewhere = await world.member_user(await world.team(cast.alice))
    for user_id in (cast.charlie.id, elsewhere.id, "999", "x"):
        told = await refused(alice, SET, input={"teamId": team, "userId": user_id})
        assert told == "BAD_USER_INPUT input.userId"


async def test_ranks_begin_at_zero(api: Api, cast: Cast) -> None:
    sent = {"teamId": cast.team.id, "userId": cast.bob.id}
    for rank in (-1, 2**31):
        assert await refused(api.user(cast.alice), SET, input=sent | {"rank": rank}) == "BAD_USER_INPUT input.rank"
    assert await api.user(cast.alice).ask(SET, input=sent | {"rank": 0})


async def test_only_the_creator_sets_options(api: Api, cast: Cast) -> None:
    sent = {"teamId": cast.team.id, "userId": cast.bob.id}
    assert await refused(api.user(cast.bob), SET, input=sent) == "FORBIDDEN"
    assert await refused(api.user(cast.charlie), SET, input=sent) == "BAD_USER_INPUT input.teamId"
    assert await refused(api.user(cast.alice), SET, input=sent | {"teamId": "x"}) == "BAD_USER_INPUT input.teamId"
    assert await api.user(cast.alice).ask(SET, input=sent)


async def test_a_team_has_at_most_two_hundred_options(api: Api, world: World, cast: Cast) -> None:
    team = await world.team(cast.alice)
    people = [User(first_name="Ann", last_name=str(i), email=f"ann{i}@example.com", timezone="UTC") for i in range(201)]
    await world.add(*people)
    await world.add(
        *(TeamMember(team_id=team.id, user_id=one.id, request_status=RequestStatus.ACCEPTED) for one in people)
    )
    await world.add(*(DistributionOption(team_id=team.id, user_id=one.id) for one in people[:200]))
    alice = api.user(cast.alice)
    assert await refused(alice, SET, input={"teamId": team.id, "userId": people[200].id}) == "CONFLICT"
    assert await alice.ask(SET, input={"teamId": team.id, "userId": people[0].id, "rank": 1})
    assert await alice.ask(SET, input={"teamId": cast.team.id, "userId": cast.alice.id})  # another team has room


async def test_a_team_by_time_takes_minutes_to_a_year(api: Api, world: World, cast: Cast) -> None:
    team = await world.team(cast.alice, OrderMethod.TIME)
    sent, alice = {"teamId": team.id, "userId": cast.alice.id}, api.user(cast.alice)
    for minutes in (-1, 525_601):
        told = await refused(alice, SET, input=sent | {"minsUntilLeadOffer": minutes})
        assert told == "BAD_USER_INPUT input.minsUntilLeadOffer"
    assert await alice.ask(SET, input=sent | {"minsUntilLeadOffer": 525_600})


async def test_an_update_changes_the_fields_of_an_option_that_it_names(api: Api, world: World, cast: Cast) -> None:
    team, alice = await world.team(cast.alice, OrderMethod.TIME), api.user(cast.alice)
    option = await world.member(team, cast.bob, rank=3, mins_until_lead_offer=7, weight=2, max_leads_per_day=4)
    fields = f"{OPTION} weight maxLeadsPerDay"
    update = UPDATE_OPTION.replace(OPTION, fields)
    read = f"query ($id: ID!) {{ team(id: $id) {{ distributionOptions {{ data {{ {fields} }} }} }} }}"
    (expected,) = (await alice.ask(read, id=team.id))["team"]["distributionOptions"]["data"]
    for sent in (
        {},
        {"rank": 1},
        {"rank": None},
        {"minsUntilLeadOffer": 0},
        {"minsUntilLeadOffer": 525_600, "weight": 100},
        {"maxLeadsPerDay": 0},
        {"maxLeadsPerDay": None},
        {"assignAutomatically": True},
        {"hasCallAlert": True, "hasTextAlert": True, "hasEmailAlert": False},
    ):
        expected |= sent
        for _ in range(2):
            updated = (await alice.ask(update, id=option.id, input=sent))["updateDistributionOption"]
            assert updated == {"distributionOption": expected}
        assert (await alice.ask(read, id=team.id))["team"]["distributionOptions"]["data"] == [expected]


async def test_an_update_of_an_option_is_checked_as_a_new_option_is(api: Api, world: World, cast: Cast) -> None:
    option = await world.option(cast.team, cast.alice, rank=3)
    alice = api.user(cast.alice)
    refusals: dict[str, list[Any]] = {
        "rank": [-1, 2**31],
        "minsUntilLeadOffer": [None, -1, 1, 525_601],
        "weight": [None, 0, 101],
        "maxLeadsPerDay": [-1, 1001],
        "assignAutomatically": [None, "yes"],
        "hasCallAlert": [None],
        "hasTextAlert": [None],
        "hasEmailAlert": [None],
    }
    for field, values in refusals.items():
        for value in values:
            told = await refused(alice, UPDATE_OPTION, id=option.id, input={field: value})
            assert told == f"BAD_USER_INPUT input.{field}"
    bad = {"rank": -1, "minsUntilLeadOffer": 5, "weight": 0}
    extensions = await alice.refusal(UPDATE_OPTION, id=option.id, input=bad)
    assert {problem["field"] for problem in extensions["problems"]} == {f"input.{field}" for field in bad}


async def test_only_the_creator_updates_options(api: Api, world: World, cast: Cast) -> None:
    mine = (await api.user(cast.alice).ask(SET, input={"teamId": cast.team.id, "userId": cast.bob.id}))[
        "setDistributionOption"
    ]["distributionOption"]
    sent: dict[str, Any] = {"id": mine["id"], "input": {"rank": 2}}
    assert await refused(api.user(cast.bob), UPDATE_OPTION, **sent) == "FORBIDDEN"
    assert await refused(api.user(cast.charlie), UPDATE_OPTION, **sent) == "NOT_FOUND"
    assert await refused(api.user(cast.alice, scope="read"), UPDATE_OPTION, **sent) == "FORBIDDEN"
    for unknown in ("999", "x", "0"):
        assert await refused(api.user(cast.alice), UPDATE_OPTION, **sent | {"id": unknown}) == "NOT_FOUND"
    assert await api.user(cast.alice).ask(UPDATE_OPTION, **sent)
    assert await api.user(cast.alice).ask(REMOVE, id=(await membership(world, cast)).id)
    assert await api.user(cast.alice).ask(UPDATE_OPTION, **sent), "a former member may come back"
    assert await refused(api.user(cast.bob), UPDATE_OPTION, **sent) == "NOT_FOUND"


MEMBERS = """query ($id: ID!) {
  team(id: $id) { members { data { user { firstName } isActive awayUntil distributionOption { rank } } } }
}"""


async def test_a_member_shows_their_option_and_state_to_the_creator(api: Api, world: World, cast: Cast) -> None:
    team = await world.team(cast.alice)
    await world.membership(team, cast.bob)
    await world.member_user(team, "Away", rank=2, away_until=at(1))
    await world.member_user(team, "Back", rank=3, away_until=NOW, is_active=False)
    await world.member(team, await world.user("Asked"), RequestStatus.PENDING, rank=4)
    await world.member(await world.team(cast.alice), cast.bob, rank=9)
    shown = [
        ("Bob", True, None, None),
        ("Away", True, "2026-03-02T09:01:00.000Z", {"rank": 2}),
        ("Back", False, None, {"rank": 3}),
        ("Asked", None, None, {"rank": 4}),
    ]

    async def members(viewer: User) -> list[tuple[Any, ...]]:
        data = (await api.user(viewer).ask(MEMBERS, id=team.id))["team"]["members"]["data"]
        return [(m["user"]["firstName"], m["isActive"], m["awayUntil"], m["distributionOption"]) for m in data]

    assert await members(cast.alice) == shown
    await world.option(team, cast.bob, rank=1)
    assert await members(cast.alice) == [("Bob", True, None, {"rank": 1}), *shown[1:]]
    assert await members(cast.bob) == [
        ("Bob", None, None, {"rank": 1}),
        *((name, None, None, None) for name, *_ in shown[1:]),
    ]


async def test_an_invited_user_sees_their_option_in_their_memberships(api: Api, world: World, cast: Cast) -> None:
    await world.member(cast.team, cast.charlie, RequestStatus.PENDING, rank=5)
    data = await api.user(cast.charlie).ask("{ teamMemberships { data { isActive distributionOption { rank } } } }")
    assert data["teamMemberships"]["data"] == [{"isActive": None, "distributionOption": {"rank": 5}}]


async def test_the_notes_of_a_team_take_one_statement(api: Api, database: Database, world: World, cast: Cast) -> None:
    """The rules of the warnings are Python; what they depend on is read along."""
    following = await world.team(cast.alice, name="Following")
    viewer, statements = api.user(cast.alice), api.statements()
    query = "query ($id: ID!) { team(id: $id) { waitingInvitations { email } warnings { code } } }"
    for next_team_id in (None, following.id):
        async with database.write() as session:
            team = await session.get_one(Team, cast.team.id)
            team.next_team_id, team.mins_until_next_team = next_team_id, next_team_id and 5
        statements.clear()
        found = (await viewer.ask(query, id=cast.team.id))["team"]
        assert ({"code": "NEXT_TEAM_HAS_NOBODY"} in found["warnings"]) == (next_team_id is not None)
        assert len(statements) == 1, statements
