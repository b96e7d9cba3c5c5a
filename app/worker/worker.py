"""The worker: does what is due, in the database, until it is stopped.

One loop attends to offers and leads: automatic assignment, offers without a channel, exhausted rollouts. Beside it run
lanes, each of which sends one wave after the other: a slow provider keeps its own lane only. Lanes send what was due
when offers were last attended to, so that nobody is told of a lead before its automatic offers had their turn. The
webhook has a lane of its own, which events wake without any of this.
"""

import asyncio
import logging
from collections import defaultdict
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from app.commands.due_offers import attend, due_leads, next_due_offer
from app.commands.exhaustion import note_exhausted
from app.config import Settings
from app.db.engine import Database
from app.db.listener import Listener
from app.db.models import Delivery, Event, Notice
from app.domain.enums import Channel
from app.worker.batch import Wave, send_wave
from app.worker.channels.base import Channels, DeliveryChannel
from app.worker.channels.webhook import Webhook
from app.worker.creator_notices import send_notices
from app.worker.leases import NEW_EVENTS, NEW_WORK, next_attempt
from app.worker.webhook_events import forget_events, send_events

logger = logging.getLogger(__name__)

LANES = 2
"""Waves that one worker has under way on a channel at the same time."""

IDLE_SECONDS = 30.0
"""The longest that a worker sleeps on PostgreSQL, where new work wakes it."""

POLL_SECONDS = 1.0
"""The same on SQLite, where nothing does."""

TIDY_EVERY = timedelta(minutes=1)
"""How often old events are looked for."""

GRACE_SECONDS = 5.0
"""How long sends under way have to end once the worker is stopped: less than uvicorn gives requests, see app/cli.py."""

CALM_SECONDS = 2.0
"""How long it waits after a failure that nobody thought of, such as a database that is gone."""


