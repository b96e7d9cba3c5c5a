"""Deliveries in the outbox: which are written and cancelled, and when an offer counts as sent."""

from datetime import timedelta
from typing import Any

import orjson
import pytest
from sqlmodel import col, select

from app.commands import outbox
from app.commands.outbox import Announcement
from app.db.engine import HAS_WEBHOOK, Database
from app.db.models import Delivery, Event, Lead, LeadOffer
from app.domain.alert_channels import Alerts
from app.domain.enums import Channel, ClaimedVia, DeliveryStatus, LeadOfferStatus
from tests.support.world import NOW, Cast, World

MINUTE = timedelta(minutes=1)
SCHEDULED = LeadOfferStatus.SCHEDULED
PENDING = DeliveryStatus.PENDING


@pytest.fixture
async def lead(world: World, cast: Cast) -> Lead:
    return await world.lead(cast.alice, cast.team)


async def add_delivery(world: World, offer: LeadOffer, status: DeliveryStatus = PENDING) -> Delivery:
    next_at = NOW if status is PENDING else None
    delivery = Delivery(offer_id=offer.id, channel=Channel.EMAIL, status=status, next_attempt_at=next_at)
    await world.add(delivery)
    return delivery


async def deliveries(database: Database) -> list[Delivery]:
    async with database.read() as session:
        return [*(await session.exec(select(Delivery).order_by(col(Delivery.id)))).all()]


async def test_each_channel_of_each_announcement_gets_a_delivery(
    database: Database, world: World, cast: Cast, lead: Lead
) -> None:
    first, second, third = [await world.offer(lead, user) for user in (cast.alice, cast.bob, cast.charlie)]
    async with database.write() as session:
        await outbox.schedule_deliveries(
            session,
            [
                Announcement(second.id, Alerts(text=True, email=True), NOW),
                Announcement(third.id, Alerts(), NOW),
                Announcement(first.id, Alerts(call=True), NOW + MINUTE),
            ],
        )
        await outbox.schedule_deliveries(session, [])
    written = await deliveries(database)
    assert {(each.offer_id, each.channel, each.next_attempt_at) for each in written} == {
        (first.id, Channel.CALL, NOW + MINUTE),
        (second.id, Channel.TEXT, NOW),
        (second.id, Channel.EMAIL, NOW),
    }
    assert {(each.status, each.attempts, each.lease, each.sent_at) for each in written} == {(PENDING, 0, None, None)}


@pytest.mark.parametrize("of_lead", [True, False])
async def test_only_pending_deliveries_of_the_offers_are_cancelled(
    database: Database, world: World, cast: Cast, lead: Lead, of_lead: bool
) -> None:
    offer = await world.offer(lead, cast.bob)
    other = await world.offer(await world.lead(cast.alice, cast.team), cast.bob)
    for status in DeliveryStatus:
        await add_delivery(world, offer, status)
    await add_delivery(world, other)
    async with database.write() as session:
        if of_lead:
            await outbox.cancel_deliveries_of_lead(session, lead.id)
        else:
            await outbox.cancel_deliveries(session, col(LeadOffer.id) == offer.id)
    *ours, theirs = await deliveries(database)
    assert [each.status for each in ours] == [
        DeliveryStatus.CANCELLED if status is PENDING else status for status in DeliveryStatus
    ]
    assert {each.next_attempt_at for each in ours} == {None}
    assert (theirs.status, theirs.next_attempt_at) == (PENDING, NOW)


@pytest.mark.parametrize(
    ("others", "how", "before", "after"),
    [
        ([], "sent", SCHEDULED, LeadOfferStatus.SENT),
        ([PENDING], "sent", SCHEDULED, LeadOfferStatus.SENT),
        ([], "ended", SCHEDULED, LeadOfferStatus.SENT),
        ([DeliveryStatus.FAILED], "ended", SCHEDULED, LeadOfferStatus.SENT),
        ([PENDING], "ended", SCHEDULED, SCHEDULED),
        ([], "sent", LeadOfferStatus.DECLINED, LeadOfferStatus.DECLINED),
        ([], "ended", LeadOfferStatus.CANCELLED, LeadOfferStatus.CANCELLED),
    ],
)
async def test_when_an_offer_counts_as_sent(
    database: Database,
    world: World,
    cast: Cast,
    lead: Lead,
    others: list[DeliveryStatus],
    how: str,
    before: LeadOfferStatus,
    after: LeadOfferStatus,
) -> None:
    offer = await world.offer(lead, cast.bob, status=before)
    untouched = await world.offer(lead, cast.charlie, status=SCHEDULED)
    await add_delivery(world, untouched, DeliveryStatus.SENT)
    done = await add_delivery(world, offer, DeliveryStatus.FAILED)
    for status in others:
        await add_delivery(world, offer, status)
    ids: dict[str, list[int]] = {"sent": [], "ended": []} | {how: [done.id]}
    async with database.write() as session:
        await outbox.mark_offers_sent(session, **ids)
    async with database.read() as session:
        assert (await session.get_one(LeadOffer, offer.id)).status is after
        assert (await session.get_one(LeadOffer, untouched.id)).status is SCHEDULED


