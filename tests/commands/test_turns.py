"""Turns on the database: whose turn it is, what a turn writes, the contact's agent, the limit, and fairness."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import chain
from random import Random
from typing import Any

import pytest
from sqlalchemy import update
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from app.commands.availability import clear_away, set_away
from app.commands.claim import claim_lead_offer, decline_lead_offer
from app.commands.distribution_options import set_distribution_option
from app.commands.members import respond_to_invitation
from app.commands.passing_on import StepEnd, end_step
from app.commands.preview import Preview, preview_lead_offers
from app.commands.release import release_lead
from app.commands.submit import Submitted, submit_lead_offers
from app.db.engine import Database, connect
from app.db.models import (
    Contact,
    DistributionOption,
    Lead,
    LeadOffer,
    LeadRollout,
    RolloutOffer,
    RolloutSkip,
    Team,
    TeamMember,
    Turn,
    User,
)
from app.domain.alert_channels import ALERT_FIELDS
from app.domain.enums import (
    OPEN_STATUSES,
    ClaimedVia,
    DistributionTarget,
    LeadOfferStatus,
    OrderMethod,
    RequestStatus,
    SkipReason,
    TeamSelectionMethod,
)
from app.domain.turns import mark_with_weight, stride
from app.errors import ApiError, Code
from tests.domain.test_turns import Fairness
from tests.support.processes import FULL
from tests.support.world import NOW, Cast, World, at, change

MINUTE = timedelta(minutes=1)
FULL_STRIDE = stride(1)


class Line:
    """A Round Robin team of Alice's with a gap of 15 minutes. Its members are called a, b, c and so on."""

    def __init__(self, database: Database, world: World, alice: User) -> None:
        self.database, self.world, self.alice = database, world, alice
        self.members: dict[str, User] = {}
        self.options: dict[str, DistributionOption] = {}

    async def build(self, *weights: int, **settings: Any) -> "Line":
        defaults: dict[str, Any] = {"mins_until_next_alert": 15}
        self.team = await self.world.team(self.alice, OrderMethod.ROUND_ROBIN, **(defaults | settings))
        for weight in weights:
            await self.join(weight=weight)
        return self

    async def join(self, **option: Any) -> User:
        name = "abcdefghij"[len(self.members)]
        user = await self.world.user(name)
        self.members[name] = user
        self.options[name] = await self.world.member(self.team, user, **option)
        return user

    def names(self, user_ids: Iterable[int | None]) -> str:
        by_id = {user.id: name for name, user in self.members.items()}
        return "".join("-" if user_id is None else by_id[user_id] for user_id in user_ids)

    async def lead(self, contact: Contact | None = None) -> Lead:
        return await self.world.lead(self.alice, self.team, contact)

    async def submit(self, lead: Lead, now: datetime = NOW) -> Submitted:
        return await self.submit_through(self.database, lead.id, now)

    async def submit_through(self, database: Database, lead_id: int, now: datetime = NOW) -> Submitted:
        return await database.in_transaction(lambda session: submit_lead_offers(session, self.alice.id, lead_id, now))

    async def preview(self, lead: Lead, now: datetime = NOW) -> Preview:
        async with self.database.read() as session:
            return await preview_lead_offers(session, self.alice.id, lead.id, None, now, ())

    async def submit_new(self, number: int = 1, now: datetime = NOW) -> str:
        """Submit new leads, a minute apart. Return the names of those whose turn it was."""
        before = len(await self.turns_used())
        for n in range(number):
            await self.submit(await self.lead(), now + n * MINUTE)
        return (await self.turns_used())[before:]

    async def turns_used(self) -> str:
        """Return the names of those whose turn each step of the team used; - for none."""
        found: Any = select(LeadRollout.turn_user_id).where(col(LeadRollout.team_id) == self.team.id)
        async with self.database.read() as session:
            return self.names(await session.exec(found.order_by(col(LeadRollout.id))))

    async def marks(self) -> dict[str, tuple[int, int, datetime | None]]:
        """Return mark, number of turns and time of the last turn by name."""
        found = select(Turn).where(col(Turn.team_id) == self.team.id).order_by(col(Turn.user_id))
        async with self.database.read() as session:
            return {
                self.names([turn.user_id]): (turn.mark, turn.taken, turn.last_taken_at)
                for turn in await session.exec(found)
            }

    async def team_mark(self) -> int:
        async with self.database.read() as session:
            return (await session.get_one(Team, self.team.id)).turn_mark

    async def offers(self, lead: Lead) -> list[tuple[str, LeadOfferStatus, datetime | None, int | None]]:
        """Return name, status, time and rank of the lead's offers in the order in which they are due."""
        found = select(LeadOffer).where(col(LeadOffer.lead_id) == lead.id)
        async with self.database.read() as session:
            offers = (await session.exec(found.order_by(col(LeadOffer.notify_at), col(LeadOffer.id)))).all()
        return [(self.names([o.user_id]), o.status, o.notify_at, o.rank) for o in offers]

    async def act(self, name: str, lead: Lead, now: datetime, *, decline: bool = False) -> None:
        """Claim or decline the lead as this member."""
        user_id = self.members[name].id
        async with self.database.write() as session:
            mine = select(LeadOffer.id).where(col(LeadOffer.user_id) == user_id, col(LeadOffer.lead_id) == lead.id)
            offer_id = (await session.exec(mine)).one()
            if decline:
                await decline_lead_offer(session, user_id, offer_id, now)
            else:
                await claim_lead_offer(session, user_id, offer_id, ClaimedVia.APP, now)


