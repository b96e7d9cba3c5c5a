"""Quiet hours on the wall clock: over midnight, in the user's zone, and on days of a clock change."""

from datetime import UTC, datetime

import pytest

from app.domain.quiet_hours import parse_time_of_day, quiet_until


def until(start: str | None, end: str | None, now: str, timezone: str = "America/Los_Angeles") -> str | None:
    ends_at = quiet_until(start, end, timezone, datetime.fromisoformat(now).replace(tzinfo=UTC))
    return None if ends_at is None else ends_at.replace(tzinfo=None).isoformat(timespec="minutes")


# Los Angeles is 8 hours behind UTC in winter, 7 in summer. In 2026 it goes forward on 8 March at 02:00 (10:00 UTC)
# and back on 1 November at 02:00 (09:00 UTC).
@pytest.mark.parametrize(
    ("start", "end", "now", "expected"),
    [
        ("12:00", "13:00", "2026-01-05T19:59", None),
        ("12:00", "13:00", "2026-01-05T20:00", "2026-01-05T21:00"),
        ("12:00", "13:00", "2026-01-05T20:59", "2026-01-05T21:00"),
        ("12:00", "13:00", "2026-01-05T21:00", None),
        ("22:00", "07:00", "2026-01-06T06:00", "2026-01-06T15:00"),
        ("22:00", "07:00", "2026-01-06T14:59", "2026-01-06T15:00"),
        ("22:00", "07:00", "2026-01-06T15:00", None),
        ("22:00", "07:00", "2026-01-06T05:59", None),
        (None, None, "2026-01-06T06:00", None),
    ],
)
def test_a_day(start: str, end: str, now: str, expected: str | None) -> None:
    assert until(start, end, now) == expected


@pytest.mark.parametrize(
    ("start", "end", "now", "expected"),
    [
        ("22:00", "07:00", "2026-03-08T07:00", "2026-03-08T14:00"),  # an hour short
        ("22:00", "02:30", "2026-03-08T09:00", "2026-03-08T10:00"),  # the end is skipped: the first instant after
        ("22:00", "02:00", "2026-03-08T09:00", "2026-03-08T10:00"),
        ("02:30", "05:00", "2026-03-08T09:59", None),
        ("02:30", "05:00", "2026-03-08T10:00", "2026-03-08T12:00"),  # the start is skipped
        ("02:10", "02:50", "2026-03-08T10:00", None),  # nothing is left of it
        ("22:00", "07:00", "2026-11-01T08:00", "2026-11-01T15:00"),  # an hour long
        ("00:00", "01:30", "2026-11-01T08:29", "2026-11-01T08:30"),  # the first of two half past one
        ("00:00", "01:30", "2026-11-01T09:00", None),
    ],
)
def test_a_day_of_clock_change(start: str, end: str, now: str, expected: str | None) -> None:
    assert until(start, end, now) == expected


def test_a_gap_of_half_an_hour() -> None:
    """Lord Howe Island goes forward by 30 minutes, at 02:00 on 4 October 2026 (15:30 UTC the day before)."""
    assert until("22:00", "02:15", "2026-10-03T13:00", "Australia/Lord_Howe") == "2026-10-03T15:30"


@pytest.mark.parametrize("text", ["7:00", "24:00", "07:60", "07:00:00", "0700", "", "٠٧:٠٠", "07:00 "])  # noqa: RUF001
def test_other_texts_are_not_times_of_day(text: str) -> None:
    with pytest.raises(ValueError, match=r"^is not a time of day from 00:00 to 23:59$"):
        parse_time_of_day(text)


@pytest.mark.parametrize("text", ["00:00", "23:59"])
def test_a_day_has_times_from_0000_to_2359(text: str) -> None:
    assert parse_time_of_day(text) == text


@pytest.mark.parametrize(("start", "end"), [("22:00", None), (None, "07:00")])
def test_half_a_span_is_none(start: str | None, end: str | None) -> None:
    assert until(start, end, "2026-01-06T06:00") is None


def test_a_span_that_ends_when_it_begins_lasts_a_day() -> None:
    assert until("12:00", "12:00", "2026-01-05T19:59") == "2026-01-05T20:00"
    assert until("12:00", "12:00", "2026-01-05T20:00") == "2026-01-06T20:00"


def test_an_unknown_time_zone_has_no_quiet_hours_and_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    assert until("00:00", "23:59", "2026-01-06T06:00", "Mars/Olympus") is None
    assert caplog.messages == ["This machine does not know the time zone 'Mars/Olympus'"]
