"""Timestamps: the forms that clients and imports may write, the one form that the server writes, and arithmetic.

A filter may ask for any instant of the years 1 to 9999. Stored timestamps lie between EARLIEST and LATEST.
"""

import re
from datetime import UTC, datetime, timedelta, timezone

from app.domain.bounds import EARLIEST, FIRST_YEAR, LARGEST_INT, LAST_YEAR, LATEST

_PATTERN = re.compile(
    r"(?P<date>[0-9]{4}-[0-9]{2}-[0-9]{2})"
    r"(?P<time>T(?P<hour>[0-9]{2}):(?P<minute>[0-9]{2})(:(?P<second>[0-9]{2})(\.(?P<fraction>[0-9]+))?)?"
    r"(?P<offset>Z|(?P<sign>[+-])(?P<hours>[0-9]{2}):?(?P<minutes>[0-9]{2}))?)?"
)


def parse_instant(text: str) -> datetime:
    """Parse a date, or a date with a time and an offset, in ISO 8601. Return UTC, cut to the millisecond.

    A date alone is its midnight in UTC. Raises ValueError with a message that follows the text, also for times outside
    the years 1 to 9999 in UTC.
    """
    match = _PATTERN.fullmatch(text)
    if match is None:
        raise ValueError("is not an ISO 8601 date (2012-09-27, 2012-09-27T09:15:00Z, 2012-09-27T09:15:00-07:00)")
    if match["time"] and not match["offset"]:
        raise ValueError("needs Z or an offset after the time, as in 2012-09-27T09:15:00Z or 2012-09-27T09:15:00-07:00")
    try:
        day = datetime.fromisoformat(match["date"])
        local = day.replace(
            hour=int(match["hour"] or 0),
            minute=int(match["minute"] or 0),
            second=int(match["second"] or 0),
            microsecond=int((match["fraction"] or "0")[:3].ljust(3, "0")) * 1000,
            tzinfo=_zone(match),
        )
    except ValueError as error:
        raise ValueError("is a day or a time that does not exist") from error
    try:
        return local.astimezone(UTC)
    except OverflowError as error:
        raise ValueError("is outside the years 1 to 9999 in UTC") from error


def storable(instant: datetime) -> datetime:
    """Return the instant. Raises ValueError with a message that follows it if it lies outside what is stored."""
    if not EARLIEST <= instant <= LATEST:
        raise ValueError(f"is outside the years {FIRST_YEAR} to {LAST_YEAR} in UTC")
    return instant


def _zone(match: re.Match[str]) -> timezone:
    if not match["sign"]:
        return UTC
    hours, minutes = int(match["hours"]), int(match["minutes"])
    if minutes > 59:
        raise ValueError("the minutes of an offset end at 59")
    offset = timedelta(hours=hours, minutes=minutes)
    return timezone(-offset if match["sign"] == "-" else offset)


def format_instant(instant: datetime) -> str:
    """Return an aware datetime as `2018-01-16T09:09:09.000Z`."""
    return instant.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def later(start: datetime, by: timedelta, times: int = 1) -> datetime:
    """Return `start` plus `times` the span, but at most LATEST: a time that is computed can always be stored."""
    try:
        return min(start + times * by, LATEST)
    except OverflowError:
        return LATEST


def seconds_between(begin: datetime, end: datetime) -> float:
    """Return the seconds from `begin` to `end`, or 0 if the end comes first."""
    return max(0.0, (end - begin).total_seconds())


def whole_seconds_between(begin: datetime, end: datetime) -> int:
    """Return the whole seconds between two times, at most the largest Int. `app/db/functions.py` has it in SQL."""
    return min(int(seconds_between(begin, end)), LARGEST_INT)


def utc_now() -> datetime:
    """Return the current time in UTC, cut to the millisecond like all timestamps."""
    return cut_to_millisecond(datetime.now(UTC))


def cut_to_millisecond(moment: datetime) -> datetime:
    """Return the last whole millisecond at or before a moment.

    A request does so twice. `datetime.replace`, or naming the argument of `timedelta`, takes five times as long.
    """
    return moment - timedelta(0, 0, moment.microsecond % 1000)