@pytest.fixture
def line(database: Database, world: World, cast: Cast) -> Line:
    return Line(database, world, cast.alice)


SCHEDULED, DECLINED = LeadOfferStatus.SCHEDULED, LeadOfferStatus.DECLINED


# Whose turn it is, and what a turn writes


async def test_leads_go_to_the_members_in_turn(line: Line) -> None:
    await line.build(1, 1, 1)
    lead = await line.lead()
    await line.submit(lead)
    assert await line.offers(lead) == [
        ("a", SCHEDULED, NOW, 1),
        ("b", SCHEDULED, at(15), 2),
        ("c", SCHEDULED, at(30), 3),
    ]
    assert await line.submit_new(5, at(1)) == "bcabc"


async def test_weights_7_and_3_interleave(line: Line) -> None:
    await line.build(7, 3)
    assert await line.submit_new(20) == "abaabaabaa" * 2


async def test_a_turn_moves_both_marks(line: Line) -> None:
    await line.build(2, 1)
    await line.submit_new(3)
    assert await line.marks() == {"a": (FULL_STRIDE, 2, at(2)), "b": (FULL_STRIDE, 1, at(1))}
    assert await line.team_mark() == FULL_STRIDE // 2
    assert await line.submit_new(1, at(3)) == "b"
    assert await line.team_mark() == FULL_STRIDE


async def test_a_submit_that_is_refused_uses_no_turn(line: Line) -> None:
    await line.build(1)
    await change(line.world, line.members["a"], away_until=at(60))
    with pytest.raises(ApiError) as refused:
        await line.submit(await line.lead())
    assert refused.value.code is Code.NO_ELIGIBLE_MEMBERS
    assert (await line.marks(), await line.team_mark()) == ({}, 0)


async def test_a_lead_with_an_open_offer_of_the_team_uses_no_second_turn(line: Line) -> None:
    """Members whom the second submit plans join the end of the line."""
    await line.build(1, 1)
    lead = await line.lead()
    await line.submit(lead)
    marks = await line.marks()
    await line.join()
    await line.submit(lead, at(5))
    assert await line.offers(lead) == [
        ("a", SCHEDULED, NOW, 1),
        ("b", SCHEDULED, at(15), 2),
        ("c", SCHEDULED, at(30), 3),
    ]
    assert (await line.turns_used(), await line.marks()) == ("a-", marks)


async def test_a_lead_that_everybody_declined_uses_another_turn(line: Line) -> None:
    await line.build(1, 1)
    lead = await line.lead()
    await line.submit(lead)
    for name in "ab":
        await line.act(name, lead, at(1), decline=True)
    await line.join()
    await line.submit(lead, at(2))
    assert (await line.offers(lead))[-1] == ("c", SCHEDULED, at(2), 1)
    assert await line.turns_used() == "ac"


async def test_offers_of_another_team_do_not_keep_a_turn(line: Line, world: World) -> None:
    await line.build(1, 1)
    other = await world.team(line.alice)
    lead = await line.lead()
    await world.offer(lead, await world.member_user(other), other, notify_at=at(10))
    submitted = await line.submit(lead)
    assert [(offer.notify_at, offer.rank) for offer in submitted.offers] == [(at(25), 1), (at(40), 2)]
    assert await line.turns_used() == "a"


async def test_a_team_by_rank_or_time_uses_no_turns(line: Line, world: World) -> None:
    for method in (OrderMethod.RANK, OrderMethod.TIME):
        team = await world.team(line.alice, method)
        await world.member_user(team)
        await line.submit(await world.lead(line.alice, team))
    async with line.database.read() as session:
        assert (await session.exec(select(Turn))).all() == []
        assert (await session.exec(select(LeadRollout.turn_user_id))).all() == [None, None]


