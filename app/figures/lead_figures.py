"""Figures of leads: what has become of those that came in within a span.

One statement, which reads the leads of the viewer alone: they hold what figures count (`first_claimed_via` and so on).
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from sqlalchemy import Column, ColumnElement, Integer, Select, func, literal, null
from sqlalchemy import select as select_columns
from sqlmodel import SQLModel
from sqlmodel.ext.asyncio.session import AsyncSession

from app.db.functions import gathered, list_value, rows_parameter
from app.db.list_fields import NO_FIELDS, Fields, FilteredRow
from app.db.models import Lead, LeadSource, Team
from app.db.types import UTCDateTime
from app.domain.bounds import MOST_GROUPS
from app.domain.enums import DistributionTarget
from app.domain.figures import Durations, FigureGroup, Period, Span, allow_groups, periods, summarize
from app.domain.validation import fold
from app.figures.time_to_claim import time_to_claim
from app.lists import filters
from app.lists.pagination import table_of

_LEADS = table_of(Lead)
_LEAD = _LEADS.c

_SHOWN: dict[FigureGroup | None, type[SQLModel]] = {FigureGroup.SOURCE: LeadSource, FigureGroup.TEAM: Team}
"""The rows that groups show by their id."""


@dataclass(frozen=True, slots=True)
class LeadFigures:
    """The outcome of the leads of a group. docs/figures.md defines the numbers.

    `day`, `source`, `team` and `type` are null, except the one by which the leads are grouped, where it is known.
    """

    received: int
    offered: int
    claimed: int
    released: int
    exhausted: int
    time_to_claim: Durations
    day: str | None = None
    source: LeadSource | None = None
    team: Team | None = None
    type: str | None = None


async def lead_figures(
    session: AsyncSession,
    viewer_id: int,
    span: Span,
    by: FigureGroup | None,
    zone: ZoneInfo,
    where: filters.Where = filters.EVERYTHING,
    *,
    fields: Fields = NO_FIELDS,
) -> list[LeadFigures]:
    """Return the figures of the Team Rollout leads that the viewer created in the span and that match `where`.

    Groups are ordered by day, by the id of the source or team, or by the folded type; the one without any comes last.
    Groups without leads are left out. Without `by`, there is one group, perhaps of no leads. Raises QUERY_TOO_COMPLEX.
    """
    parts = periods(span, by, zone)
    dialect = (await session.connection()).dialect.name
    matching = filters.matches(where, FilteredRow(_LEAD, fields))
    statement = _groups(_counted(viewer_id, span, by, parts, dialect).where(matching), by)
    values = {"periods": [(number, part.begins, part.ends) for number, part in enumerate(parts)]}
    rows = await session.exec(statement, params=values)  # type: ignore[call-overload]
    groups = [_Group(*row) for row in rows]
    if by is FigureGroup.TYPE:
        groups = _merge(groups)
    allow_groups(len(groups))
    return [_figures(group, by, parts) for group in groups]


def _counted(viewer_id: int, span: Span, by: FigureGroup | None, parts: Sequence[Period], dialect: str) -> Select[Any]:
    """Select what is counted of each lead, and the key of its group.

    The number of a period is found by a binary search on PostgreSQL. On SQLite, each period reads its part of the index
    by the time of creation: PostgreSQL would read all leads of the viewer for each of them.
    """
    leads, key = select_columns(), _key(by)
    if by not in (FigureGroup.DAY, FigureGroup.WEEK):
        leads = leads.select_from(_LEADS)
    elif dialect == "postgresql":
        starts = list_value([part.begins for part in parts], UTCDateTime())
        key = func.width_bucket(_LEAD.created_at, starts) - 1
    else:
        period = rows_parameter("periods", _NUMBER, _BEGINS, _ENDS)
        key = period.c.number
        leads = leads.select_from(period).join(
            _LEADS, (_LEAD.created_at >= period.c.begins) & (_LEAD.created_at < period.c.ends)
        )
    return leads.add_columns(
        key.label("key"),
        _LEAD.first_team_id,
        _LEAD.first_claimed_via,
        _LEAD.was_released,
        _LEAD.was_exhausted,
        time_to_claim(_LEAD.created_at, _LEAD.first_claimed_via, _LEAD.first_claimed_at).label("seconds"),
    ).where(
        _LEAD.creator_id == viewer_id,
        _LEAD.created_at >= span.begins,
        _LEAD.created_at < span.ends,
        _LEAD.distribution_target == DistributionTarget.TEAM_ROLLOUT,
    )


_NUMBER, _BEGINS, _ENDS = Column("number", Integer), Column("begins", UTCDateTime), Column("ends", UTCDateTime)


def _key(by: FigureGroup | None) -> ColumnElement[Any]:
    match by:
        case FigureGroup.SOURCE:
            return _LEAD.source_id
        case FigureGroup.TEAM:
            return _LEAD.first_team_id
        case FigureGroup.TYPE:
            return _LEAD.type
    return literal(0, Integer)


def _groups(counted: Select[Any], by: FigureGroup | None) -> Select[Any]:
    """Select key, row to show, counts and durations of each group, ordered by key, with one group more than allowed."""
    lead = counted.subquery("counted").c
    groups = select_columns(
        func.count().label("received"),
        func.count(lead.first_team_id).label("offered"),
        func.count(lead.first_claimed_via).label("claimed"),
        func.count().filter(lead.was_released).label("released"),
        func.count().filter(lead.was_exhausted).label("exhausted"),
        gathered(lead.seconds).label("seconds"),
    )
    if by is None:
        return groups.add_columns(null().label("key"), null().label("shown"))
    group = groups.add_columns(lead.key).group_by(lead.key).subquery("groups")
    shown = _SHOWN.get(by)
    selected = select_columns(*group.c, null().label("shown") if shown is None else shown).select_from(group)
    if shown is not None:
        selected = selected.outerjoin(shown, table_of(shown).c.id == group.c.key)
    ordered = selected.order_by(group.c.key.asc().nulls_last())
    return ordered if by is FigureGroup.TYPE else ordered.limit(MOST_GROUPS + 1)


class _Group(NamedTuple):
    """A row of the statement."""

    received: int
    offered: int
    claimed: int
    released: int
    exhausted: int
    seconds: list[int | None]
    key: Any
    shown: Any
    """The source or team."""


def _merge(groups: Iterable[_Group]) -> list[_Group]:
    """Merge the groups of types that compare equal. Each shows the first of its spellings."""
    alike: dict[str, list[_Group]] = defaultdict(list)
    for group in groups:
        alike[fold(group.key)].append(group)
    merged = []
    for folded, spellings in sorted(alike.items(), key=lambda item: (not item[0], item[0])):
        received, offered, claimed, released, exhausted = map(sum, zip(*(each[:5] for each in spellings), strict=True))
        seconds = [*chain.from_iterable(each.seconds for each in spellings)]
        key = min(each.key for each in spellings) if folded else None
        merged.append(_Group(received, offered, claimed, released, exhausted, seconds, key, None))
    return merged


def _figures(group: _Group, by: FigureGroup | None, parts: Sequence[Period]) -> LeadFigures:
    figures = LeadFigures(*group[:5], summarize(group.seconds))
    match by:
        case FigureGroup.DAY | FigureGroup.WEEK:
            return replace(figures, day=parts[group.key].day)
        case FigureGroup.SOURCE:
            return replace(figures, source=group.shown)
        case FigureGroup.TEAM:
            return replace(figures, team=group.shown)
        case FigureGroup.TYPE:
            return replace(figures, type=group.key)
    return figures
