"""The figures of a leader."""

from datetime import UTC, datetime, timedelta

import pytest
from playwright.async_api import expect

from tests.support.world import Cast, World
from tests.web.conftest import Device, OpenApp, Scheme, axe

pytestmark = pytest.mark.browser


@pytest.mark.parametrize(("device", "scheme"), [("phone", "dark"), ("desktop", "light")])
async def test_a_leader_reads_the_figures(
    world: World, cast: Cast, app_page: OpenApp, device: Device, scheme: Scheme
) -> None:
    lead = await world.lead(cast.alice, cast.team, created_at=datetime.now(UTC) - timedelta(hours=1))
    await world.offer(lead, cast.bob, notify_at=datetime.now(UTC) - timedelta(hours=1))
    screen = await app_page(cast.alice, f"/figures?span=7&team={cast.team.id}", device=device, scheme=scheme)
    page = screen.page
    over_time = page.get_by_role("region", name="Speed to claim over time")
    await expect(over_time.get_by_role("table")).to_be_visible()
    await expect(over_time.locator("svg").first).to_be_attached()
    await expect(page.get_by_role("region", name="By member").get_by_role("rowheader")).to_contain_text(["Bob"])
    assert sorted(screen.operations) == ["Figures", "Viewer"]
    assert await axe(page) == []
