"""How a process hears of changes: whoever writes them, in whichever process, and what happens when it cannot hear."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from datetime import UTC, datetime

import pytest
from sqlalchemy import text, update
from sqlmodel import col

from app.commands.submit import submit_lead_offers
from app.db.change_feed import CHANNEL, OfferChange, read_notice
from app.db.engine import Database, connect
from app.db.listener import Listener
from app.db.models import LeadOffer
from app.domain.enums import LeadOfferStatus
from app.main import create_app
from app.sample_data import Size, fill
from tests.support.api import Api, settings_for
from tests.support.graphql_ws import Watchers, signed_in, submit
from tests.support.live_server import live_server
from tests.support.world import NOW, Cast, World

Heard = list[Sequence[OfferChange] | None]


@pytest.fixture
async def heard(database_url: str) -> AsyncIterator[tuple[Database, Heard]]:
    """A database whose process hears of changes, and what it has heard: a list for each time."""
    notices: Heard = []
    database = connect(database_url, announce=notices.append)
    if not database.is_postgresql:
        yield database, notices
    else:
        listener = Listener(database_url, CHANNEL, lambda notice: notices.append(read_notice(notice)), lambda: None)
        listening = asyncio.create_task(listener.run())
        await listener.listening.wait()
        yield database, notices
        listening.cancel()
        await asyncio.gather(listening, return_exceptions=True)
    await database.close()


async def settled(notices: Heard, count: int) -> Heard:
    """What was heard, once it is as many; and no more follow."""
    async with asyncio.timeout(5):
        while len(notices) < count:  # noqa: ASYNC110  the driver's callback has no more to say
            await asyncio.sleep(0.01)
    await asyncio.sleep(0.1)
    return notices


def brief(changes: Sequence[OfferChange] | None) -> list[tuple[int, str | None]]:
    assert changes is not None
    return [(change.offer_id, change.previous_status and change.previous_status.name) for change in changes]


async def test_a_submit_is_one_notice_of_all_its_offers(
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
    assert {change.lead_id for change in changes or ()} == {lead.id}
    for change in changes or ():
        assert abs((change.changed_at - before).total_seconds()) < 5


async def test_an_update_of_many_names_those_whose_status_changed(
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


async def test_what_is_rolled_back_is_not_told(heard: tuple[Database, Heard], cast: Cast, world: World) -> None:
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
def postgresql_alone(database: Database) -> None:
    if not database.is_postgresql:
        pytest.xfail("SQLite tells its own process alone")


OFFERS = """
INSERT INTO lead_offers (lead_id, offered_by_id, assign_automatically, status)
SELECT :lead_id, :offered_by_id, false, 'SENT' FROM generate_series(1, :count)
"""
"""They name nobody, of which a lead may have any number."""


async def make_offers(database: Database, cast: Cast, lead_id: int, count: int) -> None:
    async with database.write() as session:
        values = {"lead_id": lead_id, "offered_by_id": cast.alice.id, "count": count}
        await (await session.connection()).execute(text(OFFERS), values)


@pytest.mark.usefixtures("postgresql_alone")
async def test_a_notice_names_a_hundred_and_more_than_a_thousand_are_not_named(
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


@pytest.mark.usefixtures("postgresql_alone")
async def test_the_largest_ids_fit_into_a_notice(heard: tuple[Database, Heard], cast: Cast, world: World) -> None:
    database, notices = heard
    large = 2**63 - 1_000
    lead = await world.lead(cast.alice, cast.team, id=large)
    await make_offers(database, cast, lead.id, 100)
    await settled(notices, 1)
    async with database.write() as session:
        await session.exec(update(LeadOffer).values(id=large + col(LeadOffer.id), status=LeadOfferStatus.CANCELLED))
        await session.exec(update(LeadOffer).values(status=LeadOfferStatus.SCHEDULED))
    assert [len(changes or ()) for changes in (await settled(notices, 2))[1:]] == [100]


@pytest.mark.usefixtures("postgresql_alone")
async def test_a_change_in_one_server_is_told_by_another(
    database_url: str, live: Api, cast: Cast, world: World
) -> None:
    with live_server(create_app(settings_for(database_url))) as elsewhere:
        async with signed_in(elsewhere, live.user(cast.bob).token) as bob:
            await bob.subscribe()
            lead = await world.lead(cast.alice, cast.team)
            await submit(live, cast, lead.id)
            assert (await bob.next())["leadOffer"]["lead"]["id"] == str(lead.id)


@pytest.mark.usefixtures("postgresql_alone")
async def test_after_too_much_subscribers_come_back_and_query(
    live: Api, cast: Cast, world: World, watch: Watchers
) -> None:
    bob = await watch(cast.bob)
    await make_offers(world.database, cast, (await world.lead(cast.alice, cast.team)).id, 1_001)
    assert await bob.end() == (1012, "Changes may have been missed: subscribe again, then query")


@pytest.mark.usefixtures("postgresql_alone")
async def test_an_import_is_one_notice(heard: tuple[Database, Heard]) -> None:
    database, notices = heard
    await fill(database, Size(teams=2, members=2, leads=20))
    assert await settled(notices, 1) == [None]


@pytest.mark.usefixtures("postgresql_alone")
async def test_after_the_listener_was_lost_subscribers_come_back(
    live: Api, cast: Cast, world: World, watch: Watchers
) -> None:
    bob = await watch(cast.bob)
    async with world.database.write() as session:
        mine = "datname = current_database() AND query LIKE 'LISTEN%'"
        end = text(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {mine}")
        ended = await (await session.connection()).execute(end)
        assert ended.all() == [(True,)], "there is one connection a process"
    assert (await bob.end())[0] == 1012
    again = await watch(cast.bob)
    await submit(live, cast, (await world.lead(cast.alice, cast.team)).id)
    assert (await again.next())["previousStatus"] is None
