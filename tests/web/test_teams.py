"""The screens of teams."""

import asyncio
from datetime import UTC, datetime

import pytest
from playwright.async_api import Locator, Page, Route, expect
from sqlmodel import col, select

from app.access.tokens import issue_token
from app.db.engine import Database
from app.db.models import DistributionOption
from app.domain.enums import OrderMethod, RequestStatus
from app.main import create_app
from tests.support.api import Api, settings_for
from tests.support.live_server import live_server
from tests.support.waiting import until
from tests.support.world import Cast, World
from tests.web.conftest import DEVICES, Device, OpenApp, OpenServer, Scheme, axe, idle

pytestmark = pytest.mark.browser


def article(page: Page, name: str) -> Locator:
    return page.get_by_role("article", name=name, exact=True)


def names(page: Page) -> Locator:
    return page.get_by_role("region", name="Offered leads", exact=True).get_by_role("heading", level=3)


async def test_a_leader_creates_a_team_and_an_agent_joins(world: World, cast: Cast, app_page: OpenApp) -> None:
    leader = await app_page(cast.alice, "/teams")
    page = leader.page
    await page.get_by_role("link", name=cast.team.name).wait_for()
    assert sorted(leader.operations) == ["Teams", "Viewer"]
    assert await axe(page) == []
    await page.get_by_role("button", name="Create team").click()
    dialog = page.get_by_role("dialog")
    await dialog.get_by_role("button", name="Create").click()
    await expect(dialog).to_contain_text("Enter a name")
    await dialog.get_by_label("Name of the team").fill("Harbour <b>sales</b>")
    await dialog.get_by_role("button", name="Create").click()
    await page.get_by_role("heading", name="Harbour <b>sales</b>", level=1).wait_for()

    invite = page.get_by_label("Invite by e-mail")
    for wrong, words in (("charlie", "Enter an e-mail address"), ("nobody@example.com", "Nobody with this")):
        await invite.fill(wrong)
        await page.get_by_role("button", name="Invite", exact=True).click()
        await page.get_by_text(words).wait_for()
        await expect(invite).to_have_value(wrong)
    leader.problems.clear()
    await invite.fill(cast.charlie.email or "")
    await page.get_by_role("button", name="Invite", exact=True).click()
    charlie = article(page, "Charlie Example")
    await expect(charlie).to_contain_text("Invited")
    await charlie.get_by_role("switch").click()
    await expect(charlie.get_by_role("note")).to_contain_text("until they accept")
    call = charlie.get_by_label("Phone call: Charlie Example")
    await call.check()
    most = charlie.get_by_label("Most leads a day: Charlie Example")
    await most.fill("5000")
    await most.press("Enter")
    await expect(charlie).to_contain_text("from 0 to 1,000")
    await expect(most).to_have_value("5000")
    await most.fill("7")
    await most.press("Enter")

    agent = await app_page(cast.charlie, "/teams", device="phone", scheme="dark")
    accept = agent.page.get_by_role("button", name="Accept")
    await accept.wait_for()
    assert await axe(agent.page) == []
    await accept.click()
    await agent.page.get_by_role("link", name="Harbour").click()
    await article(agent.page, "Charlie Example").wait_for()
    await expect(agent.page.get_by_role("switch")).to_have_count(0)
    await expect(article(agent.page, "Charlie Example")).to_contain_text("At most 7 a day")
    assert await axe(agent.page) == []
    await page.reload()
    await expect(charlie).to_contain_text("Member")
    await expect(call).to_be_checked()
    await expect(most).to_have_value("7")


