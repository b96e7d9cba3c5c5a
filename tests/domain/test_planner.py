"""The planner: examples of each rule, then properties of random teams."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from app.domain.alert_channels import Alerts
from app.domain.bounds import HIGHEST_RANK, LATEST, MOST_OPTIONS, YEAR_IN_MINUTES
from app.domain.enums import OPEN_STATUSES, LeadOfferStatus, OrderMethod, RequestStatus, RolloutCause, SkipReason
from app.domain.planner import (
    Candidate,
    EarlierOffer,
    Option,
    PlannedOffer,
    RolloutPlan,
    RolloutSettings,
    Skipped,
    plan,
)
from app.domain.turns import MemberTurns, Turn
from tests.domain import planner_before_steps, planner_model

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


def offer(
    user_id: int | None,
    status: LeadOfferStatus,
    notify_at: datetime | None,
    rank: int | None = None,
    is_of_team: bool = True,
) -> EarlierOffer:
    return EarlierOffer(user_id, status, notify_at, rank, is_of_team)


def sent(planned: RolloutPlan) -> list[EarlierOffer]:
    """Return the planned offers as the earlier offers of the next submit."""
    return [offer(new.user_id, LeadOfferStatus.SENT, new.notify_at, new.rank) for new in planned.offers]


def by_rank(
    candidates: Sequence[Candidate], *earlier: EarlierOffer, gap: int = 15, now: datetime = NOW, **settings: Any
) -> RolloutPlan:
    return plan(candidates, earlier, RolloutSettings(OrderMethod.RANK, gap, **settings), now)


def by_time(
    candidates: Sequence[Candidate], *earlier: EarlierOffer, now: datetime = NOW, **settings: Any
) -> RolloutPlan:
    return plan(candidates, earlier, RolloutSettings(OrderMethod.TIME, 0, **settings), now)


def in_turn(
    candidates: Sequence[Candidate], *earlier: EarlierOffer, gap: int = 15, now: datetime = NOW, **settings: Any
) -> RolloutPlan:
    return plan(candidates, earlier, RolloutSettings(OrderMethod.ROUND_ROBIN, gap, **settings), now)


def with_option(candidate: Candidate, **values: Any) -> Candidate:
    assert candidate.option is not None
    return replace(candidate, option=replace(candidate.option, **values))


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
    last = offer(9, LeadOfferStatus.SCHEDULED, datetime(year, 12, 31, 23, 59, 59, 999_000, tzinfo=UTC))
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
    earlier = offer(1, LeadOfferStatus.DECLINED, NOW)

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
    earlier = offer(1, status, NOW + 20 * MINUTE)
    planned = by_rank([member(1, 1), member(2, 1), member(3, 2)], earlier)
    assert minutes(planned) == {2: 35, 3: 50}
    assert planned.skipped == (Skipped(1, SkipReason.ALREADY_OFFERED),)


def test_new_offers_do_not_wait_for_past_or_ended_ones() -> None:
    past = offer(1, LeadOfferStatus.SENT, NOW - 60 * MINUTE)
    declined = offer(2, LeadOfferStatus.DECLINED, NOW + 60 * MINUTE)
    without_moment = offer(3, LeadOfferStatus.SENT, None)
    assert minutes(by_rank([member(4)], past, declined, without_moment)) == {4: 0}


def test_new_offers_wait_for_open_offers_of_other_teams() -> None:
    elsewhere = offer(99, LeadOfferStatus.SCHEDULED, NOW, is_of_team=False)
    assert minutes(by_rank([member(1)], elsewhere)) == {1: 15}


def test_a_cancelled_offer_is_planned_anew_in_the_tier_of_its_rank() -> None:
    cancelled = offer(2, LeadOfferStatus.CANCELLED, NOW + 500 * MINUTE)
    assert minutes(by_rank([member(1, 1), member(2, 2)], cancelled)) == {1: 0, 2: 15}


def test_an_ineligible_user_with_a_cancelled_offer_has_their_own_reason() -> None:
    cancelled = offer(1, LeadOfferStatus.CANCELLED, NOW)
    planned = by_rank([replace(member(1), is_active=False)], cancelled)
    assert planned == RolloutPlan((), (Skipped(1, SkipReason.USER_INACTIVE),))


def test_a_team_without_members_gives_an_empty_plan() -> None:
    assert by_rank([]) == by_time([]) == RolloutPlan((), ())


# In turn


def standing_at(mark: int) -> MemberTurns:
    return MemberTurns(mark, taken=1, last_taken_at=NOW - MINUTE)


def test_in_turn_each_member_of_the_line_follows_a_gap_later() -> None:
    team = [
        replace(member(1), turns=standing_at(7)),
        replace(member(2), turns=standing_at(5)),
        replace(member(3), turns=standing_at(6)),
    ]
    planned = in_turn(team, turn_mark=5)
    assert minutes(planned) == {2: 0, 3: 15, 1: 30}
    assert [(new.user_id, new.rank) for new in planned.offers] == [(2, 1), (3, 2), (1, 3)]
    assert planned.turn == Turn(2, 5, MemberTurns(1_000_000_005, 2, NOW))


def test_a_mark_behind_the_teams_does_not_count() -> None:
    planned = in_turn([replace(member(1), turns=standing_at(7)), replace(member(2), turns=standing_at(5))], turn_mark=9)
    assert [new.user_id for new in planned.offers] == [1, 2]
    assert planned.turn == Turn(1, 9, MemberTurns(1_000_000_009, 2, NOW))


def test_in_turn_ranks_and_minutes_of_options_are_not_used() -> None:
    planned = in_turn([member(1, rank=9, minutes=60), member(2, rank=1)])
    assert [(new.user_id, new.rank, new.notify_at) for new in planned.offers] == [
        (1, 1, NOW),
        (2, 2, NOW + 15 * MINUTE),
    ]


def test_a_turn_moves_the_member_by_the_stride_of_their_weight() -> None:
    planned = in_turn([with_option(member(1), weight=4)], turn_mark=100)
    assert planned.turn == Turn(1, 100, MemberTurns(250_000_100, 1, NOW))


def test_without_a_gap_places_order_offers_that_are_due_together() -> None:
    planned = in_turn([member(2), member(1)], gap=0)
    assert [(new.user_id, new.rank, new.notify_at) for new in planned.offers] == [(1, 1, NOW), (2, 2, NOW)]


def test_who_is_planned_anew_joins_the_end_of_the_line_and_uses_no_turn() -> None:
    first = in_turn([member(1), member(2)])
    newcomer = replace(member(3), turns=None)
    again = in_turn([replace(member(1), turns=standing_at(9)), member(2), newcomer], *sent(first))
    assert [(new.user_id, new.rank, new.notify_at) for new in again.offers] == [(3, 3, NOW + 30 * MINUTE)]
    assert again.turn is None
    assert again.turn_user_id is None


@pytest.mark.parametrize(
    ("earlier", "turn_user_id"),
    [
        (offer(9, LeadOfferStatus.SCHEDULED, NOW), None),
        (offer(9, LeadOfferStatus.SENT, NOW), None),
        (offer(None, LeadOfferStatus.SENT, None), None),
        (offer(9, LeadOfferStatus.DECLINED, NOW), 1),
        (offer(9, LeadOfferStatus.CANCELLED, NOW), 1),
        (offer(9, LeadOfferStatus.EXPIRED, NOW), 1),
        (offer(9, LeadOfferStatus.SENT, NOW, is_of_team=False), 1),
    ],
)
def test_a_turn_is_used_if_the_team_has_no_open_offer(earlier: EarlierOffer, turn_user_id: int | None) -> None:
    planned = in_turn([member(1), member(2)], earlier)
    assert [new.user_id for new in planned.offers] == [1, 2]
    assert planned.turn_user_id == turn_user_id


def test_places_follow_those_of_open_offers_only() -> None:
    declined = offer(8, LeadOfferStatus.DECLINED, NOW, rank=9)
    elsewhere = offer(7, LeadOfferStatus.SENT, NOW, rank=5, is_of_team=False)
    still_open = offer(9, LeadOfferStatus.SENT, NOW, rank=3)
    assert [new.rank for new in in_turn([member(1)], declined, elsewhere).offers] == [1]
    assert [new.rank for new in in_turn([member(1)], declined, elsewhere, still_open).offers] == [4]


def test_no_place_is_higher_than_ranks_can_be() -> None:
    """The offer may be from a time when the team went by rank."""
    last = offer(9, LeadOfferStatus.SENT, NOW, rank=HIGHEST_RANK)
    assert [new.rank for new in in_turn([member(1), member(2)], last).offers] == [HIGHEST_RANK, HIGHEST_RANK]


def test_nobody_eligible_uses_no_turn() -> None:
    assert in_turn([replace(member(1), is_active=False)]).turn is None
    assert in_turn([]) == RolloutPlan((), ())


def test_offers_by_rank_and_time_use_no_turn() -> None:
    assert by_rank([member(1)]).turn is None
    assert by_time([member(1)]).turn is None


# Passing on


@pytest.mark.parametrize("method", [OrderMethod.RANK, OrderMethod.ROUND_ROBIN])
def test_a_lead_that_is_passed_on_does_not_wait_for_the_offers_before(method: OrderMethod) -> None:
    before = offer(9, LeadOfferStatus.SENT, NOW + 60 * MINUTE, is_of_team=False)
    settings, team = RolloutSettings(method, 15), [member(1, 1), member(2, 2)]
    assert minutes(plan(team, [before], settings, NOW)) == {1: 75, 2: 90}
    assert minutes(plan(team, [before], settings, NOW, RolloutCause.PASSED_ON)) == {1: 0, 2: 15}


def test_a_lead_is_not_passed_on_to_a_user_who_has_an_offer_already() -> None:
    before = offer(1, LeadOfferStatus.SENT, NOW, is_of_team=False)
    planned = plan([member(1)], [before], RolloutSettings(OrderMethod.RANK, 15), NOW, RolloutCause.PASSED_ON)
    assert planned == RolloutPlan((), (Skipped(1, SkipReason.ALREADY_OFFERED),))


# Limit


def reasons(planned: RolloutPlan) -> dict[int, SkipReason]:
    return {skip.user_id: skip.reason for skip in planned.skipped}


def test_tiers_are_planned_whole_until_the_limit_is_reached() -> None:
    team = [member(1, 1), member(2, 2), member(3, 2), member(4, 3)]
    planned = by_rank(team, members_per_lead=2)
    assert minutes(planned) == {1: 0, 2: 15, 3: 15}
    assert reasons(planned) == {4: SkipReason.BEYOND_LIMIT}
    assert minutes(by_rank(team, members_per_lead=3)) == {1: 0, 2: 15, 3: 15}
    assert minutes(by_rank(team, members_per_lead=1)) == {1: 0}
    assert by_rank(team, members_per_lead=4) == by_rank(team)


def test_by_time_a_tier_is_those_with_the_same_moment() -> None:
    planned = by_time([member(1, minutes=30), member(2, minutes=5), member(3, minutes=30)], members_per_lead=2)
    assert minutes(planned) == {2: 5, 1: 30, 3: 30}
    planned = by_time([member(1, minutes=30), member(2, minutes=5), member(3, minutes=5)], members_per_lead=1)
    assert minutes(planned) == {2: 5, 3: 5}
    assert reasons(planned) == {1: SkipReason.BEYOND_LIMIT}


def test_in_turn_as_many_of_the_line_as_the_limit_allows_are_planned() -> None:
    planned = in_turn([member(1), member(2), member(3)], members_per_lead=2)
    assert minutes(planned) == {1: 0, 2: 15}
    assert reasons(planned) == {3: SkipReason.BEYOND_LIMIT}
    assert planned.turn_user_id == 1


def test_open_offers_of_this_team_count_towards_the_limit() -> None:
    team = [member(1, 1), member(2, 2)]
    mine, elsewhere = (offer(9, LeadOfferStatus.SENT, NOW, is_of_team=is_of_team) for is_of_team in (True, False))
    assert [*minutes(by_rank(team, mine, members_per_lead=2))] == [1]
    assert [*minutes(by_rank(team, elsewhere, members_per_lead=2))] == [1, 2]
    declined = replace(mine, status=LeadOfferStatus.DECLINED)
    assert [*minutes(by_rank(team, declined, members_per_lead=2))] == [1, 2]
    without_user = replace(mine, user_id=None)
    assert [*minutes(by_rank(team, without_user, members_per_lead=2))] == [1, 2]


def test_after_a_decline_a_new_submit_reaches_the_next_member() -> None:
    team = [member(1), member(2), member(3)]
    first = in_turn(team, members_per_lead=1)
    assert in_turn(team, *sent(first), members_per_lead=1).offers == ()
    declined = [replace(existing, status=LeadOfferStatus.DECLINED) for existing in sent(first)]
    planned = in_turn(team, *declined, members_per_lead=1)
    assert ([*minutes(planned)], planned.turn_user_id) == ([2], 2)
    assert reasons(planned) == {1: SkipReason.ALREADY_OFFERED, 3: SkipReason.BEYOND_LIMIT}


# Caps


@pytest.mark.parametrize(
    ("cap", "leads_today", "is_offered"), [(None, 99, True), (1, 0, True), (1, 1, False), (1, 2, False), (0, 0, False)]
)
@pytest.mark.parametrize("planned_by", [by_rank, by_time, in_turn])
def test_a_member_who_has_reached_their_cap_is_skipped(
    planned_by: Callable[[Sequence[Candidate]], RolloutPlan], cap: int | None, leads_today: int, is_offered: bool
) -> None:
    capped = replace(member(1), option=replace(BY_EMAIL, max_leads_per_day=cap), leads_today=leads_today)
    planned = planned_by([capped, member(2)])
    assert (1 in minutes(planned)) == is_offered
    assert reasons(planned) == ({} if is_offered else {1: SkipReason.CAP_REACHED})


def test_being_away_is_reported_before_a_cap_and_a_cap_before_the_limit() -> None:
    capped = with_option(member(2), max_leads_per_day=0)
    away = replace(with_option(member(3), max_leads_per_day=0), away_until=NOW + MINUTE)
    planned = in_turn([member(1), capped, away, member(4)], members_per_lead=1)
    assert reasons(planned) == {2: SkipReason.CAP_REACHED, 3: SkipReason.USER_AWAY, 4: SkipReason.BEYOND_LIMIT}
    assert [*SkipReason][-3:] == [SkipReason.USER_AWAY, SkipReason.CAP_REACHED, SkipReason.BEYOND_LIMIT]


# The contact's agent


def agent(candidate: Candidate, minutes_ago: int = 1) -> Candidate:
    """Return the member as the holder of another lead of the contact."""
    return replace(candidate, contact_claimed_at=NOW - minutes_ago * MINUTE)


def test_by_rank_the_contacts_agent_is_a_tier_before_all_others_and_keeps_their_rank() -> None:
    planned = by_rank([member(1, 1), member(2, 5), agent(member(3, 5))], keeps_contacts=True)
    assert minutes(planned) == {3: 0, 1: 15, 2: 30}
    assert [(new.user_id, new.rank, new.keeps_contact) for new in planned.offers] == [
        (3, 5, True),
        (1, 1, False),
        (2, 5, False),
    ]


def test_by_time_the_contacts_agent_is_offered_the_lead_at_the_start() -> None:
    planned = by_time([member(1, minutes=5), agent(member(2, minutes=60))], keeps_contacts=True)
    assert minutes(planned) == {2: 0, 1: 5}
    assert [new.rank for new in planned.offers] == [None, None]


def test_in_turn_the_contacts_agent_has_place_0() -> None:
    planned = in_turn([member(1), agent(member(2)), member(3)], keeps_contacts=True)
    assert [(new.user_id, new.rank) for new in planned.offers] == [(2, 0), (1, 1), (3, 2)]
    assert minutes(planned) == {2: 0, 1: 15, 3: 30}
    assert planned.turn is None


def test_a_team_that_does_not_keep_contacts_knows_no_agent() -> None:
    team = [member(1, 1), agent(member(2, 2))]
    assert minutes(by_rank(team)) == {1: 0, 2: 15}
    assert [new.keeps_contact for new in by_rank(team).offers] == [False, False]


def test_of_several_holders_the_eligible_one_who_claimed_last_is_the_agent() -> None:
    latest = replace(agent(member(4), minutes_ago=1), is_active=False)
    team = [member(1), agent(member(2), minutes_ago=3), agent(member(3), minutes_ago=2), latest]
    assert [new.user_id for new in in_turn(team, keeps_contacts=True).offers] == [3, 1, 2]
    together = [agent(member(2)), agent(member(1))]
    assert [new.user_id for new in in_turn(together, keeps_contacts=True).offers if new.keeps_contact] == [1]


def test_the_contacts_agent_does_not_count_towards_the_limit() -> None:
    team = [member(1), member(2), agent(member(3))]
    first = in_turn(team, keeps_contacts=True, members_per_lead=1)
    assert minutes(first) == {3: 0, 1: 15}
    assert in_turn(team, *sent(first), keeps_contacts=True, members_per_lead=1).offers == ()


def test_open_offers_of_the_agent_and_of_nobody_leave_the_limit_to_the_others() -> None:
    team = [member(1), agent(member(3))]
    of_agent, of_nobody = (offer(user_id, LeadOfferStatus.SENT, NOW, rank=0) for user_id in (3, None))
    again = in_turn(team, of_agent, of_nobody, keeps_contacts=True, members_per_lead=1)
    assert [(new.user_id, new.rank) for new in again.offers] == [(1, 1)]


def test_submitting_again_makes_no_second_agent_while_one_has_an_open_offer() -> None:
    team = [member(1), agent(member(2), minutes_ago=9), agent(member(3))]
    first = in_turn(team, keeps_contacts=True, members_per_lead=1)
    assert [new.user_id for new in first.offers] == [3, 1]
    again = in_turn(team, *sent(first), keeps_contacts=True, members_per_lead=1)
    assert again.offers == ()
    declined = [offer(3, LeadOfferStatus.DECLINED, NOW, 0), offer(1, LeadOfferStatus.SENT, NOW, 1)]
    after = in_turn(team, *declined, keeps_contacts=True, members_per_lead=1)
    assert [(new.user_id, new.rank, new.keeps_contact) for new in after.offers] == [(2, 0, True)]


def test_the_contacts_agent_is_not_capped() -> None:
    capped = [agent(with_option(member(number), max_leads_per_day=0), minutes_ago=number) for number in (1, 2)]
    planned = in_turn([*capped, member(3)], keeps_contacts=True)
    assert [new.user_id for new in planned.offers] == [1, 3]
    assert reasons(planned) == {2: SkipReason.CAP_REACHED}


# Properties

moments = st.integers(-300, 300).map(lambda n: NOW + n * MINUTE)
user_ids = st.integers(1, 12)
options = st.builds(
    Option,
    rank=st.none() | st.integers(0, 5),
    minutes=st.integers(0, 200) | st.sampled_from([0, 30]),
    assign_automatically=st.booleans(),
    alerts=st.builds(Alerts, st.booleans(), st.booleans(), st.booleans()),
    weight=st.integers(1, 100),
    max_leads_per_day=st.none() | st.integers(0, 3),
)
turns = st.builds(MemberTurns, mark=st.integers(0, 3), taken=st.integers(1, 9), last_taken_at=moments)
facts = {
    "turns": st.none() | turns,
    "leads_today": st.integers(0, 3),
    "contact_claimed_at": st.sampled_from([None, None, NOW - MINUTE, NOW - 2 * MINUTE]),
}
good_members = st.builds(
    Candidate,
    user_id=user_ids,
    membership=st.just(RequestStatus.ACCEPTED),
    is_creator=st.just(False),
    is_active=st.just(True),
    away_until=st.none(),
    option=options,
    **facts,
)
any_candidates = st.builds(
    Candidate,
    user_id=user_ids,
    membership=st.none() | st.sampled_from(RequestStatus),
    is_creator=st.booleans(),
    is_active=st.sampled_from([True, True, False]),
    away_until=st.none() | moments,
    option=st.none() | options,
    **facts,
)
teams = st.lists(good_members | any_candidates, max_size=10, unique_by=lambda candidate: candidate.user_id)
earlier_offers = st.lists(
    st.builds(
        EarlierOffer,
        user_id=st.none() | st.integers(1, 20),
        status=st.sampled_from(LeadOfferStatus),
        notify_at=st.none() | moments,
        rank=st.none() | st.integers(0, 9),
        is_of_team=st.booleans(),
    ),
    max_size=5,
    unique_by=lambda offer: offer.user_id,
)
gaps = st.integers(0, 90)
any_settings = st.builds(
    RolloutSettings,
    order_method=st.sampled_from(OrderMethod),
    gap_minutes=gaps,
    members_per_lead=st.none() | st.integers(1, 6),
    keeps_contacts=st.booleans(),
    turn_mark=st.integers(0, 2),
)
causes = st.sampled_from(RolloutCause)


@given(teams, earlier_offers, any_settings, causes)
def test_the_planner_equals_a_plain_model(
    team: list[Candidate], earlier: list[EarlierOffer], settings: RolloutSettings, cause: RolloutCause
) -> None:
    planned = plan(team, earlier, settings, NOW, cause)
    made, reasons, turn = planner_model.plan(team, earlier, settings, cause, NOW)
    assert {new.user_id: (new.notify_at, new.rank) for new in planned.offers} == made
    assert {skip.user_id: skip.reason for skip in planned.skipped} == reasons
    assert planned.turn_user_id == turn


@given(teams, earlier_offers, st.sampled_from([OrderMethod.RANK, OrderMethod.TIME]), gaps, st.integers(0, 9))
def test_without_new_settings_the_plan_is_the_one_of_before(
    team: list[Candidate], earlier: list[EarlierOffer], method: OrderMethod, gap: int, turn_mark: int
) -> None:
    """Marks, weights, and other leads of the contact do not matter to a team that uses none of the new settings."""
    uncapped = [c if c.option is None else replace(c, option=replace(c.option, max_leads_per_day=None)) for c in team]
    settings = RolloutSettings(method, gap, turn_mark=turn_mark)
    assert plan(uncapped, earlier, settings, NOW) == planner_before_steps.plan(uncapped, earlier, method, gap, NOW)


@given(teams, earlier_offers, any_settings, causes)
def test_every_candidate_is_offered_the_lead_or_skipped_once(
    team: list[Candidate], earlier: list[EarlierOffer], settings: RolloutSettings, cause: RolloutCause
) -> None:
    planned = plan(team, earlier, settings, NOW, cause)
    named = [new.user_id for new in planned.offers] + [skip.user_id for skip in planned.skipped]
    assert sorted(named) == sorted(candidate.user_id for candidate in team)


@given(teams, earlier_offers, any_settings, causes)
def test_each_offer_is_a_copy_of_its_option(
    team: list[Candidate], earlier: list[EarlierOffer], settings: RolloutSettings, cause: RolloutCause
) -> None:
    own = {candidate.user_id: candidate.option for candidate in team}
    for new in plan(team, earlier, settings, NOW, cause).offers:
        option = own[new.user_id]
        assert option is not None
        if settings.order_method is not OrderMethod.ROUND_ROBIN:
            assert new.rank == (option.rank if settings.order_method is OrderMethod.RANK else None)
        assert (new.assign_automatically, new.alerts) == (option.assign_automatically, option.alerts)


@given(teams.flatmap(lambda team: st.tuples(st.just(team), st.permutations(team))), earlier_offers, any_settings)
def test_the_order_of_the_input_does_not_matter(
    teams: tuple[list[Candidate], list[Candidate]], earlier: list[EarlierOffer], settings: RolloutSettings
) -> None:
    team, shuffled = teams
    assert plan(team, earlier, settings, NOW) == plan(shuffled, earlier[::-1], settings, NOW)


@given(teams, earlier_offers, any_settings, st.data())
def test_a_skipped_member_never_moves_another(
    team: list[Candidate], earlier: list[EarlierOffer], settings: RolloutSettings, data: st.DataObject
) -> None:
    """Nobody who has an open offer is removed, because whoever leaves a team has none."""
    planned = plan(team, earlier, settings, NOW)
    offered = {existing.user_id for existing in earlier if existing.status in OPEN_STATUSES}
    skipped = [skip.user_id for skip in planned.skipped if skip.user_id not in offered]
    removed = data.draw(st.sets(st.sampled_from(skipped))) if skipped else set()
    without = plan([candidate for candidate in team if candidate.user_id not in removed], earlier, settings, NOW)
    assert (without.offers, without.turn) == (planned.offers, planned.turn)


@given(teams, earlier_offers, any_settings)
def test_an_ineligible_member_never_changes_the_line(
    team: list[Candidate], earlier: list[EarlierOffer], settings: RolloutSettings
) -> None:
    """A member of the line who goes away leaves the others in their order."""
    everybody = replace(settings, order_method=OrderMethod.ROUND_ROBIN, members_per_lead=None, keeps_contacts=False)
    line = [new.user_id for new in plan(team, earlier, everybody, NOW).offers]
    for user_id in line:
        team_without = [replace(c, away_until=NOW + MINUTE) if c.user_id == user_id else c for c in team]
        others = [new.user_id for new in plan(team_without, earlier, everybody, NOW).offers]
        assert others == [other for other in line if other != user_id]


@given(teams, earlier_offers, any_settings, causes, st.integers(0, 1000))
def test_the_same_submit_again_plans_nothing_new(
    team: list[Candidate], earlier: list[EarlierOffer], settings: RolloutSettings, cause: RolloutCause, later: int
) -> None:
    team = [candidate for candidate in team if candidate.away_until is None]  # nobody comes back between the two
    first = plan(team, earlier, settings, NOW, cause)
    again = plan(team, [*earlier_without(earlier, first), *sent(first)], settings, NOW + later * MINUTE)
    assert (again.offers, again.turn) == ((), None)


def earlier_without(earlier: Iterable[EarlierOffer], planned: RolloutPlan) -> list[EarlierOffer]:
    """Return the offers that the plan does not replace."""
    made = {new.user_id for new in planned.offers}
    return [existing for existing in earlier if existing.user_id not in made]


@given(teams, earlier_offers, any_settings)
def test_no_lead_has_more_open_offers_than_the_limit_and_ties_allow(
    team: list[Candidate], earlier: list[EarlierOffer], settings: RolloutSettings
) -> None:
    """Without the last tier, the members with an open offer are fewer than the limit. The contact's agent is extra."""
    limit = settings.members_per_lead
    planned = plan(team, earlier, settings, NOW)
    others = [new for new in planned.offers if not new.keeps_contact]
    assume(limit is not None and others)
    assert limit is not None
    before = {existing.user_id for existing in earlier if existing.is_of_team and existing.status in OPEN_STATUSES}
    holders = {candidate.user_id for candidate in team if candidate.contact_claimed_at is not None}
    agents = 1 if settings.keeps_contacts and before & holders else 0
    last = others[-1]
    by_rank = settings.order_method is OrderMethod.RANK
    tier = [
        new for new in others if (new.rank if by_rank else new.notify_at) == (last.rank if by_rank else last.notify_at)
    ]
    size = 1 if settings.order_method is OrderMethod.ROUND_ROBIN else len(tier)
    assert len(before - {None}) - agents + len(others) - size < limit


