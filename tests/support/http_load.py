"""A load of HTTP/1.1 requests over raw connections, which tells apart how each connection ends."""

import asyncio
import ssl
import time
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

GET = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"

REFUSED_PAUSE = 0.05
"""Seconds until a client tries again to connect."""


@dataclass
class Load:
    """Clients that send requests without end to a port of 127.0.0.1, and what they saw."""

    port: int
    requests: Sequence[bytes] = (GET,)
    context: ssl.SSLContext | None = None
    outcomes: Counter[str] = field(default_factory=Counter)
    """How often it happened: `200` and other statuses, `closed` by `Connection: close`, `refused`, or a failure."""
    slowest: float = 0.0
    """The longest time that a request or an attempt to connect took, in seconds."""

    @property
    def failures(self) -> dict[str, int]:
        """Everything that happened besides 200, a connection that was refused, and one that was closed in order."""
        return {name: count for name, count in self.outcomes.items() if name not in ("200", "closed", "refused")}

    async def client(self, requests_per_connection: int | None, pause: float = 0.0) -> None:
        """Open one connection after the other, each for this number of requests, or until the server closes it."""
        while True:
            began = time.monotonic()
            try:
                reader, writer = await asyncio.open_connection("127.0.0.1", self.port, ssl=self.context)
            except ConnectionRefusedError:
                self.outcomes["refused"] += 1
                await asyncio.sleep(REFUSED_PAUSE)
                continue
            except OSError as error:
                self.outcomes[f"connecting: {type(error).__name__}"] += 1
                continue
            finally:
                self.slowest = max(self.slowest, time.monotonic() - began)
            try:
                await self._use(reader, writer, requests_per_connection, pause)
            except (OSError, EOFError) as error:
                self.outcomes[type(error).__name__] += 1
            finally:
                writer.close()

    async def _use(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, limit: int | None, pause: float
    ) -> None:
        sent = 0
        while limit is None or sent < limit:
            began = time.monotonic()
            writer.write(self.requests[sent % len(self.requests)])
            sent += 1
            status, headers = await read_response(reader)
            self.slowest = max(self.slowest, time.monotonic() - began)
            self.outcomes[status] += 1
            if headers.get("connection") == "close":
                self.outcomes["closed"] += 1
                return
            await asyncio.sleep(pause)


async def read_response(reader: asyncio.StreamReader) -> tuple[str, dict[str, str]]:
    """Read a response with its body, and return its status and its headers by their names in lower case."""
    first, *lines = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
    headers = {name.lower(): value.lower() for name, _, value in (line.partition(": ") for line in lines)}
    if headers.get("transfer-encoding") == "chunked":
        while size := int(await reader.readline(), 16):
            await reader.readexactly(size + 2)
        await reader.readexactly(2)
    else:
        await reader.readexactly(int(headers["content-length"]))
    return first.split(" ")[1], headers


@asynccontextmanager
async def load_on(load: Load, new: int, kept: Sequence[float]) -> AsyncIterator[Load]:
    """Run clients meanwhile: some with a connection per request, and one per pause that keeps its connection."""
    clients = [load.client(1) for _ in range(new)] + [load.client(None, pause) for pause in kept]
    tasks = [asyncio.create_task(client) for client in clients]
    try:
        yield load
    finally:
        for task in tasks:
            task.cancel()
        ended = await asyncio.gather(*tasks, return_exceptions=True)
        assert all(isinstance(each, asyncio.CancelledError) for each in ended), ended
