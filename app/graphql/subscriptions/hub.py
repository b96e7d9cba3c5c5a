"""The hub delivers the changes of offers that a process receives to those of its subscribers who can see them.

One statement finds the recipients of all pending changes. A subscriber has at most one pending change per offer,
however often the offer changes, and reads the offer when the event is sent. All subscribers of one user share these
reads. No subscriber waits until another has received an event, but they take turns to prepare theirs: one in each round
of the event loop, so that other requests are served in between.
"""

import asyncio
import logging
from collections import defaultdict, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import Context

from sqlmodel import col, select

from app.access import visibility
from app.db.change_feed import CHANNEL, OfferChange, read_notice
from app.db.engine import Database
from app.db.functions import member_of
from app.db.listener import Listener
from app.db.models import LeadOffer, User
from app.errors import ApiError, Code
from app.graphql.subscriptions.close_codes import CloseCode
from app.graphql.subscriptions.shared_reads import SharedReads

logger = logging.getLogger(__name__)

MAX_PENDING = 1_000
"""Changed offers that may wait to be sent to one subscriber."""
LISTEN_SECONDS = 5.0
"""How long a new subscriber waits until PostgreSQL's notifications arrive."""
RETRY_SECONDS = 2
"""After how many seconds a client that cannot subscribe may try again."""

RESUBSCRIBE = "Subscribe again, then query for the current state."

Close = Callable[[int, str], None]
"""Ends a subscriber's connection with a close code and a reason."""


class Turns:
    """Lets tasks go on one after the other: one in each round of the event loop."""

    def __init__(self) -> None:
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._is_scheduled = False

    async def wait(self) -> None:
        """Return when it is the task's turn."""
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        self._schedule()
        await turn

    def _schedule(self) -> None:
        if self._waiting and not self._is_scheduled:
            self._is_scheduled = True
            asyncio.get_running_loop().call_soon(self._next, context=Context())

    def _next(self) -> None:
        self._is_scheduled = False
        turn = self._waiting.popleft()
        if not turn.done():  # its task may have been cancelled
            turn.set_result(None)
        self._schedule()


class Subscriber:
    """One subscription and the changes that are still to be sent to it."""

    def __init__(self, viewer_id: int, lead_id: int | None, close: Close, turns: Turns | None = None) -> None:
        self.viewer_id = viewer_id
        self.lead_id = lead_id
        self.close = close
        self.reads = SharedReads()
        """The lookups for the change that `next` returned last, shared with the user's other subscribers."""
        self._turns = turns or Turns()
        self._pending: dict[int, tuple[OfferChange, SharedReads]] = {}
        self._has_pending = asyncio.Event()

    def put(self, change: OfferChange, reads: SharedReads | None = None) -> None:
        """Add a pending change. Close the connection if there are too many."""
        earlier, _ = self._pending.get(change.offer_id, (None, None))
        self._pending[change.offer_id] = change.since(earlier), reads or SharedReads()
        self._has_pending.set()
        if len(self._pending) > MAX_PENDING:
            reason = f"More than {MAX_PENDING:,} changes wait to be sent. {RESUBSCRIBE}"
            self.close(CloseCode.TRY_AGAIN_LATER, reason)

    async def next(self) -> OfferChange:
        """Remove and return the oldest pending change when it is the subscriber's turn; wait if there is none."""
        while not self._pending:
            self._has_pending.clear()
            await self._has_pending.wait()
        await self._turns.wait()
        change, reads = self._pending.pop(next(iter(self._pending)))
        self.reads = reads.unless_outdated()
        return change


class Hub:
    """The subscribers of one process. The hub starts to listen when the first one subscribes."""

    def __init__(self, db: Database, listen_url: str) -> None:
        self._db = db
        self._listener = Listener(listen_url, CHANNEL, self._hear, self._close_after_gap) if db.is_postgresql else None
        self._subscribers: set[Subscriber] = set()
        self.turns = Turns()
        self._undelivered: dict[int, OfferChange] = {}
        self._has_undelivered = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []

    async def open(self) -> None:
        """Return once the changes of every later commit will be received. Raise UNAVAILABLE if that takes too long."""
        if not self._tasks:
            # Their reads are no part of the request that happens to be the first.
            self._tasks = [asyncio.create_task(self._deliver_forever(), context=Context())]
            if self._listener:
                self._tasks.append(asyncio.create_task(self._listener.run(), context=Context()))
        if self._listener:
            try:
                async with asyncio.timeout(LISTEN_SECONDS):
                    await self._listener.listening.wait()
            except TimeoutError as error:
                message = "The server receives no changes at the moment. Subscribe again in a few seconds."
                raise ApiError(Code.UNAVAILABLE, message, {"retryAfter": RETRY_SECONDS}) from error

    def close_subscribers(self) -> None:
        """End all subscriptions because the server is shutting down."""
        self._close_all(f"The server is shutting down. {RESUBSCRIBE}")

    async def close(self) -> None:
        """Stop listening."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    @contextmanager
    def subscribe(self, viewer_id: int, lead_id: int | None, close: Close) -> Iterator[Subscriber]:
        """Subscribe to the changes of all offers that the viewer can see, or of those of one lead."""
        subscriber = Subscriber(viewer_id, lead_id, close, self.turns)
        self._subscribers.add(subscriber)
        try:
            yield subscriber
        finally:
            self._subscribers.discard(subscriber)

    def publish(self, changes: Sequence[OfferChange] | None) -> None:
        """Deliver committed changes. None stands for more changes than can be listed: subscribers must query."""
        if changes is None:
            self._close_after_gap()
        elif self._subscribers:
            for change in changes:
                self._undelivered[change.offer_id] = change.since(self._undelivered.get(change.offer_id))
            self._has_undelivered.set()

    def _hear(self, notice: str) -> None:
        self.publish(read_notice(notice))

    def _close_after_gap(self) -> None:
        self._close_all(f"Changes may have been missed. {RESUBSCRIBE}")

    def _close_all(self, reason: str) -> None:
        for subscriber in list(self._subscribers):
            subscriber.close(CloseCode.SERVICE_RESTART, reason)

    async def _deliver_forever(self) -> None:
        while True:
            await self._has_undelivered.wait()
            self._has_undelivered.clear()
            changes, self._undelivered = self._undelivered, {}
            try:
                await self._deliver(changes)
            except Exception:
                logger.exception("Changes of offers could not be delivered; all subscriptions are closed")
                self._close_after_gap()

    async def _deliver(self, changes: Mapping[int, OfferChange]) -> None:
        leads = {change.lead_id for change in changes.values()}
        subscribers: dict[int, list[Subscriber]] = defaultdict(list)
        for one in self._subscribers:
            if one.lead_id is None or one.lead_id in leads:
                subscribers[one.viewer_id].append(one)
        if not subscribers:
            return

        recipients = (
            select(col(LeadOffer.id), col(User.id))
            .join(User, visibility.offers(col(User.id)))
            .where(member_of(col(LeadOffer.id), list(changes)))
            .where(member_of(col(User.id), list(subscribers)))
        )
        async with self._db.read() as session:
            found: dict[int, list[int]] = defaultdict(list)
            for offer_id, user_id in (await session.exec(recipients)).all():
                found[offer_id].append(user_id)

        for change in changes.values():
            for user_id in found[change.offer_id]:
                reads = SharedReads()
                for one in subscribers[user_id]:
                    if one.lead_id in (None, change.lead_id):
                        one.put(change, reads)
                await self.turns.wait()
