"""Texts and calls with a real HTTP server that speaks Twilio's API, alone and as the worker sends them."""

from base64 import b64encode
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import httpx2
import pytest
from sqlmodel import col, select

from app.access.claim_links import read_link
from app.access.tokens import issue_token
from app.commands.claim import claim_lead_offer
from app.commands.submit import submit_lead_offers
from app.commands.text_opt_outs import opt_out_of_texts
from app.config import Settings
from app.db.engine import Database
from app.db.models import Delivery, Lead, LeadOffer, User
from app.domain.enums import Channel, ClaimedVia, DeliveryStatus, LeadOfferStatus
from app.worker.channels.base import DeliveryError, Message
from app.worker.channels.registry import make_channels
from app.worker.channels.twilio import CallChannel, TextChannel, TwilioAccount
from app.worker.leases import MESSAGES
from app.worker.worker import Worker
from tests.support.api import settings_for
from tests.support.processes import free_port, server
from tests.support.twilio_api import NUMBER, SID, TOKEN, TWILIO, Provider, answering, provider, sign, with_twilio
from tests.support.waiting import until
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


# Requests


async def test_a_text_is_created(twilio: Provider, settings: Settings) -> None:
    texts = TextChannel(TwilioAccount(settings, 5))
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
    calls = CallChannel(TwilioAccount(settings, 5))
    await calls.send(replace(MESSAGE, keypress_url=f"{PUBLIC}/twilio/keys?link=a&b"))
    await calls.send(MESSAGE)
    await calls.close()
    asking, telling = (sent.twiml for sent in twilio.sent)
    assert twilio.sent[0].path == f"/2010-04-01/Accounts/{SID}/Calls.json"
    (gather,) = asking
    assert (gather.tag, gather.get("action")) == ("Gather", f"{PUBLIC}/twilio/keys?link=a&b")
    assert (gather.get("numDigits"), gather.get("method")) == ("1", "POST")
    assert [(said.tag, said.text) for said in gather] == [("Say", MESSAGE.text)]
    assert [(said.tag, said.text) for said in telling] == [("Say", MESSAGE.text)]
    detection = {name: sent for name, sent in twilio.sent[0].form.items() if "Machine" in name or "Amd" in name}
    receipts = f"{PUBLIC}/twilio/receipts?delivery=7"
    assert detection == {"MachineDetection": "Enable", "AsyncAmd": "true", "AsyncAmdStatusCallback": receipts}


async def test_without_a_public_url_no_status_is_requested(twilio: Provider, settings: Settings) -> None:
    texts = TextChannel(TwilioAccount(settings.model_copy(update={"public_url": None}), 5))
    await texts.send(MESSAGE)
    await texts.close()
    assert not texts.accepts_replies
    assert "StatusCallback" not in twilio.sent[0].form


# Responses


@pytest.mark.parametrize(
    ("answer", "permanent", "reason"),
    [
        (answering(400, {"code": 21211, "message": "+1 is not valid"}), True, "the message or the number (21211)"),
        (answering(400, ["?"]), True, "the message or the number (400)"),
        (answering(401, {"code": 20003}), False, "the request for now (20003)"),
        (answering(404, {"code": "x"}), False, "the request for now (404)"),
        (answering(302, None, Location="http://127.0.0.1:1/"), False, "the request for now (302)"),
        (answering(500, None), False, "the request for now (500)"),
        (b"HTTP/1.1 503 .\r\nContent-Length: 6\r\n\r\n<html>", False, "the request for now (503)"),
    ],
)
async def test_a_rejection_is_permanent_or_temporary(
    twilio: Provider, settings: Settings, answer: bytes, permanent: bool, reason: str
) -> None:
    twilio.answer = lambda _sent: answer
    failure = await failing(settings)
    assert (failure.permanent, failure.reason) == (permanent, f"Twilio rejected {reason}.")
    assert failure.retry_after is None


async def failing(settings: Settings, seconds: float = 5) -> DeliveryError:
    texts = TextChannel(TwilioAccount(settings, seconds))
    with pytest.raises(DeliveryError) as failure:
        await texts.send(MESSAGE)
    await texts.close()
    return failure.value


@pytest.mark.parametrize(
    ("retry_after", "seconds"),
    [("120", 120), ("0", 0), ("soon", None), ("-5", None), ("9" * 30, 24 * 3600)],
)
async def test_retry_after_in_seconds(
    twilio: Provider, settings: Settings, retry_after: str, seconds: float | None
) -> None:
    twilio.answer = lambda _sent: answering(429, {"code": 20429}, Retry_After=retry_after)
    failure = await failing(settings)
    assert (failure.permanent, failure.retry_after) == (False, seconds)


async def test_retry_after_as_a_date(twilio: Provider, settings: Settings) -> None:
    in_an_hour = format_datetime(datetime.now(UTC) + timedelta(hours=1), usegmt=True)
    twilio.answer = lambda _sent: answering(503, None, Retry_After=in_an_hour)
    failure = await failing(settings)
    assert failure.retry_after == pytest.approx(3600, abs=60)


async def test_a_provider_that_hangs_up_is_silent_or_is_down(twilio: Provider, settings: Settings) -> None:
    twilio.answer = lambda _sent: None
    assert (await failing(settings)).reason == "The connection to Twilio failed."
    twilio.is_silent = True
    assert (await failing(settings, 0.3)).reason == "Twilio did not respond in time."
    nowhere = settings.model_copy(update={"twilio_url": f"http://127.0.0.1:{free_port()}"})
    assert (await failing(nowhere)).reason == "The connection to Twilio failed."


# Sent by the worker


