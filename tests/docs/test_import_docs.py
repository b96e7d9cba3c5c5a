"""docs/import.md against the import: the lists, their fields, required fields, values and defaults."""

import re
from enum import StrEnum
from pathlib import Path

import pytest

from app.db.engine import Database
from app.domain.enums import ClaimedVia, DistributionTarget, OrderMethod, RequestStatus, TeamSelectionMethod
from app.importer import import_lists, parse
from app.importer.spec import LISTS, Field, ImportList
from tests.support.world import NOW

DOCS = (Path(__file__).parents[2] / "docs" / "import.md").read_text(encoding="utf-8")
SECTIONS = {part.partition("\n")[0]: part for part in re.split(r"^### ", DOCS, flags=re.MULTILINE)[1:]}

CHOICES: dict[str, type[StrEnum]] = {
    "order_method": OrderMethod,
    "request_status": RequestStatus,
    "distribution_target": DistributionTarget,
    "team_selection_method": TeamSelectionMethod,
    "claimed_via": ClaimedVia,
}


def rows(name: str) -> dict[str, tuple[str, str]]:
    """Return the value and the default of each documented field."""
    lines = re.findall(r"^\| `.*", SECTIONS[name], re.MULTILINE)
    cells = [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines]
    return {field.strip("`"): (value, default) for field, value, default in cells}


async def test_the_example(database: Database) -> None:
    (example,) = re.findall(r"```json\n(.*?)```", DOCS, re.DOTALL)
    async with database.write() as session:
        report = await import_lists(session, parse(example.encode()), NOW)
    assert report.lines() == ["users: 1 added, 0 already present", "teams: 1 added, 0 already present"]


def test_every_list_in_its_order() -> None:
    assert list(SECTIONS) == [kind.name for kind in LISTS]


@pytest.mark.parametrize("kind", LISTS, ids=lambda kind: str(kind.name))
def test_every_field(kind: ImportList) -> None:
    documented = rows(kind.name)
    assert sorted(documented) == sorted({"id", *kind.answers, *(field.name for field in kind.fields)})
    assert (documented["id"][1] == "required") == kind.numbered
    for field in kind.fields:
        value, default = documented[field.name]
        assert (default == "required") == field.required
        if field.to:
            assert value.startswith(f"one of {field.to}")
        if field.name in CHOICES:
            assert all(choice.value in value for choice in CHOICES[field.name])


@pytest.mark.parametrize(
    ("kind", "field"), [(kind, field) for kind in LISTS for field in kind.fields if field.default not in (None, (), "")]
)
def test_every_default(kind: ImportList, field: Field) -> None:
    default = field.default.value if isinstance(field.default, StrEnum) else str(field.default)
    assert rows(kind.name)[field.name][1].lower() == default.lower()
