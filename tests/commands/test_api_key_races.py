"""API keys that are made or revoked at once. One transaction runs while the other has done all but its commit."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import pytest
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from app.commands.api_keys import create_api_key, revoke_api_key
from app.commands.submit import submit_lead_offers
from app.db.engine import Database
from app.db.models import ApiKey
from app.domain.bounds import MOST_API_KEYS
from app.domain.enums import ApiScope
from app.errors import ApiError, Code
from tests.support.api import Api, days_are_noted
from tests.support.world import NOW, Cast, World, at

STARTS_WITHIN = 0.2
"""Seconds after which the second transaction has got as far as it can before the first one commits."""

ME = {"query": "{ me { id } }"}

Work = Callable[[AsyncSession], Awaitable[Any]]


def making(user_id: int, name: str) -> Work:
    return lambda session: create_api_key(session, user_id, {"name": name, "scopes": [ApiScope.READ]}, NOW)


async def outcome(result: Awaitable[Any]) -> Any:
    """Return the result, or the code of its error."""
    try:
        return await result
    except ApiError as error:
        return error.code


async def side_by_side(database: Database, elsewhere: Database, first: Work, second: Work) -> Any:
    """Run both, and return the outcome of the second, which cannot see the first before its commit."""
    async with database.write() as session:
        await first(session)
        waiting = asyncio.create_task(outcome(elsewhere.in_transaction(second)))
        await asyncio.sleep(STARTS_WITHIN)
    return await waiting


async def active_names(database: Database, user_id: int) -> list[str]:
    async with database.read() as session:
        active = select(ApiKey.name).where(col(ApiKey.user_id) == user_id, col(ApiKey.revoked_at).is_(None))
        return [*(await session.exec(active)).all()]


async def test_two_keys_of_one_name(database: Database, elsewhere: Database, cast: Cast) -> None:
    first, second = making(cast.alice.id, "Site"), making(cast.alice.id, "SITE ")
    assert await side_by_side(database, elsewhere, first, second) is Code.CONFLICT
    assert await active_names(database, cast.alice.id) == ["Site"]


async def test_many_keys_of_one_name_at_once(database: Database, elsewhere: Database, cast: Cast) -> None:
    makes = [outcome(db.in_transaction(making(cast.alice.id, "Site"))) for db in (database, elsewhere) * 4]
    found = Counter(result if isinstance(result, Code) else "made" for result in await asyncio.gather(*makes))
    assert found == {"made": 1, Code.CONFLICT: 7}


async def test_the_last_key_and_one_too_many(database: Database, elsewhere: Database, world: World, cast: Cast) -> None:
    for _ in range(MOST_API_KEYS - 1):
        await world.api_key(cast.alice, ApiScope.READ)
    first, second = making(cast.alice.id, "The last"), making(cast.alice.id, "Too many")
    assert await side_by_side(database, elsewhere, first, second) is Code.CONFLICT
    names = await active_names(database, cast.alice.id)
    assert (len(names), "Too many" in names) == (MOST_API_KEYS, False)


async def test_a_key_is_revoked_twice_at_once(
    database: Database, elsewhere: Database, world: World, cast: Cast
) -> None:
    row, _ = await world.api_key(cast.alice, ApiScope.READ)
    first: Work = lambda session: revoke_api_key(session, cast.alice.id, row.id, NOW)  # noqa: E731
    second: Work = lambda session: revoke_api_key(session, cast.alice.id, row.id, at(1))  # noqa: E731
    assert (await side_by_side(database, elsewhere, first, second)).revoked_at == NOW


async def test_a_key_is_made_while_one_of_its_name_is_revoked(
    database: Database, elsewhere: Database, world: World, cast: Cast
) -> None:
    """The new one waits for nothing on PostgreSQL, and is refused as the old one is still active."""
    row, _ = await world.api_key(cast.alice, ApiScope.READ, name="Site")
    revoke: Work = lambda session: revoke_api_key(session, cast.alice.id, row.id, NOW)  # noqa: E731
    result = await side_by_side(database, elsewhere, revoke, making(cast.alice.id, "Site"))
    assert (result is Code.CONFLICT) == database.is_postgresql
    await elsewhere.in_transaction(making(cast.alice.id, "Other"))


async def test_a_submit_does_not_wait_for_the_keys_of_its_users(
    database: Database, elsewhere: Database, world: World, cast: Cast
) -> None:
    if not database.is_postgresql:
        return  # SQLite lets one transaction write at a time
    lead = await world.lead(cast.alice, cast.team)
    async with database.write() as session:
        await making(cast.alice.id, "One")(session)
        await making(cast.bob.id, "Two")(session)
        async with asyncio.timeout(5):
            await elsewhere.in_transaction(lambda other: submit_lead_offers(other, cast.alice.id, lead.id, NOW))


async def test_a_key_is_revoked_beside_requests(api: Api, elsewhere: Database, world: World, cast: Cast) -> None:
    row, key = await world.api_key(cast.bob, ApiScope.READ)
    bob = replace(api, token=key)
    async with elsewhere.write() as session:
        await revoke_api_key(session, cast.bob.id, row.id, NOW)
        async with asyncio.timeout(5):
            before = [(await bob.post(ME)).status_code for _ in range(3)]
        requests = [asyncio.create_task(bob.post(ME)) for _ in range(20)]
        await asyncio.sleep(0)
    after = [(await bob.post(ME)).status_code for _ in range(3)]
    during = [(await request).status_code for request in requests]
    assert before == [200] * 3, "the revocation is not committed, and the day of use is no reason to wait for it"
    assert after == [401] * 3
    assert {*during} <= {200, 401}


@pytest.mark.parametrize("is_revoked_first", [True, False])
async def test_the_day_of_use_and_a_revocation_both_last(
    api: Api, database: Database, world: World, cast: Cast, is_revoked_first: bool
) -> None:
    row, key = await world.api_key(cast.bob, ApiScope.READ)
    bob = replace(api, token=key)

    async def revoke() -> None:
        await database.in_transaction(lambda session: revoke_api_key(session, cast.bob.id, row.id, NOW))

    if is_revoked_first:
        await revoke()
    response = await bob.post(ME)
    await days_are_noted()
    await revoke()
    assert response.status_code == (401 if is_revoked_first else 200)
    async with database.read() as session:
        after = (await session.exec(select(ApiKey).where(col(ApiKey.id) == row.id))).one()
    assert (after.revoked_at, after.last_used_on) == (NOW, None if is_revoked_first else "2026-03-02")
