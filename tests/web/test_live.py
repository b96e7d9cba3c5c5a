"""The live connection of the web application: gaps, servers that restart, streams, tabs, and workers that stop."""

import asyncio
import re
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta

import httpx2
import pytest
from playwright.async_api import Page, Request, Response, Route, expect
from sqlmodel import col, select

from app.access.tokens import issue_token
from app.commands.step_end import set_gives_up_at
from app.db.models import LeadOffer, Team, User
from app.domain.enums import LeadOfferStatus
from app.graphql.subscriptions import recent_changes
from app.main import create_app
from tests.support.api import Api, settings_for
from tests.support.live_server import live_server
from tests.support.processes import free_port, listens, start, stop
from tests.support.waiting import until
from tests.support.world import Cast, World, change
from tests.web.conftest import SUBSCRIPTIONS, OpenApp, OpenServer, Screen

pytestmark = pytest.mark.browser

SUBMIT = "mutation ($id: ID!) { submitLeadOffers(leadId: $id) { createdCount } }"
CLAIM = "mutation ($id: ID!) { claimLeadOffer(id: $id) { leadOffer { id } } }"
CREATE = "mutation ($input: CreateLeadInput!) { createLead(input: $input) { lead { id } } }"
LOST = "The connection to the server is lost"
NO_WEB_SOCKETS = """
WebSocket = class extends WebSocket {
  constructor(address, protocols) { super(address.replace("/graphql", "/nowhere"), protocols) }
}
"""
"""The server refuses to upgrade at this address, as a proxy would that knows no WebSockets."""
SLOW_WEB_SOCKETS = """
const released = new Promise((resolve) => { window.release = resolve });
WebSocket = class extends WebSocket {
  send(data) { released.then(() => super.send(data)) }
};
"""
"""The server receives nothing before the test calls `release`."""


def token_of(database_url: str, user: User) -> str:
    return issue_token(settings_for(database_url), user.id, "read write", 1, datetime.now(UTC))


async def go(page: Page, name: str) -> None:
    await page.get_by_role("navigation").get_by_role("link", name=name).click()
    await page.get_by_role("heading", name=name, exact=True).wait_for()


def listening(port: int) -> None:
    while not listens(port):
        time.sleep(0.05)


def forgive(screen: Screen, *expected: str) -> None:
    screen.problems[:] = [problem for problem in screen.problems if not any(text in problem for text in expected)]


async def test_no_screen_is_out_of_date_after_a_gap(
    database_url: str, world: World, cast: Cast, server_page: OpenServer
) -> None:
    """The server restarts. The screen that is open and those that were left show the changes of that time."""
    now = datetime.now(UTC)
    lead = await world.lead(cast.alice, cast.team, created_at=now, city="Austin", type="Buyer")
    offer = await world.offer(lead, cast.bob, notify_at=now)
    port = free_port()
    with live_server(create_app(settings_for(database_url)), port) as url:
        screen = await server_page(url, "/board", token=token_of(database_url, cast.alice))
        page = screen.page
        await page.get_by_role("link", name="Buyer in Austin").click()
        await expect(page.get_by_role("region", name="Enquiry")).to_contain_text("Running")
        await go(page, "Teams")
        await page.get_by_text(cast.team.name).first.wait_for()
        await go(page, "Inbox")
        await screen.live()

    await page.get_by_role("status").get_by_text(LOST).wait_for()
    await page.route("**/graphql", unavailable)
    await change(world, cast.team, name="Renamed")
    await world.claimed(lead, cast.bob)
    await change(world, offer, status="CLAIMED")
    await world.lead(cast.alice, cast.team, created_at=now, city="Chicago", type="Seller")
    mine = await world.lead(cast.bob, await world.team(cast.bob), created_at=now, city="Denver", type="Renter")
    await world.offer(mine, cast.alice, notify_at=now)

    with live_server(create_app(settings_for(database_url)), port):
        async with page.expect_response(lambda response: response.status == 503):  # there is a connection, but no data
            pass
        await page.get_by_role("status").get_by_text(LOST).wait_for()
        await page.unroute("**/graphql")
        await page.get_by_role("article", name="Renter in Denver").wait_for()
        await expect(page.get_by_text(LOST)).to_have_count(0)
        await go(page, "Teams")
        await page.get_by_text("Renamed").first.wait_for()
        await go(page, "Board")
        await page.get_by_role("link", name="Seller in Chicago").wait_for()
        await expect(page.get_by_role("button", name="new lead", exact=False).filter(has_text="Show")).to_have_count(0)
        await page.get_by_role("link", name="Buyer in Austin").click()
        await expect(page.get_by_role("region", name="Enquiry")).to_contain_text("Held by Bob")
        screen.operations.clear()
        await go(page, "Board")
        await go(page, "Inbox")
        assert screen.operations == []
        forgive(screen, "WebSocket connection", "503", "ERR_CONNECTION_REFUSED", "WebSocket is closed")
        await page.close()


