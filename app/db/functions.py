"""SQL functions of our own, compiled for both databases: lists, rows as a parameter or as JSON, and text without case.

`IN (?, ?, …)` and `VALUES (?, ?, …), …` take one parameter per value. Both databases allow about 32,000 parameters, and
each number of them makes another statement. A list or rows bound as a single parameter keep the text of the statement
the same, so that it is compiled and prepared once.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime
from functools import cache, partial
from typing import Any

import orjson
from sqlalchemy import (
    BindParameter,
    Boolean,
    Column,
    ColumnElement,
    Dialect,
    Integer,
    String,
    TableValuedAlias,
    bindparam,
    column,
)
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.orm import Mapped
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.types import TypeDecorator, TypeEngine, UserDefinedType

from app.db.types import Text, UTCDateTime
from app.domain.bounds import LARGEST_INT, LATEST
from app.domain.case_folding import Folding, fold_text, fold_typed, folds

# Membership in a list


def member_of(
    column: ColumnElement[Any] | Mapped[Any], values: Collection[Any] | BindParameter[Any]
) -> ColumnElement[bool]:
    """Compare the column with a list of values, none of them null. The result is null where the column is null."""
    element: Any = column  # a mapped attribute has a type as well
    if not isinstance(values, BindParameter):
        values = list_value(values, element.type)
    return _MemberOf(element, values)


def list_value(values: Collection[Any], type_: TypeEngine[Any]) -> BindParameter[Any]:
    """Return a list of values as one parameter."""
    return bindparam(None, list(values), type_=_ValueList(type_))


def set_parameter(name: str, column: ColumnElement[Any]) -> BindParameter[Any]:
    """Return a parameter of a compiled statement that takes a list of the column's values."""
    return bindparam(name, type_=_ValueList(column.type))


class _ValueList(TypeDecorator[list[Any]]):
    """Values of one column's type: an array on PostgreSQL, a JSON text on SQLite."""

    impl = String
    cache_ok = True

    def __init__(self, of: TypeEngine[Any]) -> None:
        super().__init__()
        self.of = of

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        return ARRAY(self.of) if dialect.name == "postgresql" else String()

    def process_bind_param(self, value: list[Any] | None, dialect: Dialect) -> Any:
        if dialect.name == "postgresql" or value is None:
            return value
        bind = self.of.dialect_impl(dialect).bind_processor(dialect)
        return orjson.dumps([bind(v) for v in value] if bind else value).decode()


class _MemberOf(FunctionElement[bool]):
    inherit_cache = True
    type = Boolean()

    def self_group(self, against: Any = None) -> Any:
        """Keep SQLAlchemy from comparing the condition with 1, as it does on SQLite: no index serves that."""
        return self


@compiles(_MemberOf, "postgresql")
def _postgresql_member(element: _MemberOf, compiler: SQLCompiler, **options: Any) -> str:
    column, values = (compiler.process(clause, **options) for clause in element.clauses)
    return f"({column} = ANY ({values}))"


@compiles(_MemberOf, "sqlite")
def _sqlite_member(element: _MemberOf, compiler: SQLCompiler, **options: Any) -> str:
    column, values = (compiler.process(clause, **options) for clause in element.clauses)
    return f"({column} IN (SELECT value FROM json_each({values})))"  # noqa: S608


# Rows as a parameter


def rows_parameter(name: str, *columns: Column[Any]) -> TableValuedAlias:
    """Return a parameter of a compiled statement that takes a list of tuples with values of these columns."""
    rows = _ParameterRows(name, columns)
    return rows.table_valued(*(column(each.name, each.type) for each in columns), name=name)


class _RowList(UserDefinedType[Sequence[tuple[Any, ...]]]):
    """Rows with values of these columns, as the text of a JSON array."""

    cache_ok = False

    def __init__(self, columns: Sequence[Column[Any]]) -> None:
        self.columns = columns

    def bind_processor(self, dialect: Dialect) -> Callable[[Any], str]:
        binds = [(str(each.name), each.type.dialect_impl(dialect).bind_processor(dialect)) for each in self.columns]

        def as_object(row: tuple[Any, ...]) -> dict[str, Any]:
            return {name: bind(value) if bind else value for (name, bind), value in zip(binds, row, strict=True)}

        return lambda rows: orjson.dumps([as_object(row) for row in rows]).decode()


class _ParameterRows(FunctionElement[Any]):
    inherit_cache = False

    def __init__(self, name: str, columns: Sequence[Column[Any]]) -> None:
        super().__init__(bindparam(name, type_=_RowList(columns)))
        self.of = columns


