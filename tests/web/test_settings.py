"""The settings: profile, availability and API keys."""

import httpx2
import pytest
from playwright.async_api import expect

from tests.support.world import Cast, World
from tests.web.conftest import OpenApp, axe

pytestmark = pytest.mark.browser


@pytest.mark.page
async def test_a_person_without_a_last_name_saves_the_rest(world: World, app_page: OpenApp) -> None:
    page = (await app_page(await world.user("Teller", last_name=""), "/settings")).page
    await page.get_by_label("Phone").fill("202 555 0142")
    await page.get_by_role("button", name="Save profile").click()
    await expect(page.get_by_label("Phone")).to_have_value("+12025550142")


async def test_bad_input_is_refused_beside_the_field(cast: Cast, app_page: OpenApp) -> None:
    screen = await app_page(cast.bob, "/settings", device="phone", scheme="dark")
    page = screen.page
    await page.get_by_label("First name").wait_for()
    assert sorted(screen.operations) == ["Settings", "Viewer"]
    assert await axe(page) == []

    await page.get_by_label("Last name").fill("Kept")
    await page.get_by_label("First name").fill(" ")
    await page.get_by_role("button", name="Save profile").click()
    await expect(page.get_by_text("Enter a first name")).to_be_visible()

    await page.get_by_label("First name").fill("Robert")
    await page.get_by_label("Phone").fill("abc")
    await page.get_by_role("button", name="Save profile").click()
    await expect(page.get_by_text("Enter a phone number")).to_be_visible()
    await expect(page.get_by_label("Last name")).to_have_value("Kept")
    await page.get_by_label("Phone").fill("202 555 0142")
    await page.get_by_role("button", name="Save profile").click()
    await expect(page.get_by_label("Phone")).to_have_value("+12025550142")

    await page.get_by_label("Quiet from").fill("22:00")
    await page.get_by_label("Quiet until").fill("22:00")
    await page.get_by_role("button", name="Save quiet hours").click()
    await expect(page.get_by_text("Enter an end that differs")).to_be_visible()
    await page.get_by_label("Quiet until").fill("07:00")
    await page.get_by_role("button", name="Save quiet hours").click()
    await expect(page.get_by_text("Quiet hours are from 10:00 PM to 7:00 AM.")).to_be_visible()

    await page.get_by_label("Away until").fill("2020-01-01T08:00")
    await page.get_by_role("button", name="Set as away").click()
    await expect(page.get_by_text("Choose a date and time in the future.")).to_be_visible()
    assert await axe(page) == []


@pytest.mark.page
async def test_a_key_is_shown_once_and_works(cast: Cast, app_page: OpenApp) -> None:
    screen = await app_page(cast.bob, "/settings")
    page = screen.page
    await page.get_by_role("button", name="Create key").click()
    dialog = page.get_by_role("dialog")
    await dialog.get_by_label("Name").fill("Robot")
    await dialog.get_by_label("Read").check()
    assert await axe(page) == []
    await dialog.get_by_role("button", name="Create key").click()
    key = await dialog.locator("pre").inner_text()
    async with httpx2.AsyncClient() as client:
        answer = await client.post(
            f"{screen.url}/graphql",
            json={"query": "{ me { id } }"},
            headers={"Authorization": f"Bearer {key}"},
        )
    assert answer.json()["data"]["me"]["id"] == str(cast.bob.id)
    await dialog.get_by_role("button", name="Done").click()
    await expect(page.get_by_text(key)).to_have_count(0)
    await page.get_by_role("button", name="Revoke Robot").click()
    await page.get_by_role("button", name="Revoke key").click()
    await expect(page.get_by_text("No API keys")).to_be_visible()
