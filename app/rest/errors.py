"""Errors as FeathersJS has them: `{name, message, code, className, data, errors}`, where `code` is the HTTP status."""

from collections.abc import Mapping
from typing import Any

import orjson
from starlette.responses import Response

from app.domain.enums import SkipReason
from app.domain.identifiers import parse_id
from app.errors import ApiError
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


def error_response(error: ApiError) -> Response:
    """The answer to a request that is refused."""
    requests.current().outcome = error.code
    name, class_name = NAMES[error.status]
    body = {
        "name": name,
        "message": error.message,
        "code": error.status,
        "className": class_name,
        "data": {"code": error.code, **_data(error.extensions)},
        "errors": _errors(error),
    }
    return Response(orjson.dumps(body), error.status, error.headers, "application/json")


def _errors(error: ApiError) -> dict[str, str]:
    """What is wrong with each field, by its path."""
    if problems := error.extensions.get("problems"):
        return {problem["field"]: problem["message"] for problem in problems}
    field = error.extensions.get("field")
    return {field: error.message.removeprefix(f"{field}: ")} if field else {}


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
