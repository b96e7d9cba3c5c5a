"""Many rows at once, with ids of their own."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sqlalchemy import Table, func, insert, literal_column, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from app.db.change_feed import CHANNEL, IN_BULK

Advance = Callable[[int], None]
"""Told how many more rows a step has done."""

CHUNK = 5_000

TELL_ONCE = f"SELECT set_config('{IN_BULK}', 'on', true), pg_notify('{CHANNEL}', '')"
"""To the end of the transaction the triggers are silent, and who listens hears that there is much to query."""


async def insert_rows(
    connection: AsyncConnection,
    table: Table,
    rows: Sequence[Mapping[str, Any]],
    advance: Advance = lambda _rows: None,
) -> None:
    """Inserts rows that all have the columns of the first; what else they have is left out, as is an id of None."""
    if not rows:
        return
    if connection.dialect.name == "postgresql":
        await connection.exec_driver_sql(TELL_ONCE)
    columns = [column.name for column in table.columns if column.name in rows[0]]
    if rows[0].get("id") is None and "id" in columns:
        columns.remove("id")
    for start in range(0, len(rows), CHUNK):
        chunk = rows[start : start + CHUNK]
        await connection.execute(insert(table), [{name: row[name] for name in columns} for row in chunk])
        advance(len(chunk))


async def continue_numbers(connection: AsyncConnection, table: Table) -> None:
    """New ids start after the highest there is. SQLite sees to that by itself."""
    if connection.dialect.name == "postgresql":
        sequence, highest = f"{table.name}_id_seq", func.max(table.c.id)
        last = select(literal_column("last_value")).select_from(text(sequence)).scalar_subquery()
        await connection.execute(select(func.setval(literal_column(f"'{sequence}'"), highest)).having(highest >= last))
