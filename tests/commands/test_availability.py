"""Availability: which offers an absence cancels, and what a change of quiet hours releases."""

from datetime import timedelta
from typing import Any

import pytest

from app.commands.availability import clear_away, clear_quiet_hours, set_away, set_quiet_hours
from app.db.engine import Database
from app.db.models import Delivery, Lead, LeadOffer, User
from app.domain.enums import Channel, DeliveryStatus, EndReason, LeadOfferStatus
from tests.support.world import NOW, Cast, World

MINUTE = timedelta(minutes=1)
INSTANT = timedelta(milliseconds=1)
UNTIL = NOW + 60 * MINUTE
SCHEDULED = LeadOfferStatus.SCHEDULED
PENDING = DeliveryStatus.PENDING


@pytest.fixture
async def lead(world: World, cast: Cast) -> Lead:
    return await world.lead(cast.alice, cast.team)


async def reread(database: Database, *rows: Any) -> list[Any]:
    async with database.read() as session:
        return [await session.get_one(type(row), row.id) for row in rows]


async def test_an_absence_cancels_the_scheduled_offers_before_its_end(
    database: Database, world: World, cast: Cast
) -> None:
    cases: list[tuple[User, dict[str, Any], bool]] = [
        (cast.bob, {"status": SCHEDULED, "notify_at": NOW}, True),
        (cast.bob, {"status": SCHEDULED, "notify_at": UNTIL - INSTANT}, True),
        (cast.bob, {"status": SCHEDULED, "notify_at": UNTIL}, False),
        (cast.bob, {"status": LeadOfferStatus.SENT, "notify_at": NOW}, False),
        (cast.bob, {"status": LeadOfferStatus.DECLINED, "notify_at": NOW}, False),
        (cast.charlie, {"status": SCHEDULED, "notify_at": NOW}, False),
    ]
    offers = [await world.offer(await world.lead(cast.alice, cast.team), user, **fields) for user, fields, _ in cases]
    async with database.write() as session:
        user = await set_away(session, cast.bob.id, UNTIL, NOW)
        assert (user.id, user.away_until) == (cast.bob.id, UNTIL)
    for before, after, (_, _, is_cancelled) in zip(offers, await reread(database, *offers), cases, strict=True):
        expected = (LeadOfferStatus.CANCELLED, EndReason.AWAY) if is_cancelled else (before.status, None)
        assert (after.status, after.end_reason) == expected
    bob, charlie = await reread(database, cast.bob, cast.charlie)
    assert (bob.away_until, charlie.away_until) == (UNTIL, None)


async def test_the_lead_of_a_cancelled_offer_is_offered_to_the_next_rank(
    database: Database, world: World, cast: Cast, lead: Lead
) -> None:
    await world.offer(lead, cast.bob, status=SCHEDULED, rank=1)
    dora = await world.member_user(cast.team, rank=2)
    ahead = await world.offer(lead, dora, status=SCHEDULED, rank=2, notify_at=NOW + 15 * MINUTE)
    async with database.write() as session:
        await set_away(session, cast.bob.id, UNTIL, NOW)
    assert (await reread(database, ahead))[0].notify_at == NOW


async def test_the_end_of_an_absence_brings_no_offer_back(
    database: Database, world: World, cast: Cast, lead: Lead
) -> None:
    offer = await world.offer(lead, cast.bob, status=SCHEDULED)
    async with database.write() as session:
        await set_away(session, cast.bob.id, UNTIL, NOW)
        assert (await clear_away(session, cast.bob.id)).id == cast.bob.id
    bob, after = await reread(database, cast.bob, offer)
    assert (bob.away_until, after.status) == (None, LeadOfferStatus.CANCELLED)


async def quiet(world: World, *users: User) -> None:
    for user in users:
        user.quiet_hours_start, user.quiet_hours_end = "08:00", "10:00"
        await world.add(user)


async def change(database: Database, user: User, hours: tuple[str, str] | None) -> None:
    async with database.write() as session:
        if hours is None:
            assert (await clear_quiet_hours(session, user.id, NOW)).id == user.id
        else:
            assert (await set_quiet_hours(session, user.id, *hours, NOW)).id == user.id


@pytest.mark.parametrize("hours", [("08:00", "09:30"), ("07:00", "10:00"), None])
async def test_other_quiet_hours_release_what_the_old_ones_held(
    database: Database, world: World, cast: Cast, hours: tuple[str, str] | None
) -> None:
    """The worker decides again when it is due: now. Everything else keeps its time."""
    await quiet(world, cast.bob, cast.charlie)
    end = NOW + 60 * MINUTE
    due: dict[str, Any] = {"notify_at": NOW, "held_until": end}
    held: dict[str, Any] = {"status": PENDING, "next_attempt_at": end}
    cases: list[tuple[User, dict[str, Any], dict[str, Any], bool]] = [
        (cast.bob, due, held, True),
        (cast.bob, due | {"notify_at": NOW + INSTANT}, held, False),
        (cast.charlie, due, held, False),
        (cast.bob, due, held | {"lease": "of a worker that sends it"}, False),
        (cast.bob, due, {"status": DeliveryStatus.SENT, "next_attempt_at": None}, False),
        (cast.bob, due, {"status": PENDING, "next_attempt_at": NOW - MINUTE}, False),
    ]
    offers: list[LeadOffer] = []
    deliveries: list[Delivery] = []
    for user, offer_fields, delivery_fields, _ in cases:
        offer = await world.offer(await world.lead(cast.alice, cast.team), user, status=SCHEDULED, **offer_fields)
        offers.append(offer)
        deliveries.append(Delivery(offer_id=offer.id, channel=Channel.EMAIL, **delivery_fields))
        await world.add(deliveries[-1])

    await change(database, cast.bob, hours)

    for (user, fields, _, _), offer in zip(cases, await reread(database, *offers), strict=True):
        is_released = user is cast.bob and fields["notify_at"] <= NOW
        assert offer.held_until == (NOW if is_released else end)
    for (_, _, fields, is_released), delivery in zip(cases, await reread(database, *deliveries), strict=True):
        assert delivery.next_attempt_at == (NOW if is_released else fields["next_attempt_at"])
    bob, charlie = await reread(database, cast.bob, cast.charlie)
    assert (bob.quiet_hours_start, bob.quiet_hours_end) == (hours or (None, None))
    assert (charlie.quiet_hours_start, charlie.quiet_hours_end) == ("08:00", "10:00")


async def test_the_same_quiet_hours_release_nothing(database: Database, world: World, cast: Cast, lead: Lead) -> None:
    await quiet(world, cast.bob)
    end = NOW + 60 * MINUTE
    offer = await world.offer(lead, cast.bob, status=SCHEDULED, held_until=end)
    await change(database, cast.bob, ("08:00", "10:00"))
    assert (await reread(database, offer))[0].held_until == end


async def test_an_offer_that_was_held_before_stays_as_it_is(
    database: Database, world: World, cast: Cast, lead: Lead
) -> None:
    await quiet(world, cast.bob)
    earlier = NOW - MINUTE
    offer = await world.offer(lead, cast.bob, status=SCHEDULED, held_until=earlier)
    await change(database, cast.bob, None)
    assert (await reread(database, offer))[0].held_until == earlier
