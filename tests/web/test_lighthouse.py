"""Lighthouse, from npm, checks the inbox of an agent with a phone.

Its default configuration is that of a phone with a slow processor on slow mobile data. It measures the page on this
machine and computes from that how long the phone would take.
"""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from app.access.tokens import issue_token
from app.http.web_app import BUILD
from tests.support.api import Api
from tests.support.browser import ARGUMENTS, CHROMIUM
from tests.support.node import needs_node, node
from tests.support.world import Cast, World

pytestmark = [
    pytest.mark.browser,
    needs_node,
    pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium"),
    pytest.mark.skipif(not (BUILD / "index.html").exists(), reason="the web application is not built: run scripts/web"),
]

LEAST = 0.95


async def inbox(world: World, cast: Cast) -> None:
    """Give Bob two leads to claim, one to come and one that is his."""
    contact = await world.contact(
        cast.alice, first_name="Ada", last_name="Lovelace", email="ada@example.com", mobile_phone="+12025550142"
    )
    now = datetime.now(UTC)
    known: dict[str, Any] = {
        "type": "Buyer",
        "state": "TX",
        "listing_price": 450_000,
        "message": "Is it still for sale?",
    }
    for city, minutes in (("Austin", -1), ("Dallas", -2), ("Houston", 5)):
        lead = await world.lead(cast.alice, cast.team, contact, city=city, created_at=now, **known)
        await world.offer(lead, cast.bob, notify_at=now + timedelta(minutes=minutes))
    await world.lead(
        cast.alice,
        cast.team,
        contact,
        city="El Paso",
        created_at=now,
        claimed_by_id=cast.bob.id,
        claimed_at=now,
        **known,
    )


async def test_the_inbox(world: World, cast: Cast, live: Api) -> None:
    """The performance is no part of this, because Lighthouse computes it from the time that scripts take here."""
    await inbox(world, cast)
    token = issue_token(live.settings, cast.bob.id, "read write", 1, datetime.now(UTC))
    address = f"{str(live.http.base_url).rstrip('/')}/inbox"
    assert CHROMIUM
    report = await node("lighthouse.mjs", address, token, CHROMIUM, *ARGUMENTS)
    assert "El Paso" in report["visible"], report["visible"]  # it saw the inbox, and not the sign-in
    for category in ("accessibility", "best-practices"):
        score = report["scores"][category]
        assert score >= LEAST, "\n".join([f"{category}: {score}", *report["failed"][category]])
