"""Generated histories of leads, made through the commands, and their figures counted again in plain Python."""

from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from random import Random
from typing import Any
from zoneinfo import ZoneInfo

from sqlmodel import SQLModel, col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from app.commands.assign import assign_lead
from app.commands.claim import claim_lead_offer, decline_lead_offer
from app.commands.due_offers import process_due
from app.commands.members import respond_to_invitation
from app.commands.passing_on import end_step
from app.commands.release import release_lead
from app.commands.submit import submit_lead_offers
from app.db.models import (
    Claim,
    Delivery,
    Lead,
    LeadOffer,
    LeadRollout,
    LeadSource,
    Notice,
    RolloutOffer,
    Team,
    TeamMember,
    User,
)
from app.domain.enums import (
    ClaimedVia,
    ClaimEnd,
    DeliveryStatus,
    DistributionTarget,
    LeadOfferStatus,
    OrderMethod,
    RequestStatus,
)
from app.domain.figures import FigureGroup
from app.errors import ApiError
from tests.support.world import World

BEGIN = datetime(2026, 3, 6, 20, tzinfo=UTC)
"""Two days before the clocks change in Los Angeles."""
TYPES = ["Buyer", "buyer ", "Seller", "Straße", "STRASSE", " ", None]
VIA = [ClaimedVia.APP, ClaimedVia.EMAIL, ClaimedVia.TEXT, ClaimedVia.PHONE]


@dataclass
class Office:
    """A leader with two teams, of which the second follows the first, their members and their leads."""

    leader: User
    teams: list[Team]
    members: list[User]
    sources: list[LeadSource]
    leads: list[Lead] = field(default_factory=list)


@dataclass
class History:
    """Runs random commands on the leads of an office. Commands that are refused change nothing."""

    world: World
    random: Random
    now: datetime = BEGIN

    async def office(self, members: Sequence[User] = ()) -> Office:
        """Open an office with four members, and these."""
        leader = await self.world.user("Leader")
        second = await self.world.team(leader, OrderMethod.ROUND_ROBIN, members_per_lead=2)
        first = await self.world.team(leader, next_team_id=second.id, mins_until_next_team=20)
        hired = [*members, *[await self.world.user("Agent") for _ in range(4)]]
        for place, user in enumerate(hired):
            await self.world.member(
                first, user, rank=1 + place // 2, has_email_alert=bool(place % 2), assign_automatically=place == 3
            )
            await self.world.member(second, user, has_email_alert=not place % 2)
        return Office(leader, [first, second], hired, [await self.world.source(leader, name) for name in ("Web", "Ad")])

    async def run(self, office: Office, actions: int) -> None:
        for _ in range(actions):
            self.now += timedelta(seconds=self.random.choice([7, 45, 170, 600, 1_500, 9_000, 20_000]))
            await self.act(office)

    async def act(self, office: Office) -> None:
        if len(office.leads) < 3 or self.random.random() < 0.15:
            await self.receive(office)
            return
        lead, user = self.random.choice(office.leads[-8:]), self.random.choice(office.members)
        now = self.now
        commands: list[Callable[[AsyncSession], Awaitable[Any]]] = [
            lambda session: submit_lead_offers(session, office.leader.id, lead.id, now),
            lambda session: self.claim(session, lead, user),
            lambda session: self.claim(session, lead, user),
            lambda session: self.decline(session, lead, user),
            lambda session: release_lead(session, office.leader.id, lead.id, now),
            lambda session: assign_lead(session, office.leader.id, lead.id, user.id, now),
            lambda session: self.end_steps(session, office),
            lambda session: process_due(session, lead.id, now),
            lambda session: self.send(session, lead),
            lambda session: self.send(session, lead),
            lambda session: self.leave_or_join(session, office, user),
        ]
        await self.attempt(self.random.choice(commands))

    async def attempt(self, command: Callable[[AsyncSession], Awaitable[Any]]) -> None:
        try:
            async with self.world.database.write() as session:
                await command(session)
        except ApiError:
            pass

    async def receive(self, office: Office) -> None:
        """Add a lead, and in most cases submit it. Some are imported leads that somebody held already."""
        lead = await self.world.lead(
            office.leader,
            self.random.choice([*office.teams, office.teams[0], None]),
            source_id=self.random.choice([*office.sources, None, None]) and self.random.choice(office.sources).id,
            type=self.random.choice(TYPES),
            created_at=self.now,
        )
        office.leads.append(lead)
        if self.random.random() < 0.8:
            now = self.now + timedelta(seconds=self.random.choice([0, 5]))
            await self.attempt(lambda session: submit_lead_offers(session, office.leader.id, lead.id, now))

    async def claim(self, session: AsyncSession, lead: Lead, user: User) -> None:
        if offer := await self.offer(session, lead, user):
            await claim_lead_offer(session, user.id, offer.id, self.random.choice(VIA), self.now)

    async def decline(self, session: AsyncSession, lead: Lead, user: User) -> None:
        if offer := await self.offer(session, lead, user):
            await decline_lead_offer(session, user.id, offer.id, self.now)

    async def offer(self, session: AsyncSession, lead: Lead, user: User) -> LeadOffer | None:
        found = select(LeadOffer).where(col(LeadOffer.lead_id) == lead.id, col(LeadOffer.user_id) == user.id)
        return (await session.exec(found)).one_or_none()

    async def end_steps(self, session: AsyncSession, office: Office) -> None:
        for lead in office.leads:
            await end_step(session, lead.id, self.now)

    async def leave_or_join(self, session: AsyncSession, office: Office, user: User) -> None:
        team = self.random.choice(office.teams)
        mine = select(TeamMember.id).where(col(TeamMember.team_id) == team.id, col(TeamMember.user_id) == user.id)
        answer = self.random.choice([RequestStatus.DECLINED, RequestStatus.ACCEPTED, RequestStatus.ACCEPTED])
        await respond_to_invitation(session, user.id, (await session.exec(mine)).one(), answer, self.now)

    async def send(self, session: AsyncSession, lead: Lead) -> None:
        """Send what is due, as a worker does."""
        due = (
            select(Delivery, LeadOffer)
            .join(LeadOffer, col(LeadOffer.id) == col(Delivery.offer_id))
            .where(
                col(LeadOffer.lead_id) == lead.id,
                col(Delivery.status) == DeliveryStatus.PENDING,
                col(Delivery.next_attempt_at) <= self.now,
            )
        )
        for delivery, offer in (await session.exec(due)).all():
            delivery.status, delivery.sent_at, delivery.next_attempt_at = DeliveryStatus.SENT, self.now, None
            if offer.status is LeadOfferStatus.SCHEDULED:
                offer.status = LeadOfferStatus.SENT


