"""Fixtures for tests that drive the web application in Chromium against a real server.

`app_page(user)` opens the application, signed in, and gives a `Screen`:

    async def test_the_inbox(app_page: OpenApp, cast: Cast) -> None:
        screen = await app_page(cast.bob, "/inbox", device="phone", scheme="dark")
        await screen.page.get_by_role("heading", name="Inbox").wait_for()
        assert await axe(screen.page) == []
        assert len(screen.operations) <= 2

The server is that of the fixture `live`; `world` and `cast` write to its database. Each call of `app_page` has its own
browser context, so that two users, or two tabs with `context=screen.page.context`, can be open at once. At its end the
test fails if a page logged an error or a warning, raised an exception, or sent a request to another origin. A test that
provokes such things clears `screen.problems`, or removes what it expects. `server_page(url, …)` opens the application
of another server, such as one with other settings, without signing in; close the page before that server ends.

The application must be built: run scripts/web after a change of app/web.
"""

import json
from collections.abc import AsyncIterator, Awaitable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, Protocol

import pytest
from playwright.async_api import Browser, BrowserContext, Page, Request

from app.access.tokens import issue_token
from app.db.models import User
from app.http.web_app import BUILD
from tests.support.api import Api
from tests.support.browser import chromium

AXE = Path(__file__).parents[2] / "app" / "web" / "node_modules" / "axe-core" / "axe.min.js"

Device = Literal["phone", "desktop"]
Scheme = Literal["light", "dark"]

SIZES: dict[Device, Any] = {"phone": {"width": 390, "height": 844}, "desktop": {"width": 1280, "height": 800}}

SIGN_IN = """
if (!sessionStorage.getItem("seeded")) {
  sessionStorage.setItem("seeded", "yes");
  sessionStorage.setItem("session", JSON.stringify({ kind: "token", token: TOKEN }));
}
"""
"""Signs in once per tab: a test that signs out stays signed out."""


@dataclass
class Screen:
    """One tab of the application."""

    page: Page
    url: str
    """The server's, without a final slash."""
    operations: list[str] = field(default_factory=list)
    """The names of the GraphQL operations that were sent over HTTP. Clear it before the step that a test counts."""
    problems: list[str] = field(default_factory=list)
    """Errors and warnings of the console, exceptions, and requests to other origins."""

    def note_request(self, request: Request) -> None:
        if not request.url.startswith((self.url, "data:", "blob:")):
            self.problems.append(f"request to another origin: {request.url}")
        if request.url == f"{self.url}/graphql" and request.method == "POST":
            self.operations.append(json.loads(request.post_data or "{}").get("operationName") or "")


class OpenServer(Protocol):
    def __call__(
        self, url: str, path: str = "/", *, device: Device = "desktop", scheme: Scheme = "light", token: str = ""
    ) -> Awaitable[Screen]: ...


class OpenApp(Protocol):
    def __call__(
        self,
        user: User,
        path: str = "/",
        *,
        device: Device = "desktop",
        scheme: Scheme = "light",
        timezone: str | None = None,
        context: BrowserContext | None = None,
    ) -> Awaitable[Screen]: ...


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    """Chromium. Skips the test if the application is not built."""
    if not (BUILD / "index.html").exists():
        pytest.skip("the web application is not built: run scripts/web")
    async with chromium() as browser:
        yield browser


@pytest.fixture
async def screens(browser: Browser) -> AsyncIterator[list[Screen]]:
    """The tabs that the test has opened. Whatever went wrong in them fails the test at its end."""
    opened: list[Screen] = []
    yield opened
    for screen in opened:
        await screen.page.close()  # before the server ends, which would be a problem of the page
    assert [screen.problems for screen in opened if screen.problems] == []


@pytest.fixture
async def server_page(browser: Browser, screens: list[Screen]) -> OpenServer:
    """A function that opens the application of a server."""

    async def open_page(
        url: str, path: str = "/", *, device: Device = "desktop", scheme: Scheme = "light", token: str = ""
    ) -> Screen:
        context = await _context(browser, device, scheme, token)
        return await _open(screens, context, url, path)

    return open_page


@pytest.fixture
async def app_page(live: Api, browser: Browser, screens: list[Screen]) -> OpenApp:
    """A function that opens the application of `live` as a user."""

    async def open_page(
        user: User,
        path: str = "/",
        *,
        device: Device = "desktop",
        scheme: Scheme = "light",
        timezone: str | None = None,
        context: BrowserContext | None = None,
    ) -> Screen:
        token = issue_token(live.settings, user.id, "read write", 1, datetime.now(UTC))
        context = context or await _context(browser, device, scheme, token, timezone)
        return await _open(screens, context, str(live.http.base_url).rstrip("/"), path)

    return open_page


async def axe(page: Page) -> list[str]:
    """Return what axe finds wrong with the page as it stands: the rule, its meaning, and the elements."""
    if not AXE.exists():
        pytest.skip("axe is not installed: run scripts/web")
    await page.evaluate(AXE.read_text(encoding="utf-8"))
    found = await page.evaluate("axe.run()")
    return [
        f"{violation['id']}: {violation['help']}: {[node['html'][:200] for node in violation['nodes']]}"
        for violation in found["violations"]
    ]


def statements_by_operation(log: str) -> dict[str, int]:
    """Return how many SQL statements the request of each operation ran, from the server's log."""
    lines = [json.loads(line) for line in log.splitlines() if line.startswith("{")]
    return {line["operation"]: line["statements"] for line in lines if line["method"] == "POST"}


async def _context(
    browser: Browser, device: Device, scheme: Scheme, token: str, timezone: str | None = None
) -> BrowserContext:
    is_phone = device == "phone"
    context = await browser.new_context(
        viewport=SIZES[device],
        is_mobile=is_phone,
        has_touch=is_phone,
        color_scheme=scheme,
        reduced_motion="reduce",
        locale="en-US",
        timezone_id=timezone,
    )
    if token:
        await context.add_init_script(SIGN_IN.replace("TOKEN", json.dumps(token)))
    return context


async def _open(screens: list[Screen], context: BrowserContext, url: str, path: str) -> Screen:
    page = await context.new_page()
    screen = Screen(page, url)
    screens.append(screen)
    problems = screen.problems
    page.on("console", lambda said: problems.append(said.text) if said.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on("request", lambda request: screen.note_request(request))  # noqa: PLW0108  playwright marks its handler
    await page.goto(url + path)
    return screen
