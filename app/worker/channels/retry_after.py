"""The `Retry-After` header of HTTP responses (RFC 9110, section 10.2.3)."""

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import httpx2

MAX_SECONDS = 24 * 3600.0
"""The longest pause that is respected. If a server requests a longer one, its clock is probably wrong."""


def retry_after(response: httpx2.Response) -> float | None:
    """Return `Retry-After` in seconds, from a number or a date; None if the header is missing or invalid."""
    header = response.headers.get("retry-after", "").strip()
    try:
        seconds = float(header) if header.isdecimal() else _seconds_until(header)
    except (ValueError, OverflowError):
        return None
    return min(max(seconds, 0.0), MAX_SECONDS)


def _seconds_until(date: str) -> float:
    at = parsedate_to_datetime(date)
    return ((at if at.tzinfo else at.replace(tzinfo=UTC)) - datetime.now(UTC)).total_seconds()
