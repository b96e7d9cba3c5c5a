"""The worker: finds due work in the database and does it, until it is stopped.

One loop processes offers and leads: automatic assignment, offers without a channel, leads that go on to the next team
or are exhausted, and the notices of these. Beside it run loops that send batches of deliveries, several for each
channel, so that a slow provider holds up only its own channel. They send what was due when offers were last processed,
so that automatic offers always come first. Webhook events have a loop of their own, so that nothing delays them.
"""

import asyncio
import logging
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlmodel.ext.asyncio.session import AsyncSession

from app.commands.due_offers import leads_with_due_offers, next_due_offer, process_due
from app.commands.passing_on import StepEnd, end_step
from app.commands.step_end import leads_to_end, next_step_end
from app.config import Settings
from app.db.engine import Database
from app.db.listener import Listener
from app.db.models import Delivery, Event, Notice, WaitingInvitation
from app.domain.enums import Channel
from app.observability import metrics, tracing
from app.worker.batch import Batch, Queue, send_batch
from app.worker.channels.base import Channels
from app.worker.channels.webhook import Webhook
from app.worker.creator_notices import notice_queue
from app.worker.failing_leads import FailingLeads
from app.worker.invitations import invitation_queue
from app.worker.isolation import isolate_failures
from app.worker.leases import NEW_EVENTS, NEW_WORK, next_attempt
from app.worker.offer_deliveries import delivery_queue
from app.worker.webhook_events import delete_old_events, event_queue

logger = logging.getLogger(__name__)

BATCHES_PER_CHANNEL = 2
"""How many batches one worker sends through a channel at the same time."""

IDLE_SECONDS = 30.0
"""The longest sleep on PostgreSQL, whose notifications wake the worker."""

POLL_SECONDS = 1.0
"""The longest sleep on SQLite, which has no notifications."""

CLEAN_UP_EVERY = timedelta(minutes=1)
"""How often old events are deleted."""

GRACE_SECONDS = 5.0
"""How long attempts may take after a stop. Less than uvicorn gives to requests, see app/cli/serving.py."""

RETRY_SECONDS = 2.0
"""The pause after an unexpected failure, for example if the database is unavailable."""


FindLeads = Callable[[AsyncSession, datetime, Collection[int]], Awaitable[Sequence[int]]]
"""Returns the ids of the leads to work on at this time, except those given; some of them if they are many."""

LeadWork = Callable[[AsyncSession, int], Awaitable[None]]
"""Works on the lead with this id."""


async def _nothing() -> None:
    pass


