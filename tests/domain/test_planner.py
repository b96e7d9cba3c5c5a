"""The planner: examples of each rule, then properties of random teams."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from app.domain.alert_channels import Alerts
from app.domain.bounds import LATEST, MOST_OPTIONS, YEAR_IN_MINUTES
from app.domain.enums import LeadOfferStatus, OrderMethod, RequestStatus, SkipReason
from app.domain.planner import Candidate, EarlierOffer, Option, PlannedOffer, RolloutPlan, Skipped, plan

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)

BY_EMAIL = Option(
    rank=None,
    minutes=0,
    assign_automatically=False,
    alerts=Alerts(email=True),
)


def member(user_id: int, rank: int | None = None, minutes: int = 0) -> Candidate:
    """Return an accepted, active member with an option, who is not away."""
    return Candidate(
        user_id=user_id,
        membership=RequestStatus.ACCEPTED,
        is_creator=False,
        is_active=True,
        away_until=None,
        option=replace(BY_EMAIL, rank=rank, minutes=minutes),
    )


def by_rank(candidates: Sequence[Candidate], *earlier: EarlierOffer, gap: int = 15, now: datetime = NOW) -> RolloutPlan:
    return plan(candidates, earlier, OrderMethod.RANK, gap, now)


def by_time(candidates: Sequence[Candidate], *earlier: EarlierOffer, now: datetime = NOW) -> RolloutPlan:
    return plan(candidates, earlier, OrderMethod.TIME, 0, now)


def minutes(planned: RolloutPlan) -> dict[int, float]:
    """Minutes from NOW to each user's offer."""
    return {offer.user_id: (offer.notify_at - NOW) / MINUTE for offer in planned.offers}


def test_tiers_follow_by_position_whatever_the_gaps_in_ranks() -> None:
    planned = by_rank([member(4, 30), member(1, 3), member(3, 7), member(2, 3)])
    assert minutes(planned) == {1: 0, 2: 0, 3: 15, 4: 30}
    assert [offer.rank for offer in planned.offers] == [3, 3, 7, 30]


def test_members_without_a_rank_are_together_the_last_tier() -> None:
    assert minutes(by_rank([member(1), member(2, 0), member(3), member(4, 99)])) == {2: 0, 4: 15, 1: 30, 3: 30}


def test_rank_0_comes_before_rank_1() -> None:
    assert minutes(by_rank([member(2, rank=1), member(1, rank=0)])) == {1: 0, 2: 15}
    at_once = by_rank([member(1, rank=1), member(2, rank=0)], gap=0)
    assert [offer.user_id for offer in at_once.offers] == [2, 1]


def test_skipped_users_are_in_the_order_of_their_ids() -> None:
    people = [replace(member(user_id), is_active=False) for user_id in (3, 1, 2)]
    assert [skip.user_id for skip in by_rank(people).skipped] == [1, 2, 3]


def test_without_a_gap_all_are_offered_at_once_in_the_order_of_ranks() -> None:
    planned = by_rank([member(1), member(2, 2), member(3, 1)], gap=0)
    assert {offer.notify_at for offer in planned.offers} == {NOW}
    assert [offer.user_id for offer in planned.offers] == [3, 2, 1]


@pytest.mark.parametrize("year", [2200, 9999])
@pytest.mark.parametrize("gap", [0, 525_600, 2**31 - 1])
def test_no_offer_is_planned_after_the_year_2200(year: int, gap: int) -> None:
    """An import from before the bounds of timestamps may have brought an offer in the year 9999."""
    last = EarlierOffer(9, LeadOfferStatus.SCHEDULED, datetime(year, 12, 31, 23, 59, 59, 999_000, tzinfo=UTC))
    team = [member(number, rank=number, minutes=gap) for number in range(1, 5)]
    for planned in (by_rank(team, last, gap=gap), by_time(team, last, now=LATEST)):
        assert {offer.notify_at for offer in planned.offers} == {LATEST}


def test_as_many_tiers_as_a_team_may_have_end_in_the_year_2200() -> None:
    planned = by_rank([member(number, rank=number) for number in range(1, MOST_OPTIONS + 1)], gap=YEAR_IN_MINUTES)
    times = [offer.notify_at for offer in planned.offers]
    assert times[:2] == [NOW, NOW + YEAR_IN_MINUTES * MINUTE]
    assert times == sorted(times)
    assert times[-1] == LATEST


def test_by_time_each_has_their_own_minutes_and_no_rank() -> None:
    planned = by_time([member(1, rank=9, minutes=60), member(2, rank=1, minutes=0), member(3, rank=5, minutes=60)])
    assert minutes(planned) == {2: 0, 1: 60, 3: 60}
    assert [(offer.user_id, offer.rank) for offer in planned.offers] == [(2, None), (1, None), (3, None)]


