"""API keys: programs sign in with them as the user who made them."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import or_
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from app.access import visibility
from app.access.api_keys import is_active, new_key
from app.access.auth import INTAKE_ALONE
from app.commands.lead_sources import check_source
from app.commands.locks import lock_api_key, lock_keys_of_user
from app.commands.users import get_user
from app.db.models import ApiKey, ApiKeyScope
from app.domain.api_key_form import SHOWN_LENGTH, hash_key, is_well_formed
from app.domain.bounds import MOST_API_KEYS
from app.domain.enums import ApiScope
from app.domain.identifiers import NO_ID, parse_id
from app.domain.timestamps import format_instant
from app.domain.validation import Check, checking, fold
from app.errors import ApiError, Code


@dataclass(frozen=True, slots=True)
class NewApiKey:
    """A key that was just created, and its text, which is stored nowhere."""

    row: ApiKey
    key: str


async def create_api_key(session: AsyncSession, viewer_id: int, new: Mapping[str, Any], now: datetime) -> NewApiKey:
    """Create an API key for the viewer. `new` has `name` and `scopes`, and perhaps `source_id` and `expires_at`.

    Raises BAD_USER_INPUT, and CONFLICT if an active key has the name or there are MOST_API_KEYS active keys.
    """
    with checking() as check:
        name = check.name("name", new["name"])
        scopes = _check_scopes(check, new["scopes"])
        expires_at = _check_expiry(check, new.get("expires_at"), now)
        source_id = new.get("source_id")
        if source_id is not None and {*scopes} != INTAKE_ALONE:
            check.refuse("source_id", "is only allowed for a key with the scope INTAKE alone")
        else:
            await check_source(session, viewer_id, check, "source_id", source_id)
    await _check_others(session, viewer_id, name, now)

    key = new_key()
    row = ApiKey(
        user_id=viewer_id,
        name=name,
        prefix=key[:SHOWN_LENGTH],
        hash=hash_key(key),
        source_id=source_id,
        created_at=now,
        expires_at=expires_at,
    )
    session.add(row)
    await session.flush()
    session.add_all([ApiKeyScope(api_key_id=row.id, scope=scope) for scope in scopes])
    await session.flush()
    return NewApiKey(row, key)


async def revoke_api_key(session: AsyncSession, viewer_id: int, key_id: int, now: datetime) -> ApiKey:
    """End one of the viewer's API keys: the next request with it fails. A revoked key keeps the time of its end.

    Raises NOT_FOUND.
    """
    row = await lock_api_key(session, viewer_id, key_id)
    if row is None:
        raise ApiError(Code.NOT_FOUND, "There is no API key with this id.")
    if row.revoked_at is None:
        row.revoked_at = now
        await session.flush()
    return row


async def keys_of_user(session: AsyncSession, email: str) -> Sequence[tuple[ApiKey, Sequence[ApiScope]]]:
    """Return the API keys of the user with this address, by id, each with its scopes. Raises NOT_FOUND."""
    user = await get_user(session, email)
    keys = (await session.exec(select(ApiKey).where(visibility.api_keys(user.id)).order_by(col(ApiKey.id)))).all()
    of_them = select(ApiKeyScope).join(ApiKey).where(visibility.api_keys(user.id)).order_by(col(ApiKeyScope.scope))
    scopes: dict[int, list[ApiScope]] = defaultdict(list)
    for each in await session.exec(of_them):
        scopes[each.api_key_id].append(each.scope)
    return [(key, scopes[key.id]) for key in keys]


async def find_api_key(session: AsyncSession, wanted: str) -> ApiKey:
    """Return the API key of any user by its id, its first characters, or all of them. Raises NOT_FOUND."""
    if is_well_formed(wanted):
        is_wanted = col(ApiKey.hash) == hash_key(wanted)
    else:
        is_wanted = or_(col(ApiKey.id) == (parse_id(wanted) or NO_ID), col(ApiKey.prefix) == wanted)
    keys = (await session.exec(select(ApiKey).where(is_wanted))).all()
    if len(keys) != 1:
        problem = "Several API keys begin so; use the id." if keys else "There is no such API key."
        raise ApiError(Code.NOT_FOUND, f"{problem} `lead-offers key list EMAIL` lists the keys of a user.")
    return keys[0]


async def _check_others(session: AsyncSession, viewer_id: int, name: str, now: datetime) -> None:
    """Raise CONFLICT if the viewer's active keys leave no room for one of this name. Keeps others from being added."""
    await lock_keys_of_user(session, viewer_id)
    active = select(ApiKey.name).where(visibility.api_keys(viewer_id), is_active(now))
    names = (await session.exec(active)).all()
    if fold(name) in map(fold, names):
        message = f"You already have an active API key named {name}. Choose another name, or revoke that key first."
        raise ApiError(Code.CONFLICT, message)
    if len(names) >= MOST_API_KEYS:
        message = f"You already have {MOST_API_KEYS} active API keys, which is the maximum. Revoke one first."
        raise ApiError(Code.CONFLICT, message)


def _check_scopes(check: Check, scopes: Sequence[ApiScope]) -> Sequence[ApiScope]:
    if not scopes:
        check.refuse("scopes", "must name at least one scope")
    for scope in ApiScope:
        if scopes.count(scope) > 1:
            check.refuse("scopes", f"must not name {scope.name} more than once")
    return scopes


def _check_expiry(check: Check, expires_at: datetime | None, now: datetime) -> datetime | None:
    if expires_at is None:
        return None
    before = len(check.problems)
    if check.instant("expires_at", expires_at) <= now and len(check.problems) == before:
        check.refuse("expires_at", f"must be after {format_instant(now)}, which is now")
    return expires_at
