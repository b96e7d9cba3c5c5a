"""GET /figures/leads and /figures/members: JSON, CSV and errors."""

import csv
import io
from typing import Any

import pytest

from app.figures.tables import as_text
from tests.support.api import Api
from tests.support.world import NOW, Cast, World, at

SPAN = "from=2026-03-01&to=2026-04-01"


@pytest.fixture
async def leads(world: World, cast: Cast) -> None:
    """Bob took the first lead after 90 seconds. The names and the type would be formulas in a spreadsheet."""
    source = await world.source(cast.alice, '=HYPERLINK("http://example.com","x")')
    lead = await world.lead(cast.alice, cast.team, source_id=source.id, type="@SUM(A1)", created_at=at(-1.5))
    await world.offer(lead, cast.bob)
    await world.claimed(lead, cast.bob)
    await world.lead(cast.alice, cast.team, zipcode="02138", type="Buyer, cash")


async def test_json_is_that_of_graphql(api: Api, cast: Cast, leads: None) -> None:
    viewer = api.user(cast.alice)
    for by in ("day", "week", "source", "team", "type"):
        found = (await viewer.rest("GET", f"/figures/leads?{SPAN}&by={by}&timezone=UTC")).json()
        shown = await viewer.ask(
            f"""{{ leadFigures(from: "2026-03-01", to: "2026-04-01", by: {by.upper()}, timezone: "UTC") {{
                day source {{ id name }} team {{ id name }} type received offered claimed released exhausted
                time_to_claim: timeToClaim {{ count median p90 within_5_minutes: within5Minutes }} }} }}"""
        )
        for group in shown["leadFigures"]:
            for name in ("source", "team"):
                group[name] = group[name] and group[name] | {"id": int(group[name]["id"])}
        assert found == shown["leadFigures"]
    (bob,) = (await viewer.rest("GET", f"/figures/members?{SPAN}&team_id={cast.team.id}")).json()
    assert bob["user"] == {"id": cast.bob.id, "first_name": "Bob", "last_name": "Example"}
    assert (bob["offers"], bob["claims"]) == (1, 1)


async def test_csv_for_a_spreadsheet(api: Api, cast: Cast, leads: None) -> None:
    """Values that begin like a formula have an apostrophe in front of them."""
    answer = await _csv(api.user(cast.alice), f"/figures/leads?{SPAN}&by=source")
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert answer.text.startswith(
        "source_id,source_name,received,offered,claimed,released,exhausted,time_to_claim_count,"
    )
    rows = [*csv.DictReader(io.StringIO(answer.text, newline=""))]
    assert rows[0]["source_name"] == '\'=HYPERLINK("http://example.com","x")'
    assert (rows[0]["time_to_claim_median"], rows[0]["time_to_claim_p90"]) == ("90", "90")
    assert (rows[1]["source_id"], rows[1]["source_name"], rows[1]["time_to_claim_median"]) == ("", "", "")
    types = (await _csv(api.user(cast.alice), f"/figures/leads?{SPAN}&by=type")).text.split("\r\n")
    assert [line[:14] for line in types[1:]] == ["'@SUM(A1),1,0,", '"Buyer, cash",', ""]
    whole = (await _csv(api.user(cast.alice), f"/figures/leads?{SPAN}")).text.split("\r\n")
    assert whole[0].startswith("received,offered,")
    members = (await _csv(api.user(cast.alice), f"/figures/members?{SPAN}&team_id={cast.team.id}")).text
    assert members.split("\r\n")[1].startswith(f"{cast.bob.id},Bob,Example,0,1,1,")


async def _csv(viewer: Api, address: str, accept: str = "text/csv") -> Any:
    authorization = {"Authorization": f"Bearer {viewer.token}", "Accept": accept}
    return await viewer.http.get(address, headers=authorization)


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        ("text/csv", "text/csv"),
        ("text/csv, application/json;q=0.5", "text/csv"),
        ("text/csv;q=0.1, application/json", "application/json"),
        ("text/csv;q=0", "application/json"),
        ("*/*", "application/json"),
        ("text/html, TEXT/CSV;q=x", "application/json"),
    ],
)
async def test_the_accept_header_chooses(api: Api, cast: Cast, accept: str, kind: str) -> None:
    answer = await _csv(api.user(cast.alice), f"/figures/leads?{SPAN}", accept)
    assert answer.headers["content-type"].split(";")[0] == kind
    assert "Accept" in answer.headers["vary"]


@pytest.mark.parametrize(
    "text", ["=1", "+1", "-1", "@x", " =1", "\t=1", "\r\n=1", "\u200b=1", "\uff1d1", "\ufe621", "\uff0d1", "\uff20x"]
)
def test_formulas_are_quoted(text: str) -> None:
    assert as_text(text) == f"'{text}"


@pytest.mark.parametrize("value", ["Buyer", "a=b", "", " ", "'=1", "1-2", -5, 0, None])
def test_other_values_are_not(value: str | int | None) -> None:
    assert as_text(value) == value


async def test_conditions_select_leads(api: Api, cast: Cast, leads: None) -> None:
    viewer = api.user(cast.alice)

    async def received(conditions: str) -> int:
        ((group),) = (await viewer.rest("GET", f"/figures/leads?{SPAN}&{conditions}")).json()
        number: int = group["received"]
        return number

    assert await received("zipcode=02138") == 1
    assert await received("zipcode[$ne]=02138") == 1
    assert await received(f"team_id[$in]={cast.team.id},99") == 2
    assert await received("$or[0][zipcode]=02138&$or[1][type]=x") == 1
    assert await received("claimed_by_id=") == 1
    assert await received(f"created_at[$lt]={NOW:%Y-%m-%dT%H:%M:%SZ}") == 1


@pytest.mark.parametrize(
    ("address", "fields"),
    [
        ("/figures/leads", {"from", "to"}),
        ("/figures/leads?from=x&to=2026-03-01&by=month&timezone=Mars", {"from", "by", "timezone"}),
        (f"/figures/leads?{SPAN}&colour=red", {"colour"}),
        ("/figures/leads?from=2026-01-01&to=2027-01-03", {"to"}),
        ("/figures/leads?from=2026-01-01&from=2026-01-02&to=2026-01-03", {"from"}),
        (f"/figures/members?{SPAN}", {"team_id"}),
        (f"/figures/members?{SPAN}&team_id=1&by=day", {"by"}),
    ],
)
async def test_errors_name_the_parameters(api: Api, cast: Cast, address: str, fields: set[str]) -> None:
    for accept in ("application/json", "text/csv"):
        answer = await _csv(api.user(cast.alice), address, accept)
        assert (answer.status_code, answer.headers["content-type"]) == (400, "application/json")
        assert fields <= answer.json()["errors"].keys()


async def test_a_foreign_team_has_no_members(api: Api, cast: Cast, leads: None) -> None:
    for viewer, team_id in (
        (cast.bob, cast.team.id),
        (cast.charlie, cast.team.id),
        (cast.alice, 99),
        (cast.alice, "x"),
    ):
        answer = await api.user(viewer).rest("GET", f"/figures/members?{SPAN}&team_id={team_id}")
        assert (answer.status_code, answer.json()) == (200, [])


async def test_a_token_with_the_scope_read_is_required(api: Api, cast: Cast) -> None:
    assert (await api.rest("GET", f"/figures/leads?{SPAN}")).status_code == 401
    assert (await api.user(cast.alice, "write").rest("GET", f"/figures/leads?{SPAN}")).status_code == 403
    assert (await api.user(cast.alice).rest("POST", f"/figures/leads?{SPAN}")).status_code == 405
