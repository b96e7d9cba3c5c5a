"""The ends of the number line on the command line and in the settings: refused by name, and never a traceback."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jwt
import pytest
from typer.main import get_command
from typer.testing import CliRunner, Result

from app.cli import app
from app.config import PREFIX, Settings, read_settings
from app.db.engine import Database
from app.domain.bounds import LONGEST_TOKEN
from app.worker.channels.registry import make_channels
from app.worker.worker import Worker
from tests.support.api import SECRET, serving, settings_for
from tests.support.ends import IDS, TEXTS
from tests.support.world import NOW, Cast, World

Run = Callable[..., Result]

BEYOND = [
    "1e9",
    "1e30",
    "1e308",
    "1e400",
    "-1e400",
    "nan",
    "inf",
    "-inf",
    "-1",
    "9" * 30,
    f"-{'9' * 30}",
    "9" * 5_000,
    "x",
    "",
]
"""Numbers that no option and no setting takes."""


@pytest.fixture
def run(database_url: str, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.setenv("LEAD_OFFERS_DATABASE_URL", database_url)
    monkeypatch.setenv("LEAD_OFFERS_JWT_SECRET", SECRET)
    return lambda *arguments: CliRunner().invoke(app, arguments)


@pytest.fixture
def without_database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A database that no command may open, because what it was given is refused first."""
    monkeypatch.setenv("LEAD_OFFERS_DATABASE_URL", f"sqlite+aiosqlite:///{tmp_path}/missing/leads.db")
    monkeypatch.setenv("LEAD_OFFERS_JWT_SECRET", SECRET)


def numeric_options(command: Any, *path: str) -> Iterator[tuple[tuple[str, ...], str]]:
    """Yield each numeric option of a command and of its subcommands, with the command's name."""
    for name, subcommand in getattr(command, "commands", {}).items():
        yield from numeric_options(subcommand, *path, name)
    for parameter in command.params:
        if getattr(parameter, "type_descriptor", None) and re.search(
            r"int|float", str(parameter.type_descriptor.annotation)
        ):
            yield path, parameter.opts[0]


OPTIONS = [*numeric_options(get_command(app))]


def test_the_walk_finds_the_numeric_options() -> None:
    found = {f"{' '.join(path)} {option}" for path, option in OPTIONS}
    assert {"token --hours", "serve --port", "serve --workers", "dispatch --metrics-port", "sample --leads"} <= found


@pytest.mark.usefixtures("without_database")
@pytest.mark.parametrize(("path", "option"), OPTIONS, ids=str)
@pytest.mark.parametrize("value", BEYOND, ids=lambda value: value[:9])
def test_a_number_beyond_the_end_is_refused_with_the_options_name(
    path: tuple[str, ...], option: str, value: str
) -> None:
    positional = ["bob@example.com"] if path == ("token",) else []
    result = CliRunner().invoke(app, [*path, *positional, f"{option}={value}"])
    assert result.exit_code == 2, result.output
    assert option in result.stderr


def test_a_token_lasts_for_at_most_ten_years(run: Run) -> None:
    create = run("user", "create", "bob@example.com", "--first-name", "Bob", "--last-name", "Example")
    assert create.exit_code == 0, create.stderr
    refused = run("token", "bob@example.com", "--hours", str(LONGEST_TOKEN + 1))
    assert refused.exit_code == 2
    assert f"from 0 to {LONGEST_TOKEN:,}" in " ".join(refused.stderr.replace("│", " ").split())
    for hours in (0, "5e-324", "-0.0", LONGEST_TOKEN):
        result = run("token", "bob@example.com", "--hours", str(hours))
        assert result.exit_code == 0, result.stderr
        claims = jwt.decode(result.stdout.strip(), SECRET, algorithms=["HS256"], options={"verify_exp": False})
        assert claims["exp"] - claims["iat"] == int(float(hours) * 3600)


