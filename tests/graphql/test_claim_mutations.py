"""Claim, decline, assign, release and availability over GraphQL: each allowed case beside its refused one."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
from sqlmodel import col, select

from app.db.engine import Database
from app.db.models import Claim, Delivery, Lead, LeadOffer
from app.domain.enums import Channel, ClaimedVia, DeliveryStatus, LeadOfferStatus, RequestStatus
from tests.support.api import Api
from tests.support.world import NOW, Cast, World

CLAIM = """mutation($id: ID!) { claimLeadOffer(id: $id) { leadOffer {
  id status viewerCanClaim lead { claimedBy { firstName } claimedVia claimedAt } } } }"""
DECLINE = "mutation($id: ID!) { declineLeadOffer(id: $id) { leadOffer { id status viewerCanClaim } } }"
ASSIGN = """mutation($id: ID!, $userId: ID!) { assignLead(id: $id, userId: $userId) { lead {
  claimedBy { id } claimedVia
  offers(sort: {field: ID}) { data { user { id } status notifyAt hasEmailAlert hasTextAlert } } } } }"""
RELEASE = """mutation($id: ID!) { releaseLead(id: $id) { lead {
  claimedBy { id } claimedVia offers(sort: {field: ID}) { data { user { id } status notifyAt } } } } }"""
CAN_CLAIM = "query($id: ID!) { leadOffer(id: $id) { viewerCanClaim } }"
MINUTE = timedelta(minutes=1)


@dataclass(frozen=True)
class Offered:
    """Alice's lead is offered to Bob now, and to Dora of the same team 15 minutes later."""

    lead: Lead
    bob: LeadOffer
    dora: LeadOffer
    dora_id: int
    as_dora: Api


@pytest.fixture
async def offered(api: Api, world: World, cast: Cast) -> Offered:
    dora = await world.user("Dora")
    await world.member(cast.team, dora, rank=2, has_text_alert=True)
    lead = await world.lead(cast.alice, cast.team)
    bobs = await world.offer(lead, cast.bob, rank=1)
    doras = await world.offer(lead, dora, rank=2, notify_at=NOW + 15 * MINUTE, status=LeadOfferStatus.SCHEDULED)
    return Offered(lead, bobs, doras, dora.id, api.user(dora))


async def deliveries(database: Database) -> list[tuple[int, Channel, DeliveryStatus, Any]]:
    async with database.read() as session:
        rows = (await session.exec(select(Delivery).order_by(col(Delivery.id)))).all()
    return [(d.offer_id, d.channel, d.status, d.next_attempt_at) for d in rows]


# Claiming


async def test_claiming_is_idempotent(api: Api, cast: Cast, offered: Offered) -> None:
    answers = [await api.user(cast.bob).ask(CLAIM, id=offered.bob.id) for _ in range(2)]
    lead = {"claimedBy": {"firstName": "Bob"}, "claimedVia": "APP", "claimedAt": "2026-03-02T09:00:00.000Z"}
    expected = {"id": str(offered.bob.id), "status": "CLAIMED", "viewerCanClaim": True, "lead": lead}
    assert answers == [{"claimLeadOffer": {"leadOffer": expected}}] * 2


async def test_another_user_cannot_claim_the_offer(api: Api, cast: Cast, offered: Offered) -> None:
    assert (await api.user(cast.charlie).refusal(CLAIM, id=offered.bob.id))["code"] == "NOT_FOUND"
    assert (await api.user(cast.alice).refusal(CLAIM, id=offered.bob.id))["code"] == "FORBIDDEN"
    assert (await api.user(cast.bob, "read").refusal(CLAIM, id=offered.bob.id))["code"] == "FORBIDDEN"
    assert (await api.user(cast.bob).refusal(CLAIM, id="x"))["code"] == "NOT_FOUND"
    await api.user(cast.bob).ask(CLAIM, id=offered.bob.id)