def is_stream(request: Request) -> bool:
    return "event-stream" in request.headers.get("accept", "")


async def unavailable(route: Route) -> None:
    await route.fulfill(status=503, json={"errors": [{"message": "", "extensions": {"code": "UNAVAILABLE"}}]})


@pytest.mark.page
async def test_changes_come_as_events_where_web_sockets_do_not_go(
    world: World, cast: Cast, app_page: OpenApp, live: Api
) -> None:
    """The screen shows the changes before the streams are open, and those afterwards, without further requests."""
    context = (await app_page(cast.bob, "/teams")).page.context
    is_written = asyncio.Event()
    streams: list[Response] = []

    async def hold(route: Route) -> None:
        if is_stream(route.request):
            await is_written.wait()
        await route.continue_()

    await context.route("**/graphql", hold)
    context.on("response", lambda response: streams.append(response) if is_stream(response.request) else None)
    await context.add_init_script(NO_WEB_SOCKETS)
    screen = await app_page(cast.bob, "/inbox", context=context)
    page = screen.page
    await page.get_by_text("No leads to claim right now").wait_for()
    now = datetime.now(UTC)
    early = await world.lead(cast.alice, cast.team, created_at=now, city="Austin", type="Buyer")
    await live.user(cast.alice).ask(SUBMIT, id=early.id)
    is_written.set()
    await page.get_by_role("article", name="Buyer in Austin").wait_for()

    await until(lambda: len(streams) == SUBSCRIPTIONS)
    await screen.quiet()
    assert sorted(screen.operations) == ["Inbox", "Viewer"]
    screen.operations.clear()
    lead = await world.lead(cast.alice, cast.team, created_at=now, city="Boston", type="Seller")
    await live.user(cast.alice).ask(SUBMIT, id=lead.id)
    await page.get_by_role("article", name="Seller in Boston").wait_for()
    await screen.quiet()
    assert screen.operations == []
    forgive(screen, "WebSocket connection")


async def open_slowly(app_page: OpenApp, user: User, path: str) -> Screen:
    """Open the application in a tab whose subscriptions do not begin before the test calls `release`."""
    context = (await app_page(user, "/teams")).page.context
    await context.add_init_script(SLOW_WEB_SOCKETS)
    return await app_page(user, path, context=context)


async def offer_before_connection(page: Page, world: World, cast: Cast, live: Api) -> None:
    """Offer Bob a lead when his empty inbox is there, let its subscriptions begin, and wait until it shows the lead."""
    await page.get_by_text("No leads to claim right now").wait_for()
    lead = await world.lead(cast.alice, cast.team, created_at=datetime.now(UTC), city="Austin", type="Buyer")
    await live.user(cast.alice).ask(SUBMIT, id=lead.id)
    await page.evaluate("release()")
    await page.get_by_role("article", name="Buyer in Austin").wait_for()


