"""Collects what is known about a request while it is handled, for its log line and the metrics.

All tasks of a request write to one object. A context variable per value would not do: a task that sets one changes
only its own copy of the context.
"""

from contextvars import ContextVar
from dataclasses import dataclass

OK = "OK"


@dataclass(slots=True)
class RequestRecord:
    """One request, or one WebSocket connection."""

    id: str
    method: str
    operation: str | None = None
    """The name of a GraphQL operation, or method and route of a REST request; None for all others."""
    path: str | None = None
    """The path of a REST request with its ids, without the query string."""
    query: str | None = None
    user_id: int | None = None
    statements: int = 0
    status: int = 0
    outcome: str = OK
    """`OK`, or the code of the first error."""
    reason: str | None = None
    """Why the database is unavailable. For the log only."""


_current: ContextVar[RequestRecord] = ContextVar("request")

_no_request = RequestRecord("-", "-")
"""Takes what commands and workers record outside of any request."""


def begin(record: RequestRecord) -> None:
    """Make it the record of the current task and of all tasks that it starts."""
    _current.set(record)


def current() -> RequestRecord:
    """Return the record of the current request; outside of any, one with the id `-` that nothing reads."""
    return _current.get(_no_request)
