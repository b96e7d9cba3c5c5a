"""Bulk inserts for imports and sample data, whose rows may bring their own ids."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sqlalchemy import Table, func, insert, literal_column, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from app.db.change_feed import CHANNEL, IN_BULK

Advance = Callable[[int], None]
"""A callback that receives the number of rows just processed, for progress bars."""

CHUNK = 5_000

NOTIFY_ONCE = f"SELECT set_config('{IN_BULK}', 'on', true), pg_notify('{CHANNEL}', '')"
"""Silences the triggers until the end of the transaction, and sends one notification for everything in it."""


async def insert_rows(
    connection: AsyncConnection,
    table: Table,
    rows: Sequence[Mapping[str, Any]],
    advance: Advance = lambda _rows: None,
) -> None:
    """Insert rows that all have the keys of the first one. Keys that are not columns, and an id of None, are ignored.

    On PostgreSQL, listeners receive one empty notification for the whole transaction instead of one per row.
    """
    if not rows:
        return
    if connection.dialect.name == "postgresql":
        await connection.exec_driver_sql(NOTIFY_ONCE)
    columns = [column.name for column in table.columns if column.name in rows[0]]
    if rows[0].get("id") is None and "id" in columns:
        columns.remove("id")
    for start in range(0, len(rows), CHUNK):
        chunk = rows[start : start + CHUNK]
        await connection.execute(insert(table), [{name: row[name] for name in columns} for row in chunk])
        advance(len(chunk))


async def continue_ids(connection: AsyncConnection, table: Table) -> None:
    """Make new ids start after the highest one in the table. SQLite always does."""
    if connection.dialect.name == "postgresql":
        sequence, highest = f"{table.name}_id_seq", func.max(table.c.id)
        last = select(literal_column("last_value")).select_from(text(sequence)).scalar_subquery()
        await connection.execute(select(func.setval(literal_column(f"'{sequence}'"), highest)).having(highest >= last))