@compiles(_ParameterRows, "postgresql")
def _postgresql_rows(element: _ParameterRows, compiler: SQLCompiler, **options: Any) -> str:
    columns = ", ".join(f"{each.name} {each.type.compile(compiler.dialect)}" for each in element.of)
    rows = compiler.process(element.clauses, **options)
    return f"(SELECT * FROM json_to_recordset(CAST({rows} AS JSON)) AS given({columns}))"  # noqa: S608


@compiles(_ParameterRows, "sqlite")
def _sqlite_rows(element: _ParameterRows, compiler: SQLCompiler, **options: Any) -> str:
    columns = ", ".join(f"json_extract(value, '$.{each.name}') AS {each.name}" for each in element.of)
    rows = compiler.process(element.clauses, **options)
    return f"(SELECT {columns} FROM json_each({rows}))"  # noqa: S608


# All values of a group as a list


def gathered(value: ColumnElement[int]) -> ColumnElement[list[int]]:
    """Return the values of a group, with its nulls, in any order."""
    return _Gathered(value)


class _IntegerList(UserDefinedType[list[int]]):
    """Integers: a list on PostgreSQL, or null for no rows, and a JSON text on SQLite."""

    cache_ok = True

    def result_processor(self, dialect: Dialect, coltype: object) -> Callable[[Any], list[int]]:
        return orjson.loads if dialect.name == "sqlite" else lambda values: values or []


class _Gathered(FunctionElement[list[int]]):
    inherit_cache = True
    type = _IntegerList()


@compiles(_Gathered)
def _gathered(element: _Gathered, compiler: SQLCompiler, **options: Any) -> str:
    function = "json_group_array" if compiler.dialect.name == "sqlite" else "array_agg"
    return f"{function}({compiler.process(element.clauses, **options)})"


# Rows as one JSON text


def json_row(*values: Any) -> ColumnElement[str]:
    """Return the values as a JSON array. A value that is JSON itself, also by a subquery, is nested."""
    return _JsonRow(*values)


def json_rows(*values: Any) -> ColumnElement[str]:
    """Return a JSON array of the arrays of these values, one of each row of a group, in any order."""
    return _JsonRows(_JsonRow(*values))


class _Json(UserDefinedType[str]):
    """A JSON text."""

    cache_ok = True


class _JsonRow(FunctionElement[str]):
    inherit_cache = True
    type = _Json()


class _JsonRows(FunctionElement[str]):
    inherit_cache = True
    type = _Json()


@compiles(_JsonRow, "postgresql")
def _postgresql_json_row(element: _JsonRow, compiler: SQLCompiler, **options: Any) -> str:
    return f"json_build_array({compiler.process(element.clauses, **options)})"


@compiles(_JsonRow, "sqlite")
def _sqlite_json_row(element: _JsonRow, compiler: SQLCompiler, **options: Any) -> str:
    """SQLite takes the JSON of a subquery as a text, unless `json` says what it is."""
    texts = [(isinstance(each.type, _Json), compiler.process(each, **options)) for each in element.clauses]
    return f"json_array({', '.join(f'json({text})' if is_json else text for is_json, text in texts)})"


@compiles(_JsonRows, "postgresql")
def _postgresql_json_rows(element: _JsonRows, compiler: SQLCompiler, **options: Any) -> str:
    return f"coalesce(json_agg({compiler.process(element.clauses, **options)}), '[]')"


@compiles(_JsonRows, "sqlite")
def _sqlite_json_rows(element: _JsonRows, compiler: SQLCompiler, **options: Any) -> str:
    return f"json_group_array({compiler.process(element.clauses, **options)})"


# Text without regard to case


def folded(text: ColumnElement[Any], folding: Folding = Folding.TEXT) -> ColumnElement[str]:
    """Return the text without regard to case. Values that it is compared with are folded as well."""
    return text if isinstance(text.type, _FoldedText) else _Folded(text, folding)


def position_in(text: ColumnElement[str], part: Any) -> ColumnElement[int]:
    """Return where the first `part` begins in the text, from 1, or 0. An empty part is at 1. Null for a null text."""
    return _Position(text, part)


class _FoldedText(TypeDecorator[str]):
    """Folded text."""

    impl = Text
    cache_ok = True

    def __init__(self, folding: Folding) -> None:
        super().__init__()
        self.folding = folding

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        return None if value is None else fold_typed(value, self.folding)


class _Folded(FunctionElement[str]):
    inherit_cache = True

    def __init__(self, text: ColumnElement[Any], folding: Folding) -> None:
        self.folding, self.type = folding, _FoldedText(folding)
        table: BindParameter[str] = bindparam(folding.value, _folds_as_json(folding), type_=String)
        super().__init__(text, table)


@cache
def _folds_as_json(folding: Folding) -> str:
    return orjson.dumps(folds(folding)).decode()