async def test_ranks_are_kept_and_not_used(line: Line) -> None:
    await line.build()
    for rank in (9, 5, 1):
        await line.join(rank=rank)
    assert await line.submit_new(4) == "abca"


# Marks survive


async def test_a_member_who_was_away_is_owed_nothing(line: Line) -> None:
    await line.build(1, 1, 1)
    assert await line.submit_new() == "a"
    a = line.members["a"]
    await line.database.in_transaction(lambda session: set_away(session, a.id, at(600), at(1)))
    assert await line.submit_new(10, at(1)) == "bc" * 5
    await line.database.in_transaction(lambda session: clear_away(session, a.id))
    assert Counter(await line.submit_new(6, at(20))) == {"a": 2, "b": 2, "c": 2}
    assert (await line.marks())["a"][1] == 3


async def test_being_away_just_after_a_turn_brings_no_extra_turn(line: Line) -> None:
    await line.build(1, 1, 1)
    assert await line.submit_new() == "a"
    a = line.members["a"]
    await line.database.in_transaction(lambda session: set_away(session, a.id, at(600), at(1)))
    await line.database.in_transaction(lambda session: clear_away(session, a.id))
    assert await line.submit_new(3, at(1)) == "bca"


async def test_leaving_and_coming_back_keeps_the_mark(line: Line) -> None:
    await line.build(1, 1, 1)
    assert await line.submit_new() == "a"
    a, before = line.members["a"], (await line.marks())["a"]
    async with line.database.read() as session:
        member = (await session.exec(select(TeamMember).where(col(TeamMember.user_id) == a.id))).one()
    for answer in (RequestStatus.DECLINED, RequestStatus.ACCEPTED):
        async with line.database.write() as session:
            await respond_to_invitation(session, a.id, member.id, answer, at(1))
    assert (await line.marks())["a"] == before
    assert await line.submit_new(3, at(1)) == "bca"


async def test_an_option_that_is_removed_and_set_again_keeps_the_mark(line: Line) -> None:
    await line.build(1, 1, 1)
    assert await line.submit_new() == "a"
    before = (await line.marks())["a"]
    async with line.database.write() as session:
        await session.delete(await session.get_one(DistributionOption, line.options["a"].id))
    assert await line.submit_new(2, at(1)) == "bc"
    await line.world.option(line.team, line.members["a"])
    assert (await line.marks())["a"] == before
    assert await line.submit_new(3, at(3)) == "abc"


async def test_a_new_member_stands_beside_the_others(line: Line) -> None:
    await line.build(1, 1)
    await line.submit_new(10)
    await line.join()
    assert await line.submit_new(6, at(10)) == "cabcab"


async def test_a_new_weight_counts_from_the_next_turn(line: Line) -> None:
    await line.build(1, 1)
    await line.submit_new(4)
    await change(line.world, line.options["a"], weight=3)
    assert Counter(await line.submit_new(12, at(4))) == {"a": 9, "b": 3}


# Preview


async def test_a_preview_tells_whose_turn_it_is(line: Line) -> None:
    """At the same instant preview and submit are equal, and a preview writes nothing."""
    await line.build(3, 2, 2, 1, members_per_lead=2, keeps_contacts=True)
    await change(line.world, line.options["c"], max_leads_per_day=0)
    contacts = [await line.world.contact(line.alice) for _ in range(3)]
    random, turns = Random(7), []
    for n in range(14):
        lead, now = await line.lead(random.choice(contacts)), at(n)
        before = await line.marks(), await line.team_mark()
        preview = await line.preview(lead, now)
        assert (await line.marks(), await line.team_mark()) == before
        submitted = await line.submit(lead, now)
        assert [(o.user_id, o.notify_at, o.rank) for o in preview.offers] == [
            (o.user_id, o.notify_at, o.rank) for o in submitted.offers
        ]
        assert preview.skipped == submitted.skipped
        turns.append(preview.turn_user_id)
        if n % 4 == 1:
            await line.act(line.names([submitted.offers[0].user_id]), lead, now)
    used = await line.turns_used()
    assert line.names(turns) == used
    assert {*used} == {*"abd-"}


# What becomes of the offers