async def test_a_late_claim_names_the_holder_of_the_lead(api: Api, cast: Cast, offered: Offered) -> None:
    assert (await offered.as_dora.refusal(CLAIM, id=offered.dora.id))["code"] == "OFFER_NOT_OPEN"
    await api.user(cast.bob).ask(CLAIM, id=offered.bob.id)
    refusal = await offered.as_dora.refusal(CLAIM, id=offered.dora.id)
    assert refusal == {
        "code": "ALREADY_CLAIMED",
        "claimedBy": {"id": str(cast.bob.id), "firstName": "Bob", "lastName": "Example"},
        "claimedAt": "2026-03-02T09:00:00.000Z",
    }


@pytest.mark.parametrize("status", [s for s in LeadOfferStatus if s is not LeadOfferStatus.CLAIMED])
async def test_only_due_open_offers_can_be_claimed(api: Api, world: World, cast: Cast, status: LeadOfferStatus) -> None:
    """For every status, due or not, viewerCanClaim predicts the result of the claim."""
    lead = await world.lead(cast.alice, cast.team)
    due = await world.offer(lead, cast.bob, status=status)
    bob = api.user(cast.bob)
    is_open = status in (LeadOfferStatus.SCHEDULED, LeadOfferStatus.SENT)
    assert await bob.ask(CAN_CLAIM, id=due.id) == {"leadOffer": {"viewerCanClaim": is_open}}
    assert await api.user(cast.alice).ask(CAN_CLAIM, id=due.id) == {"leadOffer": {"viewerCanClaim": False}}
    assert await api.user(cast.bob, "read").ask(CAN_CLAIM, id=due.id) == {"leadOffer": {"viewerCanClaim": False}}
    if is_open:
        await bob.ask(CLAIM, id=due.id)
    else:
        assert (await bob.refusal(CLAIM, id=due.id))["code"] == "OFFER_NOT_OPEN"


async def test_an_away_user_can_claim_and_a_former_member_cannot(
    api: Api, world: World, cast: Cast, offered: Offered
) -> None:
    cast.bob.away_until = NOW + MINUTE
    await world.add(cast.bob)
    assert await api.user(cast.bob).ask(CAN_CLAIM, id=offered.bob.id) == {"leadOffer": {"viewerCanClaim": True}}
    cast.team.deleted_at = NOW
    await world.add(cast.team)
    assert await api.user(cast.bob).ask(CAN_CLAIM, id=offered.bob.id) == {"leadOffer": {"viewerCanClaim": False}}
    assert (await api.user(cast.bob).refusal(CLAIM, id=offered.bob.id))["code"] == "OFFER_NOT_OPEN"


async def test_an_imported_offer_without_a_time_can_be_claimed(api: Api, world: World, cast: Cast) -> None:
    offer = await world.offer(await world.lead(cast.alice, cast.team), cast.bob, notify_at=None)
    assert await api.user(cast.bob).ask(CAN_CLAIM, id=offer.id) == {"leadOffer": {"viewerCanClaim": True}}
    await api.user(cast.bob).ask(CLAIM, id=offer.id)


async def test_a_claim_cancels_what_is_pending(
    api: Api, database: Database, world: World, cast: Cast, offered: Offered
) -> None:
    pending = [
        Delivery(offer_id=offered.dora.id, channel=c, status=DeliveryStatus.PENDING, next_attempt_at=NOW)
        for c in Channel
    ]
    await world.add(*pending)
    await api.user(cast.bob).ask(CLAIM, id=offered.bob.id)
    assert {row[2:] for row in await deliveries(database)} == {(DeliveryStatus.CANCELLED, None)}


# Declining


