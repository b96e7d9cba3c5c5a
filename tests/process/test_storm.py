"""Many users run random commands at once, through two servers, while workers run. The data must stay consistent."""

import asyncio
import random
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from itertools import count, pairwise
from typing import Any

import httpx2
import pytest
from sqlmodel import col, select

from app.access.tokens import issue_token
from app.commands.outbox import count_silent_offers
from app.db.engine import Database
from app.db.models import Claim, Delivery, Lead, LeadOffer, TeamMember, User
from app.domain.enums import ClaimEnd, DeliveryStatus, EndReason, LeadOfferStatus
from app.domain.timestamps import format_instant
from tests.support.api import settings_for
from tests.support.processes import FULL, server, start, stop
from tests.support.smtp_server import Mailbox, mailbox
from tests.support.waiting import until
from tests.support.world import Cast, World

SECONDS = 12 if FULL else 6
MAILS = 50 if FULL else 10
"""The number of e-mails after which a worker gets SIGTERM, in the middle of its work, and another takes its place."""

USERS, LEADS = 16, 50

SUBMIT = "mutation ($lead: ID!) { submitLeadOffers(leadId: $lead) { createdCount } }"
CLAIM = "mutation ($offer: ID!) { claimLeadOffer(id: $offer) { leadOffer { id } } }"
DECLINE = "mutation ($offer: ID!) { declineLeadOffer(id: $offer) { leadOffer { id } } }"
RELEASE = "mutation ($lead: ID!) { releaseLead(id: $lead) { lead { id } } }"
ASSIGN = "mutation ($lead: ID!, $user: ID!) { assignLead(id: $lead, userId: $user) { lead { id } } }"
LEAVE = "mutation ($member: ID!) { respondToInvitation(teamMemberId: $member, answer: DECLINED) { teamMember { id } } }"
REJOIN = (
    "mutation ($member: ID!) { respondToInvitation(teamMemberId: $member, answer: ACCEPTED) { teamMember { id } } }"
)
AWAY = "mutation ($until: DateTime!) { setAway(until: $until) { me { id } } }"
BACK = "mutation { clearAway { me { id } } }"
WEIGHTS = {SUBMIT: 12, CLAIM: 8, DECLINE: 6, RELEASE: 6, ASSIGN: 2, LEAVE: 1, REJOIN: 1, AWAY: 2, BACK: 2}
BY_ALICE = {SUBMIT, ASSIGN}

REFUSALS = {
    "ALREADY_CLAIMED",
    "BAD_USER_INPUT",  # setAway with a time that has passed in the meantime
    "CONFLICT",
    "FORBIDDEN",
    "NO_ELIGIBLE_MEMBERS",
    "NOT_FOUND",
    "OFFER_NOT_OPEN",
}


