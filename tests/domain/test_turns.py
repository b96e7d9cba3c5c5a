"""Turns: the line, the marks that a turn writes, and fairness in simulations of whole teams."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import combinations
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.alert_channels import Alerts
from app.domain.enums import LeadOfferStatus, OrderMethod, RequestStatus
from app.domain.planner import Candidate, EarlierOffer, Option, RolloutSettings, plan
from app.domain.turns import MemberTurns, Turn, mark_with_weight, order_line, standing, stride, take_turn

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
BY_TURNS = RolloutSettings(OrderMethod.ROUND_ROBIN, 15)


def last_turn(mark: int, minutes_ago: int = 1, taken: int = 1) -> MemberTurns:
    return MemberTurns(mark, taken, NOW - minutes_ago * MINUTE)


@pytest.mark.parametrize(
    ("weight", "length"), [(1, 1_000_000_000), (2, 500_000_000), (3, 333_333_333), (7, 142_857_142), (100, 10_000_000)]
)
def test_a_stride_is_1_000_000_000_divided_by_the_weight_and_rounded_down(weight: int, length: int) -> None:
    assert stride(weight) == length


@pytest.mark.parametrize(
    ("turns", "place"), [(None, 50), (last_turn(49), 50), (last_turn(50), 50), (last_turn(51), 51)]
)
def test_a_member_stands_at_the_higher_of_both_marks(turns: MemberTurns | None, place: int) -> None:
    assert standing(turns, 50) == place


def test_the_line_is_ordered_by_where_members_stand() -> None:
    assert order_line({1: last_turn(30), 2: last_turn(20), 3: last_turn(25)}, 10) == [2, 3, 1]


def test_members_without_a_turn_come_first_at_the_same_mark() -> None:
    assert order_line({1: last_turn(10), 2: None, 3: last_turn(9)}, 10) == [2, 1, 3]
    assert order_line({1: last_turn(9), 2: None}, 8) == [2, 1]


def test_the_oldest_last_turn_then_the_lowest_user_id_decides() -> None:
    """Marks below the team's do not count, however far below it they are."""
    members = {4: last_turn(3, 5), 3: last_turn(1, 9), 2: last_turn(0, 5), 1: last_turn(2, 1)}
    assert order_line(members, 10) == [3, 2, 4, 1]


def test_a_turn_moves_the_team_to_where_the_member_stood_and_the_member_a_stride_further() -> None:
    assert take_turn(1, None, 2, 30, NOW) == Turn(1, 30, MemberTurns(500_000_030, 1, NOW))
    assert take_turn(1, last_turn(20, taken=6), 2, 30, NOW) == Turn(1, 30, MemberTurns(500_000_030, 7, NOW))
    assert take_turn(1, last_turn(40, taken=6), 2, 30, NOW) == Turn(1, 40, MemberTurns(500_000_040, 7, NOW))


def test_a_weight_brings_a_mark_down_to_one_stride_above_the_teams() -> None:
    assert mark_with_weight(1_000_000_000, 100, 500) == 10_000_500
    assert mark_with_weight(10_000_500, 100, 500) == 10_000_500
    assert mark_with_weight(10_000_499, 100, 500) == 10_000_499
    assert mark_with_weight(3, 1, 500) == 3


# A whole team


