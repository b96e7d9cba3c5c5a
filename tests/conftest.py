import os
import subprocess
import sys
from collections.abc import AsyncIterator, Generator, Iterator
from contextlib import AsyncExitStack
from pathlib import Path

import httpx2
import pytest

from app.db.engine import Database, connect
from app.main import create_app
from tests.support.api import Api, serving, settings_for
from tests.support.databases import Clone, statements_of, template
from tests.support.live import Watchers
from tests.support.serving import serving as listening
from tests.support.world import Cast, World

collect_ignore = [] if os.environ.get("LEAD_OFFERS_TEST_DATABASE") == "postgresql" else ["process/test_faults.py"]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """In CI nothing is skipped: what cannot run there fails."""
    report = yield
    if report.skipped and os.environ.get("CI") == "true" and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"skipped in CI: {report.longrepr}"
    return report


@pytest.fixture(scope="session")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Clone]:
    with template(tmp_path_factory.mktemp("databases")) as clone:
        yield clone


@pytest.fixture
async def database_url(clone: Clone) -> AsyncIterator[str]:
    """A fresh, migrated database of this test's own."""
    async with clone() as url:
        yield url


@pytest.fixture
async def api(database_url: str) -> AsyncIterator[Api]:
    """The server on this test's database, at the tests' moment."""
    async with serving(settings_for(database_url)) as api:
        yield api


@pytest.fixture
async def live(database_url: str) -> AsyncIterator[Api]:
    """The server on this test's database behind a real socket, at the real time."""
    settings = settings_for(database_url)
    app = create_app(settings)
    with listening(app) as url:
        async with httpx2.AsyncClient(base_url=url) as http:
            yield Api(http, settings, app.state.database)


@pytest.fixture
async def watch(live: Api) -> AsyncIterator[Watchers]:
    """Makes subscribers of it."""
    async with AsyncExitStack() as stack:
        yield Watchers(live, stack)


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    database = connect(database_url)
    yield database
    await database.close()


@pytest.fixture
async def elsewhere(database_url: str) -> AsyncIterator[Database]:
    """The same database as another process has it."""
    database = connect(database_url)
    yield database
    await database.close()


@pytest.fixture(scope="session")
def demo_data() -> bytes:
    """The file that scripts/demo imports."""
    script = Path(__file__).parents[1] / "scripts" / "demo_data.py"
    return subprocess.run([sys.executable, script], capture_output=True, check=True).stdout


@pytest.fixture
def world(database: Database) -> World:
    return World(database)


@pytest.fixture
async def cast(world: World) -> Cast:
    """Alice owns a team, Bob is on it, Charlie is a stranger who must not."""
    return await world.cast()


@pytest.fixture
def statements(database: Database) -> list[str]:
    """The SQL statements of this test's database; see `statements_of`."""
    return statements_of(database)