@dataclass
class Storm:
    """The users' commands and their outcomes."""

    database: Database
    cast: Cast
    leads: list[Lead]
    servers: tuple[str, str]
    tokens: dict[int, str]
    is_over: bool = False
    outcomes: Counter[str] = field(default_factory=Counter)
    absences: dict[int, list[list[float]]] = field(default_factory=dict)
    """Times when a user was certainly in no team: after leaving succeeded, and before rejoining was requested."""

    async def rage(self, user: User, member_id: int, chance: random.Random) -> None:
        """Run random commands, one after the other, until the storm is over."""
        async with httpx2.AsyncClient(base_url=self.servers[chance.randint(0, 1)], timeout=60) as http:
            while not self.is_over:
                (action,) = chance.choices([*WEIGHTS], [*WEIGHTS.values()])
                lead = chance.choice(self.leads)
                variables = {
                    "lead": lead.id,
                    "user": user.id,
                    "member": member_id,
                    "offer": await self.offer(lead, user),
                    "until": format_instant(datetime.now(UTC) + timedelta(milliseconds=chance.randint(50, 500))),
                }
                await self.act(http, user, action, variables)

    async def offer(self, lead: Lead, user: User) -> int:
        found = select(LeadOffer.id).where(col(LeadOffer.lead_id) == lead.id, col(LeadOffer.user_id) == user.id)
        async with self.database.read() as session:
            return (await session.exec(found)).one_or_none() or 0

    async def act(self, http: httpx2.AsyncClient, user: User, action: str, variables: dict[str, Any]) -> None:
        absences = self.absences.setdefault(user.id, [])
        is_away = bool(absences) and absences[-1][1] == float("inf")
        if action is REJOIN and is_away:
            absences[-1][1] = time.time()
        named = {name: str(value) for name, value in variables.items() if f"${name}:" in action}
        outcome = await self.send(http, self.cast.alice if action in BY_ALICE else user, action, named)
        self.outcomes[outcome] += 1
        if action is LEAVE and outcome == "OK" and not is_away:
            absences.append([time.time(), float("inf")])

    async def send(self, http: httpx2.AsyncClient, user: User, query: str, variables: dict[str, str]) -> str:
        """Send the request. Returns OK or the error code."""
        headers = {"Authorization": f"Bearer {self.tokens[user.id]}"}
        answer = (await http.post("/graphql", json={"query": query, "variables": variables}, headers=headers)).json()
        return str(answer["errors"][0]["extensions"]["code"]) if "errors" in answer else "OK"

    def had_left(self, user_id: int, since: float, at: float) -> bool:
        """Return whether the user was in no team during all of that time."""
        return any(left <= since and at <= back for left, back in self.absences.get(user_id, ()))


@dataclass
class Dispatchers:
    """Runs workers one after the other, each with its own sender address, and records when e-mails arrive."""

    url: str
    box: Mailbox
    began: dict[str, float] = field(default_factory=dict)
    stopped: dict[str, float] = field(default_factory=dict)
    """When a worker was told to stop."""
    came: list[tuple[str, str, float]] = field(default_factory=list)
    """Sender, recipient and time of each e-mail."""
    seen: dict[str, tuple[str, float]] = field(default_factory=dict)
    """Sender and time of the last e-mail with a Message-ID."""
    again: list[tuple[str, float]] = field(default_factory=list)
    """Sender and time of each e-mail that came once more."""

    def __post_init__(self) -> None:
        self.box.answer = self._note

    def _note(self, mail: EmailMessage) -> None:
        sender, message_id, at = str(mail["From"]), str(mail["Message-ID"]), time.time()
        self.came.append((sender, str(mail["To"]), at))
        if message_id in self.seen:
            self.again.append(self.seen[message_id])
        self.seen[message_id] = sender, at

    async def run(self) -> None:
        """Run workers until the task is cancelled."""
        for number in count():
            address = f"worker-{number}@example.org"
            self.began[address] = time.time()
            process = start(self.url, "dispatch", smtp_url=self.box.url, email_from=address)
            try:
                while sum(worker == address for worker, _to, _at in self.came) < MAILS:
                    await asyncio.sleep(0.05)
                    assert process.poll() is None, "the worker ended"
            finally:
                self.stopped[address] = time.time()
                await asyncio.shield(asyncio.to_thread(stop, process))


