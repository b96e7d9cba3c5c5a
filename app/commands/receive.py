"""Receives an enquiry: finds or creates its contact, creates the lead, routes it and submits it, in one transaction.

An enquiry may come any number of times. The unique index of external ids decides which of them becomes the lead, and
that of contact keys which of two enquiries of one new person creates the contact. Both writes are made in a savepoint;
if another transaction was first, it is rolled back, and what the other one has written is read.

These statements are compiled, because enquiries are frequent.
"""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, false, func, insert, update
from sqlalchemy.dialects import postgresql
from sqlmodel import SQLModel, col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from app.commands import contacts
from app.commands.contact_keys import EMAIL, add_keys, find_contacts, keys_of, take_keys
from app.commands.lead_routes import find_routed_target
from app.commands.leads import RULES, has_external_id
from app.commands.step_end import set_gives_up_at
from app.commands.submit import Submitted, submit_new_lead
from app.db.compiled import Statement, roll_back, set_savepoint
from app.db.models import Contact, Lead
from app.db.sqlalchemy_internals import detached
from app.db.types import Id, Text
from app.domain import coercion
from app.domain.distribution_targets import MYSELF, Target
from app.domain.enums import DistributionTarget
from app.domain.identifiers import NO_ID, parse_id
from app.domain.validation import Check, Rules, checking
from app.errors import ApiError, Code, Problem

REFUSALS = (
    Code.TEAM_NOT_USABLE,
    Code.ZIPCODE_MISSING,
    Code.NO_TEAM_FOR_ZIPCODE,
    Code.NO_DISTRIBUTION_OPTIONS,
    Code.NO_ELIGIBLE_MEMBERS,
)
"""Errors of a submit after which the lead is kept. Its creator is notified of it as of any lead that nobody takes."""


@dataclass(frozen=True, slots=True)
class Received:
    """The lead of an enquiry, whatever became of its submit."""

    lead: Lead
    is_new: bool
    """False if the enquiry was received before: then nothing was written."""
    contact_is_new: bool
    ignored: tuple[Problem, ...]
    """The optional values that could not be read, by the names of the enquiry's fields, and why."""
    submitted: Submitted | None
    """None if the lead is not new, stays with its creator, or could not be submitted."""
    refusal: ApiError | None
    """Why the lead could not be submitted: one of REFUSALS."""


async def receive_lead(
    session: AsyncSession,
    viewer_id: int,
    enquiry: Mapping[str, Any],
    now: datetime,
    *,
    only_source_id: int | None = None,
) -> Received:
    """Receive an enquiry for the viewer once: the same external id of a source returns the first lead again.

    `enquiry` has the fields of a lead, and `contact` those of a contact, with values of any JSON type. An optional
    value that cannot be read is left out and named in `ignored`. With `only_source_id` every lead is of this source.

    Raises BAD_USER_INPUT if the contact has neither a valid address nor a valid number, the source is not the viewer's
    or the external id is invalid; CONFLICT with `leadId` if the external id is that of another contact's lead.
    """
    with checking() as check:
        read = _read(check, enquiry, only_source_id)
        target = await _target(session, viewer_id, check, read)

    while True:
        known = await _known(session, viewer_id, read)
        if known is not None:
            return Received(known, False, False, read.ignored, None, None)
        await set_savepoint(session)
        try:
            contact_id, contact_is_new = await _contact(session, viewer_id, read)
            lead = await _insert(session, viewer_id, contact_id, read, target, now)
            break
        except _AnotherWasFirst:
            await roll_back(session)

    if target.distribution_target is not DistributionTarget.TEAM_ROLLOUT:
        return Received(lead, True, contact_is_new, read.ignored, None, None)
    try:
        submitted = await submit_new_lead(session, lead, now)
    except ApiError as error:
        if error.code not in REFUSALS:
            raise
        await set_gives_up_at(session, [lead.id], now)
        return Received(lead, True, contact_is_new, read.ignored, None, error)
    return Received(submitted.lead, True, contact_is_new, read.ignored, submitted, None)


class _AnotherWasFirst(Exception):
    """Another transaction has just created the lead or the contact."""


# What the enquiry says


@dataclass(frozen=True, slots=True)
class _Enquiry:
    contact: Mapping[str, Any]
    """The readable fields of the contact. A field that the enquiry does not have is None."""
    keys: list[str]
    lead: Mapping[str, Any]
    """The readable fields of the lead, except its source."""
    source_id: int | None
    ignored: tuple[Problem, ...]


