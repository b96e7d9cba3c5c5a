"""GraphQL over HTTP: authentication, error codes, and the details that clients never see."""

import logging
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
import orjson
import pytest

from app.access.tokens import issue_token
from app.db.compiled import CompiledQuery
from tests.support.api import SECRET, Api, serving, settings_for
from tests.support.world import Cast, World

ME = "{ me { id } }"
TOTAL = "query ($where: LeadOfferWhere) { leadOffers(where: $where) { total } }"


def _token(user_id: int, key: str = SECRET, algorithm: str = "HS256", **claims: Any) -> str:
    default = {"sub": str(user_id), "scope": "read write", "exp": datetime.now(UTC) + timedelta(hours=1)}
    return jwt.encode({k: v for k, v in (default | claims).items() if v is not None}, key, algorithm)


async def test_a_valid_token_authenticates_its_user(api: Api, cast: Cast) -> None:
    assert await api.user(cast.bob).ask(ME) == {"me": {"id": str(cast.bob.id)}}


@pytest.mark.parametrize(
    "token",
    [
        pytest.param(lambda _: None, id="none"),
        pytest.param(lambda _: "nonsense", id="no token at all"),
        pytest.param(lambda i: _token(i, exp=datetime.now(UTC) - timedelta(seconds=1)), id="expired"),
        pytest.param(lambda i: _token(i, exp=None), id="never expires"),
        pytest.param(lambda i: _token(i, key="another key of 32 bytes and more"), id="another key"),
        pytest.param(lambda i: _token(i, algorithm="HS512"), id="another algorithm"),
        pytest.param(lambda i: _token(i, key="", algorithm="none"), id="not signed"),
        pytest.param(lambda _: _token(999), id="nobody's"),
        pytest.param(lambda i: _token(i, sub=None), id="no user"),
        pytest.param(lambda i: _token(i, sub=f" {i}"), id="no id"),
    ],
)
async def test_invalid_tokens_are_refused(api: Api, cast: Cast, token: Any) -> None:
    stranger = replace(api, token=token(cast.bob.id))
    answer = await stranger.post({"query": ME})
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"].startswith("Bearer")
    assert answer.json()["errors"][0]["extensions"]["code"] == "UNAUTHENTICATED"
    assert (await api.user(cast.bob).post({"query": ME})).status_code == 200


async def test_a_deactivated_user_is_refused_at_once(api: Api, world: World, cast: Cast) -> None:
    bob = api.user(cast.bob)
    assert (await bob.post({"query": ME})).status_code == 200
    cast.bob.is_active = False
    await world.add(cast.bob)
    assert (await bob.post({"query": ME})).status_code == 401


async def test_reading_needs_the_scope_read(api: Api, cast: Cast) -> None:
    for query in (ME, "{ __schema { queryType { name } } }"):
        assert (await api.user(cast.bob, "write").refusal(query))["code"] == "FORBIDDEN"
        assert await api.user(cast.bob, "read").ask(query)


@pytest.mark.parametrize(
    ("where", "field"),
    [
        ({"notifyAt": {"lt": "2020-01-01T00:00"}}, "where.notifyAt.lt"),
        ({"notifyAt": {"in": ["2020-01-01", "tomorrow"]}}, "where.notifyAt.in.1"),
        ({"and": [{}, {"rank": {"eq": "first"}}]}, "where.and.1.rank.eq"),
        ({"rank": {"gt": None}}, "where.rank.gt"),
        ({"id": {"lt": "x"}}, "where.id.lt"),
        ({"not": {"id": {"gte": "9223372036854775808"}}}, "where.not.id.gte"),
        ({"status": {"in": ["SENT", "LOST"]}}, "where.status.in.1"),
        ({"hasCallAlert": {"eq": "yes"}}, "where.hasCallAlert.eq"),
        ({"colour": {"eq": 1}}, "where"),
    ],
)
async def test_an_invalid_value_is_named_by_its_path(api: Api, cast: Cast, where: Any, field: str) -> None:
    """As a variable, and as a literal in the document."""
    bob = api.user(cast.bob)
    for query, variables in (
        (TOTAL, {"where": where}),
        (f"{{ leadOffers(where: {_literal(where)}) {{ total }} }}", {}),
    ):
        refusal = await bob.refusal(query, **variables)
        assert (refusal["code"], refusal["field"]) == ("BAD_USER_INPUT", field)


async def test_all_invalid_values_are_named(api: Api, cast: Cast) -> None:
    bob = api.user(cast.bob)
    where = {"rank": {"eq": "first"}, "notifyAt": {"eq": "tomorrow"}}
    named = ["where.notifyAt.eq", "where.rank.eq"]

    as_variable = await bob.refusal(TOTAL, where=where)
    assert sorted(problem["field"] for problem in as_variable["problems"]) == named

    as_literal = (await bob.send(f"{{ leadOffers(where: {_literal(where)}) {{ total }} }}"))["errors"]
    assert len(as_literal) == 1
    assert sorted(problem["field"] for problem in as_literal[0]["extensions"]["problems"]) == named

    negative = await bob.refusal("{ leadOffers(limit: -1, skip: -1) { total } }")
    assert [problem["field"] for problem in negative["problems"]] == ["limit", "skip"]


