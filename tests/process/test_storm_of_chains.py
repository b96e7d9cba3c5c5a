"""The storm on three teams in a chain, with two workers at a time, which are killed and stopped in turns.

No lead is lost, and each goes along its chain once.
"""

import asyncio
import random
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

import httpx2
import pytest
from sqlmodel import col, select

from app.access.tokens import issue_token
from app.commands.outbox import count_silent_offers
from app.commands.step_end import count_lost_leads
from app.db.engine import Database
from app.db.models import Delivery, Lead, LeadOffer, LeadRollout, Team, TeamMember, User
from app.domain.enums import (
    OPEN_STATUSES,
    ClaimedVia,
    DeliveryStatus,
    DistributionTarget,
    OrderMethod,
    RolloutCause,
)
from tests.process.test_storm import ASSIGN, CLAIM, REFUSALS, RELEASE, Storm, check_leads
from tests.support.api import settings_for
from tests.support.processes import FULL, server, start, stop
from tests.support.smtp_server import Mailbox, mailbox
from tests.support.waiting import until
from tests.support.world import Cast, World

SECONDS = 20 if FULL else 10
MAILS = 5
"""The number of e-mails after which a worker is killed or stopped, in the middle of its work."""
LONGEST_LIFE = 60.0
"""Seconds after which a worker is killed or stopped even so: it may have nothing to send."""
MOST_SECONDS = 120
"""How long the storm may take on a busy machine until workers have been killed and stopped."""

IN_TURN, BY_RANK, IN_POND, LEADS = 4, 4, 3, 60
CAP = 3
UNCLAIMED_MINUTES = 1
GRACE = timedelta(minutes=1)
"""How late a lead may go on while workers are killed, as in /metrics. A lead that never goes on is lost at once."""


@dataclass
class ChainStorm(Storm):
    """Notes also when users certainly held a lead."""

    holds: dict[int, list[list[float]]] = field(default_factory=dict)
    """By lead: user, the time of the response to the claim, and of the next request that may take the lead away."""
    taking_away: Counter[int] = field(default_factory=Counter)
    """How many requests are being answered that may take a lead away."""
    taken_away: dict[int, float] = field(default_factory=dict)
    """When the last of these was answered."""
    answered: str = ""
    """The outcome of the last request."""

    async def act(self, http: httpx2.AsyncClient, user: User, action: str, variables: dict[str, Any]) -> None:
        lead_id, began = variables["lead"], time.time()
        holds = self.holds.setdefault(lead_id, [])
        takes_away = action in (RELEASE, ASSIGN)
        if takes_away:
            self.taking_away[lead_id] += 1
            for hold in holds:  # the holder may have claimed several times
                hold[2] = min(hold[2], began)
        await super().act(http, user, action, variables)
        if takes_away:
            self.taking_away[lead_id] -= 1
            self.taken_away[lead_id] = time.time()
        is_certain = not self.taking_away[lead_id] and self.taken_away.get(lead_id, 0) < began
        if action is CLAIM and self.answered == "OK" and is_certain:
            holds.append([user.id, time.time(), float("inf")])

    async def send(self, http: httpx2.AsyncClient, user: User, query: str, variables: dict[str, str]) -> str:
        self.answered = await super().send(http, user, query, variables)
        return self.answered

    def held_by_another(self, lead_id: int, user_id: int, since: float, at: float) -> bool:
        """Return whether another user held the lead during all of that time."""
        holds = self.holds.get(lead_id, ())
        return any(holder != user_id and began <= since and at <= ended for holder, began, ended in holds)


@dataclass
class Crew:
    """Two workers at a time. Each is killed or stopped after some seconds, and another one takes its place."""

    url: str
    box: Mailbox
    began: dict[str, float] = field(default_factory=dict)
    """When the worker with this sender address was started."""
    came: list[tuple[str, str, int, float]] = field(default_factory=list)
    """Sender, recipient, id of the delivery and time of each e-mail about an offer."""
    current: dict[int, str] = field(default_factory=dict)
    """The sender address of the worker in each place."""
    killed: int = 0
    stopped: int = 0

    def __post_init__(self) -> None:
        self.box.answer = self._note

    def _note(self, mail: Any) -> None:
        kind, _, number = str(mail["Message-ID"]).strip("<>").partition("@")[0].partition("-")
        if kind == "delivery":
            self.came.append((str(mail["From"]), str(mail["To"]), int(number), time.time()))

    def hire(self, name: str) -> Any:
        address = f"worker-{name}@example.org"
        self.began[address] = time.time()
        limits = {"unclaimed_minutes": str(UNCLAIMED_MINUTES), "lease_seconds": "8"}
        return start(self.url, "dispatch", smtp_url=self.box.url, email_from=address, **limits)

    def is_at_work(self, place: int, mails: int = 1) -> bool:
        """Return whether the worker in this place has sent so many e-mails."""
        return sum(worker == self.current.get(place) for worker, *_ in self.came) >= mails

    async def work(self, place: int) -> None:
        """Run workers one after the other until the task is cancelled. Each stays until the other one is at work."""
        for number in count(place):
            process = await asyncio.to_thread(self.hire, f"{place}-{number}")
            self.current[place] = f"worker-{place}-{number}@example.org"
            try:
                ends = time.monotonic() + LONGEST_LIFE
                while not (self.is_at_work(place, MAILS) and self.is_at_work(1 - place)) and time.monotonic() < ends:
                    await asyncio.sleep(0.05)
                    assert process.poll() is None, "the worker ended"
            finally:
                if number % 2 == 0:
                    self.killed += 1
                    process.kill()
                    process.wait()
                else:
                    self.stopped += 1
                    await asyncio.shield(asyncio.to_thread(stop, process))


