"""Rate limits in a real Redis that is shared, stopped, paused, refuses to write, and is started again."""

import asyncio
import json
import re
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import httpx2
import pytest
from typer.testing import CliRunner

from app.access.rate_limits import CONNECTIONS, LOG_SECONDS, PAUSE_SECONDS, REDIS_SECONDS, RateLimits
from app.access.tokens import issue_token
from app.cli import app
from app.db.models import User
from app.domain.enums import ApiScope
from tests.support.api import settings_for
from tests.support.graphql_ws import signed_in
from tests.support.processes import free_port, server
from tests.support.redis_server import RedisServer, redis_server
from tests.support.waiting import until
from tests.support.world import Cast, World

LIMIT = 4
REQUESTS = 20
"""More than the limit, and more than there are tries of Redis in the time that they take."""

Send = Callable[[], Awaitable[set[int]]]
"""Sends a request by each path over HTTP, and returns their statuses."""


@pytest.fixture
def redis() -> Iterator[RedisServer]:
    with redis_server() as redis:
        yield redis


@pytest.fixture
def log_file(tmp_path: Path) -> Path:
    """The log of the server."""
    return tmp_path / "log"


@pytest.fixture
def url(database_url: str, redis: RedisServer, log_file: Path) -> Iterator[str]:
    """The URL of a server that limits each user, and each key in an address."""
    limits = {"rate_limit_per_user": f"{LIMIT}/hour", "rate_limit_per_intake_key": f"{LIMIT}/hour"}
    with server(database_url, log_file=str(log_file), rate_limit_storage=redis.url, **limits) as url:
        yield url


@pytest.fixture
async def http() -> AsyncIterator[httpx2.AsyncClient]:
    async with httpx2.AsyncClient(timeout=30) as http:
        yield http


def token_of(database_url: str, user: User) -> str:
    return issue_token(settings_for(database_url), user.id, "read write", 1, datetime.now(UTC))


@pytest.fixture
async def send(url: str, database_url: str, http: httpx2.AsyncClient, world: World, cast: Cast) -> Send:
    """Sends requests that are counted apart: by GraphQL, by REST, and with a key in the address."""
    _row, key = await world.api_key(cast.charlie, ApiScope.INTAKE)
    bob, alice = ({"Authorization": f"Bearer {token_of(database_url, user)}"} for user in (cast.bob, cast.alice))
    enquiry = {"first_name": "Mary", "last_name": "Jackson", "email": "mary@example.com"}

    async def send() -> set[int]:
        return {
            (await http.post(f"{url}/graphql", json={"query": "{ me { id } }"}, headers=bob)).status_code,
            (await http.get(f"{url}/me", headers=alice)).status_code,
            200 if (status := (await http.post(f"{url}/intake/{key}", data=enquiry)).status_code) == 201 else status,
        }

    return send


async def statuses(send: Send, number: int) -> list[set[int]]:
    return [await send() for _ in range(number)]


async def is_limited_again(send: Send) -> None:
    async def limited() -> bool:
        return await send() == {429}

    await until(limited, PAUSE_SECONDS + 10)


async def skipped(http: httpx2.AsyncClient, url: str) -> float:
    """Return how many rate limits were not applied, as /metrics says."""
    metrics = (await http.get(f"{url}/metrics")).text
    found = re.search(r"^lead_offers_rate_limits_skipped_total (\S+)$", metrics, re.MULTILINE)
    assert found
    return float(found[1])


def warnings_of(log_file: Path) -> list[str]:
    """Return the messages about Redis in a log without tracebacks and passwords."""
    log = log_file.read_text()
    assert "Traceback" not in log
    assert "ss w" not in log  # a part of the password
    lines = [json.loads(line) for line in log.splitlines()]
    return [line["event"] for line in lines if line["level"] == "warning" and "Redis" in line["event"]]


async def test_requests_go_on_while_redis_is_stopped_and_are_limited_afterwards(
    redis: RedisServer, send: Send, url: str, http: httpx2.AsyncClient, log_file: Path
) -> None:
    assert await statuses(send, LIMIT + 1) == [{200}] * LIMIT + [{429}]
    redis.stop()
    assert await statuses(send, REQUESTS) == [{200}] * REQUESTS
    assert await skipped(http, url) == 3 * REQUESTS
    redis.start()
    await is_limited_again(send)
    [line] = warnings_of(log_file)
    assert line.startswith("Requests are not limited, because Redis fails: ConnectionError: Error 111 connecting to")


async def test_requests_go_on_while_redis_is_paused_and_are_limited_afterwards(
    redis: RedisServer, send: Send, url: str, http: httpx2.AsyncClient, log_file: Path
) -> None:
    assert await statuses(send, LIMIT + 1) == [{200}] * LIMIT + [{429}]
    redis.pause()
    started = time.monotonic()
    assert await statuses(send, REQUESTS) == [{200}] * REQUESTS
    tries = 1 + (time.monotonic() - started) / PAUSE_SECONDS
    assert time.monotonic() - started < 10 + tries * REDIS_SECONDS  # if each request waited: 15 s and more
    assert await skipped(http, url) == 3 * REQUESTS
    redis.resume()
    await is_limited_again(send)
    assert warnings_of(log_file) == [
        "Requests are not limited, because Redis fails: no response within 0.25 s",
    ]


