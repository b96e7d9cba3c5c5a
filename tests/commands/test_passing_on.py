"""Chains: a lead that nobody takes goes on to the next team, and after the last one back to its creator."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from app.commands.availability import set_away
from app.commands.chains import following_team
from app.commands.claim import claim_lead_offer, decline_lead_offer
from app.commands.exhaustion import unclaimed_leads
from app.commands.leads import update_lead
from app.commands.passing_on import StepEnd, end_step, running_steps
from app.commands.preview import preview_lead_offers
from app.commands.release import release_lead
from app.commands.steps import next_team_id
from app.commands.submit import Submitted, submit_lead_offers
from app.commands.teams import delete_team
from app.db.engine import Database, connect
from app.db.models import Event, Lead, LeadOffer, LeadRollout, RolloutSkip, Team, User
from app.domain.enums import (
    ClaimedVia,
    LeadOfferStatus,
    OrderMethod,
    RolloutCause,
    SkipReason,
)
from app.errors import ApiError, Code
from tests.support.world import NOW, Cast, World

MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)


class Chain:
    """Three teams of Alice's: two by rank with a member each, then a pond by time. Ten minutes lie between them."""

    def __init__(self, database: Database, world: World, alice: User) -> None:
        self.database, self.world, self.alice = database, world, alice
        self.teams: list[Team] = []
        self.members: list[User] = []

    async def build(self, length: int = 3) -> "Chain":
        following: Team | None = None
        for number in range(length, 0, -1):
            wait: dict[str, Any] = (
                {} if following is None else {"next_team_id": following.id, "mins_until_next_team": 10}
            )
            method = OrderMethod.RANK if number < length else OrderMethod.TIME
            following = await self.world.team(self.alice, method, name=f"Team {number}", **wait)
            self.members.insert(
                0, await self.world.member_user(following, f"Member{number}", has_email_alert=number < length)
            )
            self.teams.insert(0, following)
        self.lead = await self.world.lead(self.alice, self.teams[0], watched_since=NOW)
        return self

    async def submit(self, now: datetime = NOW) -> Submitted:
        return await self.database.in_transaction(
            lambda session: submit_lead_offers(session, self.alice.id, self.lead.id, now)
        )

    async def end_step(self, now: datetime) -> StepEnd:
        return await self.database.in_transaction(lambda session: end_step(session, self.lead.id, now))

    async def offers(self) -> dict[str, tuple[LeadOfferStatus, datetime | None]]:
        """Return status and time of each offer, by the first name of its user."""
        found: Any = select(User.first_name, LeadOffer.status, LeadOffer.notify_at).join(
            LeadOffer, col(LeadOffer.user_id) == col(User.id)
        )
        async with self.database.read() as session:
            return {name: (status, at) for name, status, at in await session.exec(found)}

    async def steps(self) -> list[tuple[str, RolloutCause, int | None]]:
        """Return team, cause and wait of each step."""
        found = (
            select(Team.name, LeadRollout.cause, LeadRollout.wait_minutes)
            .join(LeadRollout, col(LeadRollout.team_id) == col(Team.id))
            .order_by(col(LeadRollout.id))
        )
        async with self.database.read() as session:
            return [*await session.exec(found)]

    async def gives_up_at(self) -> datetime | None:
        async with self.database.read() as session:
            return (await session.get_one(Lead, self.lead.id)).gives_up_at

    async def leave_nobody(self, *numbers: int) -> None:
        """Send the members of these teams away for a day."""
        for number in numbers:
            async with self.database.write() as session:
                await set_away(session, self.members[number - 1].id, NOW + 24 * HOUR, NOW)


@pytest.fixture
async def chain(database: Database, world: World, cast: Cast) -> Chain:
    return await Chain(database, world, cast.alice).build()


SENT, SCHEDULED, DECLINED = LeadOfferStatus.SENT, LeadOfferStatus.SCHEDULED, LeadOfferStatus.DECLINED


