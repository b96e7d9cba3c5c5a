"""Twilio's callbacks: signed requests update deliveries, claim leads and stop texts; unsigned ones change nothing."""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from itertools import count
from typing import Any

import httpx2
import pytest
from sqlalchemy.exc import DisconnectionError
from sqlmodel import col, select

from app.access.claim_links import ClaimLink, claim_url
from app.commands.replies import claim_by_reply
from app.config import Settings
from app.db.engine import Database
from app.db.models import Delivery, Lead, LeadOffer, TextOptOut, User
from app.domain.enums import Channel, ClaimedVia, DeliveryStatus, LeadOfferStatus
from app.errors import ApiError, Code
from app.http.twilio_callbacks import signature
from app.main import create_app
from app.worker.leases import Lease, Outcome
from tests.support.api import settings_for
from tests.support.twilio_api import sign, with_twilio
from tests.support.world import NOW, Cast, World

PUBLIC = "https://leads.example.com"
PHONE = "+12025550142"
MINUTE = timedelta(minutes=1)

NOTHING = "<Response />"


@dataclass(frozen=True)
class Twilio:
    """Sends callbacks to the server, signed like the real ones."""

    http: httpx2.AsyncClient
    numbers: Any

    async def tells(self, path: str, **form: str) -> httpx2.Response:
        return await self.http.post(path, data=form, headers=sign(PUBLIC + path, form))

    async def receipt(self, delivery: Delivery, **form: str) -> None:
        answer = await self.tells(f"/twilio/receipts?delivery={delivery.id}", **form)
        assert (answer.status_code, answer.text) == (204, "")

    async def text(self, body: str, sender: str = PHONE, sid: str | None = None) -> str:
        """Send a text to the server and return its reply."""
        message_id = sid or f"SM{next(self.numbers)}"
        answer = await self.tells("/twilio/texts", From=sender, Body=body, MessageSid=message_id)
        assert (answer.status_code, answer.headers["content-type"]) == (200, "text/xml; charset=utf-8")
        return answer.text


@pytest.fixture
def settings(database_url: str) -> Settings:
    return with_twilio(settings_for(database_url), public_url=PUBLIC)


@pytest.fixture
async def twilio(settings: Settings) -> AsyncIterator[Twilio]:
    app = create_app(settings, clock=lambda: NOW)
    transport = httpx2.ASGITransport(app)
    async with (
        app.router.lifespan_context(app),
        httpx2.AsyncClient(transport=transport, base_url="http://127.0.0.1:8000") as http,
    ):
        yield Twilio(http, count(1))


@pytest.fixture
async def dora(world: World, cast: Cast) -> User:
    return await world.member_user(cast.team, "Dora", phone=PHONE, has_text_alert=True)


@pytest.fixture
async def offer(world: World, cast: Cast, dora: User) -> LeadOffer:
    return await offered(world, cast, dora)


async def offered(world: World, cast: Cast, user: User, **fields: Any) -> LeadOffer:
    lead = await world.lead(cast.alice, cast.team, type="Buyer", zipcode="94105")
    return await world.offer(lead, user, **fields)


async def delivery(world: World, offer: LeadOffer, status: DeliveryStatus, **fields: Any) -> Delivery:
    made = Delivery(offer_id=offer.id, channel=Channel.TEXT, status=status, attempts=1, **fields)
    await world.add(made)
    return made


async def again(database: Database, row: Any) -> Any:
    """Reload the row."""
    async with database.read() as session:
        return await session.get_one(type(row), row.id)


async def holder(database: Database, offer: LeadOffer) -> tuple[int | None, ClaimedVia | None]:
    async with database.read() as session:
        lead = await session.get_one(Lead, offer.lead_id)
        return lead.claimed_by_id, lead.claimed_via


# Who it is


def test_the_signature_is_that_of_twilio() -> None:
    """The example of https://www.twilio.com/docs/usage/security."""
    form = {
        "CallSid": "CA1234567890ABCDE",
        "Caller": "+14158675309",
        "Digits": "1234",
        "From": "+14158675309",
        "To": "+18005551212",
    }
    signed = signature("12345", "https://mycompany.com/myapp.php?foo=1&bar=2", form)
    assert signed == "RSOYDt4T1cUTdK1PDd93/VVr8B8="


