"""The planner decides which users are offered a lead, and when, and names the reason for everybody else.

It is one pure function: everything known goes in, and everything to be written comes out. Submit and preview share it,
so that they cannot disagree. A user whose offer was cancelled is planned anew: the submit gives that offer's row its
new values, and leaves the rows of all other offers as they are.

A rollout is a list of steps. Each step offers the lead to one team and is planned when it begins, by one call.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import accumulate, groupby
from typing import Any

from app.domain.alert_channels import Alerts
from app.domain.bounds import HIGHEST_RANK
from app.domain.enums import OPEN_STATUSES, LeadOfferStatus, OrderMethod, RequestStatus, RolloutCause, SkipReason
from app.domain.timestamps import later
from app.domain.turns import MemberTurns, Turn, order_line, take_turn


@dataclass(frozen=True, slots=True)
class RolloutSettings:
    """The settings of a team that decide how a lead is offered to its members."""

    order_method: OrderMethod
    gap_minutes: int
    """Minutes between two tiers. A team by time does not use them."""
    members_per_lead: int | None = None
    """The number of members with an open offer of one lead from which on no further tier is planned; None for all."""
    keeps_contacts: bool = False
    """Whether the member who holds another lead of the contact is offered the lead before the others."""
    turn_mark: int = 0
    """The team's mark of turns."""


@dataclass(frozen=True, slots=True)
class Option:
    """A member's distribution option in the team."""

    rank: int | None
    minutes: int
    assign_automatically: bool
    alerts: Alerts
    weight: int = 1
    """The member's share of the turns, from 1 to 100. Only a Round Robin team uses it."""
    max_leads_per_day: int | None = None
    """The member's cap: 0 for no leads at all, None for any number."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A member of the team, or another user with an option in it, whose `membership` may be None."""

    user_id: int
    membership: RequestStatus | None
    is_creator: bool
    is_active: bool
    away_until: datetime | None
    option: Option | None
    turns: MemberTurns | None = None
    """The turns they have used in this team; None before the first one."""
    leads_today: int = 0
    """The leads they got by offers of this team since the day began in their own time zone."""
    contact_claimed_at: datetime | None = None
    """When they claimed the other lead of the same contact that they hold, the latest of several; None without one."""


@dataclass(frozen=True, slots=True)
class EarlierOffer:
    """An existing offer of the lead, by any team."""

    user_id: int | None
    status: LeadOfferStatus
    notify_at: datetime | None
    rank: int | None
    is_of_team: bool
    """Whether the team that is planned now made the offer."""


@dataclass(frozen=True, slots=True)
class PlannedOffer:
    user_id: int
    notify_at: datetime
    rank: int | None
    """The option's rank in a team by rank, None by time. Round robin: the place in the line, from 1, or 0 for the
    contact's agent."""
    assign_automatically: bool
    alerts: Alerts
    keeps_contact: bool = False
    """Whether the user comes first as the contact's agent."""


@dataclass(frozen=True, slots=True)
class Skipped:
    user_id: int
    reason: SkipReason


@dataclass(frozen=True, slots=True)
class RolloutPlan:
    """Offers by `notify_at`, rank (null last) and user id, and skipped users by user id."""

    offers: tuple[PlannedOffer, ...]
    skipped: tuple[Skipped, ...]
    turn: Turn | None = None
    """The turn that the step uses, with the marks to write; None if it uses none."""

    @property
    def turn_user_id(self) -> int | None:
        """The id of the user whose turn it is; None if the step uses no turn."""
        return None if self.turn is None else self.turn.user_id


@dataclass(frozen=True, slots=True)
class _Member:
    """A candidate who can be offered the lead."""

    user_id: int
    option: Option
    turns: MemberTurns | None
    is_agent: bool
    """Whether they are the contact's agent."""


_Tiers = list[list[_Member]]

_NOT_ACCEPTED = {
    None: SkipReason.NOT_A_MEMBER,
    RequestStatus.DECLINED: SkipReason.INVITATION_DECLINED,
    RequestStatus.PENDING: SkipReason.INVITATION_PENDING,
}


