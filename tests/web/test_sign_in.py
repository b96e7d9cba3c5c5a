"""Signing in to the web application, and the frame around its screens."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from playwright.async_api import expect

from app.access.tokens import issue_token
from app.db.engine import Database
from app.importer import import_lists, parse
from app.main import create_app
from tests.support.api import Api, settings_for
from tests.support.live_server import live_server
from tests.support.world import Cast
from tests.web.conftest import DEVICES, Device, OpenApp, OpenServer, Scheme, axe

pytestmark = pytest.mark.browser

STORED = "JSON.stringify([{ ...localStorage }, { ...sessionStorage }, document.cookie])"


@pytest.mark.parametrize(("device", "scheme"), DEVICES)
async def test_a_person_of_the_demo_is_chosen(
    database_url: str,
    database: Database,
    demo_data: bytes,
    server_page: OpenServer,
    tmp_path: Path,
    device: Device,
    scheme: Scheme,
) -> None:
    async with database.write() as session:
        await import_lists(session, parse(demo_data), datetime.now(UTC))
    with live_server(create_app(settings_for(database_url, demo=True))) as url:
        screen = await server_page(url, device=device, scheme=scheme)
        page = screen.page
        person = page.get_by_role("button", name="Katherine Johnson")
        await person.wait_for()
        assert await axe(page) == []
        await page.screenshot(path=tmp_path / "sign-in.png")

        await person.click()
        await page.wait_for_url(f"{url}/inbox")
        await page.get_by_role("button", name="Katherine Johnson").wait_for()
        local, in_session, cookies = json.loads(await page.evaluate(STORED))
        assert "eyJ" not in json.dumps(local) + cookies
        assert json.loads(in_session["session"])["kind"] == "demo"

        await page.get_by_role("button", name="Katherine Johnson").click()
        await page.get_by_role("menuitem", name="Sign out").click()
        await page.wait_for_url(f"{url}/sign-in*")
        assert "eyJ" not in await page.evaluate(STORED)
        await page.close()


async def test_an_access_token_is_pasted(live: Api, cast: Cast, server_page: OpenServer) -> None:
    """Pasted as people copy it, with `Bearer` and broken into lines. Afterwards the wanted screen opens."""
    url = str(live.http.base_url).rstrip("/")
    token = issue_token(live.settings, cast.bob.id, "read write", 1, datetime.now(UTC))
    screen = await server_page(url, "/figures?days=7")
    page = screen.page
    await page.get_by_label("Access token").fill(f"Bearer {token[:40]}\n{token[40:]}\n")
    assert await axe(page) == []
    await page.get_by_role("button", name="Sign in").click()
    await page.wait_for_url(f"{url}/figures?days=7")
    await page.get_by_text("Bob Example").wait_for()


@pytest.mark.page
async def test_an_invalid_token_is_refused_in_words(live: Api, cast: Cast, server_page: OpenServer) -> None:
    screen = await server_page(str(live.http.base_url).rstrip("/"))
    page = screen.page
    await page.get_by_label("Access token").fill("<script>alert(1)</script>")
    await page.get_by_role("button", name="Sign in").click()
    await page.get_by_role("alert").get_by_text("The access token is not accepted").wait_for()
    assert "script" not in await page.evaluate(STORED)
    screen.problems[:] = [problem for problem in screen.problems if "401" not in problem]


@pytest.mark.page
async def test_the_sign_in_leads_to_no_other_site(app_page: OpenApp, cast: Cast) -> None:
    screen = await app_page(cast.bob, "/settings")
    for then in ("//evil.example", "https://evil.example", "/\\evil.example", "javascript:alert(1)"):
        await screen.page.goto(f"{screen.url}/sign-in?then={then}")
        await screen.page.wait_for_url(f"{screen.url}/inbox")


@pytest.mark.page
@pytest.mark.parametrize("device", ["phone", "desktop"])
async def test_the_frame_of_the_screens(app_page: OpenApp, cast: Cast, device: Device) -> None:
    screen = await app_page(cast.bob, device=device)
    page = screen.page
    await page.get_by_role("heading", name="Inbox").wait_for()
    await page.get_by_text("Bob Example").wait_for()
    assert len(screen.operations) <= 2
    assert await axe(page) == []
    for name in ("Board", "Teams", "Figures", "Settings", "Inbox"):
        await page.get_by_role("navigation").get_by_role("link", name=name).click()
        await page.get_by_role("heading", name=name, exact=True).wait_for()
        await expect(page).to_have_title(f"{name} · Lead Offers")

    await page.keyboard.press("Tab")
    await page.context.set_offline(True)
    await page.get_by_role("status").get_by_text("You are offline").wait_for()
    await page.context.set_offline(False)
    await page.get_by_text("You are offline").wait_for(state="hidden")


async def test_an_unknown_address(app_page: OpenApp, cast: Cast) -> None:
    screen = await app_page(cast.bob, "/nothing")
    await screen.page.get_by_role("heading", name="There is no such page").wait_for()
    assert await axe(screen.page) == []
    await screen.page.get_by_role("link", name="Go to the inbox").click()
    await screen.page.get_by_role("region", name="To claim now").wait_for()
    screen.problems[:] = [problem for problem in screen.problems if "404" not in problem]
