"""User accounts: creating, finding, deactivating and activating them."""

from typing import Any

import pytest

from app.commands.users import activate_user, create_user, deactivate_user, find_user
from app.db.engine import Database
from app.db.models import User
from app.errors import ApiError, Code
from tests.support.world import NOW, Cast, World

DORA: dict[str, Any] = {
    "email": " Dora@Example.com ",
    "first_name": " Dora ",
    "last_name": " Example ",
    "timezone": "Europe/Berlin",
}


async def create(database: Database, **fields: Any) -> User:
    async with database.write() as session:
        return await create_user(session, **(DORA | fields))


async def test_a_new_user_is_active_and_stored_in_one_format(database: Database) -> None:
    created = await create(database, phone="(202) 555-0142")
    async with database.read() as session:
        user = await session.get_one(User, created.id)
    assert (user.email, user.first_name, user.last_name) == ("dora@example.com", "Dora", "Example")
    assert (user.timezone, user.phone, user.is_active) == ("Europe/Berlin", "+12025550142", True)
    assert (await create(database, email="emil@example.com")).phone is None


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("email", "dora"),
        ("email", ""),
        ("first_name", " "),
        ("last_name", "x" * 256),
        ("timezone", "Mars/Olympus"),
        ("phone", "555-01"),
    ],
)
async def test_an_invalid_value_is_named(database: Database, field: str, value: str) -> None:
    with pytest.raises(ApiError) as refused:
        await create(database, **{field: value})
    assert (refused.value.code, refused.value.extensions["field"]) == (Code.BAD_USER_INPUT, field)


@pytest.mark.parametrize("email", ["dora@example.com", "DORA@EXAMPLE.COM"])
async def test_an_address_belongs_to_one_user(database: Database, email: str) -> None:
    await create(database)
    with pytest.raises(ApiError) as refused:
        await create(database, email=email)
    assert refused.value.code is Code.CONFLICT
    assert refused.value.message == "A user with the e-mail address dora@example.com already exists."


async def test_a_user_is_found_by_address(database: Database, world: World, cast: Cast) -> None:
    """Also one who is deactivated, and one from before addresses were checked."""
    away = await world.user("Emil", email="emil@example.com", is_active=False)
    old = await world.user("Fred", email="fred at example")
    async with database.read() as session:
        for email, user in (
            (str(cast.bob.email).upper(), cast.bob),
            (" emil@example.com ", away),
            ("fred at example", old),
        ):
            found = await find_user(session, email)
            assert found is not None
            assert found.id == user.id
        assert await find_user(session, "nobody@example.com") is None
        with pytest.raises(ApiError) as refused:
            await find_user(session, "nobody at example")
    assert (refused.value.code, refused.value.extensions) == (Code.BAD_USER_INPUT, {"field": "email"})
    assert refused.value.message.startswith("email: 'nobody at example' ")


async def test_a_deactivated_user_keeps_their_leads(database: Database, world: World, cast: Cast) -> None:
    leads = [await world.lead(cast.alice, cast.team) for _ in range(4)]
    for lead in (leads[2], leads[0]):
        await world.claimed(lead, cast.bob)
    await world.claimed(leads[1], cast.charlie)
    async with database.write() as session:
        held = await deactivate_user(session, str(cast.bob.email), NOW)
        assert [(each.lead.id, each.contact.id) for each in held] == [
            (lead.id, lead.contact_id) for lead in (leads[0], leads[2])
        ]
    async with database.read() as session:
        assert not (await session.get_one(User, cast.bob.id)).is_active
        assert (await session.get_one(User, cast.charlie.id)).is_active
    async with database.write() as session:
        await activate_user(session, str(cast.bob.email))
    async with database.read() as session:
        assert (await session.get_one(User, cast.bob.id)).is_active


async def test_an_unknown_address_is_named(database: Database) -> None:
    async with database.write() as session:
        for refusal in (deactivate_user(session, "no@example.com", NOW), activate_user(session, "no@example.com")):
            with pytest.raises(ApiError) as refused:
                await refusal
            assert refused.value.code is Code.NOT_FOUND
            assert refused.value.message == "No user has the e-mail address no@example.com."
