"""Time limits for what mostly ends long before them: `asyncio.timeout` without a timer for each.

uvloop takes 3 to 4 µs to set and cancel a timer, and a request has two of them: a tenth of its time. Limits of seconds
need not be exact, so one timer of the event loop looks after all of them.
"""

import asyncio
from asyncio import AbstractEventLoop, CancelledError, Task
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self
from weakref import WeakKeyDictionary

from app.errors import ApiError, Code

LOOK_SECONDS = 0.1
"""Between two looks at what is under way; a limit may be late by that."""


@dataclass(slots=True)
class _Watch:
    """What is under way in one event loop. It looks while there is anything."""

    running: set["TimeLimit"] = field(default_factory=set)
    looking: bool = False

    def look(self, loop: AbstractEventLoop) -> None:
        now = loop.time()
        for limit in [limit for limit in self.running if limit.ends <= now]:
            self.running.discard(limit)
            limit.expire()
        self.looking = bool(self.running)
        if self.looking:
            loop.call_later(LOOK_SECONDS, self.look, loop)


_watches: WeakKeyDictionary[AbstractEventLoop, _Watch] = WeakKeyDictionary()


class TimeLimit:
    """As a context: TimeoutError if what runs in it takes longer than so many seconds."""

    __slots__ = ("_cancelling", "_seconds", "_task", "_watch", "ends", "expired")

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self.expired = False

    def __enter__(self) -> Self:
        loop = asyncio.get_running_loop()
        task: Task[Any] | None = asyncio.current_task()
        assert task is not None
        self._task, self._cancelling = task, task.cancelling()
        self.ends = loop.time() + self._seconds
        watch = _watches.get(loop)
        self._watch = watch = _watches.setdefault(loop, _Watch()) if watch is None else watch
        watch.running.add(self)
        if not watch.looking:
            watch.looking = True
            loop.call_later(min(LOOK_SECONDS, self._seconds), watch.look, loop)
        return self

    def expire(self) -> None:
        self.expired = True
        self._task.cancel()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self._watch.running.discard(self)
        if self.expired and self._task.uncancel() <= self._cancelling and kind is CancelledError:
            raise TimeoutError from error


@contextmanager
def time_limit(seconds: float | None) -> Iterator[None]:
    """How long what a client asks for may take, whatever the transport: TIMEOUT. None: as long as it takes."""
    if seconds is None:
        yield
        return
    limit = TimeLimit(seconds)
    try:
        with limit:
            yield
    except TimeoutError as error:
        if not limit.expired:
            raise
        message = f"Stopped after {seconds:g} seconds. What had been written by then stays written."
        raise ApiError(Code.TIMEOUT, message) from error