def plan(
    candidates: Iterable[Candidate],
    earlier: Sequence[EarlierOffer],
    settings: RolloutSettings,
    now: datetime,
    cause: RolloutCause = RolloutCause.SUBMITTED,
) -> RolloutPlan:
    """Plan a step that begins at `now` (aware, UTC): the offers of a lead to the members of a team.

    By rank and round robin, a submit continues after the lead's last open offer, and a step of cause PASSED_ON begins
    at once. No offer is due after LATEST. `candidates` has each user once. The order of the candidates and of the
    earlier offers does not matter.
    """
    people = list(candidates)
    open_here = [offer for offer in earlier if offer.is_of_team and offer.status in OPEN_STATUSES]
    reasons = _first_reasons(people, earlier, now)
    agent_id = _contacts_agent(people, reasons, open_here) if settings.keeps_contacts else None
    if agent_id is not None and reasons[agent_id] is SkipReason.CAP_REACHED:
        reasons[agent_id] = None  # a cap does not keep a contact from their agent

    members = [
        _Member(person.user_id, person.option, person.turns, person.user_id == agent_id)
        for person in people
        if reasons[person.user_id] is None and person.option is not None
    ]
    offered_here = {offer.user_id for offer in open_here} - {None, agent_id}
    others = _tiers([member for member in members if not member.is_agent], settings, now)
    others = _within_limit(others, len(offered_here), settings.members_per_lead)
    turn = None if open_here or any(member.is_agent for member in members) else _turn(others, settings, now)
    tiers = [[member] for member in members if member.is_agent] + others

    gap = timedelta(minutes=settings.gap_minutes)
    start = now if cause is RolloutCause.PASSED_ON else _first_tier_at(earlier, gap, now)
    match settings.order_method:
        case OrderMethod.RANK:
            offers = _by_rank(tiers, start, gap)
        case OrderMethod.TIME:
            offers = _by_time(tiers, now)
        case OrderMethod.ROUND_ROBIN:
            offers = _in_turn(tiers, open_here, start, gap)

    planned = {offer.user_id for offer in offers}
    left_out = ((user_id, reason) for user_id, reason in sorted(reasons.items()) if user_id not in planned)
    skipped = tuple(Skipped(user_id, reason or SkipReason.BEYOND_LIMIT) for user_id, reason in left_out)
    return RolloutPlan(tuple(sorted(offers, key=_order)), skipped, turn)


# Who can be offered the lead


def _first_reasons(
    people: Iterable[Candidate], earlier: Iterable[EarlierOffer], now: datetime
) -> dict[int, SkipReason | None]:
    """Return the first reason against an offer to each candidate, by user id; None if there is none."""
    offered = {offer.user_id for offer in earlier if offer.status is not LeadOfferStatus.CANCELLED}
    return {person.user_id: next(_reasons(person, person.user_id in offered, now), None) for person in people}


def _reasons(candidate: Candidate, is_offered: bool, now: datetime) -> Iterator[SkipReason]:
    """Yield the reasons against an offer, in the order of precedence."""
    if is_offered:
        yield SkipReason.ALREADY_OFFERED
    if not candidate.is_active:
        yield SkipReason.USER_INACTIVE
    if not candidate.is_creator and candidate.membership is not RequestStatus.ACCEPTED:
        yield _NOT_ACCEPTED[candidate.membership]
    if candidate.option is None:
        yield SkipReason.NO_DISTRIBUTION_OPTION
    if candidate.away_until is not None and now < candidate.away_until:
        yield SkipReason.USER_AWAY
    cap = None if candidate.option is None else candidate.option.max_leads_per_day
    if cap is not None and candidate.leads_today >= cap:
        yield SkipReason.CAP_REACHED


def _contacts_agent(
    people: Iterable[Candidate], reasons: Mapping[int, SkipReason | None], open_here: Iterable[EarlierOffer]
) -> int | None:
    """Return the id of the contact's agent, or None: the eligible user who claimed another lead of the contact last.

    A cap does not matter. If users who hold such a lead have an open offer of this one already, the agent is among
    them. Otherwise each submit would plan one more agent beyond the limit.
    """
    claimed_at = {
        person.user_id: person.contact_claimed_at for person in people if person.contact_claimed_at is not None
    }
    offered = [offer.user_id for offer in open_here if offer.user_id in claimed_at]
    eligible = [user_id for user_id in claimed_at if reasons[user_id] in (None, SkipReason.CAP_REACHED)]
    return max(offered or eligible, key=lambda user_id: (claimed_at[user_id], -user_id), default=None)


