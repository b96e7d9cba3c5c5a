"""Turns: the line of a team that offers leads round robin, fair by weight (stride scheduling).

A member has a *mark* and the team has one. Only turns move them, and a new weight may lower a member's. Marks are whole
numbers without a unit: a *stride* is the distance between two turns of a member, short for a heavy weight. The line is
ordered by where the members *stand*.

Two members who are both in the line and keep their weights get turns in proportion: their numbers of turns, each
multiplied by the member's stride, never differ by more than the sum of the two strides, in any stretch of time. Three
rules ensure this. A member never stands behind the team's mark, so that nobody who returns is owed turns. A turn moves
the team's mark no further than to the first in the line. No mark is more than one stride above the team's.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

_STRIDE_OF_WEIGHT_1 = 1_000_000_000
_NEVER = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class MemberTurns:
    """The turns that a member has used in a team.

    A member has none before the first turn. These values survive being away, reaching a cap, leaving the team, and the
    removal of the distribution option.
    """

    mark: int
    taken: int
    """The number of turns, at least 1."""
    last_taken_at: datetime
    """Aware, in UTC."""


@dataclass(frozen=True, slots=True)
class Turn:
    """A turn that is used: the user whose turn it is, and the values to write for the team and for that member."""

    user_id: int
    team_mark: int
    member_turns: MemberTurns


def stride(weight: int) -> int:
    """Return how far a turn moves a member with this weight, which is from 1 to 100."""
    return _STRIDE_OF_WEIGHT_1 // weight


def standing(turns: MemberTurns | None, team_mark: int) -> int:
    """Return where a member stands: at the higher of their mark and the team's; before a first turn at the team's."""
    return team_mark if turns is None else max(turns.mark, team_mark)


def order_line(members: Mapping[int, MemberTurns | None], team_mark: int) -> list[int]:
    """Return the user ids of `members` in the order of the line; the first has the next turn.

    The line is ordered by where members stand. If several stand at the same mark, members without a turn come first,
    then the one whose last turn was the longest ago, then the lowest user id. Removing a member changes the order of
    nobody else. The line that a team shows is the one of all members with a distribution option, as if all were there.
    """

    def place(user_id: int) -> tuple[int, datetime, int]:
        turns = members[user_id]
        return standing(turns, team_mark), _NEVER if turns is None else turns.last_taken_at, user_id

    return sorted(members, key=place)


def take_turn(user_id: int, turns: MemberTurns | None, weight: int, team_mark: int, now: datetime) -> Turn:
    """Return the turn that the first member of the line uses at `now` (aware, UTC).

    The team's mark becomes where the member stood, and the member's mark one stride more. `turns` are the member's
    earlier turns. A turn is the chance, not the lead: whatever becomes of the offer changes no mark.
    """
    stood = standing(turns, team_mark)
    taken = 1 if turns is None else turns.taken + 1
    return Turn(user_id, stood, MemberTurns(stood + stride(weight), taken, now))


def mark_with_weight(mark: int, weight: int, team_mark: int) -> int:
    """Return a member's mark after their distribution option is written with `weight`.

    The mark comes down to at most one stride of this weight above the team's mark. Without this, a member who is given
    a heavier weight would first wait out the longer stride of the lighter one.
    """
    return min(mark, team_mark + stride(weight))