@pytest.mark.parametrize("path", ["/twilio/texts", "/twilio/receipts?delivery=1", "/twilio/keys?link=x"])
async def test_an_unsigned_request_changes_nothing(
    twilio: Twilio, database: Database, world: World, offer: LeadOffer, path: str
) -> None:
    sent = await delivery(world, offer, DeliveryStatus.SENT)
    form = {"From": PHONE, "Body": "1", "MessageSid": "SM1", "MessageStatus": "delivered", "Digits": "1"}
    wrong: list[Mapping[str, str]] = [
        {},
        {"X-Twilio-Signature": ""},
        {"X-Twilio-Signature": "é"},
        sign(PUBLIC + path, form, "another token"),
        sign(PUBLIC + path, form | {"Body": "2"}),
        sign(f"http://127.0.0.1:8000{path}", form),
    ]
    for headers in wrong:
        encoded = [(name.encode(), value.encode()) for name, value in headers.items()]
        answer = await twilio.http.post(path, data=form, headers=encoded)
        assert (answer.status_code, answer.json()["errors"][0]["extensions"]["code"]) == (403, "FORBIDDEN")
    assert (await twilio.http.get(path)).status_code == 405
    assert await holder(database, offer) == (None, None)
    assert (await again(database, sent)).status is DeliveryStatus.SENT


async def test_without_an_account_the_paths_do_not_exist(database_url: str) -> None:
    app = create_app(settings_for(database_url, public_url=PUBLIC), clock=lambda: NOW)
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="http://test") as http:
        assert (await http.post("/twilio/texts", data={})).status_code == 404
    await app.state.database.close()


async def test_a_body_that_is_too_large_is_rejected(twilio: Twilio) -> None:
    answer = await twilio.http.post("/twilio/texts", content=b"x" * 2**21)
    assert answer.status_code == 413


# Receipts


@pytest.mark.parametrize(
    ("form", "status", "error"),
    [
        ({"MessageStatus": "delivered"}, DeliveryStatus.DELIVERED, None),
        ({"CallStatus": "completed"}, DeliveryStatus.DELIVERED, None),
        (
            {"MessageStatus": "undelivered", "ErrorCode": "30003"},
            DeliveryStatus.FAILED,
            "The text could not be delivered (30003).",
        ),
        ({"MessageStatus": "failed", "ErrorCode": "x 5"}, DeliveryStatus.FAILED, "Twilio could not send it."),
        ({"CallStatus": "no-answer"}, DeliveryStatus.FAILED, "Nobody answered the call."),
        ({"CallStatus": "busy"}, DeliveryStatus.FAILED, "The line was busy."),
        ({"MessageStatus": "sent"}, DeliveryStatus.SENT, None),
        ({"MessageStatus": "boiled"}, DeliveryStatus.SENT, None),
        ({}, DeliveryStatus.SENT, None),
    ],
)
async def test_a_receipt_records_how_a_message_ended(
    twilio: Twilio,
    database: Database,
    world: World,
    offer: LeadOffer,
    form: dict[str, str],
    status: DeliveryStatus,
    error: str | None,
) -> None:
    sent = await delivery(world, offer, DeliveryStatus.SENT, sent_at=NOW - MINUTE)
    for _ in range(2):
        await twilio.receipt(sent, **form)
    now = await again(database, sent)
    assert (now.status, now.error, now.attempts, now.sent_at) == (status, error, 1, NOW - MINUTE)


