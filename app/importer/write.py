"""Writes the rows of an import, and what follows from them: zipcodes of teams, and deliveries of scheduled offers."""

from sqlalchemy.ext.asyncio import AsyncConnection
from sqlmodel import SQLModel
from sqlmodel.ext.asyncio.session import AsyncSession

from app.commands import outbox
from app.db.bulk import CHUNK, Advance, continue_ids, insert_rows
from app.domain.alert_channels import Alerts
from app.domain.enums import LeadOfferStatus
from app.importer.parse import Rows
from app.importer.spec import LISTS


async def lock(connection: AsyncConnection) -> None:
    """Exclude other writers until the transaction ends, so that the checks stay valid and no id is used twice.

    SQLite never has two writers.
    """
    if connection.dialect.name == "postgresql":
        names = ", ".join(dict.fromkeys([*(kind.table for kind in LISTS), "team_zipcodes"]))
        await connection.exec_driver_sql(f"LOCK TABLE {names} IN SHARE ROW EXCLUSIVE MODE")


async def write(session: AsyncSession, rows: Rows, advance: Advance) -> None:
    """Insert the rows. Rows without an id get the ids after the highest one."""
    connection, tables = await session.connection(), SQLModel.metadata.tables
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

    offers = [row.values for row in rows["lead_offers"]]
    announcements = [
        outbox.Announcement(offer["id"], Alerts.from_fields(offer), offer["notify_at"])
        for offer in offers
        if offer["status"] is LeadOfferStatus.SCHEDULED
    ]
    for start in range(0, len(announcements), CHUNK):
        await outbox.schedule_deliveries(session, announcements[start : start + CHUNK])