def _read(check: Check, enquiry: Mapping[str, Any], only_source_id: int | None) -> _Enquiry:
    """Read the fields of an enquiry. Problems of those that cannot be left out are noted in `check`."""
    ignored = Check()
    contact = _read_contact(check, ignored, enquiry.get("contact"))
    lead = {
        field: _value(check if field == "external_id" else ignored, field, enquiry.get(field), RULES) for field in RULES
    }
    source_id = _source_id(check, enquiry.get("source_id"), only_source_id)
    keys = keys_of(contact["email"], contact["mobile_phone"])
    return _Enquiry(contact, keys, lead, source_id, tuple(ignored.problems))


def _read_contact(check: Check, ignored: Check, sent: Any) -> dict[str, Any]:
    if not isinstance(sent, Mapping):
        if sent is not None:
            check.refuse("contact", "must be an object with the fields of a contact")
        sent = {}
    reading = Check()
    contact = {field: _value(reading, f"contact.{field}", sent.get(field), contacts.RULES) for field in contacts.RULES}
    if contact["email"] or contact["mobile_phone"]:
        ignored.problems += reading.problems
        return contact
    ways = ("contact.email", "contact.mobile_phone")
    unreadable = [problem for problem in reading.problems if problem.field in ways]
    check.problems += unreadable
    if not check.problems:
        check.refuse("contact", "needs an e-mail address or a phone number")
    return contact


_COERCE: Mapping[str, Callable[[Any], Any]] = {"zipcode": coercion.zipcode, "listing_price": coercion.price}
"""How the values of fields are read that are not text."""


def _value(check: Check, path: str, value: Any, rules: Rules) -> Any:
    """Return the value of a field. Return None for null and blank text, and for an invalid value after noting it."""
    field = path.rpartition(".")[2]
    if coercion.is_blank(value):
        return None
    coerce: Callable[[Any], Any] = _COERCE.get(field, coercion.text)
    try:
        coerced = coerce(value)
    except ValueError as error:
        check.refuse(path, f"{_shown(value)} {error}")
        return None
    return rules[field](check, path, coerced)


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _source_id(check: Check, value: Any, only_source_id: int | None) -> int | None:
    if coercion.is_blank(value):
        return only_source_id
    try:
        source_id = parse_id(coercion.text(value).strip()) or NO_ID
    except ValueError:
        source_id = NO_ID
    if only_source_id not in (None, source_id):
        check.refuse("source_id", "is not the id of the lead source that this API key is for")
        return only_source_id
    return source_id


async def _target(session: AsyncSession, viewer_id: int, check: Check, read: _Enquiry) -> Target:
    """Return where the routes of its source send the lead."""
    if read.source_id is None:
        return MYSELF
    target = await find_routed_target(session, viewer_id, read.source_id, read.lead["type"])
    if target is None:
        check.refuse("source_id", "is not the id of a lead source that you entered")
        return MYSELF
    return target


# The lead of an earlier call

_LEADS, _CONTACTS = SQLModel.metadata.tables["leads"], SQLModel.metadata.tables["contacts"]
_lead = detached(Lead)
_KNOWN = Statement(
    select(Lead, Contact.email, Contact.mobile_phone)
    .join(Contact, col(Contact.id) == col(Lead.contact_id))
    .where(has_external_id(bindparam("creator_id"), bindparam("external_id"), bindparam("source_id", type_=Id))),
    lambda *columns: (_lead(*columns[:-2]), keys_of(*columns[-2:])),
)


async def _known(session: AsyncSession, viewer_id: int, read: _Enquiry) -> Lead | None:
    """Return the lead with the enquiry's external id. Raises CONFLICT if it cannot be of the same person."""
    external_id = read.lead["external_id"]
    if external_id is None:
        return None
    found = await _KNOWN.first(
        session, creator_id=viewer_id, external_id=external_id, source_id=read.source_id or NO_ID
    )
    if found is None:
        return None
    lead, keys = found
    if not {*keys} & {*read.keys}:
        raise ApiError(
            Code.CONFLICT,
            f"Lead {lead.id} has this external id, and its contact has another e-mail address and phone number. Each "
            "enquiry of a source needs an external id of its own.",
            {"leadId": str(lead.id)},
        )
    return lead


