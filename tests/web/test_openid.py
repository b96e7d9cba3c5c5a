"""Signing in to the web application at an identity provider: oidc-provider from npm, on loopback."""

import json
import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

import httpx2
import pytest
from playwright.async_api import Page, Route, expect
from sqlmodel import select

from app.db.engine import Database
from app.db.models import User
from app.main import create_app
from tests.support.api import settings_for
from tests.support.live_server import live_server
from tests.support.node import HERE, needs_node
from tests.support.processes import free_port
from tests.support.waiting import until
from tests.support.world import Cast, World
from tests.web.conftest import OpenServer, Screen, axe, idle

pytestmark = [pytest.mark.browser, needs_node]

FONT = "https://fonts.googleapis.com/**"
"""Fonts of the provider's form. The tests do not leave this machine."""

AUDIENCE = "https://leads.example.com/api"
TOKEN = "JSON.parse(sessionStorage.session).token"
STORED = "JSON.stringify([{ ...localStorage }, document.cookie])"


@dataclass
class Site:
    """A server, and the identity provider at which its people sign in."""

    url: str
    provider: str

    def end_sessions(self) -> None:
        """Make the provider refuse all refresh tokens that it has issued."""
        httpx2.post(f"{self.provider}/end-sessions").raise_for_status()


@contextmanager
def site(database_url: str, token_life: int = 300, **settings: object) -> Iterator[Site]:
    port = free_port()
    command = ["node", "identity_provider.mjs", f"http://127.0.0.1:{port}", AUDIENCE, str(token_life)]
    with subprocess.Popen(command, cwd=HERE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        try:
            printed = iter(process.stdout)  # oidc-provider also prints warnings
            provider = next(line.strip() for line in printed if line.startswith("http://"))
            provided = {
                "jwks_url": f"{provider}/jwks",
                "jwt_issuer": provider,
                "jwt_audience": AUDIENCE,
                "oidc_client_id": "web",
            }
            app = create_app(settings_for(database_url, jwt_leeway_seconds=0, **provided, **settings))
            with live_server(app, port) as url:
                yield Site(url, provider)
        finally:
            process.kill()


async def sign_in(page: Page, email: str | None) -> None:
    assert email
    await page.context.route(FONT, lambda route: route.fulfill(body="", content_type="text/css"))
    await page.get_by_role("button", name="Sign in").click()
    await page.get_by_placeholder("Enter any login").fill(email)
    await page.get_by_placeholder("and password").fill("any")
    await page.get_by_role("button", name="Sign-in").click()
    await page.get_by_role("button", name="Continue").click()


def forgive(screen: Screen, *others: str) -> None:
    """Take the requests to the provider from the problems of a page, and those that contain one of `others`."""
    form = ("request to another origin: https://fonts.googleapis.com/", "status of 404")  # it has no icon
    expected = ("request to another origin: http://127.0.0.1:", *form, *others)
    screen.problems[:] = [problem for problem in screen.problems if not any(text in problem for text in expected)]


async def test_a_session_from_sign_in_to_sign_out(
    database_url: str, world: World, cast: Cast, server_page: OpenServer
) -> None:
    """Tokens live for six seconds: the page renews them, and stays up to date, without the person's noticing."""
    with site(database_url, token_life=6) as here:
        screen = await server_page(here.url, "/inbox")
        page = screen.page
        await page.get_by_role("button", name="Sign in").wait_for()
        assert await axe(page) == []
        await sign_in(page, cast.bob.email)
        await page.wait_for_url(f"{here.url}/inbox")
        await page.get_by_role("button", name="Bob Example").wait_for()
        await expect(page.get_by_role("region", name="To claim now")).to_contain_text("No leads to claim")
        first = await page.evaluate(TOKEN)
        assert await page.evaluate(STORED) == json.dumps([{}, ""], separators=(",", ":"))

        # The server closes the connection at the end of the token that opened it.
        async with page.expect_event("websocket"):
            pass
        await screen.live()
        assert await page.evaluate(TOKEN) != first
        lead = await world.lead(cast.alice, cast.team, city="Austin", state="TX")
        await world.offer(lead, cast.bob, notify_at=datetime.now(UTC))
        await expect(page.get_by_role("region", name="To claim now").get_by_role("article")).to_have_count(1)
        assert page.url == f"{here.url}/inbox"

        await page.reload()
        await page.get_by_role("button", name="Bob Example").click()
        await page.get_by_role("menuitem", name="Sign out").click()
        await page.get_by_role("button", name="Yes, sign me out").click()
        await page.wait_for_url(f"{here.url}/sign-in*")
        await page.get_by_role("button", name="Sign in").wait_for()
        assert await page.evaluate("Object.keys(sessionStorage)") == []
        await page.close()
        forgive(screen)


@pytest.mark.page
async def test_a_renewal_does_not_bring_back_a_session(database_url: str, cast: Cast, server_page: OpenServer) -> None:
    """The page gets a token that it asked for before the person signed out, and forgets it."""
    with site(database_url, token_life=30) as here:  # the page renews it after a second
        screen = await server_page(here.url)
        page = screen.page
        await sign_in(page, cast.bob.email)
        await page.get_by_role("button", name="Bob Example").click()
        renewals: list[Route] = []
        await page.route(f"{here.provider}/token", lambda route: renewals.append(route))  # noqa: PLW0108
        await page.route(f"{here.provider}/session/end*", lambda route: route.fulfill(status=204))  # the page stays
        await until(lambda: renewals != [])
        await page.get_by_role("menuitem", name="Sign out").click()
        await page.wait_for_url(f"{here.url}/sign-in*")
        await page.wait_for_function("() => Object.keys(sessionStorage).length === 0")
        async with page.expect_event("requestfinished", lambda request: request.url.endswith("/token")):
            for renewal in renewals:
                await renewal.continue_()
        await idle(page)
        assert await page.evaluate("Object.keys(sessionStorage)") == []
        await page.close()
        forgive(screen)


@pytest.mark.page
async def test_a_provider_that_is_away_and_one_that_refuses(
    database_url: str, cast: Cast, server_page: OpenServer
) -> None:
    """While it cannot be reached the session goes on; when it refuses, the person signs in again."""
    with site(database_url, token_life=5) as here:
        screen = await server_page(here.url, "/figures")
        page = screen.page
        await sign_in(page, cast.bob.email)
        await page.wait_for_url(f"{here.url}/figures")
        await page.get_by_role("button", name="Bob Example").wait_for()

        await page.context.route(f"{here.provider}/**", lambda route: route.abort())
        await page.wait_for_function(f"() => JSON.parse(atob({TOKEN}.split('.')[1])).exp * 1000 < Date.now()")
        await page.get_by_role("navigation").get_by_role("link", name="Inbox").click()
        await page.get_by_role("alert").get_by_text("The server cannot be reached").wait_for()
        assert await page.evaluate("sessionStorage.session") is not None
        await page.context.unroute_all()
        await page.get_by_role("button", name="Try again").click()
        await page.get_by_role("region", name="To claim now").wait_for()

        here.end_sessions()
        await page.wait_for_url(re.compile("/sign-in"))
        await page.get_by_role("alert").get_by_text("Your session has ended").wait_for()
        assert "session" not in await page.evaluate("Object.keys(sessionStorage)")
        await page.close()
        forgive(screen, "Failed to load resource", "WebSocket", "Content Security Policy")


@pytest.mark.parametrize(("email", "has_account"), [("new@example.com", True), ("unverified@example.com", False)])
async def test_a_new_person(
    database_url: str, database: Database, server_page: OpenServer, email: str, has_account: bool
) -> None:
    """A verified person gets an account by signing in; for others, the server refuses the token."""
    with site(database_url, sign_up=True) as here:
        screen = await server_page(here.url)
        page = screen.page
        await sign_in(page, email)
        if has_account:
            await page.get_by_role("region", name="To claim now").wait_for()
        else:
            await page.get_by_role("alert").get_by_text(f"nobody has verified that {email} is yours").wait_for()
            assert await axe(page) == []
        async with database.read() as session:
            users = (await session.exec(select(User).where(User.email == email))).all()
        assert len(users) == has_account
        policy = httpx2.get(here.url).headers["content-security-policy"]
        assert f"connect-src 'self' {here.provider};" in policy
        await page.close()
        forgive(screen, "401")


@pytest.mark.page
async def test_a_person_without_an_account(database_url: str, cast: Cast, server_page: OpenServer) -> None:
    """Without sign-up, the page says what to do, and lets the person sign in with another account."""
    with site(database_url) as here:
        screen = await server_page(here.url)
        page = screen.page
        await sign_in(page, "stranger@example.com")
        alert = page.get_by_role("alert")
        await alert.get_by_text("You have no account here").wait_for()
        await expect(alert).to_contain_text("stranger@example.com is unknown or not active here")
        assert await axe(page) == []
        await page.get_by_role("button", name="Use another account").click()
        await page.get_by_placeholder("Enter any login").fill(cast.bob.email or "")
        await page.get_by_placeholder("and password").fill("any")
        await page.get_by_role("button", name="Sign-in").click()
        await page.get_by_role("button", name="Continue").click()
        await page.get_by_role("button", name="Bob Example").wait_for()
        await page.close()
        forgive(screen, "401")