@compiles(_Folded, "postgresql")
def _postgresql_folded(element: _Folded, compiler: SQLCompiler, **options: Any) -> str:
    """The table is parsed once for a statement, and used for texts that are not all ASCII."""
    text, table = (compiler.process(clause, **options) for clause in element.clauses)
    fold = f"coalesce((SELECT CAST({table} AS jsonb)) ->> c, c)"
    characters = f"unnest(string_to_array({text}, NULL)) WITH ORDINALITY AS characters(c, n)"
    by_table = f"(SELECT string_agg({fold}, '' ORDER BY n) FROM {characters})"  # noqa: S608
    is_ascii = f"octet_length({text}) = char_length({text})"
    return f'(CASE WHEN {is_ascii} THEN lower({text}) ELSE {by_table} END COLLATE "C")'


@compiles(_Folded, "sqlite")
def _sqlite_folded(element: _Folded, compiler: SQLCompiler, **options: Any) -> str:
    text, _ = element.clauses
    return f"{element.folding.value}({compiler.process(text, **options)})"


SQLITE_FUNCTIONS: Mapping[str, Callable[[str | None], str | None]] = {
    folding.value: partial(lambda folding, text: None if text is None else fold_text(text, folding), folding)
    for folding in Folding
}
"""The functions of one argument that every connection to SQLite needs, by name."""


class _Position(FunctionElement[int]):
    inherit_cache = True
    type = Integer()


@compiles(_Position)
def _position(element: _Position, compiler: SQLCompiler, **options: Any) -> str:
    function = "instr" if compiler.dialect.name == "sqlite" else "strpos"
    return f"{function}({compiler.process(element.clauses, **options)})"


# The time between two timestamps


def seconds_between(begin: ColumnElement[Any], end: ColumnElement[Any]) -> ColumnElement[int]:
    """Return the whole seconds from `begin` to `end`, from 0 to the largest Int. Null if either of them is null.

    `whole_seconds_between` (`app/domain/timestamps.py`) is the same in Python.
    """
    return _SecondsBetween(begin, end)


class _SecondsBetween(FunctionElement[int]):
    inherit_cache = True
    type = Integer()


@compiles(_SecondsBetween, "postgresql")
def _postgresql_seconds(element: _SecondsBetween, compiler: SQLCompiler, **options: Any) -> str:
    begin, end = (compiler.process(clause, **options) for clause in element.clauses)
    seconds = f"least(greatest(trunc(extract(epoch FROM {end} - {begin})), 0), {LARGEST_INT})"
    return f"CASE WHEN {end} - {begin} IS NOT NULL THEN CAST({seconds} AS INTEGER) END"  # least and greatest skip nulls


@compiles(_SecondsBetween, "sqlite")
def _sqlite_seconds(element: _SecondsBetween, compiler: SQLCompiler, **options: Any) -> str:
    """SQLite stores a timestamp as a text, `2018-01-16 09:09:09.000000`, of which strftime drops the fraction."""
    begin, end = (
        f"(CAST(strftime('%s', {text}) AS INTEGER) * 1000 + CAST(substr({text}, 21, 3) AS INTEGER))"
        for text in (compiler.process(clause, **options) for clause in element.clauses)
    )
    return f"min(max(({end} - {begin}) / 1000, 0), {LARGEST_INT})"


# A timestamp some minutes later


def minutes_after(begin: ColumnElement[Any] | Mapped[Any], minutes: ColumnElement[int]) -> ColumnElement[datetime]:
    """Return the timestamp so many minutes after `begin`, at most LATEST. Null if one of them is null.

    `later` (`app/domain/timestamps.py`) is the same in Python.
    """
    element: Any = begin  # a mapped attribute is an element as well
    return _MinutesAfter(element, minutes)


class _MinutesAfter(FunctionElement[datetime]):
    inherit_cache = True
    type = UTCDateTime()


_LATEST = f"{LATEST:%Y-%m-%d %H:%M:%S.%f}"


@compiles(_MinutesAfter, "postgresql")
def _postgresql_minutes(element: _MinutesAfter, compiler: SQLCompiler, **options: Any) -> str:
    begin, minutes = (compiler.process(clause, **options) for clause in element.clauses)
    moment = f"SELECT {begin} + make_interval(mins => {minutes}) AS at"
    return f"(SELECT least(at, '{_LATEST}+00') FROM ({moment}) AS moment WHERE at IS NOT NULL)"  # noqa: S608


@compiles(_MinutesAfter, "sqlite")
def _sqlite_minutes(element: _MinutesAfter, compiler: SQLCompiler, **options: Any) -> str:
    """SQLite stores a timestamp as a text with microseconds, of which strftime writes the milliseconds."""
    begin, minutes = (compiler.process(clause, **options) for clause in element.clauses)
    moment = f"strftime('%Y-%m-%d %H:%M:%f', min({begin}, '{_LATEST}'), {minutes} || ' minutes') || '000'"
    return f"min({moment}, '{_LATEST}')"
