"""SQL as text, and JSON text of values, which the database spells: one column of text instead of rows.

Almost all of a statement is text from the beginning. SQLAlchemy compiles what has rules and values in it, such as pages
and access rules; building everything of its expressions took four times as long for a document that is new.

Measured on 2026-11-26 with PostgreSQL: 100 offers with everything nested take two thirds of the time of rows that
orjson spells, and ten take as long. On SQLite, `json_object` takes two thirds of the time of concatenated text. It
spells objects without lists, as it would parse the text of a list again. The texts equal those of orjson to the byte
(tests/graphql/test_plans.py).
"""

from collections.abc import Iterable, Mapping, Sequence
from enum import Enum
from typing import Any

from sqlalchemy import ClauseElement
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement


class Sql:
    """A piece of SQL: texts, and expressions of SQLAlchemy between them."""

    __slots__ = ("pieces",)

    def __init__(self, *pieces: "str | Sql | ClauseElement") -> None:
        self.pieces: list[str | ClauseElement] = []
        for piece in pieces:
            self.pieces += piece.pieces if isinstance(piece, Sql) else (piece,)

    @classmethod
    def joined(cls, separator: str, parts: Iterable["str | Sql | ClauseElement"]) -> "Sql":
        pieces: list[str | Sql | ClauseElement] = []
        for part in parts:
            pieces += [separator, part] if pieces else [part]
        return cls(*pieces)


class Spelled(Sql):
    """The JSON text of one value, which SQLite's `json_object` can also take as `value`."""

    __slots__ = ("value",)

    def __init__(self, text: Sql, value: Sql) -> None:
        super().__init__(text)
        self.value = value


class Template(FunctionElement[Any]):
    """A piece of SQL as an expression, or a whole statement."""

    inherit_cache = False

    def __init__(self, sql: Sql) -> None:
        super().__init__()
        self.pieces = sql.pieces


@compiles(Template)
def _compile(element: Template, compiler: SQLCompiler, **options: Any) -> str:
    return "".join(p if isinstance(p, str) else compiler.process(p, **options) for p in element.pieces)


Part = str | Sql
"""A piece of a JSON text: itself, or an expression whose value is a text and never null."""


class Kind(Enum):
    """How the value of a column or expression is spelled."""

    ID = "ID"
    INTEGER = "Int"
    BOOLEAN = "Boolean"
    TEXT = "String"
    NAME = "enum"
    """A member of an enum, stored by its name."""
    INSTANT = "DateTime"


MOST_MEMBERS = 50
"""Members of one `json_object`. A function of SQLite takes at most 100 arguments."""

QUOTED = frozenset({Kind.ID, Kind.NAME, Kind.INSTANT})

_SPELLED: Mapping[str, Mapping[Kind, tuple[str, str]]] = {
    "postgresql": {
        Kind.TEXT: ("to_json(", ")::text"),
        Kind.ID: ("(", ")::text"),
        Kind.INTEGER: ("(", ")::text"),
        Kind.INSTANT: ("to_char((", """) AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')"""),
        Kind.BOOLEAN: ("(", ")::text"),
        Kind.NAME: ("", ""),
    },
    "sqlite": {
        Kind.TEXT: ("json_quote(", ")"),
        Kind.ID: ("CAST(", " AS TEXT)"),
        Kind.INTEGER: ("CAST(", " AS TEXT)"),
        Kind.INSTANT: ("replace(substr(", ", 1, 23), ' ', 'T') || 'Z'"),  # kept as 2018-01-16 09:09:09.000000
        Kind.BOOLEAN: ("CASE ", " WHEN 1 THEN 'true' WHEN 0 THEN 'false' END"),
        Kind.NAME: ("", ""),
    },
}
"""The JSON text of a value, without quotes: what stands before and after the value. Null where the value is."""

_ALL = {"postgresql": ("string_agg(", ", ',')"), "sqlite": ("group_concat(", ", ',')")}
"""The texts of all rows, with commas between them; null where there is no row."""


def value(of: str | Sql | ClauseElement, kind: Kind, dialect: str, *, nullable: bool) -> list[Part]:
    """The parts of the JSON text of a value."""
    before, after = _SPELLED[dialect][kind]
    spelled = Sql(before, of, after)
    quoted: list[Part] = ['"', spelled, '"'] if kind in QUOTED else [spelled]
    text: list[Part] = [or_null(concatenated(quoted))] if nullable else quoted
    if dialect != "sqlite":
        return text
    if kind is Kind.BOOLEAN:
        return [Spelled(concatenated(text), Sql("json(", spelled, ")"))]
    return [Spelled(concatenated(text), spelled if kind in QUOTED else Sql(of))]


def or_null(text: Sql) -> Sql:
    return Sql("coalesce(", text, ", 'null')")


def shown(condition: str | Sql | ClauseElement, text: Sequence[Part]) -> Sql:
    """The text where the condition holds, else null."""
    if len(text) == 1 and isinstance(text[0], Spelled):
        value = Sql("CASE WHEN ", condition, " THEN ", text[0].value, " END")
        return Spelled(Sql("CASE WHEN ", condition, " THEN ", text[0], " ELSE 'null' END"), value)
    return Sql("CASE WHEN ", condition, " THEN ", concatenated(text), " ELSE 'null' END")


def concatenated(parts: Sequence[Part]) -> Sql:
    """One expression of several parts. In groups: SQLite takes no expression that is nested deeper than 1,000."""
    merged: list[Part] = []
    for part in parts:
        if isinstance(part, str) and merged and isinstance(merged[-1], str):
            merged[-1] += part
        else:
            merged.append(part)
    texts = [Sql(_quoted(part)) if isinstance(part, str) else part for part in merged]
    while len(texts) > 1:
        texts = [Sql("(", Sql.joined(" || ", texts[i : i + 8]), ")") for i in range(0, len(texts), 8)]
    return texts[0]


def members(fields: Sequence[tuple[str, Sequence[Part]]], dialect: str) -> list[Part]:
    """An object of these members. Their names are of GraphQL: letters, digits and underscores."""
    values = [_value(spelled) for _, spelled in fields]
    if dialect == "sqlite" and None not in values and len(values) <= MOST_MEMBERS:
        pairs = [Sql(f"'{name}', ", value) for (name, _), value in zip(fields, values, strict=True) if value]
        spelled = Sql("json_object(", Sql.joined(", ", pairs), ")")
        return [Spelled(spelled, spelled)]
    parts: list[Part] = ["{"]
    for place, (name, text) in enumerate(fields):
        parts += [f'{"," if place else ""}"{name}":', *text]
    return [*parts, "}"]


def _value(text: Sequence[Part]) -> Sql | None:
    """The member as a value of `json_object`; None if it has a list."""
    if len(text) != 1:
        return None
    (part,) = text
    if isinstance(part, str):
        return Sql(f"json({_quoted(part)})")
    return part.value if isinstance(part, Spelled) else None


def array(items: Sql, dialect: str) -> list[Part]:
    """A list of the texts in the column of a query, in its order."""
    before, after = _ALL[dialect]
    return [Sql("(SELECT '[' || coalesce(", before, "item", after, ", '') || ']' FROM (", items, ") AS items)")]


def _quoted(text: str) -> str:
    """A text of ours, written out."""
    return "'" + text.replace("'", "''") + "'"
