"""The columns of leads that figures read agree with the tables that tell the same."""

import asyncio
from random import Random
from typing import Any

import pytest
from sqlalchemy import text
from sqlmodel import col, select

from app.db.engine import Database
from app.db.migrations import upgrade
from app.db.models import Lead
from app.domain.enums import ClaimedVia
from tests.figures.histories import History
from tests.support.world import Cast, World

KEPT = ("first_claimed_via", "first_team_id", "was_released", "was_exhausted")


async def kept(database: Database) -> list[tuple[Any, ...]]:
    async with database.read() as session:
        leads = (await session.exec(select(Lead).order_by(col(Lead.id)))).all()
    return [tuple(getattr(lead, name) for name in KEPT) for lead in leads]


async def run(database: Database, *statements: str) -> None:
    async with database.write_engine.begin() as connection:
        for statement in statements:
            await connection.execute(text(statement))


async def test_the_migration_fills_them(database: Database, database_url: str, world: World) -> None:
    history = History(world, Random(7))
    await history.run(await history.office(), 80)
    before = await kept(database)
    assert all(len({row[place] for row in before}) > 1 for place in range(4)), "the history shows too little"
    if database.is_postgresql:
        await run(database, "DROP FUNCTION keep_figures CASCADE")
    else:  # which does not drop the indexes of a column with it
        await run(database, "DROP INDEX ix_leads_unsubmitted_by_time")
    await run(
        database,
        *(f"ALTER TABLE leads DROP COLUMN {name}" for name in KEPT),
        "DROP INDEX ix_lead_rollouts_team_by_time",
        "CREATE INDEX ix_lead_rollouts_team_id ON lead_rollouts (team_id)",
        "UPDATE alembic_version SET version_num = '0015'",
    )

    await asyncio.to_thread(upgrade, database_url, "0016")

    assert await kept(database) == before


async def test_they_follow_the_rows_of_an_earlier_server(database: Database, world: World, cast: Cast) -> None:
    """On PostgreSQL, where servers are upgraded one after the other."""
    if not database.is_postgresql:
        pytest.xfail("SQLite has one server")
    lead = await world.lead(cast.alice, cast.team)
    assert await kept(database) == [(None, None, False, False)]
    as_before = "SET LOCAL lead_offers.keeps_ledger = 'off'"
    await run(
        database,
        as_before,
        f"""INSERT INTO lead_rollouts (lead_id, team_id, team_selection_method, submitted_at)
            VALUES ({lead.id}, {cast.team.id}, 'SPECIFIC_TEAM', now())""",
        f"INSERT INTO notices (lead_id, status, attempts) VALUES ({lead.id}, 'SENT', 1)",
        f"UPDATE leads SET claimed_by_id = {cast.bob.id}, claimed_at = now(), claimed_via = 'TEXT'",
    )
    await run(database, as_before, "UPDATE leads SET claimed_by_id = NULL, claimed_at = NULL, claimed_via = NULL")
    assert await kept(database) == [(ClaimedVia.TEXT, cast.team.id, True, True)]
