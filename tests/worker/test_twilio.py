"""Texts and calls by a real HTTP server that speaks the provider's API: what it is asked, and what its answers mean."""

from base64 import b64encode
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import httpx2
import pytest
from sqlmodel import col, select

from app.access.auth import issue_token
from app.access.claim_links import read_link
from app.commands.claim import claim_lead_offer
from app.commands.replies import stop_texts
from app.commands.submit import submit_lead_offers
from app.config import Settings
from app.db.engine import Database
from app.db.models import Delivery, Lead, LeadOffer, User
from app.domain.enums import Channel, ClaimedVia, DeliveryStatus, LeadOfferStatus
from app.worker.channels.base import DeliveryError, Message
from app.worker.channels.registry import make_senders
from app.worker.channels.twilio import Account, Calls, Texts
from app.worker.leases import JITTER, PAUSES
from app.worker.worker import Worker
from tests.process.test_workers import until
from tests.support.api import settings_for
from tests.support.processes import free_port, server
from tests.support.twilio_api import NUMBER, SID, TOKEN, TWILIO, Provider, answering, provider, sign, with_twilio
from tests.support.world import NOW, Cast, World

MESSAGE = Message("delivery-7", "+12025550142", "Lead offer", "Lead offer: <Buyer> in 94105.")
PUBLIC = "https://leads.example.com"
SILENCE = b""


@pytest.fixture
async def twilio() -> AsyncIterator[Provider]:
    async with provider() as told:
        yield told


@pytest.fixture
def settings(database_url: str, twilio: Provider) -> Settings:
    return with_twilio(settings_for(database_url), twilio.url + "/", public_url=f"{PUBLIC}/")


# What it is asked


async def test_a_text_is_made_in_our_numbers_name(twilio: Provider, settings: Settings) -> None:
    texts = Texts(Account(settings, 5))
    await texts.send(MESSAGE)
    await texts.close()
    (sent,) = twilio.sent
    assert sent.path == f"/2010-04-01/Accounts/{SID}/Messages.json"
    assert sent.headers["authorization"] == f"Basic {b64encode(f'{SID}:{TOKEN}'.encode()).decode()}"
    assert sent.form == {
        "To": MESSAGE.to,
        "From": NUMBER,
        "Body": MESSAGE.text,
        "StatusCallback": f"{PUBLIC}/twilio/receipts?delivery=7",
    }


async def test_a_call_speaks_and_waits_for_a_key(twilio: Provider, settings: Settings) -> None:
    calls = Calls(Account(settings, 5))
    await calls.send(replace(MESSAGE, keys=f"{PUBLIC}/twilio/keys?link=a&b"))
    await calls.send(MESSAGE)
    await calls.close()
    asking, telling = (sent.twiml for sent in twilio.sent)
    assert twilio.sent[0].path == f"/2010-04-01/Accounts/{SID}/Calls.json"
    (gather,) = asking
    assert (gather.tag, gather.get("action")) == ("Gather", f"{PUBLIC}/twilio/keys?link=a&b")
    assert (gather.get("numDigits"), gather.get("method")) == ("1", "POST")
    assert [(said.tag, said.text) for said in gather] == [("Say", MESSAGE.text)]
    assert [(said.tag, said.text) for said in telling] == [("Say", MESSAGE.text)]


async def test_without_an_address_of_our_own_nothing_is_asked_back(twilio: Provider, settings: Settings) -> None:
    texts = Texts(Account(settings.model_copy(update={"public_url": None}), 5))
    await texts.send(MESSAGE)
    await texts.close()
    assert not texts.answers
    assert "StatusCallback" not in twilio.sent[0].form


# What its answers mean


