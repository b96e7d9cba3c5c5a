"""The scalar DateTime."""

from datetime import datetime

import strawberry

from app.domain.bounds import FIRST_YEAR, LAST_YEAR
from app.domain.timestamps import format_instant, parse_instant


def _parse(value: object) -> datetime:
    if not isinstance(value, str):
        raise TypeError("must be a string such as 2018-01-16T09:09:09Z")
    return parse_instant(value)


DATE_TIME = strawberry.scalar(
    name="DateTime",
    description="A point in time, with millisecond precision. Output is always UTC in the format "
    "2018-01-16T09:09:09.000Z. Input is ISO 8601: a date (midnight UTC), or a date and time with Z or a UTC offset. "
    f"Filters accept the years 1 to 9999, and all other inputs the years {FIRST_YEAR} to {LAST_YEAR}. Anything else is "
    "BAD_USER_INPUT, including a date and time without an offset.",
    serialize=format_instant,
    parse_value=_parse,
)
