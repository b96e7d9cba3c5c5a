"""US zipcodes, kept as text of five digits."""

import re

_PATTERN = re.compile(r"([0-9]{5})(-[0-9]{4})?")


def parse_zipcode(value: str | int) -> str:
    """The five digits of `ddddd` or `ddddd-dddd`, or of a number that lost its zeros on the left.

    Raises ValueError, in words for whoever wrote the value.
    """
    text = f"{value:05}" if isinstance(value, int) else value
    match = _PATTERN.fullmatch(text)
    if match is None:
        raise ValueError("is no zipcode (02138 or 02138-1234)")
    return match[1]