@pytest.mark.parametrize(
    ("answered_by", "ended"),
    [
        ("machine_start", DeliveryStatus.FAILED),
        ("machine_end_beep", DeliveryStatus.FAILED),
        ("fax", DeliveryStatus.FAILED),
        ("human", DeliveryStatus.DELIVERED),
        ("unknown", DeliveryStatus.DELIVERED),
    ],
)
async def test_a_call_that_a_machine_takes_is_not_delivered(
    twilio: Twilio, database: Database, world: World, offer: LeadOffer, answered_by: str, ended: DeliveryStatus
) -> None:
    """The detection is reported during the call, the call's status after it."""
    call = await delivery(world, offer, DeliveryStatus.SENT)
    receipts = f"/twilio/receipts?delivery={call.id}"
    assert (await twilio.tells(receipts, CallSid="CA1", AnsweredBy=answered_by)).status_code == 204
    await twilio.tells(receipts, CallSid="CA1", CallStatus="completed")
    stored = await again(database, call)
    is_machine = ended is DeliveryStatus.FAILED
    assert (stored.status, stored.error) == (ended, "An answering machine took the call." if is_machine else None)


async def test_later_receipts_are_ignored(twilio: Twilio, database: Database, world: World, offer: LeadOffer) -> None:
    sent = await delivery(world, offer, DeliveryStatus.SENT)
    for status in ("delivered", "undelivered", "sent"):
        await twilio.receipt(sent, MessageStatus=status)
    assert (await again(database, sent)).status is DeliveryStatus.DELIVERED


@pytest.mark.parametrize("status", [DeliveryStatus.PENDING, DeliveryStatus.CANCELLED])
async def test_a_receipt_before_the_attempt_is_recorded(
    twilio: Twilio, database: Database, world: World, cast: Cast, dora: User, status: DeliveryStatus
) -> None:
    offer = await offered(world, cast, dora, status=LeadOfferStatus.SCHEDULED)
    under_way = await delivery(world, offer, status, lease="mine", next_attempt_at=NOW + MINUTE)
    await twilio.receipt(under_way, MessageStatus="delivered")
    async with database.write() as session:
        await Lease(Delivery, "mine").record(session, [Outcome(under_way.id)], NOW)
    now = await again(database, under_way)
    assert (now.status, now.attempts, now.lease, now.next_attempt_at) == (DeliveryStatus.DELIVERED, 2, None, None)
    assert (await again(database, offer)).status is LeadOfferStatus.SENT


async def test_a_delivered_message_is_not_sent_again(
    twilio: Twilio, database: Database, world: World, cast: Cast, dora: User
) -> None:
    """The response to an attempt was lost, so the delivery waits for a retry. A late failure of it is ignored."""
    offer = await offered(world, cast, dora, status=LeadOfferStatus.SCHEDULED)
    waiting = await delivery(world, offer, DeliveryStatus.PENDING, next_attempt_at=NOW + MINUTE)
    await twilio.receipt(waiting, MessageStatus="undelivered")
    assert (await again(database, waiting)).next_attempt_at == NOW + MINUTE
    await twilio.receipt(waiting, MessageStatus="delivered")
    now = await again(database, waiting)
    assert (now.status, now.next_attempt_at, now.sent_at) == (DeliveryStatus.DELIVERED, None, NOW)
    assert (await again(database, offer)).status is LeadOfferStatus.SENT


async def test_an_old_receipt_does_not_affect_a_renewed_offer(
    twilio: Twilio, database: Database, world: World, cast: Cast, dora: User
) -> None:
    planned_anew = await offered(world, cast, dora, status=LeadOfferStatus.SCHEDULED)
    await twilio.receipt(await delivery(world, planned_anew, DeliveryStatus.SENT), MessageStatus="delivered")
    assert (await again(database, planned_anew)).status is LeadOfferStatus.SCHEDULED


@pytest.mark.parametrize("delivery_id", ["", "0", "999", "x", "9" * 30])
async def test_a_receipt_of_an_unknown_delivery(twilio: Twilio, delivery_id: str) -> None:
    answer = await twilio.tells(f"/twilio/receipts?delivery={delivery_id}", MessageStatus="delivered")
    assert answer.status_code == 204


# Press 1


