"""The rows of an import into the database, in bulk."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Table, func, insert, literal_column, select, text
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlmodel import SQLModel

from app.imports.lists import LISTS
from app.imports.reading import Advance, Rows

CHUNK = 5_000


async def lock(connection: AsyncConnection) -> None:
    """Holds other writers back to the end of the transaction: what was checked stays true, and no id is taken twice.

    SQLite lets no two write at once anyway.
    """
    if connection.dialect.name == "postgresql":
        names = ", ".join(dict.fromkeys([*(kind.table for kind in LISTS), "team_zipcodes"]))
        await connection.exec_driver_sql(f"LOCK TABLE {names} IN SHARE ROW EXCLUSIVE MODE")


async def write(connection: AsyncConnection, rows: Rows, advance: Advance) -> None:
    for kind in LISTS:
        table = SQLModel.metadata.tables[kind.table]
        values = [row.values for row in rows[kind.name]]
        await _insert(connection, table, [row for row in values if row["id"] is not None], advance)
        await continue_numbers(connection, table)
        await _insert(connection, table, [row for row in values if row["id"] is None], advance)
        if kind.name == "teams":
            await _insert(connection, SQLModel.metadata.tables["team_zipcodes"], _zipcodes(values))


async def continue_numbers(connection: AsyncConnection, table: Table) -> None:
    """New ids start after the highest there is. SQLite sees to that by itself."""
    if connection.dialect.name == "postgresql":
        sequence, highest = f"{table.name}_id_seq", func.max(table.c.id)
        last = select(literal_column("last_value")).select_from(text(sequence)).scalar_subquery()
        await connection.execute(select(func.setval(literal_column(f"'{sequence}'"), highest)).having(highest >= last))


async def _insert(
    connection: AsyncConnection, table: Table, rows: Sequence[Mapping[str, Any]], advance: Advance = lambda _: None
) -> None:
    if not rows:
        return
    columns = [column.name for column in table.columns if column.name in rows[0]]
    if rows[0].get("id") is None and "id" in columns:
        columns.remove("id")
    for start in range(0, len(rows), CHUNK):
        chunk = rows[start : start + CHUNK]
        await connection.execute(insert(table), [{name: row[name] for name in columns} for row in chunk])
        advance(len(chunk))


def _zipcodes(teams: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    return [{"team_id": team["id"], "zipcode": zipcode} for team in teams for zipcode in team["distribution_zipcodes"]]
