"""The board of a leader."""

import re
from datetime import UTC, datetime, timedelta

import pytest
from playwright.async_api import Page, expect

from app.commands.exhaustion import report_exhausted
from app.db.models import Lead
from tests.support.api import Api
from tests.support.world import Cast, World
from tests.web.conftest import DEVICES, Device, OpenApp, Scheme, axe

pytestmark = pytest.mark.browser

SUBMIT = "mutation ($id: ID!) { submitLeadOffers(leadId: $id) { offers { id } } }"
DECLINE = "mutation ($id: ID!) { declineLeadOffer(id: $id) { leadOffer { id } } }"
CLAIM = "mutation ($id: ID!) { claimLeadOffer(id: $id) { leadOffer { id } } }"
CREATE = """
mutation ($team: ID!) {
  createLead(input: {
    city: "Dallas", type: "Seller", teamId: $team, distributionTarget: TEAM_ROLLOUT,
    teamSelectionMethod: SPECIFIC_TEAM, contact: {firstName: "Grace"}
  }) { lead { id } }
}
"""


async def scroll_width(page: Page) -> int:
    return int(await page.evaluate("document.documentElement.scrollWidth"))


@pytest.mark.parametrize(("device", "scheme"), DEVICES)
async def test_the_board_follows_a_lead(
    world: World, cast: Cast, app_page: OpenApp, live: Api, device: Device, scheme: Scheme
) -> None:
    """From not submitted to held, and a lead that comes in, without a request but to show the new one."""
    contact = await world.contact(cast.alice, first_name="Ada", last_name="Lovelace")
    lead = await world.lead(cast.alice, cast.team, contact, created_at=datetime.now(UTC), city="Austin", type="Buyer")
    screen = await app_page(cast.alice, "/board", device=device, scheme=scheme)
    page = screen.page
    row = page.get_by_role("row" if device == "desktop" else "article").filter(has_text="Buyer in Austin")
    await expect(row).to_contain_text("Not submitted")
    assert sorted(screen.operations) == ["Board", "Viewer"]
    assert await axe(page) == []
    await screen.live()
    screen.operations.clear()

    submitted = await live.user(cast.alice).ask(SUBMIT, id=lead.id)
    await expect(row).to_contain_text("Running")
    await live.user(cast.bob).ask(CLAIM, id=submitted["submitLeadOffers"]["offers"][0]["id"])
    await expect(row).to_contain_text("Bob")
    await live.user(cast.alice).ask(CREATE, team=cast.team.id)
    show = page.get_by_role("button", name="Show 1 new lead")
    await show.wait_for()
    assert screen.operations == []
    await show.click()
    await page.get_by_role("link", name="Seller in Dallas").wait_for()
    await expect(show).to_have_count(0)
    assert screen.operations == ["Board"]
    if device == "phone":
        await page.set_viewport_size({"width": 320, "height": 640})
        assert await scroll_width(page) <= 320


@pytest.mark.page
async def test_the_address_keeps_the_view(world: World, cast: Cast, app_page: OpenApp) -> None:
    """A search and a page can be shared, and opening a lead and returning asks for nothing."""
    now = datetime.now(UTC)
    ada = await world.contact(cast.alice, first_name="Ada", last_name="Lovelace", mobile_phone="+12025550142")
    grace = await world.contact(cast.alice, first_name="Grace", last_name="Hopper")
    for number in range(30):
        await world.lead(
            cast.alice,
            cast.team,
            grace,
            created_at=now - timedelta(minutes=number),
            city=f"City {number}",
            type="Buyer",
        )
    await world.lead(cast.alice, cast.team, ada, created_at=now - timedelta(days=1), city="Austin", type="Buyer")
    screen = await app_page(cast.alice, "/board")
    page = screen.page
    await page.get_by_role("button", name="Page 2").click()
    austin = page.get_by_role("link", name="Buyer in Austin")
    await austin.wait_for()
    await page.wait_for_url("**/board?page=2")

    search = page.get_by_role("textbox", name="Contact")
    for text in ("lovelace ada", "(202) 555-0142"):
        await search.fill(text)
        await expect(page.get_by_role("status").filter(has_text="lead")).to_have_text("1 lead")
    await austin.wait_for()
    await expect(page).to_have_url(re.compile(r"/board\?search=[^&]*202[^&]*$"))
    other = await app_page(cast.alice, page.url.removeprefix(screen.url))
    await expect(other.page.get_by_role("status").filter(has_text="lead")).to_have_text("1 lead")

    screen.operations.clear()
    await austin.click()
    await page.wait_for_url("**/board/*")
    await page.go_back()
    await austin.wait_for()
    await expect(search).to_have_value("(202) 555-0142")
    assert "Board" not in screen.operations
    await search.fill("nobody")
    await page.get_by_text("No leads match").wait_for()
    assert await axe(page) == []