# The same figures, without the statements and without the columns of the lead that they read


@dataclass(frozen=True)
class Rows:
    """Everything that is in the database."""

    leads: list[Lead]
    steps: list[LeadRollout]
    made: list[RolloutOffer]
    claims: list[Claim]
    notices: list[Notice]
    offers: list[LeadOffer]
    deliveries: list[Delivery]
    sources: dict[int, LeadSource]
    teams: dict[int, Team]


async def read_rows(world: World) -> Rows:
    async def every(model: type[SQLModel]) -> list[Any]:
        async with world.database.read() as session:
            return [*(await session.exec(select(model))).all()]

    models = (Lead, LeadRollout, RolloutOffer, Claim, Notice, LeadOffer, Delivery)
    sources, teams = [{row.id: row for row in await every(model)} for model in (LeadSource, Team)]
    leads, steps, made, claims, notices, offers, deliveries = [await every(model) for model in models]
    by_id: Callable[[Any], int] = lambda row: row.id  # noqa: E731
    claims.sort(key=by_id)
    steps.sort(key=by_id)
    return Rows(leads, steps, made, claims, notices, offers, deliveries, sources, teams)


def durations(seconds: Iterable[int]) -> dict[str, Any]:
    values = [*seconds]

    def smallest(percent: int) -> int | None:
        enough = [v for v in values if 100 * sum(each <= v for each in values) >= percent * len(values)]
        return min(enough, default=None)

    return {
        "count": len(values),
        "median": smallest(50),
        "p90": smallest(90),
        "within_5_minutes": sum(each <= 300 for each in values),
    }


def count_leads(
    rows: Rows,
    viewer: User,
    begins: datetime,
    ends: datetime,
    by: FigureGroup | None,
    zone: str,
    matches: Callable[[Lead], bool] = lambda _lead: True,
) -> list[dict[str, Any]]:
    """Return the figures as REST shows them."""
    wanted = [
        lead
        for lead in rows.leads
        if lead.creator_id == viewer.id
        and lead.distribution_target is DistributionTarget.TEAM_ROLLOUT
        and begins <= lead.created_at < ends
        and matches(lead)
    ]
    groups: dict[Any, list[Lead]] = defaultdict(list)
    for lead in wanted:
        groups[_key(rows, lead, by, zone)].append(lead)
    if by is None and not groups:
        groups[None] = []
    return [_count(rows, by, key, groups[key]) for key in sorted(groups, key=lambda key: (key is None, key))]


