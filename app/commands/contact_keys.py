"""Contact keys: the e-mail address and the phone number by which an enquiry finds a contact of its receiver again.

A key is `mailto:` and the address, folded as `fold_email` folds those of users, or `tel:` and the number in E.164. An
imported value that is neither has no key. Several contacts of one owner may have the same key; one of them is found:
the first that got it. Once that contact loses it, the oldest of the others is found.

The unique index of the keys that are found is where two simultaneous enquiries of one new person meet. Everything that
writes an address or a number of a contact calls one of these functions in the same transaction.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import Insert, and_, bindparam, delete, exists, func, insert, literal, select, text, true, update
from sqlalchemy.dialects import postgresql
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.orm import aliased
from sqlmodel import SQLModel, col
from sqlmodel.ext.asyncio.session import AsyncSession

from app.db.bulk import CHUNK, insert_rows
from app.db.compiled import Statement
from app.db.functions import member_of, rows_parameter, set_parameter
from app.db.models import Contact, ContactKey
from app.db.sqlalchemy_internals import detached
from app.db.types import Id
from app.domain.phones import parse_phone
from app.domain.validation import fold_address

EMAIL, PHONE = "mailto:", "tel:"


def keys_of(email: str | None, mobile_phone: str | None) -> list[str]:
    """Return the keys of a contact with this stored address and number, in ascending order."""
    keys = [EMAIL + fold_address(email)] if email else []
    try:
        return [*keys, PHONE + parse_phone(mobile_phone)] if mobile_phone else keys
    except ValueError:
        return keys


async def find_contacts(session: AsyncSession, owner_id: int, keys: Sequence[str]) -> Mapping[str, Contact]:
    """Return the contact that is found by each key, without a lock. Keys that no contact has are left out."""
    return dict(await _FOUND.all(session, owner_id=owner_id, keys=keys))


async def take_keys(session: AsyncSession, owner_id: int, contact_id: int, keys: Collection[str]) -> Mapping[str, int]:
    """Let the contact be found by each key that no other contact is found by, and return who is found by each.

    The result is final: whoever is found keeps the key until the transaction ends.
    """
    return dict(await _TAKE.all(session, owner_id=owner_id, contact_id=contact_id, taken=[(key,) for key in keys]))


async def add_keys(
    session: AsyncSession, owner_id: int, contact_id: int, keys: Collection[str], found: Mapping[str, int] | None = None
) -> None:
    """Give the contact these keys. It is found by those that no other contact is found by.

    `found` is what `take_keys` has returned for them, if the caller has called it.
    """
    if not keys:
        return
    if found is None:
        found = await take_keys(session, owner_id, contact_id, keys)
    if others := [(key,) for key in keys if found[key] != contact_id]:
        await _ADD.run(session, owner_id=owner_id, contact_id=contact_id, added=others)


async def change_keys(session: AsyncSession, contact: Contact) -> None:
    """Write the keys of a contact whose address or number has changed. The caller has locked the contact."""
    stored = set(await _OF_CONTACT.all(session, contact_id=contact.id))
    current = {*keys_of(contact.email, contact.mobile_phone)}
    for key in sorted(stored ^ current):
        if key in current:
            await add_keys(session, contact.owner_id, contact.id, [key])
        elif await _REMOVE.one(session, owner_id=contact.owner_id, key=key, contact_id=contact.id):
            await _find_next(session, contact.owner_id, key)


async def _find_next(session: AsyncSession, owner_id: int, key: str) -> None:
    """Let the oldest contact be found that has the key. It may be losing the key, too: then the next one is."""
    while (oldest := await _OLDEST.one(session, owner_id=owner_id, key=key)) is not None:
        if await _FIND.all(session, owner_id=owner_id, key=key, contact_id=oldest):
            return


async def add_keys_in_bulk(connection: AsyncConnection, contacts: Iterable[Mapping[str, Any]]) -> None:
    """Write the keys of new contacts: rows with their columns, of any owners. Nobody else writes keys meanwhile."""
    table = SQLModel.metadata.tables["contact_keys"]
    oldest_first = sorted(contacts, key=lambda contact: int(contact["id"]))
    for start in range(0, len(oldest_first), CHUNK):
        chunk = oldest_first[start : start + CHUNK]
        rows = [
            {"owner_id": each["owner_id"], "value": key, "contact_id": each["id"], "is_found": False}
            for each in chunk
            for key in keys_of(each["email"], each["mobile_phone"])
        ]
        await insert_rows(connection, table, rows)
        await connection.execute(_find_oldest_of([each["id"] for each in chunk]))


# Statements

_KEYS = SQLModel.metadata.tables["contact_keys"]
_OWNER_ID = bindparam("owner_id", type_=Id)
_CONTACT_ID = bindparam("contact_id", type_=Id)
_IS_FOUND = text("is_found")
_WITH_KEY = and_(_KEYS.c.owner_id == _OWNER_ID, _KEYS.c.value == bindparam("key"))

_contact = detached(Contact)
_FOUND = Statement(
    select(_KEYS.c.value, *SQLModel.metadata.tables["contacts"].columns)
    .join_from(_KEYS, SQLModel.metadata.tables["contacts"], col(Contact.id) == _KEYS.c.contact_id)
    .where(_KEYS.c.owner_id == _OWNER_ID, member_of(_KEYS.c.value, set_parameter("keys", _KEYS.c.value)), _IS_FOUND),
    lambda key, *columns: (key, _contact(*columns)),
)


def _take() -> Insert:
    """Insert keys that are found, in ascending order, which is that of their locks.

    Where another contact is found, its row is updated to what it is: that waits for a transaction that is writing it,
    and locks it, so that it is not removed before the keys that are not found are there to follow it.
    """
    taken = rows_parameter("taken", _KEYS.c.value)
    row = {"owner_id": _OWNER_ID, "value": taken.c.value, "contact_id": _CONTACT_ID, "is_found": true()}
    # SQLite accepts PostgreSQL's ON CONFLICT; without a WHERE it would read ON as the start of a join.
    rows = select(*row.values()).where(true()).order_by(taken.c.value)
    return (
        postgresql.insert(_KEYS)
        .from_select(list(row), rows)
        .on_conflict_do_update(
            index_elements=["owner_id", "value"], index_where=_IS_FOUND, set_={"is_found": _KEYS.c.is_found}
        )
        .returning(_KEYS.c.value, _KEYS.c.contact_id)
    )


_TAKE = Statement(_take(), lambda key, contact_id: (key, contact_id))

_ADDED = rows_parameter("added", _KEYS.c.value)
_ADD = Statement[None](
    insert(_KEYS).from_select(
        ["owner_id", "value", "contact_id", "is_found"], select(_OWNER_ID, *_ADDED.c, _CONTACT_ID, literal(False))
    )
)
_OF_CONTACT = Statement(select(_KEYS.c.value).where(_KEYS.c.contact_id == _CONTACT_ID), str)
_OF_ONE = (_WITH_KEY, _KEYS.c.contact_id == _CONTACT_ID)
_REMOVE = Statement(delete(_KEYS).where(*_OF_ONE).returning(_KEYS.c.is_found), bool)


def _id_or_none(number: int | None) -> int | None:
    return number


_OLDEST = Statement(select(func.min(_KEYS.c.contact_id)).where(_WITH_KEY), _id_or_none)
_FIND = Statement(update(_KEYS).where(*_OF_ONE).values(is_found=True).returning(_KEYS.c.contact_id), int)


def _find_oldest_of(contact_ids: list[int]) -> Any:
    """Let the oldest of these contacts be found by each of their keys that nobody is found by."""
    other, found = aliased(ContactKey), aliased(ContactKey)

    def same(key: Any) -> Any:
        return and_(key.owner_id == col(ContactKey.owner_id), key.value == col(ContactKey.value))

    oldest = select(func.min(other.contact_id)).where(same(other)).correlate(ContactKey).scalar_subquery()
    is_taken = exists(select(1).where(same(found), col(found.is_found)).correlate(ContactKey))
    return (
        update(ContactKey)
        .where(member_of(col(ContactKey.contact_id), contact_ids), col(ContactKey.contact_id) == oldest, ~is_taken)
        .values(is_found=True)
    )
