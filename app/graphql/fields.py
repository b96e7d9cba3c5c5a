"""Fields whose resolvers answer with the tables' rows."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import strawberry
from sqlalchemy import BindParameter, ColumnElement
from sqlmodel import SQLModel

from app.graphql.context import Info


@dataclass(frozen=True, slots=True)
class Reference:
    """How an object is reached from a row: the row's column that has its id, and its table."""

    key: str
    model: type[SQLModel]


@dataclass(frozen=True, slots=True)
class Asker:
    """Places in a statement: for the viewer's id, the moment, and whether the token has the scope `write`."""

    id: BindParameter[int]
    now: BindParameter[datetime]
    may_write: BindParameter[bool]


Sql = Callable[[Any, Asker], ColumnElement[Any]]
"""What a resolver computes, of a row's columns and who asks."""


@dataclass(frozen=True, slots=True)
class Computed:
    """How a field is computed where the document has a plan. Never null where the field may not be."""

    sql: Sql


def resolved(resolver: Callable[..., Any], description: str | None = None, sql: Sql | None = None) -> Any:
    """A field of the annotated GraphQL type, whose resolver returns the row (or page of rows) that it shows.

    Strawberry resolves by attribute, so that rows need not be copied into GraphQL types; only the type checker cannot
    know that a `models.Lead` will do where a `Lead` is declared, hence Any. `sql` gives the same as the resolver.
    """
    metadata = {Computed: Computed(sql)} if sql else None
    return strawberry.field(resolver=resolver, description=description, metadata=metadata)


def payload(kind: Any, **rows: Any) -> Any:
    """An instance of a payload type whose fields are rows, as `resolved` has it."""
    return kind(**rows)


def reference(key: str, model: type[SQLModel], description: str | None = None) -> Any:
    """A field that shows the row of `model` whose id the column `key` has; null where the column is null.

    It is loaded in batches, and joined where the document has a plan.
    """

    async def resolve(root: Any, info: Info) -> Any:
        row_id = getattr(root, key)
        return None if row_id is None else await info.context.loaders.row(model).load(row_id)

    return strawberry.field(resolver=resolve, description=description, metadata={Reference: Reference(key, model)})