@pytest.mark.parametrize(
    ("answer", "permanent", "reason"),
    [
        (answering(400, {"code": 21211, "message": "+1 is not valid"}), True, "the message or the number (21211)"),
        (answering(400, ["?"]), True, "the message or the number (400)"),
        (answering(401, {"code": 20003}), False, "to take it now (20003)"),
        (answering(404, {"code": "x"}), False, "to take it now (404)"),
        (answering(302, None, Location="http://127.0.0.1:1/"), False, "to take it now (302)"),
        (answering(500, None), False, "to take it now (500)"),
        (b"HTTP/1.1 503 .\r\nContent-Length: 6\r\n\r\n<html>", False, "to take it now (503)"),
    ],
)
async def test_a_refusal_says_whether_to_try_again(
    twilio: Provider, settings: Settings, answer: bytes, permanent: bool, reason: str
) -> None:
    twilio.answer = lambda _sent: answer
    failure = await failing(settings)
    assert (failure.permanent, failure.reason) == (permanent, f"Twilio refuses {reason}.")
    assert failure.retry_after is None


async def failing(settings: Settings, seconds: float = 5) -> DeliveryError:
    texts = Texts(Account(settings, seconds))
    with pytest.raises(DeliveryError) as failure:
        await texts.send(MESSAGE)
    await texts.close()
    return failure.value


@pytest.mark.parametrize(
    ("retry_after", "seconds"),
    [("120", 120), ("0", 0), ("soon", None), ("-5", None), ("9" * 30, 24 * 3600)],
)
async def test_too_many_requests_say_how_long_to_wait(
    twilio: Provider, settings: Settings, retry_after: str, seconds: float | None
) -> None:
    twilio.answer = lambda _sent: answering(429, {"code": 20429}, Retry_After=retry_after)
    failure = await failing(settings)
    assert (failure.permanent, failure.retry_after) == (False, seconds)


async def test_a_moment_to_wait_for(twilio: Provider, settings: Settings) -> None:
    in_an_hour = format_datetime(datetime.now(UTC) + timedelta(hours=1), usegmt=True)
    twilio.answer = lambda _sent: answering(503, None, Retry_After=in_an_hour)
    failure = await failing(settings)
    assert failure.retry_after == pytest.approx(3600, abs=60)


async def test_a_provider_that_is_silent_hangs_up_or_is_not_there(twilio: Provider, settings: Settings) -> None:
    twilio.answer = lambda _sent: None
    assert (await failing(settings)).reason == "The connection to Twilio failed."
    twilio.is_silent = True
    assert (await failing(settings, 0.3)).reason == "Twilio did not answer in time."
    nowhere = settings.model_copy(update={"twilio_url": f"http://127.0.0.1:{free_port()}"})
    assert (await failing(nowhere)).reason == "The connection to Twilio failed."


# By the worker


@pytest.fixture
async def dora(world: World, cast: Cast) -> User:
    """Is on the team, and is told by a text."""
    return await world.member_user(
        cast.team, "Dora", rank=0, phone="+12025550142", has_text_alert=True, has_email_alert=False
    )


async def submitted(database: Database, world: World, cast: Cast, **fields: Any) -> Lead:
    lead = await world.lead(cast.alice, cast.team, type="Buyer", zipcode="94105", **fields)
    async with database.write() as session:
        await submit_lead_offers(session, cast.alice.id, lead.id, NOW)
    return lead


async def dispatch(database: Database, settings: Settings, now: datetime = NOW) -> None:
    await Worker(database, settings, make_senders(settings), lambda: now).run_once()


async def told(database: Database, user: User) -> tuple[Delivery, LeadOffer]:
    found = select(Delivery, LeadOffer).join(LeadOffer).where(col(LeadOffer.user_id) == user.id)
    async with database.read() as session:
        return (await session.exec(found)).one()


