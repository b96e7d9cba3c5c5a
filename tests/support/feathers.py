"""Translates Feathers queries for a lead's offers to GraphQL variables and to URL query strings.

A Feathers query is `{"rank": {"$gt": 1}, "$or": [{…}], "$sort": {"notify_at": -1}, "$limit": 5}`.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any
from urllib.parse import quote

from app.domain.enums import DistributionTarget, LeadOfferStatus

Query = Mapping[str, Any]

IDS = ("id", "lead_id", "user_id", "team_id")

OFFER = """
  id
  lead {
    id distributionTarget contact { id firstName lastName }
    textBody: message listingPrice mlsId listingStatus streetAddress city state language externalId
  }
  user { id firstName lastName email }
  notifyAt rank assignAutomatically hasCallAlert hasTextAlert hasEmailAlert
  team { id name }
"""

FIND = f"""
query Find($leadId: ID, $where: LeadOfferWhere, $sort: [LeadOfferSort!], $limit: Int, $skip: Int) {{
  leadOffers(leadId: $leadId, where: $where, sort: $sort, limit: $limit, skip: $skip) {{
    total limit skip data {{ {OFFER} }}
  }}
}}
"""
GET = f"query Get($id: ID!) {{ leadOffer(id: $id) {{ {OFFER} }} }}"
SUBMIT = (
    f"mutation Submit($leadId: ID!) {{ submitLeadOffers(leadId: $leadId) {{ createdCount offers {{ {OFFER} }} }} }}"
)


def variables(query: Query) -> dict[str, Any]:
    """Return the variables with which FIND asks the same as the query."""
    where = {name: value for name, value in query.items() if name not in ("$sort", "$limit", "$skip")}
    directions = {1: "ASC", -1: "DESC"}
    sort = [{"field": name.upper(), "direction": directions[d]} for name, d in query.get("$sort", {}).items()]
    paging = {name[1:]: query[name] for name in ("$limit", "$skip") if name in query}
    return {"where": _condition(where), "sort": sort, **paging}


def _condition(query: Query) -> dict[str, Any]:
    return dict(_field_condition(name, value) for name, value in query.items())


def _field_condition(name: str, value: Any) -> tuple[str, Any]:
    if name in ("$or", "$and"):
        return name[1:], [_condition(part) for part in value]
    comparisons = value if isinstance(value, dict) else {"$eq": value}
    return camel(name), {operator[1:]: _graphql_value(name, sent) for operator, sent in comparisons.items()}


def _graphql_value(name: str, value: Any) -> Any:
    if isinstance(value, list):
        return [_graphql_value(name, item) for item in value]
    if value is None:
        return None
    if name in IDS:
        return str(value)
    return LeadOfferStatus(value).name if name == "status" else value


def camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)


def snake(name: str) -> str:
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name)


def as_rest(data: Any) -> Any:
    """Return GraphQL data with the names and values that REST uses."""
    if isinstance(data, list):
        return [as_rest(item) for item in data]
    if not isinstance(data, dict):
        return data
    return {snake(name): _rest_value(name, value) for name, value in data.items()}


def _rest_value(name: str, value: Any) -> Any:
    if name == "id":
        return int(value)
    return DistributionTarget[value] if name == "distributionTarget" else as_rest(value)


Choose = Callable[[list[str]], str]
"""Picks one of several equivalent spellings."""


def address(query: Query, choose: Choose) -> str:
    """Return the query as a query string. Each part uses one of the spellings that clients send."""
    safe = choose(["", "[]$,:"])
    return "&".join(f"{quote(key, safe=safe)}={quote(value, safe=safe)}" for key, value in _pairs(query, "", choose))


def _pairs(value: Any, path: str, choose: Choose) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from _pairs(inner, f"{path}[{name}]" if path else name, choose)
    elif isinstance(value, list) and isinstance(value[0], dict):
        for i, inner in enumerate(value):
            yield from _pairs(inner, f"{path}[{i}]", choose)
    elif isinstance(value, list):
        yield from _list_pairs([_text(item, choose) for item in value], path, choose)
    else:
        yield path, _text(value, choose)


def _list_pairs(texts: list[str], path: str, choose: Choose) -> Iterator[tuple[str, str]]:
    match choose(["commas", "repeated", "empty brackets", "numbers"]):
        case "commas":
            yield path, ",".join(texts)
        case "repeated":
            yield from ((path, text) for text in texts)
        case "empty brackets":
            yield from ((f"{path}[]", text) for text in texts)
        case "numbers":
            yield from ((f"{path}[{i}]", text) for i, text in enumerate(texts))


def _text(value: Any, choose: Choose) -> str:
    match value:
        case None:
            return choose(["", "null"])
        case bool():
            return str(value).lower()
    return str(value)