class Team:
    """A team whose leads are planned one after the other, and whose marks are kept between them."""

    def __init__(self, weights: Iterable[int]) -> None:
        self.mark, self.now = 0, NOW
        self.members: dict[int, Candidate] = {}
        self.weights: dict[int, int] = {}
        """The last weight of each member, with or without an option."""
        self.changes: Counter[int] = Counter()
        """How often the weight of each member was changed."""
        self.used: Counter[int] = Counter()
        for weight in weights:
            self.join(weight)

    def join(self, weight: int) -> None:
        user_id = len(self.members) + 1
        self.weights[user_id] = weight
        option = Option(None, 0, False, Alerts(), weight=weight)
        self.members[user_id] = Candidate(user_id, RequestStatus.ACCEPTED, False, True, None, option)

    def set_away(self, user_id: int, is_away: bool) -> None:
        until = self.now + timedelta(days=999) if is_away else None
        self.members[user_id] = replace(self.members[user_id], away_until=until)

    def remove_option(self, user_id: int) -> None:
        self.members[user_id] = replace(self.members[user_id], option=None)

    def set_weight(self, user_id: int, weight: int) -> None:
        """Write the member's option as `setDistributionOption` does."""
        member = self.members[user_id]
        turns = member.turns
        if turns is not None:
            turns = replace(turns, mark=mark_with_weight(turns.mark, weight, self.mark))
        self.changes[user_id] += self.weights[user_id] != weight
        self.weights[user_id] = weight
        self.members[user_id] = replace(member, option=Option(None, 0, False, Alerts(), weight=weight), turns=turns)

    def eligible(self) -> dict[int, tuple[int, int]]:
        """Return the weight of each member in the line, with how often it was changed."""
        return {
            user_id: (member.option.weight, self.changes[user_id])
            for user_id, member in self.members.items()
            if member.option is not None and member.away_until is None
        }

    def offer(self, *earlier: EarlierOffer) -> int | None:
        """Plan a lead, write the marks, and return whose turn it was."""
        self.now += MINUTE
        planned = plan(self.members.values(), earlier, replace(BY_TURNS, turn_mark=self.mark), self.now)
        if planned.turn is None:
            return None
        user_id = planned.turn.user_id
        assert planned.turn.team_mark >= self.mark
        self.mark = planned.turn.team_mark
        self.members[user_id] = replace(self.members[user_id], turns=planned.turn.member_turns)
        self.used[user_id] += 1
        assert planned.turn.member_turns.taken == self.used[user_id]
        return user_id


class Fairness:
    """The widest spread of turns_i * stride_i - turns_j * stride_j of each pair, as a share of its bound.

    A stretch of a pair ends when one of the two is not in the line or has a new weight. The difference between the
    highest and the lowest value within it is the greatest difference of all stretches that it contains.
    """

    def __init__(self) -> None:
        self.worst = 0.0
        self._before: dict[int, tuple[int, int]] = {}
        self._spreads: dict[tuple[int, int], tuple[int, int, int]] = {}

    def record(self, line: dict[int, tuple[int, int]], turn_user_id: int | None) -> None:
        for first, second in combinations(line, 2):
            goes_on = all(self._before.get(user_id) == line[user_id] for user_id in (first, second))
            value, low, high = self._spreads.get((first, second), (0, 0, 0)) if goes_on else (0, 0, 0)
            strides = {user_id: stride(line[user_id][0]) for user_id in (first, second)}
            if turn_user_id in strides:
                value += strides[turn_user_id] * (1 if turn_user_id == first else -1)
            low, high = min(low, value), max(high, value)
            self._spreads[first, second] = value, low, high
            self.worst = max(self.worst, (high - low) / sum(strides.values()))
        self._before = line


def test_weights_7_and_3_interleave() -> None:
    team = Team([7, 3])
    turns = "".join(" ab"[team.offer() or 0] for _ in range(30))
    assert turns == "abaabaabaa" * 3


def test_equal_weights_take_turns_in_order() -> None:
    team = Team([5, 5, 5])
    assert [team.offer() for _ in range(7)] == [1, 2, 3, 1, 2, 3, 1]


def test_a_returning_member_is_owed_nothing() -> None:
    team = Team([1, 1, 1])
    team.offer()
    team.set_away(1, is_away=True)
    for _ in range(10):
        team.offer()
    team.set_away(1, is_away=False)
    assert Counter(team.offer() for _ in range(6)) == {1: 2, 2: 2, 3: 2}


def test_a_new_member_starts_beside_the_others() -> None:
    team = Team([1, 1])
    for _ in range(10):
        team.offer()
    team.join(1)
    assert [team.offer() for _ in range(6)] == [3, 1, 2, 3, 1, 2]


def test_a_removed_option_that_is_set_again_does_not_bring_an_extra_turn() -> None:
    team = Team([1, 1, 1])
    assert team.offer() == 1
    team.remove_option(1)
    team.set_weight(1, 1)
    assert [team.offer() for _ in range(3)] == [2, 3, 1]


