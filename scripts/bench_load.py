"""A load generator. Each of a few open connections sends its next request as soon as it has a response."""

import asyncio
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import orjson
import uvloop

CONNECTIONS = 8


@dataclass(frozen=True)
class Load:
    """The result of a run. `p50` and `p99` are response times in milliseconds."""

    requests: int
    seconds: float
    p50: float
    p99: float

    @property
    def rate(self) -> float:
        """Requests per second."""
        return self.requests / self.seconds


def request(port: int, body: object, token: str | None = None) -> bytes:
    """Return the bytes of a POST to /graphql."""
    content = orjson.dumps(body)
    authorization = f"Authorization: Bearer {token}\r\n" if token else ""
    head = (
        f"POST /graphql HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Type: application/json\r\n"
        f"Accept: application/json\r\n{authorization}Content-Length: {len(content)}\r\n\r\n"
    )
    return head.encode() + content


def load(port: int, requests: Iterable[bytes], seconds: float = float("inf")) -> Load:
    """Send the requests until all are sent or the time is up. Raises RuntimeError if a response has errors."""
    return uvloop.run(_load(port, iter(requests), seconds))


async def _load(port: int, requests: Iterator[bytes], seconds: float) -> Load:
    times: list[float] = []
    started = time.perf_counter()
    ends = started + seconds
    await asyncio.gather(*(_client(port, requests, ends, times) for _ in range(CONNECTIONS)))
    took = time.perf_counter() - started
    times.sort()
    return Load(len(times), took, times[len(times) // 2] * 1000, times[len(times) * 99 // 100] * 1000)


async def _client(port: int, requests: Iterator[bytes], ends: float, times: list[float]) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=2**20)
    try:
        for sent in requests:
            began = time.perf_counter()
            if began > ends:
                break
            writer.write(sent)
            _check(await _read_response(reader))
            times.append(time.perf_counter() - began)
    finally:
        writer.close()


async def _read_response(reader: asyncio.StreamReader) -> tuple[bytes, bytes]:
    head = await reader.readuntil(b"\r\n\r\n")
    lower = head.lower()
    if b"transfer-encoding: chunked" in lower:
        return head, await _read_chunks(reader)
    length = int(lower.split(b"content-length:", 1)[1].split(b"\r\n", 1)[0])
    return head, await reader.readexactly(length)


async def _read_chunks(reader: asyncio.StreamReader) -> bytes:
    body = b""
    while size := int(await reader.readuntil(b"\r\n"), 16):
        body += (await reader.readexactly(size + 2))[:-2]
    await reader.readuntil(b"\r\n")
    return body


def _check(response: tuple[bytes, bytes]) -> None:
    head, body = response
    if b" 200 " not in head.split(b"\r\n", 1)[0] or body.startswith(b'{"errors"'):
        raise RuntimeError(f"{head.decode()}{body[:500].decode()}")