async def test_a_lead_moves_up_the_line(line: Line) -> None:
    await line.build(1, 1, 1)
    lead, marks = await line.lead(), None
    await line.submit(lead)
    marks = await line.marks()
    await line.act("a", lead, at(5), decline=True)
    assert await line.offers(lead) == [
        ("a", DECLINED, NOW, 1),
        ("b", SCHEDULED, at(5), 2),
        ("c", SCHEDULED, at(20), 3),
    ]
    await line.act("b", lead, at(6), decline=True)
    assert (await line.offers(lead))[-1] == ("c", SCHEDULED, at(6), 3)
    assert await line.marks() == marks, "a turn is the chance, not the lead"


async def test_a_released_lead_goes_down_the_same_line(line: Line) -> None:
    await line.build(1, 1, 1)
    lead = await line.lead()
    await line.submit(lead)
    marks = await line.marks()
    await line.act("a", lead, at(1))
    await line.database.in_transaction(lambda session: release_lead(session, line.alice.id, lead.id, at(2)))
    assert await line.offers(lead) == [
        ("a", DECLINED, NOW, 1),
        ("b", SCHEDULED, at(2), 2),
        ("c", SCHEDULED, at(17), 3),
    ]
    assert await line.marks() == marks


async def holder(database: Database, lead: Lead) -> int | None:
    async with database.read() as session:
        return (await session.get_one(Lead, lead.id)).claimed_by_id


async def test_with_a_gap_of_0_automatic_options_take_leads_in_turn(line: Line) -> None:
    await line.build(mins_until_next_alert=0)
    for rank in (3, 2, 1):
        await line.join(rank=rank, assign_automatically=True)
    leads = [await line.lead() for _ in range(6)]
    for n, lead in enumerate(leads):
        await line.submit(lead, at(n))
    assert line.names([await holder(line.database, lead) for lead in leads]) == "abcabc"
    await line.database.in_transaction(lambda session: release_lead(session, line.alice.id, leads[1].id, at(9)))
    assert line.names([await holder(line.database, leads[1])]) == "c", "who is next in the line of that lead"


async def test_a_step_of_the_next_team_uses_a_turn(line: Line, world: World) -> None:
    await line.build(1, 1)
    first = await world.team(line.alice, next_team_id=line.team.id, mins_until_next_team=10)
    one = await world.member_user(first)
    for n, expected in enumerate("aba"):
        lead = await world.lead(line.alice, first)
        await line.submit(lead, at(100 * n))
        async with line.database.write() as session:
            assert await end_step(session, lead.id, at(100 * n + 10)) is StepEnd.PASSED_ON
        assert (await line.turns_used())[-1] == expected
    await change(world, one, away_until=at(9999))
    preview = await line.preview(lead := await world.lead(line.alice, first), at(400))
    submitted = await line.submit(lead, at(400))
    assert [team.team.id for team in submitted.passed_over] == [first.id]
    assert (await line.turns_used())[-1] == line.names([preview.turn_user_id]) == "b"


# The limit


async def reasons(database: Database, lead: Lead) -> Counter[SkipReason]:
    found: Any = select(RolloutSkip.reason).join(LeadRollout, col(LeadRollout.id) == col(RolloutSkip.rollout_id))
    async with database.read() as session:
        return Counter(await session.exec(found.where(col(LeadRollout.lead_id) == lead.id)))


async def gives_up_at(database: Database, lead: Lead) -> datetime | None:
    async with database.read() as session:
        return (await session.get_one(Lead, lead.id)).gives_up_at


async def test_the_members_beyond_the_limit_are_skipped(line: Line) -> None:
    await line.build(1, 1, 1, 1, members_per_lead=2)
    lead = await line.lead()
    submitted = await line.submit(lead)
    beyond = [line.members[name].id for name in "cd"]
    assert [(skip.user_id, skip.reason) for skip in submitted.skipped] == [
        (user_id, SkipReason.BEYOND_LIMIT) for user_id in beyond
    ]
    assert await reasons(line.database, lead) == {SkipReason.BEYOND_LIMIT: 2}
    again = await line.submit(lead, at(1))
    assert (again.created_count, await line.turns_used()) == (0, "a")
    assert Counter(skip.reason for skip in again.skipped) == {SkipReason.BEYOND_LIMIT: 2, SkipReason.ALREADY_OFFERED: 2}


async def test_once_these_few_have_declined_the_step_is_over(line: Line) -> None:
    await line.build(1, 1, 1, members_per_lead=2)
    lead = await line.lead()
    await line.submit(lead)
    await line.act("a", lead, at(1), decline=True)
    assert await gives_up_at(line.database, lead) == at(61), "b has moved up"
    await line.act("b", lead, at(2), decline=True)
    assert await gives_up_at(line.database, lead) == at(2)
    ended = await line.database.in_transaction(lambda session: end_step(session, lead.id, at(2)))
    assert ended is StepEnd.EXHAUSTED
    submitted = await line.submit(lead, at(3))
    assert (submitted.created_count, await line.turns_used()) == (1, "ac")


