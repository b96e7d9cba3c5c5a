"""When a lead is given up: the table of `set_gives_up_at`, and leads that an earlier version wrote."""

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlmodel import col, select, update
from sqlmodel.ext.asyncio.session import AsyncSession

from app.commands.claim import claim_lead_offer, decline_lead_offer
from app.commands.leads import create_lead, update_lead
from app.commands.passing_on import StepEnd, end_step
from app.commands.release import release_lead
from app.commands.step_end import leads_to_end, next_step_end
from app.commands.submit import submit_lead_offers
from app.db.engine import Database, connect
from app.db.models import Lead, LeadRollout
from app.domain.bounds import LATEST
from app.domain.enums import ClaimedVia, DistributionTarget, LeadOfferStatus, TeamSelectionMethod
from tests.support.world import NOW, Cast, World

MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)

Command = Callable[[AsyncSession], Awaitable[Any]]


async def after(database: Database, lead_id: int, *commands: Command) -> datetime | None:
    """Run the commands, each in a transaction, and return when the lead is given up."""
    for command in commands:
        await database.in_transaction(command)
    async with database.read() as session:
        return (await session.exec(select(Lead.gives_up_at).where(col(Lead.id) == lead_id))).one()


async def test_a_step_is_over_an_hour_after_its_last_offer(database: Database, world: World, cast: Cast) -> None:
    await world.member_user(cast.team, rank=2)
    lead = await world.lead(cast.alice, cast.team, watched_since=NOW)
    over = await after(database, lead.id, lambda session: submit_lead_offers(session, cast.alice.id, lead.id, NOW))
    assert over == NOW + 15 * MINUTE + HOUR


async def test_a_lead_that_nobody_was_offered_is_over_an_hour_after_its_creation(
    database: Database, cast: Cast
) -> None:
    new: dict[str, Any] = {
        "contact": {"first_name": "Mary"},
        "distribution_target": DistributionTarget.TEAM_ROLLOUT,
        "team_selection_method": TeamSelectionMethod.SPECIFIC_TEAM,
        "team_id": cast.team.id,
    }
    lead = await database.in_transaction(lambda session: create_lead(session, cast.alice.id, new, NOW))
    assert await after(database, lead.id) == NOW + HOUR
    kept: dict[str, Any] = {"distribution_target": DistributionTarget.MYSELF}
    later = NOW + MINUTE
    keep: Command = lambda session: update_lead(session, cast.alice.id, lead.id, kept, later)  # noqa: E731
    assert await after(database, lead.id, keep) is None
    del new["contact"]
    share: Command = lambda session: update_lead(session, cast.alice.id, lead.id, new, later)  # noqa: E731
    assert await after(database, lead.id, share) == NOW + HOUR


async def test_a_claim_stops_the_clock_and_a_release_starts_it(database: Database, world: World, cast: Cast) -> None:
    await world.member_user(cast.team, rank=2)
    lead = await world.lead(cast.alice, cast.team, watched_since=NOW)

    async def submit_and_claim(session: AsyncSession) -> None:
        submitted = await submit_lead_offers(session, cast.alice.id, lead.id, NOW)
        await claim_lead_offer(session, cast.bob.id, submitted.offers[0].id, ClaimedVia.APP, NOW)

    assert await after(database, lead.id, submit_and_claim) is None
    later = NOW + 5 * HOUR
    released = await after(database, lead.id, lambda session: release_lead(session, cast.bob.id, lead.id, later))
    assert released == later + HOUR


async def test_once_everybody_has_declined_the_step_is_over_now(database: Database, world: World, cast: Cast) -> None:
    lead = await world.lead(cast.alice, cast.team, watched_since=NOW)
    offer = await world.offer(lead, cast.bob)
    later = NOW + 5 * MINUTE
    decline: Command = lambda session: decline_lead_offer(session, cast.bob.id, offer.id, later)  # noqa: E731
    assert await after(database, lead.id, decline) == later


async def test_a_reported_lead_is_not_over_again(database: Database, world: World, cast: Cast) -> None:
    lead = await world.lead(cast.alice, cast.team, watched_since=NOW)
    offer = await world.offer(lead, cast.bob)
    mark: Command = lambda session: end_step(session, lead.id, NOW + 2 * HOUR)  # noqa: E731
    decline: Command = lambda session: decline_lead_offer(session, cast.bob.id, offer.id, NOW + 3 * HOUR)  # noqa: E731
    assert await after(database, lead.id, mark, decline) is None


