"""The rows of an import into the database."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection
from sqlmodel import SQLModel

from app.db.bulk import Advance, continue_ids, insert_rows
from app.importer.parse import Rows
from app.importer.spec import LISTS


async def lock(connection: AsyncConnection) -> None:
    """Holds other writers back to the end of the transaction: what was checked stays true, and no id is taken twice.

    SQLite lets no two write at once anyway.
    """
    if connection.dialect.name == "postgresql":
        names = ", ".join(dict.fromkeys([*(kind.table for kind in LISTS), "team_zipcodes"]))
        await connection.exec_driver_sql(f"LOCK TABLE {names} IN SHARE ROW EXCLUSIVE MODE")


async def write(connection: AsyncConnection, rows: Rows, advance: Advance) -> None:
    tables = SQLModel.metadata.tables
    for kind in LISTS:
        table = tables[kind.table]
        values = [row.values for row in rows[kind.name]]
        await insert_rows(connection, table, [row for row in values if row["id"] is not None], advance)
        await continue_ids(connection, table)
        await insert_rows(connection, table, [row for row in values if row["id"] is None], advance)
        if kind.name == "teams":
            await insert_rows(connection, tables["team_zipcodes"], _zipcodes(values))


def _zipcodes(teams: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    return [{"team_id": team["id"], "zipcode": zipcode} for team in teams for zipcode in team["distribution_zipcodes"]]
