"""Validates what users write: one set of limits and messages for the API, the command line and imports.

The `parse_…` functions take one value and raise ValueError with a message that follows the value, as in
`"Mars" is not an IANA time zone name`. `Check` gathers all problems of an input, so that a client sees them at once.
Fields have the names of the commands, `team_id`; a transport reports them in its own spelling, `input.teamId`.
"""

import re
import unicodedata
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from functools import cache
from typing import Any, TypeVar
from zoneinfo import available_timezones

import email_validator
from email_validator import EmailNotValidError, ValidatedEmail

from app.domain.bounds import (
    HEAVIEST_WEIGHT,
    HIGHEST_RANK,
    LARGEST_INT,
    LONGEST_MESSAGE,
    LONGEST_TEXT,
    LONGEST_TOKEN,
    MOST_LEADS_PER_DAY,
    MOST_MEMBERS_PER_LEAD,
    MOST_ZIPCODES,
    YEAR_IN_MINUTES,
)
from app.domain.phones import parse_phone
from app.domain.quiet_hours import parse_time_of_day
from app.domain.timestamps import format_instant, storable
from app.domain.zipcodes import parse_zipcode
from app.errors import Problem, bad_input

BLANK = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0\U0001d159") | {
    chr(code)
    for code in (
        0x2065,
        *range(0x180B, 0x1810),
        *range(0xFE00, 0xFE10),
        *range(0xFFF0, 0xFFF9),
        *range(0xE0000, 0xE1000),
    )
}
"""Characters that show nothing, although Unicode counts them as letters, symbols or marks, or has not assigned them.

These are Unicode's Default_Ignorable_Code_Point without the control and format characters, and a few empty symbols.
"""

email_validator.SPECIAL_USE_DOMAIN_NAMES.clear()  # `localhost` and `.test` are addresses like others here

_UNQUOTED_NAME = re.compile(r'[^"<>()\[\]\\,;:@]*')
_QUOTED_NAME = re.compile(r'"((?:[^"\\]|\\.)*)"')

T = TypeVar("T")


def parse_text(text: str, longest: int = LONGEST_TEXT) -> str:
    """Return the text if it can be stored."""
    if len(text) > longest:
        raise ValueError(f"has {len(text):,} characters, and at most {longest:,} are allowed")
    if "\0" in text:
        raise ValueError("contains the character NUL, which cannot be stored")
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise ValueError("contains half of a surrogate pair, which cannot be stored") from error
    return text


def parse_name(text: str) -> str:
    """Return the trimmed text of a name: it can be seen, and does not change the text around it."""
    name = parse_text(text).strip()
    if not name:
        raise ValueError("must not be empty")
    for character in name:
        if _is_control(character):
            raise ValueError(f"contains the control character U+{ord(character):04X}, which a name must not have")
    return _visible(name)


def parse_message(text: str) -> str:
    """Return the trimmed text that somebody wrote in an enquiry: any number of lines, of which something can be seen.

    Unlike a name it stands by itself, so that it may have whatever people paste: tabs, and marks of direction.
    """
    message = parse_text(text.strip(), LONGEST_MESSAGE)
    if not message:
        raise ValueError("must not be empty")
    return _visible(message)


def _visible(text: str) -> str:
    if not any(_is_visible(character) for character in text):
        raise ValueError("has no visible characters")
    return text


def _is_control(character: str) -> bool:
    """Whether a character is a control, ends a line, overrides the direction of text, or is no character at all."""
    return (
        unicodedata.category(character) in ("Cc", "Zl", "Zp")
        or "\u202a" <= character <= "\u202e"
        or "\u2066" <= character <= "\u206f"
        or "\ufff9" <= character <= "\ufffb"
        or "\ufdd0" <= character <= "\ufdef"
        or ord(character) & 0xFFFE == 0xFFFE
    )


def _is_visible(character: str) -> bool:
    """Whether a character shows something by itself. Unassigned ones count, because newer Unicodes have them."""
    category = unicodedata.category(character)
    return character not in BLANK and (category[0] in "LNPS" or category == "Cn")


