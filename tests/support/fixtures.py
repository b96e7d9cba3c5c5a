"""Fixtures of the tests that use the server or its database. tests/conftest.py loads them."""

import logging
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import httpx2
import pytest

from app.db.engine import Database, connect
from app.db.limits import Limits
from app.domain.bounds import LONGEST_REPLAY_IN_SECONDS
from app.graphql.subscriptions.recent_changes import MARGIN_SECONDS, RecentChanges
from app.main import create_app
from tests.support.api import Api, serving, settings_for
from tests.support.databases import Clone, statements_of, template
from tests.support.graphql_ws import Watchers
from tests.support.identity_provider import Provider, identity_provider
from tests.support.live_server import live_server
from tests.support.processes import ending_processes
from tests.support.world import Cast, World


@pytest.fixture(scope="session")
def clone() -> Iterator[Clone]:
    with template() as clone:
        yield clone


@pytest.fixture
async def database_url(clone: Clone) -> AsyncIterator[str]:
    """The URL of a fresh, migrated database that only this test uses. No process that it started outlives it."""
    async with clone() as url:
        with ending_processes():
            yield url


@pytest.fixture
def provider() -> Iterator[Provider]:
    """An identity provider that publishes its keys on a real socket."""
    with identity_provider() as provider:
        yield provider


@pytest.fixture
async def api(database_url: str) -> AsyncIterator[Api]:
    """A client of a server in this process, whose clock stands at `NOW`."""
    async with serving(settings_for(database_url)) as api:
        yield api


@pytest.fixture
async def live(database_url: str) -> AsyncIterator[Api]:
    """A client of a server behind a real socket, whose clock is the real one."""
    settings = settings_for(database_url)
    app = create_app(settings)
    with live_server(app) as url:
        # There is no TLS, and loading the certificates of its authorities takes 30 ms.
        async with httpx2.AsyncClient(base_url=url, verify=False) as http:
            yield Api(http, settings, app.state.database)


@pytest.fixture
async def watch(live: Api) -> AsyncIterator[Watchers]:
    """A function that opens a subscription to the server of `live`."""
    async with AsyncExitStack() as stack:
        yield Watchers(live, stack)


@pytest.fixture
def _has_run_for_a_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let servers in this process replay changes as if they had received all those of the last minute."""
    clear = RecentChanges.clear

    def clear_earlier(self: RecentChanges[Any]) -> None:
        clear(self)
        self._missed_until -= LONGEST_REPLAY_IN_SECONDS + MARGIN_SECONDS

    monkeypatch.setattr(RecentChanges, "clear", clear_earlier)


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    """The test's own connections to its database."""
    database = connect(database_url)
    yield database
    await database.close()


@pytest.fixture
async def patient(database_url: str) -> AsyncIterator[Database]:
    """The test's own connections: one for each user, and time enough for all of them on a busy machine."""
    database = connect(database_url, Limits(pool_size=20, pool_seconds=60))
    yield database
    await database.close()


@pytest.fixture
async def elsewhere(database_url: str) -> AsyncIterator[Database]:
    """Connections to the test's database as another process would have them."""
    database = connect(database_url)
    yield database
    await database.close()


@pytest.fixture(scope="session")
def demo_data() -> bytes:
    """The file that scripts/demo imports."""
    script = Path(__file__).parents[2] / "scripts" / "demo_data.py"
    return subprocess.run([sys.executable, script], capture_output=True, check=True).stdout


@pytest.fixture
def world(database: Database) -> World:
    """Functions that write rows with defaults to the test's database."""
    return World(database)


@pytest.fixture
async def cast(world: World) -> Cast:
    """Alice, who owns a team, Bob, who is a member, and Charlie, who is neither."""
    return await world.cast()


@pytest.fixture
def statements(database: Database) -> list[str]:
    """The SQL statements that `database` runs from now on."""
    return statements_of(database)


@pytest.fixture
def fetched(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, Sequence[Any]]]:
    """The compiled reads that run from now on, with their values."""
    seen: list[tuple[str, Sequence[Any]]] = []
    fetch = Database.fetch

    async def note(self: Database, statement: str, values: Sequence[Any]) -> Sequence[Any]:
        seen.append((statement, values))
        return await fetch(self, statement, values)

    monkeypatch.setattr(Database, "fetch", note)
    return seen


@pytest.fixture(autouse=True)
def _restored_logging() -> Iterator[None]:
    """Restore the logging after each test: the commands configure it to write to a standard error that is closed."""
    root = logging.getLogger()
    level, handlers = root.level, root.handlers[:]
    yield
    root.setLevel(level)
    root.handlers[:] = handlers
