"""schema.graphql matches the code, and the documents of front ends stay valid."""

import re
from pathlib import Path

import pytest
from graphql import (
    build_schema,
    is_enum_type,
    is_input_object_type,
    is_object_type,
    is_specified_scalar_type,
    parse,
    validate,
)

from app.graphql.schema import sdl

ROOT = Path(__file__).parents[2]
PRINTED = (ROOT / "schema.graphql").read_text()
DOCUMENTS = sorted((ROOT / "tests/documents").glob("*.graphql"))


def test_the_schema_file_is_up_to_date() -> None:
    assert sdl() == PRINTED, "stale: lead-offers schema > schema.graphql"


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.stem)
def test_documents_of_front_ends_are_valid(document: Path) -> None:
    assert validate(build_schema(PRINTED), parse(document.read_text())) == []


def test_everything_is_described() -> None:
    """Every type, field, argument, input field and enum value: people read each of them on its own, in GraphiQL."""
    undescribed = []
    for name, kind in build_schema(PRINTED).type_map.items():
        if name.startswith("__") or is_specified_scalar_type(kind):
            continue
        described = {name: kind}
        if is_enum_type(kind):
            described |= {f"{name}.{value}": definition for value, definition in kind.values.items()}
        if is_object_type(kind) or is_input_object_type(kind):
            described |= {f"{name}.{field}": definition for field, definition in kind.fields.items()}
        if is_object_type(kind):
            for field, definition in kind.fields.items():
                described |= {f"{name}.{field}({arg}:)": argument for arg, argument in definition.args.items()}
        undescribed += [path for path, definition in described.items() if not definition.description]
    assert undescribed == []


def test_every_deprecation_has_a_date() -> None:
    reasons = re.findall(r'@deprecated(?:\(reason: "([^"]*)"\))?', Path("schema.graphql").read_text())
    assert [reason for reason in reasons if not re.search(r"\b\d{4}-\d{2}-\d{2}\b", reason)] == []
