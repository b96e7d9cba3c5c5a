"""Writes the rows of an import."""

from sqlalchemy.ext.asyncio import AsyncConnection
from sqlmodel import SQLModel

from app.db.bulk import Advance, continue_ids, insert_rows
from app.importer.parse import Rows
from app.importer.spec import LISTS


async def lock(connection: AsyncConnection) -> None:
    """Exclude other writers until the transaction ends, so that the checks stay valid and no id is used twice.

    SQLite never has two writers.
    """
    if connection.dialect.name == "postgresql":
        names = ", ".join(dict.fromkeys([*(kind.table for kind in LISTS), "team_zipcodes"]))
        await connection.exec_driver_sql(f"LOCK TABLE {names} IN SHARE ROW EXCLUSIVE MODE")


async def write(connection: AsyncConnection, rows: Rows, advance: Advance) -> None:
    """Insert the rows. Rows without an id get the ids after the highest one."""
    tables = SQLModel.metadata.tables
    for kind in LISTS:
        table = tables[kind.table]
        values = [row.values for row in rows[kind.name]]
        await insert_rows(connection, table, [row for row in values if row["id"] is not None], advance)
        await continue_ids(connection, table)
        await insert_rows(connection, table, [row for row in values if row["id"] is None], advance)
        if kind.name == "teams":
            zipcodes = [
                {"team_id": team["id"], "zipcode": zipcode}
                for team in values
                for zipcode in team["distribution_zipcodes"]
            ]
            await insert_rows(connection, tables["team_zipcodes"], zipcodes)
