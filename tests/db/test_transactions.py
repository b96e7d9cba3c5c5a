"""A transaction that fails because of simultaneous ones is run again, a bounded number of times."""

import asyncio
from collections.abc import Coroutine, Generator
from dataclasses import dataclass
from itertools import count
from typing import Any

import pytest
from sqlmodel import col, delete, select
from sqlmodel.ext.asyncio.session import AsyncSession

from app.commands.locks import lock_lead
from app.db.driver_errors import TransactionConflict
from app.db.engine import MOST_RUNS, Database, connect
from app.db.limits import Limits
from app.db.models import Delivery, Lead, User, WaitingInvitation
from app.domain.enums import Channel, DeliveryStatus, LeadOfferStatus
from app.errors import ApiError, Code
from app.observability import metrics
from app.worker.worker import Worker
from tests.support.api import Api, settings_for
from tests.support.world import NOW, Cast, World
from tests.worker.test_worker import Recorder

RENAME = "mutation ($id: ID!, $name: String!) { updateTeam(id: $id, input: {name: $name}) { team { name } } }"
SUBMIT = "mutation ($id: ID!) { submitLeadOffers(leadId: $id) { createdCount } }"


@pytest.mark.parametrize("conflicts", [0, 1, MOST_RUNS - 1])
async def test_later_runs_start_anew(database: Database, world: World, cast: Cast, conflicts: int) -> None:
    lead = await world.lead(cast.alice)
    types: list[str | None] = []
    counted: list[float] = []

    async def work(session: AsyncSession) -> str:
        row = await lock_lead(session, lead.id)
        types.append(row.type)
        row.type = "changed"
        await session.flush()
        metrics.after_commit(session, counted.append)
        if len(types) <= conflicts:
            raise TransactionConflict("for the test")
        return "done"

    assert await database.in_transaction(work) == "done"
    assert types == [None] * (conflicts + 1)
    assert counted == [1]
    async with database.read() as session:
        assert (await session.get_one(Lead, lead.id)).type == "changed"


async def test_the_last_conflict_is_unavailable(database: Database) -> None:
    runs = 0

    async def work(_session: AsyncSession) -> None:
        nonlocal runs
        runs += 1
        raise TransactionConflict("for the test")

    with pytest.raises(ApiError) as error:
        await database.in_transaction(work)
    assert runs == MOST_RUNS
    assert (error.value.code, error.value.headers) == (Code.UNAVAILABLE, {"Retry-After": "2"})


async def test_other_errors_end_a_transaction(database: Database) -> None:
    runs = 0

    async def work(_session: AsyncSession) -> None:
        nonlocal runs
        runs += 1
        raise ApiError(Code.UNAVAILABLE, "The database is unavailable.")

    with pytest.raises(ApiError):
        await database.in_transaction(work)
    assert runs == 1


async def test_a_deadlock_is_resolved(database: Database, world: World, cast: Cast) -> None:
    """Two transactions lock two leads in opposite orders. On SQLite the second one waits for the first to end."""
    leads = [await world.lead(cast.alice) for _ in range(2)]
    both = asyncio.Barrier(2) if database.is_postgresql else None
    runs: list[int] = []

    async def lock(first: int, second: int) -> None:
        async def work(session: AsyncSession) -> None:
            runs.append(first)
            await lock_lead(session, leads[first].id)
            if both is not None and runs.count(first) == 1:
                await both.wait()
            (await lock_lead(session, leads[second].id)).type = f"by {first}"
            await session.flush()

        await database.in_transaction(work)

    await asyncio.gather(lock(0, 1), lock(1, 0))
    assert len(runs) == (3 if database.is_postgresql else 2)
    async with database.read() as session:
        assert {(await session.get_one(Lead, lead.id)).type for lead in leads} == {"by 0", "by 1"}


async def conflict_first(database: Database, times: int, code: str, table: str, event: str) -> None:
    """Make PostgreSQL end the first transactions that write to the table with this error code."""
    statements = (
        "CREATE SEQUENCE failures",
        "CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN "
        f"IF nextval('failures') <= {times} THEN RAISE EXCEPTION 'no' USING ERRCODE = '{code}'; END IF; "
        "RETURN NEW; END$$",
        f"CREATE TRIGGER fail BEFORE {event} ON {table} FOR EACH STATEMENT EXECUTE FUNCTION fail()",
    )
    async with database.write_engine.begin() as connection:
        for statement in statements:
            await connection.exec_driver_sql(statement)


@pytest.mark.parametrize("code", ["40P01", "40001"])
async def test_every_door_runs_a_transaction_again(
    api: Api, database: Database, world: World, cast: Cast, code: str
) -> None:
    if not database.is_postgresql:
        return  # SQLite has no such errors: one transaction writes at a time
    await conflict_first(database, 2, code, "lead_offers", "INSERT")
    lead = await world.lead(cast.alice, cast.team)
    answer = await api.user(cast.alice).ask(SUBMIT, id=lead.id)
    assert answer == {"submitLeadOffers": {"createdCount": 1}}

    async with database.write_engine.begin() as connection:
        await connection.exec_driver_sql("ALTER SEQUENCE failures RESTART")
    other = await world.lead(cast.alice, cast.team)
    created = await api.user(cast.alice).rest("POST", f"/leads/{other.id}/offers")
    assert created.status_code == 201, created.text


