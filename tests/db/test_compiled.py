"""Compiled statements read and write what a session would, in the session's transaction."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import asyncpg
import pytest
from sqlalchemy import Integer, bindparam, func, update
from sqlmodel import SQLModel, select

from app.db.compiled import Statement
from app.db.engine import Database, connect
from app.db.functions import rows_parameter
from app.db.limits import Limits
from app.db.models import Lead, LeadOffer, Team, User
from app.db.sqlalchemy_internals import detached
from app.domain.enums import EndReason, LeadOfferStatus
from tests.support.world import Cast, World

OFFERS, LEADS = (SQLModel.metadata.tables[name] for name in ("lead_offers", "leads"))
TYPE = Statement(select(Lead.type), str)
RENAME = Statement[None](update(Lead).values(type=bindparam("to")))


@pytest.mark.parametrize("model", [Lead, LeadOffer, Team, User])
async def test_rows_equal_those_of_a_session(
    database: Database, world: World, cast: Cast, model: type[SQLModel]
) -> None:
    """Both for the first statement of a transaction, which SQLAlchemy runs, and for later ones, run by the driver."""
    claimed, other = [await world.lead(cast.alice, cast.team, type="Buyer") for _ in range(2)]
    await world.offer(claimed, cast.bob, status=LeadOfferStatus.EXPIRED, end_reason=EndReason.CLAIMED, rank=3)
    await world.claimed(claimed, cast.alice)
    await world.offer(other, None, notify_at=None, has_call_alert=None)
    everything = Statement(select(model), detached(model))
    async with database.write() as session:
        first, second = await everything.all(session), await everything.all(session)
        assert first == second == list(await session.exec(select(model)))
    assert await everything.read(database) == first


async def test_changes_of_a_detached_row_are_not_written(database: Database, world: World, cast: Cast) -> None:
    await world.lead(cast.alice, cast.team, type="Buyer")
    async with database.write() as session:
        lead = await Statement(select(Lead), detached(Lead)).one(session)
        lead.type = "Seller"
    assert await TYPE.read(database) == ["Buyer"]


class Failed(Exception):
    pass


@pytest.mark.parametrize("before", [0, 1, 2])
async def test_writes_are_rolled_back_with_the_transaction(
    database: Database, world: World, cast: Cast, before: int
) -> None:
    """Whatever comes first in it: a session begins its transaction with its first statement."""
    await world.lead(cast.alice, cast.team, type="Buyer")

    async def rename_in_vain() -> None:
        async with database.write() as session:
            for _ in range(before):
                await TYPE.one(session)
            await RENAME.run(session, to="Seller")
            assert await TYPE.one(session) == "Seller"
            raise Failed

    with pytest.raises(Failed):
        await rename_in_vain()
    assert await TYPE.read(database) == ["Buyer"]


async def test_a_missing_value_is_an_error(database: Database) -> None:
    async with database.write() as session:
        with pytest.raises(KeyError):
            await RENAME.run(session, two="Seller")


# Rows as a parameter

VALUES: list[tuple[Any, ...]] = [
    (1, None, None, LeadOfferStatus.SENT, None, "Buyer"),
    (2**63 - 1, datetime(2026, 3, 2, 9, 0, 0, 123000, UTC), -5, LeadOfferStatus.CLAIMED, True, None),
    (2, datetime(1, 1, 1, tzinfo=UTC), 0, LeadOfferStatus.SCHEDULED, False, """'"\\ \u2028 é 🏠 $1 :x ?"""),
]
GIVEN = rows_parameter(
    "given",
    OFFERS.c.user_id,
    OFFERS.c.notify_at,
    OFFERS.c.rank,
    OFFERS.c.status,
    OFFERS.c.has_call_alert,
    LEADS.c.type,
)


@pytest.mark.parametrize("rows", [[], VALUES, VALUES * 400], ids=["none", "each kind", "more than parameters"])
async def test_rows_as_a_parameter_are_selected_unchanged(database: Database, rows: list[tuple[Any, ...]]) -> None:
    back = Statement(select(*GIVEN.c), lambda *columns: columns)
    async with database.write() as session:
        for _ in range(2):
            assert await back.all(session, given=rows) == rows


# Errors


@pytest.fixture
async def alone(database_url: str) -> AsyncIterator[Database]:
    """PostgreSQL with a single connection."""
    database = connect(database_url, Limits(pool_size=1))
    if not database.is_postgresql:
        pytest.xfail("on SQLite, SQLAlchemy runs every statement")
    yield database
    await database.close()


BACKEND = Statement(select(func.pg_backend_pid()), int)
SLEEP = Statement[None](select(func.pg_sleep(30)))
FAIL = Statement[None](select(1 % bindparam("zero", type_=Integer)))


async def backend(database: Database, then: Statement[None] | None = None, **values: Any) -> int:
    """Return the id of the server process behind a transaction, in which the driver then runs another statement."""
    async with database.write() as session:
        pid = await BACKEND.one(session)
        if then:
            await then.run(session, **values)
        return pid


async def test_a_connection_survives_an_error(alone: Database) -> None:
    first = await backend(alone)
    with pytest.raises(asyncpg.DivisionByZeroError):
        await backend(alone, FAIL, zero=0)
    assert await backend(alone) == first


async def test_a_connection_is_discarded_after_a_cancelled_statement(alone: Database) -> None:
    first = await backend(alone)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(backend(alone, SLEEP), 0.2)
    assert await backend(alone) != first