# In which order, and how many


def _tiers(members: Iterable[_Member], settings: RolloutSettings, now: datetime) -> _Tiers:
    """Return the members in the order in which the lead is offered to them. A tier is offered the lead together.

    Members with the same rank are a tier; by time, those with the same moment; and round robin, each member.
    """
    if settings.order_method is OrderMethod.ROUND_ROBIN:
        by_id = {member.user_id: member for member in members}
        line = order_line({user_id: member.turns for user_id, member in by_id.items()}, settings.turn_mark)
        return [[by_id[user_id]] for user_id in line]
    if settings.order_method is OrderMethod.TIME:
        return _groups(members, lambda member: _own_moment(member, now))
    return _groups(members, lambda member: _nulls_last(member.option.rank))


def _groups(members: Iterable[_Member], key: Callable[[_Member], Any]) -> _Tiers:
    return [list(group) for _, group in groupby(sorted(members, key=key), key)]


def _within_limit(tiers: _Tiers, offered: int, limit: int | None) -> _Tiers:
    """Return the first tiers, until at least `limit` members are offered the lead, of whom `offered` are already."""
    if limit is None:
        return tiers
    before = accumulate((len(tier) for tier in tiers), initial=offered)
    return [tier for tier, members in zip(tiers, before, strict=False) if members < limit]


def _turn(tiers: _Tiers, settings: RolloutSettings, now: datetime) -> Turn | None:
    """Return the turn of the first member in the line; None if there is nobody, or the team is not round robin."""
    if settings.order_method is not OrderMethod.ROUND_ROBIN or not tiers:
        return None
    (first,) = tiers[0]
    return take_turn(first.user_id, first.turns, first.option.weight, settings.turn_mark, now)


# When, and with which rank


def _first_tier_at(earlier: Iterable[EarlierOffer], gap: timedelta, now: datetime) -> datetime:
    """Return now, or a gap after the last open offer, so that new offers never overtake those that already wait."""
    waiting = [offer.notify_at for offer in earlier if offer.status in OPEN_STATUSES and offer.notify_at is not None]
    return max(now, later(max(waiting), gap)) if waiting else now


def _by_rank(tiers: _Tiers, start: datetime, gap: timedelta) -> list[PlannedOffer]:
    """Offer the lead tier by tier. Tiers follow by position, not by rank number."""
    return [
        _offer(member, member.option.rank, later(start, gap, position))
        for position, tier in enumerate(tiers)
        for member in tier
    ]


def _in_turn(tiers: _Tiers, open_here: Iterable[EarlierOffer], start: datetime, gap: timedelta) -> list[PlannedOffer]:
    """Offer the lead along the line. The rank is the place in it: after those of the team's open offers, or from 1."""
    place = max((offer.rank or 0 for offer in open_here), default=0)
    offers = []
    for position, (member,) in enumerate(tiers):
        if not member.is_agent:
            place = min(place + 1, HIGHEST_RANK)
        offers.append(_offer(member, 0 if member.is_agent else place, later(start, gap, position)))
    return offers


def _by_time(tiers: _Tiers, now: datetime) -> list[PlannedOffer]:
    return [
        _offer(member, None, now if member.is_agent else _own_moment(member, now)) for tier in tiers for member in tier
    ]


def _own_moment(member: _Member, now: datetime) -> datetime:
    return later(now, timedelta(minutes=member.option.minutes))


def _offer(member: _Member, rank: int | None, notify_at: datetime) -> PlannedOffer:
    return PlannedOffer(
        user_id=member.user_id,
        notify_at=notify_at,
        rank=rank,
        assign_automatically=member.option.assign_automatically,
        alerts=member.option.alerts,
        keeps_contact=member.is_agent,
    )


def _order(offer: PlannedOffer) -> tuple[datetime, tuple[bool, int], int]:
    return offer.notify_at, _nulls_last(offer.rank), offer.user_id


def _nulls_last(rank: int | None) -> tuple[bool, int]:
    return rank is None, rank or 0
