"""The hub delivers the changes that a process receives to those of its subscribers who can see what has changed.

There is one topic for offers and one for leads. In each, one statement finds the recipients of all pending changes. A
subscriber has at most one pending change per offer or lead, however often it changes, and reads the offer or lead when
the event is sent. All subscribers of one user share these reads. No subscriber waits until another has received an
event, but they take turns to prepare theirs: one in each round of the event loop, so that other requests are served in
between.

A subscriber may ask for the changes since a time first. They are delivered together with the pending ones, so that many
clients that connect again at once share one statement.
"""

import asyncio
import logging
from collections import defaultdict, deque
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import Context
from datetime import datetime
from typing import Generic

from app.db.change_feed import (
    CHANNEL,
    LEAD_CHANNEL,
    Change,
    LeadChange,
    OfferChange,
    read_lead_notice,
    read_notice,
)
from app.db.engine import Database
from app.db.listener import Listener
from app.errors import ApiError, Code
from app.graphql.subscriptions.close_codes import CloseCode
from app.graphql.subscriptions.recent_changes import C, RecentChanges
from app.graphql.subscriptions.recipients import Groups, Recipients, lead_recipients, offer_recipients, teams_of_leads
from app.graphql.subscriptions.shared_reads import SharedReads

logger = logging.getLogger(__name__)

MAX_PENDING = 1_000
"""Changed offers, or leads, that may wait to be sent to one subscriber."""
LISTEN_SECONDS = 5.0
"""How long a new subscriber waits until PostgreSQL's notifications arrive."""
RETRY_SECONDS = 2
"""After how many seconds a client that cannot subscribe may try again."""

RESUBSCRIBE = "Subscribe again, then query for the current state."
MISSED = f"Changes may have been missed. {RESUBSCRIBE}"

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


class Subscriber(Generic[C]):
    """One subscription and the changes that are still to be sent to it.

    `only` limits it: to the offers of a lead, or to the leads of a team.
    """

    def __init__(self, viewer_id: int, only: int | None, close: Close, turns: Turns | None = None) -> None:
        self.viewer_id = viewer_id
        self.only = only
        self.close = close
        self.reads = SharedReads()
        """The lookups for the change that `next` returned last, shared with the user's other subscribers."""
        self._turns = turns or Turns()
        self._pending: dict[int, tuple[C, SharedReads]] = {}
        self._has_pending = asyncio.Event()

    def put(self, change: C, reads: SharedReads | None = None) -> None:
        """Add a pending change. Close the connection if there are too many."""
        earlier, _ = self._pending.get(change.key, (None, None))
        self._pending[change.key] = change.since(earlier), reads or SharedReads()
        self._has_pending.set()
        if len(self._pending) > MAX_PENDING:
            reason = f"More than {MAX_PENDING:,} changes wait to be sent. {RESUBSCRIBE}"
            self.close(CloseCode.TRY_AGAIN_LATER, reason)

    async def next(self) -> C:
        """Remove and return the oldest pending change when it is the subscriber's turn; wait if there is none."""
        while not self._pending:
            self._has_pending.clear()
            await self._has_pending.wait()
        await self._turns.wait()
        change, reads = self._pending.pop(next(iter(self._pending)))
        self.reads = reads.unless_outdated()
        return change


Subscribers = Mapping[int, Sequence[Subscriber[C]]]
"""Subscribers by the id of their user."""

Route = Callable[[Mapping[int, C], Subscribers[C]], Awaitable[tuple[Recipients, Groups]]]
"""Returns who can see the changed rows and what those belong to, for some changes by the ids of their rows."""


class Topic(Generic[C]):
    """The subscribers to changes of one kind, and the changes that are not delivered yet."""

    def __init__(self, route: Route[C], turns: Turns, now: Callable[[], datetime]) -> None:
        self._route: Route[C] = route
        self._turns = turns
        self._now = now
        self._subscribers: set[Subscriber[C]] = set()
        self._recent: RecentChanges[C] = RecentChanges()
        self._undelivered: dict[int, C] = {}
        self._replays: dict[Subscriber[C], dict[int, C]] = {}
        """The earlier changes that new subscribers have asked for."""
        self._has_undelivered = asyncio.Event()

    @contextmanager
    def subscribe(
        self, viewer_id: int, only: int | None, close: Close, replay_since: datetime | None = None
    ) -> Iterator[Subscriber[C]]:
        """Subscribe to the changes of all rows that the viewer can see, or of those that belong to `only`.

        The changes since `replay_since` come first. Raise CHANGES_MISSED if some of them may be unknown.
        """
        replayed = self._recent.since(replay_since, self._now()) if replay_since else {}
        subscriber: Subscriber[C] = Subscriber(viewer_id, only, close, self._turns)
        self._subscribers.add(subscriber)
        if replayed:
            self._replays[subscriber] = replayed
            self._has_undelivered.set()
        try:
            yield subscriber
        finally:
            self._subscribers.discard(subscriber)
            self._replays.pop(subscriber, None)

    def publish(self, changes: Iterable[C]) -> None:
        """Deliver committed changes, and keep them for those who subscribe soon."""
        for change in changes:
            self._recent.add(change)
            if self._subscribers:
                self._undelivered[change.key] = change.since(self._undelivered.get(change.key))
                self._has_undelivered.set()

    def miss(self) -> None:
        """Note that changes may have been missed: end all subscriptions, and replay nothing from before."""
        self._recent.clear()
        self.close_subscribers(MISSED)

    def close_subscribers(self, reason: str) -> None:
        """End all subscriptions; the clients are to subscribe again."""
        for subscriber in list(self._subscribers):
            subscriber.close(CloseCode.SERVICE_RESTART, reason)

    async def deliver_forever(self) -> None:
        """Deliver changes until the task is cancelled."""
        while True:
            await self._has_undelivered.wait()
            self._has_undelivered.clear()
            changes, self._undelivered = self._undelivered, {}
            replays, self._replays = self._replays, {}
            try:
                await self._deliver(changes, replays)
            except Exception:
                logger.exception("Changes could not be delivered; all subscriptions to them are closed")
                self.close_subscribers(MISSED)

    async def _deliver(self, changes: Mapping[int, C], replays: Mapping[Subscriber[C], dict[int, C]]) -> None:
        changes_of: dict[Subscriber[C], Mapping[int, C]] = dict.fromkeys(self._subscribers if changes else (), changes)
        all_changes: dict[int, C] = {}
        for one, replayed in replays.items():
            changes_of[one] = _merged(replayed, changes)
            all_changes.update(replayed)
        all_changes.update(changes)
        subscribers: dict[int, list[Subscriber[C]]] = defaultdict(list)
        for one in changes_of:
            subscribers[one.viewer_id].append(one)
        recipients, groups = await self._route(all_changes, subscribers)

        for key in all_changes:
            for user_id in recipients.get(key, ()):
                # One that has ended meanwhile reads nothing. If it became full, it would end its connection.
                remaining = [one for one in subscribers.get(user_id, ()) if one in self._subscribers]
                theirs = [one for one in remaining if key in changes_of[one]]
                if not theirs:
                    continue
                reads = SharedReads()
                for one in theirs:
                    if one.only is None or _belongs(groups.get(key, {}), one.only, user_id):
                        one.put(changes_of[one][key], reads)
                await self._turns.wait()


