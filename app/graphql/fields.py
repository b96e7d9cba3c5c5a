"""Declarations of fields: how a field of an object is read from the row that the object shows.

| declaration        | reads                                                              | in a compiled plan |
|--------------------|--------------------------------------------------------------------|--------------------|
| `column`           | the column of that name                                            | a column           |
| `reference`        | the row that a foreign key names                                   | a join             |
| `restricted`       | a column, or null where an access rule does not grant it           | an expression      |
| `computed`         | a condition on the row and the viewer                              | an expression      |
| `resolved`         | whatever the resolver returns; as SQL too if `expression` is given | an expression      |

The first four are declared once, and both ways of answering follow from the declaration: resolvers, which load rows
and conditions in batches, and compiled plans (`app.graphql.plans`). A field without any SQL is left to its resolver.

Every declaration needs a description: GraphiQL shows it to people who see nothing else of the server.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import strawberry
from sqlalchemy import ColumnElement, case
from sqlmodel import SQLModel

from app.access.field_access import AccessContext, AccessRule, Condition
from app.graphql.context import Info

Expression = Callable[[Any, AccessContext], ColumnElement[Any]]
"""The value of a field as SQL, made from the columns of the object's row and the viewer."""


@dataclass(frozen=True, slots=True)
class Reference:
    """How an object is reached from a row: the column with the object's id, and the object's table."""

    key: str
    model: type[SQLModel]


@dataclass(frozen=True, slots=True)
class Computed:
    """How a compiled plan reads a field that is no plain column. A non-null field needs a non-null expression."""

    expression: Expression


def column(description: str) -> Any:
    """Declare a field that shows the column of its name, or the attribute where the object is no row."""
    return strawberry.field(description=description)


def resolved(resolver: Callable[..., Any], description: str, expression: Expression | None = None) -> Any:
    """Declare a field whose resolver returns the row, or the page of rows, that the field shows.

    Strawberry reads attributes, so rows need not be copied into GraphQL types. The result is Any because the type
    checker cannot know that a `models.Lead` will do where a `Lead` is declared. `expression` must equal the resolver.
    """
    metadata = {Computed: Computed(expression)} if expression else None
    return strawberry.field(resolver=resolver, description=description, metadata=metadata)


def restricted(column: str, rule: AccessRule, description: str) -> Any:
    """Declare a field that shows a column, or null where the rule does not grant it to the viewer."""

    async def resolve(root: Any, info: Info) -> Any:
        return getattr(root, column) if await info.context.can_read(root, rule) else None

    def expression(row: Any, context: AccessContext) -> ColumnElement[Any]:
        return case((rule.sql(row, context), row[column]))

    return resolved(resolve, description, expression)


def computed(model: type[SQLModel], condition: Condition, description: str) -> Any:
    """Declare a Boolean field that says whether a condition holds for a row of `model` and the viewer."""

    async def resolve(root: Any, info: Info) -> Any:
        return await info.context.loaders.condition(model, condition).load(root.id)

    return resolved(resolve, description, condition)


def reference(key: str, model: type[SQLModel], description: str) -> Any:
    """Declare a field that shows the row of `model` whose id is in the column `key`; null where the column is null."""

    async def resolve(root: Any, info: Info) -> Any:
        row_id = getattr(root, key)
        return None if row_id is None else await info.context.loaders.row(model).load(row_id)

    return strawberry.field(resolver=resolve, description=description, metadata={Reference: Reference(key, model)})


def payload(kind: Any, **rows: Any) -> Any:
    """Build an instance of a payload type whose fields hold rows."""
    return kind(**rows)