async def test_a_decline_brings_the_next_rank_forward(
    api: Api, database: Database, world: World, cast: Cast, offered: Offered
) -> None:
    later = await world.offer(
        offered.lead, await world.user(), rank=3, notify_at=NOW + 30 * MINUTE, status=LeadOfferStatus.SCHEDULED
    )
    await world.add(
        *(
            Delivery(offer_id=o.id, channel=Channel.EMAIL, status=DeliveryStatus.PENDING, next_attempt_at=o.notify_at)
            for o in (offered.bob, offered.dora, later)
        )
    )
    for _ in range(2):
        answer = await api.user(cast.bob).ask(DECLINE, id=offered.bob.id)
        expected = {"id": str(offered.bob.id), "status": "DECLINED", "viewerCanClaim": False}
        assert answer == {"declineLeadOffer": {"leadOffer": expected}}
    assert [row[2:] for row in await deliveries(database)] == [
        (DeliveryStatus.CANCELLED, None),
        (DeliveryStatus.PENDING, NOW),
        (DeliveryStatus.PENDING, NOW + 15 * MINUTE),
    ]
    await offered.as_dora.ask(CLAIM, id=offered.dora.id)


async def test_no_rank_is_brought_forward_while_somebody_can_claim(
    api: Api, world: World, cast: Cast, offered: Offered
) -> None:
    await world.offer(offered.lead, await world.member_user(cast.team, rank=1), rank=1)
    await api.user(cast.bob).ask(DECLINE, id=offered.bob.id)
    assert await offered.as_dora.ask(CAN_CLAIM, id=offered.dora.id) == {"leadOffer": {"viewerCanClaim": False}}


async def test_users_decline_only_their_own_open_offers(api: Api, cast: Cast, offered: Offered) -> None:
    assert (await api.user(cast.charlie).refusal(DECLINE, id=offered.bob.id))["code"] == "NOT_FOUND"
    assert (await api.user(cast.alice).refusal(DECLINE, id=offered.bob.id))["code"] == "FORBIDDEN"
    await api.user(cast.bob).ask(CLAIM, id=offered.bob.id)
    assert (await api.user(cast.bob).refusal(DECLINE, id=offered.bob.id))["code"] == "OFFER_NOT_OPEN"
    assert (await offered.as_dora.refusal(DECLINE, id=offered.dora.id))["code"] == "OFFER_NOT_OPEN"


# Assigning


async def test_the_creator_assigns_and_reassigns_a_lead(
    api: Api, database: Database, cast: Cast, offered: Offered
) -> None:
    alice = api.user(cast.alice)
    for _ in range(2):
        given = (await alice.ask(ASSIGN, id=offered.lead.id, userId=offered.dora_id))["assignLead"]["lead"]
        assert (given["claimedBy"], given["claimedVia"]) == ({"id": str(offered.dora_id)}, "ASSIGNED")
        assert [(o["status"], o["notifyAt"]) for o in given["offers"]["data"]] == [
            ("EXPIRED", "2026-03-02T09:00:00.000Z"),
            ("CLAIMED", "2026-03-02T09:00:00.000Z"),
        ]
    pending = (DeliveryStatus.PENDING, NOW)
    assert await deliveries(database) == [(offered.dora.id, Channel.EMAIL, *pending)]
    given = (await alice.ask(ASSIGN, id=offered.lead.id, userId=cast.bob.id))["assignLead"]["lead"]
    assert [o["status"] for o in given["offers"]["data"]] == ["CLAIMED", "EXPIRED"]
    assert [row[:3] for row in await deliveries(database)] == [
        (offered.dora.id, Channel.EMAIL, DeliveryStatus.CANCELLED),
        (offered.bob.id, Channel.EMAIL, DeliveryStatus.PENDING),
    ]


async def test_an_assigned_user_without_an_offer_gets_one_with_their_channels(
    api: Api, database: Database, world: World, cast: Cast
) -> None:
    dora = await world.member_user(cast.team, has_text_alert=True, has_email_alert=False)
    lead = await world.lead(cast.alice, cast.team)
    given = (await api.user(cast.alice).ask(ASSIGN, id=lead.id, userId=dora.id))["assignLead"]["lead"]
    offer = {"user": {"id": str(dora.id)}, "status": "CLAIMED", "notifyAt": "2026-03-02T09:00:00.000Z"}
    assert given["offers"]["data"] == [offer | {"hasEmailAlert": False, "hasTextAlert": True}]
    assert [row[1:] for row in await deliveries(database)] == [(Channel.TEXT, DeliveryStatus.PENDING, NOW)]