async def test_under_a_limit_one_who_declined_makes_room_for_one(line: Line) -> None:
    await line.build(1, 1, 1, 1, members_per_lead=2)
    lead = await line.lead()
    await line.submit(lead)
    await line.act("b", lead, at(1), decline=True)
    await line.submit(lead, at(2))
    assert await line.offers(lead) == [
        ("a", SCHEDULED, NOW, 1),
        ("b", DECLINED, at(15), 2),
        ("c", SCHEDULED, at(15), 2),
    ]
    assert await line.turns_used() == "a-"


@pytest.mark.parametrize("method", [OrderMethod.RANK, OrderMethod.TIME])
async def test_a_tier_is_planned_whole(database: Database, world: World, cast: Cast, method: OrderMethod) -> None:
    team = await world.team(cast.alice, method, members_per_lead=2)
    by_time = method is OrderMethod.TIME
    for tier in (1, 2, 2, 2, 3):
        await world.member_user(team, rank=tier, mins_until_lead_offer=tier if by_time else 0)
    lead = await world.lead(cast.alice, team)
    async with database.write() as session:
        submitted = await submit_lead_offers(session, cast.alice.id, lead.id, NOW)
    assert (submitted.created_count, [skip.reason for skip in submitted.skipped]) == (4, [SkipReason.BEYOND_LIMIT])


async def test_offers_of_other_teams_do_not_count_towards_the_limit(line: Line, world: World) -> None:
    await line.build(1, 1, members_per_lead=1)
    other = await world.team(line.alice)
    lead = await line.lead()
    await world.offer(lead, await world.member_user(other), other)
    assert (await line.submit(lead)).created_count == 1


# The contact's agent


async def held_by(line: Line, name: str, contact: Contact, claimed_at: datetime | None = NOW) -> Lead:
    """Add a lead of the contact that the member has."""
    lead = await line.world.lead(line.alice, None, contact)
    await line.world.claimed(lead, line.members[name])
    await change(line.world, lead, claimed_at=claimed_at)
    return lead


async def order(line: Line, contact: Contact, now: datetime = NOW) -> str:
    """Submit a new lead of this contact. Return the members in the order in which they are offered it."""
    return "".join(name for name, *_ in await line.offers(await submitted_of(line, contact, now)))


async def submitted_of(line: Line, contact: Contact, now: datetime = NOW) -> Lead:
    lead = await line.lead(contact)
    await line.submit(lead, now)
    return lead


async def test_the_contacts_agent_comes_first_alone_and_uses_no_turn(line: Line) -> None:
    await line.build(1, 1, 1, members_per_lead=1, keeps_contacts=True)
    contact = await line.world.contact(line.alice)
    await held_by(line, "c", contact)
    lead = await submitted_of(line, contact)
    assert await line.offers(lead) == [("c", SCHEDULED, NOW, 0), ("a", SCHEDULED, at(15), 1)]
    assert (await line.turns_used(), await line.marks(), await line.team_mark()) == ("-", {}, 0)
    again = await line.submit(lead, at(1))
    assert again.created_count == 0


async def test_a_team_that_does_not_keep_contacts_has_no_agent(line: Line) -> None:
    await line.build(1, 1)
    contact = await line.world.contact(line.alice)
    await held_by(line, "b", contact)
    assert (await order(line, contact), await line.turns_used()) == ("ab", "a")


async def test_of_several_agents_the_last_to_claim_comes_first(line: Line) -> None:
    await line.build(1, 1, 1, keeps_contacts=True)
    contact = await line.world.contact(line.alice)
    await held_by(line, "b", contact, at(-50))
    await held_by(line, "c", contact, at(-40))
    assert await order(line, contact) == "cab"
    await held_by(line, "b", contact, at(-30))
    assert await order(line, contact) == "bac"


async def test_an_imported_claim_without_a_time_counts_from_the_creation_of_its_lead(line: Line) -> None:
    await line.build(1, 1, 1, keeps_contacts=True)
    contact = await line.world.contact(line.alice)
    imported = await held_by(line, "b", contact, None)
    assert await order(line, contact) == "bac"
    await held_by(line, "c", contact, imported.created_at - MINUTE)
    assert await order(line, contact) == "bac"
    await held_by(line, "c", contact, imported.created_at + MINUTE)
    assert await order(line, contact) == "cab"


