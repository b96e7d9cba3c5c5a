"""Reads the enquiry in the body of a request: JSON, or a form as websites and automation tools send it.

Nothing is lost silently. A blank field counts as left out; every other one becomes part of the enquiry or is named in
`ignored`. Whether a value is valid is for `app.commands.receive` to say.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import orjson
from starlette.requests import Request

from app.config import Settings
from app.domain.coercion import is_blank
from app.domain.phones import parse_phone
from app.domain.validation import parse_email
from app.errors import ApiError, Code, Problem, bad_input
from app.http.form_body import MULTIPART, URLENCODED, form_type, read_form
from app.http.request_body import is_json, parse_json, read_body

CONTACT_FIELDS = ("first_name", "last_name", "email", "mobile_phone")

ENQUIRY_FIELDS: Mapping[str, str] = {
    "external_id": "external_id",
    "source_id": "source_id",
    "type": "type",
    "zipcode": "zipcode",
    "text_body": "message",
    "listing_price": "listing_price",
    "mls_id": "mls_id",
    "listing_status": "listing_status",
    "street_address": "street_address",
    "city": "city",
    "state": "state",
    "language": "language",
}
"""The fields of an enquiry besides its contact: their names in this API, and those of the command."""

CONTACT = "contact"

LONGEST_NAME = 100
"""Characters of a field's name in `ignored`."""

UNKNOWN = "is not a field of an enquiry"

_HINTS = {"message": "text_body", "phone": "mobile_phone", "zip": "zipcode"}
"""Names that are easily taken for those of fields."""

Pairs = Iterable[tuple[str, Any]]


@dataclass(frozen=True, slots=True)
class EnquiryBody:
    """An enquiry as `receive_lead` takes it, and the fields of the body that are not part of it."""

    enquiry: Mapping[str, Any]
    unknown: Sequence[Problem]
    has_nested_contact: bool

    def spell(self, problem: Problem) -> Problem:
        """Return a problem of the command with the field's name in the body: `message` becomes `text_body`."""
        name = _NAMES.get(problem.field, problem.field)
        return Problem(name if self.has_nested_contact else name.removeprefix(f"{CONTACT}."), problem.message)

    @contextmanager
    def field_names(self) -> Iterator[None]:
        """Translate the fields in a command's BAD_USER_INPUT to their names in the body.

        If a field with a similar name was sent, the error says so: it may be what the enquiry lacks.
        """
        try:
            yield
        except ApiError as error:
            if error.code is not Code.BAD_USER_INPUT:
                raise
            mistaken = (problem for problem in self.unknown if problem.message != UNKNOWN)
            raise bad_input(*map(self.spell, error.problems), *mistaken) from error


_NAMES = {command: name for name, command in ENQUIRY_FIELDS.items()}


async def read_enquiry(request: Request, settings: Settings) -> EnquiryBody:
    """Return the enquiry in the body of a request.

    BAD_REQUEST as `read_form` and `parse_json`, and with the status 415 for other media types; BAD_USER_INPUT if the
    contact is given in two ways, or not as an object.
    """
    content_type = request.headers.get("content-type", "")
    if media_type := form_type(content_type):
        fields = await read_form(request, settings)
        return _from_form(fields, has_lost_plus=media_type == URLENCODED)
    if is_json(content_type):
        body = await read_body(request, settings)
        return _from_json(parse_json(_replace_lone_surrogates(body.removeprefix(b"\xef\xbb\xbf")), "The body"))
    message = (
        f"The content type {content_type[:80]!r} is not supported. Send application/json in UTF-8, {URLENCODED} or "
        f"{MULTIPART}."
    )
    raise ApiError(Code.BAD_REQUEST, message, status=415)


_SURROGATES = re.compile(
    rb"(\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|\\[^u])|\\u[dD][89a-fA-F][0-9a-fA-F]{2}"
)
"""Escapes of JSON. The group has those that stay as they are: pairs of surrogates, and escapes of one character."""


def _replace_lone_surrogates(body: bytes) -> bytes:
    """Replace each half of a surrogate pair by U+FFFD, as browsers do in forms.

    Programs that count UTF-16 code units, as JavaScript does, shorten texts in the middle of an emoji.
    """
    if b"\\u" not in body:
        return body
    return _SURROGATES.sub(lambda match: match[1] or rb"\ufffd", body)