def test_a_member_with_a_new_weight_does_not_wait_out_the_old_stride() -> None:
    team = Team([1, 100])
    assert [team.offer() for _ in range(3)] == [1, 2, 2]
    team.set_weight(1, 100)
    assert Counter(team.offer() for _ in range(20)) == {1: 10, 2: 10}


def test_a_lead_that_is_submitted_again_uses_no_turn() -> None:
    team = Team([1, 1])
    still_open = EarlierOffer(1, LeadOfferStatus.SENT, NOW, 1, is_of_team=True)
    assert [team.offer(), team.offer(still_open), team.offer()] == [1, None, 2]


weights = st.sampled_from([1, 2, 3, 7, 50, 100])
numbers = st.integers(0, 9)
acts = st.one_of(
    st.tuples(st.just("leads"), st.integers(1, 40)),
    st.tuples(st.just("submit again"), numbers),
    st.tuples(st.just("toggle away"), numbers),
    st.tuples(st.just("remove"), numbers),
    st.tuples(st.just("weigh"), st.tuples(numbers, weights)),
    st.tuples(st.just("join"), weights),
)


@given(st.lists(weights, min_size=1, max_size=5), st.lists(acts, max_size=40))
def test_turns_are_proportional_to_weights_while_others_come_and_go(
    first: list[int], acts: list[tuple[str, int | tuple[int, int]]]
) -> None:
    team, fairness, turns = Team(first), Fairness(), 0
    for act in acts:
        match act:
            case "leads", int(number):
                for _ in range(number):
                    line = team.eligible()
                    turns += bool(line)
                    fairness.record(line, team.offer())
            case "submit again", _:
                assert team.offer(EarlierOffer(99, LeadOfferStatus.SENT, NOW, 1, is_of_team=True)) is None
            case "toggle away", int(number):
                user_id = 1 + number % len(team.members)
                team.set_away(user_id, is_away=team.members[user_id].away_until is None)
            case "remove", int(number):
                team.remove_option(1 + number % len(team.members))
            case "weigh", (int(number), int(weight)):
                team.set_weight(1 + number % len(team.members), weight)
            case "join", int(weight):
                team.join(weight)
    assert fairness.worst <= 1
    assert team.used.total() == turns


@given(weights, st.lists(weights, max_size=4), st.lists(st.tuples(numbers, weights, st.integers(1, 20)), max_size=20))
def test_equal_weights_since_the_beginning_differ_by_at_most_one_turn(
    weight: int, others: list[int], acts: list[tuple[int, int, int]]
) -> None:
    """The first three members stay. The others go away and return, and their weights change."""
    team = Team([weight] * 3 + others)
    for number, new_weight, leads in acts:
        if others:
            user_id = 4 + number % len(others)
            team.set_weight(user_id, new_weight)
            team.set_away(user_id, is_away=team.members[user_id].away_until is None)
        for _ in range(leads):
            team.offer()
            counts = [team.used[user_id] for user_id in (1, 2, 3)]
            assert max(counts) - min(counts) <= 1


def worst_share(leads: int, seed: int) -> float:
    """Return the worst share of the bound in a team of ten, in which something changes before every fifth lead."""
    random = Random(seed)
    team, fairness = Team(random.choices([1, 2, 3, 5, 7, 10, 50, 100], k=10)), Fairness()
    for _ in range(leads):
        if random.random() < 0.2:
            user_id = random.randint(1, 10)
            change = random.choice(["away", "back", "back", "weight", "remove", "option"])
            if change in ("away", "back"):
                team.set_away(user_id, is_away=change == "away")
            elif change == "remove":
                team.remove_option(user_id)
            elif change == "weight" or team.members[user_id].option is None:
                team.set_weight(user_id, random.choice([1, 2, 3, 5, 7, 10, 50, 100, random.randint(1, 100)]))
        fairness.record(team.eligible(), team.offer())
    return fairness.worst


def test_ten_thousand_leads_are_fair() -> None:
    assert 0.9 < worst_share(10_000, seed=15) <= 1