async def test_an_agent_who_is_away_leaves_the_lead_to_the_next(line: Line) -> None:
    await line.build(1, 1, 1, keeps_contacts=True)
    contact = await line.world.contact(line.alice)
    await held_by(line, "b", contact, at(-50))
    await held_by(line, "c", contact, at(-40))
    await change(line.world, line.members["c"], away_until=at(30))
    assert await order(line, contact) == "ba"
    await change(line.world, line.members["b"], away_until=at(30))
    assert (await order(line, contact), await line.turns_used()) == ("a", "-a")
    assert await order(line, contact, at(30)) == "cba", "a has had a turn"


async def test_who_released_the_other_lead_is_no_agent(line: Line) -> None:
    await line.build(1, 1, keeps_contacts=True)
    contact = await line.world.contact(line.alice)
    held = await held_by(line, "b", contact)
    await line.database.in_transaction(lambda session: release_lead(session, line.alice.id, held.id, at(1)))
    assert await order(line, contact, at(2)) == "ab"


async def test_another_contact_of_the_same_person_has_no_agent(line: Line) -> None:
    await line.build(1, 1, keeps_contacts=True)
    await held_by(line, "b", await line.world.contact(line.alice))
    assert await order(line, await line.world.contact(line.alice)) == "ab"


@pytest.mark.parametrize(
    ("method", "gap", "expected"),
    [
        (OrderMethod.RANK, 15, [("c", NOW), ("a", at(15)), ("b", at(30))]),
        (OrderMethod.TIME, 0, [("c", NOW), ("a", at(1)), ("b", at(2))]),
    ],
)
async def test_by_rank_and_by_time_the_agent_comes_first_too(
    line: Line, method: OrderMethod, gap: int, expected: list[tuple[str, datetime]]
) -> None:
    await line.build(mins_until_next_alert=gap, keeps_contacts=True)
    await change(line.world, line.team, order_method=method)
    for n in (1, 2, 3):
        await line.join(rank=n, mins_until_lead_offer=n if method is OrderMethod.TIME else 0)
    contact = await line.world.contact(line.alice)
    await held_by(line, "c", contact)
    lead = await submitted_of(line, contact)
    assert [(name, at) for name, _, at, _ in await line.offers(lead)] == expected


@pytest.mark.parametrize("method", OrderMethod)
async def test_of_automatic_offers_due_at_once_the_agents_takes_the_lead(line: Line, method: OrderMethod) -> None:
    await line.build(mins_until_next_alert=0, keeps_contacts=True)
    await change(line.world, line.team, order_method=method)
    for rank in (1, 2, 3):
        await line.join(rank=rank, assign_automatically=True)
    contact = await line.world.contact(line.alice)
    await held_by(line, "b", contact, at(-50))
    await held_by(line, "c", contact, at(-40))
    lead = await submitted_of(line, contact)
    assert line.names([await holder(line.database, lead)]) == "c"


# Cost


async def test_only_teams_with_turns_or_caps_are_locked(
    database: Database, world: World, cast: Cast, statements: list[str]
) -> None:
    async def cost(team: Team) -> tuple[int, int, int]:
        """Return the number of statements of a submit, of those that lock, and of those that lock a counted team."""
        lead = await world.lead(cast.alice, team, watched_since=NOW)
        statements.clear()
        async with database.write() as session:
            await submit_lead_offers(session, cast.alice.id, lead.id, NOW)
        locking = [statement for statement in statements if " FOR " in statement.upper().replace("\n", " ")]
        exclusive = [statement for statement in locking if "NO KEY UPDATE" in statement.upper()]
        return len(statements), len(locking), len(exclusive)

    by_rank, in_turn, capped = [
        await world.team(cast.alice, method) for method in (OrderMethod.RANK, OrderMethod.ROUND_ROBIN, OrderMethod.RANK)
    ]
    for team in (by_rank, in_turn):
        await world.member(team, cast.bob)
    await world.member(capped, cast.bob, max_leads_per_day=5)
    locks = 1 if database.is_postgresql else 0
    most = await cost(by_rank)
    assert most[0] <= 10
    assert most[1:] == (3 * locks, 0)
    assert (await cost(in_turn))[1:] == (4 * locks, locks)
    assert (await cost(capped))[1:] == (4 * locks, locks)


# Races

WRITERS = 8