async def test_a_change_before_the_live_connection_is_shown(
    world: World, cast: Cast, app_page: OpenApp, live: Api
) -> None:
    """It is made after the screen got its first answer. The screen sends no further request for it."""
    screen = await open_slowly(app_page, cast.bob, "/inbox")
    await offer_before_connection(screen.page, world, cast, live)
    await screen.live()
    await screen.quiet()
    assert sorted(screen.operations) == ["Inbox", "Viewer"]


async def test_a_claim_before_the_live_connection_is_news_if_the_screen_shows_the_offer(
    database_url: str, world: World, cast: Cast, server_page: OpenServer
) -> None:
    carol = await world.member_user(cast.team, "Carol", rank=2)
    now = datetime.now(UTC)
    offers = {}
    for city in ("Austin", "Boston"):
        lead = await world.lead(cast.alice, cast.team, created_at=now, city=city, type="Buyer")
        await world.offer(lead, cast.bob, notify_at=now, status=LeadOfferStatus.SENT)
        offers[city] = await world.offer(lead, carol, notify_at=now, status=LeadOfferStatus.SENT)
    settings = settings_for(database_url)
    with live_server(create_app(settings)) as url:  # which has not heard that the offers are new
        async with httpx2.AsyncClient(base_url=url) as http:
            hers = Api(http, settings, world.database, token_of(database_url, carol))
            screen = await server_page(url, "/teams", token=token_of(database_url, cast.bob))
            page = screen.page
            await page.context.add_init_script(SLOW_WEB_SOCKETS)
            await hers.ask(CLAIM, id=offers["Austin"].id)
            await page.goto(f"{url}/inbox")
            await page.get_by_role("article", name="Buyer in Boston").wait_for()
            await hers.ask(CLAIM, id=offers["Boston"].id)
        await page.evaluate("release()")
        await expect(page.get_by_role("article")).to_have_count(0)
        await page.get_by_text("Carol Example has the lead now: Buyer in Boston").wait_for()
        await screen.live()
        await screen.quiet()
        await expect(page.get_by_text("has the lead now")).to_have_count(1)
        await page.close()


async def test_a_lead_before_the_live_connection_is_new_if_the_board_does_not_show_it(
    world: World, cast: Cast, app_page: OpenApp, live: Api
) -> None:
    contact = await world.contact(cast.alice)
    new = {"contactId": contact.id, "distributionTarget": "MYSELF"}
    await live.user(cast.alice).ask(CREATE, input=new)
    screen = await open_slowly(app_page, cast.alice, "/board")
    page = screen.page
    await page.get_by_role("status").get_by_text("1 lead", exact=True).wait_for()
    await live.user(cast.alice).ask(CREATE, input=new)
    await page.evaluate("release()")
    await page.get_by_role("button", name="Show 1 new lead").click()
    await page.get_by_role("status").get_by_text("2 leads", exact=True).wait_for()


Step = Callable[[], Awaitable[object]]


async def hold_answer(screen: Screen, operation: str, *, before: Step | None = None, after: Step) -> None:
    """Do something before the server answers such a query, and more when it has, before the page gets the answer."""

    async def hold(route: Route) -> None:
        if screen.operation_of(route.request) != operation:
            await route.continue_()
            return
        if before:
            await before()
        answer = await route.fetch()
        await after()
        await route.fulfill(response=answer)

    await screen.page.route("**/graphql", hold)