async def count_silent(database: Database) -> int:
    async with database.read() as session:
        return (await session.exec(outbox.count_silent_offers())).one()


@pytest.mark.parametrize(
    ("fields", "silent"),
    [
        ({"has_email_alert": True}, 1),
        ({"has_text_alert": True}, 1),
        ({"has_call_alert": True}, 1),
        ({}, 0),
        ({"has_email_alert": True, "status": LeadOfferStatus.SENT}, 0),
    ],
)
async def test_a_scheduled_offer_with_a_channel_needs_a_pending_delivery(
    database: Database, world: World, cast: Cast, lead: Lead, fields: dict[str, Any], silent: int
) -> None:
    offer = await world.offer(lead, cast.bob, **{"has_email_alert": False, "status": SCHEDULED, **fields})
    assert await count_silent(database) == silent
    await add_delivery(world, offer, DeliveryStatus.SENT)
    assert await count_silent(database) == silent
    await add_delivery(world, offer)
    assert await count_silent(database) == 0


async def test_silent_offers_are_counted_among_those_due_first(
    database: Database, world: World, cast: Cast, lead: Lead, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbox, "MOST_COUNTED", 1)
    await add_delivery(world, await world.offer(lead, cast.bob, status=SCHEDULED, notify_at=NOW + MINUTE))
    assert await count_silent(database) == 0
    await world.offer(lead, cast.charlie, status=SCHEDULED)
    assert await count_silent(database) == 1
    await add_delivery(world, await world.offer(lead, cast.alice, status=SCHEDULED, notify_at=NOW - MINUTE))
    assert await count_silent(database) == 0


async def events(database: Database) -> list[dict[str, Any]]:
    async with database.read() as session:
        rows = await session.exec(select(Event).order_by(col(Event.id)))
        return [orjson.loads(event.payload)["data"] for event in rows]


async def test_the_event_of_a_claim_names_the_holders_offer(
    database: Database, world: World, cast: Cast, lead: Lead
) -> None:
    """An imported offer may have no team."""
    kept = await world.lead(cast.alice)
    offers = {each.id: await world.offer(each, cast.bob) for each in (kept, lead)}
    await world.offer(lead, cast.charlie)
    async with database.write() as session:
        session.info[HAS_WEBHOOK] = True
        for each in (kept, lead):
            await outbox.emit_offer_claimed(session, each.id, cast.bob.id, ClaimedVia.AUTO, NOW - MINUTE, NOW)
    assert await events(database) == [
        {
            "offerId": str(offers[each.id].id),
            "leadId": str(each.id),
            "userId": str(cast.bob.id),
            "teamId": team_id,
            "claimedVia": "AUTO",
            "claimedAt": "2026-03-02T09:00:00.000Z",
            "timeToClaim": 60,
        }
        for each, team_id in ((kept, None), (lead, str(cast.team.id)))
    ]


async def test_the_event_of_a_failed_delivery_names_its_offer(
    database: Database, world: World, cast: Cast, lead: Lead
) -> None:
    """The user of an offer may have been deleted since."""
    first = await add_delivery(world, await world.offer(lead, cast.bob), DeliveryStatus.FAILED)
    second = await add_delivery(world, await world.offer(lead, None), DeliveryStatus.FAILED)
    await add_delivery(world, await world.offer(lead, cast.charlie), DeliveryStatus.FAILED)
    first.error, first.attempts = "no", 5
    await world.add(first)
    async with database.write() as session:
        session.info[HAS_WEBHOOK] = True
        await outbox.emit_deliveries_failed(session, [second.id, first.id], NOW)
        await outbox.emit_deliveries_failed(session, [], NOW)
    common = {"leadId": str(lead.id), "channel": "EMAIL"}
    assert await events(database) == [
        common | {"deliveryId": "1", "offerId": "1", "userId": str(cast.bob.id), "attempts": 5, "error": "no"},
        common | {"deliveryId": "2", "offerId": "2", "userId": None, "attempts": 0, "error": None},
    ]
