"""Alembic's entry point. `upgrade` passes a connection; the `alembic` command connects to the configured database."""

import asyncio

from alembic import context
from sqlalchemy import Connection
from sqlmodel import SQLModel

from app.config import Settings
from app.db import models  # noqa: F401  importing it registers the tables with the metadata
from app.db.engine import connect


def run(connection: Connection) -> None:
    context.configure(
        connection=connection,
        target_metadata=SQLModel.metadata,
        render_as_batch=connection.dialect.name == "sqlite",
        transactional_ddl=True,
    )
    with context.begin_transaction():
        context.run_migrations()


async def run_from_settings() -> None:
    database = connect(Settings().database_url)
    async with database.write_engine.begin() as connection:
        await connection.run_sync(run)
    await database.close()


if context.is_offline_mode():
    raise SystemExit("Migrations need a database; --sql is not supported.")
if (connection := context.config.attributes.get("connection")) is not None:
    run(connection)
else:
    asyncio.run(run_from_settings())
