"""nginx and HAProxy as docs/deploying.md configures them, before two servers that are restarted one after the other."""

import asyncio
import json
import re
import ssl
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import httpx2
import pytest

from app.access.tokens import issue_token
from tests.docs.pages import DOCS, blocks, replaced
from tests.support.api import settings_for
from tests.support.certificates import Certificate, make_certificate
from tests.support.graphql_ws import CHANGED, signed_in
from tests.support.http_load import Load, load_on
from tests.support.processes import free_port, listens, start, stop
from tests.support.waiting import until
from tests.support.world import Cast

(ONE_AFTER_THE_OTHER,) = blocks(DOCS["deploying"], "## Rolling restarts", "sh")
"""The documented script, which restarts two servers."""
[SECONDS_BETWEEN] = map(float, re.findall(r"^  sleep ([0-9]+)$", ONE_AFTER_THE_OTHER, re.MULTILINE))
"""How long the script waits after a server is ready again."""
KEPT = (0, 0, 0.01, 0.02, 0.05, 0.1)
"""The pauses of clients that keep their connection to the proxy."""
FEWEST = 1000
"""Requests that must have been answered. There are far more on a machine that is not busy."""

Proxy = Callable[[Path, Certificate, int, list[int]], list[str]]
"""Writes the configuration of a proxy that listens on a port before some servers, and returns the command to run it."""


def documented(language: str) -> str:
    """Return the configuration in docs/deploying.md."""
    found = re.search(rf"```{language}\n(.*?)```", DOCS["deploying"], re.DOTALL)
    assert found
    return found[1]


def nginx(folder: Path, certificate: Certificate, port: int, servers: list[int]) -> list[str]:
    kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    block = replaced(
        documented("nginx"),
        ("listen 443 ssl", f"listen 127.0.0.1:{port} ssl"),
        ("127.0.0.1:8001", f"127.0.0.1:{servers[0]}"),
        ("127.0.0.1:8002", f"127.0.0.1:{servers[1]}"),
        ("/etc/ssl/leads.example.com.pem", str(certificate.file)),
        ("/etc/ssl/leads.example.com.key", str(certificate.file.with_name("key.pem"))),
    )
    paths = "".join(f"{kind}_temp_path {folder}/{kind};\n" for kind in kinds)
    (folder / "nginx.conf").write_text(
        f"daemon off; pid {folder}/pid; error_log stderr warn; worker_processes 2;\n"
        f"events {{}}\nhttp {{\naccess_log off;\n{paths}{block}}}\n"
    )
    return ["nginx", "-p", str(folder), "-e", "stderr", "-c", str(folder / "nginx.conf")]


def haproxy(folder: Path, certificate: Certificate, port: int, servers: list[int]) -> list[str]:
    both = folder / "haproxy.pem"
    both.write_bytes(certificate.file.read_bytes() + certificate.file.with_name("key.pem").read_bytes())
    block = replaced(
        documented("haproxy"),
        ("bind :443", f"bind 127.0.0.1:{port}"),
        ("127.0.0.1:8001", f"127.0.0.1:{servers[0]}"),
        ("127.0.0.1:8002", f"127.0.0.1:{servers[1]}"),
        ("/etc/haproxy/leads.example.com.pem", str(both)),
    )
    (folder / "haproxy.cfg").write_text(f"global\n  maxconn 1000\n\n{block}")
    return ["haproxy", "-q", "-f", str(folder / "haproxy.cfg")]


def only_checking(folder: Path, certificate: Certificate, port: int, servers: list[int]) -> list[str]:
    """Configure HAProxy as a load balancer that tries no other server and needs two failed checks, a second apart."""
    command = haproxy(folder, certificate, port, servers)
    file = folder / "haproxy.cfg"
    file.write_text(
        replaced(file.read_text(), ("retries 3", "retries 0"), ("option redispatch 1", "no option redispatch"))
    )
    return command


@contextmanager
def proxying(command: list[str], port: int) -> Iterator[None]:
    process = subprocess.Popen(command)
    try:
        while not listens(port):
            assert process.poll() is None, "the proxy ended before it listened"
            time.sleep(0.05)
        yield
    finally:
        process.terminate()
        process.wait(10)


class Servers:
    """Two servers on ports of their own, which keep their ports when they are restarted."""

    def __init__(self, database_url: str, **settings: str) -> None:
        self.database_url = database_url
        self.settings = settings
        self.ports = [free_port(), free_port()]
        self.processes = [self._start(port) for port in self.ports]

    def _start(self, port: int) -> subprocess.Popen[bytes]:
        return start(self.database_url, "serve", "--port", str(port), **self.settings)

    async def are_ready(self) -> None:
        for port in self.ports:
            await self.is_ready(port)

    async def is_ready(self, port: int) -> None:
        async def answers() -> bool:
            with suppress(httpx2.ConnectError):
                return (await http.get(f"http://127.0.0.1:{port}/readyz")).status_code == 200
            return False

        async with httpx2.AsyncClient() as http:
            await until(answers, 60)

    def restart(self, number: int) -> None:
        """Restart one of the servers, as systemd does."""
        stop(self.processes[number])
        assert self.processes[number].returncode == 0
        self.processes[number] = self._start(self.ports[number])

    def restart_all(self) -> None:
        """Restart the servers by the documented script. Its `ssh` says here what it would run, and waits for that."""
        addresses = [f"127.0.0.1:{port}" for port in self.ports]
        script = replaced(
            ONE_AFTER_THE_OTHER, ("10.0.0.11 10.0.0.12", " ".join(addresses)), ("$server:8000", "$server")
        )
        command = ["timeout", "120", "bash", "-ec", f'ssh() {{ echo "$@"; read; }}\n{script}']
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdin
            assert process.stdout
            for number, address in enumerate(addresses):
                assert process.stdout.readline() == f"{address} systemctl restart lead-offers\n"
                self.restart(number)
                print(file=process.stdin, flush=True)
        assert process.returncode == 0


