"""The planner as it was before turns, limits, caps and steps: the reference for teams without these settings.

It is a copy and stays as it is.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta

from app.domain.enums import OPEN_STATUSES, LeadOfferStatus, OrderMethod, RequestStatus, SkipReason
from app.domain.planner import Candidate, EarlierOffer, Option, PlannedOffer, RolloutPlan, Skipped
from app.domain.timestamps import later

_NOT_ACCEPTED = {
    None: SkipReason.NOT_A_MEMBER,
    RequestStatus.DECLINED: SkipReason.INVITATION_DECLINED,
    RequestStatus.PENDING: SkipReason.INVITATION_PENDING,
}


def plan(
    candidates: Iterable[Candidate],
    earlier: Sequence[EarlierOffer],
    order_method: OrderMethod,
    gap_minutes: int,
    now: datetime,
) -> RolloutPlan:
    """Plan the offers of a lead submitted at `now` (aware, UTC) to a team whose tiers are `gap_minutes` apart.

    No offer is due after LATEST. `candidates` has each user once. The order of the candidates and of the earlier offers
    does not matter.
    """
    offered = {offer.user_id for offer in earlier if offer.status is not LeadOfferStatus.CANCELLED}
    eligible: dict[int, Option] = {}
    skipped: list[Skipped] = []
    for candidate in candidates:
        reason = next(_reasons(candidate, candidate.user_id in offered, now), None)
        if reason is not None:
            skipped.append(Skipped(candidate.user_id, reason))
        elif candidate.option is not None:
            eligible[candidate.user_id] = candidate.option
    if order_method is OrderMethod.RANK:
        gap = timedelta(minutes=gap_minutes)
        offers = _by_rank(eligible, _first_tier_at(earlier, gap, now), gap)
    else:
        offers = _by_time(eligible, now)
    return RolloutPlan(tuple(sorted(offers, key=_order)), tuple(sorted(skipped, key=lambda skip: skip.user_id)))


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


def _first_tier_at(earlier: Iterable[EarlierOffer], gap: timedelta, now: datetime) -> datetime:
    """Return now, or a gap after the last open offer, so that new offers never overtake those that already wait."""
    waiting = [offer.notify_at for offer in earlier if offer.status in OPEN_STATUSES and offer.notify_at is not None]
    return max(now, later(max(waiting), gap)) if waiting else now


def _by_rank(eligible: Mapping[int, Option], start: datetime, gap: timedelta) -> list[PlannedOffer]:
    """Offer the lead tier by tier. Equal ranks are one tier, and tiers follow by position, not by rank number."""
    ranks = sorted({option.rank for option in eligible.values()}, key=_nulls_last)
    tier_at = {rank: later(start, gap, position) for position, rank in enumerate(ranks)}
    return [_offer(user_id, option, option.rank, tier_at[option.rank]) for user_id, option in eligible.items()]


def _by_time(eligible: Mapping[int, Option], start: datetime) -> list[PlannedOffer]:
    return [
        _offer(user_id, option, None, later(start, timedelta(minutes=option.minutes)))
        for user_id, option in eligible.items()
    ]


def _offer(user_id: int, option: Option, rank: int | None, notify_at: datetime) -> PlannedOffer:
    return PlannedOffer(
        user_id=user_id,
        notify_at=notify_at,
        rank=rank,
        assign_automatically=option.assign_automatically,
        alerts=option.alerts,
    )


def _order(offer: PlannedOffer) -> tuple[datetime, tuple[bool, int], int]:
    return offer.notify_at, _nulls_last(offer.rank), offer.user_id


def _nulls_last(rank: int | None) -> tuple[bool, int]:
    return rank is None, rank or 0
