"""Requests of the screens: at most two each, of one SQL statement each, and none on the way back to a screen.

The figures are the exception: Python computes their periods, so that each list of them takes a statement of its own.
"""

import pytest
from playwright.async_api import BrowserContext, expect

from tests.support.world import Cast, World
from tests.web.conftest import OpenApp, Screen, logged_statements

pytestmark = pytest.mark.browser


async def settled(screen: Screen) -> None:
    """Wait until the screen is shown, and has asked for all that it needs."""
    page = screen.page
    await page.get_by_role("heading", level=1).wait_for()
    await expect(page.get_by_role("status", name="Loading")).to_have_count(0)
    await screen.live()
    await screen.quiet()


@pytest.mark.usefixtures("_no_read_runs_twice")
async def test_a_screen_takes_two_requests(
    world: World, cast: Cast, app_page: OpenApp, capsys: pytest.CaptureFixture[str]
) -> None:
    following = await world.team(cast.alice, name="Following")
    cast.team.next_team_id, cast.team.mins_until_next_team = following.id, 5
    await world.add(cast.team)
    lead = await world.lead(cast.alice, cast.team)
    await world.offer(lead, cast.bob)
    screens = {
        "inbox": "Inbox",
        "board": "Board",
        f"board/{lead.id}": "Lead",
        "teams": "Teams",
        f"teams/{cast.team.id}": "Team",
        "figures": "Figures",
        "settings": "Settings",
    }
    context: BrowserContext | None = None
    for path, operation in screens.items():
        capsys.readouterr()
        screen = await app_page(cast.alice, f"/{path}", context=context)
        page, context = screen.page, screen.page.context  # a tab with an empty cache, but for the scripts
        await settled(screen)
        assert sorted(screen.operations) == sorted([operation, "Viewer"])
        expected = {operation: 5 if operation == "Figures" else 1, "Viewer": 1}
        assert await logged_statements(expected, capsys) == expected

        away = "Settings" if path == "inbox" else "Inbox"
        await page.get_by_role("link", name=away, exact=True).click()
        await page.wait_for_url(f"{screen.url}/{away.lower()}")
        await settled(screen)
        screen.operations.clear()
        await page.go_back()
        await page.wait_for_url(f"{screen.url}/{path}*")
        await settled(screen)
        assert screen.operations == [], path
        await page.close()
