"""The limit of operations that one user runs at the same time on WebSockets and event streams."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from app.errors import ApiError, Code

RETRY_SECONDS = 10
"""`retryAfter` of a user with too many operations. Nobody knows when one of them ends."""


class RunningOperations:
    """Counts the operations of each user on long-lived connections of this process."""

    def __init__(self, maximum: int) -> None:
        self._maximum = maximum
        self._running: Counter[int] = Counter()

    @contextmanager
    def count(self, user_id: int) -> Iterator[None]:
        """Count an operation while it runs. Raise RATE_LIMITED if the user runs as many as allowed."""
        if self._running[user_id] >= self._maximum:
            message = (
                f"You already run {self._maximum} operations over WebSockets and server-sent events, which is the "
                "maximum for one user. Complete one before you start another."
            )
            raise ApiError(Code.RATE_LIMITED, message, {"retryAfter": RETRY_SECONDS})
        self._running[user_id] += 1
        try:
            yield
        finally:
            self._running[user_id] -= 1
            if not self._running[user_id]:
                del self._running[user_id]
