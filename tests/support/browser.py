"""Chromium without a window, for tests of what a browser makes of pages."""

import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from playwright.async_api import Browser, async_playwright

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
START = 120_000
"""Milliseconds in which Chromium has to start, on a busy machine."""
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]


@asynccontextmanager
async def chromium() -> AsyncIterator[Browser]:
    """Run Chromium. Skips the test if there is none."""
    if CHROMIUM is None:
        pytest.skip("there is no Chromium")
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS, timeout=START)
        yield browser
        await browser.close()
