"""Graceful shutdown on SIGINT and SIGTERM, bounded in time.

A process may die at any moment without harm: transactions roll back and leases expire. Therefore shutdown waits only a
few seconds for what is still running.
"""

import asyncio
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

import uvicorn

SIGNALS = (signal.SIGINT, signal.SIGTERM)

SHUTDOWN_SECONDS = 9
"""How long a shutdown may take. After that SIGALRM kills the process: the database or a library is hanging."""


@contextmanager
def on_shutdown_signal(
    act: Callable[[], None], then: Callable[[int, FrameType | None], None] | None = None
) -> Iterator[None]:
    """On the first signal, call `then` at once and `act` in the event loop. A second signal ends the process."""
    loop = asyncio.get_running_loop()
    previous = {number: signal.getsignal(number) for number in SIGNALS}

    def restore() -> None:
        for number, handler in previous.items():
            signal.signal(number, handler)

    def handle(number: int, frame: FrameType | None) -> None:
        restore()
        signal.alarm(SHUTDOWN_SECONDS)
        loop.call_soon_threadsafe(act)
        if then is not None:
            then(number, frame)

    for number in SIGNALS:
        signal.signal(number, handle)
    try:
        yield
    finally:
        restore()


@contextmanager
def before_server_shutdown(act: Callable[[], None]) -> Iterator[None]:
    """Call `act` as soon as uvicorn is signalled to stop; the application's shutdown runs only after all requests.

    Does nothing if uvicorn does not handle the signals of this process, as in a thread of a test.
    """
    server = getattr(signal.getsignal(signal.SIGTERM), "__self__", None)
    if not isinstance(server, uvicorn.Server):
        yield
        return
    with on_shutdown_signal(act, server.handle_exit):
        yield
