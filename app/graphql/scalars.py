"""DateTime: an instant on the wire."""

from datetime import datetime

import strawberry

from app.domain.timestamps import format_instant, parse_instant


def _parse(value: object) -> datetime:
    if not isinstance(value, str):
        raise TypeError("must be a text such as 2018-01-16T09:09:09Z")
    return parse_instant(value)


DATE_TIME = strawberry.scalar(
    name="DateTime",
    description="An instant, kept to the millisecond. Input accepts ISO 8601 as a date (midnight UTC), with Z, or with "
    "a UTC offset, years 1 to 9999 after conversion to UTC; anything else, a date-time without an offset included, is "
    "BAD_USER_INPUT. Output is always 2018-01-16T09:09:09.000Z.",
    serialize=format_instant,
    parse_value=_parse,
)