# The contact


async def _contact(session: AsyncSession, viewer_id: int, read: _Enquiry) -> tuple[int, bool]:
    """Return the id of the enquiry's contact, and whether it is new. Raises _AnotherWasFirst."""
    found = await find_contacts(session, viewer_id, read.keys)
    contact = _choose(found, read.contact["email"])
    if contact is not None:
        if any(value is not None and getattr(contact, field) is None for field, value in read.contact.items()):
            await _fill_in(session, contact, read, found)
        return contact.id, False

    contact_id = await _NEW_CONTACT.one(session, owner_id=viewer_id, **read.contact)
    await _give_keys(session, viewer_id, contact_id, read.keys, found)
    return contact_id, True


def _choose(found: Mapping[str, Contact], email: str | None) -> Contact | None:
    """Return the contact of an enquiry with this address, among those that are found by its keys.

    That is the one with the same address, else the one with the same number, unless both have an address.
    """
    for key, contact in sorted(found.items()):  # the address comes first
        if key.startswith(EMAIL) or email is None or contact.email is None:
            return contact
    return None


async def _fill_in(session: AsyncSession, contact: Contact, read: _Enquiry, found: Mapping[str, Contact]) -> None:
    """Add what the contact lacks. Raises _AnotherWasFirst if it may not be the enquiry's contact any more."""
    sent = {f"sent_{field}": value for field, value in read.contact.items()}
    filled = await _FILL_IN.first(
        session, contact_id=contact.id, email=contact.email, mobile_phone=contact.mobile_phone, **sent
    )
    if filled is None:
        raise _AnotherWasFirst
    had = keys_of(contact.email, contact.mobile_phone)
    new = [key for key in keys_of(filled.email, filled.mobile_phone) if key not in had]
    await _give_keys(session, contact.owner_id, contact.id, new, found)


async def _give_keys(
    session: AsyncSession, owner_id: int, contact_id: int, keys: list[str], found: Mapping[str, Contact]
) -> None:
    """Give the contact keys. Raises _AnotherWasFirst if one of them finds another contact than when it was `found`."""
    finders = await take_keys(session, owner_id, contact_id, keys) if keys else {}
    if any(finder != contact_id and (key not in found or found[key].id != finder) for key, finder in finders.items()):
        raise _AnotherWasFirst
    await add_keys(session, owner_id, contact_id, keys, finders)


_FILL_IN = Statement(
    update(_CONTACTS)
    .where(
        _CONTACTS.c.id == bindparam("contact_id"),
        *(_CONTACTS.c[name].is_not_distinct_from(bindparam(name, type_=Text)) for name in ("email", "mobile_phone")),
    )
    .values({name: func.coalesce(_CONTACTS.c[name], bindparam(f"sent_{name}", type_=Text)) for name in contacts.RULES})
    .returning(*_CONTACTS.columns),
    detached(Contact),
)
"""Fills in what a contact lacks, unless its address or its number has changed."""

_NEW_CONTACT = Statement(
    insert(_CONTACTS)
    .values({name: bindparam(name) for name in ("owner_id", *contacts.RULES)})
    .returning(_CONTACTS.c.id),
    int,
)


# The lead

_WRITTEN = (
    "contact_id",
    "creator_id",
    "source_id",
    *Target.__dataclass_fields__,
    *RULES,
    "created_at",
    "watched_since",
)
_NEW_LEAD = Statement(
    postgresql.insert(_LEADS)
    .values({name: bindparam(name) for name in _WRITTEN} | dict.fromkeys(("was_released", "was_exhausted"), false()))
    .on_conflict_do_nothing()  # only the unique index of external ids can be violated
    .returning(*_LEADS.columns),
    _lead,
)


async def _insert(
    session: AsyncSession, viewer_id: int, contact_id: int, read: _Enquiry, target: Target, now: datetime
) -> Lead:
    """Write the lead. Raises _AnotherWasFirst if its source has brought a lead with this external id."""
    lead = await _NEW_LEAD.first(
        session,
        contact_id=contact_id,
        creator_id=viewer_id,
        source_id=read.source_id,
        created_at=now,
        watched_since=now,
        **asdict(target),
        **read.lead,
    )
    if lead is None:
        raise _AnotherWasFirst
    return lead
