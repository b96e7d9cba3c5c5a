"""The inbox of an agent."""

import asyncio
import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from playwright.async_api import Locator, Page, expect

from app.db.engine import Database
from app.db.models import Lead, User
from tests.support.api import Api
from tests.support.world import Cast, World
from tests.web.conftest import DEVICES, Device, OpenApp, Scheme, axe

pytestmark = pytest.mark.browser

CLAIM = "mutation ($id: ID!) { claimLeadOffer(id: $id) { leadOffer { id } } }"
SUBMIT = "mutation ($id: ID!) { submitLeadOffers(leadId: $id) { createdCount } }"
RELEASE = "mutation ($id: ID!) { releaseLead(id: $id) { lead { id } } }"
ASSIGN = "mutation ($id: ID!, $user: ID!) { assignLead(id: $id, userId: $user) { lead { id } } }"


def section(page: Page, name: str) -> Locator:
    return page.get_by_role("region", name=name)


async def enquiry(world: World, cast: Cast, **fields: Any) -> Lead:
    contact = await world.contact(
        cast.alice, first_name="Ada", last_name="Lovelace", email="ada@example.com", mobile_phone="+12025550142"
    )
    known: dict[str, Any] = {
        "city": "Austin",
        "state": "TX",
        "listing_price": 450_000,
        "type": "Buyer",
        "message": "Is it <b>free</b>?",
    }
    return await world.lead(cast.alice, cast.team, contact, created_at=datetime.now(UTC), **(known | fields))


@pytest.fixture
async def carol(world: World, cast: Cast) -> User:
    return await world.member_user(cast.team, "Carol", rank=1)


@pytest.mark.parametrize(("device", "scheme"), DEVICES)
async def test_an_agent_claims_and_releases(
    world: World, cast: Cast, app_page: OpenApp, device: Device, scheme: Scheme
) -> None:
    """From the offer to the contact's phone number and back, without another request for the lists."""
    lead = await enquiry(world, cast)
    await world.offer(lead, cast.bob, notify_at=datetime.now(UTC))
    later = await enquiry(world, cast, city="Boston", listing_price=None)
    await world.offer(later, cast.bob, notify_at=datetime.now(UTC) + timedelta(minutes=4))
    screen = await app_page(cast.bob, "/inbox", device=device, scheme=scheme)
    page = screen.page

    offer = section(page, "To claim now").get_by_role("article", name="Buyer in Austin, TX")
    await expect(offer).to_contain_text("450,000")
    await expect(offer).to_contain_text("Ada Lovelace")
    await expect(section(page, "Coming up").get_by_role("article")).to_contain_text(re.compile(r"in [1-3]:\d\d"))
    await expect(page.get_by_role("link", name="+12025550142")).to_have_count(0)
    assert sorted(screen.operations) == ["Inbox", "Viewer"]
    assert await axe(page) == []

    screen.operations.clear()
    await offer.get_by_role("button", name="Claim: Buyer in Austin, TX, Ada Lovelace").click()
    held = section(page, "My leads").get_by_role("article", name="Buyer in Austin, TX")
    await expect(held.get_by_role("link", name="+12025550142")).to_have_attribute("href", "tel:+12025550142")
    await expect(held.get_by_role("link", name="ada@example.com")).to_have_attribute("href", "mailto:ada%40example.com")
    await expect(held).to_contain_text("Is it <b>free</b>?")
    await expect(section(page, "To claim now")).to_contain_text("No leads to claim right now")
    await expect(section(page, "To claim now")).to_be_focused()
    assert await axe(page) == []

    navigation = page.get_by_role("navigation")
    await navigation.get_by_role("link", name="Settings").click()
    await page.get_by_role("heading", name="Settings").wait_for()
    screen.operations = [name for name in screen.operations if name != "Settings"]
    await navigation.get_by_role("link", name="Inbox").click()
    await held.wait_for()
    assert "Inbox" not in screen.operations

    await held.get_by_role("button", name="Release").click()
    dialog = page.get_by_role("dialog")
    assert await axe(page) == []
    await dialog.get_by_role("button", name="Release").click()
    await expect(section(page, "My leads")).to_contain_text("You hold no leads")


