"""Shutdown after SIGTERM: work in progress ends or is left to other workers, within ten seconds in any case."""

import asyncio
import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path

import httpx2
import pytest
from sqlmodel import col, select

from app.access.tokens import issue_token
from app.db.engine import Database
from app.db.models import Delivery
from app.domain.enums import DeliveryStatus
from app.domain.timestamps import utc_now
from tests.process.test_workers import due_mails
from tests.support.api import settings_for
from tests.support.graphql_ws import signed_in
from tests.support.http_load import Load, load_on
from tests.support.processes import free_port, listens, serve, start
from tests.support.smtp_server import Mailbox, mailbox
from tests.support.waiting import until
from tests.support.world import Cast, World

SECONDS = 10
"""The time in which a process must end after SIGTERM."""
MAILS = 3


@contextmanager
def running(process: subprocess.Popen[bytes]) -> Iterator[subprocess.Popen[bytes]]:
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def worker(url: str, box: Mailbox) -> subprocess.Popen[bytes]:
    return start(url, "dispatch", smtp_url=box.url, email_from="leads@example.org", lease_seconds="300")


def server(url: str, box: Mailbox, *arguments: str) -> tuple[subprocess.Popen[bytes], str]:
    settings = {"smtp_url": box.url, "email_from": "leads@example.org", "lease_seconds": "300"}
    return serve(url, "--dispatch", *arguments, **settings)


async def end(process: subprocess.Popen[bytes]) -> int:
    """Send SIGTERM and return the exit code. Raises an error if the process does not end in time."""
    process.terminate()
    return await asyncio.to_thread(process.wait, SECONDS)


async def begun(box: Mailbox, number: int) -> None:
    async def enough() -> bool:
        return box.begun >= number

    await until(enough, 30)


async def deliveries(database: Database) -> list[Delivery]:
    async with database.read() as session:
        return [*(await session.exec(select(Delivery).order_by(col(Delivery.id)))).all()]


SLOW_START = """
import sys, time
if any("spawn_main" in argument for argument in sys.orig_argv):
    time.sleep(12)
"""
"""Run by Python when it starts: both processes of `--workers 2` then take longer than uvicorn waits by default."""


