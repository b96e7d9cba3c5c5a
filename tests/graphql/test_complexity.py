"""The limits of documents, which are checked in one pass before a document is validated or executed."""

from typing import Any
from unittest.mock import patch

import pytest
from graphql import (
    get_introspection_query,
    get_named_type,
    get_nullable_type,
    is_list_type,
    is_object_type,
    parse,
    validate,
)

from app.graphql import complexity, document_cache, errors
from app.graphql.complexity import ASSUMED_ITEMS, ComplexityCalculator
from app.graphql.schema import schema
from app.graphql.strawberry_internals import core_schema
from tests.support.api import Api, serving, settings_for
from tests.support.world import Cast

PAGE = "query ($n: Int = 100) { leadOffers(limit: $n) { data { id lead { offers(limit: $n) { data { id } } } } } }"


async def too_complex(api: Api, query: str, **variables: Any) -> str:
    answer = await api.send(query, **variables)
    assert [error["extensions"]["code"] for error in answer["errors"]] == ["QUERY_TOO_COMPLEX"], answer
    assert "data" not in answer
    message: str = answer["errors"][0]["message"]
    return message


def lines(count: int, line: str) -> str:
    return " ".join(line.replace("#", str(i)).replace("%", str(i + 1)) for i in range(count))


@pytest.mark.parametrize(
    ("limit", "allowed", "query", "counted"),
    [
        ("MAX_CHARACTERS", 11, "{ me { id } }", "characters: 13. At most 11"),
        ("MAX_CHARACTERS", 20, "{ me { id } } # a comment", "characters: 25. At most 20"),
        ("MAX_TOKENS", 5, "{ me { id } }", "more than 5 tokens"),
        ("MAX_TOKENS", 6, "{ me { id } }\n#\n#", "more than 6 tokens"),
        ("MAX_OPERATIONS", 1, "query A { me { id } } query B { me { id } }", "operations: 2. At most 1"),
        ("MAX_FIELDS", 3, "{ me { id id id } }", "fragments expanded: 4. At most 3"),
        ("MAX_FIELDS", 4, "{ me { ...F ...F } } fragment F on User { id email }", "fragments expanded: 5. At most 4"),
        ("MAX_ALIASES", 1, "{ a: me { ...F } } fragment F on User { b: id }", "aliases: 2. At most 1"),
        (
            "MAX_DIRECTIVES",
            1,
            "{ me { id @skip(if: false) ...F @skip(if: false) } } fragment F on User { id }",
            "2. At most 1",
        ),
        ("MAX_DIRECTIVES", 0, "query @skip(if: true) { me { id } }", "directives: 1. At most 0"),
        ("MAX_DIRECTIVES_PER_FIELD", 1, "{ me { id @skip(if: false) @include(if: true) } }", "one field: 2. At most 1"),
    ],
)
async def test_fixed_limits(
    database_url: str,
    cast: Cast,
    monkeypatch: pytest.MonkeyPatch,
    limit: str,
    allowed: int,
    query: str,
    counted: str,
) -> None:
    """A document is refused by a limit below its size, and accepted by a limit that it fits."""
    for value, refused in ((allowed, True), (allowed * 2 + 1, False)):
        for module in (complexity, document_cache):
            monkeypatch.setattr(module, limit, value, raising=False)
        async with serving(settings_for(database_url)) as api:
            bob = api.user(cast.bob)
            if refused:
                assert counted in await too_complex(bob, query)
            else:
                assert "QUERY_TOO_COMPLEX" not in (await bob.post({"query": query})).text


@pytest.mark.parametrize(
    ("setting", "allowed", "query", "counted"),
    [
        ("max_depth", 3, "{ leadOffers { data { lead { id } } } }", "levels of fields: 4. At most 3"),
        (
            "max_depth",
            1,
            "{ ...on Query { ...F } } fragment F on Query { me { id } }",
            "levels of fields: 2. At most 1",
        ),
        ("max_cost", 5, "{ leadOffers(limit: 2) { data { id rank } } }", "may hold: 6. At most 5"),
        ("max_cost", 21, "{ leadOffers { data { id rank } } }", "may hold: 22. At most 21"),
        ("max_cost", 201, "{ leadOffers(limit: 5000) { data { id rank } } }", "may hold: 202. At most 201"),
        ("max_cost", 81, "{ leads(limit: 2) { data { id message } } }", "may hold: 82. At most 81"),
        ("max_cost", 3, "{ leadOffers(limit: 0) { total skip data { id lead { id } } } }", "may hold: 4. At most 3"),
    ],
)
async def test_limits_of_the_settings(
    database_url: str, cast: Cast, setting: str, allowed: int, query: str, counted: str
) -> None:
    """A document is refused by a setting below its size, and accepted by a setting that it fits."""
    for value, refused in ((allowed, True), (allowed * 2 + 1, False)):
        async with serving(settings_for(database_url, **{setting: value})) as api:
            bob = api.user(cast.bob)
            if refused:
                assert counted in await too_complex(bob, query)
            else:
                assert "QUERY_TOO_COMPLEX" not in (await bob.post({"query": query})).text


