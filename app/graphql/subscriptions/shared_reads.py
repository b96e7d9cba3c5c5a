"""Lookups that the subscriptions of one user share: each runs once for a change, however many connections show it."""

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from datetime import datetime

    from app.access.field_access import AccessContext
    from app.graphql.loaders import Loaders

T = TypeVar("T")

OUTDATED_SECONDS = 5.0
"""How long the reads are shared. A subscription that is sent later, because its client reads slowly, reads again."""


class SharedReads:
    """The lookups that have begun, and the loaders of the response, which depend on the scopes of a token."""

    def __init__(self) -> None:
        self._created = asyncio.get_running_loop().time()
        self._lookups: dict[Hashable, asyncio.Task[Any]] = {}
        self.loaders: dict[frozenset[str], tuple[datetime, AccessContext, Loaders]] = {}

    def unless_outdated(self) -> "SharedReads":
        """Return this object, or a new one if it is too old to be shared."""
        is_recent = asyncio.get_running_loop().time() - self._created < OUTDATED_SECONDS
        return self if is_recent else SharedReads()

    async def once(self, key: Hashable, read: Callable[[], Awaitable[T]]) -> T:
        """Return the result of `read`, which runs for the first subscription that asks for the key."""
        lookup = self._lookups.get(key)
        if lookup is None:

            async def run() -> T:
                return await read()

            lookup = self._lookups[key] = asyncio.create_task(run())
        result: T = await asyncio.shield(lookup)  # a client that goes must not take it from the others
        return result
