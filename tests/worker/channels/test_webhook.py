"""The webhook with a real HTTP server on loopback: the requests it makes, and how it interprets responses."""

import asyncio
import socket
import time
from collections.abc import AsyncIterator
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from app.config import read_settings, webhook_key
from app.worker.channels.base import DeliveryError
from app.worker.channels.endpoint_addresses import Resolve
from app.worker.channels.webhook import Webhook
from tests.support.certificates import make_certificate
from tests.support.processes import free_port
from tests.support.webhook_endpoint import OK, PATH, SECRET, SILENCE, Receiver, answer, receiving

BODY = '{"type":"offer.claimed","timestamp":"2026-03-02T09:00:00.000Z","data":{"leadId":"1"}}'


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as receiver:
        yield receiver


async def send(url: str, seconds: float = 5, **options: Any) -> None:
    webhook = Webhook(url, webhook_key(SecretStr(SECRET)), seconds, **{"allows_internal": True, **options})
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
        *((answer(status), False, None, f"responded with status {status}.") for status in (400, 401, 403, 404)),
        (answer(410, "Retry-After: 9"), True, 9, "responded with status 410."),
        (answer(307, "Location: /elsewhere"), False, None, "responded with status 307."),
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


# Addresses

HOST = "hooks.example.com"


def resolving(*answers: list[str]) -> Resolve:
    """Return a resolver that gives these answers one after the other, and the last one from then on."""
    left = [*answers]

    async def resolve(host: str, _port: int) -> list[str]:
        assert host == HOST
        return left.pop(0) if len(left) > 1 else left[0]

    return resolve


@pytest.mark.parametrize(
    ("addresses", "kind"),
    [
        (["127.0.0.1"], "loopback"),
        (["::1"], "loopback"),
        (["::ffff:127.0.0.1"], "loopback"),
        (["10.0.0.1"], "private"),
        (["fd00::1"], "unique-local"),
        (["fe80::1%1"], "link-local"),
        (["169.254.169.254"], "cloud metadata"),
        (["64:ff9b::a9fe:a9fe"], "cloud metadata"),
        (["93.184.215.14", "127.0.0.1"], "loopback"),
    ],
)
async def test_internal_addresses_end_the_attempt(receiver: Receiver, addresses: list[str], kind: str) -> None:
    url = receiver.origin.replace("127.0.0.1", f"user:hunter2@{HOST}") + PATH
    with pytest.raises(DeliveryError) as failure:
        await send(url, allows_internal=False, resolve=resolving(addresses))
    assert str(failure.value) == (
        f"The webhook endpoint has an internal address ({kind}), "
        "which LEAD_OFFERS_WEBHOOK_ALLOW_PRIVATE does not allow."
    )
    assert not failure.value.permanent
    assert receiver.posts == []


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]", "[::ffff:7f00:1]", "0x7f.0x1", "0.0.0.0", "0x0"])
async def test_an_address_in_the_url_is_checked_in_every_spelling(receiver: Receiver, host: str) -> None:
    with pytest.raises(DeliveryError, match="has an internal address"):
        await send(receiver.origin.replace("127.0.0.1", host), allows_internal=False)
    assert receiver.posts == []


async def test_each_attempt_connects_to_the_address_that_was_checked(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The name is resolved once per attempt: a second answer could be another address."""
    port = receiver.origin.rpartition(":")[2]
    webhook = Webhook(
        f"http://{HOST}:{port}{PATH}",
        b"key",
        5,
        allows_internal=True,
        resolve=resolving(["127.0.0.1"], ["127.0.0.2"], ["127.0.0.1"]),
    )
    monkeypatch.setattr(socket, "getaddrinfo", _refuse_names(socket.getaddrinfo))
    await webhook.send("evt_1", BODY)
    with pytest.raises(DeliveryError, match="connection to the webhook endpoint failed"):
        await webhook.send("evt_2", BODY)  # nothing listens there
    await webhook.send("evt_3", BODY)
    await webhook.close()
    assert [(post.id, post.path, post.headers["host"]) for post in receiver.posts] == [
        (event_id, PATH, f"{HOST}:{port}") for event_id in ("evt_1", "evt_3")
    ]


def _refuse_names(getaddrinfo: Any) -> Any:
    def resolve(host: Any, *rest: Any, **options: Any) -> Any:
        ip_address(host)
        return getaddrinfo(host, *rest, **options)

    return resolve


async def test_addresses_are_tried_in_order(receiver: Receiver) -> None:
    url = receiver.origin.replace("127.0.0.1", HOST)
    await send(url, resolve=resolving(["::1", "127.0.0.2", "127.0.0.1"]))
    assert len(receiver.posts) == 1
    receiver.answer = lambda _post: answer(500)
    with pytest.raises(DeliveryError, match="500"):
        await send(url, resolve=resolving(["127.0.0.1", "127.0.0.1"]))
    assert len(receiver.posts) == 2  # a response is an outcome


@pytest.mark.parametrize(("certified", "works"), [(HOST, True), ("other.example.com", False), (None, False)])
async def test_the_certificate_must_be_for_the_host_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, certified: str | None, works: bool
) -> None:
    certificate = make_certificate(tmp_path, certified)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate.file))
    names: list[str | None] = []
    certificate.context.sni_callback = lambda _socket, name, _context: names.append(name)
    async with receiving(certificate.context) as receiver:
        url = receiver.origin.replace("127.0.0.1", f"user:secret@{HOST}")
        sent = send(url, resolve=resolving(["127.0.0.1"]))
        if works:
            await sent
            assert receiver.posts[0].headers["host"] == f"{HOST}:{url.rpartition(':')[2]}"
            assert receiver.posts[0].headers["authorization"].startswith("Basic ")
        else:
            with pytest.raises(DeliveryError, match="connection to the webhook endpoint failed") as failure:
                await sent
            assert not failure.value.permanent
            assert receiver.posts == []
    assert names == [HOST]


async def test_a_host_that_cannot_be_resolved() -> None:
    with pytest.raises(DeliveryError, match="host name of the webhook endpoint could not be resolved") as failure:
        await send("http://no-such-host.invalid/")
    assert not failure.value.permanent


async def test_a_resolver_that_does_not_answer_times_out() -> None:
    async def resolve(_host: str, _port: int) -> list[str]:
        await asyncio.sleep(60)
        return []

    with pytest.raises(DeliveryError, match="did not respond in time"):
        await send(f"http://{HOST}/", 0.2, resolve=resolve)


async def test_a_proxy_resolves_the_name(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", receiver.origin)
    await send(f"http://{HOST}{PATH}", allows_internal=False, resolve=resolving(["127.0.0.1"]))
    (post,) = receiver.posts
    assert (post.path, post.headers["host"]) == (f"http://{HOST}{PATH}", HOST)
    monkeypatch.setenv("no_proxy", HOST)
    with pytest.raises(DeliveryError, match="has an internal address"):
        await send(f"http://{HOST}{PATH}", allows_internal=False, resolve=resolving(["127.0.0.1"]))


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
    webhook = Webhook(f"http://{host}:{port}/", b"key", 2, allows_internal=True)
    for number in range(2):
        await webhook.send(f"event-{number}", str(number))
    await webhook.close()
    for each in closed:
        await each.wait()
    server.close()
    assert bodies == [b"0", b"1"]
