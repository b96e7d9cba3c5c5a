"""The GraphiQL page: what the server sends, and what a browser makes of it."""

import json
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import jwt
import pytest
from httpx2 import ASGITransport, AsyncClient, Response
from playwright.async_api import Error, Page, Request

from app.db.engine import Database
from app.graphql import graphiql
from app.importer import import_lists, parse
from app.main import create_app
from tests.support.api import SECRET, Api, settings_for
from tests.support.browser import chromium
from tests.support.graphql_ws import submit
from tests.support.live_server import live_server
from tests.support.world import NOW, Cast, World

HERE = "127.0.0.1"

Get = Callable[..., Awaitable[Response]]


@pytest.fixture
def get(database_url: str) -> Get:
    """GET /graphql as a browser does, from the address `client` and under the name `host`."""

    async def get(client: str = HERE, host: str = HERE, path: str = "/graphql", **others: Any) -> Response:
        app = create_app(settings_for(database_url, **others), clock=lambda: NOW)
        transport = ASGITransport(app=app, client=(client, 50000))
        async with (
            app.router.lifespan_context(app),
            AsyncClient(transport=transport, base_url=f"http://{host}:8000") as http,
        ):
            return await http.get(path, headers={"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"})

    return get


def token_in(page: Response) -> str:
    """The access token that the page has in its headers editor; empty if it has none."""
    start = re.search(r'<script type="application/json" id="start">(.*?)</script>', page.text)
    assert start is not None
    authorization: str = json.loads(start[1])["headers"]["Authorization"]
    return authorization.removeprefix("Bearer ")


@pytest.fixture
def vendored(monkeypatch: pytest.MonkeyPatch) -> None:
    """The page of our own, whether or not its scripts were fetched."""
    monkeypatch.setattr(graphiql, "VENDORED", Path(__file__))


@pytest.mark.usefixtures("vendored")
async def test_the_page_of_the_demo_contains_the_token_of_the_first_teams_creator(
    get: Get, cast: Cast, world: World
) -> None:
    await world.team(cast.bob)
    token = token_in(await get(demo=True))
    claims = jwt.decode(token, SECRET, algorithms=["HS256"], options={"verify_exp": False, "verify_iat": False})
    assert claims["sub"] == str(cast.alice.id)
    assert claims["scope"] == "read write"
    assert claims["exp"] - datetime.timestamp(NOW) == 12 * 3600


@pytest.mark.usefixtures("vendored")
async def test_there_is_no_token_outside_the_demo(get: Get, cast: Cast) -> None:
    assert token_in(await get()) == ""


@pytest.mark.usefixtures("vendored")
@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "[::1]"])
async def test_the_demo_shows_its_token_on_this_machine(get: Get, cast: Cast, host: str) -> None:
    assert token_in(await get(demo=True, host=host)) != ""


@pytest.mark.usefixtures("vendored")
@pytest.mark.parametrize(
    ("client", "host"), [("192.0.2.7", "127.0.0.1"), ("127.0.0.1", "rebound.example"), ("127.0.0.1", "192.0.2.7")]
)
async def test_the_demo_hides_its_token_from_other_machines(get: Get, cast: Cast, client: str, host: str) -> None:
    assert token_in(await get(demo=True, client=client, host=host)) == ""


@pytest.mark.usefixtures("vendored")
async def test_the_page_of_an_empty_demo_has_no_token(get: Get) -> None:
    assert token_in(await get(demo=True)) == ""


@pytest.mark.usefixtures("vendored")
async def test_the_policy_allows_no_other_scripts(get: Get) -> None:
    page = await get()
    policy = page.headers["content-security-policy"].split("; ")
    assert "script-src 'self'" in policy
    assert "default-src 'none'" in policy
    assert "https:" not in page.text + page.headers["content-security-policy"]
    assert page.headers["cache-control"] == "no-store"