@pytest.mark.parametrize(
    ("variables", "cost"),
    [
        ({}, 10_402),
        ({"n": 1}, 7),
        ({"n": None}, 142),
        ({"n": 0}, 2),
        ({"n": 5000}, 10_402),
        ({"n": "many"}, 10_402),
        ({"n": 10.0}, 10_402),
    ],
)
async def test_a_page_costs_as_many_items_as_its_limit(
    database_url: str, cast: Cast, variables: dict[str, Any], cost: int
) -> None:
    async with serving(settings_for(database_url, max_cost=1)) as api:
        assert f"may hold: {cost}. At most 1" in await too_complex(api.user(cast.bob), PAGE, **variables)


async def test_a_limit_variable_inside_a_fragment_counts(database_url: str, cast: Cast) -> None:
    query = """
        query ($n: Int = 50) { ...F }
        fragment F on Query { leadOffers(limit: $n) { ...G } }
        fragment G on LeadOfferPage { data { id } }
    """
    async with serving(settings_for(database_url, max_cost=10)) as api:
        bob = api.user(cast.bob)
        assert "may hold: 52. At most 10" in await too_complex(bob, query)
        assert "may hold: 22. At most 10" in await too_complex(bob, query, n=20)
        assert await bob.ask(query, n=8) == {"leadOffers": {"data": []}}
        assert "may hold: 22. At most 10" in await too_complex(bob, query, n=20)


def test_every_list_that_is_not_a_page_has_an_assumed_length() -> None:
    types = [t for t in core_schema(schema).type_map.values() if is_object_type(t) and not t.name.startswith("__")]
    listed = {
        get_named_type(field.type).name
        for type_ in types
        for name, field in type_.fields.items()
        if is_list_type(get_nullable_type(field.type)) and not (name == "data" and type_.name.endswith("Page"))
    }
    assert listed == set(ASSUMED_ITEMS)


async def test_the_introspection_query_of_graphiql_is_within_the_limits(api: Api, cast: Cast) -> None:
    query = get_introspection_query(
        specified_by_url=True, directive_is_repeatable=True, schema_description=True, input_value_deprecation=True
    )
    assert (await api.user(cast.bob).ask(query))["__schema"]
    twice = (
        "{ "
        + " ".join(f"a{i}: __schema {{ types {{ fields {{ type {{ fields {{ name }} }} }} }} }}" for i in range(30))
        + " }"
    )
    assert "values that the response may hold" in await too_complex(api.user(cast.bob), twice)


async def test_introspection_can_be_switched_off(database_url: str, cast: Cast) -> None:
    async with serving(settings_for(database_url, introspection=False)) as api:
        bob = api.user(cast.bob)
        for query in ("{ __schema { types { name } } }", '{ __type(name: "User") { name } }'):
            refused = await bob.send(query)
            assert refused["errors"][0]["extensions"]["code"] == "GRAPHQL_VALIDATION_FAILED"
            assert "data" not in refused
        assert await bob.ask("{ __typename me { __typename } }")


async def test_each_definition_is_measured_once(api: Api, cast: Cast) -> None:
    """A document whose fragments double forty times over is measured in as many steps as it has definitions."""
    query = "{ me { ...F0 } } " + lines(40, "fragment F# on User { id ...F% ...F% }") + " fragment F40 on User { id }"
    with patch.object(
        ComplexityCalculator, "_measure", autospec=True, side_effect=ComplexityCalculator._measure
    ) as measured:
        assert "1000000000. At most 1000" in await too_complex(api.user(cast.bob), query)
    assert measured.call_count < 3 * 42


@pytest.mark.parametrize(
    "query",
    [
        "{ me { ...A } } fragment A on User { ...B } fragment B on User { ...A }",
        "{ me { ...A } } fragment A on User { ...A }",
        "{ me { ...Missing } }",
        "{ ...A } fragment A on Missing { id }",
        "{ nope { deeper(limit: 3) { data } } }",
        "{ me }",
        "{ me { } }",
        "{ leadOffers { data { ... { ... @skip(if: true) { nope } } } } }",
    ],
)
async def test_an_invalid_document_can_be_measured(api: Api, cast: Cast, query: str) -> None:
    refusal = (await api.user(cast.bob).send(query))["errors"][0]["extensions"]
    assert refusal["code"] in ("GRAPHQL_VALIDATION_FAILED", "GRAPHQL_PARSE_FAILED")


