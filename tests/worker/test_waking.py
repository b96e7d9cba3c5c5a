"""A worker that is asleep wakes up for a step that is over: on PostgreSQL by a notification, on SQLite by polling."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import timedelta

import pytest
from sqlmodel import col, select

from app.commands.claim import decline_lead_offer
from app.commands.submit import submit_lead_offers
from app.db.engine import Database
from app.db.models import LeadOffer, User
from app.domain.enums import Channel, DeliveryStatus, OrderMethod
from app.domain.timestamps import utc_now
from app.worker.worker import Worker
from tests.process.test_workers import count
from tests.support.api import settings_for
from tests.support.waiting import until
from tests.support.world import Cast, World
from tests.worker.test_worker import Recorder

SECOND, MINUTE = timedelta(seconds=1), timedelta(minutes=1)
AT_MOST = 20.0
"""Seconds until the worker has noticed, on a busy machine. Without a notification it sleeps for 30."""


@asynccontextmanager
async def asleep(database: Database, url: str, is_quiet: Callable[[], Awaitable[bool]]) -> AsyncIterator[None]:
    """Run a worker, and go on once it has nothing to do."""
    worker = Worker(database, settings_for(url), dict.fromkeys(Channel, Recorder()), utc_now)
    running = asyncio.create_task(worker.run())
    try:
        await until(is_quiet)
        await asyncio.sleep(1)
        yield
    finally:
        worker.stop()
        await running


@pytest.mark.parametrize(
    "over_in",
    [
        pytest.param(0 * SECOND, id="now"),
        pytest.param(SECOND / 2, id="now, by a clock that is ahead of the database's"),
        pytest.param(3 * SECOND, id="soon"),
    ],
)
async def test_a_step_that_is_over_earlier_wakes_the_worker(
    database: Database, elsewhere: Database, database_url: str, world: World, cast: Cast, over_in: timedelta
) -> None:
    """The second member declines long before his time, so that the step is over ten minutes after the first offer."""
    pond = await world.team(cast.alice, OrderMethod.TIME)
    dora = await world.member_user(pond, "Dora", has_email_alert=False)
    cast.team.next_team_id, cast.team.mins_until_next_team = pond.id, 10
    await world.add(cast.team)
    second: User = await world.member_user(cast.team, rank=2)
    lead = await world.lead(cast.alice, cast.team)
    begins = utc_now() - 10 * MINUTE + over_in + 4 * SECOND
    async with database.write() as session:
        await submit_lead_offers(session, cast.alice.id, lead.id, begins)
        mine = select(LeadOffer.id).where(col(LeadOffer.user_id) == second.id)
        offer_id = (await session.exec(mine)).one()

    async def first_is_told() -> bool:
        return await count(database, DeliveryStatus.SENT) == 1

    async def it_went_on() -> bool:
        async with database.read() as session:
            return (
                await session.exec(select(LeadOffer.id).where(col(LeadOffer.user_id) == dora.id))
            ).first() is not None

    async with asleep(elsewhere, database_url, first_is_told):
        assert not await it_went_on()
        await asyncio.sleep(max(0.0, (begins + 10 * MINUTE - over_in - utc_now()).total_seconds()))
        async with database.write() as session:
            await decline_lead_offer(session, second.id, offer_id, utc_now())
        await until(it_went_on, AT_MOST)