@dataclass
class Worker:
    """Any number of workers serve one database. `clock` says what time it is."""

    db: Database
    settings: Settings
    channels: Channels
    clock: Callable[[], datetime]
    webhook: Webhook | None = None
    _until: datetime | None = field(default=None, init=False)
    """The moment up to which offers have been attended to."""
    _stopping: bool = field(default=False, init=False)
    _given_up: asyncio.Event = field(default_factory=asyncio.Event, init=False)
    """Set once nothing that is under way is waited for any more."""
    _wake: asyncio.Event = field(default_factory=asyncio.Event, init=False)
    _has_events: asyncio.Event = field(default_factory=asyncio.Event, init=False)
    _tidied: datetime | None = field(default=None, init=False)
    _lanes: list[asyncio.Event] = field(default_factory=list, init=False)

    async def run(self) -> None:
        """Until it is stopped. Then what is under way has some seconds to end; what has not is left to others."""
        async with asyncio.TaskGroup() as tasks:
            listening = [tasks.create_task(task) for task in self._listening()]
            loops = [tasks.create_task(self._forever(self._attend_and_rest))]
            if self.webhook is not None:
                loops.append(tasks.create_task(self._forever(self._webhook_lane(self.webhook))))
            for channel, kinds in self._by_sender():
                for _ in range(LANES):
                    self._lanes.append(has_work := asyncio.Event())
                    loops.append(tasks.create_task(self._forever(self._lane(channel, kinds, has_work))))
            await asyncio.wait(loops)
            for task in listening:
                task.cancel()
        await self._close()

    def _listening(self) -> Iterator[Coroutine[Any, Any, None]]:
        """What wakes the worker on PostgreSQL: new work, and whatever may have come before it could be heard."""
        if self.db.is_postgresql:
            url = self.settings.listen_url or self.settings.database_url
            listener = Listener(url, NEW_WORK, self._hear, self._look_again)
            yield listener.run()
            yield self._look_once_heard(listener)

    def _hear(self, notice: str) -> None:
        (self._has_events if notice == NEW_EVENTS else self._wake).set()

    def _look_again(self) -> None:
        self._has_events.set()
        self._wake.set()

    async def _look_once_heard(self, listener: Listener) -> None:
        await listener.listening.wait()
        self._look_again()

    def stop(self) -> None:
        """Takes nothing up any more. Sends under way are given up after GRACE_SECONDS."""
        if self._stopping:
            return
        self._stopping = True
        asyncio.get_running_loop().call_later(GRACE_SECONDS, self._given_up.set)
        for event in (self._wake, self._has_events, *self._lanes):
            event.set()

    async def run_once(self) -> str:
        """One pass over what is due now; what it did, in a line."""
        now, leads, notices, events, waves = self.clock(), 0, 0, 0, list[Wave]()
        busy = True
        while busy and not self._stopping:
            attended, told = await self._attend(now), await self._tell_creators(now)
            sent = [await self._wave(*lane, now) for lane in self._by_sender()]
            posted = await self._post(self.webhook, now) if self.webhook else 0
            leads, notices, events, waves = leads + attended, notices + told, events + posted, waves + sent
            busy = bool(attended or told or posted or any(wave.taken for wave in sent))
        await self._close()
        taken, sent_, failed = (sum(getattr(wave, name) for wave in waves) for name in ("taken", "sent", "failed"))
        return (
            f"{leads} leads attended to, {taken} deliveries taken: {sent_} sent, {failed} failed, "
            f"{taken - sent_ - failed} held or cancelled; {notices} notices and {events} events taken"
        )

    def _by_sender(self) -> list[tuple[DeliveryChannel, list[Channel]]]:
        """Each channel with the channels it serves."""
        kinds: dict[int, list[Channel]] = defaultdict(list)
        for kind, channel in self.channels.items():
            kinds[id(channel)].append(kind)
        return [(self.channels[served[0]], served) for served in kinds.values()]

    @property
    def _lease(self) -> timedelta:
        return timedelta(seconds=self.settings.lease_seconds)

    async def _forever(self, step: Callable[[], Awaitable[None]]) -> None:
        while not self._stopping:
            try:
                await step()
            except Exception:
                logger.exception("The worker failed; it goes on in %g seconds", CALM_SECONDS)
                await asyncio.sleep(CALM_SECONDS)

    async def _attend_and_rest(self) -> None:
        self._wake.clear()
        now = self.clock()
        await self._attend(now)
        await self._tell_creators(now)
        self._until = now
        is_due, next_at = await self._ahead(now)
        if is_due:
            for has_work in self._lanes:
                has_work.set()
        await self._rest(self._wake, next_at)

    async def _rest(self, wake: asyncio.Event, next_at: datetime | None) -> None:
        """Until it is woken, or what comes next is due."""
        longest = IDLE_SECONDS if self.db.is_postgresql else POLL_SECONDS
        seconds = longest if next_at is None else min(longest, max(0.0, (next_at - self.clock()).total_seconds()))
        with suppress(TimeoutError):
            await asyncio.wait_for(wake.wait(), seconds)

    async def _attend(self, now: datetime) -> int:
        """To every offer that is due and has no delivery to wait for; how many leads they were of."""
        attended = 0
        while True:
            async with self.db.read() as session:
                lead_ids = await due_leads(session, now)
            for lead_id in lead_ids:
                if self._stopping:
                    return attended
                async with self.db.write() as session:
                    await attend(session, lead_id, now)
                attended += 1
            if not lead_ids:
                return attended

    async def _tell_creators(self, now: datetime) -> int:
        """Of leads that nobody takes."""
        async with self.db.write() as session:
            leads = await note_exhausted(session, timedelta(minutes=self.settings.unclaimed_minutes), now)
        for lead in leads:
            logger.info("Nobody has taken lead %d", lead.id)
        told = 0
        email = self.channels[Channel.EMAIL]
        while not self._stopping and (taken := await send_notices(self.db, email, now, self._lease, self._given_up)):
            told += taken
        return told

    async def _ahead(self, now: datetime) -> tuple[bool, datetime | None]:
        """Whether deliveries are due, and the next moment at which anything is."""
        async with self.db.read() as session:
            first = await next_attempt(session, Delivery)
            moments = [
                await next_attempt(session, Delivery, after=now),
                await next_attempt(session, Notice, after=now),
                await next_due_offer(session),
            ]
        return first is not None and first <= now, min((at for at in moments if at is not None), default=None)

    def _lane(
        self, channel: DeliveryChannel, kinds: list[Channel], has_work: asyncio.Event
    ) -> Callable[[], Awaitable[None]]:
        async def step() -> None:
            await has_work.wait()
            has_work.clear()
            worked = False
            while not self._stopping and self._until is not None:
                wave = await self._wave(channel, kinds, self._until)
                if wave.taken == 0:
                    break
                worked = True
            if worked:
                self._wake.set()  # what was held or is to be tried again may come before what the rest waits for

        return step

    def _webhook_lane(self, webhook: Webhook) -> Callable[[], Awaitable[None]]:
        async def step() -> None:
            self._has_events.clear()
            while not self._stopping and await self._post(webhook, self.clock()):
                pass
            async with self.db.read() as session:
                next_at = await next_attempt(session, Event)
            await self._rest(self._has_events, next_at)

        return step

    async def _post(self, webhook: Webhook, until: datetime) -> int:
        """Sends some of the events that were due, or forgets some of the old ones; how many were taken."""
        taken = await send_events(self.db, webhook, until, self.clock, self._lease, given_up=self._given_up)
        now = self.clock()
        if taken == 0 and (self._tidied is None or now - self._tidied >= TIDY_EVERY):
            async with self.db.write() as session:
                await forget_events(session, now)
            self._tidied = now
        return taken

    async def _wave(self, channel: DeliveryChannel, kinds: list[Channel], until: datetime) -> Wave:
        wave = await send_wave(self.db, channel, kinds, until, self.clock, self.settings, given_up=self._given_up)
        if wave.sent or wave.failed:
            logger.info(
                "%d sent, %d failed by %s, at most %.3f s late",
                wave.sent,
                wave.failed,
                type(channel).__name__,
                wave.lag,
            )
        return wave

    async def _close(self) -> None:
        for channel, _kinds in self._by_sender():
            await channel.close()
        if self.webhook is not None:
            await self.webhook.close()
