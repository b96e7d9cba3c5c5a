"""The screen of one lead."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from playwright.async_api import Page, expect

from app.db.models import Delivery
from app.domain.enums import Channel, DeliveryStatus, LeadOfferStatus
from app.graphql.subscriptions.recent_changes import MARGIN_SECONDS
from tests.support.api import Api
from tests.support.world import Cast, World
from tests.web.conftest import DEVICES, Device, OpenApp, Scheme, axe, logged_statements

pytestmark = pytest.mark.browser

CREATE = """
mutation ($team: ID!) {
  createLead(input: {
    city: "Dallas", type: "Seller", teamId: $team, distributionTarget: TEAM_ROLLOUT,
    teamSelectionMethod: SPECIFIC_TEAM, contact: {firstName: "Grace", lastName: "Hopper", mobilePhone: "+12025550142"}
  }) { lead { id } }
}
"""
MINE = "{ leadOffers(where: {mine: true}) { data { id } } }"
CLAIM = "mutation ($id: ID!) { claimLeadOffer(id: $id) { leadOffer { id } } }"
ASSIGN = "mutation ($id: ID!, $to: ID!) { assignLead(id: $id, userId: $to) { lead { id } } }"
OFFERS = "query ($id: ID!) { lead(id: $id) { offers { total } nextStep { at } } }"


COUNT_LEADS = """
() => {
  const send = fetch;
  let now = 0;
  window.mostAtOnce = 0;
  window.fetch = async (...all) => {
    const isLead = String(all[1]?.body).includes('"operationName":"Lead"');
    if (isLead) mostAtOnce = Math.max(mostAtOnce, ++now);
    return send(...all).finally(() => isLead && now--);
  };
}
"""
"""Counts how many requests for a lead the page has in flight at a time, at most."""


async def submit(page: Page) -> None:
    """Look at the preview, leave it and come back by keyboard, and submit the lead."""
    button = page.get_by_role("button", name="Submit")
    await button.click()
    dialog = page.get_by_role("dialog", name="Submit this lead?")
    await expect(dialog).to_contain_text("Bob Example: e-mail")
    await expect(dialog).to_contain_text("Dora Example")
    assert await axe(page) == []
    await page.keyboard.press("Escape")
    await expect(button).to_be_focused()
    await page.keyboard.press("Enter")
    await expect(dialog).to_contain_text("Dora Example")
    size = page.viewport_size or {"width": 0, "height": 0}
    await page.set_viewport_size({"width": size["width"], "height": 240})  # a preview that is longer than the screen
    await expect(dialog.get_by_role("button", name="Submit")).to_be_in_viewport(ratio=1)
    await page.set_viewport_size({"width": size["width"], "height": size["height"]})
    await dialog.get_by_role("button", name="Submit").click()


@pytest.mark.usefixtures("_no_read_runs_twice")
@pytest.mark.parametrize(("device", "scheme"), DEVICES)
async def test_a_leader_watches_a_rollout(
    world: World,
    cast: Cast,
    app_page: OpenApp,
    live: Api,
    device: Device,
    scheme: Scheme,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """From the preview to the claims of others, which the screen shows without being asked, and back to the leader."""
    dora = await world.member_user(cast.team, "Dora", rank=2)
    created = await live.user(cast.alice).ask(CREATE, team=cast.team.id)
    lead_id = created["createLead"]["lead"]["id"]
    await asyncio.sleep(MARGIN_SECONDS)  # else the page hears of this, and asks for the lead once more
    capsys.readouterr()
    screen = await app_page(cast.alice, f"/board/{lead_id}", device=device, scheme=scheme)
    page = screen.page
    await page.evaluate(COUNT_LEADS)
    await page.get_by_role("heading", name="Seller · Grace Hopper").wait_for()
    await page.get_by_text(f"Submit it to offer it to {cast.team.name}.").wait_for()
    assert sorted(screen.operations) == ["Lead", "Viewer"]
    assert await logged_statements({"Lead", "Viewer"}, capsys) == {"Lead": 1, "Viewer": 1}
    await screen.live()
    assert await axe(page) == []

    await submit(page)
    rollout = page.get_by_role("region", name="Rollout")
    await rollout.get_by_role("heading", name=f"Submitted to {cast.team.name}").wait_for()
    await expect(rollout).to_contain_text("Bob Example")
    await expect(rollout).to_contain_text("If nobody claims it, you are notified")
    enquiry = page.get_by_role("region", name="Enquiry")
    await expect(enquiry).to_contain_text("Running")

    bob = live.user(cast.bob)
    offer_id = (await bob.ask(MINE))["leadOffers"]["data"][0]["id"]
    screen.operations.clear()
    await bob.ask(CLAIM, id=offer_id)
    await expect(enquiry).to_contain_text("Held by Bob Example")
    await expect(enquiry).to_contain_text(
        "You can release it so that it is offered again, or assign it to somebody else."
    )
    history = page.get_by_role("region", name="History")
    await expect(history.get_by_role("listitem")).to_contain_text(["Bob Example claimed it in the app"])
    assert {*screen.operations} == {"Lead"}
    for user in (dora, cast.bob, dora):
        await live.user(cast.alice).ask(ASSIGN, id=lead_id, to=user.id)
    await expect(history.get_by_role("listitem")).to_have_count(4)
    assert await page.evaluate("mostAtOnce") == 1

    await page.get_by_role("button", name="Release").click()
    await page.get_by_role("dialog").get_by_role("button", name="Release").click()
    await expect(enquiry).not_to_contain_text("Held by")
    await page.get_by_role("button", name="Assign").click()
    await page.get_by_role("textbox", name="Person").click()
    await page.get_by_role("option", name="Dora Example").click()
    await page.get_by_role("dialog").get_by_role("button", name="Assign").click()
    await expect(enquiry).to_contain_text(f"Held by {dora.first_name} Example")
    await expect(history.get_by_role("listitem").last).to_contain_text("Dora Example was assigned the lead")
    await expect(page.get_by_role("dialog")).to_have_count(0)
    assert await axe(page) == []
    if device == "phone":
        await page.set_viewport_size({"width": 320, "height": 640})
        assert await page.evaluate("document.documentElement.scrollWidth") <= 320


@pytest.mark.page
async def test_imported_offers(world: World, cast: Cast, app_page: OpenApp, live: Api) -> None:
    """A lead is running while an offer that was imported is open. Failed messages are explained in words."""
    contact = await world.contact(cast.alice, first_name="Radia", last_name="Perlman")
    lead = await world.lead(cast.alice, cast.team, contact, created_at=datetime.now(UTC), type="Seller")
    now = datetime.now(UTC)
    offer = await world.offer(lead, cast.bob, notify_at=now - timedelta(minutes=5))
    for _ in range(26):
        await world.offer(lead, None, status=LeadOfferStatus.EXPIRED, notify_at=None)
    await world.add(
        Delivery(
            offer_id=offer.id,
            channel=Channel.TEXT,
            status=DeliveryStatus.FAILED,
            attempts=1,
            error="The user has no phone number.",
        )
    )
    known = await live.user(cast.alice).ask(OFFERS, id=lead.id)
    assert known["lead"] == {"offers": {"total": 27}, "nextStep": None}

    screen = await app_page(cast.alice, "/board")
    page = screen.page
    await expect(page.get_by_role("row").filter(has_text="Radia Perlman")).to_contain_text("Running")
    await page.get_by_role("link", name="Seller").click()
    await page.get_by_role("heading", name="Seller · Radia Perlman").wait_for()
    rollout = page.get_by_role("region", name="Rollout")
    await rollout.get_by_role("heading", name="Imported offers").wait_for()
    await expect(rollout).to_contain_text("Text message: failed after 1 attempt: their account has no phone number")
    await expect(rollout).to_contain_text("2 more offers are not listed here.")
    await expect(rollout).to_contain_text("If nobody claims it, you are not notified")
    await expect(page.get_by_role("region", name="Enquiry")).to_contain_text("Running")
    assert await axe(page) == []
