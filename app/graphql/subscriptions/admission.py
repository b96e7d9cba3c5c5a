"""Whether the user of a connection that stays is let in still, and how it ends where they are not."""

import asyncio
from contextlib import suppress
from time import time

from app.access.auth import Authenticator, Viewer, find_viewer
from app.errors import ApiError, Code
from app.graphql.subscriptions.hub import TRY_AGAIN_LATER, Cut

FORBIDDEN = 4403
"""The close code of who is not let in, or not any more."""
LOOK_SECONDS = 60.0
"""How often it is looked whether the user of a silent connection is still let in."""


class Admission:
    """Of one connection. `cut` ends it; the token comes with its first message or request."""

    def __init__(self, gate: Authenticator, cut: Cut, authorization: str | None = None) -> None:
        self.authorization = authorization
        self.viewer: Viewer | None = None
        self._gate = gate
        self._cut = cut
        self._expires = 0.0

    async def count(self, address: str | None) -> None:
        """RATE_LIMITED where this user or address has sent too much; as `Authenticator.identify`."""
        await self._gate.identify(self.authorization, address)

    async def admit(self) -> Viewer:
        """Whoever it is, if they are let in still; else it is the connection's end, and the error is raised again."""
        try:
            identity = await self._gate.tokens.identify(self.authorization)
            self._expires = identity.expires
            self.viewer = await find_viewer(self._gate.db, identity)
        except Exception as error:
            self.refuse(error)
            raise
        return self.viewer

    def refuse(self, error: Exception) -> None:
        """Ends the connection as the error says."""
        if isinstance(error, ApiError) and error.code is Code.UNAUTHENTICATED:
            self._cut(FORBIDDEN, error.message)
        else:
            self._cut(TRY_AGAIN_LATER, error.message if isinstance(error, ApiError) else "Try again later")

    async def look(self) -> None:
        """Ends the connection when its token does, or its user is switched off, and nothing else happens."""
        with suppress(Exception):  # `admit` has decided how it ends
            while True:
                await asyncio.sleep(min(max(self._expires - time(), 0), LOOK_SECONDS))
                await self.admit()