async def test_a_creator_who_assigns_to_themself_is_not_notified(
    api: Api, database: Database, cast: Cast, offered: Offered
) -> None:
    given = (await api.user(cast.alice).ask(ASSIGN, id=offered.lead.id, userId=cast.alice.id))["assignLead"]["lead"]
    assert [(o["user"]["id"], o["status"]) for o in given["offers"]["data"]] == [
        (str(cast.bob.id), "EXPIRED"),
        (str(offered.dora_id), "CANCELLED"),
        (str(cast.alice.id), "CLAIMED"),
    ]
    assert await deliveries(database) == []


async def test_a_lead_is_assigned_only_to_active_members(api: Api, world: World, cast: Cast, offered: Offered) -> None:
    alice = api.user(cast.alice)
    pending, switched_off, deleted = await world.user(), await world.user(is_active=False), await world.user()
    await world.membership(cast.team, pending, RequestStatus.PENDING)
    await world.membership(cast.team, switched_off)
    await world.membership(await world.team(cast.alice, deleted_at=NOW), deleted)
    for nobody in (cast.charlie.id, pending.id, switched_off.id, deleted.id, 999, "x"):
        assert (await alice.refusal(ASSIGN, id=offered.lead.id, userId=nobody))["code"] == "NOT_FOUND"
    assert (await api.user(cast.bob).refusal(ASSIGN, id=offered.lead.id, userId=cast.bob.id))["code"] == "FORBIDDEN"
    assert (await api.user(cast.charlie).refusal(ASSIGN, id=offered.lead.id, userId=cast.bob.id))["code"] == "NOT_FOUND"
    await alice.ask(ASSIGN, id=offered.lead.id, userId=cast.bob.id)


# Releasing


async def test_a_release_reopens_the_offers_that_the_claim_ended(
    api: Api, database: Database, world: World, cast: Cast, offered: Offered
) -> None:
    eve = await world.member_user(cast.team, rank=1)
    last = await world.member_user(cast.team, rank=3)
    sent = await world.offer(offered.lead, eve, rank=1, notify_at=NOW - MINUTE)
    later = await world.offer(offered.lead, last, rank=3, notify_at=NOW + 35 * MINUTE, status=LeadOfferStatus.SCHEDULED)
    bob = api.user(cast.bob)
    await bob.ask(CLAIM, id=offered.bob.id)
    released = (await bob.ask(RELEASE, id=offered.lead.id))["releaseLead"]["lead"]
    assert (released["claimedBy"], released["claimedVia"]) == (None, None)
    offers = (
        await api.user(cast.alice).ask(
            "query($id: ID!) { lead(id: $id) { offers(sort: {field: ID}) { data { status notifyAt } } } }",
            id=offered.lead.id,
        )
    )["lead"]["offers"]["data"]
    assert [(o["status"], o["notifyAt"][11:16]) for o in offers] == [
        ("DECLINED", "09:00"),
        ("SCHEDULED", "09:00"),
        ("SENT", "08:59"),
        ("SCHEDULED", "09:20"),
    ]
    assert [(row[0], row[3]) for row in await deliveries(database)] == [
        (offered.dora.id, NOW),
        (sent.id, NOW),
        (later.id, NOW + 20 * MINUTE),
    ]
    assert (await bob.refusal(RELEASE, id=offered.lead.id))["code"] == "CONFLICT"
    assert (await bob.refusal(CLAIM, id=offered.bob.id))["code"] == "OFFER_NOT_OPEN"


