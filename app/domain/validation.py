"""What is written is looked at here: one set of limits and words for every input.

`checking` gathers all mistakes of an input and refuses them together. A field's name is the command's own, `team_id`;
a transport tells it in its spelling, `input.teamId`.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from app.domain.phones import parse_phone
from app.domain.zipcodes import parse_zipcode
from app.errors import Problem, bad_input

LONGEST_TEXT = 255
YEAR_IN_MINUTES = 365 * 24 * 60
HIGHEST_RANK = 2**31 - 1
MOST_OPTIONS = 200
MOST_ZIPCODES = 5_000

_EMAIL = re.compile(r"[^\s@]+@[^\s@]+")

Rules = Mapping[str, Callable[["Check", str, Any], Any]]
"""How each field of an input is looked at: a method of Check."""


class Check:
    """The mistakes found so far. Each method gives its value as it is stored, or notes what is wrong with it."""

    def __init__(self) -> None:
        self.problems: list[Problem] = []

    def refuse(self, field: str, message: str) -> None:
        self.problems.append(Problem(field, message))

    def text(self, field: str, value: str | None) -> str | None:
        """A text without the blanks around it, or null."""
        return None if value is None else self.name(field, value)

    def name(self, field: str, value: str | None) -> str:
        """A text that must be there, without the blanks around it."""
        name = (value or "").strip()
        if value is None:
            self.refuse(field, "must not be null")
        elif not name:
            self.refuse(field, "must not be empty")
        elif len(name) > LONGEST_TEXT:
            self.refuse(field, f"must have at most {LONGEST_TEXT} characters, not {len(name)}")
        elif "\0" in name:
            self.refuse(field, "must not contain the character NUL")
        return name

    def email(self, field: str, value: str | None) -> str | None:
        email = self.text(field, value)
        if email and len(email) <= LONGEST_TEXT and "\0" not in email and not _EMAIL.fullmatch(email):
            self.refuse(field, f"{email!r} is no e-mail address")
        return email

    def phone(self, field: str, value: str | None) -> str | None:
        """In E.164, or null."""
        phone = self.text(field, value)
        try:
            return parse_phone(phone) if phone and len(phone) <= LONGEST_TEXT else None
        except ValueError as error:
            self.refuse(field, f"{phone!r} {error}")
            return None

    def zipcode(self, field: str, value: str | None) -> str | None:
        """The first five digits of `ddddd` or `ddddd-dddd`, or null."""
        if value is None:
            return None
        try:
            return parse_zipcode(value)
        except ValueError as error:
            self.refuse(field, f"{value[:20]!r} {error}")
            return None

    def zipcodes(self, field: str, values: Sequence[str] | None) -> list[str]:
        """Five digits each, every one once, in ascending order."""
        if values is None:
            self.refuse(field, "must not be null")
        checked = [self.zipcode(f"{field}.{i}", value) for i, value in enumerate(values or ())]
        zipcodes = sorted({zipcode for zipcode in checked if zipcode is not None})
        if len(zipcodes) > MOST_ZIPCODES:
            self.refuse(field, f"must have at most {MOST_ZIPCODES:,} zipcodes, not {len(zipcodes):,}")
        return zipcodes

    def minutes(self, field: str, value: int | None) -> int:
        """Minutes from none to a year."""
        minutes = self.given(field, value) or 0
        if not 0 <= minutes <= YEAR_IN_MINUTES:
            self.refuse(field, f"must be from 0 to {YEAR_IN_MINUTES:,} minutes, not {minutes:,}")
        return minutes

    def rank(self, field: str, value: int | None) -> int | None:
        if value is not None and not 0 <= value <= HIGHEST_RANK:
            self.refuse(field, f"must not be below 0 or above {HIGHEST_RANK:,}")
        return value

    def given(self, field: str, value: Any) -> Any:
        """The value, which must not be null."""
        if value is None:
            self.refuse(field, "must not be null")
        return value

    def each(self, rules: Rules, values: Mapping[str, Any], path: str = "") -> dict[str, Any]:
        """The values of an input as they are stored, by the rule of each; `path` stands before the fields' names."""
        return {field: rules[field](self, path + field, value) for field, value in values.items() if field in rules}


@contextmanager
def checking() -> Iterator[Check]:
    """Gathers the mistakes of one input: BAD_USER_INPUT at the end where there are any."""
    check = Check()
    yield check
    if check.problems:
        raise bad_input(*check.problems)


def fold(text: str | None) -> str:
    """How names and types compare: trimmed and case folded, empty where there is none."""
    return (text or "").strip().casefold()
