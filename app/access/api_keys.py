"""API keys: makes them, and finds the user of a key in the database, which has the hash of a key alone.

Whether a key is revoked or expired is checked by the statement that finds the viewer, on every request. Nothing here
remembers it.
"""

import asyncio
import logging
import secrets
from collections.abc import Collection
from contextvars import Context
from dataclasses import dataclass
from datetime import UTC, datetime

from cachetools import TTLCache
from sqlalchemy import BindParameter, ColumnElement, and_, bindparam, or_, select, update
from sqlmodel import col

from app.db.compiled import Statement
from app.db.engine import Database
from app.db.models import ApiKey, ApiKeyScope, User
from app.db.types import UTCDateTime
from app.domain.api_key_form import DIGITS, RANDOM_LENGTH, hash_key, is_well_formed, make_key
from app.domain.enums import ApiScope
from app.errors import ApiError, Code

logger = logging.getLogger(__name__)

CACHED_KEYS = 4096
CACHED_SECONDS = 60.0
"""How long the user and the scopes of a key are cached. They never change; keys that are no longer used are dropped."""

NOTE_TASK = "note the use of an API key"
"""The name of a task that writes the day on which a key is used."""


@dataclass(frozen=True, slots=True)
class KeyOfViewer:
    """The API key with which a request was authenticated."""

    id: int
    prefix: str
    """Its first characters, for logs and rate limits."""
    source_id: int | None
    """The only source of the leads that it may bring; None for any."""


@dataclass(slots=True)
class KnownKey:
    """The facts about a key that never change, and the last day, YYYY-MM-DD in UTC, on which its use was noted."""

    user_id: int
    scopes: frozenset[str]
    expires: float
    """Seconds since the epoch; infinite if it never expires."""
    key: KeyOfViewer
    last_used_on: str | None


def new_key() -> str:
    """Return a new random key."""
    return make_key("".join(secrets.choice(DIGITS) for _ in range(RANDOM_LENGTH)))


def is_active(now: datetime | BindParameter[datetime]) -> ColumnElement[bool]:
    """The API key is neither revoked nor expired."""
    return and_(col(ApiKey.revoked_at).is_(None), or_(col(ApiKey.expires_at).is_(None), col(ApiKey.expires_at) > now))


_IS_ACTIVE_NOW = is_active(bindparam("now", type_=UTCDateTime))


class ApiKeys:
    """Finds keys by what clients send, and notes the days on which they are used."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._known: TTLCache[str, KnownKey] = TTLCache(CACHED_KEYS, CACHED_SECONDS)
        self._notes: set[asyncio.Task[None]] = set()
        """Days of use that are being written."""

    async def find(self, key: str, now: datetime) -> KnownKey:
        """Return a key, which may have been revoked since it was cached. Raises UNAUTHENTICATED if there is none."""
        if not is_well_formed(key):
            raise ApiError(Code.UNAUTHENTICATED, "The API key is not valid. Check that it was copied completely.")
        key_hash = hash_key(key)
        known = self._known.get(key_hash)
        if known is None:
            rows = await _BY_HASH.read(self._db, hash=key_hash, now=now)
            if not rows:
                raise invalid_key()
            self._known[key_hash] = known = _known(rows)
        today = now.astimezone(UTC).date().isoformat()
        if known.last_used_on is None or known.last_used_on < today:
            known.last_used_on = today
            # The request does not wait for it: a transaction that takes long would hold it up.
            note = asyncio.create_task(self._note_use(known.key, today, now), name=NOTE_TASK, context=Context())
            self._notes.add(note)
            note.add_done_callback(self._notes.discard)
        return known

    async def close(self) -> None:
        """Return once the days of use are written."""
        await asyncio.gather(*self._notes)

    async def _note_use(self, key: KeyOfViewer, today: str, now: datetime) -> None:
        """Write the day, unless another process has. If that fails, a request in a minute or later tries again."""
        try:
            async with self._db.write() as session:
                await _NOTE_USE.run(session, key_id=key.id, today=today, now=now)
        except Exception:
            logger.warning("The day on which the API key %s is used could not be written", key.prefix)


def invalid_key() -> ApiError:
    """Return the error for a key that signs nobody in."""
    message = "The API key is not valid: it is unknown, revoked or expired, or its user is deactivated."
    return ApiError(Code.UNAUTHENTICATED, message)


_KeyRow = tuple[int, int, str, int | None, datetime | None, str | None, ApiScope]

_BY_HASH: Statement[_KeyRow] = Statement(
    select(
        col(ApiKey.id),
        col(ApiKey.user_id),
        col(ApiKey.prefix),
        col(ApiKey.source_id),
        col(ApiKey.expires_at),
        col(ApiKey.last_used_on),
        col(ApiKeyScope.scope),
    )
    .join(ApiKeyScope, col(ApiKeyScope.api_key_id) == col(ApiKey.id))
    .join(User, col(User.id) == col(ApiKey.user_id))
    .where(col(ApiKey.hash) == bindparam("hash"), _IS_ACTIVE_NOW, col(User.is_active)),
    lambda *columns: columns,
)

_NOTE_USE = Statement[None](
    update(ApiKey)
    .where(
        col(ApiKey.id) == bindparam("key_id"),
        or_(col(ApiKey.last_used_on).is_(None), col(ApiKey.last_used_on) < bindparam("today")),
        _IS_ACTIVE_NOW,
    )
    .values(last_used_on=bindparam("today"))
)


def _known(rows: Collection[_KeyRow]) -> KnownKey:
    """Make a key of its rows, one for each scope."""
    key_id, user_id, prefix, source_id, expires_at, last_used_on, _ = next(iter(rows))
    expires = expires_at.timestamp() if expires_at else float("inf")
    scopes = frozenset(str(row[-1]) for row in rows)
    return KnownKey(user_id, scopes, expires, KeyOfViewer(key_id, prefix, source_id), last_used_on)