async def build_chain(world: World, alice: User) -> tuple[list[Team], list[User]]:
    """Return the teams, from the first to the last, and their members, of whom one is in all teams."""
    pond = await world.team(alice, OrderMethod.TIME, name="Pond")
    silent: dict[str, Any] = {"has_email_alert": False}
    users = [
        await world.member_user(pond, mins_until_lead_offer=n % 2, timezone="UTC", **silent) for n in range(IN_POND)
    ]
    to_pond: dict[str, Any] = {"next_team_id": pond.id, "mins_until_next_team": 0, "members_per_lead": 2}
    by_rank = await world.team(alice, mins_until_next_alert=1, name="By rank", **to_pond)
    users += [await world.member_user(by_rank, rank=n % 3, timezone="UTC") for n in range(BY_RANK)]
    to_ranks: dict[str, Any] = {"next_team_id": by_rank.id, "mins_until_next_team": 0, "members_per_lead": 2}
    in_turn = await world.team(alice, OrderMethod.ROUND_ROBIN, name="In turn", **to_ranks)
    for n in range(IN_TURN):
        capped: dict[str, Any] = {"assign_automatically": True, "max_leads_per_day": CAP} if n % 3 == 0 else {}
        users.append(await world.member_user(in_turn, weight=1 + n % 3, timezone="UTC", **capped))
    for team in (by_rank, pond):
        await world.member(team, users[-1])
    return [in_turn, by_rank, pond], users


@pytest.mark.slow
async def test_no_lead_is_lost_in_a_storm_along_a_chain(
    patient: Database, database_url: str, world: World, cast: Cast, capsys: pytest.CaptureFixture[str]
) -> None:
    database = patient
    teams, users = await build_chain(world, cast.alice)
    leads = [await world.lead(cast.alice, teams[n % 2]) for n in range(LEADS)]
    async with database.read() as session:
        members = {member.user_id: member.id for member in await session.exec(select(TeamMember))}
    settings = settings_for(database_url)
    tokens = {one.id: issue_token(settings, one.id, "read write", 1, datetime.now(UTC)) for one in [cast.alice, *users]}
    limits = {"unclaimed_minutes": str(UNCLAIMED_MINUTES)}
    with mailbox() as box, server(database_url, **limits) as one, server(database_url, **limits) as other:
        storm, crew = ChainStorm(database, cast, leads, (one, other), tokens), Crew(database_url, box)
        working = [asyncio.create_task(crew.work(place)) for place in (0, 1)]
        raging = [asyncio.create_task(storm.rage(one, members[one.id], random.Random(one.id))) for one in users]

        async def somebody_works() -> bool:
            return crew.is_at_work(0) or crew.is_at_work(1)

        await until(somebody_works, MOST_SECONDS)
        began = time.monotonic()
        while (passed := time.monotonic() - began) < SECONDS or not (crew.killed > 1 and crew.stopped):
            assert passed < MOST_SECONDS, "workers have sent too little"
            await asyncio.sleep(0.5)
            assert await lost_leads(database, datetime.now(UTC) - GRACE) == 0
            for task in (*working, *raging):
                assert not task.done(), task
        storm.is_over = True
        await asyncio.gather(*raging)
        for task in working:
            task.cancel()
        for task in working:
            with suppress(asyncio.CancelledError):
                await task
        await settle(database, crew)

    steps = await check_steps(database)
    with capsys.disabled():
        workers = f"{len(crew.began)} workers, {crew.killed} killed, {crew.stopped} stopped"
        figures = f"{workers}, {len(crew.came)} e-mails; steps {dict(steps)}"
        print(f"\nStorm along a chain: {figures}; {dict(storm.outcomes)}")  # noqa: T201  the figures
    assert storm.outcomes["OK"] > len(users)
    assert not set(storm.outcomes) - REFUSALS - {"OK"}
    assert steps["By rank", RolloutCause.PASSED_ON]
    assert steps["Pond", RolloutCause.PASSED_ON]
    await check_leads(database)
    await check_clocks(database)
    await check_caps(database, teams[0])
    await check_messages(database, storm, crew, users[:-1])