@pytest.mark.parametrize(
    "refusal",
    [
        answering(500, None),
        None,
        answering(429, {"code": 20429}, Retry_After="7200"),
        SILENCE,
    ],
    ids=["500", "hangs up", "429", "silent"],
)
async def test_the_attempts_are_made_as_planned(
    twilio: Provider,
    settings: Settings,
    database: Database,
    world: World,
    cast: Cast,
    dora: User,
    refusal: bytes | None,
) -> None:
    """Each pause as long as written, or as the provider asks where that is longer; the fifth failure is the end."""
    asked_for = timedelta(hours=2 if refusal and b"429" in refusal else 0)
    await submitted(database, world, cast)
    twilio.answer = lambda _sent: refusal
    twilio.is_silent = refusal is SILENCE
    settings = settings.model_copy(update={"lease_seconds": 1.0})  # an attempt is given up after half of that
    now = NOW
    for attempts, pause in enumerate(PAUSES, start=1):
        await dispatch(database, settings, now)
        delivery, offer = await told(database, dora)
        assert (delivery.status, delivery.attempts, offer.status) == (
            DeliveryStatus.PENDING,
            attempts,
            LeadOfferStatus.SCHEDULED,
        )
        assert delivery.next_attempt_at is not None
        waited = delivery.next_attempt_at - now
        assert max(pause * (1 - JITTER), asked_for) <= waited <= max(pause * (1 + JITTER), asked_for)
        now = delivery.next_attempt_at
    await dispatch(database, settings, now)
    delivery, offer = await told(database, dora)
    assert (delivery.status, delivery.attempts, delivery.next_attempt_at) == (DeliveryStatus.FAILED, 5, None)
    assert offer.status is LeadOfferStatus.SENT
    assert len(twilio.asked) == 5


async def test_a_number_that_is_refused_is_tried_once(
    twilio: Provider, settings: Settings, database: Database, world: World, cast: Cast, dora: User
) -> None:
    await submitted(database, world, cast)
    twilio.answer = lambda _sent: answering(400, {"code": 21211, "message": "+12025550142 is not valid"})
    await dispatch(database, settings)
    delivery, _ = await told(database, dora)
    assert (delivery.status, delivery.attempts) == (DeliveryStatus.FAILED, 1)
    assert delivery.error == "Twilio refuses the message or the number (21211)."


async def test_the_words_of_a_text_and_of_a_call(
    twilio: Provider, settings: Settings, database: Database, world: World, cast: Cast
) -> None:
    await world.member_user(
        cast.team, "Dora", rank=0, phone="+12025550142", has_text_alert=True, has_call_alert=True, has_email_alert=False
    )
    await submitted(database, world, cast, contact=await world.contact(cast.alice, first_name="<Mary>"))
    await dispatch(database, settings)
    by_kind = {sent.path.rsplit("/", 1)[1]: sent for sent in twilio.sent}
    body = by_kind["Messages.json"].form["Body"]
    assert body.startswith("Lead offer: Buyer in 94105. <Mary> enquired (Buyer, zipcode 94105) on Monday, 02 March")
    told, _, link = body.partition(" Reply 1 to claim it, STOP for no more texts. Claim it here: ")
    assert told.endswith("It goes to who claims first.")
    read = read_link(settings, link.removeprefix(f"{PUBLIC}/claim?link="), NOW)
    assert read is not None
    assert read.via is ClaimedVia.TEXT
    (gather,) = by_kind["Calls.json"].twiml
    assert str(gather.get("action")).startswith(f"{PUBLIC}/twilio/keys?link=")
    said = str(gather[0].text)
    assert said.startswith("Hello Dora. You are offered a lead. <Mary> enquired (Buyer, zipcode 9 4 1 0 5) on Monday")
    assert said.endswith("To claim it now, press 1.")
    for words in (body, said):
        assert not {"Jackson", "mary@example.com", "+12025550123"} & {*words.split()}


async def test_who_was_given_a_lead_is_not_asked_to_claim_it(
    twilio: Provider, settings: Settings, database: Database, world: World, cast: Cast
) -> None:
    dora = await world.member_user(
        cast.team, "Dora", phone="+12025550142", has_text_alert=True, has_call_alert=True, assign_automatically=True,
        has_email_alert=False, rank=0,
    )  # fmt: skip
    await submitted(database, world, cast)
    await dispatch(database, settings)
    for sent in twilio.sent:
        words = sent.form.get("Body") or sent.twiml[0].text or ""
        assert words.startswith("You")
        assert "claim" not in words.lower()
    assert len(twilio.sent) == 2
    assert dora.id


