"""The changes that a process has received within the last minute, for subscriptions that ask for them."""

from collections import deque
from collections.abc import Callable
from datetime import datetime
from itertools import takewhile
from time import monotonic
from typing import Generic, TypeVar

from app.db.change_feed import LeadChange, OfferChange
from app.domain.bounds import LONGEST_REPLAY_IN_SECONDS
from app.errors import ApiError, Code

MAX_KEPT = 10_000
"""Changes of offers, or of leads, that are kept. Older ones are dropped first."""
MAX_REPLAYED = 1_000
"""Changed offers, or leads, that are replayed at once: one statement finds out who can see them."""
MARGIN_SECONDS = 0.5
"""How much more is replayed: the clocks of two servers, which follow the database's, may differ a little."""

C = TypeVar("C", OfferChange, LeadChange)


class RecentChanges(Generic[C]):
    """Keeps each change by itself: how the changes of an offer or lead are merged depends on the time asked for."""

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._received: deque[tuple[float, C]] = deque()
        self._missed_until: float
        """Changes that were received until then may be missing."""
        self.clear()

    def add(self, change: C) -> None:
        """Keep a change for a minute."""
        now = self._clock()
        self._received.append((now, change))
        while self._received[0][0] < now - LONGEST_REPLAY_IN_SECONDS - MARGIN_SECONDS:
            self._received.popleft()
        if len(self._received) > MAX_KEPT:
            self._missed_until, _ = self._received.popleft()

    def clear(self) -> None:
        """Note that changes may have been missed until now."""
        self._received.clear()
        self._missed_until = self._clock()

    def since(self, time: datetime, now: datetime) -> dict[int, C]:
        """Return what has changed since a time, and shortly before, by its key.

        Raise CHANGES_MISSED if it may not be all that has changed. `now` is by the clock of `time`, the database's, and
        only tells how long ago that was.
        """
        seconds = (now - time).total_seconds()
        start = self._clock() - seconds - MARGIN_SECONDS
        if seconds < -MARGIN_SECONDS:
            raise _cannot_replay("replaySince is in the future.")
        if seconds > LONGEST_REPLAY_IN_SECONDS:
            raise _cannot_replay(f"replaySince is over {LONGEST_REPLAY_IN_SECONDS} seconds ago.")
        if start <= self._missed_until:
            raise _cannot_replay("The server has not received all changes since replaySince.")

        received = [change for _, change in takewhile(lambda one: one[0] >= start, reversed(self._received))]
        changed: dict[int, C] = {}
        for change in reversed(received):
            changed[change.key] = change.since(changed.get(change.key))
        if len(changed) > MAX_REPLAYED:
            raise _cannot_replay(f"There were more than {MAX_REPLAYED:,} changes since replaySince.")
        return changed


def _cannot_replay(reason: str) -> ApiError:
    message = f"{reason} Subscribe without replaySince, then query for the current state."
    return ApiError(Code.CHANGES_MISSED, message)
