"""The migrations produce the same catalog as the models."""

import asyncio
import re
import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, text
from sqlmodel import SQLModel, col, select

from app.commands.outbox import count_silent_offers
from app.commands.step_end import set_gives_up_at
from app.db import migrations
from app.db.engine import Database, connect
from app.db.migrations import upgrade
from app.db.models import Claim, Delivery, Lead, LeadOffer
from app.domain.bounds import LATEST
from app.domain.enums import Channel, ClaimedVia, DeliveryStatus, DistributionTarget, LeadOfferStatus
from tests.support.world import NOW, Cast, World, change

SQLITE = """
SELECT type, name, tbl_name, sql FROM sqlite_master
WHERE type <> 'trigger' AND name <> 'alembic_version' AND name NOT LIKE 'sqlite_%'
"""

POSTGRESQL = """
SELECT 'column', table_name, column_name,
       concat_ws(' ', data_type, character_maximum_length, collation_name, is_nullable, column_default)
FROM information_schema.columns WHERE table_schema = 'public' AND table_name <> 'alembic_version'
UNION ALL
SELECT 'constraint', conrelid::regclass::text, conname, pg_get_constraintdef(oid)
FROM pg_constraint
WHERE connamespace = 'public'::regnamespace AND contype <> 't' AND conname NOT LIKE 'alembic_version%'
UNION ALL
SELECT 'index', tablename, indexname, indexdef
FROM pg_indexes WHERE schemaname = 'public' AND tablename <> 'alembic_version'
"""


async def test_a_migrated_database_matches_the_models(database: Database) -> None:
    async with database.write_engine.begin() as connection:
        migrated = await connection.run_sync(catalog)
        await connection.run_sync(SQLModel.metadata.drop_all)
        assert await connection.run_sync(catalog) == []
        await connection.run_sync(SQLModel.metadata.create_all)
        made = await connection.run_sync(catalog)
    assert {"users", "leads", "lead_offers"} < {table for _, table, *_ in migrated}
    assert migrated == made


def catalog(connection: Connection) -> list[tuple[str, ...]]:
    query = POSTGRESQL if connection.dialect.name == "postgresql" else SQLITE
    return sorted(tuple(normalize(str(cell)) for cell in row) for row in connection.execute(text(query)))


INLINE = re.compile(r"(\w+) INTEGER (CONSTRAINT \w+) (REFERENCES \w+ \(id\))")


def normalize(sql: str) -> str:
    """Ignores what PostgreSQL's catalog ignores: whitespace, the order of columns, and where a reference stands."""
    sql = INLINE.sub(r"\1 INTEGER, \2 FOREIGN KEY(\1) \3", sql)
    head, parenthesis, body = sql.partition("(") if sql.startswith("CREATE TABLE") else (sql, "", "")
    columns = sorted(" ".join(column.split()) for column in re.split(r",(?![^(]*\))", body.strip().removesuffix(")")))
    return " ".join(head.split()) + parenthesis + ", ".join(columns)


def test_upgrade_works_in_any_directory_and_twice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for _ in range(2):
        upgrade("sqlite+aiosqlite:///here.db")
    with closing(sqlite3.connect(tmp_path / "here.db")) as connection:
        newest = max(file.name[:4] for file in Path(migrations.__file__).parent.glob("versions/0*.py"))
        assert connection.execute("SELECT version_num FROM alembic_version").fetchall() == [(newest,)]


async def test_imported_offers_get_the_deliveries_that_earlier_imports_left_out(
    database: Database, database_url: str, world: World, cast: Cast
) -> None:
    past, ahead = (datetime.now(UTC).replace(microsecond=0) + timedelta(minutes=minutes) for minutes in (-1, 60))
    lead, scheduled = await world.lead(cast.alice, cast.team), LeadOfferStatus.SCHEDULED
    flags: dict[str, Any] = {"has_call_alert": True, "has_text_alert": None, "has_email_alert": True}
    told_of = await world.offer(lead, cast.bob, status=scheduled, notify_at=ahead, **flags)
    passed = await world.offer(lead, cast.charlie, status=scheduled, notify_at=past, **flags)
    submitted = await world.offer(lead, cast.alice, status=scheduled, notify_at=past, **flags)
    await world.add(
        Delivery(offer_id=submitted.id, channel=Channel.TEXT, status=DeliveryStatus.PENDING, next_attempt_at=past)
    )
    async with database.write_engine.begin() as connection:
        await connection.execute(text("DROP INDEX ix_lead_offers_scheduled"))
        await connection.execute(text("UPDATE alembic_version SET version_num = '0008'"))

    await asyncio.to_thread(upgrade, database_url, "0009")

    async with database.read() as session:
        assert (await session.exec(count_silent_offers())).one() == 0
        statuses = (await session.exec(select(LeadOffer.id, LeadOffer.status).order_by(col(LeadOffer.id)))).all()
        order = (col(Delivery.offer_id), col(Delivery.channel))
        deliveries = (await session.exec(select(Delivery).order_by(*order))).all()
    assert statuses == [(told_of.id, scheduled), (passed.id, LeadOfferStatus.SENT), (submitted.id, scheduled)]
    assert [(each.offer_id, each.channel, each.status, each.next_attempt_at) for each in deliveries] == [
        (told_of.id, Channel.CALL, DeliveryStatus.PENDING, ahead),
        (told_of.id, Channel.EMAIL, DeliveryStatus.PENDING, ahead),
        (submitted.id, Channel.TEXT, DeliveryStatus.PENDING, past),
    ]


