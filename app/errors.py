"""Errors for clients: each has a code, and each code an HTTP status. Every other exception is a bug of the server."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

INTERNAL_MESSAGE = "The server failed to process this request. Its log has the details under the request's id."

MAX_DESCRIBED = 5
"""How many invalid values the message of one error describes."""


class Code(StrEnum):
    """Error codes: `extensions.code` in GraphQL, `data.code` in REST. Later versions may add codes.

    `status` is the HTTP status of a response that carries nothing but the error.
    """

    status: int

    UNAUTHENTICATED = "UNAUTHENTICATED", 401
    FORBIDDEN = "FORBIDDEN", 403
    NOT_FOUND = "NOT_FOUND", 404
    BAD_USER_INPUT = "BAD_USER_INPUT", 400
    CONFLICT = "CONFLICT", 409
    NOT_TEAM_ROLLOUT = "NOT_TEAM_ROLLOUT", 422
    ALREADY_CLAIMED = "ALREADY_CLAIMED", 409
    TEAM_NOT_USABLE = "TEAM_NOT_USABLE", 422
    ZIPCODE_MISSING = "ZIPCODE_MISSING", 422
    NO_TEAM_FOR_ZIPCODE = "NO_TEAM_FOR_ZIPCODE", 422
    NO_DISTRIBUTION_OPTIONS = "NO_DISTRIBUTION_OPTIONS", 422
    NO_ELIGIBLE_MEMBERS = "NO_ELIGIBLE_MEMBERS", 422
    OFFER_NOT_OPEN = "OFFER_NOT_OPEN", 409
    CHANGES_MISSED = "CHANGES_MISSED", 409
    QUERY_TOO_COMPLEX = "QUERY_TOO_COMPLEX", 400
    RATE_LIMITED = "RATE_LIMITED", 429
    TIMEOUT = "TIMEOUT", 500
    UNAVAILABLE = "UNAVAILABLE", 503
    GRAPHQL_PARSE_FAILED = "GRAPHQL_PARSE_FAILED", 400
    GRAPHQL_VALIDATION_FAILED = "GRAPHQL_VALIDATION_FAILED", 400
    BAD_REQUEST = "BAD_REQUEST", 400
    PERSISTED_QUERY_NOT_FOUND = "PERSISTED_QUERY_NOT_FOUND", 400
    PERSISTED_QUERY_NOT_SUPPORTED = "PERSISTED_QUERY_NOT_SUPPORTED", 400
    DOCUMENT_NOT_TRUSTED = "DOCUMENT_NOT_TRUSTED", 400
    INTERNAL_SERVER_ERROR = "INTERNAL_SERVER_ERROR", 500

    def __new__(cls, value: str, status: int) -> "Code":
        code = str.__new__(cls, value)
        code._value_, code.status = value, status
        return code


DATABASE_FAILURES = (Code.UNAVAILABLE, Code.TIMEOUT)
"""Codes of every `Database` method if the database cannot be reached or is too slow: the request may be repeated."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One invalid value of the input. `field` is its dotted path from the argument, e.g. `where.notifyAt.lt`."""

    field: str
    message: str


@dataclass
class ApiError(Exception):
    """An error that the client receives as it stands. The request has changed nothing.

    `extensions` are sent beside the code, their names in camelCase. `headers` and `status` matter over HTTP only:
    UNAUTHENTICATED and errors with `retryAfter` (seconds) get their headers here, and a status other than the code's
    is for BAD_REQUEST, such as 405 or 413. `problems` are the invalid values of a BAD_USER_INPUT.
    """

    code: Code
    message: str
    extensions: Mapping[str, Any] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    status: int = 0
    problems: tuple[Problem, ...] = ()

    def __post_init__(self) -> None:
        self.status = self.status or self.code.status
        if self.code is Code.UNAUTHENTICATED:
            self.headers = {**self.headers, "WWW-Authenticate": 'Bearer realm="lead-offers"'}
        if "retryAfter" in self.extensions:
            self.headers = {**self.headers, "Retry-After": str(self.extensions["retryAfter"])}

    def __str__(self) -> str:
        return self.message


def internal_error() -> ApiError:
    """Return the error that stands for a bug of the server, and says nothing about it."""
    return ApiError(Code.INTERNAL_SERVER_ERROR, INTERNAL_MESSAGE)


def too_complex(counted: int, allowed: int, what: str, message: str) -> ApiError:
    """Return a QUERY_TOO_COMPLEX. `counted` is `allowed` + 1 where counting stops at the limit."""
    return ApiError(Code.QUERY_TOO_COMPLEX, message, {"counted": counted, "allowed": allowed, "what": what})


def bad_input(*problems: Problem) -> ApiError:
    """Return a BAD_USER_INPUT for one or more invalid values. Problems that are equal are listed once.

    `extensions.field` is the field of the first; `extensions.problems` lists all where there are several.
    """
    problems = tuple(dict.fromkeys(problems))
    first = problems[0]
    listed = {"problems": [{"field": p.field, "message": p.message} for p in problems]} if len(problems) > 1 else {}
    message = "; ".join(f"{p.field}: {p.message}" for p in problems[:MAX_DESCRIBED])
    return ApiError(Code.BAD_USER_INPUT, message, {"field": first.field, **listed}, problems=problems)