async def test_pressing_1_claims(
    twilio: Twilio, database: Database, settings: Settings, dora: User, offer: LeadOffer
) -> None:
    path = keys(settings, offer)
    for digits in ("2", "", "11"):
        assert "Nothing was changed." in (await twilio.tells(path, Digits=digits)).text
    assert await holder(database, offer) == (None, None)
    for _ in range(2):
        answer = await twilio.tells(path, Digits="1")
        assert f"<Say>You have claimed lead {offer.lead_id}: Buyer in 94105." in answer.text
    assert await holder(database, offer) == (dora.id, ClaimedVia.PHONE)


def keys(settings: Settings, offer: LeadOffer) -> str:
    url = claim_url(settings, ClaimLink(offer.id, ClaimedVia.PHONE), NOW - MINUTE)
    assert url is not None
    return url.removeprefix(PUBLIC)


async def test_pressing_1_too_late(
    twilio: Twilio, world: World, cast: Cast, settings: Settings, offer: LeadOffer
) -> None:
    async with world.database.read() as session:
        bobs = await world.offer(await session.get_one(Lead, offer.lead_id), cast.bob)
    await twilio.tells(keys(settings, offer), Digits="1")
    assert "Somebody else already has this lead." in (await twilio.tells(keys(settings, bobs), Digits="1")).text
    tampered = keys(settings, offer).replace(f"={offer.id}.", f"={bobs.id}.", 1)
    assert "Nothing was changed." in (await twilio.tells(tampered, Digits="1")).text


# Replies


@pytest.mark.parametrize("body", ["1", "YES", " yes!\n", "Yes."])
async def test_a_reply_claims_the_newest_open_offer(
    twilio: Twilio, database: Database, world: World, cast: Cast, dora: User, offer: LeadOffer, body: str
) -> None:
    newest = await offered(world, cast, dora, notify_at=NOW)
    older = await offered(world, cast, dora, notify_at=NOW - MINUTE)
    await offered(world, cast, dora, notify_at=NOW + MINUTE, status=LeadOfferStatus.SCHEDULED)
    await offered(world, cast, dora, notify_at=NOW, status=LeadOfferStatus.DECLINED)
    await offered(world, cast, cast.bob, notify_at=NOW)
    told = f"You have claimed lead {newest.lead_id}: Buyer in 94105. The app shows how to reach the contact."
    assert await twilio.text(body) == f"<Response><Message>{told}</Message></Response>"
    assert await holder(database, newest) == (dora.id, ClaimedVia.TEXT)
    assert await holder(database, older) == await holder(database, offer) == (None, None)


async def test_a_repeated_callback_claims_once(
    twilio: Twilio, database: Database, world: World, cast: Cast, dora: User, offer: LeadOffer
) -> None:
    other = await offered(world, cast, dora, notify_at=NOW - MINUTE)
    answers = {await twilio.text("1", sid="SM77") for _ in range(3)}
    assert len(answers) == 1
    assert await holder(database, offer) == (dora.id, ClaimedVia.TEXT)
    assert await holder(database, other) == (None, None)
    await twilio.text("1", sid="SM78")
    assert await holder(database, other) == (dora.id, ClaimedVia.TEXT)


async def test_a_reply_names_the_lead(
    twilio: Twilio, database: Database, world: World, cast: Cast, dora: User, offer: LeadOffer
) -> None:
    newest = await offered(world, cast, dora, notify_at=NOW)
    assert "This offer is no longer open." in await twilio.text(f"1 {newest.lead_id + 1}")
    assert "This offer is no longer open." in await twilio.text(f"1 {10**18}")
    assert await holder(database, newest) == (None, None)
    await twilio.text(f"yes, #{offer.lead_id}.")
    assert await holder(database, offer) == (dora.id, ClaimedVia.TEXT)
    assert await holder(database, newest) == (None, None)


