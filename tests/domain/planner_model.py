"""A plain second implementation of the planner, which offers the lead to one tier after the other."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from app.domain.enums import OrderMethod, RolloutCause, SkipReason
from app.domain.planner import Candidate, EarlierOffer, Option, RolloutSettings

Made = dict[int, tuple[datetime, int | None]]
"""The `notify_at` and the rank of each user's offer."""


def plan(
    team: Sequence[Candidate],
    earlier: Sequence[EarlierOffer],
    settings: RolloutSettings,
    cause: RolloutCause,
    now: datetime,
) -> tuple[Made, dict[int, SkipReason], int | None]:
    """Return the offers, the reasons of all other users, and whose turn it is."""
    gap = settings.gap_minutes * timedelta(minutes=1)
    open_here = {e.user_id: e.rank or 0 for e in earlier if e.is_of_team and e.status.name in ("SCHEDULED", "SENT")}
    reasons = _reasons(team, earlier, now)
    agent = _agent(team, reasons, open_here) if settings.keeps_contacts else None
    if agent is not None and reasons.get(agent) is SkipReason.CAP_REACHED:
        del reasons[agent]
    waiting = {c.user_id: (c, c.option) for c in team if c.option and c.user_id not in reasons}

    by_rank, by_time = settings.order_method is OrderMethod.RANK, settings.order_method is OrderMethod.TIME
    made: Made = {}
    at, place, turn = _start(earlier, gap, now) if cause is RolloutCause.SUBMITTED else now, 0, None
    if agent in waiting:
        _, option = waiting.pop(agent)
        made[agent] = now if by_time else at, option.rank if by_rank else None if by_time else 0
        at += gap
    place, count = max(open_here.values(), default=0), len(open_here.keys() - {agent, None})
    while waiting and (settings.members_per_lead is None or count < settings.members_per_lead):
        places = {user: _place(*both, settings, now) for user, both in waiting.items()}
        tier = [user for user in waiting if places[user] == min(places.values())]
        count, place = count + len(tier), place + 1
        if settings.order_method is OrderMethod.ROUND_ROBIN and not open_here and agent not in made and turn is None:
            (turn,) = tier
        for user in tier:
            _, option = waiting.pop(user)
            moment = now + timedelta(minutes=option.minutes) if by_time else at
            made[user] = moment, option.rank if by_rank else None if by_time else place
        at += gap
    return made, reasons | dict.fromkeys(waiting, SkipReason.BEYOND_LIMIT), turn


def _reasons(team: Sequence[Candidate], earlier: Sequence[EarlierOffer], now: datetime) -> dict[int, SkipReason]:
    offered = [e.user_id for e in earlier if e.status.name != "CANCELLED"]
    reasons: dict[int, SkipReason] = {}
    for c in team:
        membership = "ACCEPTED" if c.is_creator else c.membership.name if c.membership else None
        most = c.option.max_leads_per_day if c.option else None
        wrong = {
            "ALREADY_OFFERED": c.user_id in offered,
            "USER_INACTIVE": not c.is_active,
            "NOT_A_MEMBER": membership is None,
            "INVITATION_DECLINED": membership == "DECLINED",
            "INVITATION_PENDING": membership == "PENDING",
            "NO_DISTRIBUTION_OPTION": c.option is None,
            "USER_AWAY": bool(c.away_until and c.away_until > now),
            "CAP_REACHED": most is not None and c.leads_today >= most,
        }
        if any(wrong.values()):
            reasons[c.user_id] = SkipReason[next(name for name in wrong if wrong[name])]
    return reasons


def _agent(team: Sequence[Candidate], reasons: dict[int, SkipReason], open_here: dict[int | None, int]) -> int | None:
    best: tuple[bool, datetime, int] | None = None
    for c in team:
        can_be = c.user_id in open_here or reasons.get(c.user_id) in (None, SkipReason.CAP_REACHED)
        if c.contact_claimed_at and can_be:
            own = c.user_id in open_here, c.contact_claimed_at, -c.user_id
            best = own if best is None or own > best else best
    return None if best is None else -best[2]


def _start(earlier: Sequence[EarlierOffer], gap: timedelta, now: datetime) -> datetime:
    start = now
    for e in earlier:
        if e.status.name in ("SCHEDULED", "SENT") and e.notify_at and e.notify_at + gap > start:
            start = e.notify_at + gap
    return start


def _place(c: Candidate, option: Option, settings: RolloutSettings, now: datetime) -> tuple[float, ...]:
    """Return a number, or several in the order of precedence, that is lower for those who come earlier."""
    if settings.order_method is OrderMethod.RANK:
        return (1_000_000 if option.rank is None else option.rank,)
    if settings.order_method is OrderMethod.TIME:
        return (option.minutes,)
    if c.turns is None:
        return settings.turn_mark, float("-inf"), c.user_id
    return max(c.turns.mark, settings.turn_mark), (c.turns.last_taken_at - now).total_seconds(), c.user_id
