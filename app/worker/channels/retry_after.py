"""How long a server wants to be left alone, as HTTP says it (RFC 9110, 10.2.3)."""

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import httpx2

LONGEST = 24 * 3600.0
"""Seconds. A server that asks for more has lost its clock."""


def seconds_of(answer: httpx2.Response) -> float | None:
    """The seconds of `Retry-After`, a number or a date; None without one that can be read."""
    told = answer.headers.get("retry-after", "").strip()
    try:
        seconds = float(told) if told.isdecimal() else _until(told)
    except ValueError:
        return None
    return min(max(seconds, 0.0), LONGEST)


def _until(date: str) -> float:
    at = parsedate_to_datetime(date)
    return ((at if at.tzinfo else at.replace(tzinfo=UTC)) - datetime.now(UTC)).total_seconds()
