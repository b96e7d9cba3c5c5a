"""Compiled plans: one statement gives the same response as the resolvers, to the byte."""

import gc
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from unittest.mock import AsyncMock

import jwt
import pytest
from graphql import (
    GraphQLField,
    GraphQLObjectType,
    GraphQLSchema,
    get_named_type,
    is_composite_type,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlmodel import col, update

from app.db.compiled import CompiledQuery
from app.db.engine import Database
from app.db.models import Claim, Delivery, Lead, LeadRollout, RolloutOffer, RolloutSkip, TeamZipcode, Turn, User
from app.domain.enums import (
    ApiScope,
    Channel,
    ClaimedVia,
    ClaimEnd,
    DeliveryStatus,
    LeadOfferStatus,
    OrderMethod,
    RolloutCause,
    SkipReason,
    TeamSelectionMethod,
)
from app.graphql.document_cache import CachedDocument
from app.graphql.plans import Plans
from app.graphql.plans.tree import QueryTree, is_planned
from app.graphql.schema import schema
from app.graphql.strawberry_internals import core_schema
from tests.support.api import SECRET, Api, serving, settings_for
from tests.support.examples import examples
from tests.support.processes import FULL
from tests.support.world import NOW, Cast, World

INBOX = """query Inbox($where: LeadOfferWhere, $lead: ID, $limit: Int, $skip: Int, $people: Boolean = true) {
  leadOffers(leadId: $lead, where: $where, sort: [{field: NOTIFY_AT, direction: DESC}], limit: $limit, skip: $skip) {
    total limit skip
    data {
      __typename id at: notifyAt rank status hasCallAlert assignAutomatically viewerCanClaim
      lead { ...Known contact { firstName email mobilePhone } claimedBy { id } source { name } }
      ... @include(if: $people) { user { id timezone email } team { name orderMethod creator { lastName } } }
      lead { zipcode createdAt claimedAt timeToClaim message listingPrice mlsId city externalId }
    }
  }
  me { id email phone awayUntil }
}
fragment Known on Lead { id distributionTarget team { id } }"""


ENQUIRY: dict[str, Any] = {
    "message": 'Is it "new"?\r\n\t\\ \x01\x07\x1b\x7f\x85\u2028\u200b\ufeff\U0001f3e1 </script>',
    "listing_price": 2**31 - 1,
    "mls_id": "007",
    "listing_status": "For Sale",
    "street_address": "12 Maple Avenue",
    "city": "San Jos\u00e9",
    "state": "CA",
    "language": "es",
}


@pytest.fixture
def prepared(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The statements of plans that were executed."""
    texts: list[str] = []
    fetch = CompiledQuery.fetch

    async def note(self: CompiledQuery, db: Database, values: Mapping[str, Any]) -> Sequence[Any]:
        texts.append(self.text)
        return await fetch(self, db, values)

    monkeypatch.setattr(CompiledQuery, "fetch", note)
    return texts


@pytest.fixture
async def offers(world: World, cast: Cast) -> None:
    """Offers with every possible null, of claimed and unclaimed leads, with and without a team, a user and a source."""
    source = await world.source(cast.alice, "Web")
    await world.api_key(cast.alice, ApiScope.INTAKE, name="Web", source_id=source.id)
    await world.api_key(cast.alice, ApiScope.WRITE, ApiScope.READ, revoked_at=NOW, last_used_on="2026-03-01")
    await world.api_key(cast.bob, ApiScope.READ, expires_at=NOW)
    nameless = await world.contact(cast.alice, first_name=None, email=None)
    erased = await world.user("Erased", email=None)
    for i in range(4):
        fields: dict[str, Any] = {"source_id": source.id, "type": "Buyer", "zipcode": "12345"} if i % 2 else {}
        fields |= ENQUIRY | {"external_id": f"{i}"} if i > 1 else {}
        lead = await world.lead(cast.alice, cast.team if i else None, nameless if i == 2 else None, **fields)
        if i == 3:
            await world.claimed(lead, cast.bob)
        for j, user in enumerate((cast.alice, cast.bob, erased, None)):
            await world.offer(
                lead,
                user,
                rank=[None, 0, 1, 1][(i + j) % 4],
                notify_at=[NOW, None, NOW + timedelta(milliseconds=7), NOW][(i * 2 + j) % 4],
                status=list(LeadOfferStatus)[(i + j) % 6],
                assign_automatically=j % 2 == 0,
                has_call_alert=[None, True, False][(i + j) % 3],
            )
    await add_children(world, cast)


async def add_claims(world: World, cast: Cast) -> None:
    """Claims that ended in either way, and an imported one whose time is not known. Lead 4 has an open one."""
    ended = [
        (1, cast.bob, ClaimedVia.TEXT, None, ClaimEnd.REASSIGNED, {}),
        (1, cast.charlie, ClaimedVia.ASSIGNED, NOW, ClaimEnd.RELEASED, {"team_id": cast.team.id, "offer_id": 2}),
        (2, cast.bob, ClaimedVia.AUTO, NOW + timedelta(milliseconds=7), ClaimEnd.RELEASED, {"team_id": cast.team.id}),
    ]
    await world.add(
        *(
            Claim(lead_id=lead, user_id=user.id, via=via, claimed_at=at, ended_at=NOW, end_reason=reason, **fields)
            for lead, user, via, at, reason, fields in ended
        )
    )


async def add_children(world: World, cast: Cast) -> None:
    """Rows of every table that objects list: zipcodes, options, claims, rollouts with offers and skips, deliveries."""
    await add_chain(world, cast)
    await world.add(*(TeamZipcode(team_id=cast.team.id, zipcode=zipcode) for zipcode in ("94105", "02138")))
    await world.option(cast.team, cast.alice, rank=None, weight=3, max_leads_per_day=0)
    cast.bob.quiet_hours_start, cast.bob.quiet_hours_end, cast.bob.phone = "22:00", "07:00", "+12025550142"
    cast.bob.away_until = NOW + timedelta(hours=1)
    await world.add(cast.bob)
    await add_claims(world, cast)
    method = TeamSelectionMethod.SPECIFIC_TEAM
    step: dict[str, Any] = {"team_id": cast.team.id, "team_selection_method": method, "submitted_at": NOW}
    rollouts = [
        LeadRollout(lead_id=1, **step),
        LeadRollout(lead_id=1, cause=RolloutCause.PASSED_ON, turn_user_id=cast.bob.id, **step),
        LeadRollout(lead_id=2, **step),
    ]
    async with world.database.write() as session:
        await session.exec(update(Lead).where(col(Lead.id) <= 2).values(gives_up_at=NOW))
    await world.add(*rollouts)
    for rollout in rollouts:
        await world.add(
            *(RolloutOffer(rollout_id=rollout.id, offer_id=i) for i in (2, 1, 5)),
            *(
                RolloutSkip(rollout_id=rollout.id, user_id=user.id, reason=SkipReason.USER_AWAY)
                for user in cast_of(cast)
            ),
        )
    await world.add(
        *(
            Delivery(offer_id=i % 6 + 1, channel=list(Channel)[i % 3], status=list(DeliveryStatus)[i % 5], sent_at=NOW)
            for i in range(20)
        )
    )


async def add_chain(world: World, cast: Cast) -> None:
    """Make the team a Round Robin one with turns, in a chain with another one and a team without settings."""
    last = await world.team(cast.alice)
    following = await world.team(
        cast.alice, OrderMethod.ROUND_ROBIN, next_team_id=last.id, mins_until_next_team=0, members_per_lead=1
    )
    cast.team.order_method, cast.team.keeps_contacts, cast.team.turn_mark = OrderMethod.ROUND_ROBIN, True, 7
    cast.team.next_team_id, cast.team.mins_until_next_team = following.id, 5
    await world.add(cast.team)
    for i, user in enumerate((cast.alice, await world.member_user(cast.team), await world.member_user(cast.team))):
        last_taken_at = NOW + timedelta(milliseconds=i)
        await world.add(
            Turn(team_id=cast.team.id, user_id=user.id, mark=8 - i, taken=i + 1, last_taken_at=last_taken_at)
        )
    await world.member(following, cast.bob)


def cast_of(cast: Cast) -> tuple[User, ...]:
    return cast.alice, cast.bob, cast.charlie


async def resolved(viewer: Api, query: str, **request: Any) -> tuple[int, bytes]:
    """The response of the resolvers alone."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Plans, "answer", AsyncMock(return_value=None))
        patch.setattr(Plans, "object_tree", lambda *_args: None)
        answer = await viewer.post({"query": query, **request})
    return answer.status_code, answer.content


async def planned(viewer: Api, query: str, **request: Any) -> tuple[int, bytes]:
    answer = await viewer.post({"query": query, **request})
    return answer.status_code, answer.content


@pytest.mark.usefixtures("offers")
@pytest.mark.parametrize(
    "variables",
    [
        {},
        {"people": False},
        {"lead": "2", "limit": 3},
        {"limit": 2, "skip": 3},
        {"limit": 0},
        {"skip": 1000},
        {"limit": None, "skip": None, "where": None, "lead": None},
        {"where": {"rank": {"eq": None}}},
        {"where": {"rank": {"in": [0, 1]}, "not": {"status": {"in": ["SENT", "CLAIMED"]}}}},
        {"where": {"or": [{"notifyAt": {"lt": "2026-03-02T09:00:00Z"}}, {"id": {"gt": "3"}}]}},
        {"where": {"id": {"nin": ["x", "1"]}, "userId": {"ne": "y"}}},
        {"lead": "x"},
    ],
)
async def test_a_document_is_answered_by_one_statement(
    api: Api, cast: Cast, prepared: list[str], variables: dict[str, Any]
) -> None:
    viewer = api.user(cast.bob)
    statements = viewer.statements()
    answer = await planned(viewer, INBOX, variables=variables)
    assert len(prepared) == 1
    assert set(statements) <= set(prepared)
    assert answer == await resolved(viewer, INBOX, variables=variables)


@pytest.mark.usefixtures("offers")
@pytest.mark.parametrize(
    "variables",
    [
        {"limit": -1},
        {"limit": "ten"},
        {"where": {"rank": {"lt": None}}},
        {"where": {"id": {"lt": "x"}}},
        {"where": {"nothing": {"eq": 1}}},
        {"where": {"rank": {"in": [1] * 1001}}},
    ],
)
async def test_a_plan_reports_errors_as_the_resolvers_do(
    api: Api, cast: Cast, variables: dict[str, Any], prepared: list[str]
) -> None:
    viewer = api.user(cast.bob)
    assert await planned(viewer, INBOX, variables=variables) == await resolved(viewer, INBOX, variables=variables)
    assert not any("leadOffers" in text for text in prepared)


async def test_filters_that_differ_in_values_share_a_statement(
    api: Api, cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[CompiledQuery] = []
    make = CompiledQuery.__init__

    def note(self: CompiledQuery, *args: Any) -> None:
        made.append(self)
        make(self, *args)

    monkeypatch.setattr(CompiledQuery, "__init__", note)
    viewer = api.user(cast.bob)
    for rank in range(5):
        await viewer.ask(INBOX, where={"rank": {"gt": rank, "nin": list(range(rank))}}, limit=rank, skip=rank)
    assert len(made) == 1


async def test_a_deactivated_user_is_rejected_at_once(api: Api, world: World, cast: Cast) -> None:
    viewer = api.user(cast.bob)
    await viewer.ask(INBOX)
    await viewer.ask(INBOX)
    cast.bob.is_active = False
    await world.add(cast.bob)
    answer = await viewer.post({"query": INBOX})
    assert answer.status_code == 401
    assert answer.json()["errors"][0]["extensions"]["code"] == "UNAUTHENTICATED"


async def test_a_plan_checks_that_the_e_mail_address_still_belongs_to_the_user(
    api: Api, world: World, cast: Cast, prepared: list[str]
) -> None:
    claims = {"sub": cast.bob.email, "scope": "read", "exp": datetime.now(UTC) + timedelta(hours=1)}
    viewer = replace(api, token=jwt.encode(claims, SECRET, "HS256"))
    data = await viewer.ask("{ me { id } leadOffers { total } }")
    assert data["me"] == {"id": str(cast.bob.id)}
    assert len(prepared) == 1
    cast.bob.email, cast.charlie.email = None, cast.bob.email
    await world.add(cast.bob)
    await world.add(cast.charlie)
    for _ in range(2):
        data = await viewer.ask("{ me { id } leadOffers { total } }")
        assert data["me"] == {"id": str(cast.charlie.id)}
    assert len(prepared) == 3


async def test_a_plan_checks_the_scope(api: Api, cast: Cast) -> None:
    await api.user(cast.bob).ask(INBOX)
    assert (await api.user(cast.bob, scope="write").refusal(INBOX))["code"] == "FORBIDDEN"


@pytest.mark.parametrize(("scope", "may_claim"), [("read write", True), ("read", False)])
async def test_a_plan_applies_the_rules_of_field_access(
    api: Api, world: World, cast: Cast, prepared: list[str], scope: str, may_claim: bool
) -> None:
    taken, free = await world.lead(cast.alice, cast.team), await world.lead(cast.alice, cast.team)
    await world.claimed(taken, cast.charlie)
    for lead in (taken, free):
        await world.offer(lead, cast.bob, notify_at=NOW, status=LeadOfferStatus.SENT)
    query = "{ leadOffers { data { viewerCanClaim lead { contact { email } } } } me { firstName } }"
    viewer = api.user(cast.bob, scope=scope)
    data = await viewer.ask(query)
    assert [offer["viewerCanClaim"] for offer in data["leadOffers"]["data"]] == [False, may_claim]
    assert {offer["lead"]["contact"]["email"] for offer in data["leadOffers"]["data"]} == {None}
    assert data["me"] == {"firstName": cast.bob.first_name}
    assert len(prepared) == 1


async def test_a_plan_shows_the_time_to_claim_as_the_resolver_does(
    api: Api, world: World, cast: Cast, prepared: list[str]
) -> None:
    milliseconds = [
        0,
        999,
        1000,
        61_001,
        -999,
        -1000,
        -90_000_000_001,
        2**31 * 1000 - 1,
        2**31 * 1000,
        9_000_000_000_000,
    ]
    for number in milliseconds:
        lead = await world.lead(cast.alice, cast.team, created_at=NOW + timedelta(milliseconds=7))
        await world.claimed(lead, cast.bob)
        lead.claimed_at = lead.created_at + timedelta(milliseconds=number)
        await world.add(lead)
        await world.offer(lead, cast.bob)
    query = "{ leadOffers { data { lead { timeToClaim } } } }"
    viewer = api.user(cast.bob)
    data = await viewer.ask(query)
    seconds = [offer["lead"]["timeToClaim"] for offer in data["leadOffers"]["data"]]
    assert await planned(viewer, query) == await resolved(viewer, query)
    assert seconds == [min(max(number // 1000, 0), 2**31 - 1) for number in milliseconds]
    assert len(prepared) == 2


async def test_an_empty_page_still_has_the_viewer(api: Api, cast: Cast, prepared: list[str]) -> None:
    viewer = api.user(cast.charlie)
    data = await viewer.ask("{ me { email } leadOffers { total data { id } } }")
    assert data == {"me": {"email": cast.charlie.email}, "leadOffers": {"total": 0, "data": []}}
    assert len(prepared) == 1


async def test_a_plan_answers_get_requests_and_negotiates_the_content_type(
    api: Api, cast: Cast, prepared: list[str]
) -> None:
    viewer = api.user(cast.bob)
    headers = {"Authorization": f"Bearer {viewer.token}", "Accept": "application/graphql-response+json"}
    answer = await viewer.http.get("/graphql", params={"query": INBOX}, headers=headers)
    assert len(prepared) == 1
    assert answer.headers["content-type"] == "application/graphql-response+json; charset=utf-8"
    assert answer.json()["data"]["leadOffers"]["total"] == 0
    assert (await viewer.post({"query": INBOX}, Accept="text/css")).status_code == 406


BOARD = """query Board($limit: Int, $mine: ID) {
  leads(sort: [{field: CREATED_AT, direction: DESC}], limit: $limit) {
    total
    data {
      id type timeToClaim contact { firstName email } team { id distributionZipcodes } claimedBy { firstName }
      rollouts { submittedAt createdOffers { id notifyAt } skipped { reason user { id phone } } }
      claims { claimedAt endedAt endReason via team { id name } user { id firstName phone } }
      offers(where: {userId: {ne: $mine}}, sort: [{field: NOTIFY_AT}], limit: 2, skip: 1) {
        total limit skip data { id user { id quietHours { start end } } deliveries { id status sentAt } }
      }
    }
  }
  open: leadOffers(where: {status: {in: [SENT, SCHEDULED]}}) { total }
  others: leadOffers(where: {status: {nin: [SENT, SCHEDULED]}}) { total }
  teams {
    data {
      members { total data { user { id } } } distributionOptions(limit: 1) { data { rank weight maxLeadsPerDay } }
      keepsContacts membersPerLead minsUntilNextTeam turns { taken lastTakenAt weight user { id } }
      nextTeam { membersPerLead turns { taken lastTakenAt user { firstName } } nextTeam { name nextTeam { id } } }
    }
  }
  lead(id: "1") { id }
  unknown: lead(id: "x") { id }
}"""


@pytest.mark.usefixtures("offers")
@pytest.mark.parametrize("name", ["alice", "bob", "charlie"])
async def test_a_board_with_several_lists_is_one_statement(
    api: Api, cast: Cast, prepared: list[str], name: str
) -> None:
    """The viewer's account is checked by it, too."""
    viewer, variables = api.user(getattr(cast, name)), {"limit": 2, "mine": str(cast.bob.id)}
    expected = await resolved(viewer, BOARD, variables=variables)
    statements = viewer.statements()
    assert await planned(viewer, BOARD, variables=variables) == expected
    assert len(statements) == len(prepared) == 1


@pytest.mark.usefixtures("offers")
async def test_objects_with_too_many_members_for_a_function_are_spelled_as_text(
    api: Api, cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.graphql.plans.spelling.MOST_MEMBERS", 1)
    viewer = api.user(cast.alice)
    assert await planned(viewer, INBOX) == await resolved(viewer, INBOX)


@pytest.mark.usefixtures("offers")
async def test_a_payload_is_read_by_one_statement(api: Api, cast: Cast, world: World, prepared: list[str]) -> None:
    """Once the mutation has written, all that is selected below its objects is read together."""
    lead = await world.lead(cast.alice, cast.team)
    offer = await world.offer(lead, cast.bob, cast.team, notify_at=NOW, status=LeadOfferStatus.SENT)
    claim = f"""mutation {{ claimLeadOffer(id: "{offer.id}") {{ leadOffer {{ status
        lead {{ contact {{ email }} claimedBy {{ firstName }}
            offers {{ total data {{ user {{ id }} status }} }} }} }} }} }}"""
    data = await api.user(cast.bob).ask(claim)
    assert data["claimLeadOffer"]["leadOffer"]["lead"]["claimedBy"] == {"firstName": cast.bob.first_name}
    assert len(prepared) == 1
    assert await planned(api.user(cast.bob), claim) == await resolved(api.user(cast.bob), claim)


NOT_COMPILED = {
    "Query.leadFigures": "Python computes periods and durations; the statement reads the rows that it shows, too.",
    "Query.memberFigures": "The same.",
    "Query.previewLeadOffers": "The planner, which is Python, makes it; the objects that it shows are compiled.",
}


async def test_every_field_can_be_compiled(api: Api) -> None:
    """Everything that a query can select, but for the exceptions above."""
    core = core_schema(schema)
    found = {f"{kind.name}.{name}" for kind, name in _fields_without_a_plan(core)}
    assert found == set(NOT_COMPILED)


def _fields_without_a_plan(core: GraphQLSchema) -> Iterator[tuple[GraphQLObjectType, str]]:
    query = core.query_type
    assert query is not None
    seen, waiting = {query.name}, [query]
    while waiting:
        kind = waiting.pop()
        for name, field in kind.fields.items():
            if f"{kind.name}.{name}" in NOT_COMPILED or not is_planned(field):
                yield kind, name
                continue
            named = get_named_type(field.type)
            if isinstance(named, GraphQLObjectType) and named.name not in seen:
                seen.add(named.name)
                waiting.append(named)


# Documents made at random from the schema.

HIDDEN = set(NOT_COMPILED)


def _object(field: GraphQLField) -> GraphQLObjectType:
    named = get_named_type(field.type)
    assert isinstance(named, GraphQLObjectType)
    return named


@st.composite
def selections(draw: st.DrawFn, kind: GraphQLObjectType, depth: int, fragments: list[str]) -> str:
    """A selection of `kind`. Each alias contains the name of its field, so that no two fields share one."""
    names = sorted(
        name for name in kind.fields if f"{kind.name}.{name}" not in HIDDEN and (depth or not _is_object(kind, name))
    )
    parts = []
    for name in draw(st.lists(st.sampled_from([*names, "__typename"]), min_size=1, max_size=4)):
        alias = draw(st.sampled_from(["", "", "", f"a_{name}: ", f"b_{name}: "]))
        directive = draw(
            st.sampled_from(["", "", "", "", " @include(if: $yes)", " @skip(if: $no)", " @skip(if: true)"])
        )
        below = ""
        if name != "__typename" and _is_object(kind, name):
            below = " " + draw(selections(_object(kind.fields[name]), depth - 1, fragments))
        part = f"{alias}{name}{_arguments(draw, kind, name)}{directive}{below}"
        match draw(st.sampled_from(["field", "field", "field", "inline", "typed", "named"])):
            case "inline":
                part = f"... @include(if: $yes) {{ {part} }}"
            case "typed":
                part = f"... on {kind.name} {{ {part} }}"
            case "named":
                fragments.append(f"fragment F{len(fragments)} on {kind.name} {{ {part} }}")
                part = f"...F{len(fragments) - 1}"
        parts.append(part)
    return f"{{ {' '.join(parts)} }}"


def _arguments(draw: st.DrawFn, kind: GraphQLObjectType, name: str) -> str:
    """The arguments of a page or a lookup. Pages nested in lists stay short, or the document would cost too much."""
    known = kind.fields[name].args if name != "__typename" else {}
    if "id" in known:
        return f"(id: {draw(IDS.filter(lambda value: value != 'null'))})"
    if "limit" not in known:
        counts = draw(st.sampled_from(["", "(where: {mine: true})", "(where: {status: {ne: SENT}})"]))
        return counts if name == "leadOfferCounts" else ""
    given = {"limit": draw(st.sampled_from(["0", "1", "3", "$few"])), "skip": draw(st.sampled_from(["0", "1"]))}
    if "where" in known:
        wheres, sorts = LISTS[known["where"].type.name.removesuffix("Where")]
        given["where"] = draw(st.sampled_from(["null", "{}", '{not: {id: {eq: "1"}}}', *wheres]))
        given["sort"] = draw(st.sampled_from(["null", "{field: ID, direction: DESC}", *sorts]))
    return f"({', '.join(f'{key}: {value}' for key, value in given.items())})"


LISTS: dict[str, tuple[list[str], list[str]]] = {
    "LeadOffer": (
        ['{rank: {gte: 1}, userId: {ne: "x"}}', "{notifyAt: {eq: null}}", "{mine: true}", "{not: {mine: true}}"],
        ["[{field: NOTIFY_AT}, {field: RANK}]"],
    ),
    "Lead": (
        [
            "{zipcode: {eq: null}}",
            '{externalId: {gte: "2"}, city: {ne: "Austin"}}',
            '{or: [{sourceId: {in: ["1"]}}, {listingPrice: {eq: null}}]}',
            '{contact: {firstName: {contains: "AR"}, email: {ne: null}}, claimed: false}',
            '{not: {contact: {mobilePhone: {startsWith: "+"}}}}',
            '{or: [{submitted: true}, {exhausted: false}, {rolloutTeamId: {in: ["1"]}}, {source: {}}]}',
        ],
        [
            "{field: CREATED_AT, direction: DESC}",
            "{field: CLAIMED_AT}",
            "{field: LISTING_PRICE}",
            "{field: CONTACT_LAST_NAME}",
            "[{field: CLAIMED_AT}, {field: CONTACT_LAST_NAME, direction: DESC}]",
            "{field: LISTING_PRICE, direction: DESC}",
        ],
    ),
    "Team": (['{name: {gt: "A"}}'], ["{field: NAME}"]),
    "TeamMember": (["{requestStatus: {eq: ACCEPTED}}"], ["{field: USER_ID}"]),
    "DistributionOption": ([], []),
    "Contact": (["{email: {ne: null}}", '{email: {eq: "MARY@example.com"}}'], ["{field: LAST_NAME}"]),
    "LeadRoute": ([], []),
    "LeadSource": ([], []),
    "ApiKey": (["{revokedAt: {eq: null}}"], ["{field: NAME}"]),
}


def _is_object(kind: GraphQLObjectType, name: str) -> bool:
    return name != "__typename" and is_composite_type(get_named_type(kind.fields[name].type))


IDS = st.sampled_from(['"1"', '"2"', '"0x"', '"99"', "null"])
ARGUMENTS = st.fixed_dictionaries(
    {},
    optional={
        "leadId": st.one_of(IDS, st.just("$id")),
        "where": st.sampled_from(
            [
                "{}",
                "$where",
                "{rank: {gte: 1}}",
                "{id: {in: [$id, 2]}}",
                "{notifyAt: {eq: null}}",
                "{or: [{rank: {eq: $number}}, {status: {ne: SENT}}]}",
                "{rank: {lt: null}}",
            ]
        ),
        "sort": st.sampled_from(
            ["[]", "{field: RANK}", "[{field: NOTIFY_AT, direction: DESC}, {field: STATUS}]", "[{field: USER_ID}]"]
        ),
        "limit": st.sampled_from(["0", "3", "100", "$number", "null", "-1"]),
        "skip": st.sampled_from(["0", "2", "$number"]),
    },
)
VARIABLES = st.fixed_dictionaries(
    {},
    optional={
        "id": st.sampled_from(["1", 2, "x", None]),
        "where": st.sampled_from([None, {}, {"hasCallAlert": {"ne": True}}, {"userId": {"nin": ["2", "z"]}}, {"x": 1}]),
        "number": st.sampled_from([0, 1, 3, None, -1, "3"]),
        "yes": st.booleans(),
        "no": st.booleans(),
    },
)
DEFINITIONS = {
    "few": "$few: Int = 2",
    "id": "$id: ID",
    "where": "$where: LeadOfferWhere = {rank: {ne: 7}}",
    "number": "$number: Int = 2",
    "yes": "$yes: Boolean! = true",
    "no": "$no: Boolean! = false",
}


@st.composite
def documents(draw: st.DrawFn) -> str:
    query = core_schema(schema).query_type
    assert query is not None
    fragments: list[str] = []
    arguments = draw(ARGUMENTS)
    written = f"({', '.join(f'{name}: {value}' for name, value in arguments.items())})" if arguments else ""
    page = query.fields["leadOffers"]
    body = f"leadOffers{written} {draw(selections(_object(page), 5, fragments))}"
    beside = draw(st.sampled_from(["", "", "__typename ", "x: ", "more"]))
    if beside == "more":
        name = draw(st.sampled_from(sorted(name for name in query.fields if f"Query.{name}" not in HIDDEN)))
        field = query.fields[name]
        below = draw(selections(_object(field), 3, fragments)) if _is_object(query, name) else ""
        beside = f"r{name}: {name}{_arguments(draw, query, name)} {below} "
    document = "\n".join([f"{{ {beside}{body} }}", *fragments])
    used = ", ".join(definition for name, definition in DEFINITIONS.items() if f"${name}" in document)
    return f"query ({used}) {document}" if used else document


@settings(examples(120), derandomize=True)
@given(document=documents(), first=VARIABLES, then=VARIABLES, asker=st.sampled_from(["alice", "bob", "charlie"]))
@pytest.mark.usefixtures("offers")
async def test_plans_and_resolvers_give_equal_responses_to_random_documents(
    api: Api, cast: Cast, document: str, first: dict[str, Any], then: dict[str, Any], asker: str
) -> None:
    viewer = api.user(getattr(cast, asker))
    for variables in (first, then):
        expected = await resolved(viewer, document, variables=variables)
        assert await planned(viewer, document, variables=variables) == expected


async def test_many_of_the_documents_made_at_random_had_a_plan(api: Api, cast: Cast, prepared: list[str]) -> None:
    """Otherwise the comparison above would compare the resolvers with themselves."""
    sample: list[tuple[str, dict[str, Any]]] = []

    @settings(max_examples=40, deadline=None, derandomize=True, database=None)
    @given(document=documents(), variables=VARIABLES)
    def draw(document: str, variables: dict[str, Any]) -> None:
        sample.append((document, variables))

    draw()
    viewer = api.user(cast.bob)
    for document, variables in sample:
        await planned(viewer, document, variables=variables)
    assert len(prepared) > len(sample) / 3


NEW_DOCUMENTS = 500 if FULL else 100


async def test_memory_stays_bounded_when_every_request_has_a_new_document(
    monkeypatch: pytest.MonkeyPatch, database_url: str, cast: Cast
) -> None:
    """The caches bound how much of what documents are compiled to stays alive."""
    for limit in ("TREES", "STATEMENTS"):
        monkeypatch.setattr(f"app.graphql.plans.{limit}", 20)
    monkeypatch.setattr("app.graphql.document_cache.MAX_CACHED_CHARACTERS", 1_500)
    async with serving(settings_for(database_url)) as api:
        viewer, before = api.user(cast.bob), _alive()
        for number in range(NEW_DOCUMENTS):
            await viewer.ask(f"{{ leads(limit: {number}) {{ total data {{ id a{number}: type }} }} }}")
        more = _alive() - before
    assert more[QueryTree] == more[CompiledQuery] == 20
    assert 0 < more[CachedDocument] <= 30


def _alive() -> Counter[type]:
    gc.collect()
    return Counter(type(each) for each in gc.get_objects() if isinstance(each, COMPILED))


COMPILED = (QueryTree, CompiledQuery, CachedDocument)
