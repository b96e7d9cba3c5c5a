"""The fields that REST clients filter by: how to parse their values, and their JSON schemas."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from app.domain.bounds import LARGEST_ID, LARGEST_INT
from app.domain.enums import LeadOfferStatus
from app.domain.identifiers import parse_id
from app.domain.timestamps import parse_instant
from app.lists.filters import NO_MATCH, RANGES, SEARCHES, NoMatch, Operator

_WHOLE = re.compile(r"-?[0-9]+", re.ASCII)


def whole_number(text: str, low: int = -LARGEST_INT - 1, high: int = LARGEST_INT) -> int:
    """Parse a whole number. Raises ValueError, with a message for the client, unless it is from `low` to `high`."""
    number = int(text) if len(text) < 20 and _WHOLE.fullmatch(text) else None
    if number is None or not low <= number <= high:
        raise ValueError(f"must be a whole number from {low} to {high}, not {quoted(text)}")
    return number


def quoted(text: str) -> str:
    """Return a value for an error message, at most 40 characters of it."""
    return repr(text[:40])


def is_null(text: object) -> bool:
    """Return whether a value means null: empty, as qs writes it, or the word."""
    return text in ("", "null")


def _parse_id(text: str, operator: Operator) -> int | NoMatch:
    if not _WHOLE.fullmatch(text):
        raise ValueError(f"must be a whole number, not {quoted(text)}")
    number = parse_id(text)
    if number is None and operator in RANGES:
        raise ValueError(f"must be a whole number from 1 to {LARGEST_ID}, not {quoted(text)}")
    return NO_MATCH if number is None else number


def _parse_integer(text: str, _operator: Operator) -> int:
    return whole_number(text)


def _parse_boolean(text: str, _operator: Operator) -> bool:
    if text not in ("true", "false"):
        raise ValueError(f"must be true or false, not {quoted(text)}")
    return text == "true"


def instant(text: str) -> datetime:
    """Parse a time. Raises ValueError, with a message for the client, if it is not a time."""
    try:
        return parse_instant(text.replace(" ", "+"))  # a `+` that was not percent-encoded arrives as a space
    except ValueError as error:
        raise ValueError(f"{quoted(text)} {error}") from error


def _parse_timestamp(text: str, _operator: Operator) -> datetime:
    return instant(text)


def _parse_text(text: str, _operator: Operator) -> str:
    if "\0" in text:
        raise ValueError("must not contain the character NUL")
    return text


def _parse_status(text: str, _operator: Operator) -> LeadOfferStatus:
    try:
        return LeadOfferStatus(text)
    except ValueError:
        known = ", ".join(LeadOfferStatus)
        raise ValueError(f"must be one of {known}, not {quoted(text)}") from None


@dataclass(frozen=True, slots=True)
class ValueType:
    """Values of one type. `parse` raises ValueError with a message for the client.

    `schema` is the JSON schema of a value; `bounds` narrow it for range operators.
    """

    parse: Callable[[str, Operator], Any]
    operators: frozenset[Operator]
    schema: Mapping[str, Any]
    bounds: Mapping[str, Any] = field(default_factory=dict)


_ALL = frozenset(Operator) - SEARCHES
_ID = ValueType(_parse_id, _ALL, {"type": "integer"}, {"minimum": 1, "maximum": LARGEST_ID})
_INTEGER = ValueType(_parse_integer, _ALL, {"type": "integer", "minimum": -LARGEST_INT - 1, "maximum": LARGEST_INT})
_BOOLEAN = ValueType(_parse_boolean, _ALL - RANGES, {"type": "boolean"})
_TIMESTAMP = ValueType(
    _parse_timestamp, _ALL, {"anyOf": [{"type": "string", "format": "date-time"}, {"type": "string", "format": "date"}]}
)
_TEXT = ValueType(_parse_text, _ALL, {"type": "string"})
_STATUS = ValueType(_parse_status, _ALL - RANGES, {"type": "string", "enum": list(LeadOfferStatus)})

LEAD_FIELDS: Mapping[str, ValueType] = {
    "id": _ID,
    "source_id": _ID,
    "team_id": _ID,
    "claimed_by_id": _ID,
    "zipcode": _TEXT,
    "type": _TEXT,
    "city": _TEXT,
    "listing_price": _INTEGER,
    "created_at": _TIMESTAMP,
    "claimed_at": _TIMESTAMP,
}
"""The fields by which figures select leads."""

FILTER_FIELDS: Mapping[str, ValueType] = {
    "id": _ID,
    "lead_id": _ID,
    "user_id": _ID,
    "team_id": _ID,
    "notify_at": _TIMESTAMP,
    "rank": _INTEGER,
    "assign_automatically": _BOOLEAN,
    "has_call_alert": _BOOLEAN,
    "has_text_alert": _BOOLEAN,
    "has_email_alert": _BOOLEAN,
    "status": _STATUS,
}
"""The fields by which lists of lead offers are filtered and sorted."""
