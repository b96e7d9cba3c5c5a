"""The line of a Round Robin team as SQL. `order_line` (app/domain/turns.py) is the same in Python.

Each function takes the columns of a distribution option, whose member is in the line.
"""

from typing import Any

from sqlalchemy import ColumnElement, ScalarSelect, and_, case, func, select
from sqlmodel import col

from app.db.models import Team, Turn


def standing(option: Any) -> ColumnElement[int]:
    """Return where the member stands: at the higher of their mark and the team's, without a mark at the team's."""
    own = and_(col(Turn.team_id) == col(Team.id), col(Turn.user_id) == option.user_id)
    higher = case((col(Turn.mark) > col(Team.turn_mark), col(Turn.mark)), else_=col(Team.turn_mark))
    found = select(higher).select_from(Team).outerjoin(Turn, own).where(col(Team.id) == option.team_id)
    return found.correlate_except(Team, Turn).scalar_subquery()


def last_taken_at(option: Any) -> ColumnElement[Any]:
    """Return the time of the member's last turn in the team; null before the first one."""
    return _of_turns(col(Turn.last_taken_at), option)


def taken(option: Any) -> ColumnElement[int]:
    """Return how many turns the member has used in the team."""
    return func.coalesce(_of_turns(col(Turn.taken), option), 0)


def _of_turns(column: Any, option: Any) -> ScalarSelect[Any]:
    own = (col(Turn.team_id) == option.team_id, col(Turn.user_id) == option.user_id)
    return select(column).where(*own).correlate_except(Turn).scalar_subquery()