async def test_processes_that_start_slowly_are_not_killed(
    database: Database, database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not database.is_postgresql:
        pytest.xfail("SQLite has one process")
    (tmp_path / "sitecustomize.py").write_text(SLOW_START)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with mailbox() as box:
        process, url = server(database_url, box, "--workers", "2")
        with running(process):
            async with httpx2.AsyncClient(base_url=url) as client:
                assert (await client.get("/healthz", timeout=60)).status_code == 200
            assert await end(process) == 0


@pytest.mark.parametrize("command", ["dispatch", "serve", "serve --workers 2"])
async def test_shutdown_does_not_wait_for_a_silent_provider(
    database: Database, database_url: str, world: World, cast: Cast, command: str
) -> None:
    if "--workers" in command and not database.is_postgresql:
        pytest.xfail("SQLite has one process")
    await due_mails(world, cast, MAILS)
    with mailbox() as box, ExitStack() as stack:
        box.is_silent = True
        process = (
            worker(database_url, box) if command == "dispatch" else server(database_url, box, *command.split()[1:])[0]
        )
        stack.enter_context(running(process))
        await begun(box, MAILS)
        assert await end(process) == 0
        box.is_silent = False
        left = await deliveries(database)
        assert [(one.status, one.lease, one.attempts) for one in left] == [(DeliveryStatus.PENDING, None, 0)] * MAILS
        assert all(one.next_attempt_at is not None and one.next_attempt_at <= utc_now() for one in left)


async def test_another_worker_sends_released_messages_at_once(
    database: Database, database_url: str, world: World, cast: Cast
) -> None:
    await due_mails(world, cast, 1)
    with mailbox() as box:
        box.is_silent = True
        with running(worker(database_url, box)) as first:
            await begun(box, 1)
            with running(worker(database_url, box)) as second:
                assert await end(first) == 0
                box.is_silent = False

                async def is_sent() -> bool:
                    return [one.status for one in await deliveries(database)] == [DeliveryStatus.SENT]

                await until(is_sent, 60)  # the lease would last 300 seconds
                assert await end(second) == 0


async def test_messages_sent_within_the_grace_period_are_recorded(
    database: Database, database_url: str, world: World, cast: Cast
) -> None:
    await due_mails(world, cast, MAILS)
    with mailbox() as box:
        box.is_silent = True
        with running(worker(database_url, box)) as process:
            await begun(box, MAILS)
            ending = asyncio.create_task(end(process))
            await asyncio.sleep(0.5)
            box.is_silent = False
            assert await ending == 0
        assert [one.status for one in await deliveries(database)] == [DeliveryStatus.SENT] * MAILS
        assert len(box.mails) == MAILS


async def test_a_second_signal_ends_a_worker_at_once(
    database: Database, database_url: str, world: World, cast: Cast
) -> None:
    """The leases expire later."""
    await due_mails(world, cast, MAILS)
    with mailbox() as box:
        box.is_silent = True
        with running(worker(database_url, box)) as process:
            await begun(box, MAILS)
            process.terminate()
            await asyncio.sleep(0.5)
            assert await end(process) == -signal.SIGTERM
        box.is_silent = False
        assert all(one.lease is not None for one in await deliveries(database))


@pytest.mark.slow
async def test_shutdown_does_not_wait_for_a_silent_database(
    database: Database, database_url: str, world: World, cast: Cast
) -> None:
    """The worker waits for a lock for longer than its shutdown may take."""
    await due_mails(world, cast, 1)
    async with database.write() as session:
        lock = "LOCK TABLE deliveries IN ACCESS EXCLUSIVE MODE" if database.is_postgresql else "SELECT 1"
        await (await session.connection()).exec_driver_sql(lock)
        port = free_port()
        process = start(
            database_url, "dispatch", "--metrics-port", str(port), fallback="console", statement_seconds="60"
        )
        with running(process):

            async def it_runs() -> bool:
                return listens(port)

            await until(it_runs, 30)
            await asyncio.sleep(1)
            assert await end(process) == -signal.SIGALRM


async def test_a_subscription_and_a_worker_end_together(
    database: Database, database_url: str, world: World, cast: Cast
) -> None:
    await due_mails(world, cast, MAILS)
    token = issue_token(settings_for(database_url), cast.bob.id, "read", 1, datetime.now(UTC))
    with mailbox() as box:
        box.is_silent = True
        process, url = server(database_url, box)
        with running(process):
            async with signed_in(url, token) as client:
                await client.subscribe()
                await begun(box, MAILS)
                ending = asyncio.create_task(end(process))
                assert (await client.end())[0] == 1012
                assert await ending == 0
        assert {one.lease for one in await deliveries(database)} == {None}


PAUSES = (0, 0.01, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5)
"""Seconds between the requests on a connection, below those that an idle connection is still served."""


def processes_of(process: subprocess.Popen[bytes]) -> list[int]:
    """Return the ids of a process and of its children."""
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text(encoding="ascii")
    return [process.pid, *map(int, children.split())]


@pytest.mark.parametrize("workers", ["1", "2", "2, all signalled"])
async def test_no_connection_is_reset(database: Database, database_url: str, workers: str) -> None:
    """The port answers or refuses. Responses on connections that are kept alive announce that they are closed."""
    if workers != "1" and not database.is_postgresql:
        pytest.xfail("SQLite has one process")
    process, url = serve(database_url, "--workers", workers[0])
    with running(process):
        async with httpx2.AsyncClient(base_url=url) as client:
            assert (await client.get("/readyz", timeout=60)).status_code == 200
        async with load_on(Load(int(url.rpartition(":")[2])), new=4, kept=PAUSES) as load:
            await asyncio.sleep(1)
            assert load.outcomes["200"] > 100
            before = dict(load.outcomes)
            for pid in processes_of(process) if "all" in workers else [process.pid]:
                os.kill(pid, signal.SIGTERM)
            assert await asyncio.to_thread(process.wait, SECONDS) == 0
            await asyncio.sleep(1)
    assert not load.failures
    assert "refused" not in before
    assert load.outcomes["refused"] > 0
    assert load.outcomes["closed"] == len(PAUSES)


@pytest.mark.slow
async def test_processes_are_replaced_without_a_reset_connection(database: Database, database_url: str) -> None:
    """On SIGHUP, one process after the other drains, while the others accept connections on the same port."""
    if not database.is_postgresql:
        pytest.xfail("SQLite has one process")
    process, url = serve(database_url, "--workers", "2")
    with running(process):
        async with httpx2.AsyncClient(base_url=url) as client:
            assert (await client.get("/readyz", timeout=60)).status_code == 200
        replaced = {pid for pid in processes_of(process) if "spawn_main" in command_of(pid)}
        assert len(replaced) == 2
        async with load_on(Load(int(url.rpartition(":")[2])), new=1, kept=PAUSES[3:]) as load:
            process.send_signal(signal.SIGHUP)

            async def all_replaced() -> bool:
                return not replaced & set(processes_of(process))

            await until(all_replaced, 120)
            await asyncio.sleep(1)
        assert set(load.outcomes) == {"200", "closed"}
        assert await end(process) == 0


def command_of(pid: int) -> str:
    return Path(f"/proc/{pid}/cmdline").read_text(encoding="utf-8")


async def test_a_load_balancer_can_be_told_before_the_port_is_closed(database_url: str) -> None:
    process, url = serve(database_url, drain_seconds="1.5")
    with running(process):
        async with httpx2.AsyncClient(base_url=url) as client:
            assert (await client.get("/readyz", timeout=60)).status_code == 200
            process.terminate()
            await asyncio.sleep(0.3)
            ready = await client.get("/readyz")
            assert (ready.status_code, ready.json()["reason"]) == (503, "The server is shutting down.")
            async with httpx2.AsyncClient(base_url=url) as other:
                assert (await other.get("/healthz")).status_code == 200
            process.terminate()  # a second time, as service managers and parents do: it changes nothing
            await asyncio.sleep(0.3)
            kept = await client.get("/healthz")
            assert (kept.status_code, kept.headers.get("connection")) == (200, None)
        assert await asyncio.to_thread(process.wait, SECONDS) == 0
        assert not listens(int(url.rpartition(":")[2]))
