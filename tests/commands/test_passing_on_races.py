"""A lead is passed on while somebody changes it, or a team of its chain. The result is that of one after the other.

One transaction runs while the other has done everything but its commit.
"""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import pytest
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from app.commands.claim import claim_lead_offer, decline_lead_offer
from app.commands.leads import update_lead
from app.commands.locks import lock_team
from app.commands.passing_on import StepEnd, end_step
from app.commands.submit import submit_lead_offers
from app.commands.teams import delete_team
from app.db.engine import Database
from app.db.models import Delivery, LeadOffer, LeadRollout, Team
from app.domain.enums import ClaimedVia, DeliveryStatus, LeadOfferStatus, RolloutCause
from app.errors import ApiError, Code
from tests.commands.test_passing_on import DECLINED, HOUR, MINUTE, SCHEDULED, Chain
from tests.support.world import NOW, Cast, World

SECOND = NOW + 10 * MINUTE
"""When the lead goes on to the second team."""

STARTS_WITHIN = 0.2
"""Seconds after which the second transaction has got as far as it can before the first one commits."""

BOTH_ORDERS = pytest.mark.parametrize("end_is_first", [True, False])

Work = Callable[[AsyncSession], Awaitable[Any]]


class Race:
    """The end of a step beside other commands. The lead has been submitted, and its first team's time is over."""

    def __init__(self, chain: Chain, elsewhere: Database) -> None:
        self.chain, self.elsewhere = chain, elsewhere

    async def end_beside(self, other: Work, *, end_is_first: bool) -> tuple[StepEnd, Any]:
        """Run both. Return their results; that of `other` may be the code of its error."""
        end: Work = lambda session: end_step(session, self.chain.lead.id, SECOND)  # noqa: E731
        first, second = (end, other) if end_is_first else (other, end)
        results = await self.side_by_side(first, second)
        return results if end_is_first else (results[1], results[0])

    async def side_by_side(self, first: Work, second: Work) -> tuple[Any, Any]:
        waiting: asyncio.Task[Any] | None = None
        try:
            async with self.chain.database.write() as session:
                one = await first(session)
                waiting = asyncio.create_task(outcome(self.elsewhere.in_transaction(second)))
                await asyncio.sleep(STARTS_WITHIN)
        except ApiError as error:
            one = error.code
        if waiting is None:
            return one, await outcome(self.elsewhere.in_transaction(second))
        return one, await waiting

    async def offer_id(self, number: int = 1) -> int:
        """Return the id of the offer to the member of a team."""
        mine = select(LeadOffer.id).where(col(LeadOffer.user_id) == self.chain.members[number - 1].id)
        async with self.chain.database.read() as session:
            return (await session.exec(mine)).one()

    async def told(self) -> dict[str, DeliveryStatus]:
        """Return the status of the delivery to each user who has one, by first name."""
        names = {member.id: member.first_name for member in self.chain.members}
        found: Any = select(LeadOffer.user_id, Delivery.status).join(
            Delivery, col(Delivery.offer_id) == col(LeadOffer.id)
        )
        async with self.chain.database.read() as session:
            return {names[user_id]: status for user_id, status in await session.exec(found) if user_id is not None}

    async def teams(self) -> list[str]:
        return [team for team, *_ in await self.chain.steps()]


async def outcome(work: Awaitable[Any]) -> Any:
    try:
        return await work
    except ApiError as error:
        return error.code


@pytest.fixture
async def race(database: Database, elsewhere: Database, world: World, cast: Cast) -> Race:
    chain = await Chain(database, world, cast.alice).build()
    await chain.submit()
    return Race(chain, elsewhere)


@BOTH_ORDERS
async def test_a_claim_wins_and_nobody_is_told_after_it(race: Race, *, end_is_first: bool) -> None:
    claimant, offer_id = race.chain.members[0], await race.offer_id()
    claim: Work = lambda session: claim_lead_offer(session, claimant.id, offer_id, ClaimedVia.APP, SECOND)  # noqa: E731
    ended, claimed = await race.end_beside(claim, end_is_first=end_is_first)
    assert isinstance(claimed, LeadOffer)
    assert ended is (StepEnd.PASSED_ON if end_is_first else StepEnd.NOT_OVER)
    assert await race.chain.gives_up_at() is None
    statuses = {name: status for name, (status, _) in (await race.chain.offers()).items()}
    passed_on = {"Member2": LeadOfferStatus.CANCELLED} if end_is_first else {}
    assert statuses == {"Member1": LeadOfferStatus.CLAIMED, **passed_on}
    assert await race.told() == dict.fromkeys(statuses, DeliveryStatus.CANCELLED)


