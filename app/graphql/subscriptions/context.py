"""What a subscription has beside what every operation has."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime

from app.access.auth import Viewer
from app.graphql.context import Context
from app.graphql.subscriptions.hub import Cut, Hub


@dataclass(slots=True)
class LiveContext(Context):
    """One operation over a connection that stays. Its events come one after the other, each like a request anew."""

    hub: Hub
    clock: Callable[[], datetime]
    admit: Callable[[], Awaitable[Viewer]]
    cut: Cut

    async def renew(self) -> None:
        """Before each event: who asks, now, and nothing loaded. UNAUTHENTICATED where their token ended since."""
        self.viewer = await self.admit()
        self.now = self.clock()
        self.clear()