DUE = "leadOffers(where: {notifyAt: {lt: #}}) { total }"
IN_FRAGMENT = f"fragment F on Query {{ b: {DUE} }}"
AT = "leadOffers(where: {notifyAt: {in: [#, #]}}) { total }"


@pytest.mark.parametrize(
    ("query", "variables", "code", "places"),
    [
        (f"query ($d: DateTime) {{ a: {DUE} b: {DUE} }}".replace("#", "$d"), {"d": "x"}, "BAD_USER_INPUT", 1),
        (f"query ($d: DateTime!) {{ a: {AT} }}".replace("#", "$d"), {"d": "x"}, "BAD_USER_INPUT", 1),
        (f"query ($d: DateTime!) {{ a: {DUE} ...F }} {IN_FRAGMENT}".replace("#", "$d"), {}, "BAD_USER_INPUT", 1),
        (f"query ($d: Int) {{ a: {DUE} b: {DUE} }}".replace("#", "$d"), {"d": 1}, "GRAPHQL_VALIDATION_FAILED", 3),
        (f"query ($d: DateTime) {{ a: {AT} }}".replace("#", "$d"), {}, "GRAPHQL_VALIDATION_FAILED", 3),
        (f"{{ a: {DUE} b: {DUE} }}".replace("#", "$d"), {}, "GRAPHQL_VALIDATION_FAILED", 3),
        (f"{{ ...F ...F }} {IN_FRAGMENT}".replace("#", '"x"'), {}, "BAD_USER_INPUT", 1),
        (f"{{ a: {DUE} b: {DUE} }}".replace("#", '"x"'), {}, "BAD_USER_INPUT", 2),
    ],
)
async def test_an_invalid_value_is_reported_once(
    api: Api, cast: Cast, query: str, variables: dict[str, Any], code: str, places: int
) -> None:
    (error,) = (await api.user(cast.bob).send(query, **variables))["errors"]
    assert (error["extensions"]["code"], len(error["locations"])) == (code, places)
    assert "problems" not in error["extensions"]


async def test_an_invalid_variable_inside_a_literal_is_named_from_the_argument(api: Api, cast: Cast) -> None:
    query = "query ($at: DateTime!) { leadOffers(where: {or: [{notifyAt: {lt: $at}}]}) { total } }"
    for variables in ({"at": "soon"}, {}):
        refusal = await api.user(cast.bob).refusal(query, **variables)
        assert (refusal["code"], refusal["field"]) == ("BAD_USER_INPUT", "where.or.0.notifyAt.lt")


@pytest.mark.parametrize(
    ("where", "counted"),
    [
        ({"or": [{"rank": {"eq": 1}}] * 251}, "conditions"),
        ({"id": {"in": ["1"] * 1001}}, "values"),
        ({"not": {"not": {"not": {"not": {"not": {"not": {"not": {"not": {"not": {"not": {}}}}}}}}}}}, "levels"),
    ],
)
async def test_conditions_levels_values_and_sorts_are_limited(api: Api, cast: Cast, where: Any, counted: str) -> None:
    bob = api.user(cast.bob)
    for query, variables in (
        (TOTAL, {"where": where}),
        (f"{{ leadOffers(where: {_literal(where)}) {{ total }} }}", {}),
    ):
        answer = await bob.send(query, **variables)
        assert answer["errors"][0]["extensions"]["code"] == "QUERY_TOO_COMPLEX"
        assert counted in answer["errors"][0]["message"]
    for each in ({"rank": {"eq": 1}}, {"rank": {"ne": 1}}, {"id": {"nin": ["1", "2"]}}, {"not": {"id": {"in": ["1"]}}}):
        assert await bob.ask(TOTAL, where={"or": [each] * 249, "id": {"in": ["1"] * 1000}})


async def test_sorts_are_limited_to_five(api: Api, cast: Cast) -> None:
    query = "query ($sort: [LeadOfferSort!]) { leadOffers(sort: $sort) { total } }"
    assert await api.user(cast.bob).ask(query, sort=[{"field": "RANK"}] * 5)
    assert (await api.user(cast.bob).refusal(query, sort=[{"field": "RANK"}] * 6))["code"] == "QUERY_TOO_COMPLEX"


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("{", "GRAPHQL_PARSE_FAILED"),
        ("{ nope }", "GRAPHQL_VALIDATION_FAILED"),
        ("query A { me { id } } query B { me { id } }", "GRAPHQL_VALIDATION_FAILED"),
        ("fragment F on User { id }", "GRAPHQL_VALIDATION_FAILED"),
    ],
)
async def test_a_request_error_has_no_data(api: Api, cast: Cast, query: str, code: str) -> None:
    bob = api.user(cast.bob)
    for accept, status in (("application/json", 200), ("application/graphql-response+json", 400)):
        answer = await bob.post({"query": query}, Accept=accept)
        assert answer.status_code == status
        assert answer.headers["content-type"] == f"{accept}; charset=utf-8"
        assert answer.json()["errors"][0]["extensions"]["code"] == code
        assert "data" not in answer.json()