def test_an_offer_copies_the_flags_and_channels_of_its_option() -> None:
    option = Option(rank=4, minutes=0, assign_automatically=True, alerts=Alerts(call=True, text=True))
    planned = by_rank([replace(member(1), option=option)])
    assert planned.offers == (
        PlannedOffer(
            user_id=1,
            notify_at=NOW,
            rank=4,
            assign_automatically=True,
            alerts=Alerts(call=True, text=True),
        ),
    )


def test_a_member_without_a_channel_is_offered_the_lead() -> None:
    silent = replace(member(1), option=replace(BY_EMAIL, alerts=Alerts()))
    assert [offer.user_id for offer in by_rank([silent]).offers] == [1]


def test_the_creator_needs_no_invitation() -> None:
    creator = replace(member(1, 1), is_creator=True, membership=None)
    assert minutes(by_rank([creator, member(2, 2)])) == {1: 0, 2: 15}


def test_a_user_away_until_now_is_back() -> None:
    planned = by_rank([replace(member(1), away_until=NOW), replace(member(2), away_until=NOW + MINUTE / 60_000)])
    assert minutes(planned) == {1: 0}
    assert planned.skipped == (Skipped(2, SkipReason.USER_AWAY),)


def test_the_first_of_several_reasons_in_the_order_of_the_rules_is_reported() -> None:
    worst = Candidate(1, None, False, False, NOW + MINUTE, None)
    earlier = EarlierOffer(1, LeadOfferStatus.DECLINED, NOW)

    def reason(candidate: Candidate, *earlier: EarlierOffer) -> SkipReason:
        (skip,) = by_rank([candidate], *earlier).skipped
        return skip.reason

    assert reason(worst, earlier) is SkipReason.ALREADY_OFFERED
    assert reason(worst) is SkipReason.USER_INACTIVE
    assert reason(active := replace(worst, is_active=True)) is SkipReason.NOT_A_MEMBER
    assert reason(replace(active, membership=RequestStatus.DECLINED)) is SkipReason.INVITATION_DECLINED
    assert reason(replace(active, membership=RequestStatus.PENDING)) is SkipReason.INVITATION_PENDING
    assert reason(accepted := replace(active, membership=RequestStatus.ACCEPTED)) is SkipReason.NO_DISTRIBUTION_OPTION
    assert reason(replace(accepted, option=BY_EMAIL)) is SkipReason.USER_AWAY


@pytest.mark.parametrize("status", [LeadOfferStatus.SCHEDULED, LeadOfferStatus.SENT])
def test_a_new_member_gets_an_offer_a_gap_after_the_last_open_one(status: LeadOfferStatus) -> None:
    earlier = EarlierOffer(1, status, NOW + 20 * MINUTE)
    planned = by_rank([member(1, 1), member(2, 1), member(3, 2)], earlier)
    assert minutes(planned) == {2: 35, 3: 50}
    assert planned.skipped == (Skipped(1, SkipReason.ALREADY_OFFERED),)


def test_new_offers_do_not_wait_for_past_or_ended_ones() -> None:
    past = EarlierOffer(1, LeadOfferStatus.SENT, NOW - 60 * MINUTE)
    declined = EarlierOffer(2, LeadOfferStatus.DECLINED, NOW + 60 * MINUTE)
    without_moment = EarlierOffer(3, LeadOfferStatus.SENT, None)
    assert minutes(by_rank([member(4)], past, declined, without_moment)) == {4: 0}


def test_new_offers_wait_for_open_offers_of_other_teams() -> None:
    elsewhere = EarlierOffer(99, LeadOfferStatus.SCHEDULED, NOW)
    assert minutes(by_rank([member(1)], elsewhere)) == {1: 15}


def test_a_cancelled_offer_is_planned_anew_in_the_tier_of_its_rank() -> None:
    cancelled = EarlierOffer(2, LeadOfferStatus.CANCELLED, NOW + 500 * MINUTE)
    assert minutes(by_rank([member(1, 1), member(2, 2)], cancelled)) == {1: 0, 2: 15}


def test_an_ineligible_user_with_a_cancelled_offer_has_their_own_reason() -> None:
    cancelled = EarlierOffer(1, LeadOfferStatus.CANCELLED, NOW)
    planned = by_rank([replace(member(1), is_active=False)], cancelled)
    assert planned == RolloutPlan((), (Skipped(1, SkipReason.USER_INACTIVE),))


def test_a_team_without_members_gives_an_empty_plan() -> None:
    assert by_rank([]) == by_time([]) == RolloutPlan((), ())


# Properties

