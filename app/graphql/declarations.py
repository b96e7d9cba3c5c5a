"""Declarations: how the value of a field is read. The resolvers and the compiled plans both follow from them.

They are the metadata of Strawberry's fields, put there by the functions in `fields`. A field without any shows the
column of its own name.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement
from sqlmodel import SQLModel

from app.access.field_access import AccessContext, AccessRule
from app.access.list_fields import no_fields
from app.config import Settings
from app.db.list_fields import Fields
from app.lists.pagination import Visible

Expression = Callable[[Any, AccessContext], ColumnElement[Any]]
"""The value of a field as SQL, made from the columns of the object's row and the viewer."""

VisibleRows = Callable[[AccessContext], Visible]
"""The condition on the rows that the viewer can see, perhaps in parts."""

VisibleRow = Callable[[AccessContext], ColumnElement[bool]]
"""The condition on the rows that the viewer can see, always as one expression."""

ListFields = Callable[[AccessContext], Fields]
"""The fields by which a list is filtered and sorted, beyond the columns of its table."""


@dataclass(frozen=True, slots=True)
class Computed:
    """An expression. A non-null field needs a non-null expression."""

    expression: Expression


@dataclass(frozen=True, slots=True)
class Reference:
    """The object whose id is in the column `key` of this row, or is the value of an expression.

    It is null where `rule` does not grant it.
    """

    key: str | Expression
    model: type[SQLModel]
    rule: AccessRule | None = None


@dataclass(frozen=True, slots=True)
class Via:
    """The table between a row and its children: its model, and the columns with the ids of either."""

    model: type[SQLModel]
    parent: str
    child: str


@dataclass(frozen=True, slots=True)
class Children:
    """All rows of `model` that belong to this row: `parent` names their column with its id, unless there is a `via`.

    `order` names columns, whose nulls come last, or has expressions that say whether they ascend. With `only`, the list
    has the rows that the expression holds for. With `column`, the list holds that column's values instead of objects.
    It is null where `rule` does not grant it.
    """

    model: type[SQLModel]
    order: tuple[str | Expression, ...]
    parent: str = ""
    via: Via | None = None
    column: str | None = None
    rule: AccessRule | None = None
    only: Expression | None = None


@dataclass(frozen=True, slots=True)
class NestedPage:
    """A page of the rows of `model` that belong to this row and that the viewer can see. Null where not granted.

    `parent` names their column with the id of this row. If it is None, the rows are the same for every row.
    """

    model: type[SQLModel]
    parent: str | None
    visible: VisibleRow
    rule: AccessRule | None = None
    fields: ListFields = no_fields


@dataclass(frozen=True, slots=True)
class Embedded:
    """An object made of columns of this row: pairs of a field and a column.

    It is null where one of the columns is, and where `rule` does not grant it.
    """

    columns: tuple[tuple[str, str], ...]
    rule: AccessRule


@dataclass(frozen=True, slots=True)
class Derived:
    """Objects that a function makes of facts: of a JSON text that an expression over this row reads.

    The fields of the objects show attributes, or rows whose ids are in attributes. `related` is the condition on the
    rows that they can show, by the columns of their table and the id of this row. It is null where `rule` does not
    grant it.
    """

    facts: Expression
    derive: Callable[[Any, Settings], Sequence[Any]]
    related: Callable[[Any, Any], ColumnElement[bool]]
    rule: AccessRule


@dataclass(frozen=True, slots=True)
class RootPage:
    """A page of all rows of `model` that the viewer can see.

    With `within`, an argument of that name may give the id in that column that the listed rows must have.
    """

    model: type[SQLModel]
    visible: VisibleRows
    within: str | None = None
    fields: ListFields = no_fields


@dataclass(frozen=True, slots=True)
class RootCounts:
    """How many rows of `model` that the viewer can see have each value of an enum column, in the enum's order.

    The objects have the value in the field with the column's name, and the number in `count`.
    """

    model: type[SQLModel]
    column: str
    visible: VisibleRows
    fields: ListFields = no_fields


@dataclass(frozen=True, slots=True)
class Lookup:
    """The row of `model` with the id in the argument, or null if the viewer cannot see it."""

    model: type[SQLModel]
    visible: VisibleRow


@dataclass(frozen=True, slots=True)
class Viewer:
    """The row of the viewer."""

    model: type[SQLModel]


Declaration = (
    Computed | Reference | Children | NestedPage | Embedded | Derived | RootPage | RootCounts | Lookup | Viewer
)
DECLARATIONS = (Computed, Reference, Children, NestedPage, Embedded, Derived, RootPage, RootCounts, Lookup, Viewer)