async def test_leads_get_the_moment_at_which_they_are_given_up(
    database: Database, database_url: str, world: World, cast: Cast
) -> None:
    """As if every step had been made with the patience of the server. The rules recompute the same."""
    began = datetime.now(UTC) - timedelta(seconds=1)
    watched: dict[str, Any] = {"watched_since": NOW}
    patience = timedelta(minutes=45)
    expected: dict[int, datetime | None] = {}

    async def add(gives_up_at: datetime | None, *moments: datetime | None, ended: bool = False, **fields: Any) -> None:
        lead = await world.lead(cast.alice, cast.team, **fields)
        for user, moment in zip((cast.bob, cast.charlie), moments, strict=False):
            status = LeadOfferStatus.DECLINED if ended else LeadOfferStatus.SENT
            await world.offer(lead, user, status=status, notify_at=moment)
        expected[lead.id] = gives_up_at

    later, now = NOW + timedelta(hours=1, milliseconds=7), LATEST - timedelta(days=1)
    await add(None, NOW, **watched, claimed_by_id=cast.bob.id)
    await add(None, NOW, **watched, exhausted_at=NOW)
    await add(None, NOW)
    await add(None, **watched, distribution_target=DistributionTarget.MYSELF)
    await add(NOW + patience, **watched)
    await add(later + patience, later, NOW, **watched)
    await add(now, NOW, ended=True, **watched)
    await add(now, None, **watched)
    await add(LATEST, LATEST, **watched)

    async with database.write_engine.begin() as connection:
        if database.is_postgresql:
            await connection.execute(text("DROP TRIGGER a_step_is_over ON leads"))
        for statement in (
            "DROP INDEX ix_leads_ending",
            "ALTER TABLE leads DROP COLUMN gives_up_at",
            "ALTER TABLE lead_rollouts DROP COLUMN wait_minutes",
            "CREATE INDEX ix_leads_watched ON leads (id)",
            "UPDATE alembic_version SET version_num = '0010'",
        ):
            await connection.execute(text(statement))
    await asyncio.to_thread(upgrade, database_url, "0011", unclaimed_minutes=45)

    async def found() -> dict[int, datetime | None]:
        moments = select(Lead.id, Lead.gives_up_at)
        async with database.read() as session:
            return {
                lead_id: now if at is not None and began <= at <= datetime.now(UTC) else at
                for lead_id, at in await session.exec(moments)
            }

    assert await found() == expected
    patient = connect(database_url, unclaimed_minutes=45)
    try:
        async with patient.write() as session:
            await set_gives_up_at(session, [*expected], datetime.now(UTC))
    finally:
        await patient.close()
    assert await found() == expected


async def test_each_claimed_lead_gets_a_claim(database: Database, database_url: str, world: World, cast: Cast) -> None:
    """A holder may have no offer, or one without a team, and an imported lead no time of the claim."""
    other = await world.team(cast.alice)
    claimed: dict[str, Any] = {"claimed_by_id": cast.bob.id, "claimed_via": ClaimedVia.TEXT, "claimed_at": NOW}
    expected: list[tuple[Any, ...]] = []

    async def add(fields: dict[str, Any], found_team: int | None, *, offered: bool = True) -> None:
        lead = await world.lead(cast.alice, cast.team, **fields)
        await world.offer(lead, cast.charlie)
        offer = await world.offer(lead, cast.bob, other) if offered else None
        if offer is not None:
            await change(world, offer, team_id=found_team)
        via = fields["claimed_via"] or ClaimedVia.APP
        expected.append((lead.id, cast.bob.id, found_team, offer and offer.id, via, fields["claimed_at"]))

    await add(claimed, other.id)
    await add(claimed, None)
    await add(claimed, cast.team.id, offered=False)
    await add(claimed | {"claimed_at": None}, cast.team.id, offered=False)
    await add(claimed | {"claimed_via": None}, cast.team.id, offered=False)
    await world.offer(await world.lead(cast.alice, cast.team), cast.bob)
    async with database.write_engine.begin() as connection:
        if database.is_postgresql:
            await connection.execute(text("DROP FUNCTION follow_claims CASCADE"))
        else:
            await connection.execute(text("DROP TRIGGER claims_are_followed"))
        for statement in (
            "DROP TABLE claims",
            "ALTER TABLE leads DROP COLUMN first_claimed_at",
            "UPDATE alembic_version SET version_num = '0014'",
        ):
            await connection.execute(text(statement))

    await asyncio.to_thread(upgrade, database_url, "0015")

    async with database.read() as session:
        claims = (await session.exec(select(Claim).order_by(col(Claim.id)))).all()
        firsts = (await session.exec(select(Lead.first_claimed_at).order_by(col(Lead.id)))).all()
    assert [(c.lead_id, c.user_id, c.team_id, c.offer_id, c.via, c.claimed_at) for c in claims] == expected
    assert {(claim.ended_at, claim.end_reason) for claim in claims} == {(None, None)}
    assert firsts == [*(row[-1] for row in expected), None]