@pytest.fixture
async def writers(database: Database, database_url: str) -> AsyncIterator[list[Database]]:
    """Connections for each writer. On SQLite, where processes that wait for each other poll, those of two processes."""
    async with AsyncExitStack() as stack:
        databases = [connect(database_url) for _ in range(WRITERS if database.is_postgresql else 2)]
        for each in databases:
            stack.push_async_callback(each.close)
        yield databases * (WRITERS // len(databases))


async def test_40_submits_at_once_are_40_turns(line: Line, writers: list[Database]) -> None:
    await line.build(1, 1, 1, 2)
    leads = [await line.lead() for _ in range(40)]

    await asyncio.gather(*(line.submit_through(writers[n % WRITERS], lead.id) for n, lead in enumerate(leads)))
    assert Counter(await line.turns_used()) == {"a": 8, "b": 8, "c": 8, "d": 16}
    assert {name: taken for name, (_, taken, _) in (await line.marks()).items()} == {"a": 8, "b": 8, "c": 8, "d": 16}


async def test_two_submits_of_a_lead_at_once_are_one_turn(line: Line, writers: list[Database]) -> None:
    await line.build(1, 1)
    for n in range(6):
        lead = await line.lead()
        answers = await asyncio.gather(*(line.submit_through(writer, lead.id) for writer in writers[:2]))
        assert sorted(answer.created_count for answer in answers) == [0, 2]
        assert len(await line.turns_used()) == n + 1
    assert await line.turns_used() == "ababab"


# Fairness

LEADS, ACTS_PER_LEAD = (1_500, 0.1) if FULL else (150, 0.3)
WEIGHTS = [1, 1, 1, 2, 3, 5, 7, 10, 50, 100]


@dataclass
class Crowd:
    """Members of a Round Robin team who come, go, and are given other weights."""

    line: Line
    journal: Lead
    """A lead of another team, whose rollouts number the changes of weights among the steps of the team."""
    changes: list[tuple[int, int, int]] = field(default_factory=list)
    """The number, the user and the new weight of each change."""

    async def act(self, database: Database, random: Random, now: datetime) -> None:
        user_id = random.choice([*self.line.members.values()]).id
        act = random.choice(["away", "back", "back", "leave", "join", "join", "weigh", "weigh"])
        if act in ("away", "leave"):
            await self._decline_all(database, user_id)
        match act:
            case "away":
                await database.in_transaction(lambda session: set_away(session, user_id, now + 10_000 * MINUTE, now))
            case "back":
                await database.in_transaction(lambda session: clear_away(session, user_id))
            case "leave":
                await self._answer(database, user_id, RequestStatus.DECLINED, now)
            case "join":
                await self._answer(database, user_id, RequestStatus.ACCEPTED, now)
            case "weigh":
                weight = random.choice(WEIGHTS)
                number = await database.in_transaction(lambda session: self._weigh(session, user_id, weight, now))
                self.changes.append((number, user_id, weight))

    async def _decline_all(self, database: Database, user_id: int) -> None:
        """End the member's offers at once, which would otherwise be withdrawn one by one."""
        mine = (col(LeadOffer.user_id) == user_id, col(LeadOffer.status).in_(OPEN_STATUSES))
        async with database.write() as session:
            await session.exec(update(LeadOffer).where(*mine).values(status=DECLINED))

    async def _answer(self, database: Database, user_id: int, answer: RequestStatus, now: datetime) -> None:
        async def run(session: AsyncSession) -> None:
            mine = select(TeamMember.id).where(
                col(TeamMember.user_id) == user_id, col(TeamMember.team_id) == self.line.team.id
            )
            await respond_to_invitation(session, user_id, (await session.exec(mine)).one(), answer, now)

        await database.in_transaction(run)

    async def _weigh(self, session: AsyncSession, user_id: int, weight: int, now: datetime) -> int:
        """Write the weight, which locks the team, and return a number between those of the steps before and after."""
        values: dict[str, Any] = {
            "rank": None,
            "mins_until_lead_offer": 0,
            "assign_automatically": False,
            "weight": weight,
            "max_leads_per_day": None,
            **dict.fromkeys(ALERT_FIELDS.values(), False),
        }
        await set_distribution_option(session, self.line.alice.id, self.line.team.id, user_id, values)
        assert self.journal.team_id is not None
        mark = LeadRollout(
            lead_id=self.journal.id,
            team_id=self.journal.team_id,
            team_selection_method=TeamSelectionMethod.SPECIFIC_TEAM,
            submitted_at=now,
        )
        session.add(mark)
        await session.flush()
        return mark.id


@dataclass(frozen=True)
class RecordedStep:
    """A step as the record has it. Steps of one team are numbered under its lock, in the order of their commits."""

    number: int
    turn_user_id: int | None
    line: set[int]
    """The ids of those who were eligible."""


async def recorded_steps(database: Database, team: Team) -> list[RecordedStep]:
    of_team = col(LeadRollout.team_id) == team.id
    offered = (
        select(RolloutOffer.rollout_id, LeadOffer.user_id)
        .join(LeadOffer, col(LeadOffer.id) == col(RolloutOffer.offer_id))
        .join(LeadRollout, col(LeadRollout.id) == col(RolloutOffer.rollout_id))
        .where(of_team)
    )
    beyond = (
        select(RolloutSkip.rollout_id, RolloutSkip.user_id)
        .join(LeadRollout, col(LeadRollout.id) == col(RolloutSkip.rollout_id))
        .where(of_team, col(RolloutSkip.reason) == SkipReason.BEYOND_LIMIT)
    )
    steps = select(LeadRollout.id, LeadRollout.turn_user_id).where(of_team).order_by(col(LeadRollout.id))
    lines: dict[int, set[int]] = {}
    async with database.read() as session:
        for number, user_id in chain(await session.exec(offered), await session.exec(beyond)):
            assert user_id is not None
            lines.setdefault(number, set()).add(user_id)
        return [RecordedStep(number, turn, lines[number]) for number, turn in await session.exec(steps)]


async def add_leads(line: Line, number: int) -> list[int]:
    """Add unclaimed leads for the team in one transaction, and return their ids."""
    contact = await line.world.contact(line.alice)
    leads = [
        Lead(
            creator_id=line.alice.id,
            contact_id=contact.id,
            created_at=NOW,
            watched_since=NOW,
            distribution_target=DistributionTarget.TEAM_ROLLOUT,
            team_selection_method=TeamSelectionMethod.SPECIFIC_TEAM,
            team_id=line.team.id,
        )
        for _ in range(number)
    ]
    async with line.database.write() as session:
        session.add_all(leads)
    return [lead.id for lead in leads]


@pytest.mark.slow
@pytest.mark.timeout(1800)
async def test_turns_are_fair_while_members_come_and_go(
    line: Line, writers: list[Database], record_property: Any
) -> None:
    await line.build(members_per_lead=1)
    for weight in WEIGHTS:
        await line.join(weight=weight, has_email_alert=False)
    elsewhere = await line.world.team(line.alice)
    crowd = Crowd(line, await line.world.lead(line.alice, elsewhere))
    to_submit = enumerate(await add_leads(line, LEADS))
    refused = 0

    async def write(number: int, database: Database) -> None:
        nonlocal refused
        random = Random(number)
        ahead = (number - WRITERS // 2) * MINUTE  # the clocks of the writers differ
        for n, lead_id in to_submit:
            now = NOW + ahead + n * timedelta(seconds=1)
            try:
                await line.submit_through(database, lead_id, now)
            except ApiError as error:
                if error.code is not Code.NO_ELIGIBLE_MEMBERS:
                    raise
                refused += 1
            if random.random() < ACTS_PER_LEAD:
                await crowd.act(database, random, now)

    await asyncio.gather(*(write(number, database) for number, database in enumerate(writers)))

    steps = await recorded_steps(line.database, line.team)
    assert len(steps) == LEADS - refused
    weights = {line.members[name].id: option.weight for name, option in line.options.items()}
    worst = replay(steps, crowd.changes, weights)
    record_property("worst share of the bound", worst)
    print(f"{len(steps)} steps, {len(crowd.changes)} new weights, worst share of the bound: {worst}")  # noqa: T201
    assert worst <= 1
    used = Counter(step.turn_user_id for step in steps)
    assert {line.members[name].id: taken for name, (_, taken, _) in (await line.marks()).items()} == used


def replay(steps: list[RecordedStep], changes: list[tuple[int, int, int]], weights: dict[int, int]) -> float:
    """Check that each turn was the one of a member who stood first. Return the worst share of the bound of fairness."""
    waiting = sorted(changes, reverse=True)
    changed: Counter[int] = Counter()
    fairness, team_mark, marks = Fairness(), 0, dict.fromkeys(weights, 0)
    for step in steps:
        while waiting and waiting[-1][0] < step.number:
            _, user_id, weights[user_id] = waiting.pop()
            changed[user_id] += 1
            marks[user_id] = mark_with_weight(marks[user_id], weights[user_id], team_mark)
        assert step.turn_user_id in step.line
        first = max(marks[step.turn_user_id], team_mark)
        assert first == min(max(marks[user_id], team_mark) for user_id in step.line), step
        team_mark, marks[step.turn_user_id] = first, first + stride(weights[step.turn_user_id])
        fairness.record(
            {user_id: (weights[user_id], changed[user_id]) for user_id in sorted(step.line)}, step.turn_user_id
        )
    return fairness.worst