@pytest.mark.parametrize(
    "body", ["null", "12", '"x"', "[]", "{", '{"query": NaN}', '{"query": 1}', "{}", '{"query": ""}']
)
async def test_a_malformed_body_is_refused(api: Api, cast: Cast, body: str) -> None:
    bob = api.user(cast.bob)
    headers = {"Authorization": f"Bearer {bob.token}", "Content-Type": "application/json"}
    answer = await api.http.post("/graphql", content=body, headers=headers)
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["extensions"]["code"] == "BAD_REQUEST"


async def test_unsupported_methods_and_media_types_are_refused(api: Api, cast: Cast) -> None:
    bob = api.user(cast.bob)
    headers = {"Authorization": f"Bearer {bob.token}"}
    put = await api.http.put("/graphql", headers=headers)
    assert (put.status_code, put.headers["allow"]) == (405, "GET, POST")
    text = await api.http.post("/graphql", content="{}", headers=headers | {"Content-Type": "text/plain"})
    assert text.status_code == 415
    json = headers | {"Content-Type": "application/json"}
    zipped = await api.http.post("/graphql", content="{}", headers=json | {"Content-Encoding": "gzip"})
    assert (zipped.status_code, zipped.headers["accept-encoding"]) == (415, "identity")
    plain = await api.http.post("/graphql", json={"query": ME}, headers=json | {"Content-Encoding": "Identity"})
    assert plain.status_code == 200
    xml = await api.http.post("/graphql", json={"query": ME}, headers=headers | {"Accept": "text/xml"})
    assert xml.status_code == 406
    big = await api.http.post("/graphql", json={"query": "#" * 1024 * 1024}, headers=headers)
    assert big.status_code == 413


async def test_get_executes_queries_but_not_mutations(api: Api, cast: Cast) -> None:
    headers = {"Authorization": f"Bearer {api.user(cast.bob).token}"}
    variables = orjson.dumps({"where": {"id": {"eq": "1"}}}).decode()
    answer = await api.http.get("/graphql", params={"query": TOTAL, "variables": variables}, headers=headers)
    assert answer.json() == {"data": {"leadOffers": {"total": 0}}}
    submit = "mutation { submitLeadOffers(leadId: 1) { createdCount } }"
    refused = await api.http.get("/graphql", params={"query": submit}, headers=headers)
    assert (refused.status_code, refused.headers["allow"]) == (405, "POST")


async def test_an_unexpected_failure_is_logged_and_hidden_from_the_client(
    api: Api, cast: Cast, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def fail(*_args: object, **_options: object) -> None:
        raise RuntimeError("the secret of the house")

    monkeypatch.setattr(CompiledQuery, "fetch", fail)
    with caplog.at_level(logging.ERROR):
        answer = await api.user(cast.bob).post({"query": TOTAL}, **{"X-Request-ID": "req-7"})
    assert answer.status_code == 500
    assert answer.json()["errors"][0]["extensions"] == {"code": "INTERNAL_SERVER_ERROR"}
    assert "secret" not in answer.text
    assert "the secret of the house" in caplog.text
    assert answer.headers["x-request-id"] == "req-7"


async def test_listed_origins_may_call(database_url: str) -> None:
    async with serving(settings_for(database_url, cors_origins=("https://app.example.com",))) as api:
        for origin, allowed in (("https://app.example.com", True), ("https://evil.example.com", False)):
            preflight = await api.http.options(
                "/graphql",
                headers={
                    "Origin": origin,
                    "Access-Control-Request-Method": "POST",
                    "Access-Control-Request-Headers": "authorization, content-type",
                },
            )
            assert (preflight.headers.get("access-control-allow-origin") == origin) is allowed


def test_a_token_cannot_be_issued_without_a_key(database_url: str) -> None:
    with pytest.raises(ValueError, match="LEAD_OFFERS_JWT_SECRET"):
        issue_token(settings_for(database_url).model_copy(update={"jwt_secret": None}), 1, "read", 1, datetime.now(UTC))


def _literal(value: Any) -> str:
    """A value as it stands in a document."""
    match value:
        case dict():
            return "{" + ", ".join(f"{name}: {_literal(item)}" for name, item in value.items()) + "}"
        case list():
            return "[" + ", ".join(map(_literal, value)) + "]"
        case "SENT" | "LOST":
            return str(value)
    return orjson.dumps(value).decode()
