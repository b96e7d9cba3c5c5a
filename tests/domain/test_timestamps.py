"""Timestamps: what is read, what is refused, and the one form that is written."""

from contextlib import suppress
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from app.domain.bounds import EARLIEST, LARGEST_INT, LATEST
from app.domain.timestamps import (
    format_instant,
    later,
    parse_instant,
    seconds_between,
    storable,
    utc_now,
    whole_seconds_between,
)

instants = st.datetimes(timezones=st.just(UTC)).map(
    lambda value: value.replace(microsecond=value.microsecond // 1000 * 1000)
)
offsets = st.integers(-23 * 60 - 59, 23 * 60 + 59).map(lambda minutes: timezone(timedelta(minutes=minutes)))


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("2012-09-27", "2012-09-27T00:00:00.000Z"),
        ("2012-09-27T09:15:00Z", "2012-09-27T09:15:00.000Z"),
        ("2012-09-27T09:15Z", "2012-09-27T09:15:00.000Z"),
        ("2012-09-27T09:15:00-07:00", "2012-09-27T16:15:00.000Z"),
        ("2012-09-27T09:15:00-0700", "2012-09-27T16:15:00.000Z"),
        ("2012-09-27T00:15:00+05:30", "2012-09-26T18:45:00.000Z"),
        ("2018-01-16T09:09:09.000Z", "2018-01-16T09:09:09.000Z"),
        ("2018-01-16T09:09:09.9999999Z", "2018-01-16T09:09:09.999Z"),
        ("2018-01-16T09:09:09.5Z", "2018-01-16T09:09:09.500Z"),
        ("2020-02-29", "2020-02-29T00:00:00.000Z"),
        ("0001-01-01T00:00:00-01:00", "0001-01-01T01:00:00.000Z"),
    ],
)
def test_reads_what_clients_write(text: str, answer: str) -> None:
    assert format_instant(parse_instant(text)) == answer


@pytest.mark.parametrize(
    "text",
    [
        "2012-09-27T09:15:00",
        "2012-09-27T09:15",
        "2012-09-27 09:15:00Z",
        "2012-09",
        "20120927",
        "2012-W39-4",
        "2012-09-31",
        "2019-02-29",
        "2012-09-27T24:00:00Z",
        "2012-09-27T23:59:60Z",
        "2012-09-27T09:15:00+24:00",
        "2012-09-27T09:15:00+07:60",
        "2012-09-27T09:15:00.Z",
        "2012-09-27Z",
        "0000-01-01",
        "0001-01-01T00:00:00+00:01",
        "9999-12-31T23:59:59-00:01",
        "+2012-09-27",
        "-2012-09-27",
        "12012-09-27",
        "\uff12\uff10\uff11\uff12-09-27",
        " 2012-09-27",
        "2012-09-27\n",
        "now",
        "",
    ],
)
def test_refuses_everything_else(text: str) -> None:
    with pytest.raises(ValueError, match=r"^(is not an ISO|needs Z|is a day|is outside)"):
        parse_instant(text)


@given(instants)
def test_reads_back_what_it_writes(instant: datetime) -> None:
    assert parse_instant(format_instant(instant)) == instant


@given(instants, offsets)
def test_agrees_with_the_standard_library_in_every_offset(instant: datetime, offset: timezone) -> None:
    assume(2 <= instant.year <= 9998)
    assert parse_instant(instant.astimezone(offset).isoformat()) == instant


@given(st.text(max_size=40) | st.from_regex(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}[-+Z.:0-9]*", fullmatch=True))
def test_any_text_is_read_or_refused(text: str) -> None:
    with suppress(ValueError):
        assert parse_instant(text).tzinfo is UTC


def test_the_present_is_in_utc_and_has_milliseconds() -> None:
    before = datetime.now(UTC)
    now = utc_now()
    assert before - timedelta(milliseconds=1) < now <= datetime.now(UTC)
    assert (now.tzinfo, now.microsecond % 1000) == (UTC, 0)


@pytest.mark.parametrize("text", ["1900-01-01", "1900-01-01T01:00:00+01:00", "2200-12-31T23:59:59.999Z"])
def test_the_years_1900_to_2200_are_stored(text: str) -> None:
    assert storable(parse_instant(text)) == parse_instant(text)


@pytest.mark.parametrize("text", ["0001-01-01", "1899-12-31T23:59:59.999Z", "1900-01-01T00:00:00+01:00", "2201-01-01"])
def test_other_years_are_not_stored(text: str) -> None:
    with pytest.raises(ValueError, match=r"^is outside the years 1900 to 2200 in UTC$"):
        storable(parse_instant(text))


@given(instants, st.timedeltas(timedelta(0)), st.integers(0, 1_000))
def test_a_computed_time_can_be_stored_and_is_never_early(start: datetime, by: timedelta, times: int) -> None:
    result = later(start, by, times)
    assert result <= LATEST
    assert result == LATEST or result - start == times * by


@given(instants, instants)
def test_a_duration_is_never_negative_and_fits_into_an_int(begin: datetime, end: datetime) -> None:
    seconds, whole = seconds_between(begin, end), whole_seconds_between(begin, end)
    assert seconds == max(0, (end - begin).total_seconds())
    assert 0 <= whole <= LARGEST_INT
    assert whole in (int(seconds), LARGEST_INT)


def test_the_longest_duration_is_the_largest_int() -> None:
    assert whole_seconds_between(EARLIEST, LATEST) == 2_147_483_647