@pytest.fixture
def certificate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Certificate:
    certificate = make_certificate(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate.file))
    return certificate


@pytest.fixture
async def servers(database_url: str) -> Servers:
    servers = Servers(database_url)
    await servers.are_ready()
    return servers


@pytest.fixture(params=[nginx, haproxy])
def proxy_port(
    request: pytest.FixtureRequest, tmp_path: Path, certificate: Certificate, servers: Servers
) -> Iterator[int]:
    """The port of a proxy with TLS before the servers."""
    port = free_port()
    with proxying(request.param(tmp_path, certificate, port, servers.ports), port):
        yield port


@pytest.fixture
def token(database_url: str, cast: Cast) -> str:
    return issue_token(settings_for(database_url), cast.bob.id, "read write", 1, datetime.now(UTC))


@dataclass
class Subscribers:
    """Clients that subscribe again whenever their subscription ends, by WebSocket and by server-sent events."""

    url: str
    token: str
    ended: Counter[str] = field(default_factory=Counter)
    """How often subscriptions ended, by their kind, and how often it failed to begin one."""

    async def by_websocket(self) -> None:
        while True:
            async with signed_in(self.url, self.token) as client:
                await client.subscribe()
                code, _reason = await client.end(None)
                self.ended[f"WebSocket {code}"] += 1

    async def by_events(self) -> None:
        headers = {"Accept": "text/event-stream", "Authorization": f"Bearer {self.token}"}
        while True:
            async with (
                httpx2.AsyncClient(timeout=60) as http,
                http.stream("POST", f"{self.url}/graphql", json={"query": CHANGED}, headers=headers) as response,
            ):
                lines = [line async for line in response.aiter_lines() if line.strip(":")]
                self.ended[f"events {lines[-1][:6]}"] += 1


def requests_of(token: str) -> list[bytes]:
    """Return a query as a POST request, which no proxy repeats, and a GET request."""
    head = f"Host: leads.example.com\r\nAuthorization: Bearer {token}\r\n"
    body = json.dumps({"query": "{ me { id } }"})
    content = f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n"
    return [f"POST /graphql HTTP/1.1\r\n{head}{content}\r\n{body}".encode(), f"GET /me HTTP/1.1\r\n{head}\r\n".encode()]


async def test_no_request_fails_and_subscribers_connect_again(
    servers: Servers, proxy_port: int, token: str, capsys: pytest.CaptureFixture[str]
) -> None:
    subscribers = Subscribers(f"https://127.0.0.1:{proxy_port}", token)
    async with load_on(Load(proxy_port, requests_of(token), ssl.create_default_context()), new=1, kept=KEPT) as load:
        watching = [asyncio.create_task(watch()) for watch in (subscribers.by_websocket, subscribers.by_events) * 2]
        await asyncio.sleep(2)
        await asyncio.to_thread(servers.restart_all)
        for task in watching:
            task.cancel()
        watched = await asyncio.gather(*watching, return_exceptions=True)
    with capsys.disabled():
        print(f"\nrolling restart: {dict(load.outcomes)}, slowest {load.slowest:.2f} s, {dict(subscribers.ended)}")  # noqa: T201  the figures
    assert not load.failures
    assert not load.outcomes["refused"]
    assert load.outcomes["200"] > FEWEST
    assert [type(each) for each in watched] == [asyncio.CancelledError] * 4, watched
    assert set(subscribers.ended) == {"WebSocket 1012", "events : 1012"}


async def test_no_request_fails_behind_a_load_balancer_that_only_checks(
    database_url: str, tmp_path: Path, certificate: Certificate, token: str
) -> None:
    """It notices within three seconds that /readyz answers 503, and the server accepts requests for longer."""
    servers = Servers(database_url, drain_seconds="4")
    await servers.are_ready()
    port = free_port()
    with proxying(only_checking(tmp_path, certificate, port, servers.ports), port):
        async with load_on(Load(port, requests_of(token), ssl.create_default_context()), new=1, kept=KEPT) as load:
            await asyncio.sleep(1)
            await asyncio.to_thread(servers.restart, 0)
            await servers.is_ready(servers.ports[0])
            await asyncio.sleep(SECONDS_BETWEEN)
        assert not load.failures
        assert load.outcomes["200"] > FEWEST


async def test_what_machines_ask_for_is_not_exposed(proxy_port: int) -> None:
    async with httpx2.AsyncClient(base_url=f"https://127.0.0.1:{proxy_port}") as http:
        for path in ("/metrics", "/readyz", "/healthz"):
            assert (await http.get(path)).status_code == 404
        answer = await http.get("/me", headers={"X-Request-ID": "forged", "X-Forwarded-For": "192.0.2.1"})
    assert answer.status_code == 401
    assert re.fullmatch(r"[0-9a-f-]{32,36}", answer.headers["x-request-id"])
    assert answer.headers["strict-transport-security"]