async def test_the_holder_and_the_creator_can_release(api: Api, world: World, cast: Cast, offered: Offered) -> None:
    eve = await world.member_user(cast.team)
    await world.offer(offered.lead, eve)
    alice = api.user(cast.alice)
    assert (await alice.refusal(RELEASE, id=offered.lead.id))["code"] == "CONFLICT"
    await api.user(cast.bob).ask(CLAIM, id=offered.bob.id)
    assert (await api.user(eve).refusal(RELEASE, id=offered.lead.id))["code"] == "FORBIDDEN"
    assert (await api.user(cast.charlie).refusal(RELEASE, id=offered.lead.id))["code"] == "NOT_FOUND"
    await alice.ask(RELEASE, id=offered.lead.id)


async def test_a_due_automatic_offer_takes_a_released_lead(api: Api, world: World, cast: Cast) -> None:
    dora = await world.member_user(cast.team, rank=2)
    lead = await world.lead(cast.alice, cast.team)
    bobs = await world.offer(lead, cast.bob)
    await world.offer(
        lead, dora, assign_automatically=True, notify_at=NOW + 5 * MINUTE, status=LeadOfferStatus.SCHEDULED
    )
    await api.user(cast.bob).ask(CLAIM, id=bobs.id)
    released = (await api.user(cast.alice).ask(RELEASE, id=lead.id))["releaseLead"]["lead"]
    assert (released["claimedBy"], released["claimedVia"]) == ({"id": str(dora.id)}, "AUTO")


# Away and quiet hours


AWAY = "mutation($until: DateTime!) { setAway(until: $until) { me { id awayUntil } } }"
BACK = "mutation { clearAway { me { id awayUntil } } }"
QUIET = """mutation($start: String!, $end: String!) {
  setQuietHours(start: $start, end: $end) { me { quietHours { start end } } } }"""
LOUD = "mutation { clearQuietHours { me { quietHours { start end } } } }"


async def test_setting_away_cancels_offers_due_before_the_return(api: Api, cast: Cast, offered: Offered) -> None:
    for _ in range(2):
        answer = await offered.as_dora.ask(AWAY, until="2026-03-02T09:15:00Z")
        assert answer["setAway"]["me"]["awayUntil"] == "2026-03-02T09:15:00.000Z"
    status = "query($id: ID!) { leadOffer(id: $id) { status } }"
    assert await offered.as_dora.ask(status, id=offered.dora.id) == {"leadOffer": {"status": "SCHEDULED"}}
    await offered.as_dora.ask(AWAY, until="2026-03-02T09:15:00.001Z")
    assert await offered.as_dora.ask(status, id=offered.dora.id) == {"leadOffer": {"status": "CANCELLED"}}
    await api.user(cast.bob).ask(AWAY, until="2026-03-03")
    assert await api.user(cast.bob).ask(status, id=offered.bob.id) == {"leadOffer": {"status": "SENT"}}
    assert (await offered.as_dora.ask(BACK))["clearAway"]["me"]["awayUntil"] is None
    assert await offered.as_dora.ask(status, id=offered.dora.id) == {"leadOffer": {"status": "CANCELLED"}}


async def test_away_must_end_in_the_future(api: Api, cast: Cast) -> None:
    refusal = await api.user(cast.bob).refusal(AWAY, until="2026-03-02T09:00:00Z")
    assert refusal == {"code": "BAD_USER_INPUT", "field": "until"}


async def test_quiet_hours_are_stored_and_cleared(api: Api, cast: Cast) -> None:
    bob = api.user(cast.bob)
    for _ in range(2):
        answer = await bob.ask(QUIET, start="22:00", end="07:30")
        assert answer["setQuietHours"]["me"]["quietHours"] == {"start": "22:00", "end": "07:30"}
        assert (await bob.ask("{ me { quietHours { end } } }"))["me"]["quietHours"] == {"end": "07:30"}
    assert (await bob.ask(LOUD))["clearQuietHours"]["me"]["quietHours"] is None


@pytest.mark.parametrize(
    ("start", "end", "fields"),
    [("22:00", "22:00", ["end"]), ("25:00", "07:00", ["start"]), ("7", "8", ["start", "end"])],
)
async def test_invalid_quiet_hours_are_reported(api: Api, cast: Cast, start: str, end: str, fields: list[str]) -> None:
    refusal = await api.user(cast.bob).refusal(QUIET, start=start, end=end)
    assert (refusal["code"], refusal["field"]) == ("BAD_USER_INPUT", fields[0])
    assert [p["field"] for p in refusal.get("problems", [{"field": fields[0]}])] == fields