async def test_who_has_said_stop_gets_no_text_at_this_number(
    twilio: Provider, settings: Settings, database: Database, world: World, cast: Cast, dora: User
) -> None:
    await submitted(database, world, cast)
    async with database.write() as session:
        await stop_texts(session, "+12025550142", NOW)
    await dispatch(database, settings)
    delivery, offer = await told(database, dora)
    assert (delivery.status, delivery.error) == (
        DeliveryStatus.FAILED,
        "The user has asked for no texts to this number.",
    )
    assert offer.status is LeadOfferStatus.SENT
    assert twilio.asked == []
    dora.phone = "+12025550143"
    await world.add(dora)
    async with database.write() as session:
        await claim_lead_offer(session, dora.id, offer.id, ClaimedVia.APP, NOW)
    lead = await submitted(database, world, cast)
    await dispatch(database, settings)
    assert [sent.form["To"] for sent in twilio.sent] == ["+12025550143"]
    assert lead.id


def test_an_account_is_whole_or_none(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LEAD_OFFERS_TWILIO_ACCOUNT_SID", SID)
    with pytest.raises(ValueError, match="LEAD_OFFERS_TWILIO_AUTH_TOKEN is missing: texts and calls need"):
        settings_for(database_url)
    with pytest.raises(ValueError, match=r"must be a phone number with \+ and country"):
        settings_for(database_url, twilio_auth_token=TOKEN, twilio_from="2025550100")
    whole = settings_for(database_url, twilio_auth_token=TOKEN, twilio_from=NUMBER)
    senders = make_senders(whole)
    assert [type(senders[channel]) for channel in (Channel.TEXT, Channel.CALL)] == [Texts, Calls]


# Through the real doors


@pytest.mark.process
async def test_somebody_is_texted_and_called_and_takes_the_lead_by_a_reply(
    twilio: Provider, database: Database, database_url: str, world: World, cast: Cast
) -> None:
    """A server with a worker inside it, as a process: submitted over GraphQL, claimed by what the provider tells."""
    dora = await world.member_user(
        cast.team, "Dora", rank=0, phone="+12025550142", has_text_alert=True, has_call_alert=True
    )
    lead = await world.lead(cast.alice, cast.team)
    given = {**TWILIO, "twilio_url": twilio.url, "public_url": PUBLIC}
    with server(database_url, "--dispatch", fallback="console", **given) as url:
        async with httpx2.AsyncClient(base_url=url) as http:
            token = issue_token(settings_for(database_url), cast.alice.id, "read write", 1, datetime.now(UTC))
            submit = f"mutation {{ submitLeadOffers(leadId: {lead.id}) {{ createdCount }} }}"
            await http.post("/graphql", json={"query": submit}, headers={"Authorization": f"Bearer {token}"})

            async def both_were_sent() -> bool:
                return len(twilio.sent) == 2

            await until(both_were_sent)
            call = next(sent for sent in twilio.sent if "Twiml" in sent.form)
            keys = str(call.twiml[0].get("action")).removeprefix(PUBLIC)
            for path, form in (
                ("/twilio/texts", {"From": "+12025550142", "Body": "1", "MessageSid": "SM1"}),
                (keys, {"Digits": "1"}),
            ):
                told = await http.post(path, data=form, headers=sign(PUBLIC + path, form))
                assert (told.status_code, "The lead is yours" in told.text) == (200, True)
    async with database.read() as session:
        claimed = await session.get_one(Lead, lead.id)
    assert (claimed.claimed_by_id, claimed.claimed_via) == (dora.id, ClaimedVia.TEXT)