def _key(rows: Rows, lead: Lead, by: FigureGroup | None, zone: str) -> Any:
    day: date = lead.created_at.astimezone(ZoneInfo(zone)).date()
    match by:
        case FigureGroup.DAY:
            return str(day)
        case FigureGroup.WEEK:
            return str(day - timedelta(days=day.weekday()))
        case FigureGroup.SOURCE:
            return lead.source_id
        case FigureGroup.TEAM:
            return next((step.team_id for step in rows.steps if step.lead_id == lead.id), None)
        case FigureGroup.TYPE:
            return (lead.type or "").strip().casefold() or None
    return None


def _count(rows: Rows, by: FigureGroup | None, key: Any, leads: list[Lead]) -> dict[str, Any]:
    ids = {lead.id for lead in leads}
    created = {lead.id: lead.created_at for lead in leads}
    first: dict[int, Claim] = {}
    for claim in rows.claims:
        if claim.lead_id in ids:
            first.setdefault(claim.lead_id, claim)
    offering = {made.rollout_id for made in rows.made}
    answered = [claim for claim in first.values() if is_answer(claim)]

    def named(row: Any) -> Any:
        return row and {"id": row.id, "name": row.name}

    return {
        "day": key if by in (FigureGroup.DAY, FigureGroup.WEEK) else None,
        "source": named(rows.sources.get(key)) if by is FigureGroup.SOURCE else None,
        "team": named(rows.teams.get(key)) if by is FigureGroup.TEAM else None,
        "type": min(str(lead.type) for lead in leads) if by is FigureGroup.TYPE and key else None,
        "received": len(leads),
        "offered": len({step.lead_id for step in rows.steps if step.id in offering} & ids),
        "claimed": len(first),
        "released": len({each.lead_id for each in rows.claims if each.end_reason is ClaimEnd.RELEASED} & ids),
        "exhausted": len({notice.lead_id for notice in rows.notices} & ids),
        "time_to_claim": durations(
            seconds(created[claim.lead_id], claim.claimed_at) for claim in answered if claim.claimed_at
        ),
    }


def is_answer(claim: Claim) -> bool:
    return claim.claimed_at is not None and claim.via not in (ClaimedVia.AUTO, ClaimedVia.ASSIGNED)


def seconds(begins: datetime, ends: datetime) -> int:
    return max(0, (ends - begins) // timedelta(seconds=1))


def count_members(rows: Rows, viewer: User, team: Team, begins: datetime, ends: datetime) -> dict[int, dict[str, Any]]:
    """Return the figures by the id of the user."""
    mine = {lead.id: lead for lead in rows.leads if lead.creator_id == viewer.id}
    offers = [
        offer
        for offer in rows.offers
        if offer.team_id == team.id and offer.lead_id in mine and offer.notify_at and begins <= offer.notify_at < ends
    ]
    claims = [
        claim
        for claim in rows.claims
        if claim.team_id == team.id
        and claim.lead_id in mine
        and begins <= (claim.claimed_at or mine[claim.lead_id].created_at) < ends
    ]
    turns = [
        step.turn_user_id
        for step in rows.steps
        if step.team_id == team.id and step.turn_user_id and begins <= step.submitted_at < ends
    ]
    sent = {delivery.offer_id for delivery in rows.deliveries if delivery.sent_at}
    found: dict[int, dict[str, Any]] = {}
    for user_id in sorted({*(o.user_id for o in offers if o.user_id), *(c.user_id for c in claims), *turns}):
        theirs = [offer for offer in offers if offer.user_id == user_id]
        taken = [claim for claim in claims if claim.user_id == user_id]
        history = {
            offer.id: [c for c in rows.claims if (c.lead_id, c.user_id) == (offer.lead_id, user_id)] for offer in theirs
        }
        told = {offer.id: offer.notify_at for offer in rows.offers}
        found[user_id] = {
            "turns": turns.count(user_id),
            "offers": len(theirs),
            "claims": len(taken),
            "declines": sum(
                offer.status is LeadOfferStatus.DECLINED
                and not (history[offer.id] and history[offer.id][-1].end_reason is ClaimEnd.RELEASED)
                for offer in theirs
            ),
            "missed": sum(
                not history[offer.id]
                and (
                    offer.status is LeadOfferStatus.EXPIRED
                    or (offer.status is LeadOfferStatus.CANCELLED and offer.id in sent)
                )
                for offer in theirs
            ),
            "released": sum(claim.end_reason is ClaimEnd.RELEASED for claim in taken),
            "time_to_claim": durations(
                seconds(at, claim.claimed_at)
                for claim in taken
                if is_answer(claim)
                and claim.offer_id
                and claim.claimed_at
                and (at := told[claim.offer_id])
                and at <= claim.claimed_at
            ),
        }
    return found
