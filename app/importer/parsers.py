"""How one value of an import is read. Each raises ValueError with words that follow the value in the message."""

import re
from collections.abc import Callable
from datetime import datetime
from enum import StrEnum
from functools import cache
from typing import Any, TypeVar
from zoneinfo import available_timezones

from app.domain.identifiers import LARGEST
from app.domain.timestamps import parse_instant
from app.domain.validation import HIGHEST_RANK, LONGEST_TEXT, MOST_ZIPCODES, YEAR_IN_MINUTES
from app.domain.zipcodes import parse_zipcode
from app.importer.report import shown

Parser = Callable[[Any], Any]
Choice = TypeVar("Choice", bound=StrEnum)

_EMAIL = re.compile(r"[^@\s]+@[^@\s]+")
_INTEGER = re.compile(r"-?[0-9]{1,19}")


def text(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError("is no text")
    if len(value) > LONGEST_TEXT:
        raise ValueError(f"is longer than {LONGEST_TEXT} characters")
    if "\0" in value or not _encodes(value):
        raise ValueError("has a character that cannot be stored (NUL, or half of a pair)")
    return value


def _encodes(value: str) -> bool:
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def name(value: Any) -> str:
    if not text(value).strip():
        raise ValueError("is blank")
    return text(value)


def email(value: Any) -> str:
    """In lower case, as addresses are compared."""
    if not _EMAIL.fullmatch(text(value)):
        raise ValueError("is no e-mail address")
    return text(value).lower()


def boolean(value: Any) -> bool:
    if isinstance(value, str) and value.lower() in ("true", "false"):
        return value.lower() == "true"
    if not isinstance(value, bool):
        raise ValueError("is neither true nor false")
    return value


def integer(lowest: int, highest: int) -> Parser:
    def read(value: Any) -> int:
        number = int(value) if isinstance(value, str) and _INTEGER.fullmatch(value) else value
        if not isinstance(number, int) or isinstance(number, bool) or not lowest <= number <= highest:
            raise ValueError(f"is no whole number from {lowest} to {highest}")
        return number

    return read


identifier = integer(1, LARGEST)
minutes = integer(0, YEAR_IN_MINUTES)
rank = integer(0, HIGHEST_RANK)


def instant(value: Any) -> datetime:
    return parse_instant(text(value))


def zipcode(value: Any) -> str:
    if not isinstance(value, str | int) or isinstance(value, bool):
        raise ValueError("is no zipcode (02138 or 02138-1234)")
    return parse_zipcode(value)


def zipcodes(value: Any) -> list[str]:
    """Without repetitions."""
    if not isinstance(value, list):
        raise ValueError("is no list of zipcodes")
    found = dict.fromkeys(_item(position, item) for position, item in enumerate(value))
    if len(found) > MOST_ZIPCODES:
        raise ValueError(f"has more than {MOST_ZIPCODES} zipcodes")
    return list(found)


def _item(position: int, value: Any) -> str:
    try:
        return zipcode(value)
    except ValueError as error:
        raise ValueError(f"has a mistake at [{position}]: {shown(value)} {error}") from error


def timezone(value: Any) -> str:
    if text(value) not in _timezones():
        raise ValueError("is no IANA time zone (America/Los_Angeles)")
    return text(value)


@cache
def _timezones() -> set[str]:
    return available_timezones() - {"Factory", "localtime"}


def choice(kind: type[Choice]) -> Parser:
    """One of an enum's values, which are the REST API's spelling."""
    named = {member.value: member for member in kind}

    def read(value: Any) -> Choice:
        if not isinstance(value, str) or value not in named:
            raise ValueError(f"is none of {', '.join(named)}")
        return named[value]

    return read


def choice_or_none(kind: type[Choice]) -> Parser:
    """As `choice`, where the REST API says "None" for null."""
    read = choice(kind)
    return lambda value: None if value == "None" else read(value)
