"""Contact keys: which contact each address and number finds, whoever writes it."""

from collections import defaultdict
from typing import Any

import pytest
from sqlmodel import select

from app.commands.contact_keys import find_contacts, keys_of
from app.commands.contacts import create_contact, update_contact
from app.commands.leads import create_lead
from app.db.engine import Database
from app.db.models import Contact, ContactKey, User
from app.importer import import_lists
from app.sample_data import Size, fill
from tests.support.world import NOW, Cast, World

MAIL, PHONE = "mary@example.com", "+12025550123"
MAIL_KEY, PHONE_KEY = f"mailto:{MAIL}", f"tel:{PHONE}"


async def check_keys(database: Database) -> None:
    """Check that the keys are those of the contacts, and that exactly one contact is found by each."""
    async with database.read() as session:
        contacts = (await session.exec(select(Contact))).all()
        keys = (await session.exec(select(ContactKey))).all()
    expected = {(c.owner_id, key, c.id) for c in contacts for key in keys_of(c.email, c.mobile_phone)}
    assert {(key.owner_id, key.value, key.contact_id) for key in keys} == expected
    found: dict[tuple[int, str], list[int]] = defaultdict(list)
    for key in keys:
        found[key.owner_id, key.value] += [key.contact_id] if key.is_found else []
    assert [key for key, ids in found.items() if len(ids) != 1] == []


async def found_by(database: Database, owner: User) -> dict[str, int]:
    """Return the id of the contact that each key finds."""
    async with database.read() as session:
        keys = [key.value for key in await session.exec(select(ContactKey))]
        return {key: each.id for key, each in (await find_contacts(session, owner.id, sorted({*keys}))).items()}


async def create(database: Database, owner: User, **fields: Any) -> int:
    async with database.write() as session:
        return (await create_contact(session, owner.id, fields)).id


async def update(database: Database, owner: User, contact_id: int, **changes: Any) -> None:
    async with database.write() as session:
        await update_contact(session, owner.id, contact_id, changes)


@pytest.mark.parametrize(
    ("email", "phone", "keys"),
    [
        (MAIL, PHONE, [MAIL_KEY, PHONE_KEY]),
        ("Mary@EXAMPLE.com", None, [MAIL_KEY]),
        ("JOSÉ@example.com", None, ["mailto:josé@example.com"]),
        ("jose\u0301@example.com", None, ["mailto:josé@example.com"]),
        (None, "(202) 555-0123", [PHONE_KEY]),
        (MAIL, "call me", [MAIL_KEY]),
        (None, "+1 202 555 0123 ext. 7", []),
        (None, None, []),
    ],
)
def test_keys_are_folded_and_only_of_valid_values(email: str | None, phone: str | None, keys: list[str]) -> None:
    assert keys_of(email, phone) == keys


async def test_the_first_contact_with_a_key_is_found(database: Database, cast: Cast) -> None:
    first = await create(database, cast.alice, email=MAIL)
    second = await create(database, cast.alice, email=MAIL.upper(), mobile_phone=PHONE)
    other = await create(database, cast.bob, email=MAIL)
    assert await found_by(database, cast.alice) == {MAIL_KEY: first, PHONE_KEY: second}
    assert await found_by(database, cast.bob) == {MAIL_KEY: other}
    await check_keys(database)


async def test_the_oldest_of_the_others_follows(database: Database, cast: Cast) -> None:
    first, second, third = [await create(database, cast.alice, email=MAIL, mobile_phone=PHONE) for _ in range(3)]
    await update(database, cast.alice, second, email=None)
    await update(database, cast.alice, first, email="new@example.com")
    assert await found_by(database, cast.alice) == {
        MAIL_KEY: third,
        "mailto:new@example.com": first,
        PHONE_KEY: first,
    }
    await update(database, cast.alice, first, email=MAIL, mobile_phone=None)
    assert await found_by(database, cast.alice) == {MAIL_KEY: third, PHONE_KEY: second}
    await update(database, cast.alice, third, first_name="Mia")
    await update(database, cast.alice, third, email=MAIL.upper())
    assert (await found_by(database, cast.alice))[MAIL_KEY] == third
    await check_keys(database)


async def test_a_contact_without_keys_gets_them_when_it_is_changed(
    database: Database, world: World, cast: Cast
) -> None:
    """A server of an earlier version may have entered it."""
    contact = Contact(owner_id=cast.alice.id, email=MAIL)
    await world.add(contact)
    assert await found_by(database, cast.alice) == {}
    await update(database, cast.alice, contact.id, first_name="Mary")
    assert await found_by(database, cast.alice) == {MAIL_KEY: contact.id}


async def test_a_lead_with_a_new_contact_writes_its_keys(database: Database, cast: Cast) -> None:
    async with database.write() as session:
        lead = await create_lead(session, cast.alice.id, {"contact": {"email": MAIL}}, NOW)
    assert await found_by(database, cast.alice) == {MAIL_KEY: lead.contact_id}


async def test_imports_write_keys(database: Database, world: World, cast: Cast) -> None:
    """A contact of the file is found by a key only if no contact of its owner is found by it already."""
    known = await world.contact(cast.alice, id=50, email=None)
    contacts = [
        {"id": 9, "owner_user_id": cast.alice.id, "email": MAIL, "mobile_phone": PHONE},
        {"id": 8, "owner_user_id": cast.alice.id, "email": MAIL.upper(), "mobile_phone": "call me"},
        {"id": 7, "owner_user_id": cast.bob.id, "email": MAIL},
    ]
    async with database.write() as session:
        await import_lists(session, {"contacts": contacts}, NOW)
    assert await found_by(database, cast.alice) == {MAIL_KEY: 8, PHONE_KEY: known.id}
    assert await found_by(database, cast.bob) == {MAIL_KEY: 7}
    await check_keys(database)


async def test_sample_data_has_keys(database: Database) -> None:
    await fill(database, Size(teams=2, members=2, leads=50))
    await check_keys(database)
    async with database.read() as session:
        assert len((await session.exec(select(ContactKey))).all()) > 50