@pytest.mark.parametrize(("device", "scheme"), DEVICES)
async def test_a_leader_changes_the_order(
    world: World, cast: Cast, app_page: OpenApp, device: Device, scheme: Scheme
) -> None:
    await world.member_user(cast.team, "Carol", rank=2)
    await world.option(cast.team, await world.user("Nora"), rank=3)
    screen = await app_page(cast.alice, f"/teams/{cast.team.id}", device=device, scheme=scheme)
    page = screen.page
    await expect(names(page)).to_have_text(["Bob Example", "Carol Example", "Nora Example"])
    await expect(article(page, "Nora Example")).to_contain_text("Not a member")
    await expect(article(page, "Bob Example").get_by_label("Rank: Bob Example")).to_have_value("1")
    assert sorted(screen.operations) == ["Team", "Viewer"]
    assert await axe(page) == []

    handle = page.get_by_role("button", name="Move Bob Example")
    await handle.focus()
    await page.keyboard.press("Space")
    await page.get_by_text("Bob Example is picked up at place 1.").wait_for(state="attached")
    await page.keyboard.press("ArrowDown")
    await page.get_by_text("Bob Example is at place 2.").wait_for(state="attached")
    await expect(names(page)).to_have_text(["Carol Example", "Bob Example", "Nora Example"])
    assert await axe(page) == []
    await page.keyboard.press("Escape")
    await expect(names(page)).to_have_text(["Bob Example", "Carol Example", "Nora Example"])
    for key in ("Space", "ArrowDown", "Space"):
        await page.keyboard.press(key)
    await page.get_by_text("Bob Example is dropped at place 2.").wait_for(state="attached")
    await expect(names(page)).to_have_text(["Carol Example", "Bob Example", "Nora Example"])
    await expect(handle).to_be_focused()
    await screen.answered("TeamNotes")  # which the page asks for when a move is saved

    if device == "desktop":
        await page.set_viewport_size({"width": 1280, "height": 1600})  # nothing scrolls while the pointer drags
        await page.get_by_role("button", name="Move Nora Example").drag_to(
            page.get_by_role("button", name="Move Carol Example")
        )
        await expect(names(page)).to_have_text(["Nora Example", "Carol Example", "Bob Example"])
        await screen.answered("TeamNotes", 2)
    shown = await names(page).all_text_contents()
    await page.reload()
    await expect(names(page)).to_have_text(shown)
    if device == "phone":
        await page.set_viewport_size({"width": 320, "height": 640})
        assert await page.evaluate("document.documentElement.scrollWidth") <= 320


@pytest.mark.page
async def test_a_fast_drag_is_not_lost(world: World, cast: Cast, app_page: OpenApp) -> None:
    """The keys, or the pointer, go down, move and go up before a slow page has shown anything of it."""
    await world.member_user(cast.team, "Carol", rank=2)
    await world.option(cast.team, await world.user("Nora"), rank=3)
    page = (await app_page(cast.alice, f"/teams/{cast.team.id}")).page
    await expect(names(page)).to_have_text(["Bob Example", "Carol Example", "Nora Example"])
    slow = await page.context.new_cdp_session(page)
    await slow.send("Emulation.setCPUThrottlingRate", {"rate": 4})

    bob = page.get_by_role("button", name="Move Bob Example")
    await bob.focus()
    keys = {"Space": 32, "ArrowDown": 40}  # with their codes on Windows, by which Chromium knows them
    down_and_up = [
        {"type": kind, "code": key, "key": " " if key == "Space" else key, "windowsVirtualKeyCode": keys[key]}
        for key in ("Space", "ArrowDown", "ArrowDown", "Space")
        for kind in ("keyDown", "keyUp")
    ]
    await asyncio.gather(*(slow.send("Input.dispatchKeyEvent", event) for event in down_and_up))
    await expect(names(page)).to_have_text(["Carol Example", "Nora Example", "Bob Example"])

    await bob.scroll_into_view_if_needed()
    places = [await handle.bounding_box() for handle in (bob, page.get_by_role("button", name="Move Nora Example"))]
    start, end = [{"x": box["x"] + 10, "y": box["y"] + 10} for box in places if box]
    steps = (("mousePressed", start), ("mouseMoved", end), ("mouseReleased", end))
    await asyncio.gather(
        *(
            slow.send("Input.dispatchMouseEvent", {"type": kind, **at, "button": "left", "buttons": 1, "clickCount": 1})
            for kind, at in steps
        )
    )
    await expect(names(page)).to_have_text(["Carol Example", "Bob Example", "Nora Example"])


