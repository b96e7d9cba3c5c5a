"""Validates what users write: one set of limits and messages for the API, the command line and imports.

The `parse_…` functions take one value and raise ValueError with a message that follows the value, as in
`"Mars" is not an IANA time zone name`. `Check` gathers all problems of an input, so that a client sees them at once.
Fields have the names of the commands, `team_id`; a transport reports them in its own spelling, `input.teamId`.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from typing import Any, TypeVar
from zoneinfo import available_timezones

from app.domain.phones import parse_phone
from app.domain.quiet_hours import parse_time_of_day
from app.domain.zipcodes import parse_zipcode
from app.errors import Problem, bad_input

LONGEST_TEXT = 255
YEAR_IN_MINUTES = 365 * 24 * 60
HIGHEST_RANK = 2**31 - 1
MOST_OPTIONS = 200
MOST_ZIPCODES = 5_000

_EMAIL = re.compile(r"[^\s@]+@[^\s@]+")

T = TypeVar("T")


def parse_text(text: str) -> str:
    """Return the text if it can be stored."""
    if len(text) > LONGEST_TEXT:
        raise ValueError(f"has {len(text):,} characters, and at most {LONGEST_TEXT} are allowed")
    if "\0" in text:
        raise ValueError("contains the character NUL, which cannot be stored")
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise ValueError("contains half of a surrogate pair, which cannot be stored") from error
    return text


def parse_email(text: str) -> str:
    if not _EMAIL.fullmatch(parse_text(text)):
        raise ValueError("is not an e-mail address such as dorothy@example.com")
    return text


def parse_timezone(text: str) -> str:
    """Return the name of an IANA time zone.

    `Factory` and `localtime` are refused: the first stands for a computer that has not been set up, the second for the
    server's own zone.
    """
    if text not in _timezones():
        raise ValueError("is not an IANA time zone name such as America/Los_Angeles")
    return text


@cache
def _timezones() -> set[str]:
    return available_timezones() - {"Factory", "localtime"}


def parse_minutes(number: int) -> int:
    if not 0 <= number <= YEAR_IN_MINUTES:
        raise ValueError(f"is not a number of minutes from 0 to {YEAR_IN_MINUTES:,}, which is a year")
    return number


def parse_rank(number: int) -> int:
    if not 0 <= number <= HIGHEST_RANK:
        raise ValueError(f"is not a rank from 0 to {HIGHEST_RANK:,}")
    return number


def fold(text: str | None) -> str:
    """Return the key by which names and types are compared: trimmed, case folded, and empty for null."""
    return (text or "").strip().casefold()


Rules = Mapping[str, Callable[["Check", str, Any], Any]]
"""The method of Check that validates each field of an input."""


class Check:
    """The problems of one input. Each method returns the value to store, or notes a problem."""

    def __init__(self) -> None:
        self.problems: list[Problem] = []

    def refuse(self, field: str, message: str) -> None:
        self.problems.append(Problem(field, message))

    def given(self, field: str, value: Any) -> Any:
        """Return the value, which must not be null."""
        if value is None:
            self.refuse(field, "must not be null")
        return value

    def name(self, field: str, value: str | None) -> str:
        """Return a trimmed text, which must be neither null nor empty."""
        if value is None:
            self.refuse(field, "must not be null")
        elif not value.strip():
            self.refuse(field, "must not be empty")
        return self._parsed(field, (value or "").strip(), parse_text) or ""

    def text(self, field: str, value: str | None) -> str | None:
        """Return a trimmed text, which must not be empty, or null."""
        return None if value is None else self.name(field, value) or None

    def email(self, field: str, value: str | None) -> str | None:
        return self._parsed(field, self.text(field, value), parse_email)

    def phone(self, field: str, value: str | None) -> str | None:
        """Return a phone number in E.164, or null."""
        return self._parsed(field, self.text(field, value), parse_phone)

    def timezone(self, field: str, value: str) -> str:
        return self._parsed(field, value, parse_timezone) or ""

    def time_of_day(self, field: str, value: str) -> str:
        return self._parsed(field, value, parse_time_of_day) or ""

    def zipcode(self, field: str, value: str | None) -> str | None:
        """Return the first five digits of a zipcode, or null."""
        return self._parsed(field, value, parse_zipcode)

    def zipcodes(self, field: str, values: Sequence[str] | None) -> list[str]:
        """Return each zipcode once, in ascending order."""
        checked = [self.zipcode(f"{field}.{i}", value) for i, value in enumerate(self.given(field, values) or ())]
        zipcodes = sorted({zipcode for zipcode in checked if zipcode is not None})
        if len(zipcodes) > MOST_ZIPCODES:
            self.refuse(field, f"has {len(zipcodes):,} zipcodes, and at most {MOST_ZIPCODES:,} are allowed")
        return zipcodes

    def minutes(self, field: str, value: int | None) -> int:
        return self._parsed(field, self.given(field, value), parse_minutes) or 0

    def rank(self, field: str, value: int | None) -> int | None:
        return self._parsed(field, value, parse_rank)

    def each(self, rules: Rules, values: Mapping[str, Any], path: str = "") -> dict[str, Any]:
        """Return the values of an input's fields, each checked by its rule; `path` is a prefix of the fields' names."""
        return {field: rules[field](self, path + field, value) for field, value in values.items() if field in rules}

    def _parsed(self, field: str, value: Any, parse: Callable[[Any], T]) -> T | None:
        """Return the parsed value. Return None for null, and for an invalid value after noting the problem."""
        if value is None:
            return None
        try:
            return parse(value)
        except ValueError as error:
            shown = value if not isinstance(value, str) or len(value) <= 60 else f"{value[:57]}..."
            self.refuse(field, f"{shown!r} {error}")
            return None


@contextmanager
def checking() -> Iterator[Check]:
    """Gather the problems of one input, and raise BAD_USER_INPUT with all of them at the end."""
    check = Check()
    yield check
    if check.problems:
        raise bad_input(*check.problems)
