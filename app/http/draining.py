"""Draining: the server shuts down without a failed request, with or without a proxy before it.

On SIGINT or SIGTERM, the server

1. goes on for `drain_seconds`, while `/readyz` answers 503, so that load balancers send requests elsewhere;
2. lets no new connection in, and accepts those that are already established;
3. closes its port, from where proxies learn that it is gone;
4. answers requests on idle connections for IDLE_SECONDS, each with `Connection: close`, because clients may be about to
   send some;
5. closes the idle connections, and gives running requests the rest of the time (uvicorn).
"""

import asyncio
import ctypes
import multiprocessing
import os
import signal
import socket
import struct
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from math import ceil
from types import FrameType

import uvicorn

from app.http.shutdown import SHUTDOWN_SECONDS, SIGNALS

ACCEPT_SECONDS = 0.1
"""How long connections that are being established are accepted: some round trips to a proxy."""

IDLE_SECONDS = 1.0
"""How long idle connections are still served after the port is closed."""

_LOOK_SECONDS = 0.05

_SO_ATTACH_FILTER = 26  # of Linux; the module socket does not name it
_SYN = 0x02
_DROP_SYN = (  # classic BPF: code, jump if true, jump if false, operand
    (0x30, 0, 0, 13),  # load the flags of the TCP header
    (0x45, 0, 1, _SYN),  # if they have SYN,
    (0x06, 0, 0, 0),  # drop the segment,
    (0x06, 0, 0, 0xFFFFFFFF),  # else keep it whole
)


@dataclass(slots=True)
class Draining:
    """How far the server has got. Health checks and responses depend on it."""

    has_begun: bool = False
    closes_connections: bool = False


def let_no_connection_in(ports: Iterable[int]) -> None:
    """Make listening sockets, given by their file descriptors, ignore attempts to connect.

    Clients repeat them after a second. Connections that are already established stay in the queue, to be accepted: if
    they did not, closing the port would reset them. Does nothing on other systems than Linux.
    """
    if sys.platform != "linux":
        return
    program = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *instruction) for instruction in _DROP_SYN))
    for port in ports:
        with suppress(OSError), socket.socket(fileno=os.dup(port)) as listening:
            header = struct.pack("HP", len(_DROP_SYN), ctypes.addressof(program))
            listening.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, header)


@contextmanager
def draining_on_signal(state: Draining, seconds: float, stop: Callable[[], None]) -> Iterator[None]:
    """Drain the server of this process when it is signalled to stop, before uvicorn's own shutdown.

    `stop` ends what the server would wait for, such as subscriptions. It is called when the port is closed, and again
    at the end of the draining. Does nothing if uvicorn does not handle the signals of this process, as in a thread of
    a test.
    """
    server = getattr(signal.getsignal(signal.SIGTERM), "__self__", None)
    if not isinstance(server, uvicorn.Server):
        yield
        return

    loop = asyncio.get_running_loop()
    tasks: list[asyncio.Task[None]] = []
    previous = {number: signal.getsignal(number) for number in SIGNALS}

    async def drain(number: int) -> None:
        try:
            await _drain(server, state, seconds, stop)
        finally:
            server.handle_exit(number, None)

    def handle(number: int, frame: FrameType | None) -> None:
        if not state.has_begun:
            state.has_begun = True
            signal.alarm(SHUTDOWN_SECONDS + ceil(seconds))
            loop.call_soon_threadsafe(lambda: tasks.append(loop.create_task(drain(number))))
        elif number == signal.SIGINT:  # Ctrl-C again. SIGTERM may come from the service manager and from the parent.
            server.should_exit = True
            server.handle_exit(number, frame)

    for number in SIGNALS:
        signal.signal(number, handle)
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


async def _drain(server: uvicorn.Server, state: Draining, seconds: float, stop: Callable[[], None]) -> None:
    await asyncio.sleep(seconds)

    if multiprocessing.parent_process() is None:  # otherwise, the parent does it for all who share the port
        let_no_connection_in(port.fileno() for listener in server.servers for port in listener.sockets)
    await asyncio.sleep(ACCEPT_SECONDS)
    for listener in server.servers:
        listener.close()
    state.closes_connections = True
    stop()

    loop = asyncio.get_running_loop()
    ends = loop.time() + IDLE_SECONDS
    while server.server_state.connections and loop.time() < ends:  # noqa: ASYNC110  uvicorn has no event for it
        await asyncio.sleep(_LOOK_SECONDS)
    stop()