async def test_a_lead_goes_along_the_chain_and_back_to_its_creator(chain: Chain) -> None:
    await chain.submit()
    second, third = NOW + 10 * MINUTE, NOW + 20 * MINUTE
    assert await chain.gives_up_at() == second
    assert await chain.end_step(second - timedelta(milliseconds=1)) is StepEnd.NOT_OVER
    assert await chain.end_step(second) is StepEnd.PASSED_ON
    assert await chain.end_step(second) is StepEnd.NOT_OVER
    assert await chain.end_step(third) is StepEnd.PASSED_ON
    assert await chain.offers() == {
        "Member1": (SCHEDULED, NOW),
        "Member2": (SCHEDULED, second),
        "Member3": (SCHEDULED, third),
    }
    assert await chain.gives_up_at() == third + HOUR
    assert await chain.end_step(third + HOUR) is StepEnd.EXHAUSTED
    assert await chain.gives_up_at() is None
    assert await chain.steps() == [
        ("Team 1", RolloutCause.SUBMITTED, 10),
        ("Team 2", RolloutCause.PASSED_ON, 10),
        ("Team 3", RolloutCause.PASSED_ON, 60),
    ]


async def test_a_team_with_nobody_takes_no_time(chain: Chain) -> None:
    await chain.leave_nobody(2)
    await chain.submit()
    second = NOW + 10 * MINUTE
    assert await chain.end_step(second) is StepEnd.PASSED_ON
    assert [*await chain.offers()] == ["Member1", "Member3"]
    assert [team for team, *_ in await chain.steps()] == ["Team 1", "Team 2", "Team 3"]
    async with chain.database.read() as session:
        skips = (await session.exec(select(RolloutSkip.user_id, RolloutSkip.reason))).all()
    assert [*skips] == [(chain.members[1].id, SkipReason.USER_AWAY)]


async def test_a_submit_asks_the_next_team_if_the_first_has_nobody(chain: Chain) -> None:
    await chain.leave_nobody(1)
    submitted = await chain.submit()
    assert submitted.team.name == "Team 2"
    assert [(over.team.name, [skip.reason for skip in over.skipped]) for over in submitted.passed_over] == [
        ("Team 1", [SkipReason.USER_AWAY])
    ]
    assert await chain.steps() == [("Team 1", RolloutCause.SUBMITTED, 10), ("Team 2", RolloutCause.PASSED_ON, 10)]
    assert await chain.end_step(NOW + 10 * MINUTE) is StepEnd.PASSED_ON
    assert [*await chain.offers()] == ["Member2", "Member3"]


async def test_a_submit_that_passed_over_a_team_without_options_can_be_repeated(chain: Chain) -> None:
    empty = await chain.world.team(chain.alice, next_team_id=chain.teams[0].id, mins_until_next_team=0)
    async with chain.database.write() as session:
        (await session.get_one(Lead, chain.lead.id)).team_id = empty.id
    first = await chain.submit()
    assert (first.team.id, first.created_count) == (chain.teams[0].id, 1)
    steps = await chain.steps()
    again = await chain.submit()
    assert (again.team.id, again.created_count) == (empty.id, 0)
    assert await chain.steps() == steps
    async with chain.database.write() as session:
        (await session.exec(select(LeadOffer))).one().status = LeadOfferStatus.CANCELLED
    await chain.leave_nobody(1, 2, 3)
    with pytest.raises(ApiError) as refused:
        await chain.submit()
    assert refused.value.code is Code.NO_DISTRIBUTION_OPTIONS


async def test_a_submit_is_refused_only_if_no_team_has_anybody(chain: Chain) -> None:
    await chain.leave_nobody(1, 2, 3)
    with pytest.raises(ApiError) as refused:
        await chain.submit()
    assert refused.value.code is Code.NO_ELIGIBLE_MEMBERS
    assert refused.value.extensions["skipped"] == [
        {"userId": str(member.id), "reason": "USER_AWAY"} for member in chain.members
    ]
    assert await chain.steps() == []


async def test_once_everybody_has_declined_the_lead_goes_on_at_once(chain: Chain) -> None:
    submitted = await chain.submit()
    later = NOW + MINUTE
    await chain.database.in_transaction(
        lambda session: decline_lead_offer(session, chain.members[0].id, submitted.offers[0].id, later)
    )
    assert await chain.gives_up_at() == later
    assert await chain.end_step(later) is StepEnd.PASSED_ON
    assert (await chain.offers())["Member1"] == (DECLINED, NOW)


