"""The REST API: query strings in every notation, visibility of offers, and error messages."""

from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

import pytest

from app.db.models import LeadOffer, User
from app.domain.enums import LeadOfferStatus
from app.rest.filter_fields import FILTER_FIELDS
from tests.support.api import Api
from tests.support.world import Cast, World


@pytest.fixture
async def leader(world: World) -> User:
    """The creator of five offers of lead 3 by the teams 3 and 4. Offer 4 is an imported one with few fields."""
    leader = await world.user("Grace", id=1)
    old, team = await world.team(leader, id=3), await world.team(leader, id=4)
    lead = await world.lead(leader, team, id=3)
    agents = [await world.user(id=i) for i in range(11, 15)]
    await world.offer(lead, agents[0], old, id=1, rank=1, assign_automatically=True, notify_at=_at("2019-12-31"))
    await world.offer(lead, agents[1], id=2, rank=1, has_email_alert=False, notify_at=_at("2020-01-01"))
    await world.offer(lead, agents[2], id=3, rank=2, assign_automatically=True, notify_at=_at("2020-06-01"))
    await world.add(LeadOffer(id=4, lead_id=3, offered_by_id=1, status=LeadOfferStatus.SENT))
    await world.offer(lead, agents[3], id=5, rank=30, status=LeadOfferStatus.EXPIRED, notify_at=_at("2021-01-01"))
    return leader


def _at(day: str) -> datetime:
    return datetime.fromisoformat(day).replace(tzinfo=UTC)


async def _ids(api: Api, query: str) -> list[int]:
    answer = await api.rest("GET", f"/leads/3/offers?{query}")
    assert answer.status_code == 200, answer.text
    return [offer["id"] for offer in answer.json()["data"]]


async def _refused(api: Api, status: int, address: str, method: str = "GET", **options: Any) -> dict[str, Any]:
    answer = await api.rest(method, address, **options)
    error: dict[str, Any] = answer.json()
    assert (answer.status_code, error["code"]) == (status, status), error
    assert set(error) == {"name", "message", "code", "className", "data", "errors"}
    return error


EXAMPLES = [
    ("", [1, 2, 3, 4, 5]),
    ("team_id[$in]=4&$limit=2&$sort[notify_at]=-1", [5, 3]),
    ("rank=1&assign_automatically=true", [1]),
    ("team_id[$ne]=3", [2, 3, 4, 5]),
    ("team_id[$in]=4", [2, 3, 5]),
    ("team_id[$nin]=4", [1, 4]),
    ("notify_at[$lt]=2020-01-01T00:00:00Z", [1]),
    ("notify_at[$lte]=2020-01-01T00:00:00Z", [1, 2]),
    ("notify_at[$gt]=2020-01-01T00:00:00Z", [3, 5]),
    ("notify_at[$gte]=2020-01-01T00:00:00Z", [2, 3, 5]),
    ("notify_at[$gte]=2020-01-01T00:00:00Z&notify_at[$lt]=2021-01-01T00:00:00Z", [2, 3]),
    ("$limit=2&$skip=2", [3, 4]),
    ("$sort[notify_at]=-1", [5, 3, 2, 1, 4]),
    ("$sort[notify_at]=1", [1, 2, 3, 5, 4]),
    ("notify_at[$gt]=2012-09-27", [1, 2, 3, 5]),
    ("notify_at[$lt]=2012-09-27T09:15:00Z", []),
    ("notify_at[$gt]=2012-09-27T09:15:00-07:00", [1, 2, 3, 5]),
]
"""Examples in the documentation of the original API, and the ids of the offers they find here."""


@pytest.mark.parametrize(("query", "ids"), EXAMPLES)
async def test_examples_of_the_original_documentation(api: Api, leader: User, query: str, ids: list[int]) -> None:
    assert await _ids(api.user(leader), query) == ids
    assert await _ids(api.user(leader), quote(query, safe="=&")) == ids


ENQUIRY: dict[str, Any] = {
    "listing_price": 450_000,
    "mls_id": "ML1000002",
    "listing_status": "For Sale",
    "street_address": "12 Maple Avenue",
    "city": "Armonk",
    "state": "NY",
    "language": "en",
    "external_id": "4711",
}
NO_ENQUIRY = {"text_body": None, **dict.fromkeys(ENQUIRY)}


