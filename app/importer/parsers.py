"""Parses single values of an import. Each parser raises ValueError with a message that follows the value.

The REST API is less strict than JSON types: numbers and booleans may also be text. `app.domain.validation`
decides which values are valid, as for every other input.
"""

import re
from collections.abc import Callable
from datetime import datetime
from enum import StrEnum
from typing import Any, TypeVar

from app.domain import validation
from app.domain.bounds import LARGEST_ID, LARGEST_NEW_ID, MOST_ZIPCODES
from app.domain.timestamps import parse_instant, storable
from app.domain.zipcodes import parse_zipcode
from app.importer.report import shown

Parser = Callable[[Any], Any]
Choice = TypeVar("Choice", bound=StrEnum)

_INTEGER = re.compile(r"-?[0-9]{1,19}")


def text(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError("is not a string")
    return validation.parse_text(value)


def name(value: Any) -> str:
    if not text(value).strip():
        raise ValueError("is blank")
    return validation.parse_name(value)


def name_or_none(value: Any) -> str | None:
    """Return a name, or None for blank text."""
    return name(value) if text(value).strip() else None


def user_email(value: Any) -> str:
    """Return the address of a user, by which users are found."""
    return validation.fold_email(text(value))


def email_or_none(value: Any) -> str | None:
    """Return an address, or None for blank text."""
    return validation.parse_email(value) if text(value).strip() else None


def timezone(value: Any) -> str:
    return validation.parse_timezone(text(value))


def boolean(value: Any) -> bool:
    if isinstance(value, str) and value.lower() in ("true", "false"):
        return value.lower() == "true"
    if not isinstance(value, bool):
        raise ValueError("is not true or false")
    return value


def integer(value: Any) -> int:
    if isinstance(value, str) and _INTEGER.fullmatch(value):
        return int(value)
    if not isinstance(value, int) or isinstance(value, bool):
        raise ValueError("is not a whole number")
    return value


def reference(value: Any) -> int:
    """Return the id of another row, of the file or of the database."""
    return _identifier(value, LARGEST_ID)


def identifier(value: Any) -> int:
    """Return the id of a row of the file. Beyond LARGEST_NEW_ID, few or no ids would be left for new rows."""
    return _identifier(value, LARGEST_NEW_ID)


def _identifier(value: Any, largest: int) -> int:
    number = integer(value)
    if not 1 <= number <= largest:
        raise ValueError(f"is not an id from 1 to {largest}")
    return number


def minutes(value: Any) -> int:
    return validation.parse_minutes(integer(value))


def rank(value: Any) -> int:
    return validation.parse_rank(integer(value))


def instant(value: Any) -> datetime:
    return storable(parse_instant(text(value)))


def zipcode(value: Any) -> str:
    return parse_zipcode(value if type(value) in (str, int) else "")  # the message is about the value as it is shown


def zipcodes(value: Any) -> list[str]:
    """Return each zipcode of a list once."""
    if not isinstance(value, list):
        raise ValueError("is not a list of zipcodes")
    found: dict[str, None] = {}
    for position, item in enumerate(value):
        try:
            found[zipcode(item)] = None
        except ValueError as error:
            raise ValueError(f"has a problem at [{position}]: {shown(item)} {error}") from error
    if len(found) > MOST_ZIPCODES:
        raise ValueError(f"has {len(found):,} zipcodes, and at most {MOST_ZIPCODES:,} are allowed")
    return list(found)


def choice(kind: type[Choice]) -> Parser:
    """Return a parser of an enum's values, which are spelled as in the REST API."""
    named = {member.value: member for member in kind}

    def parse(value: Any) -> Choice:
        if not isinstance(value, str) or value not in named:
            raise ValueError(f"is not one of {', '.join(named)}")
        return named[value]

    return parse


def choice_or_none(kind: type[Choice]) -> Parser:
    """Return a parser like `choice` for a field that the REST API sets to "None" for null."""
    parse = choice(kind)
    return lambda value: None if value == "None" else parse(value)
