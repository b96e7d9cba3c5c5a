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

The machine may be busy. A test therefore waits for what it needs, never for a time. For what the page shows it uses
`expect` instead of `assert`, and for the rest `screen.live()`, `screen.answered(operation)`, `screen.quiet()` and
`logged_statements(…)`.

A test with the marker `page` is about the page alone: its words, layout and focus, or what it does without the server.
It runs on SQLite only. On both databases each screen is opened, used and checked with axe at least once, and the tests
of claims, rollouts, live changes and signing in run.

The application must be built: run scripts/web after a change of app/web.
"""

import json
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Collection
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, Protocol

import pytest
from playwright.async_api import Browser, BrowserContext, Page, Request, expect

from app.access.tokens import issue_token
from app.db import read_pool
from app.db.models import User
from app.http.web_app import BUILD
from tests.support.api import Api
from tests.support.browser import chromium
from tests.support.waiting import until

AXE = Path(__file__).parents[2] / "app" / "web" / "node_modules" / "axe-core" / "axe.min.js"

PATIENCE = 60_000
"""Milliseconds until a test gives up: long, because only a test that fails takes so long."""
expect.set_options(timeout=PATIENCE)

Device = Literal["phone", "desktop"]
Scheme = Literal["light", "dark"]

DEVICES = [("desktop", "light"), pytest.param("phone", "dark", marks=pytest.mark.page)]
"""The devices and schemes that a test of a whole screen runs with. To the server and its database they are the same."""

SIZES: dict[Device, Any] = {"phone": {"width": 390, "height": 844}, "desktop": {"width": 1280, "height": 800}}

SIGN_IN = """
if (!sessionStorage.getItem("seeded")) {
  sessionStorage.setItem("seeded", "yes");
  sessionStorage.setItem("session", JSON.stringify({ kind: "token", token: TOKEN }));
}
"""
"""Signs in once per tab: a test that signs out stays signed out."""

SUBSCRIPTIONS = 2
"""How many subscriptions a signed-in person has on every screen: to offers, and to leads."""

NOTE_SUBSCRIPTIONS = """
window.liveSubscriptions = new Set();
window.liveEvents = [];
WebSocket = class extends WebSocket {
  pings = [];  // each with the subscription before it, or null: the server answers messages in order
  constructor(...all) {
    super(...all);
    this.addEventListener("message", ({ data }) => {
      const { type, payload } = JSON.parse(data);
      if (type === "next") liveEvents.push(...Object.keys(payload.data));
      if (type !== "pong") return;
      const id = this.pings.shift();
      if (!id) return;
      liveSubscriptions.add(id);
      this.addEventListener("close", () => liveSubscriptions.delete(id));
    });
  }
  send(data) {
    const { type, id } = JSON.parse(data);
    super.send(data);
    if (type === "ping") this.pings.push(null);
    if (type === "complete") liveSubscriptions.delete(id);
    if (type === "subscribe") {
      this.pings.push(id);
      super.send('{"type":"ping"}');
    }
  }
};
"""
"""Notes the subscriptions that the server has begun, and the events that it has sent, by the names of their fields."""

IDLE = "new Promise(done => requestIdleCallback(() => requestIdleCallback(done)))"
ANIMATIONS_END = """
Promise.allSettled(
  document.getAnimations()
    .filter((one) => one.effect.getComputedTiming().endTime !== Infinity)
    .map((one) => one.finished)
)
"""


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
    sent: Counter[str] = field(default_factory=Counter)
    ended: Counter[str] = field(default_factory=Counter)
    """How many requests of each operation were sent, and have ended, since the page was opened."""

    async def live(self) -> None:
        """Wait until the page receives changes: the server knows its subscriptions."""
        await self.page.wait_for_function("number => liveSubscriptions.size === number", arg=SUBSCRIPTIONS)

    async def received(self, event: str) -> None:
        """Wait until the page has received an event, which it may be about to handle: `leadChanged`, for example."""
        await self.page.wait_for_function("name => liveEvents.includes(name)", arg=event)

    async def answered(self, operation: str, times: int = 1) -> None:
        """Wait until the server has answered an operation this often since the page was opened."""
        await until(lambda: self.ended[operation] >= times)

    async def quiet(self) -> None:
        """Wait until the page has done what it had to do, and all of its requests are answered."""
        await idle(self.page)
        while self.sent != self.ended:
            await until(lambda: self.sent == self.ended)
            await idle(self.page)

    def note_request(self, request: Request) -> None:
        if not request.url.startswith((self.url, "data:", "blob:")):
            self.problems.append(f"request to another origin: {request.url}")
        if operation := self.operation_of(request):
            self.operations.append(operation)
            self.sent[operation] += 1

    def note_end(self, request: Request) -> None:
        if operation := self.operation_of(request):
            self.ended[operation] += 1

    def operation_of(self, request: Request) -> str | None:
        """Return the name of a query or mutation that was sent over HTTP."""
        is_stream = "event-stream" in request.headers.get("accept", "")
        if request.url != f"{self.url}/graphql" or request.method != "POST" or is_stream:
            return None
        return json.loads(request.post_data or "{}").get("operationName") or None


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


@pytest.fixture(autouse=True)
def _can_replay(_has_run_for_a_minute: None) -> None:
    """Let the servers of all tests replay the changes of the last seconds: a page then needs no third request."""


@pytest.fixture
def _no_read_runs_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let reads take their time, as on a busy machine, where PostgreSQL's would be stopped and run again."""
    monkeypatch.setattr(read_pool, "QUICK_SECONDS", PATIENCE / 1000)


async def axe(page: Page) -> list[str]:
    """Return what axe finds wrong with the page once it stands still: the rule, its meaning, and the elements."""
    if not AXE.exists():
        pytest.skip("axe is not installed: run scripts/web")
    await page.evaluate(ANIMATIONS_END)
    await page.evaluate(AXE.read_text(encoding="utf-8"))
    found = await page.evaluate("axe.run()")
    return [
        f"{violation['id']}: {violation['help']}: {[node['html'][:200] for node in violation['nodes']]}"
        for violation in found["violations"]
    ]


async def idle(page: Page) -> None:
    """Wait until the page has done what it had to do: a request that it was about to send is sent."""
    await page.evaluate(IDLE)


async def logged_statements(operations: Collection[str], capsys: pytest.CaptureFixture[str]) -> dict[str, int]:
    """Return how many SQL statements the request of each operation ran, from the server's log.

    Waits until these operations are in the log, which the server writes after it has answered; those of others may come
    late. The test uses the fixture `_no_read_runs_twice`.
    """
    found: dict[str, int] = {}

    def has_all() -> bool:
        lines = [json.loads(line) for line in capsys.readouterr().err.splitlines() if line.startswith("{")]
        found.update({line["operation"]: line["statements"] for line in lines if line.get("operation") in operations})
        return found.keys() >= {*operations}

    await until(has_all)
    return found


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
    context.set_default_timeout(PATIENCE)
    await context.add_init_script(NOTE_SUBSCRIPTIONS)
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
    for end in ("requestfinished", "requestfailed"):
        page.on(end, lambda request: screen.note_end(request))  # noqa: PLW0108
    await page.goto(url + path)
    return screen