async def test_a_leader_changes_settings_and_zipcodes(world: World, cast: Cast, app_page: OpenApp) -> None:
    await world.team(cast.alice, OrderMethod.RANK, name="Second line")
    screen = await app_page(cast.alice, f"/teams/{cast.team.id}?tab=settings")
    page = screen.page
    zipcodes = page.get_by_label("ZIP codes of the team")
    save = page.get_by_role("button", name="Save ZIP codes")
    for typed, words in (
        ("78701, 123", "Not a ZIP code of five digits: 123."),
        ("78701 abcde", "Not a ZIP code of five digits: abcde."),
        ("78701 78702-1234 78702", "Entered more than once: 78702."),
    ):
        await zipcodes.fill(typed)
        await save.click()
        await page.get_by_text(words).wait_for()
        await expect(zipcodes).to_have_value(typed)
    assert await axe(page) == []
    await zipcodes.fill("78702-1234\n78701")
    await save.click()
    await expect(zipcodes).to_have_value("78701 78702")

    await page.get_by_role("radio", name="By turns").check()
    await page.get_by_label("Members per lead").fill("0")
    await page.get_by_role("button", name="Save settings").click()
    await page.get_by_text("from 1 to 200").wait_for()
    await page.get_by_label("Members per lead").fill("1")
    await page.get_by_role("button", name="Save settings").click()
    await page.get_by_text("no next team follows").wait_for()
    await page.get_by_role("textbox", name="Next team").click()
    await page.get_by_role("option", name="Second line").click()
    await page.get_by_role("button", name="Save settings").click()
    await page.get_by_text("Nobody in the next team").wait_for()
    await page.get_by_role("tab", name="Members").click()
    await page.get_by_label("Weight: Bob Example").wait_for()

    screen.operations.clear()
    await page.get_by_role("link", name="All teams").click()
    await page.get_by_role("link", name=cast.team.name).click()
    await page.get_by_label("Weight: Bob Example").wait_for()
    assert [name for name in screen.operations if name.startswith("Team")] == ["Teams"]


async def test_a_leader_routes_leads(cast: Cast, app_page: OpenApp) -> None:
    screen = await app_page(cast.alice, "/teams?tab=routes")
    page = screen.page
    await page.get_by_label("New lead source").fill("Website")
    await page.get_by_role("button", name="Add source").click()
    for _ in range(2):
        await page.get_by_role("button", name="Add route").click()
        dialog = page.get_by_role("dialog")
        await dialog.get_by_label("Type of leads").fill("Buyer")
        await dialog.get_by_role("textbox", name="Leads go to").click()
        await page.get_by_role("option", name=cast.team.name).click()
        await dialog.get_by_role("button", name="Save route").click()
        await expect(article(page, "Website, Buyer")).to_contain_text(f"Offered to {cast.team.name}")
    await expect(dialog).to_contain_text("already has a route for this type")
    await expect(dialog.get_by_label("Type of leads")).to_have_value("Buyer")
    await page.keyboard.press("Escape")
    screen.problems.clear()
    await page.get_by_role("button", name="Change: Website, Buyer").click()
    await dialog.get_by_label("Type of leads").fill("")
    await dialog.get_by_role("button", name="Save route").click()
    await article(page, "Website, all types").wait_for()
    assert await axe(page) == []
    await page.get_by_role("button", name="Delete: Website, all types").click()
    await dialog.get_by_role("button", name="Delete").click()
    await page.get_by_text("No routes").wait_for()


ANSWER = """mutation ($id: ID!) {
  respondToInvitation(teamMemberId: $id, answer: ACCEPTED) { teamMember { requestStatus } }
}"""


async def come_back(page: Page) -> None:
    """Do as a browser does when somebody comes back to the tab, a while after the last time."""
    await page.wait_for_timeout(1_100)
    await page.evaluate("window.dispatchEvent(new Event('focus'))")


@pytest.mark.page
async def test_what_others_do_shows_on_the_way_back(world: World, cast: Cast, app_page: OpenApp, live: Api) -> None:
    """An invitation arrives and is answered, and an option changes elsewhere: neither tab is reloaded."""
    team = await world.team(cast.alice, name="Harbour")
    leader = await app_page(cast.alice, f"/teams/{team.id}")
    agent = await app_page(cast.charlie, "/teams", device="phone")
    await agent.page.get_by_text("You have no teams").wait_for()
    invited = await world.member(team, cast.charlie, RequestStatus.PENDING, rank=4)
    await come_back(agent.page)
    await agent.page.get_by_role("article", name="Invitation to Harbour").wait_for()
    await come_back(leader.page)
    charlie = article(leader.page, "Charlie Example")
    await expect(charlie).to_contain_text("Invited")
    await expect(charlie.get_by_role("note")).to_contain_text("until they accept")

    await live.user(cast.charlie).ask(ANSWER, id=invited.id)
    leader.operations.clear()
    await come_back(leader.page)
    await expect(charlie).to_contain_text("Member")
    await expect(charlie.get_by_role("note")).to_have_count(0)
    assert leader.operations == ["Team"]


