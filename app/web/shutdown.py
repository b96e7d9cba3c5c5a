"""How a process ends that a signal tells to: what runs comes to its end, and whatever hangs is cut off in time.

Any process may die at any moment without harm: transactions roll back, and leases end by themselves. So nobody has to
wait for what does not come.
"""

import asyncio
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

import uvicorn

SIGNALS = (signal.SIGINT, signal.SIGTERM)

LAST_SECONDS = 9
"""How long an end may take. Then the process gets SIGALRM: a database is silent, or a library does not let go."""


@contextmanager
def at_first_signal(
    act: Callable[[], None], then: Callable[[int, FrameType | None], None] | None = None
) -> Iterator[None]:
    """Calls `act` in the running loop once the process is told to end, and `then` at once; a second signal ends it."""
    loop = asyncio.get_running_loop()
    before = {number: signal.getsignal(number) for number in SIGNALS}

    def restore() -> None:
        for number, handler in before.items():
            signal.signal(number, handler)

    def hear(number: int, frame: FrameType | None) -> None:
        restore()
        signal.alarm(LAST_SECONDS)
        loop.call_soon_threadsafe(act)
        if then is not None:
            then(number, frame)

    for number in SIGNALS:
        signal.signal(number, hear)
    try:
        yield
    finally:
        restore()


@contextmanager
def before_server_ends(act: Callable[[], None]) -> Iterator[None]:
    """Calls `act` when uvicorn is told to end: it ends the application only once all requests have come to theirs.

    Nothing is called where the signals of this process are not uvicorn's, as in a thread of a test.
    """
    server = getattr(signal.getsignal(signal.SIGTERM), "__self__", None)
    if not isinstance(server, uvicorn.Server):
        yield
        return
    with at_first_signal(act, server.handle_exit):
        yield