async def test_strawberrys_page_is_served_without_the_vendored_files(
    get: Get, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(graphiql, "VENDORED", tmp_path / "missing.js")
    page = await get()
    assert page.status_code == 200
    policy = page.headers["content-security-policy"]
    loaded = set(re.findall(r'(?:src|href)="(https://[^/"]+)/', page.text))
    assert loaded
    for directive in ("script-src", "style-src"):
        sources = re.search(rf"{directive} ([^;]+)", policy)
        assert sources is not None
        assert loaded <= set(sources[1].split())


async def test_graphiql_can_be_switched_off(get: Get) -> None:
    page = await get(graphiql=False)
    assert page.status_code == 401
    assert page.headers["content-type"].startswith("application/")
    assert (await get(graphiql=False, path="/static/graphiql.js")).status_code == 404


async def test_the_vendored_script_is_served(get: Get) -> None:
    script = await get(path="/static/graphiql.js")
    assert script.status_code == 200
    assert "javascript" in script.headers["content-type"]


@pytest.fixture
async def page(tmp_path: Path) -> AsyncIterator[Page]:
    """A browser's page; whatever goes wrong on it fails the test at its end."""
    if not graphiql.VENDORED.exists():
        pytest.skip("GraphiQL was not fetched: run scripts/graphiql")
    wrong: list[str] = []
    async with chromium() as browser:
        page = await browser.new_page(viewport={"width": 1280, "height": 800})
        page.on("console", lambda message: wrong.append(message.text) if message.type in ("error", "warning") else None)
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("requestfailed", lambda request: wrong.append(f"failed: {request.url}"))
        yield page
        await page.screenshot(path=tmp_path / "graphiql.png")
    assert wrong == []


@pytest.mark.browser
async def test_the_first_query_of_the_demo_runs_by_the_button(
    page: Page, database_url: str, database: Database, demo_data: bytes
) -> None:
    async with database.write() as session:
        await import_lists(session, parse(demo_data), datetime.now(UTC))
    requests: list[Request] = []
    page.on("request", lambda request: requests.append(request))  # noqa: PLW0108  playwright marks its handler

    with live_server(create_app(settings_for(database_url, demo=True))) as url:
        await page.goto(f"{url}/graphql")
        await page.click(".graphiql-execute-button")
        result = page.locator(".result-window")
        await result.get_by_text('"total"').wait_for()
        shown = await result.inner_text()
        await page.get_by_label("Show Documentation Explorer").click()
        await page.get_by_text("Root Types").wait_for()
        kept = await page.evaluate("JSON.stringify([localStorage, sessionStorage, document.cookie])")

    assert '"Katherine"' in shown
    assert '"Gladys"' in shown
    assert {request.url.removeprefix(url).split("/")[1] for request in requests} <= {"graphql", "static"}
    assert "query Offers" in kept
    assert "eyJ" not in kept, "the access token is left behind in the browser"


@pytest.mark.browser
async def test_a_subscription_runs_until_it_is_stopped(
    page: Page, live: Api, cast: Cast, world: World, database_url: str
) -> None:
    with live_server(create_app(settings_for(database_url, demo=True))) as url:
        server = replace(live, http=AsyncClient(base_url=url))
        await page.goto(f"{url}/graphql")
        editor = "document.querySelector('.graphiql-query-editor .CodeMirror').CodeMirror"
        await page.evaluate(f"{editor}.setValue('subscription {{ leadOfferChanged {{ leadOffer {{ status }} }} }}')")
        async with page.expect_websocket() as opening:
            await page.click(".graphiql-execute-button")
        socket = await opening.value
        shown = page.locator(".result-window").get_by_text('"SCHEDULED"')
        for _ in range(30):  # the page tells nobody when it has subscribed
            await submit(server, cast, (await world.lead(cast.alice, cast.team)).id)
            with suppress(Error):
                await shown.wait_for(timeout=500)
                break
        assert await shown.count() == 1
        await page.click(".graphiql-execute-button")
        if not socket.is_closed():
            await socket.wait_for_event("close")
        await server.http.aclose()
