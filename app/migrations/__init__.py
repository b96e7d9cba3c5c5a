"""The schema's revisions (Alembic), and the way up to the newest.

`alembic revision --autogenerate -m …` drafts the next one; a test compares what they make with the models.
"""

import asyncio
from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection

from app.db import connect


def upgrade(url: str) -> None:
    """Bring the database at a SQLAlchemy URL to the newest revision, all or nothing; of two at once, one waits."""
    asyncio.run(_upgrade(url))


async def _upgrade(url: str) -> None:
    database = connect(url)
    try:
        async with database.write_engine.begin() as connection:
            await connection.run_sync(_run)
    finally:
        await database.close()


def _run(connection: Connection) -> None:
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql("SELECT pg_advisory_xact_lock(hashtext('lead-offers migrate'))")
    config = Config(attributes={"connection": connection})
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    command.upgrade(config, "head")