async def test_quiet_hours_hold_back_the_automatic_offer_until_they_change(
    api: Api, database: Database, world: World, cast: Cast
) -> None:
    dora = await world.member_user(
        cast.team, rank=2, assign_automatically=True, timezone="UTC", quiet_hours_start="08:00", quiet_hours_end="10:00"
    )
    lead = await world.lead(cast.alice, cast.team, claimed_by_id=cast.bob.id, claimed_via=ClaimedVia.APP)
    await world.offer(lead, cast.bob, status=LeadOfferStatus.CLAIMED)
    doras = await world.offer(lead, dora, assign_automatically=True, status=LeadOfferStatus.EXPIRED)
    await api.user(cast.alice).ask(RELEASE, id=lead.id)

    async def held() -> tuple[Any, Any]:
        async with database.read() as session:
            offer = await session.get_one(LeadOffer, doras.id)
            return offer.status, offer.held_until

    assert await held() == (LeadOfferStatus.SENT, NOW + 60 * MINUTE)
    assert await api.user(dora).ask(CAN_CLAIM, id=doras.id) == {"leadOffer": {"viewerCanClaim": True}}
    await api.user(dora).ask(LOUD)
    assert await held() == (LeadOfferStatus.SENT, NOW)


# The ledger

CLAIMS = """query($id: ID!) { lead(id: $id) { claims {
  user { firstName } team { name } via claimedAt endedAt endReason } } }"""


async def test_the_creator_sees_every_claim_oldest_first(api: Api, world: World, cast: Cast, offered: Offered) -> None:
    alice, bob, lead = api.user(cast.alice), api.user(cast.bob), offered.lead.id
    assert await alice.ask(CLAIMS, id=lead) == {"lead": {"claims": []}}
    await bob.ask(CLAIM, id=offered.bob.id)
    await alice.ask(ASSIGN, id=lead, userId=offered.dora_id)
    await offered.as_dora.ask(RELEASE, id=lead)
    await alice.ask(ASSIGN, id=lead, userId=cast.alice.id)
    now, team = "2026-03-02T09:00:00.000Z", {"name": cast.team.name}
    assert (await alice.ask(CLAIMS, id=lead))["lead"]["claims"] == [
        {"user": {"firstName": name}, "team": team, "via": via, "claimedAt": now, "endedAt": ended, "endReason": reason}
        for name, via, ended, reason in (
            ("Bob", "APP", now, "REASSIGNED"),
            ("Dora", "ASSIGNED", now, "RELEASED"),
            ("Alice", "ASSIGNED", None, None),
        )
    ]
    assert await bob.ask(CLAIMS, id=lead) == {"lead": {"claims": None}}
    await alice.ask(ASSIGN, id=lead, userId=cast.bob.id)
    assert await bob.ask(CLAIMS, id=lead) == {"lead": {"claims": None}}, "a holder sees no history"
    assert await api.user(cast.charlie).ask(CLAIMS, id=lead) == {"lead": None}


async def test_an_imported_claim_without_a_time_dates_from_the_lead(api: Api, world: World, cast: Cast) -> None:
    lead = await world.lead(
        cast.alice, created_at=NOW - 9 * MINUTE, claimed_by_id=cast.bob.id, claimed_via=ClaimedVia.PHONE
    )
    await world.add(Claim(lead_id=lead.id, user_id=cast.bob.id, via=ClaimedVia.PHONE))
    query = "query($id: ID!) { lead(id: $id) { claimedAt claims { claimedAt team { id } } } }"
    answer = await api.user(cast.alice).ask(query, id=lead.id)
    assert answer["lead"] == {"claimedAt": None, "claims": [{"claimedAt": "2026-03-02T08:51:00.000Z", "team": None}]}