async def test_requests_go_on_while_redis_refuses_to_write(redis: RedisServer, send: Send, log_file: Path) -> None:
    redis.run("REPLICAOF", "127.0.0.1", str(free_port()))
    assert await statuses(send, REQUESTS) == [{200}] * REQUESTS
    redis.run("REPLICAOF", "NO", "ONE")
    await is_limited_again(send)
    [line] = warnings_of(log_file)
    assert "read only replica" in line


async def test_a_websocket_goes_on_while_redis_is_paused(
    redis: RedisServer, url: str, database_url: str, cast: Cast
) -> None:
    async def ask(number: int) -> dict[str, object]:
        await client.send(id=str(number), type="subscribe", payload={"query": "{ me { id } }"})
        answer = await client.receive()
        if answer["type"] == "next":
            assert (await client.receive())["type"] == "complete"
        return answer

    async with signed_in(url, token_of(database_url, cast.bob)) as client:
        answers = [await ask(n) for n in range(LIMIT)]
        assert [answer["type"] for answer in answers] == ["next"] * (LIMIT - 1) + ["error"]  # connecting counts
        redis.pause()
        assert {(await ask(100 + n))["type"] for n in range(REQUESTS)} == {"next"}


async def test_two_servers_share_one_limit(
    redis: RedisServer, url: str, database_url: str, http: httpx2.AsyncClient, cast: Cast
) -> None:
    headers = {"Authorization": f"Bearer {token_of(database_url, cast.bob)}"}
    with server(database_url, rate_limit_storage=redis.url, rate_limit_per_user=f"{LIMIT}/hour") as other:
        found = [
            (await http.get(f"{each}/me", headers=headers)).status_code
            for each in [url] * (LIMIT // 2) + [other] * (LIMIT - LIMIT // 2) + [url, other]
        ]
    assert found == [200] * LIMIT + [429] * 2


@asynccontextmanager
async def silent_redis() -> AsyncIterator[tuple[str, list[asyncio.StreamWriter]]]:
    """A port that accepts connections and never answers. Gives its URL, and the connections so far."""

    async def accept(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        accepted.append(writer)

    accepted: list[asyncio.StreamWriter] = []
    listener = await asyncio.start_server(accept, "127.0.0.1")
    yield f"async+redis://127.0.0.1:{listener.sockets[0].getsockname()[1]}", accepted
    listener.close()
    for writer in accepted:
        writer.close()


async def test_few_requests_wait_for_a_silent_redis(caplog: pytest.LogCaptureFixture) -> None:
    async with silent_redis() as (storage, accepted):
        settings = settings_for(
            "sqlite+aiosqlite:///unused.db", rate_limit_per_user="1/hour", rate_limit_storage=storage
        )
        limits = RateLimits(settings)
        started = time.monotonic()
        while time.monotonic() - started < 3.5 * PAUSE_SECONDS:
            await asyncio.gather(*(limits.count_user(1) for _ in range(5)))
            await asyncio.sleep(0.01)
        await limits.close()
        # The first five at once, and then one in each pause.
        assert 5 + 2 <= len(accepted) <= 5 + 4
    assert len(caplog.records) == 1
    assert LOG_SECONDS == 60


async def test_a_burst_of_requests_is_limited(redis: RedisServer) -> None:
    """More requests at once than there are connections."""
    given = {"rate_limit_per_user": f"{LIMIT}/hour", "rate_limit_storage": redis.url}
    limits = RateLimits(settings_for("sqlite+aiosqlite:///unused.db", **given))
    outcomes = await asyncio.gather(*(limits.count_user(1) for _ in range(5 * CONNECTIONS)), return_exceptions=True)
    await limits.close()
    assert outcomes.count(None) == LIMIT


def test_check_tries_redis(database_url: str, redis: RedisServer) -> None:
    def check(**settings: str) -> str:
        given = {"database_url": database_url, "jwt_secret": "0" * 64, "rate_limit_storage": redis.url, **settings}
        environment = {f"LEAD_OFFERS_{name.upper()}": value for name, value in given.items()}
        output = CliRunner().invoke(app, ["check"], env=environment).stdout
        return next(line for line in output.splitlines() if "rate limits" in line)

    place = f"rate limits at 127.0.0.1:{redis.port}: the storage"
    assert check() == f"ok      {place} responds"
    wrong = check(rate_limit_storage=f"async+redis://:hunter2@127.0.0.1:{redis.port}")
    assert wrong.startswith(f"FAILED  {place} failed: AuthenticationError")
    assert "hunter2" not in wrong
    redis.stop()
    assert check().startswith(f"FAILED  {place} failed: ConnectionError")
