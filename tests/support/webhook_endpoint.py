"""A webhook endpoint on loopback that keeps the events it receives, and fails on demand."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

from standardwebhooks import Webhook

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
PATH = "/hooks/a-path-that-is-secret"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
SILENCE = b""
"""No response: the connection stays open until the sender gives up."""


def answer(status: int, *headers: str) -> bytes:
    """Return an HTTP response with this status, further headers as `"Retry-After: 5"`, and no body."""
    return "\r\n".join([f"HTTP/1.1 {status} Whatever", "Content-Length: 0", *headers, "", ""]).encode()


@dataclass(frozen=True)
class Post:
    """A request to the endpoint."""

    path: str
    headers: dict[str, str]
    body: str

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]

    @property
    def event(self) -> dict[str, Any]:
        """The event, after the reference implementation of Standard Webhooks has verified its signature."""
        contents: dict[str, Any] = Webhook(SECRET).verify(self.body, self.headers)
        return contents


@dataclass
class Receiver:
    """`posts` has the requests in the order of their arrival. `answer` returns the response to one."""

    origin: str
    posts: list[Post] = field(default_factory=list)
    answer: Callable[[Post], bytes] = lambda _post: OK
    _connected: set[asyncio.StreamWriter] = field(default_factory=set)

    @property
    def settings(self) -> dict[str, str]:
        """The settings of a server that sends its events here."""
        return {"webhook_url": self.origin + PATH, "webhook_secret": SECRET, "webhook_allow_private": "on"}

    def take(self) -> list[dict[str, Any]]:
        """Return the events that arrived since the last call."""
        events = [post.event for post in self.posts]
        self.posts.clear()
        return events

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._connected.add(writer)
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            request, *lines = head.strip().split("\r\n")
            headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}
            body = (await reader.readexactly(int(headers["content-length"]))).decode()
            post = Post(request.split()[1], headers, body)
            self.posts.append(post)
            said = self.answer(post)
            writer.write(said)
            await writer.drain()
            if said == SILENCE:
                await reader.read()
        await self._hang_up(writer)

    async def close(self) -> None:
        for writer in [*self._connected]:
            await self._hang_up(writer)

    async def _hang_up(self, writer: asyncio.StreamWriter) -> None:
        self._connected.discard(writer)
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()


@asynccontextmanager
async def receiving(tls: ssl.SSLContext | None = None) -> AsyncIterator[Receiver]:
    """Run the endpoint on a free port, with TLS if there is a context for it."""
    receiver = Receiver("")
    server = await asyncio.start_server(receiver.serve, "127.0.0.1", 0, ssl=tls)
    receiver.origin = f"{'https' if tls else 'http'}://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield receiver
    finally:
        server.close()
        await receiver.close()