async def test_the_lead_of_an_offer_says_what_was_asked(api: Api, world: World, cast: Cast) -> None:
    """Everybody who sees the offer can read it, but for the text: only the creator and the holder of the lead can."""
    lead = await world.lead(cast.alice, cast.team, message="Hello\nMary", **ENQUIRY)
    leader = await world.user()
    offers = [await world.offer(lead, cast.bob), await world.offer(lead, cast.charlie, offered_by_id=leader.id)]

    async def shown(user: User, offer: LeadOffer) -> dict[str, Any]:
        found: dict[str, Any] = (await api.user(user).rest("GET", f"/leads/{lead.id}/offers/{offer.id}")).json()["lead"]
        (listed,) = [
            each["lead"]
            for each in (await api.user(user).rest("GET", f"/leads/{lead.id}/offers")).json()["data"]
            if each["id"] == offer.id
        ]
        assert found == listed
        assert {name: found[name] for name in ENQUIRY} == ENQUIRY
        return found

    for user, offer, text in (
        (cast.alice, offers[0], "Hello\nMary"),
        (cast.bob, offers[0], None),
        (cast.charlie, offers[1], None),
        (leader, offers[1], None),
    ):
        assert (await shown(user, offer))["text_body"] == text
    await world.claimed(lead, cast.bob)
    assert (await shown(cast.bob, offers[0]))["text_body"] == "Hello\nMary"
    assert (await shown(cast.charlie, offers[1]))["text_body"] is None


async def test_a_submit_shows_the_creator_the_text(api: Api, world: World, cast: Cast) -> None:
    lead = await world.lead(cast.alice, cast.team, message="Hello", external_id="4711")
    (offer,) = (await api.user(cast.alice).rest("POST", f"/leads/{lead.id}/offers", json={})).json()["data"]
    assert (offer["lead"]["text_body"], offer["lead"]["external_id"]) == ("Hello", "4711")


async def test_an_offer_has_the_documented_fields(api: Api, world: World) -> None:
    leader = await world.user(id=1)
    agent = await world.user("Dorothy", last_name="Vaughan", email="dot@example.com", id=5)
    team = await world.team(leader, name="IBM", id=6)
    lead = await world.lead(leader, team, await world.contact(leader, id=2), id=2)
    sent = datetime(2018, 1, 16, 9, 9, 9, tzinfo=UTC)
    channels: dict[str, Any] = {"has_call_alert": True, "has_text_alert": False, "has_email_alert": True}
    await world.offer(lead, agent, id=1, rank=3, assign_automatically=True, notify_at=sent, **channels)
    offer = {
        "id": 1,
        "lead": {
            "id": 2,
            "distribution_target": "Team Rollout",
            "contact": {"id": 2, "first_name": "Mary", "last_name": "Jackson"},
            **NO_ENQUIRY,
        },
        "user": {"id": 5, "first_name": "Dorothy", "last_name": "Vaughan", "email": "dot@example.com"},
        "notify_at": "2018-01-16T09:09:09.000Z",
        "rank": 3,
        "assign_automatically": True,
        **channels,
        "team": {"id": 6, "name": "IBM"},
    }
    for one in (leader, agent):
        assert (await api.user(one).rest("GET", "/leads/2/offers/1")).json() == offer
        page = (await api.user(one).rest("GET", "/leads/2/offers")).json()
        assert page == {"total": 1, "limit": 10, "skip": 0, "data": [offer]}


async def test_unknown_fields_of_an_imported_offer_are_null(api: Api, leader: User) -> None:
    offer = (await api.user(leader).rest("GET", "/leads/3/offers/4")).json()
    assert [offer[name] for name in ("user", "team", "notify_at", "rank", "has_email_alert")] == [None] * 5


MANY = ",".join(str(i) for i in range(2, 40))

