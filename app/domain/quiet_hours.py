"""Quiet hours: a daily span in a user's own time zone in which nothing is sent or assigned to them.

The span is read on the wall clock, see `instant_at` in app/domain/time_zones.py.
"""

import re
from datetime import datetime, time, timedelta

from app.domain.time_zones import find_zone, instant_at

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
        ends_at = instant_at(last_day, ends, zone)
        if instant_at(day, begins, zone) <= now < ends_at:
            return ends_at
    return None
