"""Quiet hours: a daily span in a user's own time zone in which nothing is sent or assigned to them.

The span is read on the wall clock. A start or an end that a clock change skips is the first instant after the gap; one
that occurs twice is its first occurrence.
"""

import re
from bisect import bisect_left
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from app.domain.time_zones import find_zone

_HH_MM = re.compile(r"(?:[01][0-9]|2[0-3]):[0-5][0-9]", re.ASCII)


def parse_time_of_day(text: str) -> str:
    """Return a text of the form HH:MM, 00:00 to 23:59. Raises ValueError with a message that follows the value."""
    if not _HH_MM.fullmatch(text):
        raise ValueError("is not a time of day from 00:00 to 23:59")
    return text


def quiet_until(start: str | None, end: str | None, timezone: str, now: datetime) -> datetime | None:
    """Return when the quiet hours end (UTC) if `now` (aware) lies in them, else None.

    `start` and `end` are HH:MM on the wall clock of `timezone` (an IANA name), or None for a user without quiet hours.
    The span includes its start and excludes its end. In an unknown time zone no hours are quiet: users are notified
    early rather than never.
    """
    if start is None or end is None or (zone := find_zone(timezone)) is None:
        return None
    begins, ends = time.fromisoformat(start), time.fromisoformat(end)
    today = now.astimezone(zone).date()
    for day in (today - timedelta(days=1), today):
        last_day = day if begins < ends else day + timedelta(days=1)
        ends_at = _instant(last_day, ends, zone)
        if _instant(day, begins, zone) <= now < ends_at:
            return ends_at
    return None


def _instant(day: date, clock: time, zone: ZoneInfo) -> datetime:
    local = datetime.combine(day, clock, zone)
    instant = local.astimezone(UTC)
    if instant.astimezone(zone).replace(tzinfo=None) == local.replace(tzinfo=None):
        return instant
    return _first_after_gap(local, zone)


def _first_after_gap(skipped: datetime, zone: ZoneInfo) -> datetime:
    """Return the instant at which the clocks skipped a wall time. It lies between the two readings of that time."""
    earlier, later = sorted(skipped.replace(fold=fold).astimezone(UTC) for fold in (0, 1))
    after = later.astimezone(zone).utcoffset()
    seconds = range(int((later - earlier).total_seconds()) + 1)

    def has_changed(second: int) -> bool:
        return (earlier + timedelta(seconds=second)).astimezone(zone).utcoffset() == after

    return earlier + timedelta(seconds=bisect_left(seconds, True, key=has_changed))