SPELLINGS = [
    ("team_id[$in]=4&team_id[$in]=3", [1, 2, 3, 5]),
    ("team_id[$in][]=4", [2, 3, 5]),
    ("team_id[$in][]=4&team_id[$in][]=3", [1, 2, 3, 5]),
    ("team_id[$in][0]=4", [2, 3, 5]),
    ("team_id[$in][0]=4&team_id[$in][1]=3", [1, 2, 3, 5]),
    ("team_id[$in][1]=4&team_id[$in][0]=3", [1, 2, 3, 5]),
    ("team_id[$in]=4,3", [1, 2, 3, 5]),
    ("team_id[$in]=4&team_id[$in][]=3", [1, 2, 3, 5]),
    ("team_id[$in][]=4,3", [1, 2, 3, 5]),
    ("&".join(f"rank[$in][{i}]={i}" for i in range(31)), [1, 2, 3, 5]),
    ("&".join(f"rank[$in]={i}" for i in range(2, 31)), [3, 5]),
    ("&".join(f"rank[$in][]={i}" for i in range(2, 31)), [3, 5]),
    (f"rank[$in]={MANY}", [3, 5]),
    (f"rank[$nin]={MANY}", [1, 2, 4]),
    ("rank=", [4]),
    ("rank", [4]),
    ("rank=null", [4]),
    ("rank[$ne]=", [1, 2, 3, 5]),
    ("rank[$ne]=null", [1, 2, 3, 5]),
    ("rank[$ne]=1", [3, 4, 5]),
    ("rank[$lt]=2", [1, 2]),
    ("team_id=4&rank[$gt]=1&rank[$lte]=2", [3]),
    ("rank[$in][]=1&rank=1&rank[$in][]=2&rank[$lt]=9&rank[$in]=30", [1, 2]),
    ("$or[0][rank][$in]=1,2&$or[0][rank]=2&$or[0][rank][$ne]=5", [3]),
    ("id[$gt]=3", [4, 5]),
    ("user_id=", [4]),
    ("lead_id=4", []),
    ("lead_id=3&$limit=1", [1]),
    ("team_id=0", []),
    ("team_id[$ne]=99999999999999999999", [1, 2, 3, 4, 5]),
    ("team_id[$nin]=0,-1", [1, 2, 3, 4, 5]),
    ("assign_automatically=false", [2, 4, 5]),
    ("assign_automatically[$ne]=false", [1, 3]),
    ("has_email_alert=", [4]),
    ("has_email_alert[$in]=true,false", [1, 2, 3, 5]),
    ("has_call_alert[$nin]=true", [1, 2, 3, 4, 5]),
    ("has_text_alert[$ne]=null", []),
    ("status=Sent", [1, 2, 3, 4]),
    ("status[$ne]=Sent", [5]),
    ("status[$in]=Expired,Claimed", [5]),
    ("notify_at=2020-01-01T07:00:00+07:00", [2]),
    ("notify_at=2020-01-01T07:00:00%2B07:00", [2]),
    ("notify_at[$in]=2019-12-31,2020-01-01T00:00:00.000Z", [1, 2]),
    ("notify_at=", [4]),
    ("$or[0][rank]=2&$or[1][notify_at]=", [3, 4]),
    ("$or[][rank]=2", [3]),
    ("$or[0][rank]=2&$or[1][rank]=1&assign_automatically=true", [1, 3]),
    ("$and[0][rank]=1&$and[1][team_id]=4", [2]),
    ("$and[0][$or][0][rank]=1&$and[0][$or][1][rank]=30&$and[1][team_id]=4", [2, 5]),
    ("$or=", [1, 2, 3, 4, 5]),
    ("$sort[rank]=1&$sort[team_id]=-1", [2, 1, 3, 5, 4]),
    ("$sort[rank]=-1&$sort[id]=-1", [5, 3, 2, 1, 4]),
    ("$sort=", [1, 2, 3, 4, 5]),
    ("$limit=&$skip=null", [1, 2, 3, 4, 5]),
    ("$limit=0", []),
    ("$limit=1000", [1, 2, 3, 4, 5]),
    ("$skip=5", []),
    ("&&rank=1&", [1, 2]),
]


@pytest.mark.parametrize(("query", "ids"), SPELLINGS)
async def test_every_notation_of_a_query_string(api: Api, leader: User, query: str, ids: list[int]) -> None:
    assert await _ids(api.user(leader), query) == ids
    encoded = query.replace("[", "%5B").replace("]", "%5D").replace("$", "%24")
    assert await _ids(api.user(leader), encoded) == ids


