"""Compares the commands with a model of the rules: any sequence of actions gives the same result in both."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from app.commands.assign import assign_lead
from app.commands.availability import clear_away, clear_quiet_hours, set_away, set_quiet_hours
from app.commands.claim import claim_lead_offer, decline_lead_offer
from app.commands.due_offers import process_due
from app.commands.members import respond_to_invitation
from app.commands.offer_standing import claim_succeeds
from app.commands.outbox import count_silent_offers
from app.commands.passing_on import StepEnd, end_step
from app.commands.release import release_lead
from app.commands.submit import submit_lead_offers
from app.db.engine import Database, connect
from app.db.models import Claim, Lead, LeadOffer, TeamMember, User
from app.domain.alert_channels import Alerts
from app.domain.enums import ClaimedVia, LeadOfferStatus, OrderMethod, RequestStatus
from app.domain.planner import Option
from app.errors import ApiError, Code
from tests.support.claiming_model import Person, Refused, Rules
from tests.support.databases import Clone
from tests.support.examples import examples
from tests.support.world import NOW, World

MEMBERS = 4
HOUR = timedelta(hours=1)
"""The default of LEAD_OFFERS_UNCLAIMED_MINUTES."""
MILLISECOND = timedelta(milliseconds=1)
RANKS = st.sampled_from([None, 1, 2, 3])
MINUTES = st.sampled_from([0, 10, 30])
WHO = st.integers(0, MEMBERS)
"""A member, or the team's creator, who has an option without a membership."""