async def test_deleting_the_team_of_the_running_step_sends_the_lead_on(chain: Chain) -> None:
    await chain.submit()
    later = NOW + MINUTE
    await chain.database.in_transaction(lambda session: delete_team(session, chain.alice.id, chain.teams[0].id, later))
    assert await chain.end_step(later) is StepEnd.PASSED_ON
    assert [*await chain.offers()] == ["Member1", "Member2"]


async def test_a_claim_ends_the_offers_of_all_steps_and_a_release_brings_them_back(chain: Chain) -> None:
    await chain.submit()
    await chain.end_step(NOW + 10 * MINUTE)
    async with chain.database.write() as session:
        mine = select(LeadOffer.id).where(col(LeadOffer.user_id) == chain.members[0].id)
        offer_id = (await session.exec(mine)).one()
        await claim_lead_offer(session, chain.members[0].id, offer_id, ClaimedVia.APP, NOW + 11 * MINUTE)
    assert await chain.gives_up_at() is None
    released = NOW + 30 * MINUTE
    await chain.database.in_transaction(lambda session: release_lead(session, chain.alice.id, chain.lead.id, released))
    assert await chain.gives_up_at() == released + 10 * MINUTE
    assert await chain.end_step(released + 10 * MINUTE) is StepEnd.PASSED_ON
    assert [team for team, *_ in await chain.steps()] == ["Team 1", "Team 2", "Team 3"]


async def test_a_lead_with_a_new_target_does_not_go_on_along_the_old_chain(chain: Chain) -> None:
    submitted = await chain.submit()
    await chain.database.in_transaction(
        lambda session: decline_lead_offer(session, chain.members[0].id, submitted.offers[0].id, NOW)
    )
    changes: dict[str, Any] = {"team_id": chain.teams[2].id}
    await chain.database.in_transaction(
        lambda session: update_lead(session, chain.alice.id, chain.lead.id, changes, NOW)
    )
    assert await chain.end_step(NOW) is StepEnd.EXHAUSTED
    assert (await chain.submit()).team.name == "Team 3"


async def test_a_team_is_asked_once_between_two_submits(chain: Chain) -> None:
    """Two simultaneous changes may have made the chain a ring."""
    async with chain.database.write() as session:
        last = await session.get_one(Team, chain.teams[2].id)
        last.next_team_id, last.mins_until_next_team = chain.teams[0].id, 0
        session.add(last)
    await chain.submit()
    ends = [await chain.end_step(NOW + hours * HOUR) for hours in range(1, 5)]
    assert ends == [StepEnd.PASSED_ON, StepEnd.PASSED_ON, StepEnd.EXHAUSTED, StepEnd.NOT_OVER]
    await chain.submit(NOW + 5 * HOUR)
    assert len(await chain.steps()) == 3  # nobody is new, so nothing is recorded, and it is over


async def test_a_chain_ends_with_its_fifth_team(database: Database, world: World, cast: Cast) -> None:
    chain = await Chain(database, world, cast.alice).build(7)
    await chain.submit()
    ends = [await chain.end_step(NOW + hours * HOUR) for hours in range(1, 6)]
    assert ends == [StepEnd.PASSED_ON] * 4 + [StepEnd.EXHAUSTED]
    assert (await chain.steps())[-1] == ("Team 5", RolloutCause.PASSED_ON, 60)


@pytest.mark.parametrize("away", [(), (1,), (2,), (1, 2), (3,)])
async def test_a_preview_shows_the_steps_that_follow(chain: Chain, away: Sequence[int]) -> None:
    """The worker then makes these steps, if nothing changes."""
    await chain.leave_nobody(*away)
    async with chain.database.read() as session:
        preview = await preview_lead_offers(session, chain.alice.id, chain.lead.id, None, NOW, ())
    submitted = await chain.submit()
    assert (preview.team.id, preview.skipped) == (submitted.team.id, submitted.skipped)
    assert [(o.user_id, o.notify_at) for o in preview.offers] == [(o.user_id, o.notify_at) for o in submitted.offers]
    assert [(over.team.id, over.skipped) for over in preview.passed_over] == [
        (over.team.id, over.skipped) for over in submitted.passed_over
    ]
    async with chain.database.read() as session:
        again = await preview_lead_offers(session, chain.alice.id, chain.lead.id, None, NOW, ())
    assert again.next == preview.next

    planned = [
        (step.team.name, step.starts_at, [(offer.user_id, offer.notify_at) for offer in step.offers], step.skipped)
        for step in preview.next
    ]
    made = []
    async with chain.database.read() as session:
        before = len((await session.exec(select(LeadRollout.id))).all())
    while await chain.end_step(now := await chain.gives_up_at() or NOW) is StepEnd.PASSED_ON:
        pass
    async with chain.database.read() as session:
        for step, team in await running_steps(session, await session.get_one(Lead, chain.lead.id)):
            its = select(LeadOffer.user_id, LeadOffer.notify_at).where(col(LeadOffer.team_id) == team.id)
            offers = [(user_id, at) for user_id, at in await session.exec(its)]
            made.append((team.name, step.submitted_at, offers))
    assert [step[:3] for step in planned] == made[before:], now