async def test_a_reply_from_a_shared_number_is_answered_with_a_question(
    twilio: Twilio, database: Database, world: World, cast: Cast, dora: User, offer: LeadOffer
) -> None:
    emma = await world.member_user(cast.team, "Emma", phone=PHONE)
    async with world.database.read() as session:
        emmas = await world.offer(await session.get_one(Lead, offer.lead_id), emma)
    first, lead = await offered(world, cast, dora, notify_at=NOW), offer.lead_id
    for said in ("1", "yes"):
        question = await twilio.text(said)
        assert "More than one person uses this number." in question
        for choice in (f"1 {first.lead_id} Dora", f"1 {lead} Emma", f"1 {lead} Dora"):
            assert f"{choice} to claim lead" in question
    assert f"1 {lead} Emma to claim lead {lead} as Emma" in await twilio.text(f"1 {lead}")  # offered to both
    assert await holder(database, offer) == await holder(database, first) == (None, None)

    await twilio.text(f"1 {lead} emma")
    assert await holder(database, emmas) == (emma.id, ClaimedVia.TEXT)
    await twilio.text(f"1 {first.lead_id}")
    assert await holder(database, first) == (dora.id, ClaimedVia.TEXT)


async def test_a_shared_number_with_one_open_offer_is_asked_all_the_same(
    twilio: Twilio, database: Database, world: World, cast: Cast, dora: User, offer: LeadOffer
) -> None:
    """The text may come from the other person, whose offer has ended in the meantime."""
    await world.member_user(cast.team, "Emma", phone=PHONE)
    for _ in range(2):  # the second is the first, reported again
        assert f"Reply 1 {offer.lead_id} Dora to claim" in await twilio.text("1", sid="SM77")
    assert await holder(database, offer) == (None, None)
    await twilio.text("1 dora")
    assert await holder(database, offer) == (dora.id, ClaimedVia.TEXT)


@pytest.mark.parametrize("name", ["Dora", "", "dora@example.com"])
async def test_people_who_cannot_be_told_apart_are_sent_to_the_app(
    twilio: Twilio, world: World, cast: Cast, dora: User, offer: LeadOffer, name: str
) -> None:
    other = await world.member_user(cast.team, "Emma", phone=PHONE)
    async with world.database.write() as session:
        (await session.get_one(User, other.id)).first_name = name
    async with world.database.read() as session:
        await world.offer(await session.get_one(Lead, offer.lead_id), other)
    assert "Claim the lead by the link that you were sent, or in the app." in await twilio.text("1")


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("Ann 2", "Ann 2"),
        ("J.R.", "J. R."),
        ("J.R.", "jr"),
        ("Mary  Ann", "mary ann"),
        ("Ren\u0065\u0301", "REN\u00c9"),
        ("Dr. O'Neil", "Dr. O\u2019Neil"),
        ("\U0001f642", "\U0001f642"),
    ],
)
async def test_a_name_is_understood_as_people_write_it(
    twilio: Twilio, database: Database, world: World, cast: Cast, dora: User, offer: LeadOffer, name: str, said: str
) -> None:
    emma = await world.member_user(cast.team, name, phone=PHONE)
    async with world.database.read() as session:
        emmas = await world.offer(await session.get_one(Lead, offer.lead_id), emma)
    assert "More than one person uses this number." in await twilio.text(f"1 {offer.lead_id}")
    assert "You have claimed lead" in await twilio.text(f"1 {offer.lead_id} {said}")
    assert await holder(database, emmas) == (emma.id, ClaimedVia.TEXT)


@pytest.mark.parametrize("said", ["1 please", "Yes, but later", "yes 5 minutes", "1 {lead} no", "1 {lead} 2"])
async def test_words_that_nobody_is_called_claim_nothing(
    twilio: Twilio, database: Database, world: World, cast: Cast, dora: User, offer: LeadOffer, said: str
) -> None:
    """The reply says how to claim, and not that no offer is open."""
    said = said.format(lead=offer.lead_id)
    if "5" not in said:
        assert "Reply 1 to claim your latest lead offer" in await twilio.text(said)
        await world.member_user(cast.team, "Emma", phone=PHONE)
        assert f"Reply 1 {offer.lead_id} Dora to claim" in await twilio.text(said)
    else:
        assert "This offer is no longer open." in await twilio.text(said)
    assert await holder(database, offer) == (None, None)


async def test_a_reply_without_an_open_offer(twilio: Twilio, dora: User) -> None:
    assert "You have no open lead offers." in await twilio.text("1")
    assert "Reply 1 to claim your latest lead offer, 1 and a lead" in await twilio.text("who is this?")


