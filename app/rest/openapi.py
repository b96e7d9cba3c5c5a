"""The OpenAPI 3.1 document of the REST API, generated from the tables that the parser uses."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from app.domain.bounds import LARGEST_ID, LARGEST_INT, LONGEST_FIGURES_IN_DAYS, LONGEST_MESSAGE, LONGEST_TEXT
from app.domain.enums import DistributionTarget, SkipReason
from app.domain.figures import FigureGroup
from app.figures.member_figures import MEMBER_COUNTS
from app.figures.tables import LEAD_COUNTS
from app.http.form_body import MULTIPART, URLENCODED
from app.lists.filters import LISTS, MAX_SORTS, MAX_VALUES, RANGES, Operator
from app.lists.pagination import DEFAULT_LIMIT, MAX_LIMIT
from app.rest.error_body import FEATHERS_NAMES
from app.rest.filter_fields import FILTER_FIELDS, LEAD_FIELDS, ValueType
from app.rest.handlers import ME_FIELDS
from app.rest.intake import INTAKE_PATH
from app.rest.query_string import OPERATORS
from app.rest.serialization import OFFER_FIELDS, READABLE_FIELDS

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

RECEIVE = (
    "Finds the person among the contacts of the user or creates a contact, creates the lead and offers it, in one "
    "transaction. An enquiry whose `external_id` was received before changes nothing. Fields that are unknown or "
    "unreadable are left out and named in `ignored`. Requires the scope `intake` or `write`. The response has the lead "
    "for access tokens, and for API keys with the scopes `read` and `write`."
)
RECEIVE_BY_KEY = (
    "Does what `POST /leads` does, for senders that cannot set headers. The key must have the scope `intake` alone. "
    "Pages of every origin may use it, without cookies. The number of requests a minute is limited for each key."
)

_ID: Schema = {"type": "integer", "minimum": 1, "maximum": LARGEST_ID}
_TEXT: Schema = {"type": "string"}
_NULLABLE_TEXT: Schema = {"type": ["string", "null"]}
_NULLABLE_INTEGER: Schema = {"type": ["integer", "null"]}
_NULLABLE_BOOLEAN: Schema = {"type": ["boolean", "null"]}
_TIMESTAMP: Schema = {"type": "string", "format": "date-time"}
_COUNT: Schema = {"type": "integer", "minimum": 0}
_LEAD_ID = "lead_id"
_OFFER_ID = "offer_id"
_KEY: Schema = {
    "name": "key",
    "in": "path",
    "required": True,
    "schema": {"type": "string", "pattern": r"^lo_[0-9A-Za-z]{42}$"},
    "description": "An API key with the scope `intake` alone.",
}


def openapi_document() -> dict[str, Any]:
    """Return the OpenAPI document, as served at /openapi.json."""
    return {
        "openapi": "3.1.0",
        "info": {"title": "Lead Offers", "version": "1", "description": "Lead offers for FeathersJS clients."},
        "servers": [{"url": "/"}],
        "security": [{"token": []}],
        "paths": {
            "/leads": {"post": _receive_lead()},
            INTAKE_PATH + "{key}": {"parameters": [_KEY], "post": _receive_by_key()},
            "/leads/{lead_id}/offers": {"parameters": [_path(_LEAD_ID)], "get": _find(), "post": _create()},
            "/leads/{lead_id}/offers/{offer_id}": {
                "parameters": [_path(_LEAD_ID), _path(_OFFER_ID)],
                "get": _operation("getOffer", "One offer", "Offer", parameters=[_select(OFFER_FIELDS)]),
            },
            "/figures/leads": {"get": _lead_figures()},
            "/figures/members": {"get": _member_figures()},
            "/me": {"get": _operation("getMe", "The user of the token", "Me", (), [_select(ME_FIELDS)])},
        },
        "components": {
            "securitySchemes": {
                "token": {"type": "http", "scheme": "bearer", "description": "An access token (JWT) or an API key."}
            },
            "schemas": _schemas(),
        },
    }


def _receive_lead() -> dict[str, Any]:
    both: Schema = {"anyOf": [_ref("ReceivedLead"), _ref("ReceivedId")]}
    return _receive("receiveLead", both, RECEIVE)


def _receive_by_key() -> dict[str, Any]:
    return _receive("receiveLeadByKey", _ref("ReceivedId"), RECEIVE_BY_KEY) | {"security": []}


def _receive(name: str, received: Schema, description: str) -> dict[str, Any]:
    operation = _operation(name, "Receive an enquiry", "Error", (408, 409, 413, 415, 429, 503))
    operation["responses"] |= {
        status: {"description": text, "content": {"application/json": {"schema": received}}}
        for status, text in (("200", "The enquiry had been received before."), ("201", "The lead was created."))
    }
    for status in ("429", "503"):
        operation["responses"][status]["headers"] = {"Retry-After": {"schema": _COUNT, "description": "In seconds."}}
    form = {"schema": _ref("EnquiryForm")}
    content = {"application/json": {"schema": _ref("Enquiry")}, URLENCODED: form, MULTIPART: form}
    return operation | {"description": description, "requestBody": {"required": True, "content": content}}


def _find() -> dict[str, Any]:
    parameters = [*_filters(FILTER_FIELDS), *_paging(), _select(OFFER_FIELDS)]
    return _operation("findOffers", "The offers of a lead", "OfferPage", parameters=parameters) | {
        "description": QUERY_STRINGS
    }


_SPAN = (
    {"name": "from", "in": "query", "required": True, "schema": {"type": "string", "format": "date-time"}},
    {
        "name": "to",
        "in": "query",
        "required": True,
        "schema": {"type": "string", "format": "date-time"},
        "description": f"Excluded, and at most {LONGEST_FIGURES_IN_DAYS} days after `from`.",
    },
)


def _lead_figures() -> dict[str, Any]:
    by = _query("by", _nullable({"type": "string", "enum": list(FigureGroup)}))
    zone = _query("timezone", _TEXT, description="An IANA time zone. Left out or empty, that of the user.")
    filters = _filters(LEAD_FIELDS)
    return _figures("getLeadFigures", "Figures of leads", "LeadFigures", [*_SPAN, by, zone, *filters])


def _member_figures() -> dict[str, Any]:
    team = {"name": "team_id", "in": "query", "required": True, "schema": _ID}
    return _figures("getMemberFigures", "Figures of the members of a team", "MemberFigures", [team, *_SPAN])


def _figures(name: str, summary: str, schema: str, parameters: Sequence[Schema]) -> dict[str, Any]:
    operation = _operation(name, summary, schema, (), parameters)
    operation["responses"]["200"]["content"]["text/csv"] = {"schema": _TEXT}
    return operation


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
        "parameters": [*parameters],
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


def _filters(fields: Mapping[str, ValueType]) -> Iterator[Schema]:
    for name, type_ in fields.items():
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
    lead_fields = identity | {"distribution_target": target, "contact": contact} | _enquiry()
    # Only the id is required: $select may leave out the other fields.
    offer = {
        "type": "object",
        "required": ["id"],
        "additionalProperties": False,
        "properties": _offer(_object(lead_fields)),
    }
    page = _object(
        {"total": _COUNT, "limit": _COUNT, "skip": _COUNT, "data": {"type": "array", "items": _ref("Offer")}}
    )
    me = identity | names | {"timezone": _TEXT}
    return {
        **_enquiry_bodies(),
        "ReceivedLead": _received_lead(lead_fields),
        "ReceivedId": _object({"id": _ID, "is_new": _IS_NEW, "ignored": _IGNORED}),
        "Offer": offer,
        "OfferPage": page,
        "Me": {"type": "object", "required": ["id"], "additionalProperties": False, "properties": me},
        "LeadFigures": {"type": "array", "items": _figures_of_leads()},
        "MemberFigures": {"type": "array", "items": _figures_of_member()},
        "Error": _error(),
    }


_IS_NEW: Schema = {"type": "boolean", "description": "False if the enquiry had been received before."}
_IGNORED: Schema = {
    "type": "array",
    "items": {"type": "object", "required": ["field", "message"], "properties": {"field": _TEXT, "message": _TEXT}},
    "description": "The fields that were left out.",
}


def _received_lead(lead_fields: Mapping[str, Schema]) -> Schema:
    nullable_id = {"anyOf": [_ID, {"type": "null"}]}
    more = {"source_id": nullable_id, "type": _NULLABLE_TEXT, "zipcode": _NULLABLE_TEXT, "created_at": _TIMESTAMP}
    skipped = {"type": "array", "items": _object({"user_id": _ID, "reason": {"type": "string", "enum": [*SkipReason]}})}
    refusal = _object({"code": _TEXT, "message": _TEXT, "skipped": skipped})
    why = "Why the lead could not be offered. It is kept."
    return _object(
        {
            "lead": _object({**lead_fields, **more}),
            "is_new": _IS_NEW,
            "contact_is_new": {"type": "boolean", "description": "False if the person was among the contacts."},
            "ignored": _IGNORED,
            "refusal": {"anyOf": [refusal, {"type": "null"}], "description": why},
            "created_count": {**_COUNT, "description": "The number of offers that were made."},
        }
    )


def _enquiry_bodies() -> dict[str, Schema]:
    """The bodies of an enquiry. Other values than these are accepted and left out, but for the way to the person."""
    ways: Schema = {"anyOf": [{"required": ["email"]}, {"required": ["mobile_phone"]}]}
    contact = {"type": "object", "properties": _CONTACT_FIELDS, **ways}
    flat = {"type": "object", "properties": {**_CONTACT_FIELDS, **_ENQUIRY_FIELDS}, **ways}
    nested = {"type": "object", "required": ["contact"], "properties": {"contact": contact, **_ENQUIRY_FIELDS}}
    alone = {**nested, "not": {"anyOf": [{"required": [name]} for name in _CONTACT_FIELDS]}}
    return {"Enquiry": {"anyOf": [flat, alone]}, "EnquiryForm": flat}


def _text(description: str, *examples: str, longest: int = LONGEST_TEXT) -> Schema:
    return {"type": "string", "maxLength": longest, "description": description, "examples": [*examples]}


_CONTACT_FIELDS: Mapping[str, Schema] = {
    "first_name": _text("The person's first name.", "Mary"),
    "last_name": _text("The person's last name.", "Jackson"),
    "email": {**_text("The person's e-mail address.", "mary@example.com"), "format": "email"},
    "mobile_phone": _text("The person's phone number.", "(202) 555-0123", "+12025550123"),
}

_ENQUIRY_FIELDS: Mapping[str, Schema] = {
    "external_id": {
        **_text("The sender's own id of the enquiry, by which repeated requests are known."),
        "minLength": 1,
    },
    "source_id": {"type": ["integer", "string"], "description": "The id of one of your lead sources."},
    "type": _text("The type of the lead, by which routes may tell leads apart.", "Buyer"),
    "zipcode": _text("The zipcode, by which a route may choose the team.", "02138", "02138-1234"),
    "text_body": _text("The text that the person wrote.", "Is the house still available?", longest=LONGEST_MESSAGE),
    "listing_price": {
        "type": ["integer", "string"],
        "description": "A price in whole units of the currency.",
        "examples": [350000, "$350,000"],
    },
    "mls_id": _text("The id of the property in the MLS."),
    "listing_status": _text("The status of the property.", "For Sale"),
    "street_address": _text("The address of the property."),
    "city": _text("The city of the property.", "Yorktown"),
    "state": _text("The state of the property.", "VA"),
    "language": _text("The language of the person.", "es"),
}


def _enquiry() -> dict[str, Schema]:
    message = "The text that the contact wrote. Null unless the user of the token created or holds the lead."
    price = {**_NULLABLE_INTEGER, "minimum": 0, "description": "Whole units of the currency."}
    return {
        "text_body": {**_NULLABLE_TEXT, "description": message},
        **dict.fromkeys(READABLE_FIELDS, _NULLABLE_TEXT),
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


_DURATION: Schema = {"anyOf": [_COUNT, {"type": "null"}], "description": "Whole seconds, by nearest rank."}


def _durations() -> Schema:
    return _object({"count": _COUNT, "median": _DURATION, "p90": _DURATION, "within_5_minutes": _COUNT})


def _figures_of_leads() -> Schema:
    named: Schema = {"anyOf": [_object({"id": _ID, "name": _TEXT}), {"type": "null"}]}
    group: dict[str, Schema] = {
        "day": {"anyOf": [{"type": "string", "format": "date"}, {"type": "null"}]},
        "source": named,
        "team": named,
    }
    counts = dict.fromkeys(LEAD_COUNTS, _COUNT)
    return _object({**group, "type": _NULLABLE_TEXT, **counts, "time_to_claim": _durations()})


def _figures_of_member() -> Schema:
    user = _object({"id": _ID, "first_name": _TEXT, "last_name": _TEXT})
    return _object({"user": user, **dict.fromkeys(MEMBER_COUNTS, _COUNT), "time_to_claim": _durations()})


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
