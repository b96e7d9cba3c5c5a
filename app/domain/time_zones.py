"""Time zones of users, which this machine may not know, and the instants of their wall clocks."""

import logging
from bisect import bisect_left
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

logger = logging.getLogger(__name__)


def find_zone(name: str) -> ZoneInfo | None:
    """Return the time zone with this IANA name or, after a warning in the log, None if this machine does not know it.

    A database can move to a machine with an older tz database, so a stored name may be unknown.
    """
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        logger.warning("This machine does not know the time zone %r", name)
        return None


def known_zone(name: str) -> ZoneInfo:
    """Return the time zone with this name, or UTC if this machine does not know it."""
    return find_zone(name) or ZoneInfo("UTC")


def day_start(timezone: str, now: datetime) -> datetime:
    """Return when the day of `now` (aware) began in this time zone, in UTC. In an unknown time zone, UTC's day."""
    zone = known_zone(timezone)
    return instant_at(now.astimezone(zone).date(), time(), zone)


def instant_at(day: date, clock: time, zone: ZoneInfo) -> datetime:
    """Return when the wall clock of the zone shows this time on this day, in UTC.

    A time that a clock change skips is the first instant after the gap; one that occurs twice is its first occurrence.
    """
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
