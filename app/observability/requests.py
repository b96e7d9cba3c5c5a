"""What is noted of a request while it is answered, for its line in the log and for the metrics.

Written to from wherever it is known, so it is one object that the tasks of a request share: a context variable that
each task sets would be lost with the task's own copy of the context.
"""

from contextvars import ContextVar
from dataclasses import dataclass

OK = "OK"


@dataclass(slots=True)
class RequestNote:
    """One request, or one connection of a WebSocket, so far."""

    id: str
    method: str
    operation: str | None = None
    """The name of a GraphQL operation, or a method and address of REST; None for what is neither."""
    path: str | None = None
    """Which address of REST was asked, ids and all; never what follows the question mark."""
    query: str | None = None
    user_id: int | None = None
    statements: int = 0
    status: int = 0
    outcome: str = OK
    """The code of the first error, `OK` without one."""
    reason: str | None = None
    """Why the database is out of reach. Clients are not told."""


_current: ContextVar[RequestNote] = ContextVar("request")

_nowhere = RequestNote("-", "-")
"""Takes what is noted outside of any request, by a command or a worker."""


def begin(note: RequestNote) -> None:
    """Makes it the one of this task and of those that it starts."""
    _current.set(note)


def current() -> RequestNote:
    """The note of the request that is being answered; outside of any, one that nobody reads, with the id `-`."""
    return _current.get(_nowhere)