def parse_email(text: str) -> str:
    """Return one e-mail address as it is stored: trimmed, its domain in lower case and as Unicode.

    The part before the @ keeps its case; `fold_email` is for comparing. No DNS is asked.
    """
    return str(_validated(parse_text(text).strip()).normalized)


def fold_email(text: str) -> str:
    """Return the key by which addresses of users are stored and compared: as `parse_email`, in lower case.

    No character outside of ASCII becomes an ASCII character, so that nobody gets the address of somebody else.
    """
    return fold_address(parse_email(text))


def fold_address(address: str) -> str:
    """Return the key of `fold_email` for an address that `parse_email` has returned."""
    return unicodedata.normalize("NFC", address.lower())


def email_to_send(address: str) -> str:
    """Return an address as it is written in an e-mail, with its domain in ASCII (punycode).

    If the result is not ASCII, the part before the @ is not, and the mail server needs the SMTPUTF8 extension.
    """
    checked = _validated(address)
    return f"{checked.local_part}@{checked.ascii_domain}"


def parse_mailbox(text: str) -> tuple[str, str]:
    """Return the display name, which may be empty, and the address of `Leads <leads@example.com>`."""
    name, bracket, rest = parse_text(text).strip().rpartition("<")
    if not bracket:
        return "", parse_email(text)
    name = name.strip()
    quoted = _QUOTED_NAME.fullmatch(name)
    if not rest.endswith(">") or not (quoted or _UNQUOTED_NAME.fullmatch(name)):
        raise ValueError('is not a mailbox such as leads@example.com or "Leads, Inc." <leads@example.com>')
    if name:
        name = parse_name(re.sub(r"\\(.)", r"\1", quoted[1]) if quoted else name)
    return name, parse_email(rest.removesuffix(">"))


def _validated(text: str) -> ValidatedEmail:
    """Check an address. Our reasons are for what people type and what looks like another address."""
    reason = _email_problem(text)
    try:
        checked = email_validator.validate_email(text, check_deliverability=False, globally_deliverable=False)
    except EmailNotValidError:
        checked = None
    if reason is not None or checked is None:
        raise ValueError(f"is not an e-mail address such as dorothy@example.com{reason or ''}")
    return checked


def _email_problem(text: str) -> str | None:
    """Return why an address is refused, as the end of a message; None if the library has the last word."""
    for character in text:
        code = f"U+{ord(character):04X}"
        is_shown = character == " " or unicodedata.category(character)[0] == "M" or _is_visible(character)
        if character in BLANK or not is_shown:
            return f": it contains the invisible character {code}"
        if not character.isascii() and (twin := _ascii_twin(character)):
            return f": it contains the character {code}, which could be taken for {twin!r}"
    if text.lower().startswith("mailto:"):
        return ": leave out mailto:"
    if "," in text or ";" in text:
        return ": only one address is allowed, without commas and semicolons"
    if text.endswith("."):
        return ": it must not end with a dot"
    return ": it contains =?, which mail programs decode" if "=?" in text else None


def _ascii_twin(character: str) -> str:
    """Return what Unicode or IDNA make of the character, if that has ASCII characters in it."""
    if character == "\u00df":
        return ""  # IDNA keeps ß as it is
    folded = unicodedata.normalize("NFKC", character.casefold()).replace("\u3002", ".")  # IDNA splits domains there
    return folded if any(map(str.isascii, folded)) else ""


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


def parse_price(number: int) -> int:
    """Return a price in whole units of its currency."""
    if not 0 <= number <= LARGEST_INT:
        raise ValueError(f"is not a price from 0 to {LARGEST_INT:,}")
    return number


def parse_members_per_lead(number: int) -> int:
    if not 1 <= number <= MOST_MEMBERS_PER_LEAD:
        raise ValueError(f"is not a number of members from 1 to {MOST_MEMBERS_PER_LEAD}")
    return number


def parse_weight(number: int) -> int:
    if not 1 <= number <= HEAVIEST_WEIGHT:
        raise ValueError(f"is not a weight from 1 to {HEAVIEST_WEIGHT}")
    return number


