"""Time zones of users, which this machine may not know."""

import logging
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
