"""Fields by which lists are filtered and sorted, beyond the columns of their tables."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Table


@dataclass(frozen=True, slots=True)
class Flag:
    """A question about a row: the condition of either answer. A row may match neither, if the viewer may not know."""

    yes: ColumnElement[bool]
    no: ColumnElement[bool]


@dataclass(frozen=True, slots=True)
class RelatedRow:
    """The row of another table that a row refers to by an id, which may be null."""

    table: Table
    id: ColumnElement[Any]
    fields: "Fields"


Fields = Mapping[str, Callable[[Any], ColumnElement[Any] | Flag | RelatedRow]]
"""Fields by name, each made from the columns of a row."""

NO_FIELDS: Fields = {}


class FilteredRow:
    """The columns of a row, and its further fields, by name."""

    __slots__ = ("_columns", "_fields")

    def __init__(self, columns: Any, fields: Fields) -> None:
        self._columns, self._fields = columns, fields

    def __getitem__(self, name: str) -> Any:
        return self._fields[name](self._columns) if name in self._fields else self._columns[name]