async def test_unknown_numbers_get_no_reply(twilio: Twilio, offer: LeadOffer, database: Database) -> None:
    for body in ("1", "STOP", "START", "hello"):
        assert await twilio.text(body, sender="+12025550199") == NOTHING
    assert await holder(database, offer) == (None, None)


@pytest.mark.parametrize(
    "word",
    [
        "STOP",
        "stop",
        " Stop. ",
        "UNSUBSCRIBE",
        "Revoke",
        "OPTOUT",
        "Opt-out",
        "Opt out!",
        '"STOP"',
        "Stop?",
        "stop all",
    ],
)
async def test_stop_is_remembered_until_start(twilio: Twilio, database: Database, dora: User, word: str) -> None:
    for _ in range(2):
        assert await twilio.text(word) == NOTHING
    assert await stops(database) == [(dora.id, PHONE)]
    assert "You will get texts about leads again." in await twilio.text("start")
    assert await stops(database) == []


async def test_yes_after_stop_allows_texts_and_claims_nothing(
    twilio: Twilio, database: Database, dora: User, offer: LeadOffer
) -> None:
    await twilio.text("STOP")
    assert "You will get texts about leads again." in await twilio.text("Yes", sid="SM1")
    await twilio.text("Yes", sid="SM1")  # reported again
    assert (await stops(database), await holder(database, offer)) == ([], (None, None))
    await twilio.text("yes", sid="SM2")
    assert await holder(database, offer) == (dora.id, ClaimedVia.TEXT)


@pytest.mark.parametrize("word", ["START", "Unstop", "yes"])
async def test_a_repeated_start_does_not_undo_a_later_stop(
    twilio: Twilio, database: Database, dora: User, word: str
) -> None:
    await twilio.text("STOP")
    for _ in range(2 if word != "yes" else 1):
        assert "You will get texts about leads again." in await twilio.text(word, sid="SM77")
    assert await stops(database) == []
    await twilio.text("STOP")
    assert await twilio.text(word, sid="SM77") == NOTHING
    assert await stops(database) == [(dora.id, PHONE)]
    assert "You will get texts about leads again." in await twilio.text(word, sid="SM78")
    assert await stops(database) == []


async def stops(database: Database) -> list[tuple[int, str]]:
    async with database.read() as session:
        found = (await session.exec(select(TextOptOut).order_by(col(TextOptOut.user_id)))).all()
    return [(stop.user_id, stop.phone) for stop in found]


async def test_stop_covers_all_users_of_a_number(
    twilio: Twilio, database: Database, world: World, cast: Cast, dora: User
) -> None:
    emma = await world.member_user(cast.team, "Emma", phone=PHONE)
    await twilio.text("STOP")
    assert await stops(database) == [(dora.id, PHONE), (emma.id, PHONE)]


async def test_a_text_without_an_id_claims_nothing(twilio: Twilio, database: Database, offer: LeadOffer) -> None:
    answer = await twilio.tells("/twilio/texts", From=PHONE, Body="1")
    assert (answer.status_code, answer.json()["errors"][0]["message"]) == (400, "The form has no field MessageSid.")
    assert await holder(database, offer) == (None, None)


async def test_a_claim_during_an_outage_is_retried_by_twilio(
    twilio: Twilio, database: Database, offer: LeadOffer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The status is 503, which Twilio retries, and no reply says that the offer is not open."""

    async def fail(*_arguments: object) -> None:
        raise DisconnectionError

    monkeypatch.setattr("app.http.twilio_callbacks.claim_by_reply", fail)
    answer = await twilio.tells("/twilio/texts", From=PHONE, Body="1", MessageSid="SM1")
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "2")
    assert await holder(database, offer) == (None, None)


async def test_a_reply_to_an_offer_that_is_gone_is_not_found(database: Database) -> None:
    with pytest.raises(ApiError, match="There is no such offer") as failure:
        async with database.write() as session:
            await claim_by_reply(session, 999, ClaimedVia.TEXT, NOW)
    assert failure.value.code is Code.NOT_FOUND
