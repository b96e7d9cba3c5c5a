"""The promises of the README and of docs/: everything they name exists, and everything that exists is named."""

import importlib
import json
import re
import shlex
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import chain

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
from app.rest.filter_fields import FILTER_FIELDS, LEAD_FIELDS
from app.rest.routes import ROUTES
from tests.docs.pages import DOCS, README, ROOT, named, table

LONGEST_README = 150
"""Lines."""


def command_names(group: TyperGroup, prefix: str = "lead-offers") -> Iterator[str]:
    for name, command in group.commands.items():
        if isinstance(command, TyperGroup):
            yield from command_names(command, f"{prefix} {name}")
        else:
            yield f"{prefix} {name}"


def without_arguments(usage: str) -> str:
    return " ".join(word for word in usage.split() if not word.isupper())


def test_the_readme_is_short() -> None:
    assert len(README.splitlines()) <= LONGEST_README


def test_settings() -> None:
    assert sorted(named(DOCS["settings"], "setting")) == sorted(
        f"{PREFIX}{name.upper()}" for name in Settings.model_fields
    )


def test_defaults_of_settings() -> None:
    spelled = {"None": "", "True": "`on`", "False": "`off`", "()": "`[]`"}
    defaults = {f"`{PREFIX}{name.upper()}`": field.default for name, field in Settings.model_fields.items()}
    for setting, default, _meaning in table(DOCS["settings"], "setting"):
        assert default == spelled.get(str(defaults[setting]), f"`{defaults[setting]}`")


def test_settings_outside_of_their_table() -> None:
    known = {f"{PREFIX}{name.upper()}" for name in Settings.model_fields}
    assert set(re.findall(rf"{PREFIX}[A-Z_]+", "".join([README, *DOCS.values()]))) <= known


def test_error_codes() -> None:
    assert sorted(named(DOCS["graphql"], "code")) == sorted(Code)


def test_events() -> None:
    assert [row[0].strip("`") for row in table(DOCS["webhooks"], "event")] == list(EventKind)


def test_the_signature_of_the_webhook() -> None:
    found = re.search(r"```http\n(.*?)\n\n(.*?)\n```", DOCS["webhooks"], re.DOTALL)
    assert found
    headers = dict(line.split(": ") for line in found[1].splitlines()[1:])
    secret = re.findall(r"`(whsec_\w+)`", DOCS["webhooks"])[-1]
    at = datetime.fromtimestamp(int(headers["webhook-timestamp"]), UTC)
    assert headers["webhook-signature"] == Webhook(secret).sign(headers["webhook-id"], at, found[2])


def test_sections_of_the_benchmark(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(ROOT / "scripts")
    assert named(DOCS["performance"], "section") == list(importlib.import_module("bench_run").SECTIONS)


def test_operators() -> None:
    assert sorted(named(DOCS["graphql"], "operator")) == sorted(Operator)


def test_rest_endpoints() -> None:
    methods = {f"{method} {address}" for address, methods in ROUTES.items() for method in methods}
    assert {name.replace("{id}", "{lead_id}") for name in named(DOCS["rest"], "endpoint")} == methods


def test_rest_filters() -> None:
    listed = DOCS["rest"].partition("You can filter by these fields:")[2].partition("\n\n")[0]
    assert re.findall(r"`([^`]+)`", listed) == [*FILTER_FIELDS, *LeadOfferStatus]


def test_rest_filters_of_figures() -> None:
    listed = DOCS["figures"].partition("other parameter is a condition")[2].partition(". ")[0]
    assert re.findall(r"`([^`]+)`", listed) == [*LEAD_FIELDS]


def test_rest_statuses() -> None:
    rows = table(DOCS["rest"], "status")
    statuses = {code: int(row[0]) for row in rows for code in re.findall(r"`([A-Z_]+)`", row[1])}
    graphql_only = {code for code in Code if code.startswith(("GRAPHQL_", "PERSISTED_", "DOCUMENT_", "CHANGES_"))}
    assert statuses == {code: code.status for code in set(Code) - graphql_only}


def test_commands() -> None:
    group = get_command(app)
    assert isinstance(group, TyperGroup)
    assert sorted(map(without_arguments, named(DOCS["commands"], "command"))) == sorted(command_names(group))


def test_options_of_commands() -> None:
    group = get_command(app)
    assert isinstance(group, TyperGroup)
    for usage, text in table(DOCS["commands"], "command"):
        words = without_arguments(usage.strip("`")).split()[1:]
        command = group
        for word in words:
            command = command.commands[word]  # type: ignore[assignment]
        options = set(chain.from_iterable(parameter.opts for parameter in command.params))
        assert set(re.findall(r"`(--[a-z-]+)`", text)) <= options


def queries() -> list[str]:
    """Return the documents in the blocks of GraphQL of all pages, and in the body that curl sends."""
    pages = "".join([README, *DOCS.values()])
    bodies = re.findall(r"-d '([^']+)'", pages)
    return re.findall(r"```graphql\n(.*?)```", pages, re.DOTALL) + [json.loads(body)["query"] for body in bodies]


@pytest.mark.parametrize("document", queries())
def test_queries_are_valid(document: str) -> None:
    assert validate(schema._schema, parse(document)) == []


def test_scripts_exist() -> None:
    pages = "".join([README, *DOCS.values()])
    for line in re.findall(r"^(scripts/\w+)", pages, re.MULTILINE) + re.findall(r"`(scripts/\w+)[^`]*`", pages):
        assert (ROOT / shlex.split(line)[0]).is_file(), line