@pytest.fixture
async def dora(world: World, cast: Cast) -> User:
    """A member of the team who is notified by text."""
    return await world.member_user(
        cast.team, "Dora", rank=0, phone="+12025550142", has_text_alert=True, has_email_alert=False
    )


async def submitted(database: Database, world: World, cast: Cast, **fields: Any) -> Lead:
    lead = await world.lead(cast.alice, cast.team, type="Buyer", zipcode="94105", **fields)
    async with database.write() as session:
        await submit_lead_offers(session, cast.alice.id, lead.id, NOW)
    return lead


async def dispatch(database: Database, settings: Settings, now: datetime = NOW) -> None:
    await Worker(database, settings, make_channels(settings), lambda: now).run_once()


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
async def test_attempts_follow_the_schedule(
    twilio: Provider,
    settings: Settings,
    database: Database,
    world: World,
    cast: Cast,
    dora: User,
    refusal: bytes | None,
) -> None:
    """Pauses are as documented, or longer if the provider asks for it. The fifth failure is final."""
    asked_for = timedelta(hours=2 if refusal and b"429" in refusal else 0)
    await submitted(database, world, cast)
    twilio.answer = lambda _sent: refusal
    twilio.is_silent = refusal is SILENCE
    settings = settings.model_copy(update={"lease_seconds": 1.0})  # attempts time out after half of that
    now = NOW
    for attempts, pause in enumerate(MESSAGES.pauses, start=1):
        await dispatch(database, settings, now)
        delivery, offer = await told(database, dora)
        assert (delivery.status, delivery.attempts, offer.status) == (
            DeliveryStatus.PENDING,
            attempts,
            LeadOfferStatus.SCHEDULED,
        )
        assert delivery.next_attempt_at is not None
        waited = delivery.next_attempt_at - now
        assert max(pause * 0.8, asked_for) <= waited <= max(pause * 1.2, asked_for)
        now = delivery.next_attempt_at
    await dispatch(database, settings, now)
    delivery, offer = await told(database, dora)
    assert (delivery.status, delivery.attempts, delivery.next_attempt_at) == (DeliveryStatus.FAILED, 5, None)
    assert offer.status is LeadOfferStatus.SENT
    assert len(twilio.asked) == 5


async def test_a_rejected_number_is_attempted_once(
    twilio: Provider, settings: Settings, database: Database, world: World, cast: Cast, dora: User
) -> None:
    await submitted(database, world, cast)
    twilio.answer = lambda _sent: answering(400, {"code": 21211, "message": "+12025550142 is not valid"})
    await dispatch(database, settings)
    delivery, _ = await told(database, dora)
    assert (delivery.status, delivery.attempts) == (DeliveryStatus.FAILED, 1)
    assert delivery.error == "Twilio rejected the message or the number (21211)."


async def test_the_texts_of_a_text_and_a_call(
    twilio: Provider, settings: Settings, database: Database, world: World, cast: Cast
) -> None:
    await world.member_user(
        cast.team, "Dora", rank=0, phone="+12025550142", has_text_alert=True, has_call_alert=True, has_email_alert=False
    )
    lead = await submitted(database, world, cast, contact=await world.contact(cast.alice, first_name="<Mary>"))
    await dispatch(database, settings)
    by_kind = {sent.path.rsplit("/", 1)[1]: sent for sent in twilio.sent}
    body = by_kind["Messages.json"].form["Body"]
    title = f"Lead offer {lead.id}: Buyer in 94105."
    assert body.startswith(f"{title} <Mary> enquired (Buyer, zipcode 94105) on Monday, 02 March")
    told, _, link = body.partition(f" Reply 1 {lead.id} to claim it, STOP to get no more texts. Claim it here: ")
    assert told.endswith("It goes to whoever claims it first.")
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


async def test_a_user_who_was_given_a_lead_is_not_asked_to_claim_it(
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


async def test_a_user_who_has_opted_out_gets_no_texts_to_this_number(
    twilio: Provider, settings: Settings, database: Database, world: World, cast: Cast, dora: User
) -> None:
    await submitted(database, world, cast)
    async with database.write() as session:
        await opt_out_of_texts(session, "+12025550142", NOW)
    await dispatch(database, settings)
    delivery, offer = await told(database, dora)
    assert (delivery.status, delivery.error) == (
        DeliveryStatus.FAILED,
        "The user has opted out of texts to this number.",
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


def test_twilio_settings_must_be_complete(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LEAD_OFFERS_TWILIO_ACCOUNT_SID", SID)
    with pytest.raises(ValueError, match="LEAD_OFFERS_TWILIO_AUTH_TOKEN is missing: texts and calls need"):
        settings_for(database_url)
    with pytest.raises(ValueError, match=r"must be a phone number with \+ and country"):
        settings_for(database_url, twilio_auth_token=TOKEN, twilio_from="2025550100")
    whole = settings_for(database_url, twilio_auth_token=TOKEN, twilio_from=NUMBER)
    channels = make_channels(whole)
    assert [type(channels[kind]) for kind in (Channel.TEXT, Channel.CALL)] == [TextChannel, CallChannel]


# End to end


@pytest.mark.process
async def test_a_user_is_texted_and_called_and_claims_by_replying(
    twilio: Provider, database: Database, database_url: str, world: World, cast: Cast
) -> None:
    """A server process with a worker: the lead is submitted over GraphQL and claimed by the provider's callback."""
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
                assert (told.status_code, "You have claimed lead" in told.text) == (200, True)
    async with database.read() as session:
        claimed = await session.get_one(Lead, lead.id)
    assert (claimed.claimed_by_id, claimed.claimed_via) == (dora.id, ClaimedVia.TEXT)