MISTAKES = [
    ("colour=1", "colour"),
    ("colour[$in]=1", "colour"),
    ("lead=3", "lead"),
    ("$nor[0][rank]=1", "$nor"),
    ("rank[$like]=1", "rank[$like]"),
    ("rank[$eq]=1", "rank[$eq]"),
    ("rank[gt]=1", "rank[gt]"),
    ("status[$lt]=Sent", "status[$lt]"),
    ("has_call_alert[$gte]=true", "has_call_alert[$gte]"),
    ("rank=first", "rank"),
    ("rank=1.5", "rank"),
    ("rank=2147483648", "rank"),
    ("rank=٣", "rank"),
    ("rank=1&rank=2", "rank"),
    ("$or[0][rank]=1&$or[0][rank]=2", "$or[0][rank]"),
    ("rank[]=1", "rank[0]"),
    ("rank[$gt]=", "rank[$gt]"),
    ("rank[$gt]=1&rank[$gt]=2", "rank[$gt]"),
    ("rank[$in]=", "rank[$in]"),
    ("rank[$in]=1,null", "rank[$in]"),
    ("rank[$in][x]=1", "rank[$in]"),
    ("rank[$ne][$gt]=1", "rank[$ne]"),
    ("team_id=IBM", "team_id"),
    ("team_id[$in]=4,x", "team_id[$in]"),
    ("id[$gt]=0", "id[$gt]"),
    ("notify_at[$lt]=yesterday", "notify_at[$lt]"),
    ("notify_at[$lt]=2020-01-01T00:00:00", "notify_at[$lt]"),
    ("notify_at=2020-02-30", "notify_at"),
    ("assign_automatically=yes", "assign_automatically"),
    ("status=SENT", "status"),
    ("$or[0][rank]=x", "$or[0][rank]"),
    ("$and[0][$or][1][colour]=1", "$and[0][$or][1][colour]"),
    ("$or[0][$limit]=1", "$or[0][$limit]"),
    ("$or[rank]=1", "$or"),
    ("$or=1", "$or"),
    ("$or[0]=1", "$or"),
    ("$limit=-1", "$limit"),
    ("$limit=many", "$limit"),
    ("$limit=1&$limit=2", "$limit"),
    ("$limit[$gt]=1", "$limit"),
    ("$skip=-1", "$skip"),
    ("$skip=2147483648", "$skip"),
    ("$sort=rank", "$sort"),
    ("$sort[colour]=1", "$sort[colour]"),
    ("$sort[rank]=desc", "$sort[rank]"),
    ("$sort[rank]=1&$sort[rank]=-1", "$sort[rank]"),
    ("$select=colour", "$select"),
    ("$select=id&$select=lead_id", "$select"),
    ("$select=", "$select"),
    ("%00=%ff", "\0"),
]


@pytest.mark.parametrize(("query", "field"), MISTAKES)
async def test_an_invalid_parameter_is_named(api: Api, leader: User, query: str, field: str) -> None:
    error = await _refused(api.user(leader), 400, f"/leads/3/offers?{query}")
    assert (error["name"], error["className"]) == ("BadRequest", "bad-request")
    assert error["data"] == {"code": "BAD_USER_INPUT", "field": field}
    assert list(error["errors"]) == [field]
    assert error["message"] == f"{field}: {error['errors'][field]}"


async def test_all_invalid_parameters_are_listed(api: Api, leader: User) -> None:
    error = await _refused(api.user(leader), 400, "/leads/3/offers?rank=x&$limit=-1&$sort[id]=0")
    assert set(error["errors"]) == {"rank", "$limit", "$sort[id]"}


async def test_a_number_that_is_a_list_or_a_mapping_is_not_quoted(api: Api, leader: User) -> None:
    error = await _refused(api.user(leader), 400, "/leads/3/offers?$limit=1&$limit=2&$skip[x]=3")
    assert error["errors"] == dict.fromkeys(("$limit", "$skip"), "must have one value")


def _nested(levels: int) -> str:
    return f"$and[0]{'[$or][0]' * (levels - 1)}[rank]=1"


@pytest.mark.parametrize(
    "query",
    [
        "&".join(f"$or[{i}][rank]={i}" for i in range(251)),
        f"rank[$in]={','.join(map(str, range(1001)))}",
        "&".join(f"rank[$nin][{i}]={i}" for i in range(1001)),
        "&".join(f"rank[$nin]={i}" for i in range(1001)),
        "&".join(f"$or[{i}][rank][$in]={'1,' * 999}1" for i in range(6)),
        _nested(10),
        _nested(40),
        "&".join(f"$sort[{name}]=1" for name in list(FILTER_FIELDS)[:6]),
        "&" * 1_500,
    ],
)
async def test_a_query_above_a_limit_is_rejected(api: Api, leader: User, query: str) -> None:
    error = await _refused(api.user(leader), 400, f"/leads/3/offers?{query}")
    assert error["data"]["code"] == "QUERY_TOO_COMPLEX"
    assert error["data"]["counted"] > error["data"]["allowed"] > 0
    assert f"Too many {error['data']['what']}: {error['data']['counted']}. At most" in error["message"]
    assert set(error["data"]) == {"code", "counted", "allowed", "what"}