async def test_two_workers_make_one_step(race: Race) -> None:
    end: Work = lambda session: end_step(session, race.chain.lead.id, SECOND)  # noqa: E731
    assert await race.end_beside(end, end_is_first=True) == (StepEnd.PASSED_ON, StepEnd.NOT_OVER)
    assert await race.teams() == ["Team 1", "Team 2"]
    assert await race.told() == {"Member1": DeliveryStatus.PENDING, "Member2": DeliveryStatus.PENDING}


async def test_two_workers_report_a_lead_once(race: Race) -> None:
    end: Work = lambda session: end_step(session, race.chain.lead.id, NOW + 5 * HOUR)  # noqa: E731
    for hours in (1, 2):
        assert await race.chain.end_step(NOW + hours * HOUR) is StepEnd.PASSED_ON
    assert await race.side_by_side(end, end) == (StepEnd.EXHAUSTED, StepEnd.NOT_OVER)


@BOTH_ORDERS
async def test_a_submit_starts_a_new_chain(race: Race, world: World, *, end_is_first: bool) -> None:
    """There is a new member in the first team."""
    chain = race.chain
    await world.member_user(chain.teams[0], "New")
    submit: Work = lambda session: submit_lead_offers(session, chain.alice.id, chain.lead.id, SECOND)  # noqa: E731
    ended, submitted = await race.end_beside(submit, end_is_first=end_is_first)
    assert submitted.created_count == 1
    assert ended is (StepEnd.PASSED_ON if end_is_first else StepEnd.NOT_OVER)
    between = [("Team 2", RolloutCause.PASSED_ON, 10)] if end_is_first else []
    submit_step = ("Team 1", RolloutCause.SUBMITTED, 10)
    assert await chain.steps() == [submit_step, *between, submit_step]
    assert await chain.gives_up_at() == max(at for _, at in (await chain.offers()).values() if at) + 10 * MINUTE
    assert await chain.end_step(NOW + HOUR) is StepEnd.PASSED_ON
    assert [*await chain.offers()] == [
        "Member1",
        *(["Member2", "New", "Member3"] if end_is_first else ["New", "Member2"]),
    ]


@BOTH_ORDERS
async def test_a_decline_makes_no_step_of_its_own(race: Race, *, end_is_first: bool) -> None:
    member, offer_id = race.chain.members[0], await race.offer_id()
    decline: Work = lambda session: decline_lead_offer(session, member.id, offer_id, SECOND)  # noqa: E731
    ended, declined = await race.end_beside(decline, end_is_first=end_is_first)
    assert (ended, declined.status) == (StepEnd.PASSED_ON, DECLINED)
    assert await race.chain.offers() == {"Member1": (DECLINED, NOW), "Member2": (SCHEDULED, SECOND)}
    assert await race.chain.gives_up_at() == SECOND + 10 * MINUTE
    assert await race.chain.end_step(SECOND) is StepEnd.NOT_OVER


@BOTH_ORDERS
async def test_a_decline_before_the_time_sends_the_lead_on_once(race: Race, *, end_is_first: bool) -> None:
    """The worker that it wakes looks while it has not committed, or afterwards."""
    chain, early = race.chain, NOW + MINUTE
    member, offer_id = chain.members[0], await race.offer_id()
    decline: Work = lambda session: decline_lead_offer(session, member.id, offer_id, early)  # noqa: E731
    end: Work = lambda session: end_step(session, chain.lead.id, early)  # noqa: E731
    results = await race.side_by_side(*((end, decline) if end_is_first else (decline, end)))
    assert (StepEnd.NOT_OVER if end_is_first else StepEnd.PASSED_ON) in results
    assert await chain.end_step(early) is (StepEnd.PASSED_ON if end_is_first else StepEnd.NOT_OVER)
    assert await race.teams() == ["Team 1", "Team 2"]


