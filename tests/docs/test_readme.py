"""The README's promises: what it names exists, and what exists it names."""

import importlib
import json
import re
import shlex
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import chain
from pathlib import Path

import pytest
from graphql import parse, validate
from standardwebhooks import Webhook
from typer.core import TyperGroup
from typer.main import get_command

from app.cli import app
from app.config import PREFIX, Settings
from app.domain.enums import EventKind, LeadOfferStatus
from app.errors import Code
from app.graphql.schema import schema
from app.lists.filters import Operator
from app.rest.filter_fields import FILTER_FIELDS
from app.rest.routes import ROUTES

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def table(header: str) -> list[list[str]]:
    """The rows of the table whose first column has this header."""
    found = re.search(rf"^\| {header} \|.*\n\|[-|]+\|\n((?:\|.*\n)+)", README, re.MULTILINE)
    assert found, f"the README has no table of {header}s"
    return [[cell.strip() for cell in row.strip("|\n").split("|")] for row in found[1].splitlines()]


def named(header: str) -> list[str]:
    """What stands in backticks in the first column."""
    return list(chain.from_iterable(re.findall(r"`([^`]+)`", row[0]) for row in table(header)))


def command_names(group: TyperGroup, prefix: str = "lead-offers") -> Iterator[str]:
    for name, command in group.commands.items():
        if isinstance(command, TyperGroup):
            yield from command_names(command, f"{prefix} {name}")
        else:
            yield f"{prefix} {name}"


def without_arguments(usage: str) -> str:
    return " ".join(word for word in usage.split() if not word.isupper())


def test_settings() -> None:
    assert sorted(named("setting")) == sorted(f"{PREFIX}{name.upper()}" for name in Settings.model_fields)


def test_defaults_of_settings() -> None:
    spelled = {None: "", True: "`on`", False: "`off`", (): "`[]`"}
    defaults = {f"`{PREFIX}{name.upper()}`": field.default for name, field in Settings.model_fields.items()}
    for setting, default, _meaning in table("setting"):
        assert default == spelled.get(defaults[setting], f"`{defaults[setting]}`")


def test_settings_outside_of_their_table() -> None:
    known = {f"{PREFIX}{name.upper()}" for name in Settings.model_fields}
    deploying = (ROOT / "docs" / "deploying.md").read_text(encoding="utf-8")
    assert set(re.findall(rf"{PREFIX}[A-Z_]+", README + deploying)) <= known


def test_error_codes() -> None:
    assert sorted(named("code")) == sorted(Code)


def test_events() -> None:
    assert [row[0].strip("`") for row in table("event")] == list(EventKind)


def test_the_signature_of_the_webhook() -> None:
    found = re.search(r"```http\n(.*?)\n\n(.*?)\n```", README, re.DOTALL)
    assert found
    headers = dict(line.split(": ") for line in found[1].splitlines()[1:])
    secret = re.findall(r"`(whsec_\w+)`", README)[-1]
    at = datetime.fromtimestamp(int(headers["webhook-timestamp"]), UTC)
    assert headers["webhook-signature"] == Webhook(secret).sign(headers["webhook-id"], at, found[2])


def test_sections_of_the_bench(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(ROOT / "scripts")
    assert named("section") == list(importlib.import_module("bench_run").SECTIONS)


def test_operators() -> None:
    assert sorted(named("operator")) == sorted(Operator)


def test_rest_addresses() -> None:
    methods = {f"{method} {address}" for address, methods in ROUTES.items() for method in methods}
    assert {name.replace("{id}", "{lead_id}") for name in named("address")} == methods


def test_rest_filters() -> None:
    listed = README[README.index("Filters go by") : README.index("All\nof a query hold")]
    assert re.findall(r"`([^`]+)`", listed) == [*FILTER_FIELDS, *LeadOfferStatus]


def test_rest_statuses() -> None:
    statuses = {code: int(row[0]) for row in table("status") for code in re.findall(r"`([A-Z_]+)`", row[1])}
    graphql_only = {code for code in Code if code.startswith(("GRAPHQL_", "PERSISTED_", "DOCUMENT_"))}
    assert statuses == {code: code.status for code in set(Code) - graphql_only}


def test_commands() -> None:
    group = get_command(app)
    assert isinstance(group, TyperGroup)
    assert sorted(map(without_arguments, named("command"))) == sorted(command_names(group))


def test_options_of_commands() -> None:
    group = get_command(app)
    assert isinstance(group, TyperGroup)
    for usage, text in table("command"):
        words = without_arguments(usage.strip("`")).split()[1:]
        command = group
        for word in words:
            command = command.commands[word]  # type: ignore[assignment]
        options = set(chain.from_iterable(parameter.opts for parameter in command.params))
        assert set(re.findall(r"`(--[a-z-]+)`", text)) <= options


def queries() -> list[str]:
    """The documents in its blocks of GraphQL, and in the body that curl sends."""
    bodies = re.findall(r"-d '([^']+)'", README)
    return re.findall(r"```graphql\n(.*?)```", README, re.DOTALL) + [json.loads(body)["query"] for body in bodies]


@pytest.mark.parametrize("document", queries())
def test_queries_are_valid(document: str) -> None:
    assert validate(schema._schema, parse(document)) == []


def test_files() -> None:
    for line in re.findall(r"^(scripts/\w+)", README, re.MULTILINE) + re.findall(r"`(scripts/\w+)`", README):
        assert (ROOT / shlex.split(line)[0]).is_file()