async def test_a_status_filter_follows_the_leads(world: World, cast: Cast, app_page: OpenApp, live: Api) -> None:
    """A lead leaves a list when it has another status, and a list that was left is asked for again."""
    lead = await world.lead(cast.alice, cast.team, created_at=datetime.now(UTC), city="Austin", type="Buyer")
    screen = await app_page(cast.alice, "/board?status=new")
    page = screen.page
    austin = page.get_by_role("link", name="Buyer in Austin")
    await austin.wait_for()
    await screen.live()
    screen.operations.clear()
    await live.user(cast.alice).ask(SUBMIT, id=lead.id)
    await page.get_by_text("No leads match").wait_for()
    await screen.quiet()
    assert screen.operations == ["Board"]

    async with world.database.write() as session:
        await report_exhausted(session, await session.get_one(Lead, lead.id), datetime.now(UTC))
    await page.goto(f"{screen.url}/board?status=exhausted")  # with an open offer still
    await expect(page.get_by_role("row").filter(has_text="Buyer in Austin")).to_contain_text("Nobody claimed it")
    await austin.click()
    enquiry = page.get_by_role("region", name="Enquiry")
    await expect(enquiry).to_contain_text("Nobody claimed it in time. 1 person can still claim it.")
    offers = await live.user(cast.bob).ask("{ leadOffers(where: {mine: true}) { data { id } } }")
    await live.user(cast.bob).ask(DECLINE, id=offers["leadOffers"]["data"][0]["id"])
    await expect(enquiry).to_contain_text("Everybody who was offered it declined it.")


async def test_a_leader_enters_an_enquiry(cast: Cast, app_page: OpenApp) -> None:
    """From the form on a phone, with errors beside its fields, to the offers; and the board has the lead."""
    screen = await app_page(cast.alice, "/board", device="phone")
    page = screen.page
    filters = page.get_by_role("button", name=re.compile("^Filters"))
    status = page.get_by_role("textbox", name="Status")
    await expect(status).to_be_hidden()
    await filters.click()
    await status.click()
    await page.get_by_role("option", name="Running").click()
    await expect(filters).to_have_text("Filters (1)")
    await page.wait_for_url("**/board?status=running")

    await page.get_by_role("button", name="New lead").click()
    dialog = page.get_by_role("dialog", name="New lead")
    create = dialog.get_by_role("button", name="Create and preview")
    await create.click()
    await dialog.get_by_text("Enter the name of the person who enquires.").wait_for()
    await expect(dialog.get_by_label("First name")).to_be_focused()
    assert await axe(page) == []
    await dialog.get_by_label("First name").fill("Radia")
    await dialog.get_by_label("E-mail").fill("radia")
    await dialog.get_by_label("ZIP code", exact=True).fill("123")
    await create.click()
    await expect(dialog.get_by_label("E-mail")).to_have_accessible_description(
        "Enter an e-mail address, for example ada@example.com."
    )
    await dialog.get_by_text("Enter a US ZIP code of five digits").wait_for()
    screen.problems.clear()
    await dialog.get_by_label("E-mail").fill("radia@example.com")
    await dialog.get_by_label("ZIP code", exact=True).fill("")
    await dialog.get_by_label("Type").fill("Seller")
    await dialog.get_by_label("Price").fill("450000")
    await create.click()
    await page.get_by_role("heading", name="Seller · Radia").wait_for()
    preview = page.get_by_role("dialog", name="Submit this lead?")
    await expect(preview).to_contain_text("Bob Example")
    await preview.get_by_role("button", name="Submit").click()
    await expect(page.get_by_role("region", name="Enquiry")).to_contain_text("Running")

    await page.get_by_role("link", name="Back to the board").click()
    await page.get_by_role("article", name="Seller").wait_for()
    await expect(page.get_by_role("button", name="Show 1 new lead")).to_have_count(0)
    await page.set_viewport_size({"width": 320, "height": 640})
    assert await scroll_width(page) <= 320
