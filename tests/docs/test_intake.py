"""The examples of docs/intake.md: the first lead with curl, the HTML form in a browser, and what Zapier sends."""

import asyncio
import json
import os
import re
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Browser, Page
from sqlmodel import col, select
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from app.db.engine import Database
from app.db.models import Contact, Lead, LeadSource
from app.domain.enums import ApiScope
from app.importer import import_lists, parse
from app.main import create_app
from app.rest.enquiry_body import CONTACT_FIELDS, ENQUIRY_FIELDS
from app.rest.openapi import openapi_document
from tests.docs.pages import DOCS, ROOT, named, table
from tests.support.api import SECRET, Api, settings_for
from tests.support.browser import chromium
from tests.support.live_server import live_server
from tests.support.world import Cast, World, change

PAGE = DOCS["intake"]
COMMANDS = re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL)
(FORM,) = re.findall(r"```html\n(.*?)```", PAGE, re.DOTALL)
(ANSWER,) = re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL)
(ZAPIER,) = re.findall(r"```http\nPOST /leads\n.*?\n\n(.*?)\n```", PAGE, re.DOTALL)


async def run_in_shell(script: str, database_url: str, folder: Path) -> str:
    """Run the commands of the page as in the folder of the demo, and return their standard output."""
    (folder / ".demo").mkdir(exist_ok=True)
    (folder / ".demo" / "jwt-secret").write_text(SECRET)
    python = f"{sys.executable} -c 'from app.cli import app; app()'"
    script = script.replace(".venv/bin/lead-offers", python)
    script = re.sub(r"LEAD_OFFERS_DATABASE_URL=\S+", f"LEAD_OFFERS_DATABASE_URL={database_url}", script)
    process = await asyncio.create_subprocess_exec(
        *("bash", "-euc", script),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )
    output, errors = await process.communicate()
    assert process.returncode == 0, errors.decode()
    return output.decode()


async def test_the_first_lead_with_curl(
    database_url: str, database: Database, demo_data: bytes, tmp_path: Path
) -> None:
    """The commands in their order, on the demo's data. The answer has the values that the page shows."""
    async with database.write() as session:
        await import_lists(session, parse(demo_data), datetime.now(UTC))
    make_key, send, make_other_key = COMMANDS
    send = send.replace("curl ", "curl --silent --show-error --write-out '\\n%{http_code}\\n' ")
    with live_server(create_app(settings_for(database_url))) as url:
        script = f"{make_key}\n{send}\n{send}\n{make_other_key}".replace("http://127.0.0.1:8000", url)
        output = (await run_in_shell(script, database_url, tmp_path)).splitlines()
    first, status, again, repeated_status, key = output
    shown, answer = json.loads(ANSWER), json.loads(first)
    assert (status, repeated_status) == ("201", "200")
    assert answer | {"lead": {name: answer["lead"][name] for name in shown["lead"]}} == shown
    assert json.loads(again)["is_new"] is False
    assert re.fullmatch(r"lo_[0-9A-Za-z]{42}", key)


async def test_what_zapier_sends(api: Api, world: World, cast: Cast) -> None:
    source = await world.source(cast.alice)
    body = json.loads(ZAPIER) | {"source_id": str(source.id)}
    response = await api.user(cast.alice).rest("POST", "/leads", json=body)
    answer = response.json()
    assert (response.status_code, answer["ignored"]) == (201, [])
    assert (answer["lead"]["listing_price"], answer["lead"]["contact"]["last_name"]) == (350000, None)


@dataclass
class Site:
    """The form of the page on a website of another origin, and the database that its enquiries go to."""

    url: str
    browser: Browser
    database: Database

    async def open(self, **options: Any) -> Page:
        page = await self.browser.new_page(**options)
        await page.goto(self.url)
        return page

    async def rows(self) -> list[tuple[Lead, Contact]]:
        async with self.database.read() as session:
            return [*(await session.exec(select(Lead, Contact).join(Contact).order_by(col(Lead.id))))]


@asynccontextmanager
async def site(api_url: str, key: str, database: Database) -> AsyncIterator[Site]:
    html = FORM.replace("https://leads.example.com", api_url).replace("KEY", key)

    async def show(_request: Request) -> Response:
        return HTMLResponse(f"<!doctype html><html lang=en><title>Website</title>{html}")

    async with chromium() as browser:
        with live_server(Starlette(routes=[Route("/", show)])) as url:
            yield Site(url, browser, database)


