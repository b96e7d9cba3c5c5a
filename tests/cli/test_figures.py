"""`lead-offers figures`: tables, tab-separated lines, CSV, JSON and errors."""

import csv
import io
import json
from collections.abc import Callable

import pytest
from typer.testing import CliRunner, Result

from app.cli import app
from app.cli import figures as commands
from app.figures.tables import Table
from tests.support.world import Cast, World, at

Run = Callable[..., Result]
SPAN = ("--from", "2026-03-01", "--to", "2026-04-01")


@pytest.fixture
async def run(database_url: str, world: World, cast: Cast, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Bob took the older one of Alice's two leads after 90 seconds."""
    source = await world.source(cast.alice, "=Web\t[red]site")
    lead = await world.lead(cast.alice, cast.team, source_id=source.id, created_at=at(-1.5))
    await world.offer(lead, cast.bob)
    await world.claimed(lead, cast.bob)
    await world.lead(cast.alice, cast.team)
    monkeypatch.setenv("LEAD_OFFERS_DATABASE_URL", database_url)
    return lambda *arguments: CliRunner().invoke(app, ("figures", *arguments))


def test_lines_for_programs(run: Run, cast: Cast) -> None:
    result = run("leads", str(cast.alice.email), *SPAN, "--by", "source")
    header, first, second = result.stdout.splitlines()
    assert header.split("\t")[:3] == ["source_id", "source_name", "received"]
    assert first.split("\t") == ["1", "=Web\\t[red]site", "1", "0", "1", "0", "0", "1", "90", "90", "1"]
    assert second.split("\t") == ["-", "-", "1", "0", "0", "0", "0", "0", "-", "-", "0"]


def test_csv_and_json(run: Run, cast: Cast) -> None:
    text = run("leads", str(cast.alice.email), *SPAN, "--by", "source", "--csv").stdout
    rows = [*csv.DictReader(io.StringIO(text, newline=""))]
    assert [row["source_name"] for row in rows] == ["'=Web\t[red]site", ""]
    (bob,) = json.loads(run("members", str(cast.alice.email), str(cast.team.id), *SPAN, "--json").stdout)
    assert (bob["user"]["first_name"], bob["offers"], bob["claims"]) == ("Bob", 1, 1)


def test_the_time_zone_is_the_users(run: Run, cast: Cast) -> None:
    """A day of Alice's begins at 08:00 UTC."""
    for zone, day in ((), "2026-03-02"), (("--timezone", "Pacific/Kiritimati"), "2026-03-02"):
        result = run(
            "leads", str(cast.alice.email), "--from", "2026-03-02T07:30:00Z", "--to", "2026-03-03", "--by", "day", *zone
        )
        assert result.stdout.splitlines()[1].startswith(f"{day}\t2\t")


def test_a_table_for_people(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Names are neither markup nor control characters."""
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "100")
    commands._show(Table(("team_name", "received"), [("[red]\x1b[2J", 12), ("Buyers", None)]), False, None)
    shown = capsys.readouterr().out
    assert "[red]\\u001b[2J" in shown
    assert "\x1b[2J" not in shown
    assert "team name" in shown
    assert "12" in shown


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (("leads", "nobody@example.com", *SPAN), 1, "nobody@example.com"),
        (
            ("leads", "alice.1@example.com", "--from", "2026-03-01", "--to", "2027-03-03"),
            1,
            "to: must be at most 366 days",
        ),
        (("leads", "alice.1@example.com", *SPAN, "--timezone", "Mars"), 1, "timezone: 'Mars' is not an IANA"),
        (("leads", "alice.1@example.com", "--from", "yesterday", "--to", "2027-03-03"), 2, "yesterday"),
        (("leads", "alice.1@example.com", *SPAN, "--by", "month"), 2, "month"),
    ],
)
def test_errors(run: Run, arguments: tuple[str, ...], status: int, message: str) -> None:
    result = run(*arguments)
    assert result.exit_code == status
    assert message in result.stderr
    assert "Traceback" not in result.stderr


def test_a_foreign_team_has_no_members(run: Run, cast: Cast) -> None:
    assert len(run("members", str(cast.bob.email), str(cast.team.id), *SPAN).stdout.splitlines()) == 1
