"""Writes the rows of an import, and what follows: zipcodes, contact keys, claims, deliveries of scheduled offers."""

from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection
from sqlmodel import SQLModel
from sqlmodel.ext.asyncio.session import AsyncSession

from app.access.sign_up import turn_into_memberships
from app.commands import outbox
from app.commands.claim_ledger import open_claims
from app.commands.contact_keys import add_keys_in_bulk
from app.commands.distribution_options import lower_marks
from app.db.bulk import CHUNK, Advance, continue_ids, insert_rows
from app.domain.alert_channels import Alerts
from app.domain.enums import LeadOfferStatus
from app.domain.team_chains import chain_from
from app.importer.parse import Rows
from app.importer.spec import LISTS


async def lock(connection: AsyncConnection) -> None:
    """Exclude other writers until the transaction ends, so that the checks stay valid and no id is used twice.

    SQLite never has two writers.
    """
    if connection.dialect.name == "postgresql":
        names = ", ".join(
            dict.fromkeys([*(kind.table for kind in LISTS), "team_zipcodes", "contact_keys", "waiting_invitations"])
        )
        await connection.exec_driver_sql(f"LOCK TABLE {names} IN SHARE ROW EXCLUSIVE MODE")


async def write(session: AsyncSession, rows: Rows, advance: Advance) -> None:
    """Insert the rows. Rows without an id get the ids after the highest one."""
    connection, tables = await session.connection(), SQLModel.metadata.tables
    for kind in LISTS:
        table = tables[kind.table]
        values = [row.values for row in rows[kind.name]]
        if kind.name == "teams":
            values = _next_teams_first(values)
        await insert_rows(connection, table, [row for row in values if row["id"] is not None], advance)
        await continue_ids(connection, table)
        await insert_rows(connection, table, [row for row in values if row["id"] is None], advance)
        if kind.name == "contacts":
            await add_keys_in_bulk(connection, values)
        if kind.name == "teams":
            zipcodes = [
                {"team_id": team["id"], "zipcode": zipcode}
                for team in values
                for zipcode in team["distribution_zipcodes"]
            ]
            await insert_rows(connection, tables["team_zipcodes"], zipcodes)
        if kind.name == "team_member_distribution_options":
            await lower_marks(session, {(row["team_id"], row["user_id"]): row["weight"] for row in values})

    held = [row.values["id"] for row in rows["leads"] if row.values["claimed_by_id"] is not None]
    for start in range(0, len(held), CHUNK):
        await open_claims(session, held[start : start + CHUNK])

    await turn_into_memberships(
        session, [row.values["email"] for row in rows["users"] if row.values["email"] is not None]
    )

    offers = [row.values for row in rows["lead_offers"]]
    announcements = [
        outbox.Announcement(offer["id"], Alerts.from_fields(offer), offer["notify_at"])
        for offer in offers
        if offer["status"] is LeadOfferStatus.SCHEDULED
    ]
    for start in range(0, len(announcements), CHUNK):
        await outbox.schedule_deliveries(session, announcements[start : start + CHUNK])


def _next_teams_first(teams: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the teams in an order in which each comes after its next team, to which its row refers."""
    next_of = {team["id"]: team["next_team_id"] for team in teams}
    return sorted(teams, key=lambda team: len(chain_from(team["id"], next_of)))
