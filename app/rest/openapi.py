"""The OpenAPI 3.1 document of the REST API, generated from the tables that the parser uses."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from app.domain.bounds import LARGEST_ID, LARGEST_INT
from app.domain.enums import DistributionTarget
from app.lists.filters import LISTS, MAX_SORTS, MAX_VALUES, RANGES, Operator
from app.lists.pagination import DEFAULT_LIMIT, MAX_LIMIT
from app.rest.error_body import FEATHERS_NAMES
from app.rest.filter_fields import FILTER_FIELDS, ValueType
from app.rest.handlers import ME_FIELDS
from app.rest.query_string import OPERATORS
from app.rest.serialization import ENQUIRY_FIELDS, OFFER_FIELDS

Schema = Mapping[str, Any]

QUERY_STRINGS = (
    "The query string follows FeathersJS. An offer must meet all conditions. `$or[0][rank]=1&$or[1][rank]=2` matches "
    "offers that meet at least one of the numbered conditions; `$and` matches those that meet all of them. An empty "
    "value, or `null`, means null. Lists can also be written as `team_id[$in]=4&team_id[$in]=5`, `team_id[$in][]=4` "
    "or `team_id[$in][0]=4`."
)
SUBMIT = (
    "Offers the lead to the members of its team, by rank, by time or by turns. Only the creator of the lead can submit "
    "it. Submitting it again offers it to members who have no offer yet. The response lists all offers of the lead by "
    "this team, without a limit."
)

_ID: Schema = {"type": "integer", "minimum": 1, "maximum": LARGEST_ID}
_TEXT: Schema = {"type": "string"}
_NULLABLE_TEXT: Schema = {"type": ["string", "null"]}
_NULLABLE_INTEGER: Schema = {"type": ["integer", "null"]}
_NULLABLE_BOOLEAN: Schema = {"type": ["boolean", "null"]}
_COUNT: Schema = {"type": "integer", "minimum": 0}
_LEAD_ID = "lead_id"
_OFFER_ID = "offer_id"


def openapi_document() -> dict[str, Any]:
    """Return the OpenAPI document, as served at /openapi.json."""
    return {
        "openapi": "3.1.0",
        "info": {"title": "Lead Offers", "version": "1", "description": "Lead offers for FeathersJS clients."},
        "servers": [{"url": "/"}],
        "security": [{"token": []}],
        "paths": {
            "/leads/{lead_id}/offers": {"parameters": [_path(_LEAD_ID)], "get": _find(), "post": _create()},
            "/leads/{lead_id}/offers/{offer_id}": {
                "parameters": [_path(_LEAD_ID), _path(_OFFER_ID)],
                "get": _operation("getOffer", "One offer", "Offer", parameters=[_select(OFFER_FIELDS)]),
            },
            "/me": {"get": _operation("getMe", "The user of the token", "Me", (), [_select(ME_FIELDS)])},
        },
        "components": {
            "securitySchemes": {
                "token": {"type": "http", "scheme": "bearer", "description": "An access token (JWT) or an API key."}
            },
            "schemas": _schemas(),
        },
    }


def _find() -> dict[str, Any]:
    parameters = [*_filters(), *_paging(), _select(OFFER_FIELDS)]
    return _operation("findOffers", "The offers of a lead", "OfferPage", parameters=parameters) | {
        "description": QUERY_STRINGS
    }


def _create() -> dict[str, Any]:
    submit = _operation("createOffers", "Submit a lead", "OfferPage", (404, 408, 409, 413, 415, 422))
    submit["responses"]["200"]["description"] = "No new offers: every eligible member has one."
    submit["responses"]["201"] = _response("OfferPage", "Offers were created.")
    empty = {"type": "object", "additionalProperties": False, "maxProperties": 0}
    body = {"content": {"application/json": {"schema": empty}}}
    return submit | {"description": SUBMIT, "parameters": [_select(OFFER_FIELDS)], "requestBody": body}


def _operation(
    name: str, summary: str, schema: str, statuses: Sequence[int] = (404,), parameters: Sequence[Schema] = ()
) -> dict[str, Any]:
    errors = {
        str(status): _response("Error", FEATHERS_NAMES[status][0]) for status in sorted({400, 401, 403, 500, *statuses})
    }
    return {
        "operationId": name,
        "summary": summary,
        "parameters": parameters,
        "responses": {"200": _response(schema, summary), **errors},
    }


def _response(schema: str, text: str) -> dict[str, Any]:
    return {"description": text, "content": {"application/json": {"schema": _ref(schema)}}}


def _ref(schema: str) -> Schema:
    return {"$ref": f"#/components/schemas/{schema}"}


def _path(name: str) -> Schema:
    return {"name": name, "in": "path", "required": True, "schema": _ID}


def _query(name: str, schema: Schema, **more: Any) -> Schema:
    return {"name": name, "in": "query", "schema": schema, **more}


def _filters() -> Iterator[Schema]:
    for name, type_ in FILTER_FIELDS.items():
        yield _query(name, _nullable(type_.schema))
        for symbol, operator in OPERATORS.items():
            if operator in type_.operators:
                yield _filter(f"{name}[{symbol}]", type_, operator)


def _filter(name: str, type_: ValueType, operator: Operator) -> Schema:
    if operator in LISTS:
        return _list(name, type_.schema, MAX_VALUES)
    return _query(name, {**type_.schema, **type_.bounds} if operator in RANGES else _nullable(type_.schema))


def _nullable(schema: Schema) -> Schema:
    return {"anyOf": [schema, {"type": "string", "enum": ["null", ""]}]}


def _list(name: str, items: Schema, longest: int) -> Schema:
    schema = {"type": "array", "items": items, "minItems": 1, "maxItems": longest}
    return _query(name, schema, style="form", explode=False)


def _paging() -> Iterator[Schema]:
    number: Schema = {"type": "integer", "minimum": 0, "maximum": LARGEST_INT}
    yield _query(
        "$limit",
        {**_nullable(number), "default": DEFAULT_LIMIT},
        description=f"At most {MAX_LIMIT}. 0 returns only the total.",
    )
    yield _query("$skip", {**_nullable(number), "default": 0})
    sorts = {"type": "object", "maxProperties": MAX_SORTS, "additionalProperties": False}
    directions = {name: {"type": "integer", "enum": [1, -1]} for name in FILTER_FIELDS}
    yield _query("$sort", sorts | {"properties": directions}, style="deepObject", explode=True)


def _select(fields: Sequence[str]) -> Schema:
    return _list("$select", {"type": "string", "enum": list(fields)}, MAX_VALUES)


def _schemas() -> dict[str, Schema]:
    identity, names = {"id": _ID}, {"first_name": _TEXT, "last_name": _TEXT, "email": _NULLABLE_TEXT}
    contact = _object(identity | {"first_name": _NULLABLE_TEXT, "last_name": _NULLABLE_TEXT})
    target = {"type": "string", "enum": list(DistributionTarget)}
    lead = _object(identity | {"distribution_target": target, "contact": contact} | _enquiry())
    # Only the id is required: $select may leave out the other fields.
    offer = {"type": "object", "required": ["id"], "additionalProperties": False, "properties": _offer(lead)}
    page = _object(
        {"total": _COUNT, "limit": _COUNT, "skip": _COUNT, "data": {"type": "array", "items": _ref("Offer")}}
    )
    me = identity | names | {"timezone": _TEXT}
    return {
        "Offer": offer,
        "OfferPage": page,
        "Me": {"type": "object", "required": ["id"], "additionalProperties": False, "properties": me},
        "Error": _error(),
    }


def _enquiry() -> dict[str, Schema]:
    message = "The text that the contact wrote. Null unless the user of the token created or holds the lead."
    price = {**_NULLABLE_INTEGER, "minimum": 0, "description": "Whole units of the currency."}
    return {
        "text_body": {**_NULLABLE_TEXT, "description": message},
        **dict.fromkeys(ENQUIRY_FIELDS, _NULLABLE_TEXT),
        "listing_price": price,
    }


def _offer(lead: Schema) -> dict[str, Schema]:
    user = _object({"id": _ID, "first_name": _TEXT, "last_name": _TEXT, "email": _NULLABLE_TEXT})
    return {
        "id": _ID,
        "lead": lead,
        "user": {"anyOf": [user, {"type": "null"}]},
        "notify_at": {"type": ["string", "null"], "format": "date-time"},
        "rank": _NULLABLE_INTEGER,
        "assign_automatically": {"type": "boolean"},
        "has_call_alert": _NULLABLE_BOOLEAN,
        "has_text_alert": _NULLABLE_BOOLEAN,
        "has_email_alert": _NULLABLE_BOOLEAN,
        "team": {"anyOf": [_object({"id": _ID, "name": _TEXT}), {"type": "null"}]},
    }


def _error() -> Schema:
    return _object(
        {
            "name": {"type": "string", "enum": [name for name, _ in FEATHERS_NAMES.values()]},
            "message": _TEXT,
            "code": {"type": "integer", "enum": list(FEATHERS_NAMES)},
            "className": {"type": "string", "enum": [class_name for _, class_name in FEATHERS_NAMES.values()]},
            "data": {"type": "object", "required": ["code"], "properties": {"code": _TEXT}},
            "errors": {"type": "object", "additionalProperties": _TEXT},
        }
    )


def _object(properties: Mapping[str, Schema]) -> Schema:
    return {
        "type": "object",
        "required": list(properties),
        "additionalProperties": False,
        "properties": properties,
    }
