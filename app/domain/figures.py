"""Figures: the span that they cover, the days and weeks of it, and durations by nearest rank.

docs/figures.md defines every figure. The statements are in app/figures; here is what they leave to Python.
"""

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from enum import StrEnum
from itertools import pairwise
from zoneinfo import ZoneInfo

from app.domain.bounds import LONGEST_FIGURES_IN_DAYS, MOST_GROUPS
from app.domain.time_zones import instant_at
from app.domain.timestamps import format_instant, storable
from app.domain.validation import parse_timezone
from app.errors import Problem, too_complex

PROMPT_SECONDS = 5 * 60
"""A claim counts as made within five minutes up to this many whole seconds."""

DAY = timedelta(days=1)


class FigureGroup(StrEnum):
    """The ways to group leads. Later versions may add some."""

    DAY = "day"
    SOURCE = "source"
    TEAM = "team"
    TYPE = "type"
    WEEK = "week"


@dataclass(frozen=True, slots=True)
class Span:
    """The time that figures cover: from `begins`, included, to `ends`, excluded."""

    begins: datetime
    ends: datetime


@dataclass(frozen=True, slots=True)
class Period:
    """A part of a span that is counted on its own. `day` is the day or the Monday with which it begins."""

    day: str | None
    begins: datetime
    ends: datetime


@dataclass(frozen=True, slots=True)
class Durations:
    """Durations in whole seconds, by nearest rank. Median and p90 are null if there are none."""

    count: int
    median: int | None
    p90: int | None
    within_5_minutes: int


def problems_of(begins: datetime, ends: datetime, timezone: str | None = None) -> Iterator[Problem]:
    """Yield what is wrong with the arguments `from`, `to` and `timezone`. A span may be empty. None is no time zone."""
    for field, instant in (("from", begins), ("to", ends)):
        try:
            storable(instant)
        except ValueError as error:
            yield Problem(field, f"{format_instant(instant)} {error}")
    if ends < begins:
        yield Problem("to", "must not be before from")
    elif ends - begins > LONGEST_FIGURES_IN_DAYS * DAY:
        yield Problem("to", f"must be at most {LONGEST_FIGURES_IN_DAYS} days after from")
    if timezone is not None:
        try:
            parse_timezone(timezone)
        except ValueError as error:
            yield Problem("timezone", f"{timezone[:40]!r} {error}")


def periods(span: Span, by: FigureGroup | None, zone: ZoneInfo) -> list[Period]:
    """Return the parts of the span that are counted on their own, in order: its days, its weeks, or all of it.

    A day begins at midnight in the time zone, and a week with Monday. Where a clock change skips midnight, the day
    begins at the first instant after the gap; where midnight comes twice, with the first. A day that the time zone has
    skipped is left out. The first and the last part end with the span.
    """
    match by:
        case FigureGroup.DAY:
            starts = _starts(span, span.begins.astimezone(zone).date() - DAY, DAY, zone)
        case FigureGroup.WEEK:
            first = span.begins.astimezone(zone).date() - DAY
            starts = _starts(span, first - first.weekday() * DAY, 7 * DAY, zone)
        case _:
            return [Period(None, span.begins, span.ends)]
    return [
        Period(day.isoformat(), max(begins, span.begins), min(ends, span.ends))
        for (day, begins), (_, ends) in pairwise(starts)
        if max(begins, span.begins) < min(ends, span.ends)
    ]


def _starts(span: Span, day: date, step: timedelta, zone: ZoneInfo) -> Iterator[tuple[date, datetime]]:
    """Yield days and when they begin, one after the other, until the first one that begins after the span."""
    starts = instant_at(day, time(), zone)
    yield day, starts
    while starts < span.ends:
        day += step
        starts = instant_at(day, time(), zone)
        yield day, starts


def allow_groups(number: int) -> None:
    """Raise QUERY_TOO_COMPLEX for more groups than allowed. Counting may stop at one more."""
    if number > MOST_GROUPS:
        message = f"There are more than {MOST_GROUPS:,} groups. Choose a shorter span, a filter, or another group."
        raise too_complex(number, MOST_GROUPS, "groups", message)


def summarize(seconds: Iterable[int | None]) -> Durations:
    """Return the figures of durations, in any order. Nulls do not count."""
    ordered = sorted(each for each in seconds if each is not None)
    prompt = bisect_right(ordered, PROMPT_SECONDS)
    return Durations(len(ordered), nearest_rank(ordered, 50), nearest_rank(ordered, 90), prompt)


def nearest_rank(ordered: Sequence[int], percent: int) -> int | None:
    """Return the smallest value that is not less than so many percent of all; None if there are none."""
    rank = -(-len(ordered) * percent // 100)  # rounded up
    return ordered[rank - 1] if ordered else None