async def test_next_steps_are_told_by_the_lead_too(chain: Chain) -> None:
    """`following_team` is SQL, and equals `next_team_id`."""

    async def both(session: AsyncSession) -> tuple[int | None, int | None]:
        lead = (await session.exec(select(Lead).where(col(Lead.id) == chain.lead.id))).one()
        steps = await running_steps(session, lead)
        by_rows = next_team_id([team for _, team in steps]) if steps else None
        in_sql: Any = select(following_team(Lead)).select_from(Lead).where(col(Lead.id) == chain.lead.id)
        return by_rows, (await session.exec(in_sql)).one()

    async def check(expected: int | None) -> None:
        async with chain.database.read() as session:
            assert await both(session) == (expected, expected)

    await check(None)
    await chain.submit()
    await check(chain.teams[1].id)
    await chain.end_step(NOW + HOUR)
    await check(chain.teams[2].id)
    await chain.end_step(NOW + 2 * HOUR)
    await check(None)


async def test_a_lead_that_only_waits_for_its_next_step_is_not_listed_as_unclaimed(chain: Chain) -> None:
    async def listed(now: datetime) -> list[int]:
        async with chain.database.read() as session:
            return [lead.id for lead, _, _ in await unclaimed_leads(session, now)]

    await chain.submit()
    assert await listed(NOW + 10 * MINUTE) == []
    for minutes in (10, 20):
        await chain.end_step(NOW + minutes * MINUTE)
    assert await listed(NOW + 79 * MINUTE) == []
    assert await listed(NOW + 80 * MINUTE) == [chain.lead.id]
    await chain.end_step(NOW + 80 * MINUTE)
    assert await listed(NOW + 81 * MINUTE) == [chain.lead.id]


async def test_the_next_team_of_a_lead_does_not_depend_on_other_leads(chain: Chain, cast: Cast, world: World) -> None:
    """Another lead was submitted after it, to a team that no team follows."""
    await chain.submit()
    other = await world.lead(cast.alice, cast.team, watched_since=NOW)
    await chain.database.in_transaction(
        lambda session: submit_lead_offers(session, chain.alice.id, other.id, NOW + MINUTE)
    )
    async with chain.database.read() as session:
        found = await session.exec(select(Lead.id, following_team(Lead)).order_by(col(Lead.id)))
        assert [*found] == [(chain.lead.id, chain.teams[1].id), (other.id, None)]
        listed = await unclaimed_leads(session, NOW + 2 * HOUR)
        assert [lead.id for lead, _, _ in listed] == [other.id]


async def test_passing_on_emits_an_event(database_url: str, world: World, cast: Cast) -> None:
    database = connect(database_url, has_webhook=True)
    try:
        chain = await Chain(database, world, cast.alice).build()
        await chain.submit()
        await chain.end_step(NOW + 10 * MINUTE)
        async with database.read() as session:
            (event,) = await session.exec(select(Event))
            offer_id = (await session.exec(select(LeadOffer.id).order_by(col(LeadOffer.id).desc()))).first()
    finally:
        await database.close()
    ids = {"leadId": chain.lead.id, "fromTeamId": chain.teams[0].id, "teamId": chain.teams[1].id}
    assert event.kind == "rollout.passed_on"
    assert all(f'"{name}":"{value}"' in event.payload for name, value in ids.items()), event.payload
    assert f'"offerIds":["{offer_id}"]' in event.payload
