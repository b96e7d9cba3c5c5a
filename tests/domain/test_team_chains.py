"""Chains of teams: how long they are, and which of them lead back to a team in them."""

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.bounds import LONGEST_CHAIN
from app.domain.team_chains import chain_from, chain_problem, pair_problem, teams_before

TEAMS = range(1, 9)
LINKS = st.dictionaries(st.sampled_from(TEAMS), st.sampled_from(TEAMS) | st.none())


def paths(next_of: Mapping[int, int | None]) -> list[list[int]]:
    """Return every path along the links, each ending before a team would repeat."""
    found = [[team] for team in TEAMS]
    for path in found:
        following = next_of.get(path[-1])
        if following is not None and following not in path:
            found.append([*path, following])
    return found


@given(LINKS)
def test_a_chain_goes_on_until_it_ends_or_repeats(next_of: dict[int, int | None]) -> None:
    for team in TEAMS:
        assert chain_from(team, next_of) == max((path for path in paths(next_of) if path[0] == team), key=len)


@given(LINKS)
def test_a_problem_is_a_ring_or_a_long_chain_through_the_team(next_of: dict[int, int | None]) -> None:
    for team in TEAMS:
        problem = chain_problem(team, next_of, teams_before(team, next_of))
        last = chain_from(team, next_of)[-1]
        longest = max(len(path) for path in paths(next_of) if team in path)
        if next_of.get(last) is not None:
            assert problem == "leads back to this team, or to one that comes before it"
        elif problem is not None:
            assert problem == "makes a chain of more than 5 teams"
            assert longest > LONGEST_CHAIN
        else:
            to_the_end = [*chain_from(team, next_of)]
            before = max(path.index(team) for path in paths(next_of) if team in path)
            assert before + len(to_the_end) <= LONGEST_CHAIN


@pytest.mark.parametrize(("length", "is_refused"), [(1, False), (LONGEST_CHAIN, False), (LONGEST_CHAIN + 1, True)])
def test_the_length_counts_the_teams_on_both_sides(length: int, is_refused: bool) -> None:
    next_of = {team: team + 1 for team in range(1, length)}
    for team in range(1, length + 1):
        assert (chain_problem(team, next_of, teams_before(team, next_of)) is not None) == is_refused


def test_the_longest_of_several_chains_that_lead_to_a_team_counts() -> None:
    next_of = {1: 3, 2: 3, 4: 2, 3: 5}
    assert teams_before(3, next_of) == 2
    assert teams_before(1, next_of) == 0


def test_a_next_team_and_its_minutes_come_together() -> None:
    assert pair_problem(None, None) is None
    assert pair_problem(7, 0) is None
    missing = pair_problem(7, None), pair_problem(None, 0)
    assert [problem and problem.field for problem in missing] == ["mins_until_next_team", "next_team_id"]
