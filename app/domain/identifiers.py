"""Ids as clients write them: decimal numbers in text."""

import re

from app.domain.bounds import LARGEST_ID

NO_ID = 0
"""An id that no row has: `parse_id(text) or NO_ID` looks up an invalid id like an unknown one."""

_DECIMAL = re.compile(r"0*([1-9][0-9]{0,18})", re.ASCII)


def parse_id(text: str) -> int | None:
    """Return the number of an id, from 1 to 2⁶³-1, or None for any other text, which no row has as its id."""
    match = _DECIMAL.fullmatch(text)
    number = int(match[1]) if match else None
    return number if number is not None and number <= LARGEST_ID else None