moments = st.integers(-300, 300).map(lambda n: NOW + n * MINUTE)
user_ids = st.integers(1, 12)
options = st.builds(
    Option,
    rank=st.none() | st.integers(0, 5),
    minutes=st.integers(0, 200),
    assign_automatically=st.booleans(),
    alerts=st.builds(Alerts, st.booleans(), st.booleans(), st.booleans()),
)
good_members = st.builds(member, user_ids).flatmap(lambda who: options.map(lambda own: replace(who, option=own)))
any_candidates = st.builds(
    Candidate,
    user_id=user_ids,
    membership=st.none() | st.sampled_from(RequestStatus),
    is_creator=st.booleans(),
    is_active=st.sampled_from([True, True, False]),
    away_until=st.none() | moments,
    option=st.none() | options,
)
teams = st.lists(good_members | any_candidates, max_size=10, unique_by=lambda candidate: candidate.user_id)
earlier_offers = st.lists(
    st.builds(
        EarlierOffer,
        user_id=st.none() | st.integers(1, 20),
        status=st.sampled_from(LeadOfferStatus),
        notify_at=st.none() | moments,
    ),
    max_size=5,
    unique_by=lambda offer: offer.user_id,
)
order_methods = st.sampled_from(OrderMethod)
gaps = st.integers(0, 90)


def model(
    team: Sequence[Candidate], earlier: Sequence[EarlierOffer], method: OrderMethod, gap: int
) -> tuple[dict[int, datetime], dict[int, SkipReason]]:
    """Return each member's `notify_at` or skip reason by a plain second implementation, one member at a time."""
    offered = [e.user_id for e in earlier if e.status.name != "CANCELLED"]
    reasons: dict[int, SkipReason] = {}
    for c in team:
        membership = "ACCEPTED" if c.is_creator else c.membership.name if c.membership else None
        wrong = {
            "ALREADY_OFFERED": c.user_id in offered,
            "USER_INACTIVE": not c.is_active,
            "NOT_A_MEMBER": membership is None,
            "INVITATION_DECLINED": membership == "DECLINED",
            "INVITATION_PENDING": membership == "PENDING",
            "NO_DISTRIBUTION_OPTION": c.option is None,
            "USER_AWAY": bool(c.away_until and c.away_until > NOW),
        }
        if any(wrong.values()):
            reasons[c.user_id] = SkipReason[next(name for name in wrong if wrong[name])]
    chosen = {c.user_id: c.option for c in team if c.user_id not in reasons and c.option}
    if method is OrderMethod.TIME:
        return {user: NOW + option.minutes * MINUTE for user, option in chosen.items()}, reasons
    start = NOW
    for e in earlier:
        if e.status.name in ("SCHEDULED", "SENT") and e.notify_at and e.notify_at + gap * MINUTE > start:
            start = e.notify_at + gap * MINUTE
    last = 1_000_000
    tier = {user: last if option.rank is None else option.rank for user, option in chosen.items()}
    before = {user: {other for other in tier.values() if other < own} for user, own in tier.items()}
    return {user: start + len(before[user]) * gap * MINUTE for user in chosen}, reasons


@given(teams, earlier_offers, order_methods, gaps)
def test_the_planner_equals_a_plain_model(
    team: list[Candidate], earlier: list[EarlierOffer], method: OrderMethod, gap: int
) -> None:
    planned = plan(team, earlier, method, gap, NOW)
    moments, reasons = model(team, earlier, method, gap)
    assert {offer.user_id: offer.notify_at for offer in planned.offers} == moments
    assert {skip.user_id: skip.reason for skip in planned.skipped} == reasons


@given(teams, earlier_offers, order_methods, gaps)
def test_every_candidate_is_offered_the_lead_or_skipped_once(
    team: list[Candidate], earlier: list[EarlierOffer], method: OrderMethod, gap: int
) -> None:
    planned = plan(team, earlier, method, gap, NOW)
    named = [offer.user_id for offer in planned.offers] + [skip.user_id for skip in planned.skipped]
    assert sorted(named) == sorted(candidate.user_id for candidate in team)


@given(teams, earlier_offers, order_methods, gaps)
def test_each_offer_is_a_copy_of_its_option(
    team: list[Candidate], earlier: list[EarlierOffer], method: OrderMethod, gap: int
) -> None:
    own = {candidate.user_id: candidate.option for candidate in team}
    for offer in plan(team, earlier, method, gap, NOW).offers:
        option = own[offer.user_id]
        assert option is not None
        assert offer.rank == (option.rank if method is OrderMethod.RANK else None)
        assert (offer.assign_automatically, offer.alerts) == (option.assign_automatically, option.alerts)


