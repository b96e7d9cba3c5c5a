"""A circuit breaker: after a failure, a service is left alone for a moment, so that not every request waits for it."""

import time
from collections.abc import Callable


class CircuitBreaker:
    """Says when a service may be called. `clock` returns seconds that only grow."""

    def __init__(self, pause: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._pause, self._clock = pause, clock
        self._closed = True
        self._next_try = 0.0

    def allows_call(self) -> bool:
        """Return whether to call the service now: always until a call fails, then one call per pause.

        Report the outcome of each call by `succeeded` or `failed`, but not that of a call that was cancelled.
        """
        if self._closed:
            return True
        now = self._clock()
        if now < self._next_try:
            return False
        self._next_try = now + self._pause  # meanwhile, the other requests do not wait for this call
        return True

    def succeeded(self) -> None:
        """Allow all calls again."""
        self._closed = True

    def failed(self) -> None:
        """Allow no call for the pause."""
        self._closed = False
        self._next_try = self._clock() + self._pause