async def test_an_answer_does_not_overwrite_a_later_event(
    world: World, cast: Cast, app_page: OpenApp, live: Api
) -> None:
    """Somebody claims while the answer in which the offer can be claimed is on its way."""
    carol = await world.member_user(cast.team, "Carol", rank=2)
    now = datetime.now(UTC)
    lead = await world.lead(cast.alice, cast.team, created_at=now - timedelta(hours=1), city="Austin", type="Buyer")
    await world.offer(lead, cast.bob, notify_at=now, status=LeadOfferStatus.SENT)
    hers = await world.offer(lead, carol, notify_at=now, status=LeadOfferStatus.SENT)
    screen = await app_page(cast.bob, "/teams")
    await screen.live()

    async def claim() -> None:
        await live.user(carol).ask(CLAIM, id=hers.id)
        await screen.received("leadOfferChanged")

    await hold_answer(screen, "Inbox", after=claim)
    await go(screen.page, "Inbox")
    await screen.page.get_by_text("Carol Example has the lead now: Buyer in Austin").wait_for()
    await expect(screen.page.get_by_role("article")).to_have_count(0)
    await screen.quiet()
    assert screen.operations.count("Inbox") == 1


async def test_a_lead_is_new_if_the_board_had_been_asked_for_when_it_came_in(
    world: World, cast: Cast, app_page: OpenApp, live: Api
) -> None:
    """Those that came in earlier are in the answer, although the page hears of them before it gets the answer."""
    contact = await world.contact(cast.alice)
    screen = await app_page(cast.alice, "/teams")
    page = screen.page
    await screen.live()

    async def come_in() -> None:
        await page.evaluate("liveEvents.length = 0")
        await live.user(cast.alice).ask(CREATE, input={"contactId": contact.id, "distributionTarget": "MYSELF"})
        await screen.received("leadChanged")

    await come_in()
    await hold_answer(screen, "Board", before=come_in, after=come_in)
    await go(page, "Board")
    await page.get_by_role("status").get_by_text("2 leads", exact=True).wait_for()
    await page.unroute("**/graphql")
    await page.get_by_role("button", name="Show 1 new lead").click()
    await page.get_by_role("status").get_by_text("3 leads", exact=True).wait_for()


async def test_a_server_that_cannot_replay_is_asked_again(
    world: World, cast: Cast, app_page: OpenApp, live: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recent_changes, "MAX_REPLAYED", -1)
    screen = await open_slowly(app_page, cast.bob, "/inbox")
    page = screen.page
    await offer_before_connection(page, world, cast, live)
    await screen.quiet()
    assert sorted(screen.operations) == ["Inbox", "Inbox", "Viewer", "Viewer"]
    await expect(page.get_by_text(LOST)).to_have_count(0)


@pytest.mark.page
async def test_the_tabs_of_a_person_agree(world: World, cast: Cast, app_page: OpenApp, live: Api) -> None:
    """One claims, releases and declines; the other follows. Signing out holds for both, and for nobody else."""
    now = datetime.now(UTC)
    carol = await world.member_user(cast.team, "Carol", rank=2)
    for city in ("Austin", "Boston"):
        lead = await world.lead(cast.alice, cast.team, created_at=now, city=city, type="Buyer")
        await world.offer(lead, cast.bob, notify_at=now)
    one = await app_page(cast.bob, "/inbox")
    two, third = [await app_page(cast.bob, "/inbox", context=one.page.context) for _ in range(2)]
    await third.live()  # it has noted that the server accepts its token
    await third.page.evaluate(
        "token => sessionStorage.setItem('session', JSON.stringify({ kind: 'token', token }))",
        live.user(carol).token,
    )
    await third.page.reload()
    await third.page.get_by_role("button", name="Carol Example").wait_for()
    claimable, held = [two.page.get_by_role("region", name=name) for name in ("To claim now", "My leads")]
    await expect(claimable.get_by_role("article")).to_have_count(2)
    await two.live()

    await one.page.get_by_role("button", name="Claim: Buyer in Austin").click()
    await held.get_by_role("article", name="Buyer in Austin").wait_for()
    await one.page.get_by_role("button", name="Release: Buyer in Austin").click()
    await one.page.get_by_role("dialog").get_by_role("button", name="Release").click()
    await expect(held.get_by_role("article")).to_have_count(0)
    await one.page.get_by_role("button", name="Decline: Buyer in Boston").click()
    await one.page.get_by_role("dialog").get_by_role("button", name="Decline").click()
    await expect(claimable.get_by_role("article", name="Buyer in Boston")).to_have_count(0)

    await one.page.get_by_role("button", name="Bob Example").click()
    await one.page.get_by_role("menuitem", name="Sign out").click()
    for screen in (one, two):
        await screen.page.wait_for_url("**/sign-in*")
    assert third.page.url.endswith("/inbox")

    # The next person in the tab has a connection of their own.
    await one.page.get_by_label("Access token").fill(live.user(carol).token or "")
    await one.page.get_by_role("button", name="Sign in").click()
    await one.page.get_by_text("No leads to claim right now").wait_for()
    await one.live()
    lead = await world.lead(cast.alice, cast.team, created_at=now, city="Chicago", type="Seller")
    await live.user(cast.alice).ask(
        "mutation ($id: ID!, $user: ID!) { assignLead(id: $id, userId: $user) { lead { id } } }",
        id=lead.id,
        user=carol.id,
    )
    for screen in (one, third):
        await screen.page.get_by_role("article", name="Seller in Chicago").wait_for()


