"""Time limits of operations and request bodies, whatever their transport.

Almost everything ends long before its limit, and starting and cancelling a timer costs more than the limit is worth:
the two timers of a request took 42 of 226 µs of the application's CPU time (26 November 2026). Therefore a limit starts
its timer late. Until then it is noted, and all that are noted are looked through every second.
"""

import asyncio
from collections.abc import Callable, Coroutine
from types import TracebackType
from typing import Any
from weakref import WeakKeyDictionary

from app.errors import ApiError, Code

LOOK_SECONDS = 1.0
"""How often the noted limits are looked through. Shorter ones start their timer at once."""


class _Noted:
    """The limits of an event loop that have no timer yet."""

    def __init__(self) -> None:
        self._ends: dict[asyncio.Timeout, float] = {}
        """When each of them ends, by the loop's clock."""
        self._looks = False

    def add(self, timeout: asyncio.Timeout, seconds: float) -> None:
        loop = asyncio.get_running_loop()
        self._ends[timeout] = loop.time() + seconds
        if not self._looks:
            self._looks = True
            loop.call_later(LOOK_SECONDS, self._look)

    def remove(self, timeout: asyncio.Timeout) -> None:
        self._ends.pop(timeout, None)

    def _look(self) -> None:
        """Start the timers of the limits that end before the next look."""
        loop = asyncio.get_running_loop()
        soon = loop.time() + LOOK_SECONDS
        for timeout in [timeout for timeout, ends in self._ends.items() if ends <= soon]:
            timeout.reschedule(self._ends.pop(timeout))
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
    """Stops its block if that takes longer than `seconds`, and raises `error`, by default TIMEOUT. None: no limit."""

    def __init__(self, seconds: float | None, error: Callable[[float], ApiError] = _took_too_long) -> None:
        self._seconds, self._error = seconds, error
        self._noted = None if seconds is None or seconds <= LOOK_SECONDS else _noted_limits()
        self._timeout = asyncio.timeout(seconds if self._noted is None else None)

    def __aenter__(self) -> Coroutine[Any, Any, asyncio.Timeout]:
        if self._noted is not None and self._seconds is not None:
            self._noted.add(self._timeout, self._seconds)
        return self._timeout.__aenter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, raised: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._noted is not None:
            self._noted.remove(self._timeout)
        try:
            await self._timeout.__aexit__(kind, raised, traceback)
        except TimeoutError as error:
            assert self._seconds is not None
            raise self._error(self._seconds) from error


def _noted_limits() -> _Noted:
    loop = asyncio.get_running_loop()
    noted = _of_loop.get(loop)
    if noted is None:
        noted = _of_loop[loop] = _Noted()
    return noted