@pytest.mark.parametrize(
    "query",
    [
        "{ " + "me { id } " * 450 + "}",
        "{ me { ...F0 } } " + lines(900, "fragment F# on User { ...F% }") + " fragment F900 on User { id }",
        "{ " + lines(900, "unknown#") + " }",
        "{ me " * 5000 + "}" * 5000,
        "{ leadOffers(where: {" + lines(101, "x#: 1") + "}) { total } }",
    ],
)
async def test_documents_that_are_expensive_to_process_are_refused(api: Api, cast: Cast, query: str) -> None:
    errors = (await api.user(cast.bob).send(query))["errors"]
    assert errors[-1]["extensions"]["code"] == "QUERY_TOO_COMPLEX"
    assert len(errors) <= 51


async def test_the_fields_of_an_input_object_are_limited(api: Api, cast: Cast) -> None:
    query = "query ($where: LeadOfferWhere) { leadOffers(where: $where) { total } }"
    where = {"not": {f"x{i}": 1 for i in range(101)}}
    assert "fields of one object: 101. At most 100" in await too_complex(api.user(cast.bob), query, where=where)


async def test_a_number_with_thousands_of_digits_is_an_invalid_value(api: Api, cast: Cast) -> None:
    bob = api.user(cast.bob)
    for query in (
        f"{{ leadOffers(limit: {'9' * 5000}) {{ total }} }}",
        f"{{ leadOffers(where: {{rank: {{eq: {'9' * 5000}}}}}) {{ total }} }}",
    ):
        error = (await bob.send(query))["errors"][0]
        assert error["extensions"]["code"] == "BAD_USER_INPUT"
        assert len(error["message"]) < 300


