"""The figures of a leader."""

from datetime import UTC, datetime, timedelta

import pytest
from playwright.async_api import expect

from tests.support.api import Api
from tests.support.world import Cast, World
from tests.web.conftest import DEVICES, Device, OpenApp, Scheme, axe

pytestmark = pytest.mark.browser


@pytest.mark.parametrize(("device", "scheme"), DEVICES)
async def test_a_leader_reads_the_figures(
    world: World, cast: Cast, app_page: OpenApp, device: Device, scheme: Scheme
) -> None:
    lead = await world.lead(cast.alice, cast.team, created_at=datetime.now(UTC) - timedelta(hours=1))
    await world.offer(lead, cast.bob, notify_at=datetime.now(UTC) - timedelta(hours=1))
    screen = await app_page(cast.alice, f"/figures?span=7&team={cast.team.id}", device=device, scheme=scheme)
    page = screen.page
    over_time = page.get_by_role("region", name="Speed to claim over time")
    await expect(over_time.get_by_role("table")).to_be_visible()
    await expect(over_time.get_by_text("There is no time to claim yet")).to_be_visible()
    await expect(page.get_by_role("region", name="By member").get_by_role("rowheader")).to_contain_text(["Bob"])
    assert sorted(screen.operations) == ["Figures", "Viewer"]
    assert await axe(page) == []

    joined = await world.team(cast.bob)
    await world.membership(joined, cast.alice)
    await page.goto(f"{screen.url}/figures?team={joined.id}")
    await page.get_by_text("Only the leader of a team sees its figures.").wait_for()


NAME = "<b>Zoë</b> 🏡 مكتب العقارات of a very long name"

CLAIM = "mutation ($id: ID!) { claimLeadOffer(id: $id) { leadOffer { id } } }"

FIGURES = """
query ($from: DateTime!, $to: DateTime!, $team: ID!) {
  leadFigures(from: $from, to: $to, by: SOURCE) { source { name } received offered claimed exhausted }
  memberFigures(teamId: $team, from: $from, to: $to) { user { firstName } offers claims declines missed }
}
"""


async def test_the_numbers_are_those_of_the_api(world: World, cast: Cast, live: Api, app_page: OpenApp) -> None:
    """Without a claim the page says what to do; with claims over the API it shows the API's numbers."""
    source = await world.source(cast.alice, NAME)
    now = datetime.now(UTC)
    sources = (source.id, source.id, None)
    leads = [await world.lead(cast.alice, cast.team, created_at=now, source_id=source_id) for source_id in sources]
    offers = [await world.offer(lead, cast.bob, notify_at=now) for lead in leads]
    address = f"/figures?span=7&team={cast.team.id}"
    page = (await app_page(cast.alice, address)).page
    await expect(page.get_by_text("none of these leads has been offered")).to_have_count(2)
    await expect(page.get_by_text("none of them has claimed a lead")).to_be_visible()
    await expect(page.locator("[aria-hidden] svg.recharts-surface")).to_have_count(0)

    for offer in offers[:2]:
        await live.user(cast.bob).ask(CLAIM, id=offer.id)
    span = {"from": (now - timedelta(days=7)).isoformat(), "to": (now + timedelta(hours=1)).isoformat()}
    told = await live.user(cast.alice).ask(FIGURES, **span, team=cast.team.id)
    await page.reload()
    by_source = page.get_by_role("region", name="By source")
    await expect(by_source.locator("svg.recharts-surface").first).to_be_attached()
    for group in told["leadFigures"]:
        row = by_source.get_by_role("row").filter(has_text=group["source"]["name"] if group["source"] else "No source")
        numbers = [str(group[name]) for name in ("received", "offered", "claimed", "exhausted")]
        assert (await row.get_by_role("cell").all_inner_texts())[:4] == numbers
    (member,) = [row for row in told["memberFigures"] if row["user"]["firstName"] == "Bob"]
    row = page.get_by_role("region", name="By member").get_by_role("row").filter(has_text="Bob")
    numbers = [str(member[name]) for name in ("offers", "claims", "declines", "missed")]
    assert (await row.get_by_role("cell").all_inner_texts())[:4] == numbers
    assert member["claims"] == 2
    assert await axe(page) == []