async def test_people_leave_and_a_team_is_deleted(world: World, cast: Cast, app_page: OpenApp) -> None:
    harbour = await world.team(cast.alice, name="Harbour")
    await world.member(harbour, cast.charlie, RequestStatus.PENDING)
    agent = await app_page(cast.charlie, "/teams", device="phone")
    await agent.page.get_by_role("button", name="Decline: Harbour").click()
    await agent.page.get_by_text("You have no teams").wait_for()
    await expect(agent.page.get_by_role("article")).to_have_count(0)

    bob = await app_page(cast.bob, f"/teams/{cast.team.id}", device="phone", scheme="dark")
    await bob.page.get_by_role("button", name="Leave team").click()
    await bob.page.get_by_role("dialog").get_by_role("button", name="Leave").click()
    await bob.page.get_by_text("You have no teams").wait_for()

    leader = await app_page(cast.alice, f"/teams/{harbour.id}")
    page, dialog = leader.page, leader.page.get_by_role("dialog")
    charlie = article(page, "Charlie Example")
    await expect(charlie).to_contain_text("Declined")
    await charlie.get_by_role("switch").click()
    await dialog.get_by_role("button", name="Offer no more leads").click()
    await expect(charlie.get_by_role("switch")).not_to_be_checked()
    await charlie.get_by_role("button", name="Remove from the team").click()
    await dialog.get_by_role("button", name="Remove", exact=True).click()
    await expect(charlie).to_have_count(0)

    await page.get_by_role("tab", name="Settings").click()
    await page.get_by_role("button", name="Delete team").click()
    await dialog.get_by_role("button", name="Delete", exact=True).click()
    await page.get_by_role("link", name=cast.team.name).wait_for()
    await expect(page.get_by_role("link", name="Harbour")).to_have_count(0)


async def test_an_invitation_waits_for_an_account(database_url: str, cast: Cast, server_page: OpenServer) -> None:
    """Where people can sign up, an unknown address is invited, and the invitation can be taken back."""
    settings = settings_for(database_url, jwks_url="http://127.0.0.1:1/jwks", sign_up=True)
    token = issue_token(settings, cast.alice.id, "read write", 1, datetime.now(UTC))
    with live_server(create_app(settings)) as url:
        screen = await server_page(url, f"/teams/{cast.team.id}", device="phone", token=token)
        page = screen.page
        await page.get_by_label("Invite by e-mail").fill("Dorothy+a@example.com")
        await page.get_by_role("button", name="Invite", exact=True).click()
        waiting = page.get_by_role("region", name="Waiting for an account")
        await expect(waiting).to_contain_text("dorothy+a@example.com")
        assert await axe(page) == []
        await waiting.get_by_role("button", name="Remove the invitation: dorothy+a@example.com").click()
        await expect(waiting).to_have_count(0)
        await page.close()


async def test_changes_of_one_option_reach_the_server_in_order(
    world: World, cast: Cast, app_page: OpenApp, database: Database
) -> None:
    """The second one waits until the first is answered."""
    screen = await app_page(cast.alice, f"/teams/{cast.team.id}")
    page = screen.page
    bob = article(page, "Bob Example")
    held: list[Route] = []

    async def hold(route: Route) -> None:
        if screen.operation_of(route.request) == "ChangeOption" and not held:
            held.append(route)
        else:
            await route.continue_()

    await page.route("**/graphql", hold)
    call, text = [bob.get_by_label(f"{name}: Bob Example") for name in ("Phone call", "Text message")]
    await call.click()
    await until(lambda: bool(held))
    await call.click()
    await text.click()
    await expect(call).not_to_be_checked()
    await expect(text).to_be_checked()
    await idle(page)
    assert screen.sent["ChangeOption"] == 1
    await held[0].continue_()
    await screen.answered("ChangeOption", 3)
    await screen.quiet()
    await expect(call).not_to_be_checked()
    await expect(text).to_be_checked()
    async with database.read() as session:
        stored = (
            await session.exec(select(DistributionOption).where(col(DistributionOption.user_id) == cast.bob.id))
        ).one()
    assert (stored.has_call_alert, stored.has_text_alert) == (False, True)
