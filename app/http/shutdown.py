"""Graceful shutdown on SIGINT and SIGTERM, bounded in time. Servers drain first: `app/http/draining.py`.

A process may die at any moment without harm: transactions roll back and leases expire. Therefore shutdown waits only a
few seconds for what is still running.
"""

import asyncio
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM)

SHUTDOWN_SECONDS = 9
"""How long a shutdown may take. After that SIGALRM kills the process: the database or a library is hanging."""


@contextmanager
def on_shutdown_signal(act: Callable[[], None]) -> Iterator[None]:
    """On the first signal, call `act` in the event loop. A second signal ends the process."""
    loop = asyncio.get_running_loop()
    previous = {number: signal.getsignal(number) for number in SIGNALS}

    def restore() -> None:
        for number, handler in previous.items():
            signal.signal(number, handler)

    def handle(_number: int, _frame: FrameType | None) -> None:
        restore()
        signal.alarm(SHUTDOWN_SECONDS)
        loop.call_soon_threadsafe(act)

    for number in SIGNALS:
        signal.signal(number, handle)
    try:
        yield
    finally:
        restore()