async def lost_leads(database: Database, since: datetime) -> int:
    async with database.read() as session:
        return (await session.exec(count_lost_leads(), params={"a_minute_ago": since})).one()


async def settle(database: Database, crew: Crew) -> None:
    """Let a last worker do what is due. No lead is lost then."""
    ended = datetime.now(UTC)
    last = await asyncio.to_thread(crew.hire, "last")

    async def nothing_is_lost() -> bool:
        return await lost_leads(database, ended) == 0

    await until(nothing_is_lost, 90)
    await asyncio.to_thread(stop, last)
    async with database.read() as session:
        assert (await session.exec(count_silent_offers())).one() == 0


async def check_steps(database: Database) -> Counter[tuple[str, RolloutCause]]:
    """Check that no team has two steps of a lead between two submits. Return the number of steps by team and cause."""
    found = select(LeadRollout, Team.name).join(Team, col(Team.id) == col(LeadRollout.team_id))
    async with database.read() as session:
        steps = (await session.exec(found.order_by(col(LeadRollout.lead_id), col(LeadRollout.id)))).all()
    asked: dict[int, list[int]] = {}
    for step, _ in steps:
        if step.cause is RolloutCause.SUBMITTED:
            asked[step.lead_id] = []
        assert step.lead_id in asked, "a lead was passed on that was never submitted"
        asked[step.lead_id].append(step.team_id)
        assert len(asked[step.lead_id]) == len({*asked[step.lead_id]}) <= 3
    return Counter((name, step.cause) for step, name in steps)


async def check_clocks(database: Database) -> None:
    """Check that every lead gives up when the rules say, by its rows alone."""
    async with database.read() as session:
        leads = (await session.exec(select(Lead))).all()
        offers = (await session.exec(select(LeadOffer))).all()
        steps = (await session.exec(select(LeadRollout).order_by(col(LeadRollout.id)))).all()
    assert len({(offer.lead_id, offer.user_id) for offer in offers}) == len(offers)
    waits = {step.lead_id: step.wait_minutes for step in steps}
    for lead in leads:
        moments = [
            offer.notify_at
            for offer in offers
            if offer.lead_id == lead.id and offer.status in OPEN_STATUSES and offer.notify_at is not None
        ]
        is_watched = lead.distribution_target is DistributionTarget.TEAM_ROLLOUT and lead.watched_since is not None
        if not is_watched or lead.claimed_by_id is not None or lead.exhausted_at is not None:
            assert lead.gives_up_at is None
        elif moments:
            wait = waits[lead.id]
            assert wait is not None
            assert lead.gives_up_at == max(moments) + timedelta(minutes=wait), lead.id
        else:
            assert lead.gives_up_at is not None  # since the last worker looked


async def check_caps(database: Database, team: Team) -> None:
    """Check that nobody got more leads automatically than their cap. Any number may be claimed by hand."""
    found = (
        select(Lead.claimed_by_id)
        .join(LeadOffer, (col(LeadOffer.lead_id) == col(Lead.id)) & (col(LeadOffer.user_id) == col(Lead.claimed_by_id)))
        .where(col(LeadOffer.team_id) == team.id, col(Lead.claimed_via) == ClaimedVia.AUTO)
    )
    async with database.read() as session:
        automatic = Counter(await session.exec(found))
    assert automatic
    assert max(automatic.values()) <= CAP


async def check_messages(database: Database, storm: ChainStorm, crew: Crew, users: list[User]) -> None:
    """Check that each SENT delivery arrived, and nobody was told who had left or whose lead was claimed before."""
    found = select(Delivery.id, Delivery.status, LeadOffer.lead_id, LeadOffer.team_id).join(
        LeadOffer, col(LeadOffer.id) == col(Delivery.offer_id)
    )
    async with database.read() as session:
        rows = (await session.exec(found)).all()
    deliveries = {delivery_id: (status, lead_id) for delivery_id, status, lead_id, _ in rows}
    # A lead that was assigned to a member of another team stays theirs when they leave that team.
    of_no_team = {delivery_id for delivery_id, _, _, team_id in rows if team_id is None}
    sent = {delivery_id for delivery_id, (status, _) in deliveries.items() if status is DeliveryStatus.SENT}
    assert sent <= {delivery_id for _worker, _to, delivery_id, _at in crew.came}
    ids = {user.email: user.id for user in users}
    told = [
        (ids[to], deliveries[delivery_id][1], crew.began[worker], at, delivery_id)
        for worker, to, delivery_id, at in crew.came
        if to in ids
    ]
    assert told
    assert not [one for one in told if one[4] not in of_no_team and storm.had_left(one[0], one[2], one[3])]
    assert not [one for one in told if storm.held_by_another(one[1], one[0], one[2], one[3])]
