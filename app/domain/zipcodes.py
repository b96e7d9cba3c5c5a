"""US zipcodes, stored as text of five digits."""

import re

_PATTERN = re.compile(r"([0-9]{5})(-[0-9]{4})?")


def parse_zipcode(value: str | int) -> str:
    """Return the five digits of `ddddd`, of `ddddd-dddd`, or of a number that has lost its leading zeros.

    Raises ValueError with a message that follows the value.
    """
    text = f"{value:05}" if isinstance(value, int) else value
    match = _PATTERN.fullmatch(text)
    if match is None:
        raise ValueError("is not a zipcode such as 02138 or 02138-1234")
    return match[1]
