"""The revisions of the database schema (Alembic), and the upgrade to the latest.

`alembic revision --autogenerate -m …` drafts the next one. A test compares the migrated tables with the models.
"""

import asyncio
from functools import cache
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text
from sqlmodel.ext.asyncio.session import AsyncSession

from app.db.engine import connect


def upgrade(url: str, revision: str = "head", *, unclaimed_minutes: int = 60) -> None:
    """Upgrade the database at a SQLAlchemy URL to a revision, all or nothing. Concurrent upgrades wait.

    Leads that wait to be claimed are given up `unclaimed_minutes` after their last offer.
    """
    asyncio.run(_upgrade(url, revision, unclaimed_minutes))


async def _upgrade(url: str, revision: str, unclaimed_minutes: int) -> None:
    database = connect(url)
    try:
        async with database.write_engine.begin() as connection:
            await connection.run_sync(_run, revision, unclaimed_minutes)
    finally:
        await database.close()


def _run(connection: Connection, revision: str, unclaimed_minutes: int) -> None:
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql("SELECT pg_advisory_xact_lock(hashtext('lead-offers migrate'))")
    config = _config()
    config.attributes |= {"connection": connection, "unclaimed_minutes": unclaimed_minutes}
    command.upgrade(config, revision)


async def is_up_to_date(session: AsyncSession) -> bool:
    """Return whether the database has the latest revision, or one that this code does not know.

    An unknown revision is a later one: during a rolling deployment, old servers run on the new schema. Raises
    SQLAlchemy's error if there are no tables.
    """
    found = (await (await session.connection()).execute(text("SELECT version_num FROM alembic_version"))).scalar()
    return found is not None and found not in _earlier_revisions()


@cache
def _earlier_revisions() -> frozenset[str]:
    scripts = ScriptDirectory.from_config(_config())
    return frozenset(script.revision for script in scripts.walk_revisions()) - set(scripts.get_heads())


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    return config