@pytest.mark.browser
@pytest.mark.page
async def test_the_form_sends_an_enquiry_from_another_origin(
    database_url: str, database: Database, world: World, cast: Cast
) -> None:
    """Twice by two clicks with nothing changed in between, then once more after a change."""
    source: LeadSource = await world.source(cast.alice)
    await world.route(source, cast.team)
    row, key = await world.api_key(cast.alice, ApiScope.INTAKE, source_id=source.id)
    with live_server(create_app(settings_for(database_url))) as url:
        async with site(url, key, database) as website:
            page = await website.open()
            await page.get_by_label("First name").fill("Renée")
            await page.get_by_label("E-mail").fill("renee+home@example.com")
            await page.get_by_label("Phone").fill("555")
            await page.get_by_label("Message").fill("Is it available?\nRenée & Co")
            await page.get_by_role("button").click()
            await page.get_by_text("Thank you!").wait_for()
            assert await page.get_by_label("First name").input_value() == ""
            ((lead, contact),) = await website.rows()
            assert (contact.first_name, contact.last_name, contact.email) == ("Renée", None, "renee+home@example.com")
            assert (contact.mobile_phone, lead.source_id) == (None, source.id)
            assert lead.message is not None
            assert lead.message.split() == ["Is", "it", "available?", "Renée", "&", "Co"]

            await page.get_by_label("E-mail").fill("renee+home@example.com")
            answers: list[Any] = []
            has_both = asyncio.Event()

            def note(answer: Any) -> None:
                answers.append(answer)
                if len(answers) == 2:
                    has_both.set()

            page.on("response", note)
            await page.evaluate("document.forms[0].requestSubmit(); document.forms[0].requestSubmit()")
            async with asyncio.timeout(30):
                await has_both.wait()
            await page.get_by_text("Thank you!").wait_for()
            assert sorted(answer.status for answer in answers) == [200, 201]
            assert len(await website.rows()) == 2

            await page.get_by_label("E-mail").fill("nobody@localhost@")
            await page.evaluate("document.forms[0].noValidate = true")
            await page.get_by_role("button").click()
            await page.get_by_text("Please check your e-mail address").wait_for()

            await change(world, row, revoked_at=row.created_at)
            await page.get_by_role("button").click()
            await page.get_by_text("Please try again later").wait_for()
            assert await page.context.cookies() == []


@pytest.mark.browser
@pytest.mark.page
async def test_the_form_works_without_its_script(
    database_url: str, database: Database, world: World, cast: Cast
) -> None:
    _row, key = await world.api_key(cast.alice, ApiScope.INTAKE)
    with live_server(create_app(settings_for(database_url))) as url:
        async with site(url, key, database) as website:
            page = await website.open(java_script_enabled=False)
            await page.get_by_label("E-mail").fill("mary@example.com")
            await page.get_by_label("Last name").fill("Spärck Jones")
            await page.get_by_role("button").click()
            await page.wait_for_url(f"{url}/intake/*")
            shown = json.loads(await page.locator("pre").inner_text())
            ((lead, contact),) = await website.rows()
            assert shown == {"id": lead.id, "is_new": True, "ignored": []}
            assert (contact.last_name, lead.external_id) == ("Spärck Jones", None)


def test_the_fields() -> None:
    assert sorted(name for name in named(PAGE, "field") if name not in ("lead", "is_new")) == sorted(
        [*CONTACT_FIELDS, *ENQUIRY_FIELDS]
    )


def test_the_statuses_of_errors() -> None:
    """Those of the page are those of the OpenAPI document, and 405, which is for other methods."""
    listed = {status for row in table(PAGE, "status") for status in re.findall(r"\d+", row[0])}
    errors = {status for row in re.findall(r"^\| ([\d, ]+) \| `", PAGE, re.MULTILINE) for status in row.split(", ")}
    documented = set(openapi_document()["paths"]["/leads"]["post"]["responses"])
    assert listed == {"200", "201"}
    assert errors | listed == documented | {"405"}