@dataclass
class Worker:
    """Sends messages and events through these channels. Any number of workers may share a database.

    `clock` returns the current time, which must be the same for all of them.
    """

    db: Database
    settings: Settings
    channels: Channels
    clock: Callable[[], datetime]
    webhook: Webhook | None = None
    synchronize: Callable[[], Awaitable[object]] = _nothing
    """Keeps `clock` at the database's time. Called before each step; raises UNAVAILABLE."""
    _failing_due: FailingLeads = field(default_factory=lambda: FailingLeads("processing its due offers"), init=False)
    _failing_steps: FailingLeads = field(
        default_factory=lambda: FailingLeads("passing it on, or reporting that nobody claimed it"), init=False
    )
    _processed_until: datetime | None = field(default=None, init=False)
    """The time as of which due offers have been processed."""
    _stopping: bool = field(default=False, init=False)
    _abandon: asyncio.Event = field(default_factory=asyncio.Event, init=False)
    """Set when attempts in progress are no longer waited for."""
    _has_work: asyncio.Event = field(default_factory=asyncio.Event, init=False)
    _has_events: asyncio.Event = field(default_factory=asyncio.Event, init=False)
    _has_deliveries: list[asyncio.Event] = field(default_factory=list, init=False)
    """One for each loop that sends deliveries."""
    _cleaned_up_at: datetime | None = field(default=None, init=False)

    async def run(self) -> None:
        """Work until `stop` is called. Attempts in progress then get GRACE_SECONDS; the rest is left to others."""
        async with asyncio.TaskGroup() as tasks:
            listening = tasks.create_task(self._listener().run()) if self.db.is_postgresql else None
            loops = [tasks.create_task(self._repeat(self._process_and_rest))]
            if self.webhook is not None:
                loops.append(tasks.create_task(self._repeat(self._event_loop(self.webhook))))
            for queue in self._delivery_queues():
                for _ in range(BATCHES_PER_CHANNEL):
                    self._has_deliveries.append(has_deliveries := asyncio.Event())
                    loops.append(tasks.create_task(self._repeat(self._delivery_loop(queue, has_deliveries))))
            await asyncio.wait(loops)
            if listening:
                listening.cancel()
        await self._close()

    def stop(self) -> None:
        """Start no more attempts, and abandon those in progress after GRACE_SECONDS. Idempotent."""
        if self._stopping:
            return
        self._stopping = True
        asyncio.get_running_loop().call_later(GRACE_SECONDS, self._abandon.set)
        for event in (self._has_work, self._has_events, *self._has_deliveries):
            event.set()

    async def run_once(self) -> str:
        """Do everything that is due now, and return a summary of one line."""
        await self.synchronize()
        now = self.clock()
        queues = self._delivery_queues()
        leads = notices = events = 0
        batches: list[Batch] = []
        busy = True
        while busy and not self._stopping:
            processed = await self._process_due_offers(now) + await self._end_steps(now)
            noticed = await self._send_notices(now)
            sent = [await self._send_deliveries(queue, now) for queue in queues]
            emitted = await self._send_events(self.webhook, now) if self.webhook else 0
            leads, notices, events, batches = leads + processed, notices + noticed, events + emitted, batches + sent
            busy = emitted > 0 or any(batch.leased for batch in sent)
        await self._close()

        leased, failed = sum(batch.leased for batch in batches), sum(batch.failed for batch in batches)
        sent_count = sum(len(batch.lags) for batch in batches)
        return (
            f"{leads} leads processed, {leased} deliveries due: {sent_count} sent, {failed} failed, "
            f"{leased - sent_count - failed} held or cancelled; {notices} notices and {events} events due"
        )

    # Waking up

    def _listener(self) -> Listener:
        """Return what listens for new work, and looks for work that came before it listened. PostgreSQL only."""
        url = self.settings.listen_url or self.settings.database_url
        return Listener(url, {NEW_WORK: self._on_notification}, self._wake_all)

    def _on_notification(self, payload: str) -> None:
        (self._has_events if payload == NEW_EVENTS else self._has_work).set()

    def _wake_all(self) -> None:
        self._has_events.set()
        self._has_work.set()

    async def _rest(self, wake: asyncio.Event, next_at: datetime | None) -> None:
        """Sleep until the event wakes the loop or the next work is due."""
        longest = IDLE_SECONDS if self.db.is_postgresql else POLL_SECONDS
        seconds = longest if next_at is None else min(longest, max(0.0, (next_at - self.clock()).total_seconds()))
        with suppress(TimeoutError):  # not wait_for: before Python 3.12 it ignores a cancellation beside the event
            async with asyncio.timeout(seconds):
                await wake.wait()

    async def _repeat(self, step: Callable[[], Awaitable[None]]) -> None:
        while not self._stopping:
            try:
                await self.synchronize()
                await step()
            except Exception:
                logger.exception("The worker failed. It continues in %g seconds.", RETRY_SECONDS)
                await asyncio.sleep(RETRY_SECONDS)

    # Offers and leads

    async def _process_and_rest(self) -> None:
        self._has_work.clear()
        now = self.clock()
        await self._process_due_offers(now)
        if await self._end_steps(now):
            await self._process_due_offers(now)  # those of the next teams
        await self._send_notices(now)
        self._processed_until = now
        async with self.db.read() as session:
            first = await next_attempt(session, Delivery)
            upcoming = [
                await next_attempt(session, Delivery, after=now),
                await next_attempt(session, Notice, after=now),
                await next_attempt(session, WaitingInvitation, after=now),
                await next_due_offer(session, after=now),
                await next_step_end(session, after=now),
                self._failing_due.next_attempt(after=now),
                self._failing_steps.next_attempt(after=now),
            ]
        if first is not None and first <= now:
            for has_deliveries in self._has_deliveries:
                has_deliveries.set()
        await self._rest(self._has_work, min((at for at in upcoming if at is not None), default=None))

    async def _process_due_offers(self, now: datetime) -> int:
        """Process the due offers that have no delivery to process them. Return the number of their leads."""

        async def process(session: AsyncSession, lead_id: int) -> None:
            await process_due(session, lead_id, now)

        return len(
            [lead_id async for lead_id in self._each_lead(leads_with_due_offers, process, self._failing_due, now)]
        )

    async def _end_steps(self, now: datetime) -> int:
        """Pass leads whose step is over on to the next team, or report them. Return the number of these leads."""
        ends: dict[int, StepEnd] = {}

        async def end(session: AsyncSession, lead_id: int) -> None:
            ends[lead_id] = await end_step(session, lead_id, now)

        ended = 0
        async for lead_id in self._each_lead(leads_to_end, end, self._failing_steps, now):
            ended += 1
            if ends[lead_id] is StepEnd.EXHAUSTED:
                logger.info("Nobody has claimed lead %d", lead_id)
        return ended

    async def _each_lead(
        self, find: FindLeads, work: LeadWork, failing: FailingLeads, now: datetime
    ) -> AsyncIterator[int]:
        """Do the work for each lead that is found, in a transaction of its own, and yield the lead once it is done.

        A lead that fails is tried again later, see app/worker/failing_leads.py.
        """

        async def each(session: AsyncSession, lead_ids: Sequence[int]) -> None:
            for lead_id in lead_ids:
                await work(session, lead_id)

        while True:
            async with self.db.read() as session:
                lead_ids = await find(session, now, failing.waiting(now))
            if not lead_ids:
                return
            for lead_id in lead_ids:
                if self._stopping:
                    return
                with tracing.work_span("process lead"):
                    failed = await isolate_failures(self.db, each, [lead_id], "Lead")
                if failed:
                    failing.failed(lead_id, now)
                else:
                    failing.succeeded(lead_id)
                    yield lead_id

    async def _send_notices(self, now: datetime) -> int:
        """Send the notices to creators and the invitations that are due. Return the number of them attempted."""
        attempted = 0
        email = self.channels[Channel.EMAIL]
        for queue in (notice_queue(email), invitation_queue(email, self.settings.public_url)):
            while not self._stopping and (batch := await self._send(queue, now)).leased:
                attempted += batch.leased
        return attempted

    # Deliveries

    def _delivery_queues(self) -> list[Queue]:
        """Return a queue for each channel, which may serve several kinds of deliveries."""
        kinds: dict[int, list[Channel]] = defaultdict(list)
        for kind, channel in self.channels.items():
            kinds[id(channel)].append(kind)
        return [delivery_queue(self.channels[served[0]], served, self.settings) for served in kinds.values()]

    def _delivery_loop(self, queue: Queue, has_deliveries: asyncio.Event) -> Callable[[], Awaitable[None]]:
        async def step() -> None:
            await has_deliveries.wait()
            has_deliveries.clear()
            has_worked = False
            while not self._stopping and self._processed_until is not None:
                batch = await self._send_deliveries(queue, self._processed_until)
                if batch.leased == 0:
                    break
                has_worked = True
            if has_worked:
                self._has_work.set()  # a retry or a held delivery may be due before the other loop wakes up

        return step

    async def _send_deliveries(self, queue: Queue, due_by: datetime) -> Batch:
        batch = await self._send(queue, due_by)
        for lag in batch.lags:
            metrics.DELIVERY_LAG.observe(lag)
        metrics.DELIVERY_FAILURES.inc(batch.failed)
        return batch

    # Events

    def _event_loop(self, webhook: Webhook) -> Callable[[], Awaitable[None]]:
        async def step() -> None:
            self._has_events.clear()
            while not self._stopping and await self._send_events(webhook, self.clock()):
                pass
            async with self.db.read() as session:
                next_at = await next_attempt(session, Event)
            await self._rest(self._has_events, next_at)

        return step

    async def _send_events(self, webhook: Webhook, due_by: datetime) -> int:
        """Send a batch of events. If none is due, delete old ones now and then. Return the number attempted."""
        batch = await self._send(event_queue(webhook), due_by)
        for lag in batch.lags:
            metrics.EVENT_LAG.observe(lag)
        metrics.EVENT_FAILURES.inc(batch.failed)
        now = self.clock()
        if batch.leased == 0 and (self._cleaned_up_at is None or now - self._cleaned_up_at >= CLEAN_UP_EVERY):
            await self.db.in_transaction(lambda session: delete_old_events(session, now))
            self._cleaned_up_at = now
        return batch.leased

    async def _send(self, queue: Queue, due_by: datetime) -> Batch:
        lease_for = timedelta(seconds=self.settings.lease_seconds)
        batch = await send_batch(self.db, queue, due_by, self.clock, lease_for, abandon=self._abandon)
        if batch.lags or batch.failed:
            logger.info(
                "%s: %d sent, %d failed, at most %.3f s late",
                queue.name,
                len(batch.lags),
                batch.failed,
                max(batch.lags, default=0.0),
            )
        return batch

    async def _close(self) -> None:
        for channel in {id(channel): channel for channel in self.channels.values()}.values():
            await channel.close()
        if self.webhook is not None:
            await self.webhook.close()
