"""PostgreSQL, or one of several server processes, crashes under load. No write that a client has seen succeed is lost.

These tests start a durable PostgreSQL server: that of the other tests would lose its data in a crash. A run on SQLite
leaves them out.
"""

import asyncio
import os
import signal
import subprocess
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx2
import pytest
from sqlmodel import col, select

from app.access.tokens import issue_token
from app.db.engine import connect
from app.db.migrations import upgrade
from app.db.models import Contact, Delivery
from app.domain.enums import Channel, DeliveryStatus, LeadOfferStatus
from tests.support import databases
from tests.support.api import settings_for
from tests.support.processes import FULL, free_port, start, stop
from tests.support.smtp_server import Mailbox, mailbox
from tests.support.waiting import until
from tests.support.world import NOW, World

CLIENTS = 8
SECONDS = 10.0 if FULL else 1.5
"""How long the load lasts before a fault, and after the recovery from it."""

ENTER = 'mutation Enter { createContact(input: { firstName: "Mary" }) { contact { id } } }'


@dataclass
class Load:
    """Clients that create contacts one after the other, and the responses to them."""

    url: str
    token: str
    server: subprocess.Popen[bytes]
    answered: dict[int, float] = field(default_factory=dict)
    """The time of the response for each id of a new contact."""
    refused: int = 0
    broken: int = 0
    strange: list[Any] = field(default_factory=list)

    @asynccontextmanager
    async def held(self) -> AsyncIterator[None]:
        """Keep up the load for some seconds before the `with` block, during it, and for some seconds after it."""
        clients = [asyncio.create_task(self._work()) for _ in range(CLIENTS)]
        await asyncio.sleep(SECONDS)
        yield
        await asyncio.sleep(SECONDS)
        for client in clients:
            client.cancel()
        await asyncio.gather(*clients, return_exceptions=True)

    async def _work(self) -> None:
        async with httpx2.AsyncClient(timeout=30) as http:
            while True:
                try:
                    self._note(await self.enter(http))
                except httpx2.TransportError:
                    self.broken += 1
                    await asyncio.sleep(0.02)

    async def enter(self, http: httpx2.AsyncClient) -> httpx2.Response:
        headers = {"Authorization": f"Bearer {self.token}"}
        return await http.post(f"{self.url}/graphql", json={"query": ENTER}, headers=headers)

    def _note(self, answer: httpx2.Response) -> None:
        match answer.status_code, answer.json():
            case 200, {"data": {"createContact": {"contact": {"id": id_}}}}:
                self.answered[int(id_)] = time.monotonic()
            case 503, {"errors": [{"extensions": {"code": "UNAVAILABLE", "retryAfter": _}}]}:
                self.refused += 1
            case told:
                self.strange.append(told)

    def longest_silence(self) -> float:
        """Return the longest time between two responses to any client, in seconds."""
        return max(later - earlier for earlier, later in pairwise(sorted(self.answered.values())))

    def told(self, fault: str) -> str:
        counts = f"{len(self.answered)} answered, {self.refused} refused with 503, {self.broken} broken off"
        return f"{fault}: {counts}; longest silence {self.longest_silence():.2f} s"


@pytest.fixture(scope="module")
def postgresql() -> Iterator[Any]:
    with databases.postgresql(configuration="") as server:
        yield server


@pytest.fixture
async def load(postgresql: Any) -> AsyncIterator[Load]:
    url = postgresql.get_uri(driver="asyncpg")
    await asyncio.to_thread(upgrade, url)
    database = connect(url)
    user = await World(database).user(email=f"{uuid4().hex}@example.com")
    await database.close()
    port = free_port()
    server = start(url, "serve", "--workers", "2", "--port", str(port))
    try:
        load = Load(
            f"http://127.0.0.1:{port}", issue_token(settings_for(url), user.id, "write", 1, datetime.now(UTC)), server
        )
        await is_ready(load)
        yield load
    finally:
        stop(server)


async def is_ready(load: Load) -> None:
    async with httpx2.AsyncClient() as http, asyncio.timeout(90):
        while True:
            with suppress(httpx2.TransportError):
                if (await http.get(f"{load.url}/readyz")).status_code == 200 and len(workers(load)) == 2:
                    return
            await asyncio.sleep(0.05)


def workers(load: Load) -> list[int]:
    """Return the process ids of the server's worker processes."""
    children = Path(f"/proc/{load.server.pid}/task/{load.server.pid}/children").read_text().split()
    return [int(child) for child in children if b"spawn_main" in Path(f"/proc/{child}/cmdline").read_bytes()]


def open_files(pid: int) -> int:
    """Return the number of open files. The process with the most of them has connections of clients."""
    return len(list(Path(f"/proc/{pid}/fd").iterdir()))


