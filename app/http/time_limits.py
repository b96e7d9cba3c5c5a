"""Time limits of operations and request bodies, whatever their transport.

Almost everything ends long before its limit, and starting and cancelling a timer costs more than the limit is worth:
the two timers of a request took 42 of 226 µs of the application's CPU time (26 November 2026). Therefore a limit starts
its timer late. Until then it is noted, and all that are noted are looked through every second.
"""

import asyncio
from collections.abc import Callable
from types import TracebackType
from weakref import WeakKeyDictionary

from app.errors import ApiError, Code

LOOK_SECONDS = 1.0
"""How often the noted limits are looked through. Shorter ones start their timer at once."""


class _Noted:
    """The limits of an event loop that have no timer yet."""

    def __init__(self) -> None:
        self._ends: dict[time_limit, float] = {}
        """When each of them ends, by the loop's clock."""
        self._looks = False

    def add(self, limit: "time_limit", seconds: float, loop: asyncio.AbstractEventLoop) -> None:
        self._ends[limit] = loop.time() + seconds
        if not self._looks:
            self._looks = True
            loop.call_later(LOOK_SECONDS, self._look)

    def remove(self, limit: "time_limit") -> None:
        self._ends.pop(limit, None)

    def _look(self) -> None:
        """Start the timers of the limits that end before the next look."""
        loop = asyncio.get_running_loop()
        soon = loop.time() + LOOK_SECONDS
        for limit in [limit for limit, ends in self._ends.items() if ends <= soon]:
            limit.start_timer(self._ends.pop(limit))
        self._looks = bool(self._ends)
        if self._looks:
            loop.call_later(LOOK_SECONDS, self._look)


_of_loop: WeakKeyDictionary[asyncio.AbstractEventLoop, _Noted] = WeakKeyDictionary()


def _took_too_long(seconds: float) -> ApiError:
    message = (
        f"The operation was stopped after {seconds:g} seconds. Changes that it had committed by then are kept. "
        "Ask for less at once, or try again later."
    )
    return ApiError(Code.TIMEOUT, message)


class time_limit:  # noqa: N801  a context manager, like asyncio.timeout
    """Stops its block if that takes longer than `seconds`, and raises `error`, by default TIMEOUT. None: no limit.

    It tells its own cancellation of the task from that of others as asyncio.timeout does. Around that one, without a
    timer, the two limits of a request took 5 % of the application's CPU time more (27 November 2026).
    """

    def __init__(self, seconds: float | None, error: Callable[[float], ApiError] = _took_too_long) -> None:
        self._seconds, self._error = seconds, error
        self._noted: _Noted | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._has_ended = False

    async def __aenter__(self) -> None:
        if self._seconds is None:
            return
        self._loop = asyncio.get_running_loop()
        task = asyncio.current_task(self._loop)
        assert task is not None
        self._task, self._cancelling = task, task.cancelling()
        if self._seconds <= LOOK_SECONDS:
            self.start_timer(self._loop.time() + self._seconds)
        else:
            self._noted = _noted_limits(self._loop)
            self._noted.add(self, self._seconds, self._loop)

    async def __aexit__(
        self, kind: type[BaseException] | None, raised: BaseException | None, _traceback: TracebackType | None
    ) -> None:
        if self._seconds is None:
            return
        if self._noted is not None:
            self._noted.remove(self)
        if self._timer is not None:
            self._timer.cancel()
        if self._has_ended and self._task.uncancel() <= self._cancelling and kind is asyncio.CancelledError:
            raise self._error(self._seconds) from raised

    def start_timer(self, ends: float) -> None:
        """Stop the block at this time of the loop's clock."""
        self._timer = self._loop.call_at(ends, self._end)

    def _end(self) -> None:
        self._has_ended = True
        self._task.cancel()


def _noted_limits(loop: asyncio.AbstractEventLoop) -> _Noted:
    noted = _of_loop.get(loop)
    if noted is None:
        noted = _of_loop[loop] = _Noted()
    return noted
