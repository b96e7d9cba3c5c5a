"""Errors as FeathersJS has them: `{name, message, code, className, data, errors}`, where `code` is the HTTP status."""

from collections.abc import Mapping
from typing import Any

import orjson
from starlette.responses import Response

from app.domain.enums import SkipReason
from app.domain.identifiers import parse_id
from app.errors import ApiError, Code, HTTPRefusal, headers_of
from app.observability import requests

NAMES: Mapping[int, tuple[str, str]] = {
    400: ("BadRequest", "bad-request"),
    401: ("NotAuthenticated", "not-authenticated"),
    403: ("Forbidden", "forbidden"),
    404: ("NotFound", "not-found"),
    405: ("MethodNotAllowed", "method-not-allowed"),
    408: ("Timeout", "timeout"),
    409: ("Conflict", "conflict"),
    413: ("PayloadTooLarge", "payload-too-large"),
    415: ("UnsupportedMediaType", "unsupported-media-type"),
    422: ("Unprocessable", "unprocessable"),
    429: ("TooManyRequests", "too-many-requests"),
    500: ("GeneralError", "general-error"),
    503: ("Unavailable", "unavailable"),
}
"""`name` and `className` by status; for 413 and 415 Feathers has none, and its client a general one."""

_STATUSES: Mapping[Code, int] = {
    Code.BAD_USER_INPUT: 400,
    Code.BAD_REQUEST: 400,
    Code.QUERY_TOO_COMPLEX: 400,
    Code.UNAUTHENTICATED: 401,
    Code.FORBIDDEN: 403,
    Code.NOT_FOUND: 404,
    Code.ALREADY_CLAIMED: 409,
    Code.OFFER_NOT_OPEN: 409,
    Code.CONFLICT: 409,
    Code.NOT_TEAM_ROLLOUT: 422,
    Code.TEAM_NOT_USABLE: 422,
    Code.ZIPCODE_MISSING: 422,
    Code.NO_TEAM_FOR_ZIPCODE: 422,
    Code.NO_DISTRIBUTION_OPTIONS: 422,
    Code.NO_ELIGIBLE_MEMBERS: 422,
    Code.RATE_LIMITED: 429,
    Code.UNAVAILABLE: 503,
}


def with_status(refusal: ApiError) -> HTTPRefusal:
    """The refusal with the status that its code stands for."""
    status = _STATUSES.get(refusal.code, 500)
    return HTTPRefusal(status, refusal.message, refusal.code, refusal.extensions, headers_of(refusal))


def refuse(refusal: HTTPRefusal) -> Response:
    """The answer to a request that is refused."""
    requests.current().outcome = refusal.code
    name, class_name = NAMES[refusal.status]
    body = {
        "name": name,
        "message": refusal.message,
        "code": refusal.status,
        "className": class_name,
        "data": {"code": refusal.code, **_data(refusal.extensions)},
        "errors": _errors(refusal),
    }
    return Response(orjson.dumps(body), refusal.status, refusal.headers, "application/json")


def _errors(refusal: HTTPRefusal) -> dict[str, str]:
    """What is wrong with each field, by its path."""
    if problems := refusal.extensions.get("problems"):
        return {problem["field"]: problem["message"] for problem in problems}
    field = refusal.extensions.get("field")
    return {field: refusal.message.removeprefix(f"{field}: ")} if field else {}


def _data(extensions: Mapping[str, Any]) -> dict[str, Any]:
    """The details beside the code, spelled as the rest of this API: snake case, ids as numbers, enums by value."""
    return {_snake(name): _spelled(_snake(name), value) for name, value in extensions.items() if name != "problems"}


def _spelled(name: str, value: Any) -> Any:
    match value:
        case dict():
            return _data(value)
        case list() | tuple():
            return [_spelled(name, item) for item in value]
    if name == "reason":
        return SkipReason[value]
    return parse_id(value) if name == "id" or name.endswith("_id") else value


def _snake(name: str) -> str:
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name)
