"""Chromium without a window, for tests of what a browser makes of pages."""

import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from playwright.async_api import Browser, async_playwright

NAMES = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
CHROMIUM = next(filter(None, map(shutil.which, NAMES)), None)
"""The first of these programs that is installed.

The headless shell has the same engine. Chromium itself also loads its address bar for each browser context, without
showing it, which takes more than a second of CPU time (2026-11-27).
"""
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
