"""Coerces values as forms, spreadsheets and programs write them: numbers as text, and texts as numbers.

Each function raises ValueError with a message that follows the value. `app.domain.validation` decides which of the
results are valid.
"""

import re
from typing import Any

from app.domain.zipcodes import parse_zipcode

EXACT = 2**53
"""From here on, a whole number with a decimal point may have been rounded when it was read."""

_INTEGER = re.compile(r"(-?[0-9]{1,19})(\.0*)?")

_SHORT = re.compile(r"[0-9]{1,5}(\.0*)?")

_PRICE = re.compile(
    r"(?:USD?)? *[$€£]? *([0-9]{1,15}|[0-9]{1,3}(?:,[0-9]{3}){1,4})(?:\.0{0,2})? *(?:USD|[$€£])?", re.IGNORECASE
)
"""A price as people write it. Three digits after a point are refused: elsewhere, they are thousands."""


def is_blank(value: Any) -> bool:
    """Whether there is no value: null, or a text of spaces. Forms send their empty fields, too."""
    return value is None or (isinstance(value, str) and not value.strip())


def whole_number(value: Any) -> int | None:
    """Return the number of `3`, `3.0`, `"3"` and `"3.0"`, or None for anything else."""
    if isinstance(value, str) and (match := _INTEGER.fullmatch(value.strip())):
        return int(match[1])
    if isinstance(value, float) and value.is_integer() and abs(value) < EXACT:
        return int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def text(value: Any) -> str:
    """Return a text, or the digits of a whole number."""
    if isinstance(value, str):
        return value
    number = whole_number(value)
    if number is None:
        raise ValueError("is not text")
    return str(number)


def zipcode(value: Any) -> str:
    """Return the five digits of a zipcode. A number, also as text, may have lost its leading zeros."""
    is_long = isinstance(value, str) and not _SHORT.fullmatch(value.strip())
    number = None if is_long else whole_number(value)
    if number is not None:
        return parse_zipcode(number)
    return parse_zipcode(value.strip() if isinstance(value, str) else "")  # the message is about the value as shown


def price(value: Any) -> int:
    """Return the whole units of a price such as `350000`, `"350,000.00"` or `"$350,000"`."""
    if isinstance(value, str):
        match = _PRICE.fullmatch(value.strip())
        number = int(match[1].replace(",", "")) if match else None
    else:
        number = whole_number(value)
    if number is None:
        raise ValueError("is not a price in whole units such as 350000 or $350,000")
    return number