@BOTH_ORDERS
async def test_a_new_target_ends_the_chain_or_is_refused(race: Race, *, end_is_first: bool) -> None:
    chain, member, offer_id = race.chain, race.chain.members[0], await race.offer_id()
    await chain.database.in_transaction(lambda session: decline_lead_offer(session, member.id, offer_id, NOW))
    changes = {"team_id": chain.teams[2].id}
    update: Work = lambda session: update_lead(session, chain.alice.id, chain.lead.id, changes, SECOND)  # noqa: E731
    ended, updated = await race.end_beside(update, end_is_first=end_is_first)
    if end_is_first:
        assert (ended, updated) == (StepEnd.PASSED_ON, Code.CONFLICT)
        assert await race.teams() == ["Team 1", "Team 2"]
    else:
        assert (ended, updated.team_id) == (StepEnd.EXHAUSTED, chain.teams[2].id)
        assert await race.teams() == ["Team 1"]


async def forget_next(session: AsyncSession, team_id: int) -> None:
    """Write what `updateTeam(nextTeamId: null)` writes, under its lock."""
    team = await lock_team(session, team_id)
    assert team is not None
    team.next_team_id = team.mins_until_next_team = None
    await session.flush()


@BOTH_ORDERS
async def test_the_next_team_is_deleted(race: Race, *, end_is_first: bool) -> None:
    """No team names it any more, or the deletion would be refused. The lead goes on, or back to its creator."""
    chain, following = race.chain, race.chain.teams[1]

    async def delete(session: AsyncSession) -> None:
        await forget_next(session, chain.teams[0].id)
        await delete_team(session, chain.alice.id, following.id, SECOND)

    ended, deleted = await race.end_beside(delete, end_is_first=end_is_first)
    assert deleted is None
    offers = await chain.offers()
    if end_is_first:
        assert ended is StepEnd.PASSED_ON
        assert offers["Member2"][0] is LeadOfferStatus.CANCELLED
        assert (await race.told())["Member2"] is DeliveryStatus.CANCELLED
        assert await chain.gives_up_at() == SECOND  # the offer of the first team is as old as its step
    else:
        assert ended is StepEnd.EXHAUSTED
        assert [*offers] == ["Member1"]


@BOTH_ORDERS
@pytest.mark.parametrize("number", [1, 2])
async def test_the_chain_is_shortened(race: Race, number: int, *, end_is_first: bool) -> None:
    """A step is of one state of the chain: its wait is the patience of the server if no team follows."""
    chain, team = race.chain, race.chain.teams[number - 1]
    ended, _ = await race.end_beside(lambda session: forget_next(session, team.id), end_is_first=end_is_first)
    async with chain.database.read() as session:
        assert (await session.get_one(Team, team.id)).next_team_id is None
    steps = await chain.steps()
    if ended is StepEnd.EXHAUSTED:
        assert (number, end_is_first, len(steps)) == (1, False, 1)
        return
    assert ended is StepEnd.PASSED_ON
    wait = 60 if (number, end_is_first) == (2, False) else 10
    assert steps[1:] == [("Team 2", RolloutCause.PASSED_ON, wait)]
    assert await chain.gives_up_at() == SECOND + timedelta(minutes=wait)


async def test_one_offer_per_user_though_both_teams_have_them(race: Race, world: World) -> None:
    """A member of the first team, whose offer was withdrawn meanwhile, is in the second team, too."""
    chain = race.chain
    await world.member(chain.teams[1], chain.members[0])
    end: Work = lambda session: end_step(session, chain.lead.id, SECOND)  # noqa: E731
    submit: Work = lambda session: submit_lead_offers(session, chain.alice.id, chain.lead.id, SECOND)  # noqa: E731
    await race.side_by_side(end, submit)
    async with chain.database.read() as session:
        users = [*await session.exec(select(LeadOffer.user_id))]
        steps = [*await session.exec(select(LeadRollout.id))]
    assert sorted(users) == sorted(member.id for member in chain.members[:2])
    assert len(steps) == 2  # the submit made nothing


async def test_nobody_is_asked_behind_a_team_that_was_asked(race: Race, world: World) -> None:
    """The third team, which has nobody, now leads back to the first one, and that one to a new team."""
    chain = race.chain
    fourth = await world.team(chain.alice)
    await world.member_user(fourth, "Member4")
    await chain.leave_nobody(3)
    assert await chain.end_step(SECOND) is StepEnd.PASSED_ON
    async with chain.database.write() as session:
        for team, following in ((chain.teams[2], chain.teams[0]), (chain.teams[0], fourth)):
            changed = await lock_team(session, team.id)
            assert changed is not None
            changed.next_team_id, changed.mins_until_next_team = following.id, 0
    assert await chain.end_step(NOW + HOUR) is StepEnd.EXHAUSTED
    assert await race.teams() == ["Team 1", "Team 2", "Team 3"]
