"""A worker is killed while it passes a lead on: nothing is half written, and the next worker does it."""

import asyncio
import sqlite3
from collections.abc import Sequence
from contextlib import closing, suppress
from typing import Any

import pytest
from sqlalchemy import text
from sqlmodel import col, select

from app.commands.submit import submit_lead_offers
from app.db.engine import Database
from app.db.models import Delivery, Lead, LeadOffer, LeadRollout
from tests.support.processes import start, stop
from tests.support.waiting import until
from tests.support.world import NOW, Cast, World

PAUSE = {
    "postgresql": (
        "CREATE SEQUENCE pauses",
        """
        CREATE FUNCTION pause() RETURNS trigger LANGUAGE plpgsql AS
        $$BEGIN IF nextval('pauses') = 1 THEN PERFORM pg_sleep(5); END IF; RETURN NEW; END$$
        """,
        "CREATE TRIGGER pause AFTER INSERT ON deliveries FOR EACH ROW EXECUTE FUNCTION pause()",
    ),
    # SQLite has no sleep: counting these pairs of pairs takes longer than the test.
    "sqlite": (
        """
        CREATE TRIGGER pause AFTER INSERT ON deliveries BEGIN
        SELECT count(*) FROM sqlite_master a, sqlite_master b, sqlite_master c, sqlite_master d; END
        """,
    ),
}
"""Pauses the next transaction that schedules a delivery, when it has written most of a step."""


@pytest.mark.slow
async def test_a_worker_that_is_killed_in_a_step_leaves_nothing(
    database: Database, database_url: str, world: World, cast: Cast
) -> None:
    following = await world.team(cast.alice)
    await world.member_user(following, "Dora")
    cast.team.next_team_id, cast.team.mins_until_next_team = following.id, 0
    await world.add(cast.team)
    lead = await world.lead(cast.alice, cast.team)
    async with database.write() as session:
        await submit_lead_offers(session, cast.alice.id, lead.id, NOW)
    before = await rows(database)
    dialect = "postgresql" if database.is_postgresql else "sqlite"
    for statement in PAUSE[dialect]:
        await execute(database, statement)

    worker = await asyncio.to_thread(start, database_url, "dispatch", fallback="console")
    await until(lambda: is_paused(database))
    worker.kill()
    worker.wait()
    assert await rows(database) == before
    if not database.is_postgresql:
        await execute(database, "DROP TRIGGER pause")

    worker = await asyncio.to_thread(start, database_url, "dispatch", fallback="console")

    async def went_on() -> bool:
        return len((await rows(database))[1]) > 1

    await until(went_on)
    await asyncio.to_thread(stop, worker)
    _, steps, offers, deliveries = await rows(database)
    assert [team_id for team_id, _ in steps] == [cast.team.id, following.id]
    assert (len(offers), len(deliveries)) == (2, 2)


async def execute(database: Database, statement: str) -> None:
    async with database.write_engine.begin() as connection:
        await connection.exec_driver_sql(statement)


async def is_paused(database: Database) -> bool:
    """Return whether the worker is in the middle of the step."""
    if database.is_postgresql:
        async with database.read_engine.connect() as connection:
            return bool((await connection.execute(text("SELECT is_called FROM pauses"))).scalar_one())
    for _ in range(5):  # each other transaction of the worker is shorter
        await asyncio.sleep(0.1)
        file = sqlite3.connect(str(database.write_engine.url.database), timeout=0)
        with closing(file), suppress(sqlite3.OperationalError):
            file.execute("BEGIN IMMEDIATE")
            return False
    return True


async def rows(database: Database) -> tuple[Sequence[Any], ...]:
    """Return when the lead is given up, and what steps have written of it."""
    async with database.read() as session:
        return (
            (await session.exec(select(Lead.gives_up_at))).all(),
            [*await session.exec(select(LeadRollout.team_id, LeadRollout.cause).order_by(col(LeadRollout.id)))],
            (await session.exec(select(LeadOffer.user_id, LeadOffer.status).order_by(col(LeadOffer.id)))).all(),
            (await session.exec(select(Delivery.offer_id))).all(),
        )
