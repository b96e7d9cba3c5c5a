"""From the changes that a process hears of to those of its subscribers who may see them.

One statement finds out for all subscribers together; what each then sends is read when it is sent. A subscriber holds
one change an offer, however often it changes, and none of them waits for another.
"""

import asyncio
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

from sqlmodel import col, select

from app.access import visibility
from app.db.change_feed import CHANNEL, OfferChange, read_notice
from app.db.engine import Database
from app.db.functions import member_of
from app.db.listener import Listener
from app.db.models import LeadOffer, User

logger = logging.getLogger(__name__)

MOST_WAITING = 1_000
"""Changed offers that a subscriber may be behind."""
PATIENCE = 5.0
"""Seconds that a new subscriber waits for the listener."""

RESTART = 1012
TRY_AGAIN_LATER = 1013

Cut = Callable[[int, str], None]
"""Ends a subscriber's connection with a close code and a reason."""


class Subscriber:
    """One subscription: the changes that it has not sent yet."""

    def __init__(self, viewer_id: int, lead_id: int | None, cut: Cut) -> None:
        self.viewer_id = viewer_id
        self.cut = cut
        self._lead_id = lead_id
        self._waiting: dict[int, OfferChange] = {}
        self._some = asyncio.Event()

    def wants(self, change: OfferChange) -> bool:
        return self._lead_id is None or self._lead_id == change.lead_id

    def put(self, change: OfferChange) -> None:
        """Leaves a change to be sent; who is too far behind is cut off."""
        self._waiting[change.offer_id] = change.since(self._waiting.get(change.offer_id))
        self._some.set()
        if len(self._waiting) > MOST_WAITING:
            self.cut(TRY_AGAIN_LATER, "Too far behind: subscribe again, then query")

    async def next(self) -> OfferChange:
        """The change that has waited longest, as soon as there is one."""
        while not self._waiting:
            self._some.clear()
            await self._some.wait()
        return self._waiting.pop(next(iter(self._waiting)))


class Hub:
    """Of one process. It begins to listen with the first subscriber; `close` it at the end."""

    def __init__(self, db: Database, listen_url: str) -> None:
        self._db = db
        self._listener = Listener(listen_url, CHANNEL, self._hear, self._missed) if db.is_postgresql else None
        self._subscribers: set[Subscriber] = set()
        self._unrouted: dict[int, OfferChange] = {}
        self._some = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []

    async def open(self) -> None:
        """Returns when whatever is committed from now on will be heard. TimeoutError if that takes too long."""
        if not self._tasks:
            self._tasks = [asyncio.create_task(self._route())]
            self._tasks += [asyncio.create_task(self._listener.run())] if self._listener else []
        if self._listener:
            async with asyncio.timeout(PATIENCE):
                await self._listener.listening.wait()

    def dismiss(self) -> None:
        """Ends all subscriptions: the server stops."""
        for subscriber in list(self._subscribers):
            subscriber.cut(RESTART, "The server stops: subscribe again, then query")

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    @contextmanager
    def subscribe(self, viewer_id: int, lead_id: int | None, cut: Cut) -> Iterator[Subscriber]:
        """The changes of offers that the viewer may find, or those of one lead."""
        subscriber = Subscriber(viewer_id, lead_id, cut)
        self._subscribers.add(subscriber)
        try:
            yield subscriber
        finally:
            self._subscribers.discard(subscriber)

    def _hear(self, notice: str) -> None:
        self.publish(read_notice(notice))

    def publish(self, changes: Sequence[OfferChange] | None) -> None:
        """What was committed. None: so much that subscribers had better query."""
        if changes is None:
            self._missed()
        elif self._subscribers:
            for change in changes:
                self._unrouted[change.offer_id] = change.since(self._unrouted.get(change.offer_id))
            self._some.set()

    def _missed(self) -> None:
        for subscriber in list(self._subscribers):
            subscriber.cut(RESTART, "Changes may have been missed: subscribe again, then query")

    async def _route(self) -> None:
        while True:
            await self._some.wait()
            self._some.clear()
            changes, self._unrouted = self._unrouted, {}
            try:
                await self._deliver(changes)
            except Exception:
                logger.exception("Changes of offers were not delivered; their subscribers have to query")
                self._missed()

    async def _deliver(self, changes: Mapping[int, OfferChange]) -> None:
        subscribers = [one for one in self._subscribers if any(map(one.wants, changes.values()))]
        if not subscribers:
            return
        finds = (
            select(col(LeadOffer.id), col(User.id))
            .join(User, visibility.offers(col(User.id)))
            .where(member_of(col(LeadOffer.id), list(changes)))
            .where(member_of(col(User.id), {one.viewer_id for one in subscribers}))
        )
        async with self._db.read() as session:
            found = set((await session.exec(finds)).all())
        for change in changes.values():
            for one in subscribers:
                if (change.offer_id, one.viewer_id) in found and one.wants(change):
                    one.put(change)