@given(teams, earlier_offers, any_settings)
def test_a_turn_is_used_once_and_moves_the_marks_forward(
    team: list[Candidate], earlier: list[EarlierOffer], settings: RolloutSettings
) -> None:
    planned = plan(team, earlier, settings, NOW)
    is_open = any(existing.is_of_team and existing.status in OPEN_STATUSES for existing in earlier)
    in_line = [new for new in planned.offers if not new.keeps_contact]
    has_agent = in_line != [*planned.offers]
    uses_turn = settings.order_method is OrderMethod.ROUND_ROBIN and not is_open and not has_agent and bool(in_line)
    assert (planned.turn is not None) == uses_turn
    if planned.turn is not None:
        (own,) = (candidate for candidate in team if candidate.user_id == planned.turn_user_id)
        assert own.option is not None
        assert planned.turn_user_id == min(in_line, key=lambda new: new.rank or 0).user_id
        assert planned.turn.team_mark >= settings.turn_mark
        assert planned.turn.member_turns.mark == planned.turn.team_mark + 1_000_000_000 // own.option.weight
        assert planned.turn.member_turns.taken == (own.turns.taken if own.turns else 0) + 1
        assert planned.turn.member_turns.last_taken_at == NOW


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
    assert plan(team, [*earlier, *elsewhere], RolloutSettings(OrderMethod.TIME, gap), NOW) == planned


@given(teams, earlier_offers, any_settings, causes, st.integers(0, 1000))
def test_a_later_submit_is_the_same_plan_later(
    team: list[Candidate], earlier: list[EarlierOffer], settings: RolloutSettings, cause: RolloutCause, later: int
) -> None:
    """Moving all times by the same amount moves the plan by it."""

    def moved(at: datetime | None) -> datetime | None:
        return None if at is None else at + later * MINUTE

    planned = plan(team, earlier, settings, NOW, cause)
    moved_plan = plan(
        [replace(candidate, away_until=moved(candidate.away_until)) for candidate in team],
        [replace(existing, notify_at=moved(existing.notify_at)) for existing in earlier],
        settings,
        NOW + later * MINUTE,
        cause,
    )
    assert moved_plan.skipped == planned.skipped
    assert moved_plan.turn_user_id == planned.turn_user_id
    assert moved_plan.offers == tuple(replace(o, notify_at=o.notify_at + later * MINUTE) for o in planned.offers)
