"""Chains of teams: each team may name a next one, to which a lead goes on that nobody claims.

`next_of` has the next team of each team by their ids. Teams without a next one may be left out.
"""

from collections.abc import Mapping

from app.domain.bounds import LONGEST_CHAIN
from app.errors import Problem

NextTeams = Mapping[int, int | None]


def chain_from(team_id: int, next_of: NextTeams) -> list[int]:
    """Return the teams of the chain that begins with this team, in order and each once."""
    chain = [team_id]
    while (following := next_of.get(chain[-1])) is not None and following not in chain:
        chain.append(following)
    return chain


def teams_before(team_id: int, next_of: NextTeams) -> int:
    """Return the number of teams before this one in the longest chain that leads to it. Stops at LONGEST_CHAIN."""
    level, number = {team_id}, -1
    while level and number < LONGEST_CHAIN:
        level = {before for before, following in next_of.items() if following in level}
        number += 1
    return number


def chain_problem(team_id: int, next_of: NextTeams, before: int = 0) -> str | None:
    """Return why the team cannot have its next team, as the end of a message; None if it can.

    `before` is the number of teams before this one in a chain.
    """
    chain = chain_from(team_id, next_of)
    if next_of.get(chain[-1]) is not None:
        return "leads back to this team, or to one that comes before it"
    if before + len(chain) > LONGEST_CHAIN:
        return f"makes a chain of more than {LONGEST_CHAIN} teams"
    return None


def pair_problem(next_team_id: int | None, mins_until_next_team: int | None) -> Problem | None:
    """Return the problem of a team that has only one of the two; its field is the one that is missing."""
    if next_team_id is not None and mins_until_next_team is None:
        return Problem("mins_until_next_team", "must be given if there is a next team")
    if next_team_id is None and mins_until_next_team is not None:
        return Problem("next_team_id", "must be given if there are minutes until the next team")
    return None