async def test_too_many_conflicts_are_unavailable(api: Api, database: Database, world: World, cast: Cast) -> None:
    if not database.is_postgresql:
        return
    await conflict_first(database, 1_000, "40P01", "lead_offers", "INSERT")
    lead = await world.lead(cast.alice, cast.team)
    refused = await api.user(cast.alice).refusal(SUBMIT, id=lead.id)
    assert refused == {"code": "UNAVAILABLE", "retryAfter": 2}


@pytest.mark.parametrize("column", ["lease", "sent_at"])
async def test_a_worker_runs_a_transaction_again(
    database: Database, database_url: str, world: World, cast: Cast, column: str
) -> None:
    """In taking the lease and in recording the outcome. Each message is sent once, and its attempt counts once."""
    if not database.is_postgresql:
        return
    lead = await world.lead(cast.alice, cast.team)
    offer = await world.offer(lead, cast.bob, status=LeadOfferStatus.SCHEDULED)
    await world.add(
        Delivery(offer_id=offer.id, channel=Channel.EMAIL, status=DeliveryStatus.PENDING, next_attempt_at=NOW)
    )
    await conflict_first(database, 2, "40P01", "deliveries", f"UPDATE OF {column}")
    channel = Recorder()
    await Worker(database, settings_for(database_url), dict.fromkeys(Channel, channel), lambda: NOW).run_once()
    assert channel.take() == [cast.bob.email]
    async with database.read() as session:
        delivery = await session.get_one(Delivery, 1)
    assert (delivery.status, delivery.attempts) == (DeliveryStatus.SENT, 1)


# Cancellation


@dataclass(slots=True)
class CancelledAt:
    """Awaits `work`, and cancels the current task where it waits for the n-th time, counted from 0.

    The task is cancelled at once, or `late`: when what it waits for is done and it has not gone on yet.
    """

    work: Coroutine[Any, Any, Any]
    step: int
    late: bool
    is_cancelled: bool = False
    """Whether `work` has waited so often."""

    def __await__(self) -> Generator[Any, None, None]:
        task, steps, thrown = asyncio.current_task(), self.work.__await__(), None
        assert task
        for number in count():
            try:
                waits_for = steps.throw(thrown) if thrown else steps.send(None)
            except StopIteration:
                return
            if number == self.step:
                self.is_cancelled = True
                _cancel(task, waits_for if self.late else None)
            try:
                thrown = None
                yield waits_for
            except BaseException as error:
                thrown = error


def _cancel(task: asyncio.Task[Any], after: asyncio.Future[Any] | None) -> None:
    if after is None:
        task.cancel()
    else:
        after.add_done_callback(lambda _future: task.cancel())


async def _run(work: CancelledAt) -> None:
    await work


@pytest.mark.parametrize("late", [False, True])
@pytest.mark.parametrize("is_first", [False, True])
async def test_a_cancelled_write_holds_no_lock(database_url: str, cast: Cast, is_first: bool, late: bool) -> None:
    """Cancel a write wherever it waits, as the first of its connection or a later one. The next one succeeds."""
    database = connect(database_url, Limits(pool_size=1, pool_seconds=2))
    cancelled: list[asyncio.Task[None]] = []  # they keep their errors, and those the cursors

    async def write() -> None:
        async with database.write() as session:
            user = (await session.exec(select(User).where(col(User.id) == cast.bob.id))).one()
            user.last_name = f"Example {len(cancelled)}"
            session.add(WaitingInvitation(email="new@example.com", **invitation))
            await session.flush()
            await session.exec(delete(WaitingInvitation).returning(col(WaitingInvitation.id)))

    invitation: dict[str, Any] = {
        "team_id": cast.team.id,
        "inviter_id": cast.alice.id,
        "status": DeliveryStatus.PENDING,
        **dict.fromkeys(("invited_at", "mail_at", "next_attempt_at"), NOW),
    }
    try:
        for step in count():
            if is_first:
                await database.write_engine.dispose()
            work = CancelledAt(write(), step, late)
            cancelled.append(asyncio.create_task(_run(work)))
            await asyncio.wait(cancelled)
            async with asyncio.timeout(5):
                await write()
            if not work.is_cancelled:
                break
        assert len(cancelled) > 5
    finally:
        await database.close()


@pytest.mark.parametrize("late", [False, True])
async def test_a_cancelled_request_holds_no_lock(api: Api, cast: Cast, late: bool) -> None:
    """Cancel a mutation wherever it waits, as its time limit or a client that is gone may."""
    alice = api.user(cast.alice)
    cancelled: list[asyncio.Task[None]] = []
    for step in count():
        work = CancelledAt(alice.send(RENAME, id=cast.team.id, name=f"Cancelled {step}"), step, late)
        cancelled.append(asyncio.create_task(_run(work)))
        await asyncio.wait(cancelled)
        async with asyncio.timeout(5):
            assert await alice.ask(RENAME, id=cast.team.id, name="Next") == {"updateTeam": {"team": {"name": "Next"}}}
        if not work.is_cancelled:
            break
    assert len(cancelled) > 5
