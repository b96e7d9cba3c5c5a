"""The time between two instants, in SQL."""

from typing import Any

from sqlalchemy import ColumnElement, Integer
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement


def seconds_between(begin: ColumnElement[Any], end: ColumnElement[Any]) -> ColumnElement[int]:
    """Whole seconds from `begin` to `end`, cut towards zero. Null where one of them is."""
    return _Seconds(begin, end)


class _Seconds(FunctionElement[int]):
    inherit_cache = True
    type = Integer()


@compiles(_Seconds, "postgresql")
def _of_interval(element: _Seconds, compiler: SQLCompiler, **options: Any) -> str:
    begin, end = (compiler.process(clause, **options) for clause in element.clauses)
    return f"CAST(trunc(extract(epoch FROM {end} - {begin})) AS INTEGER)"


@compiles(_Seconds, "sqlite")
def _of_milliseconds(element: _Seconds, compiler: SQLCompiler, **options: Any) -> str:
    begin, end = (_milliseconds(compiler.process(clause, **options)) for clause in element.clauses)
    return f"(({end} - {begin}) / 1000)"


def _milliseconds(instant: str) -> str:
    """Of a text `2018-01-16 09:09:09.000000`, which is how SQLite has instants."""
    return f"(CAST(strftime('%s', {instant}) AS INTEGER) * 1000 + CAST(substr({instant}, 21, 3) AS INTEGER))"
