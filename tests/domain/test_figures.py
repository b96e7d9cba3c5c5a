"""Spans of figures, their days and weeks, and durations by nearest rank."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.bounds import EARLIEST, LARGEST_INT, LATEST, MOST_GROUPS
from app.domain.figures import (
    Durations,
    FigureGroup,
    Span,
    allow_groups,
    nearest_rank,
    periods,
    problems_of,
    summarize,
)
from app.domain.time_zones import day_start
from app.errors import ApiError, Code

LOS_ANGELES = ZoneInfo("America/Los_Angeles")
HOUR = timedelta(hours=1)
DAY, WEEK = FigureGroup.DAY, FigureGroup.WEEK


def utc(year: int, month: int, day: int, hour: int = 0) -> datetime:
    return datetime(year, month, day, hour, tzinfo=UTC)


def hours(span: Span, by: FigureGroup, zone: str) -> list[tuple[str | None, float]]:
    """Return the days, and how long they are."""
    return [(part.day, (part.ends - part.begins) / HOUR) for part in periods(span, by, ZoneInfo(zone))]


def test_days_follow_the_clocks() -> None:
    """In Los Angeles, 8 March 2026 has 23 hours and 1 November 2026 has 25."""
    spring = Span(utc(2026, 3, 8, 8), utc(2026, 3, 10, 7))
    assert hours(spring, DAY, "America/Los_Angeles") == [("2026-03-08", 23), ("2026-03-09", 24)]
    autumn = Span(utc(2026, 11, 1, 7), utc(2026, 11, 3, 8))
    assert hours(autumn, DAY, "America/Los_Angeles") == [("2026-11-01", 25), ("2026-11-02", 24)]
    assert hours(spring, DAY, "UTC") == [("2026-03-08", 16), ("2026-03-09", 24), ("2026-03-10", 7)]


def test_weeks_begin_on_monday() -> None:
    """The week before a Monday at midnight in Los Angeles is still that of the Monday before."""
    span = Span(utc(2026, 3, 8, 12), utc(2026, 3, 17))
    assert hours(span, WEEK, "America/Los_Angeles") == [
        ("2026-03-02", 19),
        ("2026-03-09", 7 * 24),
        ("2026-03-16", 17),
    ]


@pytest.mark.parametrize(
    ("zone", "begins", "expected"),
    [
        # Cuba skips midnight: the day begins at 01:00.
        ("America/Havana", utc(2026, 3, 7, 5), [("2026-03-07", 24), ("2026-03-08", 23), ("2026-03-09", 1)]),
        # In the Azores midnight came back at 01:00: the day began with the first.
        ("Atlantic/Azores", utc(2025, 10, 25, 0), [("2025-10-25", 24), ("2025-10-26", 24)]),
        # Samoa left out 30 December 2011.
        ("Pacific/Apia", utc(2011, 12, 29, 10), [("2011-12-29", 24), ("2011-12-31", 24)]),
    ],
)
def test_days_without_a_midnight_and_with_two(zone: str, begins: datetime, expected: list[tuple[str, float]]) -> None:
    assert hours(Span(begins, begins + 48 * HOUR), DAY, zone) == expected


INSTANTS = st.datetimes(
    (EARLIEST + timedelta(days=2)).replace(tzinfo=None), utc(2199, 1, 1).replace(tzinfo=None), timezones=st.just(UTC)
)
ZONES = st.sampled_from(["America/Los_Angeles", "Asia/Kathmandu", "Australia/Lord_Howe", "Africa/Cairo", "UTC"])


@given(INSTANTS, st.timedeltas(timedelta(0), timedelta(days=60)), ZONES, st.sampled_from([None, *FigureGroup]))
def test_periods_cover_the_span(begins: datetime, length: timedelta, zone: str, by: FigureGroup | None) -> None:
    span = Span(begins, begins + length)
    parts = periods(span, by, ZoneInfo(zone))
    ends = [begins, *(part.ends for part in parts)]
    assert [part.begins for part in parts] == ends[:-1]
    assert ends[-1] == span.ends
    if by in (DAY, WEEK):
        for part in parts:
            assert part.day is not None
            day = date.fromisoformat(part.day)
            assert by is DAY or day.weekday() == 0
            last = (part.ends - timedelta(microseconds=1)).astimezone(ZoneInfo(zone)).date()
            assert day <= last < day + (timedelta(days=1) if by is DAY else timedelta(days=7))
        assert all(part.begins == day_start(zone, part.begins) for part in parts[1:])


def test_a_span_may_lie_at_either_end_of_time() -> None:
    for begins, ends in ((EARLIEST, EARLIEST + 366 * 24 * HOUR), (LATEST - 366 * 24 * HOUR, LATEST)):
        for by in FigureGroup:
            for zone in ("Pacific/Kiritimati", "Pacific/Pago_Pago"):
                assert periods(Span(begins, ends), by, ZoneInfo(zone))[-1].ends == ends


def test_the_problems_of_a_span() -> None:
    begin = utc(2026, 1, 1)

    def fields(ends: datetime, timezone: str | None = None, begins: datetime = begin) -> list[str]:
        return [problem.field for problem in problems_of(begins, ends, timezone)]

    assert fields(begin) == []
    assert fields(begin + timedelta(days=366), "Europe/Berlin") == []
    assert fields(begin + timedelta(days=366, milliseconds=1)) == ["to"]
    assert fields(begin - timedelta(milliseconds=1), "Mars") == ["to", "timezone"]
    assert fields(utc(1899, 6, 1), begins=utc(1899, 1, 1)) == ["from", "to"]
    for name in ("", "localtime", "x" * 1000, "../UTC", "\0"):
        assert fields(begin, name) == ["timezone"]


def test_too_many_groups_are_refused() -> None:
    allow_groups(MOST_GROUPS)
    with pytest.raises(ApiError) as refused:
        allow_groups(MOST_GROUPS + 1)
    assert refused.value.code is Code.QUERY_TOO_COMPLEX
    assert refused.value.extensions == {"counted": MOST_GROUPS + 1, "allowed": MOST_GROUPS, "what": "groups"}


def test_durations_are_summarized() -> None:
    assert summarize([]) == Durations(0, None, None, 0)
    assert summarize([None]) == Durations(0, None, None, 0)
    assert summarize([301, None, 300, 0]) == Durations(3, 300, 301, 2)


@given(st.lists(st.integers(0, LARGEST_INT) | st.integers(0, 9), min_size=1), st.sampled_from([50, 90]))
def test_the_nearest_rank_is_the_smallest_value_that_enough_do_not_exceed(values: list[int], percent: int) -> None:
    found = nearest_rank(sorted(values), percent)
    enough = [each for each in values if 100 * sum(other <= each for other in values) >= percent * len(values)]
    assert found == min(enough)
