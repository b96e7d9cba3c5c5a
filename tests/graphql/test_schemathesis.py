"""Random documents and values, which Schemathesis generates from the schema."""

import logging
import re
import sys
from pathlib import Path

import pytest

from app.main import create_app
from tests.support.api import Api, settings_for
from tests.support.live_server import live_server
from tests.support.node import run
from tests.support.world import NOW, Cast, World

SCHEMATHESIS = str(Path(sys.executable).with_name("schemathesis"))


@pytest.mark.parametrize(
    ("operations", "not_held_against_us"),
    [
        # GraphQL cannot express that `limit` must not be negative.
        (r"^Query\.(?!previewLeadOffers)", "positive_data_acceptance"),
        # A refused mutation has an error at its path, mostly NOT_FOUND, which counts as the server's error there.
        (r"^Mutation\.|^Query\.previewLeadOffers", "positive_data_acceptance,not_a_server_error"),
    ],
)
async def test_no_document_breaks_the_server(
    *,
    api: Api,
    database_url: str,
    world: World,
    cast: Cast,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    operations: str,
    not_held_against_us: str,
) -> None:
    for i in range(3):
        await world.offer(await world.lead(cast.alice, cast.team), cast.bob, rank=i)
    options = {
        "header": f"Authorization: Bearer {api.user(cast.alice).token}",
        "include-name-regex": operations,
        "exclude-checks": not_held_against_us,
        "max-examples": "10",
        "seed": "1",
        "generation-database": "none",
    }
    flags = [part for name, value in options.items() for part in (f"--{name}", value)]
    with live_server(create_app(settings_for(database_url), clock=lambda: NOW)) as url:
        report = await run(SCHEMATHESIS, "run", f"{url}/graphql", *flags, "--no-color", cwd=tmp_path)
    assert re.search(r"(\d+) generated, \1 passed", report), report
    assert [record.getMessage() for record in caplog.records if record.levelno >= logging.ERROR] == []
