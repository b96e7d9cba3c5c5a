"""The session of a long-lived connection, which is a WebSocket or an event stream.

A session authenticates its user when it begins, before each event, and every minute while nothing happens. It also
decides how the connection ends; the transport then closes it.
"""

import asyncio
from collections.abc import Callable
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from time import time
from typing import TYPE_CHECKING

from app.access.auth import Authenticator, Viewer, find_viewer
from app.config import Settings
from app.errors import ApiError, Code
from app.graphql.context import Context
from app.graphql.document_cache import DocumentCache
from app.graphql.subscriptions.close_codes import CloseCode
from app.graphql.subscriptions.hub import Hub
from app.graphql.subscriptions.operation_limits import RunningOperations
from app.graphql.subscriptions.shared_reads import SharedReads

if TYPE_CHECKING:
    from app.graphql.plans import Plans

RECHECK_SECONDS = 60.0
"""How often the user of an idle session is authenticated again."""


@dataclass(frozen=True, slots=True)
class Services:
    """The objects that all sessions of a server share. `clock` returns the current time."""

    authenticator: Authenticator
    settings: Settings
    clock: Callable[[], datetime]
    documents: DocumentCache
    plans: "Plans"
    hub: Hub
    running: RunningOperations


class Session:
    """One connection. `authorization` is its Authorization header; a WebSocket's comes with its first message."""

    def __init__(self, services: Services, authorization: str | None = None) -> None:
        self.services = services
        self.authorization = authorization
        self.viewer: Viewer | None = None
        self.closing: asyncio.Future[tuple[int, str]] = asyncio.get_running_loop().create_future()
        """The code and the reason with which the connection ends, once that is decided."""
        self._expires = 0.0
        """When the token or key expires, in seconds of the event loop's clock."""

    def close(self, code: int, reason: str) -> None:
        """End the connection. Only the first call has an effect."""
        if not self.closing.done():
            self.closing.set_result((code, reason))

    def close_after(self, error: Exception) -> None:
        """End the connection with the code and reason of an error that prevents authentication."""
        if isinstance(error, ApiError) and error.code in (Code.UNAUTHENTICATED, Code.FORBIDDEN):
            self.close(CloseCode.FORBIDDEN, error.message)
        elif isinstance(error, ApiError):
            self.close(CloseCode.TRY_AGAIN_LATER, error.message)
        else:
            self.close(CloseCode.TRY_AGAIN_LATER, "The server cannot authenticate you at the moment. Try again later.")

    async def count_request(self, address: str | None) -> None:
        """Raise RATE_LIMITED if the user or the address has sent too many requests; else as `authenticate`."""
        await self.services.authenticator.identify(self.authorization, address)

    async def authenticate(self, reads: SharedReads | None = None) -> Viewer:
        """Return the viewer if their token or key is valid and their user active; else end the connection and raise.

        It also ends if the token has come to identify another user. The user is looked up through `reads` if there are
        any.
        """
        authenticator = self.services.authenticator
        try:
            identity = await authenticator.verify(self.authorization)
            now = self.services.clock()
            # Keys expire by the database's clock, as everything stored does, and tokens by that of this machine.
            left = identity.expires - (now.timestamp() if identity.key else time())
            self._expires = asyncio.get_running_loop().time() + left
            find = partial(find_viewer, authenticator.db, identity, now)
            found = await (reads.once((identity.user_id, identity.email, identity.key), find) if reads else find())
            if self.viewer is not None and self.viewer.id != found.id:
                # Its subscriptions are those of the earlier user, whom the token identified by an e-mail address.
                raise ApiError(Code.UNAUTHENTICATED, "The e-mail address belongs to another user now. Connect again.")
            self.viewer = Viewer(found.user, identity.scopes, identity.key)
        except Exception as error:
            self.close_after(error)
            raise
        return self.viewer

    async def recheck(self) -> None:
        """Authenticate when the token or key expires and every RECHECK_SECONDS, until that fails."""
        loop = asyncio.get_running_loop()
        with suppress(Exception):  # `authenticate` has closed the session
            while True:
                await asyncio.sleep(min(max(self._expires - loop.time(), 0), RECHECK_SECONDS))
                await self.authenticate()

    def count_operation(self) -> AbstractContextManager[None]:
        """Count an operation of the authenticated viewer while it runs. Raise RATE_LIMITED if they run too many."""
        assert self.viewer is not None
        return self.services.running.count(self.viewer.id)

    def context(self) -> "SubscriptionContext":
        """Return the context of an operation of the authenticated viewer."""
        assert self.viewer is not None
        services = self.services
        return SubscriptionContext(
            services.authenticator.db,
            self.viewer,
            services.clock(),
            services.settings,
            services.documents,
            services.plans,
            self,
        )


@dataclass(slots=True)
class SubscriptionContext(Context):
    """The context of one operation on a long-lived connection."""

    session: Session

    async def refresh(self, reads: SharedReads) -> None:
        """Make the context that of a new request, before each event. Raise UNAUTHENTICATED if the token has expired.

        The user's other subscriptions share the lookups in `reads`.
        """
        self.viewer = await self.session.authenticate(reads)
        shared = reads.loaders.get(self.viewer.scopes)
        if shared is None:
            self.now = self.session.services.clock()
            self.clear()
            self.loaders.share()
            reads.loaders[self.viewer.scopes] = self.now, self.access, self.loaders
        else:
            self.now, self.access, self.loaders = shared
