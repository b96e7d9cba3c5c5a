"""schema.graphql is what the code says, and what front ends have written against it stays valid."""

from pathlib import Path

import pytest
from graphql import build_schema, is_enum_type, is_input_object_type, is_object_type, parse, validate

from app.graphql.schema import sdl

ROOT = Path(__file__).parents[2]
PRINTED = (ROOT / "schema.graphql").read_text()
DOCUMENTS = sorted((ROOT / "tests/documents").glob("*.graphql"))


def test_the_schema_file_is_printed_from_the_code() -> None:
    assert sdl() == PRINTED, "stale: lead-offers schema > schema.graphql"


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.stem)
def test_documents_of_front_ends_are_valid(document: Path) -> None:
    assert validate(build_schema(PRINTED), parse(document.read_text())) == []


def test_whatever_needs_saying_is_described() -> None:
    """Every type and enum, every operation, and every argument's input; plain fields say enough by their names."""
    schema = build_schema(PRINTED)
    kinds = [
        t
        for t in schema.type_map.values()
        if (is_enum_type(t) or is_object_type(t) or is_input_object_type(t)) and not t.name.startswith("__")
    ]
    roots = [root for root in (schema.query_type, schema.mutation_type, schema.subscription_type) if root]
    silent = [t.name for t in kinds if not t.description and t not in roots]
    silent += [f"{root.name}.{name}" for root in roots for name, field in root.fields.items() if not field.description]
    assert silent == []
