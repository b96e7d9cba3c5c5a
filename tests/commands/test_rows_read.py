"""Claims, enquiries and workers read few rows, however large the tables are and whatever statistics PostgreSQL has."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import insert, update
from sqlmodel.ext.asyncio.session import AsyncSession

from app.commands.claim import claim_lead_offer
from app.commands.contacts import update_contact
from app.commands.passing_on import StepEnd, end_step
from app.commands.receive import receive_lead
from app.commands.step_end import leads_to_end, next_step_end
from app.db.engine import Database
from app.db.models import Contact, ContactKey, Delivery, Lead, LeadOffer
from app.domain.enums import Channel, ClaimedVia, DeliveryStatus, DistributionTarget, LeadOfferStatus
from tests.support.databases import statements_of
from tests.support.world import NOW, Cast, World

LEADS = 3_000
FEW = 50
"""More rows than any of these statements needs to read from a table."""

HOUR = timedelta(hours=1)
READ = """
    SELECT relname, coalesce(seq_tup_read, 0) + coalesce(idx_tup_fetch, 0) AS read
    FROM pg_stat_xact_user_tables
    WHERE relname IN ('leads', 'lead_offers', 'deliveries', 'contacts', 'contact_keys')
"""
"""The rows that the current transaction has read, by table."""


@pytest.fixture
async def many_leads(database: Database, world: World, cast: Cast) -> None:
    """Offer each lead to Bob; all of them were reported as exhausted. PostgreSQL has no statistics of them."""
    contact = await world.contact(cast.alice)
    lead: dict[str, Any] = {
        "contact_id": contact.id,
        "creator_id": cast.alice.id,
        "distribution_target": DistributionTarget.TEAM_ROLLOUT,
        "team_id": cast.team.id,
        "created_at": NOW,
        "watched_since": NOW,
        "exhausted_at": NOW,
    }
    offer: dict[str, Any] = {
        "user_id": cast.bob.id,
        "team_id": cast.team.id,
        "offered_by_id": cast.alice.id,
        "notify_at": NOW,
        "status": LeadOfferStatus.SENT,
    }
    delivery: dict[str, Any] = {
        "channel": Channel.EMAIL,
        "status": DeliveryStatus.PENDING,
        "attempts": 0,
        "next_attempt_at": NOW + HOUR,
    }
    ids = range(1, LEADS + 1)
    async with database.write_engine.begin() as connection:
        await connection.execute(insert(Lead), [lead] * LEADS)
        await connection.execute(insert(LeadOffer), [offer | {"lead_id": lead_id} for lead_id in ids])
        await connection.execute(insert(Delivery), [delivery | {"offer_id": offer_id} for offer_id in ids])


async def rows_read(session: AsyncSession) -> dict[str, int]:
    rows = await (await session.connection()).exec_driver_sql(READ)
    return {row["relname"]: row["read"] for row in rows.mappings()}


@asynccontextmanager
async def reading_little(database: Database) -> AsyncIterator[AsyncSession]:
    """Yield a transaction that may read few rows of each table; on SQLite, one that may scan none of the tables."""
    statements = statements_of(database)
    async with database.write() as session:
        before = await rows_read(session) if database.is_postgresql else {}
        yield session
        ran = [*statements]
        if database.is_postgresql:
            read = {table: rows - before[table] for table, rows in (await rows_read(session)).items()}
            assert all(rows < FEW for rows in read.values()), read
            return
    for statement in ran:
        plan = await database.fetch(f"EXPLAIN QUERY PLAN {statement}", [None] * statement.count("?"))
        walks = [step for *_, step in plan if step.startswith(("SCAN lead", "SCAN deliver", "SCAN contact"))]
        assert all("INDEX ix_leads_ending" in step for step in walks), (statement, plan)


@pytest.mark.usefixtures("many_leads")
async def test_a_claim_reads_only_its_lead(database: Database, cast: Cast) -> None:
    async with reading_little(database) as session:
        await claim_lead_offer(session, cast.bob.id, LEADS // 2, ClaimedVia.APP, NOW)


@pytest.mark.usefixtures("many_leads")
async def test_finding_exhausted_leads_skips_those_already_reported(
    database: Database, world: World, cast: Cast
) -> None:
    nobodys = await world.lead(cast.alice, cast.team, watched_since=NOW)
    async with reading_little(database) as session:
        assert await leads_to_end(session, NOW + 2 * HOUR) == [nobodys.id]
        assert await end_step(session, nobodys.id, NOW + 2 * HOUR) is StepEnd.EXHAUSTED


@pytest.mark.usefixtures("many_leads")
async def test_finding_steps_that_are_over_skips_those_that_are_not(
    database: Database, world: World, cast: Cast
) -> None:
    async with database.write() as session:
        await session.exec(update(Lead).values(exhausted_at=None, gives_up_at=NOW + 5 * HOUR))
    over = await world.lead(cast.alice, cast.team, watched_since=NOW)
    async with reading_little(database) as session:
        assert await leads_to_end(session, NOW + 2 * HOUR) == [over.id]
        assert await next_step_end(session, NOW + 2 * HOUR) == NOW + 5 * HOUR


@pytest.mark.parametrize("has_statistics", [True, False])
@pytest.mark.usefixtures("many_leads")
async def test_an_enquiry_reads_only_what_it_is_about(
    database: Database, world: World, cast: Cast, *, has_statistics: bool
) -> None:
    """Alice has many leads, which have no external ids, and many contacts."""
    source = await world.source(cast.alice)
    await world.route(source, cast.team)
    ids = range(10, LEADS)
    async with database.write_engine.begin() as connection:
        contact = {"owner_id": cast.alice.id, "email": "many@example.com"}
        await connection.execute(insert(Contact), [contact | {"id": contact_id} for contact_id in ids])
        key = {"owner_id": cast.alice.id, "is_found": True}
        keys = [key | {"contact_id": n, "value": f"mailto:m{n}@example.com"} for n in ids]
        await connection.execute(insert(ContactKey), keys)
        if database.is_postgresql and has_statistics:
            await connection.exec_driver_sql("ANALYZE")
    enquiry = {"contact": {"email": "m50@example.com", "mobile_phone": "+12025550177"}, "external_id": "e1"}
    for is_new in (True, False):
        async with reading_little(database) as session:
            received = await receive_lead(session, cast.alice.id, enquiry | {"source_id": source.id}, NOW)
            assert (received.is_new, received.lead.contact_id) == (is_new, 50)
    async with reading_little(database) as session:
        await update_contact(session, cast.alice.id, 50, {"email": "new@example.com"})