@pytest.fixture
async def next_team(world: World, cast: Cast) -> Team:
    team = await world.team(cast.alice, name="Night shift")
    await world.member_user(team, "Nina")
    await change(world, cast.team, next_team_id=team.id, mins_until_next_team=1)
    return team


async def test_a_worker_stops_and_the_page_recovers(
    database_url: str, world: World, cast: Cast, next_team: Team, server_page: OpenServer
) -> None:
    """A countdown that nobody acts on does not claim that it has been. SQLite's worker is part of the server."""
    is_alone = database_url.startswith("postgresql")
    port = free_port()
    serving = ["serve", "--port", str(port)]
    working = ["dispatch"] if is_alone else [*serving, "--dispatch"]
    server = start(database_url, *serving, fallback="console") if is_alone else None
    worker = start(database_url, *working, fallback="console")
    await asyncio.to_thread(listening, port)
    now = datetime.now(UTC)
    lead = await world.lead(cast.alice, cast.team, created_at=now, city="Austin", type="Buyer")
    url, token = f"http://127.0.0.1:{port}", token_of(database_url, cast.alice)
    async with httpx2.AsyncClient(base_url=url) as http:
        await Api(http, settings_for(database_url), world.database, token).ask(SUBMIT, id=lead.id)
    screen = await server_page(url, f"/board/{lead.id}", token=token)
    page = screen.page
    await page.get_by_text("Running").wait_for()
    await screen.live()

    worker.kill()
    worker.wait()
    async with world.database.write() as session:
        offer = (await session.exec(select(LeadOffer).where(col(LeadOffer.lead_id) == lead.id))).one()
        offer.notify_at = datetime.now(UTC) + timedelta(seconds=3 - 60)  # the step ends in 3 seconds
        await session.flush()
        await set_gives_up_at(session, [lead.id], datetime.now(UTC))
    if is_alone:
        await page.reload()
    else:
        await page.get_by_text(LOST).wait_for()
        worker = start(database_url, *serving, fallback="console")
    step = page.get_by_text(f"If nobody claims it, it goes on to {next_team.name}")
    await expect(step).to_contain_text(re.compile("any moment now|is late"))
    await expect(page.get_by_text(LOST)).to_have_count(0)
    await expect(page.get_by_role("heading", name="Went on to")).to_have_count(0)

    if not is_alone:
        stop(worker)
    worker = start(database_url, *working, fallback="console")
    await page.get_by_role("heading", name=f"Went on to {next_team.name}").wait_for()
    await expect(page.get_by_text(LOST)).to_have_count(0)
    forgive(screen, "WebSocket connection", "ERR_CONNECTION_REFUSED", "WebSocket is closed", "503")
    await page.close()
    for process in filter(None, (worker, server)):
        stop(process)
