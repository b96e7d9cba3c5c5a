"""The OpenAPI document is complete, and the server behaves as it says."""

import os
import sys
from pathlib import Path

import pytest

from app.domain.enums import ApiScope
from app.main import create_app
from app.rest.error_body import FEATHERS_NAMES
from app.rest.openapi import openapi_document
from app.rest.routes import ROUTES
from tests.support.api import Api, settings_for
from tests.support.live_server import live_server
from tests.support.node import run
from tests.support.world import NOW, Cast, World

METHODS = ("get", "post", "put", "patch", "delete")
ENQUIRIES = """
[[operations]]
include-path = ["/leads", "/intake/{key}"]
warnings = false # most generated sources are unknown, and most numbers are none that can be called

[operations.parameters]
key = "KEY"

# Enquiries are accepted without their unreadable values, and refused if these are the address and the number.
[operations.checks.negative_data_rejection]
enabled = false

[operations.checks.positive_data_acceptance]
expected-statuses = ["2xx", 400, 409]
"""

FIGURES = """
[[operations]]
include-path = ["/figures/leads", "/figures/members"]
warnings = false # most generated teams are unknown

# A schema cannot say that the span ends after its begin, and at most 366 days after it.
[operations.checks.positive_data_acceptance]
expected-statuses = ["2xx", 400]
"""

SEED = {"sqlite": "1", "postgresql": "2"}[os.environ.get("LEAD_OFFERS_TEST_DATABASE", "sqlite")]
"""Each database gets requests of its own."""

SCHEMATHESIS = str(Path(sys.executable).with_name("schemathesis"))


async def test_the_document_needs_no_token(api: Api) -> None:
    answer = await api.rest("GET", "/openapi.json")
    assert (answer.status_code, answer.json()) == (200, openapi_document())
    assert (await api.rest("POST", "/openapi.json")).headers["allow"] == "GET, HEAD, OPTIONS"


def test_the_document_has_every_path_and_method() -> None:
    described = {
        (path, method.upper())
        for path, item in openapi_document()["paths"].items()
        for method in item
        if method in METHODS
    }
    served = {(path, method) for path, methods in ROUTES.items() for method in methods}
    assert described == served - {("/openapi.json", "GET")}


def test_the_errors_are_those_of_feathers() -> None:
    operations = [item[method] for item in openapi_document()["paths"].values() for method in METHODS if method in item]
    statuses = {int(status) for operation in operations for status in operation["responses"]}
    assert statuses - {200, 201} <= set(FEATHERS_NAMES)


@pytest.mark.slow
async def test_schemathesis_finds_nothing(
    api: Api, database_url: str, world: World, cast: Cast, tmp_path: Path
) -> None:
    """Schemathesis sends valid and invalid requests, and checks every response against the document."""
    for i in range(5):
        lead = await world.lead(cast.alice, cast.team)
        await world.offer(lead, await world.user(), rank=i)
    token = api.user(cast.alice).token
    _row, key = await world.api_key(cast.alice, ApiScope.INTAKE)
    (tmp_path / "schemathesis.toml").write_text(ENQUIRIES.replace("KEY", key) + FIGURES)
    settings = settings_for(database_url, rate_limit_per_intake_key="100000/minute")
    with live_server(create_app(settings, clock=lambda: NOW)) as url:
        signed_in = ["--header", f"Authorization: Bearer {token}"]
        bounds = ["--max-examples", "12", "--seed", SEED, "--generation-database", "none"]
        report = await run(SCHEMATHESIS, "run", f"{url}/openapi.json", *signed_in, *bounds, "--no-color", cwd=tmp_path)
    assert "No issues found" in report