@pytest.mark.parametrize(
    "query",
    [
        "&".join(f"$or[{i}][rank]={i}" for i in range(250)),
        f"rank[$in]={','.join(map(str, range(1000)))}",
        "&".join(f"rank[$in][{i}]={i}" for i in range(1000)),
        _nested(9),
        "&".join(f"$sort[{name}]=1" for name in list(FILTER_FIELDS)[:5]),
        "&" * 1_499,
    ],
)
async def test_a_query_at_a_limit_is_accepted(api: Api, leader: User, query: str) -> None:
    await _ids(api.user(leader), query)


@pytest.mark.parametrize(
    "query",
    [
        "$select=rank,team",
        "$select=rank&$select=team",
        "$select[]=rank&$select[]=team",
        "$select[0]=team&$select[1]=rank",
    ],
)
async def test_select_returns_the_fields_and_the_id(api: Api, leader: User, query: str) -> None:
    one = (await api.user(leader).rest("GET", f"/leads/3/offers/1?{query}")).json()
    assert one == {"id": 1, "rank": 1, "team": {"id": 3, "name": one["team"]["name"]}}
    page = (await api.user(leader).rest("GET", f"/leads/3/offers?$limit=1&{query}")).json()
    assert page["data"] == [one]


async def test_a_page_has_its_effective_limit_and_the_total(api: Api, leader: User) -> None:
    page = (await api.user(leader).rest("GET", "/leads/3/offers?$limit=1000&$skip=4&rank[$ne]=7")).json()
    assert (page["total"], page["limit"], page["skip"], len(page["data"])) == (5, 100, 4, 1)
    page = (await api.user(leader).rest("GET", "/leads/3/offers?$limit=0&rank=1")).json()
    assert page == {"total": 2, "limit": 0, "skip": 0, "data": []}


async def test_users_find_only_offers_they_can_see(api: Api, world: World, cast: Cast) -> None:
    """Alice created the offers, Bob has one of them, Charlie cannot see the lead."""
    lead = await world.lead(cast.alice, cast.team)
    mine, other = await world.offer(lead, cast.bob), await world.offer(lead, await world.user())
    address = f"/leads/{lead.id}/offers"
    assert (await api.user(cast.alice).rest("GET", address)).json()["total"] == 2
    page = (await api.user(cast.bob).rest("GET", address)).json()
    assert [offer["id"] for offer in page["data"]] == [mine.id]
    assert (await api.user(cast.bob).rest("GET", f"{address}/{mine.id}")).status_code == 200
    for user, hidden in ((cast.bob, f"{address}/{other.id}"), (cast.charlie, f"{address}/{mine.id}")):
        assert (await _refused(api.user(user), 404, hidden))["data"] == {"code": "NOT_FOUND"}
    assert (await _refused(api.user(cast.charlie), 404, address))["name"] == "NotFound"


async def test_a_lead_without_visible_offers(api: Api, world: World, cast: Cast) -> None:
    unoffered, ahead = await world.lead(cast.alice, cast.team), await world.lead(cast.alice, cast.team)
    await world.offer(ahead, cast.bob, status=LeadOfferStatus.SCHEDULED, notify_at=_at("2030-01-01"))
    for lead, query in ((unoffered, ""), (ahead, "rank=7")):
        page = (await api.user(cast.alice).rest("GET", f"/leads/{lead.id}/offers?{query}")).json()
        assert (page["total"], page["data"]) == (0, [])
    assert (await api.user(cast.bob).rest("GET", f"/leads/{ahead.id}/offers?rank=7")).status_code == 200
    await _refused(api.user(cast.bob), 404, f"/leads/{unoffered.id}/offers")


@pytest.mark.parametrize("lead_id", ["99", "0", "-1", "x", "9223372036854775808", "1.0", "%201", "1%00", "٣"])
async def test_impossible_ids_are_not_found(api: Api, leader: User, lead_id: str) -> None:
    await _refused(api.user(leader), 404, f"/leads/{lead_id}/offers")
    await _refused(api.user(leader), 404, f"/leads/{lead_id}/offers/1")
    await _refused(api.user(leader), 404, f"/leads/3/offers/{lead_id}")


async def test_an_offer_is_found_only_under_its_own_lead(api: Api, world: World, leader: User) -> None:
    other = await world.lead(leader)
    await _refused(api.user(leader), 404, f"/leads/{other.id}/offers/1")


async def test_a_single_offer_accepts_no_filters(api: Api, leader: User) -> None:
    error = await _refused(api.user(leader), 400, "/leads/3/offers/1?rank=1&$limit=2")
    assert set(error["errors"]) == {"rank", "$limit"}