async def test_the_patience_is_that_of_the_submit(database_url: str, world: World, cast: Cast) -> None:
    """A step keeps its wait when the setting changes; a worker with another one reports it at the same moment."""
    lead = await world.lead(cast.alice, cast.team, watched_since=NOW)
    patient, hasty = connect(database_url, unclaimed_minutes=120), connect(database_url, unclaimed_minutes=10)
    try:
        submit: Command = lambda session: submit_lead_offers(session, cast.alice.id, lead.id, NOW)  # noqa: E731
        assert await after(patient, lead.id, submit) == NOW + 2 * HOUR
        for at, ended in ((NOW + 2 * HOUR - MINUTE, StepEnd.NOT_OVER), (NOW + 2 * HOUR, StepEnd.EXHAUSTED)):
            async with hasty.write() as session:
                assert await end_step(session, lead.id, at) is ended
    finally:
        await patient.close()
        await hasty.close()


@pytest.mark.parametrize("written", [None, NOW - HOUR])
async def test_what_an_earlier_version_wrote_is_worked_out_again(
    database: Database, world: World, cast: Cast, written: datetime | None
) -> None:
    """During a rolling deployment, servers that do not know the column submit leads, or move offers."""
    lead = await world.lead(cast.alice, cast.team, watched_since=NOW)
    await world.offer(lead, cast.bob)
    forget: Command = lambda session: session.exec(update(Lead).values(gives_up_at=written))  # noqa: E731
    await after(database, lead.id, forget)
    async with database.write() as session:
        assert await leads_to_end(session, NOW) == [lead.id]
        assert await end_step(session, lead.id, NOW) is StepEnd.NOT_OVER
    assert await after(database, lead.id) == NOW + HOUR
    async with database.read() as session:
        assert await next_step_end(session, NOW) == NOW + HOUR
        assert await next_step_end(session, NOW + HOUR) is None


@pytest.mark.parametrize("notify_at", [LATEST, None])
async def test_the_last_instant_and_none_are_moments_too(
    database: Database, world: World, cast: Cast, notify_at: datetime | None
) -> None:
    """No step is over after the last instant that is stored. An imported offer may have no moment at all."""
    lead = await world.lead(cast.alice, cast.team, watched_since=NOW)
    offer = await world.offer(lead, cast.bob, notify_at=notify_at)
    other = await world.offer(lead, cast.charlie, status=LeadOfferStatus.SCHEDULED, notify_at=notify_at)
    decline: Command = lambda session: decline_lead_offer(session, cast.bob.id, offer.id, NOW)  # noqa: E731
    assert await after(database, lead.id, decline) == (LATEST if notify_at else NOW), other


@pytest.mark.parametrize("has_next", [True, False])
async def test_a_submit_of_an_earlier_version_is_ended(
    database: Database, world: World, cast: Cast, *, has_next: bool
) -> None:
    """Such a server writes neither the wait of a step nor when it is over, and the worker's patience decides."""
    if has_next:
        cast.team.next_team_id, cast.team.mins_until_next_team = (await world.team(cast.alice)).id, 5
        await world.add(cast.team)
    lead = await world.lead(cast.alice, cast.team, watched_since=NOW)
    submit: Command = lambda session: submit_lead_offers(session, cast.alice.id, lead.id, NOW)  # noqa: E731
    forget: Command = lambda session: session.exec(update(Lead).values(gives_up_at=None))  # noqa: E731
    no_wait: Command = lambda session: session.exec(update(LeadRollout).values(wait_minutes=None))  # noqa: E731
    await after(database, lead.id, submit, forget, no_wait)
    for at, ended in ((NOW + HOUR - MINUTE, StepEnd.NOT_OVER), (NOW + HOUR, StepEnd.EXHAUSTED)):
        async with database.write() as session:
            assert await leads_to_end(session, at) == [lead.id]
            assert await end_step(session, lead.id, at) is ended
    async with database.read() as session:
        teams = [*await session.exec(select(LeadRollout.team_id).order_by(col(LeadRollout.id)))]
    assert teams == [cast.team.id, *([cast.team.next_team_id] if has_next else [])]