@pytest.mark.slow
async def test_a_storm_leaves_consistent_data(
    patient: Database, database_url: str, world: World, cast: Cast, capsys: pytest.CaptureFixture[str]
) -> None:
    database = patient
    users = [
        await world.member_user(cast.team, rank=n % 4, assign_automatically=n % 8 == 7, has_email_alert=n % 5 != 0)
        for n in range(USERS)
    ]
    cast.team.mins_until_next_alert = 1
    await world.add(cast.team)
    leads = [await world.lead(cast.alice, cast.team) for _ in range(LEADS)]
    async with database.read() as session:
        members = {member.user_id: member.id for member in await session.exec(select(TeamMember))}
    settings = settings_for(database_url)
    tokens = {one.id: issue_token(settings, one.id, "read write", 1, datetime.now(UTC)) for one in [cast.alice, *users]}
    with mailbox() as box, server(database_url) as one, server(database_url) as other:
        storm = Storm(database, cast, leads, (one, other), tokens)
        dispatchers = Dispatchers(database_url, box)
        working = asyncio.create_task(dispatchers.run())
        raging = [asyncio.create_task(storm.rage(one, members[one.id], random.Random(one.id))) for one in users]
        await asyncio.sleep(SECONDS)

        async def two_have_worked() -> bool:
            return len(dispatchers.began) > 2 or working.done()

        await until(two_have_worked, 120)
        storm.is_over = True
        await asyncio.gather(*raging)
        working.cancel()
        with suppress(asyncio.CancelledError):
            await working
    with capsys.disabled():
        workers, mails = len(dispatchers.began), len(dispatchers.came)
        again = [round(at - dispatchers.stopped[worker], 2) for worker, at in dispatchers.again]
        print(f"\nStorm: {workers} workers sent {mails} e-mails, again {again}; {dict(storm.outcomes)}")  # noqa: T201  the figures
    assert storm.outcomes["OK"] > USERS
    assert not set(storm.outcomes) - REFUSALS - {"OK"}
    await check_leads(database)
    await check_deliveries(database, box)
    ids = {user.email: user.id for user in users}
    assert not [(worker, at) for worker, at in dispatchers.again if at < dispatchers.stopped[worker]]
    told = [(ids[to], dispatchers.began[worker], at) for worker, to, at in dispatchers.came if to in ids]
    assert told
    assert not [one for one in told if storm.had_left(*one)]


async def check_leads(database: Database) -> None:
    async with database.read() as session:
        leads = (await session.exec(select(Lead))).all()
        offers = (await session.exec(select(LeadOffer))).all()
        claims = (await session.exec(select(Claim).order_by(col(Claim.id)))).all()
    for lead in leads:
        check_claims(lead, [claim for claim in claims if claim.lead_id == lead.id])
        its = [offer for offer in offers if offer.lead_id == lead.id]
        statuses = {offer.status for offer in its}
        claimed = [offer.user_id for offer in its if offer.status is LeadOfferStatus.CLAIMED]
        if lead.claimed_by_id is not None:
            assert claimed == [lead.claimed_by_id]
            assert not statuses & {LeadOfferStatus.SCHEDULED, LeadOfferStatus.SENT}
        else:
            assert not statuses & {LeadOfferStatus.CLAIMED, LeadOfferStatus.EXPIRED}
            assert EndReason.CLAIMED not in {offer.end_reason for offer in its}


def check_claims(lead: Lead, claims: Sequence[Claim]) -> None:
    """Check that one claim followed the other, and that the open one agrees with the lead."""
    assert [each.user_id for each in claims if each.ended_at is None] == (
        [lead.claimed_by_id] if lead.claimed_by_id is not None else []
    )
    assert lead.first_claimed_at == (claims[0].claimed_at if claims else None)
    for earlier, later in pairwise(claims):
        assert earlier.claimed_at is not None
        assert earlier.ended_at is not None
        assert later.claimed_at is not None
        assert earlier.claimed_at <= earlier.ended_at <= later.claimed_at
        assert earlier.end_reason is not ClaimEnd.REASSIGNED or earlier.ended_at == later.claimed_at, (earlier, later)


async def check_deliveries(database: Database, box: Mailbox) -> None:
    """Check that each SENT delivery reached the SMTP server, nothing else did, and no lease is left."""
    async with database.read() as session:
        deliveries = (await session.exec(select(Delivery))).all()
        assert (await session.exec(count_silent_offers())).one() == 0
    said = {f"delivery-{delivery.id}" for delivery in deliveries if delivery.status is DeliveryStatus.SENT}
    sent = [name for one in box.ids() if (name := one.strip("<>").partition("@")[0]).startswith("delivery-")]
    assert said == set(sent)
    assert not [one for one in deliveries if one.lease and one.status is not DeliveryStatus.CANCELLED]
