"""Claim links: opening one changes nothing, pressing the button claims, and invalid links are rejected."""

from base64 import b64encode
from collections.abc import AsyncIterator
from datetime import timedelta
from hashlib import sha256

import httpx2
import pytest
from pydantic import SecretStr
from sqlalchemy.exc import DisconnectionError

from app.access.claim_links import VALID_FOR, ClaimLink, claim_url, read_link
from app.commands.submit import submit_lead_offers
from app.config import Settings
from app.db.engine import Database
from app.db.models import Lead, LeadOffer
from app.domain.enums import Channel, ClaimedVia, LeadOfferStatus
from app.main import create_app
from app.worker.worker import Worker
from tests.support.api import settings_for
from tests.support.world import NOW, Cast, World
from tests.worker.test_worker import Recorder

MINUTE = timedelta(minutes=1)


@pytest.fixture
def settings(database_url: str) -> Settings:
    return settings_for(database_url, public_url="https://leads.example.com/")


@pytest.fixture
async def browser(settings: Settings) -> AsyncIterator[httpx2.AsyncClient]:
    app = create_app(settings, clock=lambda: NOW)
    transport = httpx2.ASGITransport(app)
    async with (
        app.router.lifespan_context(app),
        httpx2.AsyncClient(transport=transport, base_url="https://leads.example.com") as http,
    ):
        yield http


@pytest.fixture
async def offer(world: World, cast: Cast) -> LeadOffer:
    contact = await world.contact(cast.alice, first_name="<b>Mary</b>")
    lead = await world.lead(cast.alice, cast.team, contact, zipcode="94105")
    return await world.offer(lead, cast.bob)


def link(settings: Settings, offer: LeadOffer, via: ClaimedVia = ClaimedVia.EMAIL, age: timedelta = MINUTE) -> str:
    url = claim_url(settings, ClaimLink(offer.id, via), NOW - age)
    assert url is not None
    return url


async def held(database: Database, offer: LeadOffer) -> tuple[int | None, ClaimedVia | None]:
    async with database.read() as session:
        lead = await session.get_one(Lead, offer.lead_id)
        return lead.claimed_by_id, lead.claimed_via


async def test_opening_the_link_changes_nothing_and_the_button_claims(
    browser: httpx2.AsyncClient, database: Database, settings: Settings, cast: Cast, offer: LeadOffer
) -> None:
    url = link(settings, offer, ClaimedVia.TEXT)
    for method in ("GET", "HEAD", "GET"):
        shown = await browser.request(method, url)
        assert shown.status_code == 200
    assert '<form method="post"><button>Claim this lead</button></form>' in shown.text
    assert "&lt;b&gt;Mary&lt;/b&gt; in 94105" in shown.text
    assert "mary@example.com" not in shown.text
    policy = shown.headers["Content-Security-Policy"]
    assert "form-action 'self'" in policy
    style = shown.text.partition("<style>")[2].partition("</style>")[0]
    assert f"style-src 'sha256-{b64encode(sha256(style.encode()).digest()).decode()}'" in policy
    assert await held(database, offer) == (None, None)
    for _ in range(2):
        claimed = await browser.post(url)
        assert (claimed.status_code, "The lead is yours" in claimed.text) == (200, True)
    assert await held(database, offer) == (cast.bob.id, ClaimedVia.TEXT)


async def test_claiming_too_late_or_too_early_is_explained(
    browser: httpx2.AsyncClient, world: World, settings: Settings, cast: Cast, offer: LeadOffer
) -> None:
    dora = await world.member_user(cast.team)
    async with world.database.read() as session:
        lead = await session.get_one(Lead, offer.lead_id)
    theirs = await world.offer(lead, dora)
    early = await world.offer(
        await world.lead(cast.alice, cast.team), dora, status=LeadOfferStatus.SCHEDULED, notify_at=NOW + MINUTE
    )
    await browser.post(link(settings, offer))
    late = await browser.post(link(settings, theirs))
    assert (late.status_code, "Bob Example has this lead." in late.text) == (409, True)
    closed = await browser.post(link(settings, early))
    assert (closed.status_code, "This offer is not open" in closed.text) == (409, True)


async def test_a_claim_that_the_database_fails_may_be_repeated(
    browser: httpx2.AsyncClient, settings: Settings, offer: LeadOffer, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(*_arguments: object) -> None:
        raise DisconnectionError

    monkeypatch.setattr("app.http.claim_page.claim_by_reply", fail)
    answer = await browser.post(link(settings, offer))
    assert (answer.status_code, "Come back in a minute" in answer.text) == (503, True)


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_an_invalid_link_opens_nothing(
    browser: httpx2.AsyncClient, database: Database, settings: Settings, offer: LeadOffer, method: str
) -> None:
    good, old = link(settings, offer), link(settings, offer, age=VALID_FOR)
    head, _, token = good.partition("=")
    changed = token.replace(f"{offer.id}.e.", f"{offer.id + 1}.e.", 1)
    for wrong in (old, head, f"{head}=", f"{head}=x", f"{head}=1.e.9.é", f"{head}={changed}", good[:-1]):
        response = await browser.request(method, wrong)
        assert (response.status_code, "This link is not valid" in response.text) == (404, True)
    assert await held(database, offer) == (None, None)


def test_a_link_is_valid_only_with_the_secret_that_signed_it(
    settings: Settings, database_url: str, offer: LeadOffer
) -> None:
    token = link(settings, offer).partition("link=")[2]
    assert read_link(settings, token, NOW) == ClaimLink(offer.id, ClaimedVia.EMAIL)
    other = Settings(database_url=database_url, jwt_secret=SecretStr("another secret, of at least 32 bytes"))
    assert read_link(other, token, NOW) is None


async def test_messages_contain_the_link(database: Database, settings: Settings, world: World, cast: Cast) -> None:
    """E-mails and texts contain it if LEAD_OFFERS_PUBLIC_URL is set; calls cannot."""
    await world.member_user(
        cast.team, rank=1, phone="+12025550142", has_text_alert=True, has_call_alert=True, has_email_alert=False
    )
    lead = await world.lead(cast.alice, cast.team)
    channel = Recorder()
    async with database.write() as session:
        await submit_lead_offers(session, cast.alice.id, lead.id, NOW)
    await Worker(database, settings, dict.fromkeys(Channel, channel), lambda: NOW).run_once()
    links = ["https://leads.example.com/claim?link=" in message.text for message in channel.sent]
    assert sorted(links) == [False, True, True]