async def entered(postgresql: Any) -> set[int]:
    database = connect(postgresql.get_uri(driver="asyncpg"))
    async with database.read() as session:
        ids = set(await session.exec(select(col(Contact.id))))
    await database.close()
    return ids


@pytest.mark.slow
async def test_postgresql_crashes_and_comes_back(
    postgresql: Any, load: Load, capsys: pytest.CaptureFixture[str]
) -> None:
    async with load.held():
        os.kill(postgresql.get_pid(), signal.SIGQUIT)  # an immediate shutdown, as in a power failure
        await asyncio.sleep(1)
        postgresql.ensure_postgres_running()
    with capsys.disabled():
        print(f"\n{load.told('PostgreSQL crashed for a second')}")  # noqa: T201  the figures of docs/deploying.md
    assert not load.strange
    assert load.refused
    assert set(load.answered) <= await entered(postgresql)
    assert len(workers(load)) == 2


@pytest.mark.slow
async def test_one_of_two_server_processes_is_killed(
    postgresql: Any, load: Load, capsys: pytest.CaptureFixture[str]
) -> None:
    async with load.held():
        victim = max(workers(load), key=open_files)
        os.kill(victim, signal.SIGKILL)
    with capsys.disabled():
        print(f"\n{load.told('A server process of two was killed')}")  # noqa: T201  the figures of docs/deploying.md
    assert not load.strange
    assert 0 < load.broken <= CLIENTS
    assert set(load.answered) <= await entered(postgresql)
    await is_ready(load)
    assert victim not in workers(load)


async def test_a_server_that_is_stopped_finishes_running_requests(postgresql: Any, load: Load) -> None:
    """The requests wait for a table lock when SIGTERM arrives, and get it before the shutdown timeout."""
    database = connect(postgresql.get_uri(driver="asyncpg"))
    async with httpx2.AsyncClient(timeout=30) as http:
        async with database.write() as session:
            await (await session.connection()).exec_driver_sql("LOCK TABLE contacts IN EXCLUSIVE MODE")
            running = [asyncio.create_task(load.enter(http)) for _ in range(4)]
            await asyncio.sleep(0.5)
            load.server.terminate()
            began = time.monotonic()
            await asyncio.sleep(0.5)
        answers = await asyncio.gather(*running)
    await asyncio.to_thread(load.server.wait, 10)
    assert [answer.status_code for answer in answers] == [200] * 4
    assert {int(answer.json()["data"]["createContact"]["contact"]["id"]) for answer in answers} <= await entered(
        postgresql
    )
    assert time.monotonic() - began < 10
    await database.close()


async def test_the_numbers_of_all_processes_are_added_up(load: Load) -> None:
    async with httpx2.AsyncClient() as http:
        for _ in range(20):  # one connection each, so that both processes get some
            async with httpx2.AsyncClient() as once:
                await load.enter(once)
        told = (await http.get(f"{load.url}/metrics")).text
    assert 'lead_offers_requests_total{operation="Enter",outcome="OK"} 20.0\n' in told
    assert 'lead_offers_pool_connections_limit{pool="read"} 20.0\n' in told


async def test_a_worker_outlives_postgresql(postgresql: Any) -> None:
    """The worker reconnects and listens again: an e-mail that is due after the crash is sent at once."""
    url = postgresql.get_uri(driver="asyncpg")
    await asyncio.to_thread(upgrade, url)
    with mailbox() as box:
        worker = start(url, "dispatch", smtp_url=box.url, email_from="leads@example.org")
        try:
            await arrive(box, await offered(url))
            os.kill(postgresql.get_pid(), signal.SIGQUIT)
            await asyncio.sleep(1)
            postgresql.ensure_postgres_running()
            await arrive(box, await offered(url))
            assert worker.poll() is None
        finally:
            stop(worker)


async def offered(url: str) -> str:
    """Add an offer whose e-mail is due. Returns the recipient's address."""
    database = connect(url)
    world = World(database)
    name = f"{uuid4().hex}@example.com"
    team = await world.team(await world.user(email=None))
    user = await world.member_user(team, email=name)
    lead = await world.lead(await world.user(email=None), team)
    offer = await world.offer(lead, user, status=LeadOfferStatus.SCHEDULED)
    await world.add(
        Delivery(offer_id=offer.id, channel=Channel.EMAIL, status=DeliveryStatus.PENDING, next_attempt_at=NOW)
    )
    await database.close()
    return name


async def arrive(box: Mailbox, address: str) -> None:
    async def it_came() -> bool:
        return any(mail["To"] == address for mail in box.mails)

    await until(it_came, 20)