def parse_leads_per_day(number: int) -> int:
    if not 0 <= number <= MOST_LEADS_PER_DAY:
        raise ValueError(f"is not a number of leads from 0 to {MOST_LEADS_PER_DAY:,}")
    return number


def parse_hours(number: float) -> float:
    if not 0 <= number <= LONGEST_TOKEN:
        raise ValueError(f"is not a number of hours from 0 to {LONGEST_TOKEN:,}, which is ten years")
    return number


def too_many_zipcodes(number: int) -> str | None:
    """Return why a team cannot have this number of zipcodes, or None if it can."""
    if number <= MOST_ZIPCODES:
        return None
    return f"has {number:,} zipcodes, and at most {MOST_ZIPCODES:,} are allowed"


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
        """Return a trimmed name, which must not be null and must have something visible."""
        if value is None:
            self.refuse(field, "must not be null")
        elif not value.strip():
            self.refuse(field, "must not be empty")
        else:
            return self._parsed(field, value.strip(), parse_name) or ""
        return ""

    def text(self, field: str, value: str | None) -> str | None:
        """Return a text that is checked as a name is, or null."""
        return None if value is None else self.name(field, value) or None

    def message(self, field: str, value: str | None) -> str | None:
        """Return what somebody wrote in an enquiry, or null. A problem does not quote it, because few may read it."""
        if value is None:
            return None
        try:
            return parse_message(value)
        except ValueError as error:
            self.refuse(field, str(error))
            return None

    def email(self, field: str, value: str | None) -> str | None:
        """Return an e-mail address, or null."""
        return self._parsed(field, self.text(field, value), parse_email)

    def user_email(self, field: str, value: str | None) -> str:
        """Return the e-mail address of a user, by which users are found."""
        return self._parsed(field, self.name(field, value) or None, fold_email) or ""

    def phone(self, field: str, value: str | None) -> str | None:
        """Return a phone number in E.164, or null."""
        return self._parsed(field, self.text(field, value), parse_phone)

    def timezone(self, field: str, value: str | None) -> str:
        return self._parsed(field, self.given(field, value), parse_timezone) or ""

    def time_of_day(self, field: str, value: str) -> str:
        return self._parsed(field, value, parse_time_of_day) or ""

    def instant(self, field: str, value: datetime) -> datetime:
        """Return a time that can be stored."""
        try:
            return storable(value)
        except ValueError as error:
            self.refuse(field, f"{format_instant(value)} {error}")
            return value

    def zipcode(self, field: str, value: str | None) -> str | None:
        """Return the first five digits of a zipcode, or null."""
        return self._parsed(field, value, parse_zipcode)

    def zipcodes(self, field: str, values: Sequence[str] | None) -> list[str]:
        """Return each zipcode once, in ascending order."""
        checked = [self.zipcode(f"{field}.{i}", value) for i, value in enumerate(self.given(field, values) or ())]
        zipcodes = sorted({zipcode for zipcode in checked if zipcode is not None})
        if problem := too_many_zipcodes(len(zipcodes)):
            self.refuse(field, problem)
        return zipcodes

    def minutes(self, field: str, value: int | None) -> int:
        return self._parsed(field, self.given(field, value), parse_minutes) or 0

    def minutes_or_null(self, field: str, value: int | None) -> int | None:
        return self._parsed(field, value, parse_minutes)

    def rank(self, field: str, value: int | None) -> int | None:
        return self._parsed(field, value, parse_rank)

    def price(self, field: str, value: int | None) -> int | None:
        return self._parsed(field, value, parse_price)

    def members_per_lead(self, field: str, value: int | None) -> int | None:
        return self._parsed(field, value, parse_members_per_lead)

    def weight(self, field: str, value: int | None) -> int:
        return self._parsed(field, self.given(field, value), parse_weight) or 1

    def leads_per_day(self, field: str, value: int | None) -> int | None:
        return self._parsed(field, value, parse_leads_per_day)

    def reference(self, field: str, value: int | None) -> int | None:
        """Return the id of another row, or null. Whether there is such a row is for the command to check."""
        return value

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