@given(teams.flatmap(lambda team: st.tuples(st.just(team), st.permutations(team))), earlier_offers, order_methods, gaps)
def test_the_order_of_the_input_does_not_matter(
    teams: tuple[list[Candidate], list[Candidate]], earlier: list[EarlierOffer], method: OrderMethod, gap: int
) -> None:
    team, shuffled = teams
    assert plan(team, earlier, method, gap, NOW) == plan(shuffled, earlier[::-1], method, gap, NOW)


@given(teams, earlier_offers, order_methods, gaps)
def test_an_excluded_member_never_moves_another(
    team: list[Candidate], earlier: list[EarlierOffer], method: OrderMethod, gap: int
) -> None:
    planned = plan(team, earlier, method, gap, NOW)
    chosen = {offer.user_id for offer in planned.offers}
    eligible = [candidate for candidate in team if candidate.user_id in chosen]
    assert plan(eligible, earlier, method, gap, NOW).offers == planned.offers


@given(teams, order_methods, gaps, st.integers(0, 1000))
def test_the_same_submit_again_plans_nothing_new(
    team: list[Candidate], method: OrderMethod, gap: int, later: int
) -> None:
    team = [candidate for candidate in team if candidate.away_until is None]  # nobody comes back between the two
    first = plan(team, [], method, gap, NOW)
    made = [EarlierOffer(offer.user_id, LeadOfferStatus.SCHEDULED, offer.notify_at) for offer in first.offers]
    again = plan(team, made, method, gap, NOW + later * MINUTE)
    assert again.offers == ()


@given(teams, earlier_offers, gaps)
def test_tiers_are_one_gap_apart_in_the_order_of_ranks(
    team: list[Candidate], earlier: list[EarlierOffer], gap: int
) -> None:
    offers = by_rank(team, *earlier, gap=gap).offers
    ranks = [1_000_000 if offer.rank is None else offer.rank for offer in offers]
    assert ranks == sorted(ranks)
    for before, after in pairwise(offers):
        step = 0 if before.rank == after.rank else gap
        assert after.notify_at - before.notify_at == step * MINUTE


@given(teams, earlier_offers, gaps, st.integers(1, 9), st.integers(0, 9))
def test_only_the_order_of_ranks_counts(
    team: list[Candidate], earlier: list[EarlierOffer], gap: int, factor: int, shift: int
) -> None:
    def stretched(candidate: Candidate) -> Candidate:
        option = candidate.option
        if option is None or option.rank is None:
            return candidate
        return replace(candidate, option=replace(option, rank=option.rank * factor + shift))

    stretched_team = [stretched(candidate) for candidate in team]
    assert minutes(by_rank(stretched_team, *earlier, gap=gap)) == minutes(by_rank(team, *earlier, gap=gap))


@given(teams, earlier_offers, gaps)
def test_no_new_offer_overtakes_an_open_one(team: list[Candidate], earlier: list[EarlierOffer], gap: int) -> None:
    offers = by_rank(team, *earlier, gap=gap).offers
    assume(offers)
    start = min(offer.notify_at for offer in offers)
    open_moments = [e.notify_at for e in earlier if e.status in (LeadOfferStatus.SCHEDULED, LeadOfferStatus.SENT)]
    assert start == max([NOW, *(at + gap * MINUTE for at in open_moments if at is not None)])


@given(teams, earlier_offers, earlier_offers, gaps)
def test_offers_by_time_do_not_wait_for_others(
    team: list[Candidate], earlier: list[EarlierOffer], others: list[EarlierOffer], gap: int
) -> None:
    planned = by_time(team, *earlier)
    known = {offer.user_id for offer in earlier} | {candidate.user_id for candidate in team}
    elsewhere = [offer for offer in others if offer.user_id not in known]
    assert plan(team, [*earlier, *elsewhere], OrderMethod.TIME, gap, NOW) == planned


@given(teams, earlier_offers, order_methods, gaps, st.integers(0, 1000))
def test_a_later_submit_is_the_same_plan_later(
    team: list[Candidate], earlier: list[EarlierOffer], method: OrderMethod, gap: int, later: int
) -> None:
    """Moving all times by the same amount moves the plan by it."""

    def moved(at: datetime | None) -> datetime | None:
        return None if at is None else at + later * MINUTE

    planned = plan(team, earlier, method, gap, NOW)
    moved_plan = plan(
        [replace(candidate, away_until=moved(candidate.away_until)) for candidate in team],
        [replace(offer, notify_at=moved(offer.notify_at)) for offer in earlier],
        method,
        gap,
        NOW + later * MINUTE,
    )
    assert moved_plan.skipped == planned.skipped
    assert moved_plan.offers == tuple(replace(o, notify_at=o.notify_at + later * MINUTE) for o in planned.offers)
