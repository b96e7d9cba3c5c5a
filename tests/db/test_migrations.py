"""The migrations produce the same catalog as the models."""

import re
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import Connection, text
from sqlmodel import SQLModel

from app.db import migrations
from app.db.engine import Database
from app.db.migrations import upgrade

SQLITE = """
SELECT type, name, tbl_name, sql FROM sqlite_master WHERE name <> 'alembic_version' AND name NOT LIKE 'sqlite_%'
"""

POSTGRESQL = """
SELECT 'column', table_name, column_name,
       concat_ws(' ', data_type, character_maximum_length, collation_name, is_nullable, column_default)
FROM information_schema.columns WHERE table_schema = 'public' AND table_name <> 'alembic_version'
UNION ALL
SELECT 'constraint', conrelid::regclass::text, conname, pg_get_constraintdef(oid)
FROM pg_constraint WHERE connamespace = 'public'::regnamespace AND conname NOT LIKE 'alembic_version%'
UNION ALL
SELECT 'index', tablename, indexname, indexdef
FROM pg_indexes WHERE schemaname = 'public' AND tablename <> 'alembic_version'
"""


async def test_a_migrated_database_matches_the_models(database: Database) -> None:
    async with database.write_engine.begin() as connection:
        migrated = await connection.run_sync(catalog)
        await connection.run_sync(SQLModel.metadata.drop_all)
        assert await connection.run_sync(catalog) == []
        await connection.run_sync(SQLModel.metadata.create_all)
        made = await connection.run_sync(catalog)
    assert {"users", "leads", "lead_offers"} < {table for _, table, *_ in migrated}
    assert migrated == made


def catalog(connection: Connection) -> list[tuple[str, ...]]:
    query = POSTGRESQL if connection.dialect.name == "postgresql" else SQLITE
    return sorted(tuple(normalize(str(cell)) for cell in row) for row in connection.execute(text(query)))


def normalize(sql: str) -> str:
    """Ignores whitespace and, as the catalog of PostgreSQL does, the order of the columns of a table."""
    head, parenthesis, body = sql.partition("(") if sql.startswith("CREATE TABLE") else (sql, "", "")
    columns = sorted(" ".join(column.split()) for column in re.split(r",(?![^(]*\))", body.strip().removesuffix(")")))
    return " ".join(head.split()) + parenthesis + ", ".join(columns)


def test_upgrade_works_in_any_directory_and_twice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for _ in range(2):
        upgrade("sqlite+aiosqlite:///here.db")
    with closing(sqlite3.connect(tmp_path / "here.db")) as connection:
        newest = max(file.name[:4] for file in Path(migrations.__file__).parent.glob("versions/0*.py"))
        assert connection.execute("SELECT version_num FROM alembic_version").fetchall() == [(newest,)]