async def test_me(api: Api, cast: Cast) -> None:
    bob = cast.bob
    me = {"id": bob.id, "first_name": "Bob", "last_name": "Example", "email": bob.email, "timezone": bob.timezone}
    assert (await api.user(bob).rest("GET", "/me")).json() == me
    assert (await api.user(bob).rest("GET", "/me?$select=email")).json() == {"id": bob.id, "email": bob.email}


async def test_tokens_and_scopes(api: Api, leader: User) -> None:
    for address in ("/me", "/leads/3/offers", "/leads/3/offers/1", "/leads/99/offers?colour=1"):
        assert (await _refused(api, 401, address))["name"] == "NotAuthenticated"
        assert (await _refused(api.user(leader, "write"), 403, address))["data"] == {"code": "FORBIDDEN"}
    assert (await api.rest("GET", "/me")).headers["www-authenticate"].startswith("Bearer")
    assert (await api.user(leader, "read").rest("GET", "/leads/3/offers/1")).status_code == 200


@pytest.mark.parametrize("address", ["//leads/3/offers", "///leads/3/offers?rank=1", "//leads/3/offers/1", "//me"])
async def test_double_slashes_are_accepted(api: Api, leader: User, address: str) -> None:
    assert (await api.user(leader).rest("GET", f"http://test{address}")).status_code == 200


@pytest.mark.parametrize("address", ["//metrics", "//readyz", "///healthz", "//graphql", "//", "//lead", "//claim/x"])
async def test_double_slashes_of_other_addresses_are_not(api: Api, leader: User, address: str) -> None:
    assert (await api.user(leader).rest("GET", f"http://test{address}")).status_code == 404


async def test_other_methods_are_rejected(api: Api, leader: User) -> None:
    client = api.user(leader)
    for address, allowed in (
        ("/leads/3/offers", "GET, HEAD, OPTIONS, POST"),
        ("/leads/3/offers/1", "GET, HEAD, OPTIONS"),
        ("/me", "GET, HEAD, OPTIONS"),
    ):
        for method in {"POST", "PUT", "PATCH", "DELETE", "TRACE", "BREW"} - set(allowed.split(", ")):
            answer = await client.rest(method, address)
            assert (answer.status_code, answer.headers["allow"]) == (405, allowed)
            assert answer.json()["name"] == "MethodNotAllowed"
        options = await api.rest("OPTIONS", address)
        assert (options.status_code, options.headers["allow"], options.content) == (204, allowed, b"")
        head, get = await client.rest("HEAD", address), await client.rest("GET", address)
        assert (head.status_code, head.headers["content-length"]) == (200, get.headers["content-length"])
    assert (await api.rest("HEAD", "/me")).status_code == 401


async def test_unknown_paths_are_not_found(api: Api, leader: User) -> None:
    for address in ("/leads/3", "/intake", "/intake/1/2", "/leads/3/offers/1/2", "http://test//leads/3/deals"):
        assert (await _refused(api.user(leader), 404, address))["data"] == {"code": "NOT_FOUND"}


async def test_an_unexpected_exception_hides_its_cause(
    api: Api, leader: User, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def fail(*_args: Any, **_named: Any) -> None:
        raise RuntimeError("the secret")

    monkeypatch.setattr("app.rest.handlers.fetch_page", fail)
    error = await _refused(api.user(leader), 500, "/leads/3/offers")
    assert (error["name"], error["data"]) == ("GeneralError", {"code": "INTERNAL_SERVER_ERROR"})
    assert "secret" not in str(error)
    assert "the secret" in caplog.text


async def test_the_statements_of_a_page_do_not_depend_on_its_length(api: Api, leader: User) -> None:
    """One for the viewer, one for the page with its total, one for related rows."""
    statements = api.statements()
    for address in ("/leads/3/offers?$limit=1", "/leads/3/offers?$limit=5", "/leads/3/offers/1"):
        statements.clear()
        assert (await api.user(leader).rest("GET", address)).status_code == 200
        assert len(statements) == 3


async def test_an_invalid_value_is_reported_once(api: Api, leader: User) -> None:
    for query in (
        "$select=nope,nope",
        "$select[]=nope&$select[]=nope",
        "rank[$in]=x,x",
        "nope=1&nope=2",
        "$sort[x]=1&$sort[x]=1",
    ):
        error = await _refused(api.user(leader), 400, f"/leads/3/offers?{query}")
        assert len(error["errors"]) == 1
        assert error["message"].count("; ") == error["message"].count("; use")
