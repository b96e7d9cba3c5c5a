"""Errors in Feathers' format: `{name, message, code, className, data, errors}`, where `code` is the HTTP status."""

from collections.abc import Mapping
from typing import Any

import orjson
from starlette.responses import Response

from app.domain.enums import SkipReason
from app.domain.identifiers import parse_id
from app.errors import ApiError
from app.observability import requests

FEATHERS_NAMES: Mapping[int, tuple[str, str]] = {
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
"""`name` and `className` by HTTP status. Feathers itself has no names for 413 and 415."""


def feathers_response(error: ApiError) -> Response:
    """Return the response for an error."""
    requests.current().outcome = error.code
    name, class_name = FEATHERS_NAMES[error.status]
    body = {
        "name": name,
        "message": error.message,
        "code": error.status,
        "className": class_name,
        "data": {"code": error.code, **convert_extensions(error.extensions)},
        "errors": _messages_by_field(error),
    }
    return Response(orjson.dumps(body), error.status, error.headers, "application/json")


def _messages_by_field(error: ApiError) -> dict[str, str]:
    if problems := error.extensions.get("problems"):
        return {problem["field"]: problem["message"] for problem in problems}
    field = error.extensions.get("field")
    return {field: error.message.removeprefix(f"{field}: ")} if field else {}


def convert_extensions(extensions: Mapping[str, Any]) -> dict[str, Any]:
    """Return the extensions in this API's conventions: names in snake case, ids as numbers, enums by value."""
    named = {_to_snake_case(name): value for name, value in extensions.items() if name != "problems"}
    return {name: _convert(name, value) for name, value in named.items()}


def _convert(name: str, value: Any) -> Any:
    match value:
        case dict():
            return convert_extensions(value)
        case list() | tuple():
            return [_convert(name, item) for item in value]
    if name == "reason":
        return SkipReason[value]
    return parse_id(value) if name == "id" or name.endswith("_id") else value


def _to_snake_case(name: str) -> str:
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name)
