"""A row that cannot be processed fails alone: the worker sends all other rows, and gives up on this one."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select
from sqlmodel import SQLModel, col

from app.commands.locks import lock_lead
from app.commands.submit import submit_lead_offers
from app.db.engine import Database
from app.db.models import Attempts, Contact, Delivery, Event, Lead, LeadOffer, Notice, User
from app.domain.enums import Channel, DeliveryStatus, EventKind, LeadOfferStatus
from app.worker import messages
from app.worker.channels.base import Message
from app.worker.channels.webhook import Webhook
from app.worker.leases import MESSAGES
from app.worker.webhook_events import RETRIES
from app.worker.worker import Worker
from tests.support.api import settings_for
from tests.support.world import NOW, Cast, World

MINUTE = timedelta(minutes=1)
INDESCRIBABLE = "Indescribable"
"""A type of leads about which no message can be composed."""

Row = Delivery | Notice | Event


@dataclass
class Outbound:
    """An e-mail channel and a webhook in one. Sending to a poisoned recipient raises an unexpected exception."""

    max_concurrent: int = 50
    accepts_replies: bool = False
    sent: list[str] = field(default_factory=list)
    poisoned: set[str] = field(default_factory=set)

    async def send(self, message: Message) -> None:
        self.record(message.to)

    def record(self, recipient: str) -> None:
        if recipient in self.poisoned:
            raise ZeroDivisionError
        self.sent.append(recipient)

    async def close(self) -> None:
        pass


class RecordingWebhook(Webhook):
    def __init__(self, outbound: Outbound) -> None:
        super().__init__("http://127.0.0.1:1", b"a key that signs nothing", 1)
        self.outbound = outbound

    async def send(self, event_id: str, body: str) -> None:
        self.outbound.record(event_id)


@dataclass
class Outbox:
    """Three rows of one kind, all due at NOW, each with a recipient of its own. Ids go from 1 to 3."""

    database: Database
    url: str
    world: World
    cast: Cast
    outbound: Outbound = field(default_factory=Outbound)
    recipients: list[str] = field(default_factory=list)

    async def add_deliveries(self) -> None:
        for name in ("Dora", "Emil", "Fred"):
            user = await self.world.member_user(self.cast.team, name, rank=1)
            lead = await self.world.lead(self.cast.alice, self.cast.team)
            offer = await self.world.offer(lead, user, status=LeadOfferStatus.SCHEDULED)
            await self.world.add(
                Delivery(offer_id=offer.id, channel=Channel.EMAIL, status=DeliveryStatus.PENDING, next_attempt_at=NOW)
            )
            self.recipients.append(user.email or "")

    async def add_notices(self) -> None:
        for name in ("Dora", "Emil", "Fred"):
            user = await self.world.user(name)
            lead = await self.world.lead(user, self.cast.team, exhausted_at=NOW)
            await self.world.add(Notice(lead_id=lead.id, status=DeliveryStatus.PENDING, next_attempt_at=NOW))
            self.recipients.append(user.email or "")

    async def add_events(self) -> None:
        for n in (1, 2, 3):
            event: dict[str, Any] = {
                "key": f"evt_{n}",
                "kind": EventKind.OFFER_CLAIMED,
                "payload": "{}",
                "happened_at": NOW,
            }
            await self.world.add(Event(**event, status=DeliveryStatus.PENDING, next_attempt_at=NOW))
            self.recipients.append(f"evt_{n}")

    async def execute(self, *statements: str) -> None:
        async with self.database.write_engine.begin() as connection:
            for statement in statements:
                await connection.exec_driver_sql(statement)

    async def refuse_update(self, table: str, condition: str) -> None:
        """Make the database reject every update that leaves a row of the table in this condition."""
        await self.refuse(f"UPDATE ON {table}", condition)

    async def refuse(self, writes: str, condition: str) -> None:
        """Make the database reject these writes, `UPDATE ON table` or `INSERT ON table`, if the condition holds."""
        if self.database.is_postgresql:
            await self.execute(
                "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN RAISE EXCEPTION 'no'; END$$",
                f"CREATE TRIGGER t BEFORE {writes} FOR EACH ROW WHEN ({condition}) EXECUTE FUNCTION refuse()",
            )
        else:
            await self.execute(
                f"CREATE TRIGGER t BEFORE {writes} WHEN {condition} BEGIN SELECT RAISE(ABORT, 'no'); END"
            )

    async def allow(self, table: str) -> None:
        """Undo `refuse` for writes to this table."""
        await self.execute(f"DROP TRIGGER t ON {table}" if self.database.is_postgresql else "DROP TRIGGER t")

    async def dispatch(self, now: datetime) -> None:
        settings = settings_for(self.url)
        channels = dict.fromkeys(Channel, self.outbound)
        await Worker(self.database, settings, channels, lambda: now, RecordingWebhook(self.outbound)).run_once()

    async def rows(self, table: type[Row]) -> list[Any]:
        """All rows with the columns that the worker writes; the others may be poisoned."""
        columns = SQLModel.metadata.tables[str(table.__tablename__)].c
        found: Any = select(*(columns[name] for name in ("id", *Attempts.model_fields))).order_by(columns.id)
        async with self.database.read() as session:
            return [*(await session.exec(found))]


@pytest.fixture
def outbox(database: Database, database_url: str, world: World, cast: Cast, monkeypatch: pytest.MonkeyPatch) -> Outbox:
    """Rows to send. A message about a lead of the type INDESCRIBABLE cannot be composed."""
    about = messages.about

    def about_or_raise(lead: Lead, contact: Contact) -> str:
        if lead.type == INDESCRIBABLE:
            raise RuntimeError(INDESCRIBABLE)
        return about(lead, contact)

    monkeypatch.setattr(messages, "about", about_or_raise)
    return Outbox(database, database_url, world, cast)


Poison = Callable[[Outbox, int], Awaitable[None]]
"""Makes one step of the worker fail for the row with this id."""


async def unknown_status_of_offer(outbox: Outbox, n: int) -> None:
    await outbox.execute(f"UPDATE lead_offers SET end_reason = 'UNHEARD_OF' WHERE id = {n}")


async def unknown_holder_of_lead(outbox: Outbox, n: int) -> None:
    await outbox.execute(f"UPDATE leads SET claimed_via = 'UNHEARD_OF' WHERE id = {n}")


async def unknown_kind_of_event(outbox: Outbox, n: int) -> None:
    await outbox.execute(f"UPDATE events SET kind = 'UNHEARD_OF' WHERE id = {n}")


async def impossible_quiet_hours(outbox: Outbox, n: int) -> None:
    await outbox.execute(
        "UPDATE users SET quiet_hours_start = '99:99', quiet_hours_end = '01:00'"
        f" WHERE email = '{outbox.recipients[n - 1]}'"
    )


async def withdrawal_is_refused(outbox: Outbox, n: int) -> None:
    await outbox.execute(f"UPDATE users SET is_active = false WHERE email = '{outbox.recipients[n - 1]}'")
    await outbox.refuse_update("lead_offers", f"NEW.id = {n} AND NEW.status = 'CANCELLED'")


async def composing_raises(outbox: Outbox, n: int) -> None:
    async with outbox.database.write() as session:
        (await lock_lead(session, n)).type = INDESCRIBABLE


async def sending_raises(outbox: Outbox, n: int) -> None:
    outbox.outbound.poisoned.add(outbox.recipients[n - 1])


def recording_is_refused(table: str) -> Poison:
    async def refuse(outbox: Outbox, n: int) -> None:
        await outbox.refuse_update(table, f"NEW.id = {n} AND NEW.status = 'SENT'")

    return refuse


CASES: dict[str, tuple[type[Row], Poison]] = {
    "look: offer": (Delivery, unknown_status_of_offer),
    "look: quiet hours": (Delivery, impossible_quiet_hours),
    "look: withdrawal": (Delivery, withdrawal_is_refused),
    "compose": (Delivery, composing_raises),
    "send": (Delivery, sending_raises),
    "record: delivery": (Delivery, recording_is_refused("deliveries")),
    "record: offer": (Delivery, recording_is_refused("lead_offers")),
    "notice, look: lead": (Notice, unknown_holder_of_lead),
    "notice, look: quiet hours": (Notice, impossible_quiet_hours),
    "notice, compose": (Notice, composing_raises),
    "notice, send": (Notice, sending_raises),
    "notice, record": (Notice, recording_is_refused("notices")),
    "event, look": (Event, unknown_kind_of_event),
    "event, send": (Event, sending_raises),
    "event, record": (Event, recording_is_refused("events")),
}
ADD = {Delivery: Outbox.add_deliveries, Notice: Outbox.add_notices, Event: Outbox.add_events}


@pytest.mark.parametrize("poisoned", [1, 3])
@pytest.mark.parametrize(("table", "poison"), CASES.values(), ids=CASES)
async def test_a_failing_row_fails_alone(
    outbox: Outbox, table: type[Row], poison: Poison, poisoned: int, caplog: pytest.LogCaptureFixture
) -> None:
    await ADD[table](outbox)
    await poison(outbox, poisoned)

    retries = RETRIES if table is Event else MESSAGES
    now = NOW
    for pause in (*retries.pauses, MINUTE, MINUTE):
        await outbox.dispatch(now)
        now += pause * (1 + retries.jitter)

    failed, *others = sorted(await outbox.rows(table), key=lambda row: row.id != poisoned)
    assert [(row.status, row.attempts, row.sent_at, row.error, row.lease) for row in others] == [
        (DeliveryStatus.SENT, 1, NOW, None, None)
    ] * 2
    assert (failed.status, failed.attempts, failed.next_attempt_at, failed.lease) == (
        DeliveryStatus.FAILED,
        len(retries.pauses) + 1,
        None,
        None,
    )
    assert failed.error == "An unexpected error occurred."
    for row in others:
        assert outbox.outbound.sent.count(outbox.recipients[row.id - 1]) == 1
    assert sum(record.exc_info is not None for record in caplog.records) >= 5


@pytest.mark.parametrize("table", [Delivery, Notice, Event])
async def test_without_a_failure_all_are_sent_once(outbox: Outbox, table: type[Row]) -> None:
    await ADD[table](outbox)
    for n in range(6):
        await outbox.dispatch(NOW + n * 21 * MINUTE)
    assert [row.status for row in await outbox.rows(table)] == [DeliveryStatus.SENT] * 3
    assert sorted(outbox.outbound.sent) == sorted(outbox.recipients)


@pytest.mark.parametrize("table", [Delivery, Notice])
async def test_an_unknown_time_zone_holds_nothing_back(
    outbox: Outbox, table: type[Row], caplog: pytest.LogCaptureFixture
) -> None:
    """The tz database of another machine may lack a zone. The user is notified at once rather than never."""
    await ADD[table](outbox)
    await outbox.execute(
        "UPDATE users SET timezone = 'Mars/Olympus', quiet_hours_start = '00:00', quiet_hours_end = '23:59'"
        f" WHERE email = '{outbox.recipients[0]}'"
    )
    await outbox.dispatch(NOW)
    assert sorted(outbox.outbound.sent) == sorted(outbox.recipients)
    assert "Mars/Olympus" in caplog.text


async def test_a_lead_that_cannot_be_assigned_does_not_block_others(outbox: Outbox) -> None:
    await outbox.add_deliveries()
    await outbox.execute("UPDATE lead_offers SET assign_automatically = true WHERE id < 3")
    await outbox.refuse_update("leads", "NEW.id = 1 AND NEW.claimed_by_id IS NOT NULL")
    await outbox.dispatch(NOW)
    async with outbox.database.read() as session:
        assert (await session.get_one(Lead, 1)).claimed_by_id is None
        assert (await session.get_one(Lead, 2)).claimed_by_id == (await session.get_one(LeadOffer, 2)).user_id
    assert {*outbox.recipients[1:]} <= {*outbox.outbound.sent}


async def test_an_exhausted_lead_that_fails_does_not_block_others(outbox: Outbox, world: World, cast: Cast) -> None:
    creators: list[User] = [await world.user(name) for name in ("Dora", "Emil", "Fred")]
    for creator in creators:
        await world.lead(creator, cast.team, watched_since=NOW)
    await outbox.refuse_update("leads", "NEW.id = 1 AND NEW.exhausted_at IS NOT NULL")
    await outbox.dispatch(NOW + 60 * MINUTE)
    assert sorted(outbox.outbound.sent) == [creator.email for creator in creators[1:]]


async def test_a_step_that_fails_does_not_keep_others_from_ending(outbox: Outbox, world: World, cast: Cast) -> None:
    """The first of three leads that are over cannot go on to the next team. It is whole, and still due."""
    following = await world.team(cast.alice)
    dora = await world.member_user(following, "Dora")
    cast.team.next_team_id, cast.team.mins_until_next_team = following.id, 0
    await world.add(cast.team)
    for _ in range(3):
        lead = await world.lead(cast.alice, cast.team, watched_since=NOW)
        async with outbox.database.write() as session:
            await submit_lead_offers(session, cast.alice.id, lead.id, NOW)
    await outbox.refuse("INSERT ON lead_rollouts", "NEW.lead_id = 1")
    await outbox.dispatch(NOW)

    async def offered_and_due() -> tuple[list[int], list[int]]:
        offered = select(col(LeadOffer.lead_id)).where(col(LeadOffer.user_id) == dora.id)
        due = select(col(Lead.id)).where(col(Lead.gives_up_at) <= NOW, col(Lead.exhausted_at).is_(None))
        async with outbox.database.read() as session:
            found: list[Any] = [[row[0] for row in await session.exec(query)] for query in (offered, due)]  # type: ignore[call-overload]
        return sorted(found[0]), found[1]

    assert await offered_and_due() == ([2, 3], [1])
    await outbox.allow("lead_rollouts")
    await outbox.dispatch(NOW + MINUTE)
    assert await offered_and_due() == ([1, 2, 3], [])
