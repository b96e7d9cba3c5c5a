"""The webhook with a real HTTP server on loopback: the requests it makes, and how it interprets responses."""

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest
from pydantic import SecretStr

from app.config import read_settings, webhook_key
from app.worker.channels.base import DeliveryError
from app.worker.channels.webhook import Webhook
from tests.support.processes import free_port
from tests.support.webhook_endpoint import OK, PATH, SECRET, SILENCE, Receiver, answer, receiving

BODY = '{"type":"offer.claimed","timestamp":"2026-03-02T09:00:00.000Z","data":{"leadId":"1"}}'


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as receiver:
        yield receiver


async def send(url: str, seconds: float = 5) -> None:
    webhook = Webhook(url, webhook_key(SecretStr(SECRET)), seconds)
    try:
        await webhook.send("evt_1", BODY)
    finally:
        await webhook.close()


async def test_events_are_signed(receiver: Receiver) -> None:
    await send(receiver.origin + PATH)
    (post,) = receiver.posts
    assert post.event["data"] == {"leadId": "1"}
    assert (post.path, post.id, post.body) == (PATH, "evt_1", BODY)
    assert post.headers["content-type"] == "application/json"
    assert abs(int(post.headers["webhook-timestamp"]) - time.time()) < 60


@pytest.mark.parametrize(
    "said",
    [
        OK,
        answer(204),
        b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\nnever mind",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nno chunk",
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 2\r\n\r\nok",
    ],
)
async def test_any_2xx_status_is_success(receiver: Receiver, said: bytes) -> None:
    receiver.answer = lambda _post: said
    await send(receiver.origin)
    assert len(receiver.posts) == 1


@pytest.mark.parametrize(
    ("said", "permanent", "retry_after", "reason"),
    [
        (answer(500), False, None, "responded with status 500."),
        (answer(503, "Retry-After: 120"), False, 120, "responded with status 503."),
        (answer(429, "Retry-After: 7"), False, 7, "responded with status 429."),
        (answer(408), False, None, "responded with status 408."),
        (answer(425), False, None, "responded with status 425."),
        (answer(410), True, None, "responded with status 410."),
        (answer(404), True, None, "responded with status 404."),
        (answer(307, "Location: /elsewhere"), True, None, "responded with status 307."),
        (b"HTTP/1.1 20", False, None, "connection to the webhook endpoint failed."),
        (b"\r\n", False, None, "connection to the webhook endpoint failed."),
        (b"220 mail.example.com ESMTP\r\n", False, None, "connection to the webhook endpoint failed."),
        (SILENCE, False, None, "did not respond in time."),
    ],
)
async def test_a_rejection_is_permanent_or_temporary(
    receiver: Receiver, said: bytes, permanent: bool, retry_after: float | None, reason: str
) -> None:
    receiver.answer = lambda _post: said
    with pytest.raises(DeliveryError) as failure:
        await send(receiver.origin, 0.5 if said == SILENCE else 5)
    assert (failure.value.permanent, failure.value.retry_after) == (permanent, retry_after)
    assert failure.value.reason.endswith(reason)
    assert [post.path for post in receiver.posts] == ["/"]  # redirects are not followed


async def test_an_endpoint_that_is_down() -> None:
    with pytest.raises(DeliveryError, match="connection to the webhook endpoint failed") as failure:
        await send(f"http://127.0.0.1:{free_port()}")
    assert not failure.value.permanent


async def test_an_endpoint_that_responds_too_slowly_times_out() -> None:
    gone = asyncio.Event()

    async def respond_slowly(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while not writer.is_closing():
                writer.write(b"H")
                await writer.drain()
                await asyncio.sleep(0.05)
        finally:
            gone.set()

    server = await asyncio.start_server(respond_slowly, "127.0.0.1", 0)
    host, port = server.sockets[0].getsockname()
    with pytest.raises(DeliveryError):
        await send(f"http://{host}:{port}", 0.5)
    await gone.wait()
    server.close()


# Settings


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"URL": "hooks.example.com"}, "LEAD_OFFERS_WEBHOOK_URL: must be a URL that begins with https://"),
        ({"URL": "https://example.com/hook"}, "LEAD_OFFERS_WEBHOOK_SECRET is missing"),
        *(
            ({"SECRET": secret}, "LEAD_OFFERS_WEBHOOK_SECRET: must be whsec_ and 24 to 64 bytes in base64")
            for secret in (
                SECRET.removeprefix("whsec_"),
                "whsec_",
                "whsec_c2hvcnQ=",
                "whsec_!!!",
                f"{SECRET}M",
                "x" * 40,
            )
        ),
    ],
)
def test_an_invalid_setting_is_named(monkeypatch: pytest.MonkeyPatch, settings: dict[str, Any], message: str) -> None:
    for name, value in settings.items():
        monkeypatch.setenv(f"LEAD_OFFERS_WEBHOOK_{name}", value)
    with pytest.raises(ValueError, match=message) as refusal:
        read_settings()
    assert settings.get("SECRET", "whsec_") == "whsec_" or settings["SECRET"] not in str(refusal.value)


async def test_a_connection_that_died_silently_delays_no_event() -> None:
    """The endpoint answers the first request of each connection, and then nothing."""
    bodies: list[bytes] = []
    closed: list[asyncio.Event] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
        bodies.append(await reader.readexactly(length))
        closed.append(asyncio.Event())
        done = closed[-1]
        writer.write(OK)
        await reader.read()
        writer.close()
        done.set()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    host, port = server.sockets[0].getsockname()
    webhook = Webhook(f"http://{host}:{port}/", b"key", 2)
    for number in range(2):
        await webhook.send(f"event-{number}", str(number))
    await webhook.close()
    for each in closed:
        await each.wait()
    server.close()
    assert bodies == [b"0", b"1"]
