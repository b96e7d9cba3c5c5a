"""Membership in a set of any size, as one bound value.

`IN (?, ?, …)` takes a parameter a value, of which both databases allow some 32,000, and makes a new statement for
every number of them. Here a set is one parameter, so that a statement is prepared once.
"""

from collections.abc import Collection
from typing import Any

import orjson
from sqlalchemy import BindParameter, Boolean, ColumnElement, Dialect, String, bindparam
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.orm import Mapped
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.types import TypeDecorator, TypeEngine


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


@compiles(_MemberOf, "postgresql")
def _any(element: _MemberOf, compiler: SQLCompiler, **options: Any) -> str:
    column, values = (compiler.process(clause, **options) for clause in element.clauses)
    return f"({column} = ANY ({values}))"


@compiles(_MemberOf, "sqlite")
def _json_each(element: _MemberOf, compiler: SQLCompiler, **options: Any) -> str:
    column, values = (compiler.process(clause, **options) for clause in element.clauses)
    return f"({column} IN (SELECT value FROM json_each({values})))"  # noqa: S608