def _from_form(fields: Sequence[tuple[str, str]], *, has_lost_plus: bool) -> EnquiryBody:
    known, unknown = _sort_out(fields, [*CONTACT_FIELDS, *ENQUIRY_FIELDS])
    if has_lost_plus:
        known |= _restore_plus(known)
    return EnquiryBody(_enquiry(known, _pick(known, CONTACT_FIELDS)), unknown, has_nested_contact=False)


def _from_json(body: Any) -> EnquiryBody:
    if not isinstance(body, dict):
        raise ApiError(Code.BAD_REQUEST, "The body must be a JSON object with the fields of an enquiry.")
    known, unknown = _sort_out(body.items(), [CONTACT, *CONTACT_FIELDS, *ENQUIRY_FIELDS])
    contact = known.get(CONTACT)
    if contact is None:
        return EnquiryBody(_enquiry(known, _pick(known, CONTACT_FIELDS)), unknown, has_nested_contact=False)

    if not isinstance(contact, dict):
        raise bad_input(Problem(CONTACT, f"must be an object with {', '.join(CONTACT_FIELDS)}"))
    if beside := [name for name in CONTACT_FIELDS if name in known]:
        message = f"must not be given together with {', '.join(beside)}: send them inside of it, or leave it out"
        raise bad_input(Problem(CONTACT, message))
    fields, others = _sort_out(contact.items(), CONTACT_FIELDS)
    unknown += [Problem(f"{CONTACT}.{problem.field}", problem.message) for problem in others]
    return EnquiryBody(_enquiry(known, fields), unknown, has_nested_contact=True)


def _sort_out(pairs: Pairs, names: Iterable[str]) -> tuple[dict[str, Any], list[Problem]]:
    """Return the values of the fields with these names, blank ones left out, and a problem for each other field.

    Names are compared without regard to case and separators: people choose `First Name` or `first-name` in the form
    builders of websites. Repeated fields are one field with several values.
    """
    spelled = {_key(name): name for name in names}
    values: dict[str, list[Any]] = {}
    unknown: dict[str, Problem] = {}
    for sent, value in pairs:
        key = _key(sent)
        if name := spelled.get(key):
            values.setdefault(name, []).extend(value if isinstance(value, list) else [value])
        else:
            hint = f"; did you mean {_HINTS[key]}?" if key in _HINTS else ""
            name = sent.strip("\ufeff")[:LONGEST_NAME]
            unknown.setdefault(name, Problem(name, UNKNOWN + hint))
    known = {name: _unite(given) for name, given in values.items()}
    return {name: value for name, value in known.items() if value is not None}, [*unknown.values()]


def _key(name: str) -> str:
    return re.sub(r"[\W_]+", "", name).lower()


def _unite(values: Iterable[Any]) -> Any:
    """Return the only value that is not blank, None if all are, and otherwise a list, which no field accepts."""
    different = {orjson.dumps(value): value for value in values if not is_blank(value)}
    return [*different.values()] if len(different) > 1 else next(iter(different.values()), None)


def _restore_plus(known: Mapping[str, Any]) -> dict[str, str]:
    """Return the e-mail address and the phone number in which a `+` was sent without being encoded as `%2B`.

    Such a `+` arrives as a space. It is put back only where the value cannot be read as it is.
    """
    restored = {}
    for name, (parse, lost) in _LOST_PLUS.items():
        value = known.get(name)
        if isinstance(value, str) and not _is_valid(parse, value) and _is_valid(parse, whole := lost.sub("+", value)):
            restored[name] = whole
    return restored


_LOST_PLUS: Mapping[str, tuple[Callable[[str], str], re.Pattern[str]]] = {
    "email": (parse_email, re.compile(r"(?<=\S) (?=[^\s@])")),
    "mobile_phone": (parse_phone, re.compile(r"^ (?=[0-9])")),
}
"""How a value is read, and the spaces in it that may have been a `+`."""


def _is_valid(parse: Callable[[str], str], text: str) -> bool:
    try:
        parse(text.strip())
    except ValueError:
        return False
    return True


def _enquiry(known: Mapping[str, Any], contact: Mapping[str, Any]) -> dict[str, Any]:
    values = {column: known[name] for name, column in ENQUIRY_FIELDS.items() if name in known}
    return {name: _strip(value) for name, value in values.items()} | {
        CONTACT: {name: _strip(value) for name, value in contact.items()}
    }


def _pick(known: Mapping[str, Any], names: Iterable[str]) -> dict[str, Any]:
    return {name: known[name] for name in names if name in known}


def _strip(value: Any) -> Any:
    return value.strip() if isinstance(value, str) else value