@pytest.mark.parametrize("text", [*TEXTS, *IDS], ids=lambda text: repr(text[:9]))
def test_no_text_breaks_a_command(run: Run, text: str) -> None:
    for arguments in (
        ("user", "create", f"--first-name={text}", f"--last-name={text}", f"--phone={text}", "--", "zoe@example.com"),
        ("user", "create", "--first-name=Zoe", "--last-name=Example", f"--timezone={text}", "--", text),
        ("user", "deactivate", "--", text),
        ("token", f"--scope={text}", "--", text),
        ("import", "--", text),
    ):
        result = run(*arguments)
        assert isinstance(result.exception, SystemExit | None), (arguments, result.exception)
        assert "Traceback" not in result.output


NUMBERS = [name for name, field in Settings.model_fields.items() if field.annotation in (int, float)]


def maximum(name: str) -> float:
    (bound,) = [bound.le for bound in Settings.model_fields[name].metadata if hasattr(bound, "le")]
    return float(bound)


@pytest.mark.usefixtures("without_database")
@pytest.mark.parametrize("name", NUMBERS)
def test_every_number_has_a_maximum_that_its_message_says(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    for value in [*BEYOND, str(maximum(name) + 1)]:
        monkeypatch.setenv(f"{PREFIX}{name.upper()}", value)
        if value == "1e9" and maximum(name) == 1e9:
            continue
        with pytest.raises(
            ValueError, match=f"^{PREFIX}{name.upper()}: must be a (whole )?number .*{maximum(name):,.0f}$"
        ):
            read_settings()


@pytest.mark.parametrize(
    "limit", ["1/99999 years", f"{'9' * 30}/minute", f"1/{'9' * 400} years", f"{'9' * 5_000}/minute"]
)
@pytest.mark.parametrize("name", ["rate_limit_per_user", "rate_limit_per_address"])
def test_a_rate_limit_has_a_maximum(monkeypatch: pytest.MonkeyPatch, name: str, limit: str) -> None:
    monkeypatch.setenv(f"{PREFIX}{name.upper()}", limit)
    with pytest.raises(ValueError, match=f"^{PREFIX}{name.upper()}: must be "):
        read_settings()


@pytest.mark.parametrize(
    ("name", "value", "problem"),
    [
        ("rate_limit_per_user", "0/minute", "must be at least one request"),
        ("rate_limit_per_address", "600/minute;5000/day", "must be one number of requests and a unit of time"),
        ("rate_limit_per_user", "", "must be one number of requests and a unit of time"),
        ("twilio_from", "+1202555", "must be a phone number with \\+ and country code"),
        ("twilio_from", "+9990000000", "must be a phone number with \\+ and country code"),
    ],
)
def test_a_setting_that_cannot_work_ends_the_start(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, problem: str
) -> None:
    """A limit of none refuses everybody, the second of two limits was ignored, and a short number sends nothing."""
    monkeypatch.setenv(f"{PREFIX}{name.upper()}", value)
    with pytest.raises(ValueError, match=f"{PREFIX}{name.upper()}: {problem}"):
        read_settings()


async def test_a_server_and_a_worker_run_with_the_largest_numbers(
    database: Database, database_url: str, world: World, cast: Cast
) -> None:
    largest: dict[str, Any] = {name: int(maximum(name)) for name in NUMBERS}
    rates = dict.fromkeys(("rate_limit_per_user", "rate_limit_per_address"), "1000000000/year")
    settings = settings_for(database_url, fallback="console", **rates, **largest)
    await world.offer(await world.lead(cast.alice, cast.team), cast.bob)
    async with serving(settings) as api:
        assert (await api.user(cast.bob).ask("{ leadOffers { total } }"))["leadOffers"]["total"] == 1
        assert (await api.user(cast.bob).rest("GET", "/leads/1/offers")).status_code == 200
    await Worker(database, settings, make_channels(settings), lambda: NOW).run_once()
