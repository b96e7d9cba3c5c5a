"""Parses single values of an import. Each parser raises ValueError with a message that follows the value.

Numbers and booleans may be written as the REST API and spreadsheets write them: `"3"`, `3.0`, `"TRUE"`, `1`. Blank text
never comes here. `app.domain.validation` decides which values are valid, as for every other input.
"""

import re
from collections.abc import Callable
from datetime import datetime
from enum import StrEnum
from typing import Any, TypeVar

from app.domain import validation
from app.domain.bounds import LARGEST_ID, LARGEST_NEW_ID
from app.domain.timestamps import parse_instant, storable
from app.domain.zipcodes import parse_zipcode
from app.importer.report import shown

Parser = Callable[[Any], Any]
Choice = TypeVar("Choice", bound=StrEnum)

_INTEGER = re.compile(r"(-?[0-9]{1,19})(\.0*)?")

_DECIMAL = re.compile(r"[0-9]{1,19}\.0*")
"""A number that a spreadsheet has written with a decimal point."""

_SHORT = re.compile(r"[0-9]{1,5}(\.0*)?")

EXACT = 2**53
"""From here on, a whole number with a decimal point may have been rounded when it was read."""

BOOLEANS = {"true": True, "yes": True, "false": False, "no": False}


def text(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError("is not a string")
    return validation.parse_text(value)


def name(value: Any) -> str:
    return validation.parse_name(text(value))


def code(value: Any) -> str:
    """Return an id that others have given, which may be written as a number."""
    return name(value if isinstance(value, str) else str(integer(value)))


def message(value: Any) -> str:
    """Return what somebody wrote in an enquiry."""
    if not isinstance(value, str):
        raise ValueError("is not a string")
    return validation.parse_message(value)


def price(value: Any) -> int:
    return validation.parse_price(integer(value))


def phone(value: Any) -> str:
    """Return the text of a phone number, which spreadsheets may take for a number. It is checked later."""
    is_number = not isinstance(value, str) or _DECIMAL.fullmatch(value.strip())
    return text(str(integer(value)) if is_number else value)


def user_email(value: Any) -> str:
    """Return the address of a user, by which users are found."""
    return validation.fold_email(text(value))


def email(value: Any) -> str:
    return validation.parse_email(text(value))


def timezone(value: Any) -> str:
    return validation.parse_timezone(text(value))


def boolean(value: Any) -> bool:
    """Return the value of true or false, yes or no, 1 or 0, without regard to case."""
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and (named := BOOLEANS.get(value.strip().lower())) is not None:
        return named
    number = _whole_number(value)
    if number not in (0, 1):
        raise ValueError("is not true or false")
    return number == 1


def integer(value: Any) -> int:
    number = _whole_number(value)
    if number is None:
        raise ValueError("is not a whole number")
    return number


def _whole_number(value: Any) -> int | None:
    """Return the number of `3`, `3.0`, `"3"` and `"3.0"`, or None for anything else."""
    if isinstance(value, str) and (match := _INTEGER.fullmatch(value.strip())):
        return int(match[1])
    if isinstance(value, float) and value.is_integer() and abs(value) < EXACT:
        return int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) else None


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


def members_per_lead(value: Any) -> int:
    return validation.parse_members_per_lead(integer(value))


def weight(value: Any) -> int:
    return validation.parse_weight(integer(value))


def leads_per_day(value: Any) -> int:
    return validation.parse_leads_per_day(integer(value))


def instant(value: Any) -> datetime:
    return storable(parse_instant(text(value)))


def zipcode(value: Any) -> str:
    """Return the five digits of a zipcode. A number, also as text, may have lost its leading zeros."""
    is_long = isinstance(value, str) and not _SHORT.fullmatch(value.strip())
    number = None if is_long else _whole_number(value)
    if number is not None:
        return parse_zipcode(number)
    return parse_zipcode(value.strip() if isinstance(value, str) else "")  # the message is about the value as shown


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
    if problem := validation.too_many_zipcodes(len(found)):
        raise ValueError(problem)
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