async def test_two_browsers_race_and_one_wins(
    world: World, cast: Cast, carol: User, app_page: OpenApp, database: Database
) -> None:
    lead = await enquiry(world, cast)
    for user in (cast.bob, carol):
        await world.offer(lead, user, notify_at=datetime.now(UTC))
    screens = [await app_page(user, "/inbox") for user in (cast.bob, carol)]
    claims = [section(screen.page, "To claim now").get_by_role("button", name="Claim") for screen in screens]
    for claim in claims:
        await claim.wait_for()
    alerts = [  # one is shown, to the loser, and for seconds only
        asyncio.create_task(screen.page.get_by_role("alert").filter(has_text=other).first.wait_for())
        for screen, other in zip(screens, ("Carol", "Bob"), strict=True)
    ]
    await asyncio.gather(*(claim.click() for claim in claims))
    (shown,), (other,) = await asyncio.wait(alerts, return_when=asyncio.FIRST_COMPLETED)
    other.cancel()
    won, lost = screens if shown is alerts[1] else screens[::-1]
    winner = cast.bob if won is screens[0] else carol
    async with database.read() as session:
        assert (await session.get_one(Lead, lead.id)).claimed_by_id == winner.id
    for screen, count in ((won, 1), (lost, 0)):
        await expect(section(screen.page, "My leads").get_by_role("article")).to_have_count(count)
        await expect(section(screen.page, "To claim now").get_by_role("article")).to_have_count(0)


async def test_the_screen_follows_what_others_do(
    world: World, cast: Cast, carol: User, app_page: OpenApp, live: Api
) -> None:
    """Offers come, are claimed by others, come back, and leads are assigned, without a request of the screen."""
    lead = await enquiry(world, cast)
    screen = await app_page(cast.bob, "/inbox", device="phone")
    page = screen.page
    await expect(section(page, "To claim now")).to_contain_text("No leads")
    await screen.live()
    screen.operations.clear()

    await live.user(cast.alice).ask(SUBMIT, id=lead.id)
    card = section(page, "To claim now").get_by_role("article", name="Buyer in Austin, TX")
    await card.wait_for()
    offers = await live.user(carol).ask("{ leadOffers { data { id } } }")
    await live.user(carol).ask(CLAIM, id=offers["leadOffers"]["data"][0]["id"])
    await card.wait_for(state="detached")
    await live.user(carol).ask(RELEASE, id=lead.id)
    await card.wait_for()
    await live.user(cast.alice).ask(ASSIGN, id=lead.id, user=cast.bob.id)
    held = section(page, "My leads").get_by_role("article", name="Buyer in Austin, TX")
    await held.get_by_role("link", name="ada@example.com").wait_for()
    await live.user(cast.alice).ask(ASSIGN, id=lead.id, user=carol.id)
    await held.wait_for(state="detached")
    assert "Inbox" not in screen.operations


@pytest.mark.page
async def test_an_agent_goes_away_and_comes_back(cast: Cast, app_page: OpenApp) -> None:
    screen = await app_page(cast.bob, "/inbox", device="phone")
    availability = section(screen.page, "My availability")
    await availability.get_by_role("button", name="I am away").click()
    await screen.page.get_by_role("menuitem", name="Until tomorrow morning").click()
    await expect(availability).to_contain_text("You are away until")
    await availability.get_by_role("button", name="I am back").click()
    await expect(availability).to_contain_text("You get new offers")


@pytest.mark.page
async def test_the_inbox_without_a_connection(world: World, cast: Cast, app_page: OpenApp) -> None:
    """A claim without a connection is taken back, and what was missed is there afterwards."""
    lead = await enquiry(world, cast)
    await world.offer(lead, cast.bob, notify_at=datetime.now(UTC))
    screen = await app_page(cast.bob, "/inbox")
    page = screen.page
    claimable = section(page, "To claim now")
    await claimable.get_by_role("article").wait_for()
    await page.context.set_offline(True)
    await page.set_viewport_size({"width": 1280, "height": 300})
    await page.get_by_role("heading", name="My leads").scroll_into_view_if_needed()
    await expect(page.get_by_text("You are offline.")).to_be_in_viewport(ratio=1)
    await claimable.get_by_role("button", name="Claim").click()
    await expect(page.get_by_role("alert").filter(has_text="The server cannot be reached")).to_be_visible()
    await claimable.get_by_role("article").wait_for()
    missed = await enquiry(world, cast, city="Chicago", state="IL")
    await world.offer(missed, cast.bob, notify_at=datetime.now(UTC))
    await page.context.set_offline(False)
    await claimable.get_by_role("article", name="Buyer in Chicago, IL").wait_for()
    screen.problems[:] = [problem for problem in screen.problems if "ERR_INTERNET_DISCONNECTED" not in problem]


@pytest.mark.page
async def test_a_screen_of_320_pixels(world: World, cast: Cast, app_page: OpenApp) -> None:
    lead = await enquiry(world, cast, city="W" * 200, message="M" * 900)
    await world.offer(lead, cast.bob, notify_at=datetime.now(UTC))
    page = (await app_page(cast.bob, "/inbox", device="phone")).page
    await page.set_viewport_size({"width": 320, "height": 640})
    await section(page, "To claim now").get_by_role("article").wait_for()
    assert await page.evaluate("document.documentElement.scrollWidth") <= 320
