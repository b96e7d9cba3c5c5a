"""Times are those of the viewer's zone, wherever the device is."""

import json
import re
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import expect

from app.db.engine import Database
from app.db.models import User
from tests.support.world import Cast, World, change
from tests.web.conftest import OpenApp, axe

WEB = Path(__file__).parents[2] / "app" / "web"

NARROW_SPACE = "\u202f"
"""`Intl` writes it before AM and PM."""


@pytest.mark.browser
@pytest.mark.page
async def test_a_viewer_from_elsewhere(world: World, cast: Cast, app_page: OpenApp, database: Database) -> None:
    """Chromium is in Berlin, and Alice in Los Angeles. She then moves to Kathmandu, without loading the page again."""
    moment = datetime(2026, 1, 15, 3, 30, tzinfo=UTC)
    lead = await world.lead(cast.alice, cast.team, created_at=moment)
    await world.offer(lead, cast.bob, notify_at=moment)
    screen = await app_page(cast.alice, f"/board/{lead.id}", timezone="Europe/Berlin")
    page = screen.page
    shown = page.locator(f"time[datetime^='{moment:%Y-%m-%dT%H:%M}']")
    await expect(shown.first).to_have_attribute("title", re.compile("Jan 14"))  # once the page knows Alice's time zone
    titles = {await time.get_attribute("title") for time in await shown.all()}
    assert {str(title).replace(NARROW_SPACE, " ") for title in titles} == {"Jan 14, 2026, 7:30 PM PST"}
    await expect(page.get_by_text("Jan 14, 2026, 7:30 PM PST").first).to_be_visible()

    await page.get_by_role("navigation").get_by_role("link", name="Settings").click()
    await expect(page.get_by_label("Away until")).to_be_visible()
    await page.get_by_role("textbox", name="Time zone").fill("Asia/Kat")
    await page.get_by_role("option", name="Asia/Kat").click()  # browsers differ in its spelling
    await page.get_by_role("button", name="Save profile").click()
    await expect(page.get_by_text(re.compile("In your time zone, Asia/Kat")).first).to_be_visible()
    await page.get_by_label("Away until").fill("2031-07-01T09:00")
    await page.get_by_role("button", name="Set as away").click()
    await expect(page.get_by_text("You are away until Jul 1, 2031, 9:00 AM GMT+5:45")).to_be_visible()
    async with database.read() as session:
        alice = await session.get_one(User, cast.alice.id)
        assert alice.away_until == datetime(2031, 7, 1, 3, 15, tzinfo=UTC)

    await page.go_back()
    await expect(page.get_by_text("Jan 15, 2026, 9:15 AM GMT+5:45").first).to_be_visible()
    assert await axe(page) == []


@pytest.mark.browser
@pytest.mark.page
async def test_a_zone_that_the_browser_does_not_know(world: World, cast: Cast, app_page: OpenApp) -> None:
    """Times are in UTC then, and say so."""
    await change(world, cast.bob, timezone="Mars/Olympus_Mons", away_until=datetime(2031, 7, 1, 3, 15, tzinfo=UTC))
    screen = await app_page(cast.bob, "/inbox", timezone="America/New_York")
    await expect(screen.page.get_by_text("You are away until Jul 1, 2031, 3:15 AM UTC")).to_be_visible()


def test_times_of_a_zone(tmp_path: Path) -> None:
    """Clocks that are put forward and back, and the name of the zone where a reader could doubt."""
    found = run(
        tmp_path,
        """
        import { formatMoment, formatRelative } from "./src/time/format";
        import { hourOfDay, monthBegin, parseLocal } from "./src/time/local";
        import { knownZone } from "./src/time/zone";
        const newYork = "America/New_York";
        Date.now = () => Date.UTC(2026, 2, 31, 20);
        console.log(JSON.stringify({
          sameAsDevice: formatMoment("2026-03-02T14:00:00Z", newYork),
          otherNameSameTime: formatMoment("2026-03-02T14:00:00Z", "America/Toronto"),
          otherTime: formatMoment("2026-03-02T14:00:00Z", "America/Chicago"),
          firstOfTwo: formatMoment("2026-11-01T05:30:00Z", newYork),
          secondOfTwo: formatMoment("2026-11-01T06:30:00Z", newYork),
          winter: parseLocal("2026-03-07T09:00", newYork),
          summer: parseLocal("2026-03-08T09:00", newYork),
          leftOut: parseLocal("2026-03-08T02:30", newYork),
          nothing: parseLocal("", newYork),
          tomorrow: hourOfDay(8, 1, "Pacific/Kiritimati"),
          acrossSummerTime: hourOfDay(0, -30, newYork),
          month: monthBegin("Pacific/Kiritimati"),
          unknown: knownZone("Mars/Olympus_Mons"),
          ago: [59, 60, 47 * 3600, 3237 * 86400].map((seconds) =>
            formatRelative(new Date(Date.now() - seconds * 1000).toISOString(), Date.now())),
        }));
        """,
    )
    assert found == {
        "sameAsDevice": "Mar 2, 2026, 9:00 AM",
        "otherNameSameTime": "Mar 2, 2026, 9:00 AM",
        "otherTime": "Mar 2, 2026, 8:00 AM CST",
        "firstOfTwo": "Nov 1, 2026, 1:30 AM EDT",
        "secondOfTwo": "Nov 1, 2026, 1:30 AM EST",
        "winter": "2026-03-07T14:00:00.000Z",
        "summer": "2026-03-08T13:00:00.000Z",
        "leftOut": "2026-03-08T07:30:00.000Z",
        "nothing": None,
        "tomorrow": "2026-04-01T18:00:00.000Z",
        "acrossSummerTime": "2026-03-01T05:00:00.000Z",
        "month": "2026-03-31T10:00:00.000Z",
        "unknown": "UTC",
        "ago": ["just now", "1 minute ago", "1 day ago", "8 years ago"],
    }


def run(tmp_path: Path, script: str) -> Any:
    """Run a module of the web application in Node, on a German device in New York. Return the JSON that it prints."""
    esbuild = WEB / "node_modules" / ".bin" / "esbuild"
    if not esbuild.exists():
        pytest.skip("the packages of the web application are not installed: run scripts/web")
    built = tmp_path / "script.mjs"
    options = ["--bundle", "--format=esm", "--platform=node", f"--outfile={built}", "--log-level=error"]
    subprocess.run([esbuild, *options], cwd=WEB, input=script, text=True, check=True)
    environment = {"TZ": "America/New_York", "LANG": "de_DE.UTF-8", "PATH": "/usr/bin:/bin:/usr/local/bin"}
    printed = subprocess.run(["node", built], env=environment, capture_output=True, text=True, check=True).stdout
    return json.loads(printed.replace(NARROW_SPACE, " "))