async def test_the_errors_of_a_response_are_limited(api: Api, cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (document_cache, errors):
        monkeypatch.setattr(module, "MAX_ERRORS", 3)
    bob = api.user(cast.bob)
    failing = "mutation { " + lines(10, "a#: submitLeadOffers(leadId: 999) { createdCount }") + " }"
    failed = (await bob.send(failing))["errors"]
    assert [error["extensions"]["code"] for error in failed] == ["NOT_FOUND"] * 3 + ["QUERY_TOO_COMPLEX"]
    assert "errors: 10. At most 3" in failed[-1]["message"]
    unknown = (await bob.send("{ a b c d e }"))["errors"]
    assert [e["extensions"]["code"] for e in unknown] == ["GRAPHQL_VALIDATION_FAILED"] * 3 + ["QUERY_TOO_COMPLEX"]


SLIPS = [
    "{ leadOfferz { total } }",
    "{ me { firstNam } }",
    "{ leadOffers(limi: 1) { total } }",
    "{ leadOffers(where: {rnk: {eq: 1}}) { total } }",
    "{ leadOffers(where: {status: {eq: SNT}}) { total } }",
    '{ leadOffers(where: {status: {eq: "SENT"}}) { total } }',
    "{ me { ...on Usr { id } } }",
    "query ($a: LeadOfferWher) { leadOffers(where: $a) { total } }",
    "{ me { id @skp(if: true) } }",
    "{ me { id @skip(iff: true) } }",
]
VARIABLE_SLIPS = [{"rnk": {"eq": 1}}, {"status": {"eq": "SNT"}}, {"not": {"status": {"in": ["SEN"]}}}]


async def test_names_are_suggested_in_the_demo_only(database_url: str, cast: Cast) -> None:
    query = "query ($where: LeadOfferWhere) { leadOffers(where: $where) { total } }"
    for demo in (False, True):
        async with serving(settings_for(database_url, demo=demo)) as api:
            bob = api.user(cast.bob)
            told = [await bob.send(slip) for slip in SLIPS]
            told += [await bob.send(query, where=where) for where in VARIABLE_SLIPS]
            assert all("errors" in answer for answer in told)
            suggested = ["Did you mean" in str(answer) for answer in told]
            assert any(suggested) if demo else not any(suggested), suggested


async def test_a_document_is_parsed_and_validated_once(api: Api, cast: Cast) -> None:
    bob = api.user(cast.bob)
    with (
        patch.object(document_cache, "parse", wraps=parse) as parsed,
        patch.object(document_cache, "validate", wraps=validate) as validated,
        patch.object(ComplexityCalculator, "check", autospec=True, side_effect=ComplexityCalculator.check) as measured,
    ):
        for n in (1, 2, 1, 2, 1):
            await bob.ask(PAGE, n=n)
    assert (parsed.call_count, validated.call_count, measured.call_count) == (1, 1, 2)


def test_the_document_cache_is_bounded(database_url: str) -> None:
    cache = document_cache.DocumentCache(core_schema(schema), settings_for(database_url))
    for i in range(30):
        cache.load("{ me { id } } #" + chr(97 + i) * 90_000, {})
    assert sum(map(len, cache._documents)) <= document_cache.MAX_CACHED_CHARACTERS
    assert len(cache._documents) >= 10


COUNTED = "query ($where: LeadOfferWhere) {{ {} }}"


def condition(count: int, **operators: Any) -> dict[str, Any]:
    return {"or": [{"id": operators}] * count}


def aliased(count: int, lists: str = "leadOffers(where: $where) { total }") -> str:
    return COUNTED.format(lines(count, f"a#: {lists}"))


REPEATED = COUNTED.format("leadOffers(where: $where) { total } " * 60)
TEAMS = "query ($where: TeamMemberWhere) {{ {} }} fragment Members on Team {{ members(where: $where) {{ total }} }}"


@pytest.mark.parametrize(
    ("query", "where", "counted"),
    [
        (aliased(30), condition(80, **{"in": ["1"] * 3}), "conditions: 2400. At most 250"),
        (aliased(3), condition(84, eq="1"), "conditions: 252. At most 250"),
        (aliased(1), condition(250, **{"in": ["1"] * 21}), "values in lists: 5250. At most 5000"),
        (aliased(1), {"and": [{"id": {"in": ["1"] * 1_000}}] * 45}, "values in lists: 45000. At most 5000"),
        (aliased(6), condition(1, nin=["1"] * 1_000), "values in lists: 6000. At most 5000"),
        (aliased(26), {"or": [{}] * 10}, "conditions: 260. At most 250"),
        (aliased(1), {"or": [{"not": {"and": []}}] * 251}, "conditions: 251. At most 250"),
        (REPEATED, {"id": {"ne": "1", "nin": [], "gt": "1"}, "rank": {"eq": 1, "ne": 2}}, "conditions: 300"),
        (TEAMS.format(lines(26, "a#: team(id: 1) { ...Members }")), {"or": [{"id": {"eq": "1"}}] * 10}, "260"),
        (
            COUNTED.format("...A ...A") + " fragment A on Query { ...B ...B } "
            "fragment B on Query { leadOffers(where: {and: [$where, $where]}) { total } }",
            {"or": [{"id": {"eq": "1"}}] * 32},
            "conditions: 256. At most 250",
        ),
        (
            "query A($where: LeadOfferWhere) { me { id } } query B { ...F ...F } fragment F on Query "
            "{ leadOffers(where: {or: [" + "{id: {eq: 1}} " * 126 + "]}) { total } }",
            {},
            "conditions: 252. At most 250",
        ),
    ],
)  # fmt: skip
async def test_conditions_and_values_count_over_the_whole_request(
    api: Api, cast: Cast, query: str, where: dict[str, Any], counted: str
) -> None:
    """Refused before anything is coerced or read, also when the document is known already."""
    bob = api.user(cast.bob)
    statements = api.statements()
    for _ in range(2):
        message = await too_complex(bob, query, where=where)
        assert counted in message
        assert message.endswith("are allowed in one request.")
    assert statements == []


@pytest.mark.parametrize(
    ("query", "where"),
    [
        (aliased(25), condition(10, eq="1")),
        (aliased(1), condition(250, eq="1")),
        (aliased(5), {"id": {"in": ["1"] * 1_000}}),
        (aliased(25), condition(10, **{"in": ["1"] * 20})),
        (aliased(5), {"and": [{"and": [{"or": [{"id": {"eq": "1"}}]}]}] * 50}),
        (aliased(30), {}),
        (aliased(30), None),
        (TEAMS.format(lines(25, "a#: team(id: 1) { ...Members }")), {"or": [{"id": {"eq": "1"}}] * 10}),
        (COUNTED.format("me { id }") + " fragment Unused on Query { leadOffers(where: $where) { total } }", {}),
    ],
)
async def test_as_many_conditions_and_values_as_allowed(
    api: Api, cast: Cast, query: str, where: dict[str, Any] | None
) -> None:
    answer = await api.user(cast.bob).post({"query": query, "variables": {"where": where}})
    assert "QUERY_TOO_COMPLEX" not in answer.text