class Claiming(RuleBasedStateMachine):
    """One lead of one team, in the database and in the model, with one clock."""

    def __init__(self, database: Database, runner: asyncio.Runner) -> None:
        super().__init__()
        self.database, self.world, self.runner = database, World(database), runner
        self.now = NOW

    @initialize(
        order_method=st.sampled_from(OrderMethod),
        options=st.lists(st.tuples(RANKS, MINUTES, st.sampled_from([False, False, True])), min_size=5, max_size=5),
    )
    def begin(self, order_method: OrderMethod, options: list[tuple[int | None, int, bool]]) -> None:
        self.runner.run(self._begin(order_method, options))

    async def _begin(self, order_method: OrderMethod, options: list[tuple[int | None, int, bool]]) -> None:
        self.users = [await self.world.user(timezone="UTC", email=None) for _ in range(MEMBERS + 1)]
        creator = self.users[-1]
        self.team = await self.world.team(creator, order_method)
        self.lead = await self.world.lead(creator, self.team, watched_since=NOW)
        people: dict[int, Person] = {}
        for user, (rank, minutes, automatic) in zip(self.users, options, strict=True):
            if user is not creator:
                await self.world.membership(self.team, user)
            after = minutes if order_method is OrderMethod.TIME else 0
            await self.world.option(
                self.team, user, rank=rank, mins_until_lead_offer=after, assign_automatically=automatic
            )
            membership = None if user is creator else RequestStatus.ACCEPTED
            option = Option(rank, after, automatic, Alerts(email=True))
            people[user.id] = Person(option, membership, is_creator=user is creator)
        self.model = Rules(people, order_method, self.team.mins_until_next_alert, creator.id)

    def both(self, rules: Callable[[], None], command: Callable[[AsyncSession], Awaitable[Any]]) -> None:
        """Run an action in the model and in the database. Both fail with the same code, or neither fails."""
        expected: Code | None = None
        try:
            rules()
        except Refused as refused:
            expected = refused.code
        assert self.runner.run(self._outcome(command)) == expected

    async def _outcome(self, command: Callable[[AsyncSession], Awaitable[Any]]) -> Code | None:
        try:
            async with self.database.write() as session:
                await command(session)
        except ApiError as refusal:
            return refusal.code
        return None

    @rule(minutes=st.sampled_from([1, 10, 15, 45, 150]))
    def time_passes(self, minutes: int) -> None:
        self.now += timedelta(minutes=minutes)

    @rule()
    def submit(self) -> None:
        creator_id = self.users[-1].id
        self.both(
            lambda: self.model.submit(self.now),
            lambda session: submit_lead_offers(session, creator_id, self.lead.id, self.now),
        )

    @rule(who=WHO)
    def claim(self, who: int) -> None:
        user_id = self.users[who].id
        if user_id in self.model.offers:
            self.both(
                lambda: self.model.claim(user_id, self.now),
                lambda session: self._claim(session, user_id),
            )

    async def _claim(self, session: AsyncSession, user_id: int) -> None:
        await claim_lead_offer(session, user_id, await self._offer_id(session, user_id), ClaimedVia.APP, self.now)

    @rule(who=WHO)
    def decline(self, who: int) -> None:
        user_id = self.users[who].id
        if user_id in self.model.offers:
            self.both(
                lambda: self.model.decline(user_id, self.now),
                lambda session: self._decline(session, user_id),
            )

    async def _decline(self, session: AsyncSession, user_id: int) -> None:
        await decline_lead_offer(session, user_id, await self._offer_id(session, user_id), self.now)

    async def _offer_id(self, session: AsyncSession, user_id: int) -> int:
        mine = select(LeadOffer.id).where(col(LeadOffer.lead_id) == self.lead.id, col(LeadOffer.user_id) == user_id)
        return (await session.exec(mine)).one()

    @rule(who=WHO)
    def assign(self, who: int) -> None:
        user_id, creator_id = self.users[who].id, self.users[-1].id
        self.both(
            lambda: self.model.assign(user_id, self.now),
            lambda session: assign_lead(session, creator_id, self.lead.id, user_id, self.now),
        )

    @precondition(lambda self: self.model.holder is not None)
    @rule(by_creator=st.booleans())
    def release(self, by_creator: bool) -> None:
        user_id = self.users[-1].id if by_creator else self.model.holder
        assert user_id is not None
        self.both(
            lambda: self.model.release(user_id, self.now),
            lambda session: release_lead(session, user_id, self.lead.id, self.now),
        )

    @rule(who=WHO, minutes=st.sampled_from([-5, 5, 20, 60]))
    def go_away(self, who: int, minutes: int) -> None:
        user_id, until = self.users[who].id, self.now + timedelta(minutes=minutes)
        self.both(
            lambda: self.model.go_away(user_id, until, self.now),
            lambda session: set_away(session, user_id, until, self.now),
        )

    @rule(who=WHO)
    def come_back(self, who: int) -> None:
        user_id = self.users[who].id
        self.model.people[user_id].away_until = None
        self.runner.run(self._outcome(lambda session: clear_away(session, user_id)))

    @rule(who=WHO, hours=st.sampled_from([None, (8, 11), (22, 10), (11, 9)]))
    def keep_quiet(self, who: int, hours: tuple[int, int] | None) -> None:
        user_id = self.users[who].id
        self.model.people[user_id].quiet = hours
        start, end = (f"{hour:02}:00" for hour in hours or (0, 1))
        self.runner.run(
            self._outcome(
                lambda session: (
                    set_quiet_hours(session, user_id, start, end, self.now)
                    if hours
                    else clear_quiet_hours(session, user_id, self.now)
                )
            )
        )

    @rule(who=st.integers(0, MEMBERS - 1), answer=st.sampled_from([RequestStatus.ACCEPTED, RequestStatus.DECLINED]))
    def leave_or_rejoin(self, who: int, answer: RequestStatus) -> None:
        user = self.users[who]
        if answer is RequestStatus.DECLINED:
            self.model.leave(user.id, self.now)
        else:
            self.model.people[user.id].membership = answer
        assert self.runner.run(self._outcome(lambda session: self._answer(session, user, answer))) is None

    async def _answer(self, session: AsyncSession, user: User, answer: RequestStatus) -> None:
        mine = select(TeamMember.id).where(col(TeamMember.team_id) == self.team.id, col(TeamMember.user_id) == user.id)
        await respond_to_invitation(session, user.id, (await session.exec(mine)).one(), answer, self.now)

    @rule()
    def what_is_due_is_assigned(self) -> None:
        """Do what a worker does first."""
        self.both(lambda: self.model.assign_automatically(self.now), self._assign_automatically)

    async def _assign_automatically(self, session: AsyncSession) -> None:
        await process_due(session, self.lead.id, self.now)

    @rule()
    def what_is_exhausted_is_reported(self) -> None:
        assert self.runner.run(self._outcome(self._report_exhausted)) is None

    async def _report_exhausted(self, session: AsyncSession) -> None:
        """Report the lead as a worker does, at the moment at which the rule before this column had it reported."""
        lead = await session.get_one(Lead, self.lead.id)
        offers = (await session.exec(select(LeadOffer).where(col(LeadOffer.lead_id) == lead.id))).all()
        is_due = lead.exhausted_at is None and is_exhausted(lead, offers, self.now)
        ended = await end_step(session, lead.id, self.now)
        assert ended is (StepEnd.EXHAUSTED if is_due else StepEnd.NOT_OVER)

    @invariant()
    def both_say_the_same(self) -> None:
        if hasattr(self, "model"):
            self.runner.run(self._compare())

    async def _compare(self) -> None:
        async with self.database.read() as session:
            lead = await session.get_one(Lead, self.lead.id)
            its_user: Any = col(LeadOffer.user_id)
            each = select(LeadOffer, claim_succeeds(its_user, self.now)).where(col(LeadOffer.lead_id) == lead.id)
            offers = (await session.exec(each)).all()
            claims = (
                await session.exec(select(Claim).where(col(Claim.lead_id) == lead.id).order_by(col(Claim.id)))
            ).all()
            assert (await session.exec(count_silent_offers())).one() == 0
        self._compare_exhaustion(lead, [offer for offer, _ in offers])
        self._compare_claims(lead, claims, {offer.user_id: offer for offer, _ in offers})
        assert (lead.claimed_by_id, lead.claimed_via) == (self.model.holder, self.model.via)
        assert {o.user_id: (o.status, o.notify_at, o.end_reason, bool(may_claim)) for o, may_claim in offers} == {
            user: (o.status, o.notify_at, o.reason, self.model.claim_would_succeed(user, self.now))
            for user, o in self.model.offers.items()
        }

    def _compare_claims(self, lead: Lead, claims: Sequence[Claim], offers: Mapping[int | None, LeadOffer]) -> None:
        """The ledger has every claim, and its open row agrees with the lead."""
        assert [(each.user_id, each.via, each.claimed_at, each.ended_at, each.end_reason) for each in claims] == [
            (each.user, each.via, each.claimed_at, each.ended_at, each.end) for each in self.model.claims
        ]
        assert [(each.offer_id, each.team_id) for each in claims] == [
            (offers[each.user_id].id, offers[each.user_id].team_id) for each in claims
        ]
        open_row = [(each.user_id, each.claimed_at, each.via) for each in claims if each.ended_at is None]
        held = [(lead.claimed_by_id, lead.claimed_at, lead.claimed_via)]
        assert open_row == (held if lead.claimed_by_id is not None else [])
        assert lead.first_claimed_at == (claims[0].claimed_at if claims else None)

    def _compare_exhaustion(self, lead: Lead, offers: Sequence[LeadOffer]) -> None:
        """`gives_up_at` is the first moment at which the lead is exhausted if nothing happens until then."""
        if lead.claimed_by_id is not None or lead.exhausted_at is not None:
            assert lead.gives_up_at is None
            return
        assert lead.gives_up_at is not None
        assert is_exhausted(lead, offers, max(self.now, lead.gives_up_at))
        assert lead.gives_up_at <= self.now or not is_exhausted(lead, offers, lead.gives_up_at - MILLISECOND)


