"""Every QUERY_TOO_COMPLEX over HTTP says what was counted, how much, and how much is allowed."""

from importlib import import_module
from typing import Any

import pytest

from app.graphql import complexity
from app.lists import filters
from tests.support.api import Api
from tests.support.world import NOW, Cast, World

WHERE = "query ($where: LeadOfferWhere, $sort: [LeadOfferSort!]) { leadOffers(where: $where, sort: $sort) { total } }"
FIGURES = 'query { leadFigures(by: SOURCE, from: "2026-03-01T00:00:00Z", to: "2026-04-01T00:00:00Z") { received } }'


def _times(number: int, text: str) -> str:
    return " ".join(text.replace("#", str(i)) for i in range(number))


def _nested(levels: int, inside: Any) -> Any:
    return _nested(levels - 1, {"not": inside}) if levels else inside


IDS = [str(i) for i in range(filters.MAX_VALUES)]
DOCUMENTS: dict[str, tuple[int, str, dict[str, Any]]] = {
    "characters": (complexity.MAX_CHARACTERS, "{ me { id } } #" + "x" * complexity.MAX_CHARACTERS, {}),
    "tokens": (complexity.MAX_TOKENS, "{ " + "a " * complexity.MAX_TOKENS + "}", {}),
    "operations": (complexity.MAX_OPERATIONS, _times(21, "query Q# { me { id } }"), {}),
    "levels of fields": (15, "{ " + "me { " * 16 + "id" + " }" * 17, {}),
    "fields, with fragments expanded": (complexity.MAX_FIELDS, "{ me { " + "id " * 1_001 + "} }", {}),
    "aliases": (complexity.MAX_ALIASES, "{ " + _times(31, "a#: me { id }") + " }", {}),
    "directives": (complexity.MAX_DIRECTIVES, "{ " + "me @skip(if: true) { id } " * 101 + "}", {}),
    "directives on one field": (5, "{ me { id " + "@skip(if: true) " * 6 + "} }", {}),
    "values that the response may hold": (20_000, "{ leads(limit: 250) { data { " + "id " * 300 + "} } }", {}),
    "fields of one object": (complexity.MAX_INPUT_FIELDS, WHERE, {"where": {f"x{i}": 1 for i in range(101)}}),
    "conditions": (filters.MAX_CONDITIONS, WHERE, {"where": {"or": [{"rank": {"eq": 1}}] * 251}}),
    "levels of and, or and not": (filters.MAX_LEVELS, WHERE, {"where": _nested(11, {"rank": {"eq": 1}})}),
    "values in a list": (filters.MAX_VALUES, WHERE, {"where": {"id": {"in": [*IDS, "0"]}}}),
    "values in lists": (filters.MAX_VALUES_IN_REQUEST, WHERE, {"where": {"or": [{"id": {"in": IDS}}] * 6}}),
    "sorts": (filters.MAX_SORTS, WHERE, {"sort": [{"field": "RANK"}] * 6}),
    "errors": (complexity.MAX_ERRORS, "{ " + _times(51, "unknown#") + " }", {}),
    "pairs of fields that share a name": (50_000, "{ " + "me { id } " * 450 + "}", {}),
}


@pytest.mark.parametrize("what", DOCUMENTS)
async def test_a_document_above_a_limit(api: Api, cast: Cast, what: str) -> None:
    allowed, query, variables = DOCUMENTS[what]
    errors = (await api.user(cast.bob).send(query, **variables))["errors"]
    _require(errors[-1]["extensions"], what, allowed)


async def test_the_errors_of_an_execution(api: Api, cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.graphql.errors.MAX_ERRORS", 3)
    failing = "mutation { " + _times(5, "a#: submitLeadOffers(leadId: 999) { createdCount }") + " }"
    errors = (await api.user(cast.bob).send(failing))["errors"]
    assert errors[-1]["extensions"] == {"code": "QUERY_TOO_COMPLEX", "counted": 5, "allowed": 3, "what": "errors"}


async def test_the_groups_of_figures(api: Api, world: World, cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("app.domain.figures", "app.figures.lead_figures"):
        monkeypatch.setattr(import_module(module), "MOST_GROUPS", 0)
    await world.lead(cast.alice, cast.team, created_at=NOW)
    errors = (await api.user(cast.alice).send(FIGURES))["errors"]
    assert errors[0]["extensions"] == {"code": "QUERY_TOO_COMPLEX", "counted": 1, "allowed": 0, "what": "groups"}


REST: dict[str, tuple[int, str]] = {
    "parameters": (1_500, "&" * 1_500),
    "values in a list": (filters.MAX_VALUES, f"rank[$in]={',' * 1_000}"),
    "values in lists": (5_000, "&".join(f"$or[{i}][rank][$in]={'1,' * 999}1" for i in range(6))),
    "conditions": (filters.MAX_CONDITIONS, "&".join(f"$or[{i}][rank]={i}" for i in range(251))),
    "levels of $and and $or": (filters.MAX_LEVELS, f"$and[0]{'[$or][0]' * 9}[rank]=1"),
    "brackets after a name": (22, f"$and{'%5B0%5D' * 30}=1"),
    "sorts": (filters.MAX_SORTS, "&".join(f"$sort[x{i}]=1" for i in range(6))),
}


@pytest.mark.parametrize("what", REST)
async def test_a_query_string_above_a_limit(api: Api, cast: Cast, what: str) -> None:
    allowed, query = REST[what]
    answer = await api.user(cast.alice).rest("GET", f"/leads/1/offers?{query}")
    assert answer.status_code == 400
    _require(answer.json()["data"], what, allowed)


def _require(extensions: dict[str, Any], what: str, allowed: int) -> None:
    assert extensions["code"] == "QUERY_TOO_COMPLEX", extensions
    assert (extensions["what"], extensions["allowed"]) == (what, allowed)
    assert extensions["counted"] > allowed
