"""The change feed: every process receives the changes of all writers, or learns that it may have missed some."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import text, update
from sqlmodel import col

from app.commands.submit import submit_lead_offers
from app.db.change_feed import (
    CHANNEL,
    LEAD_CHANNEL,
    Change,
    LeadChange,
    OfferChange,
    read_lead_notice,
    read_notice,
)
from app.db.engine import Database, connect
from app.db.listener import Listener
from app.db.models import Lead, LeadOffer
from app.domain.enums import LeadOfferStatus
from app.main import create_app
from app.sample_data import Size, fill
from tests.support.api import Api, settings_for
from tests.support.graphql_ws import Watchers, signed_in, submit
from tests.support.live_server import live_server
from tests.support.world import NOW, Cast, World, unsaved_lead

Heard = list[Sequence[Change] | None]


@asynccontextmanager
async def hearing(database_url: str, kind: type[Change]) -> AsyncIterator[tuple[Database, Heard]]:
    """A database, and the notifications of changes of this kind that its process receives."""
    notices: Heard = []

    def announce(changes: Sequence[Change] | None) -> None:
        if of_kind := [change for change in changes or () if isinstance(change, kind)]:
            notices.append(of_kind)

    database = connect(database_url, announce=announce)
    if not database.is_postgresql:
        yield database, notices
    else:
        offers = {CHANNEL: lambda notice: notices.append(read_notice(notice))}
        leads = {LEAD_CHANNEL: lambda notice: notices.append(read_lead_notice(notice))}
        listener = Listener(database_url, offers if kind is OfferChange else leads, lambda: None)
        listening = asyncio.create_task(listener.run())
        await listener.listening.wait()
        yield database, notices
        listening.cancel()
        await asyncio.gather(listening, return_exceptions=True)
    await database.close()


@pytest.fixture
async def heard(database_url: str) -> AsyncIterator[tuple[Database, Heard]]:
    """A database, and the notifications of offers that its process has received."""
    async with hearing(database_url, OfferChange) as database_and_notices:
        yield database_and_notices


@pytest.fixture
async def heard_of_leads(database_url: str) -> AsyncIterator[tuple[Database, Heard]]:
    """The same for leads."""
    async with hearing(database_url, LeadChange) as database_and_notices:
        yield database_and_notices


async def settled(notices: Heard, count: int) -> Heard:
    """Wait for `count` notifications, check for a moment that no more follow, and return them."""
    async with asyncio.timeout(5):
        while len(notices) < count:  # noqa: ASYNC110  the callback of the driver cannot set an event for a count
            await asyncio.sleep(0.01)
    await asyncio.sleep(0.1)
    return notices


def offers_in(changes: Sequence[Change] | None) -> list[OfferChange]:
    assert changes is not None
    return [change for change in changes if isinstance(change, OfferChange)]


def brief(changes: Sequence[Change] | None) -> list[tuple[int, str | None]]:
    return [(one.offer_id, one.previous_status and one.previous_status.name) for one in offers_in(changes)]


def brief_of_leads(changes: Sequence[Change] | None) -> list[tuple[int, bool]]:
    assert changes is not None
    return [(change.lead_id, change.is_new) for change in changes if isinstance(change, LeadChange)]


async def test_a_submit_sends_one_notification_of_all_its_offers(
    heard: tuple[Database, Heard], cast: Cast, world: World
) -> None:
    database, notices = heard
    for rank in range(2, 11):
        await world.member(cast.team, await world.user(), rank=rank)
    lead = await world.lead(cast.alice, cast.team)
    before = datetime.now(UTC)
    async with database.write() as session:
        made = await submit_lead_offers(session, cast.alice.id, lead.id, NOW)
    (changes,) = await settled(notices, 1)
    assert brief(changes) == [(offer.id, None) for offer in sorted(made.offers, key=lambda offer: offer.id)]
    assert {change.lead_id for change in offers_in(changes)} == {lead.id}
    for change in changes or ():
        assert abs((change.changed_at - before).total_seconds()) < 5


async def test_an_update_lists_only_offers_whose_status_changed(
    heard: tuple[Database, Heard], cast: Cast, world: World
) -> None:
    database, notices = heard
    lead = await world.lead(cast.alice, cast.team)
    sent = await world.offer(lead, cast.bob)
    await world.offer(lead, cast.charlie, status=LeadOfferStatus.EXPIRED)
    scheduled = await world.offer(lead, cast.alice, status=LeadOfferStatus.SCHEDULED)
    await asyncio.sleep(0.1)
    notices.clear()
    async with database.write() as session:
        await session.exec(update(LeadOffer).values(status=LeadOfferStatus.EXPIRED))
    async with database.write() as session:
        await session.exec(update(LeadOffer).values(rank=3))
    (changes,) = await settled(notices, 1)
    assert brief(changes) == [(sent.id, "SENT"), (scheduled.id, "SCHEDULED")]


async def test_new_and_changed_leads_are_listed_and_unchanged_ones_are_not(
    heard_of_leads: tuple[Database, Heard], cast: Cast, world: World
) -> None:
    database, notices = heard_of_leads
    old, other = [await world.lead(cast.alice, cast.team) for _ in range(2)]
    await asyncio.sleep(0.1)
    notices.clear()

    async with database.write() as session:
        await session.exec(update(Lead).where(col(Lead.id) == old.id).values(city="Boston"))
    async with database.write() as session:
        await session.exec(update(Lead).values(city="Boston"))
    async with database.write() as session:
        await session.exec(update(Lead).values(city="Boston"))
    first, second = await settled(notices, 2)
    assert (brief_of_leads(first), brief_of_leads(second)) == ([(old.id, False)], [(other.id, False)])

    notices.clear()
    async with database.write() as session:
        made = unsaved_lead(id=None, contact_id=old.contact_id, creator_id=cast.alice.id)
        session.add(made)
    (changes,) = await settled(notices, 1)
    assert brief_of_leads(changes) == [(made.id, True)]
    for change in changes or ():
        assert abs((change.changed_at - datetime.now(UTC)).total_seconds()) < 5

    notices.clear()
    async with database.write() as session:
        await session.exec(update(Lead).values(city=None))
    (changes,) = await settled(notices, 1)
    assert brief_of_leads(changes) == [(lead, False) for lead in (old.id, other.id)]


async def test_a_rolled_back_change_sends_nothing(heard: tuple[Database, Heard], cast: Cast, world: World) -> None:
    database, notices = heard
    offer = await world.offer(await world.lead(cast.alice, cast.team), cast.bob)
    await asyncio.sleep(0.1)
    notices.clear()
    with suppress(ZeroDivisionError):
        async with database.write() as session:
            await session.exec(update(LeadOffer).values(status=LeadOfferStatus.EXPIRED))
            raise ZeroDivisionError
    async with database.write() as session:
        await session.exec(update(LeadOffer).values(status=LeadOfferStatus.DECLINED))
    (changes,) = await settled(notices, 1)
    assert brief(changes) == [(offer.id, "SENT")]


@pytest.fixture
def postgresql_only(database: Database) -> None:
    if not database.is_postgresql:
        pytest.xfail("SQLite notifies its own process only")


OFFERS = """
INSERT INTO lead_offers (lead_id, offered_by_id, assign_automatically, status)
SELECT :lead_id, :offered_by_id, false, 'SENT' FROM generate_series(1, :count)
"""
"""Offers without a user, of which a lead can have any number."""


async def make_offers(database: Database, cast: Cast, lead_id: int, count: int) -> None:
    async with database.write() as session:
        values = {"lead_id": lead_id, "offered_by_id": cast.alice.id, "count": count}
        await (await session.connection()).execute(text(OFFERS), values)


@pytest.mark.usefixtures("postgresql_only")
async def test_a_notification_lists_a_hundred_offers_and_none_if_there_are_over_a_thousand(
    heard: tuple[Database, Heard], cast: Cast, world: World
) -> None:
    database, notices = heard
    lead = await world.lead(cast.alice, cast.team)
    await make_offers(database, cast, lead.id, 250)
    assert sorted(len(changes or ()) for changes in await settled(notices, 3)) == [50, 100, 100]
    notices.clear()
    await make_offers(database, cast, lead.id, 800)
    await settled(notices, 8)
    notices.clear()
    async with database.write() as session:
        for status in (LeadOfferStatus.EXPIRED, LeadOfferStatus.DECLINED):
            await session.exec(update(LeadOffer).values(status=status))
    assert await settled(notices, 1) == [None]


LEADS = """
INSERT INTO leads (contact_id, creator_id, distribution_target, created_at)
SELECT :contact_id, :creator_id, 'MYSELF', now() FROM generate_series(1, :count)
"""


@pytest.mark.usefixtures("postgresql_only")
async def test_a_notification_lists_a_hundred_leads_and_none_if_there_are_over_a_thousand(
    heard_of_leads: tuple[Database, Heard], cast: Cast, world: World
) -> None:
    database, notices = heard_of_leads
    large = 2**63 - 2_000
    lead = await world.lead(cast.alice, cast.team, id=large)
    values: dict[str, Any] = {"contact_id": lead.contact_id, "creator_id": cast.alice.id}
    await settled(notices, 1)
    notices.clear()
    async with database.write() as session:
        connection = await session.connection()
        await connection.execute(text("SELECT setval('leads_id_seq', :last)"), {"last": large})
        await connection.execute(text(LEADS), values | {"count": 250})
    assert sorted(len(changes or ()) for changes in await settled(notices, 3)) == [50, 100, 100]
    notices.clear()
    async with database.write() as session:
        await (await session.connection()).execute(text(LEADS), values | {"count": 1_001})
    assert await settled(notices, 1) == [None]


@pytest.mark.usefixtures("postgresql_only")
async def test_the_largest_ids_fit_into_a_notification(heard: tuple[Database, Heard], cast: Cast, world: World) -> None:
    database, notices = heard
    large = 2**63 - 1_000
    lead = await world.lead(cast.alice, cast.team, id=large)
    await make_offers(database, cast, lead.id, 100)
    await settled(notices, 1)
    async with database.write() as session:
        await session.exec(update(LeadOffer).values(id=large + col(LeadOffer.id), status=LeadOfferStatus.CANCELLED))
        await session.exec(update(LeadOffer).values(status=LeadOfferStatus.SCHEDULED))
    assert [len(changes or ()) for changes in (await settled(notices, 2))[1:]] == [100]


@pytest.mark.usefixtures("postgresql_only")
async def test_a_change_in_one_server_reaches_subscribers_of_another(
    database_url: str, live: Api, cast: Cast, world: World
) -> None:
    with live_server(create_app(settings_for(database_url))) as elsewhere:
        async with signed_in(elsewhere, live.user(cast.bob).token) as bob:
            await bob.subscribe()
            lead = await world.lead(cast.alice, cast.team)
            await submit(live, cast, lead.id)
            assert (await bob.next())["leadOffer"]["lead"]["id"] == str(lead.id)


@pytest.mark.usefixtures("postgresql_only")
async def test_subscribers_reconnect_after_too_many_changes(
    live: Api, cast: Cast, world: World, watch: Watchers
) -> None:
    bob = await watch(cast.bob)
    await make_offers(world.database, cast, (await world.lead(cast.alice, cast.team)).id, 1_001)
    assert await bob.end() == (1012, "Changes may have been missed. Subscribe again, then query for the current state.")


@pytest.mark.usefixtures("postgresql_only")
async def test_bulk_inserts_send_one_notification(heard: tuple[Database, Heard]) -> None:
    database, notices = heard
    await fill(database, Size(teams=2, members=2, leads=20))
    assert await settled(notices, 1) == [None]


@pytest.mark.usefixtures("postgresql_only")
async def test_subscribers_reconnect_after_the_listener_lost_its_connection(
    live: Api, cast: Cast, world: World, watch: Watchers
) -> None:
    bob = await watch(cast.bob)
    async with world.database.write() as session:
        mine = "datname = current_database() AND query LIKE 'LISTEN%'"
        end = text(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {mine}")
        ended = await (await session.connection()).execute(end)
        assert ended.all() == [(True,)], "each process has one listening connection"
    assert (await bob.end())[0] == 1012
    again = await watch(cast.bob)
    await submit(live, cast, (await world.lead(cast.alice, cast.team)).id)
    assert (await again.next())["previousStatus"] is None