def _merged(earlier: Mapping[int, C], later: Mapping[int, C]) -> dict[int, C]:
    """Return all changes, by the ids of their rows. Those of a row are one."""
    return {**earlier, **{key: change.since(earlier.get(key)) for key, change in later.items()}}


def _belongs(groups: Mapping[int, int | None], group_id: int, user_id: int) -> bool:
    """Whether a row belongs to a group, as far as the user may know."""
    return group_id in groups and groups[group_id] in (None, user_id)


class Hub:
    """The subscribers of one process, and the changes that it receives."""

    def __init__(self, db: Database, listen_url: str, now: Callable[[], datetime]) -> None:
        self._db = db
        self._now = now
        heard = {CHANNEL: self._hear_of_offers, LEAD_CHANNEL: self._hear_of_leads}
        self._listener = Listener(listen_url, heard, self._miss) if db.is_postgresql else None
        self.turns = Turns()
        self.offers: Topic[OfferChange] = Topic(self._route_offers, self.turns, now)
        """Subscribers may be limited to a lead."""
        self.leads: Topic[LeadChange] = Topic(self._route_leads, self.turns, now)
        """Subscribers may be limited to a team."""
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Begin to listen, as soon as the database is there. Idempotent."""
        if self._tasks:
            return
        # Their reads are no part of a request that happens to be the first.
        for topic in (self.offers, self.leads):
            self._tasks.append(asyncio.create_task(topic.deliver_forever(), context=Context()))
        if self._listener:
            self._tasks.append(asyncio.create_task(self._listener.run(), context=Context()))

    async def open(self) -> None:
        """Return once the changes of every later commit will be received. Raise UNAVAILABLE if that takes too long."""
        self.start()
        if self._listener:
            try:
                async with asyncio.timeout(LISTEN_SECONDS):
                    await self._listener.listening.wait()
            except TimeoutError as error:
                message = "The server receives no changes at the moment. Subscribe again in a few seconds."
                raise ApiError(Code.UNAVAILABLE, message, {"retryAfter": RETRY_SECONDS}) from error

    def close_subscribers(self) -> None:
        """End all subscriptions because the server is shutting down."""
        for topic in (self.offers, self.leads):
            topic.close_subscribers(f"The server is shutting down. {RESUBSCRIBE}")

    async def close(self) -> None:
        """Stop listening."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def publish(self, changes: Sequence[Change] | None) -> None:
        """Deliver committed changes. None stands for more changes than can be listed: subscribers must query.

        A change of an offer is one of its lead too.
        """
        if changes is None:
            self._miss()
            return
        of_offers = [change for change in changes if isinstance(change, OfferChange)]
        self.offers.publish(of_offers)
        self.leads.publish(LeadChange(change.lead_id, False, change.changed_at) for change in of_offers)
        self.leads.publish(change for change in changes if isinstance(change, LeadChange))

    def _hear_of_offers(self, notice: str) -> None:
        self.publish(read_notice(notice))

    def _hear_of_leads(self, notice: str) -> None:
        self.publish(read_lead_notice(notice))

    def _miss(self) -> None:
        self.offers.miss()
        self.leads.miss()

    async def _route_offers(
        self, changes: Mapping[int, OfferChange], subscribers: Subscribers[OfferChange]
    ) -> tuple[Recipients, Groups]:
        groups: Groups = {offer_id: {change.lead_id: None} for offer_id, change in changes.items()}
        leads = {change.lead_id for change in changes.values()}
        users = [
            user_id
            for user_id, theirs in subscribers.items()
            if any(one.only is None or one.only in leads for one in theirs)
        ]
        if not users:
            return {}, groups
        return await offer_recipients(self._db, list(changes), users), groups

    async def _route_leads(
        self, changes: Mapping[int, LeadChange], subscribers: Subscribers[LeadChange]
    ) -> tuple[Recipients, Groups]:
        if not subscribers:
            return {}, {}
        groups: Groups = {}
        if any(one.only is not None for theirs in subscribers.values() for one in theirs):
            groups = await teams_of_leads(self._db, list(changes))
        return await lead_recipients(self._db, list(changes), list(subscribers), self._now()), groups