def is_exhausted(lead: Lead, offers: Sequence[LeadOffer], at: datetime) -> bool:
    """Whether nobody has the lead, and no open offer of it, nor its creation if it has none, is of the last hour."""
    is_open = (LeadOfferStatus.SCHEDULED, LeadOfferStatus.SENT)
    latest = [offer.notify_at for offer in offers if offer.status in is_open] if offers else [lead.created_at]
    return lead.claimed_by_id is None and not any(moment and moment > at - HOUR for moment in latest)


@pytest.mark.slow
def test_the_commands_follow_the_rules(clone: Clone) -> None:
    with asyncio.Runner() as runner:
        context = clone()
        database = connect(runner.run(context.__aenter__()))
        try:
            machine: Any = partial(Claiming, database, runner)
            run_state_machine_as_test(
                machine,
                settings=settings(examples(40), stateful_step_count=30, suppress_health_check=list(HealthCheck)),
            )
        finally:
            runner.run(database.close())
            with suppress(StopAsyncIteration):
                runner.run(context.__aexit__(None, None, None))


def test_the_comparison_notices_a_wrong_model(clone: Clone) -> None:
    """Break the model's quiet hours, and expect the comparison to fail: it would notice a difference."""
    person = Person(None, quiet=(22, 10))
    assert person.quiet_until(NOW) == datetime(2026, 3, 2, 10, tzinfo=NOW.tzinfo)
    assert person.quiet_until(NOW + timedelta(hours=1)) is None
    assert person.quiet_until(NOW + timedelta(hours=14)) == datetime(2026, 3, 3, 10, tzinfo=NOW.tzinfo)
