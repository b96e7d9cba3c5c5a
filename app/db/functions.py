"""Membership in a set of any size, and rows of any number, as one bound value.

`IN (?, ?, …)` and `VALUES (?, ?, …), …` take a parameter a value, of which both databases allow some 32,000, and make
a new statement for every number of them. Here they are one parameter, so that a statement is prepared once.
"""

from collections.abc import Callable, Collection, Sequence
from typing import Any

import orjson
from sqlalchemy import (
    BindParameter,
    Boolean,
    Column,
    ColumnElement,
    Dialect,
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


def member_of(
    column: ColumnElement[Any] | Mapped[Any], values: Collection[Any] | BindParameter[Any]
) -> ColumnElement[bool]:
    """Whether the column's value is one of `values`, which hold no null. Null where the column is null."""
    element: Any = column  # what is mapped has a type, too
    if not isinstance(values, BindParameter):
        values = bindparam(None, list(values), type_=_ValueSet(element.type))
    return _MemberOf(element, values)


def set_parameter(name: str, column: ColumnElement[Any]) -> BindParameter[Any]:
    """The place of a set of the column's values in a prepared statement; it is given a list."""
    return bindparam(name, type_=_ValueSet(column.type))


class _ValueSet(TypeDecorator[list[Any]]):
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
        """A condition as it stands: compared with 1, as SQLAlchemy would on SQLite, no index would serve it."""
        return self


@compiles(_MemberOf, "postgresql")
def _any(element: _MemberOf, compiler: SQLCompiler, **options: Any) -> str:
    column, values = (compiler.process(clause, **options) for clause in element.clauses)
    return f"({column} = ANY ({values}))"


@compiles(_MemberOf, "sqlite")
def _json_each(element: _MemberOf, compiler: SQLCompiler, **options: Any) -> str:
    column, values = (compiler.process(clause, **options) for clause in element.clauses)
    return f"({column} IN (SELECT value FROM json_each({values})))"  # noqa: S608


def rows_parameter(name: str, *columns: Column[Any]) -> TableValuedAlias:
    """The place of rows with values of these columns in a prepared statement; it is given a list of tuples."""
    rows = _GivenRows(name, columns)
    return rows.table_valued(*(column(each.name, each.type) for each in columns), name=name)


class _Rows(UserDefinedType[Sequence[tuple[Any, ...]]]):
    """Rows of values of these columns, as the text of a JSON array."""

    cache_ok = False

    def __init__(self, columns: Sequence[Column[Any]]) -> None:
        self.columns = columns

    def bind_processor(self, dialect: Dialect) -> Callable[[Any], str]:
        binds = [(each.name, each.type.dialect_impl(dialect).bind_processor(dialect)) for each in self.columns]

        def spell(row: tuple[Any, ...]) -> dict[str, Any]:
            return {name: bind(value) if bind else value for (name, bind), value in zip(binds, row, strict=True)}

        return lambda rows: orjson.dumps([spell(row) for row in rows]).decode()


class _GivenRows(FunctionElement[Any]):
    inherit_cache = False

    def __init__(self, name: str, columns: Sequence[Column[Any]]) -> None:
        super().__init__(bindparam(name, type_=_Rows(columns)))
        self.of = columns


@compiles(_GivenRows, "postgresql")
def _to_recordset(element: _GivenRows, compiler: SQLCompiler, **options: Any) -> str:
    columns = ", ".join(f"{each.name} {each.type.compile(compiler.dialect)}" for each in element.of)
    rows = compiler.process(element.clauses, **options)
    return f"(SELECT * FROM json_to_recordset(CAST({rows} AS JSON)) AS given({columns}))"  # noqa: S608


@compiles(_GivenRows, "sqlite")
def _extract(element: _GivenRows, compiler: SQLCompiler, **options: Any) -> str:
    columns = ", ".join(f"json_extract(value, '$.{each.name}') AS {each.name}" for each in element.of)
    rows = compiler.process(element.clauses, **options)
    return f"(SELECT {columns} FROM json_each({rows}))"  # noqa: S608
