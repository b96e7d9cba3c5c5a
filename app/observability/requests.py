"""Collects what is known about a request while it is handled, for its log line, the metrics and its share of the reads.

All tasks of a request write to one object. A context variable per value would not do: a task that sets one changes
only its own copy of the context.
"""

from asyncio import Semaphore
from contextvars import ContextVar
from dataclasses import dataclass, field

OK = "OK"

NO_ID = "-"
"""The id of what is done outside of any request."""

READS_AT_ONCE = 2
"""Connections on which one request, or one WebSocket connection, reads at the same time."""


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
    key: str | None = None
    """The prefix of the API key with which the request was authenticated."""
    reader: int | str | None = None
    """The user's id, or their e-mail address if their token names that. Not for the log."""
    statements: int = 0
    status: int = 0
    outcome: str = OK
    """`OK`, or the code of the first error."""
    reason: str | None = None
    """Why the database is unavailable. For the log only."""
    reading: Semaphore = field(default_factory=lambda: Semaphore(READS_AT_ONCE), repr=False, compare=False)
    """Held while the request uses a connection to read. A read must not wait for another one while it holds this."""


_current: ContextVar[RequestRecord] = ContextVar("request")

_no_request = RequestRecord(NO_ID, "-", reading=Semaphore(1_000_000))
"""Takes what commands and workers record outside of any request. Their reads do not wait for each other."""


def begin(record: RequestRecord) -> None:
    """Make it the record of the current task and of all tasks that it starts."""
    _current.set(record)


def current() -> RequestRecord:
    """Return the record of the current request; outside of any, one with the id `-` that nothing reads."""
    return _current.get(_no_request)
