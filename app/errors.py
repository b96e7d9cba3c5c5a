"""The errors that clients are told, each a code. A transport translates them once; anything else is our own fault."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

INTERNAL_MESSAGE = "Something went wrong on our side. The server's log has the details under this request's id."


class Code(StrEnum):
    """`extensions.code` of a GraphQL error. More may come."""

    UNAUTHENTICATED = "UNAUTHENTICATED"
    FORBIDDEN = "FORBIDDEN"
    NOT_FOUND = "NOT_FOUND"
    BAD_USER_INPUT = "BAD_USER_INPUT"
    CONFLICT = "CONFLICT"
    NOT_TEAM_ROLLOUT = "NOT_TEAM_ROLLOUT"
    ALREADY_CLAIMED = "ALREADY_CLAIMED"
    TEAM_NOT_USABLE = "TEAM_NOT_USABLE"
    ZIPCODE_MISSING = "ZIPCODE_MISSING"
    NO_TEAM_FOR_ZIPCODE = "NO_TEAM_FOR_ZIPCODE"
    NO_DISTRIBUTION_OPTIONS = "NO_DISTRIBUTION_OPTIONS"
    NO_ELIGIBLE_MEMBERS = "NO_ELIGIBLE_MEMBERS"
    OFFER_NOT_OPEN = "OFFER_NOT_OPEN"
    QUERY_TOO_COMPLEX = "QUERY_TOO_COMPLEX"
    RATE_LIMITED = "RATE_LIMITED"
    TIMEOUT = "TIMEOUT"
    UNAVAILABLE = "UNAVAILABLE"
    GRAPHQL_PARSE_FAILED = "GRAPHQL_PARSE_FAILED"
    GRAPHQL_VALIDATION_FAILED = "GRAPHQL_VALIDATION_FAILED"
    BAD_REQUEST = "BAD_REQUEST"
    PERSISTED_QUERY_NOT_FOUND = "PERSISTED_QUERY_NOT_FOUND"
    PERSISTED_QUERY_NOT_SUPPORTED = "PERSISTED_QUERY_NOT_SUPPORTED"
    DOCUMENT_NOT_TRUSTED = "DOCUMENT_NOT_TRUSTED"
    INTERNAL_SERVER_ERROR = "INTERNAL_SERVER_ERROR"


CHALLENGE = {"WWW-Authenticate": 'Bearer realm="lead-offers"'}
"""The header of every answer to who is not let in."""


@dataclass
class ApiError(Exception):
    """A request that is refused, told to the client as it stands; nothing was written.

    `extensions` goes out beside the code, in the transport's own spelling of names (camelCase). `problems` are the
    mistakes of a BAD_USER_INPUT.
    """

    code: Code
    message: str
    extensions: Mapping[str, Any] = field(default_factory=dict)
    problems: tuple["Problem", ...] = ()

    def __str__(self) -> str:
        return self.message


def headers_of(refusal: ApiError) -> Mapping[str, str]:
    """What HTTP says of a refusal beside its status: how to be let in, or when to come again."""
    if refusal.code is Code.UNAUTHENTICATED:
        return CHALLENGE
    seconds = refusal.extensions.get("retryAfter")
    return {} if seconds is None else {"Retry-After": str(seconds)}


@dataclass
class HTTPRefusal(Exception):
    """A request that is refused before it is looked into, with the status and headers to answer it."""

    status: int
    message: str
    code: Code = Code.BAD_REQUEST
    extensions: Mapping[str, Any] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        return self.message


@dataclass(frozen=True, slots=True)
class Problem:
    """One mistake in the input; `field` is its dotted path from the argument, e.g. `where.notifyAt.lt`."""

    field: str
    message: str


def bad_input(*problems: Problem) -> ApiError:
    """BAD_USER_INPUT for one or several mistakes.

    `extensions.field` is the first one's; of several, `extensions.problems` has all.
    """
    first = problems[0]
    listed = {"problems": [{"field": p.field, "message": p.message} for p in problems]} if len(problems) > 1 else {}
    return ApiError(Code.BAD_USER_INPUT, describe(problems), {"field": first.field, **listed}, problems)


def describe(problems: Sequence[Problem]) -> str:
    return "; ".join(f"{p.field}: {p.message}" for p in problems[:5])
