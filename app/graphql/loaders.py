"""Dataloaders: the reads of one request, batched.

Keys that are requested in the same turn of the event loop are read by one statement, however many there are. A loader
is created on first use and lives as long as its request.

Subscriptions of one user share the loaders of an event. Variables are part of the key where a loader depends on them.
"""

import asyncio
from collections import defaultdict
from collections.abc import Hashable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

import orjson
from aiodataloader import DataLoader
from graphql.execution.values import VariableValues
from sqlalchemy import ColumnElement
from sqlalchemy import select as select_rows
from sqlmodel import SQLModel, select

from app.access.field_access import AccessContext
from app.db.engine import Database
from app.db.functions import member_of
from app.db.list_fields import Fields
from app.graphql.declarations import Children, Expression, VisibleRow
from app.lists.pagination import Page, PageRequest, columns_of, fetch_page, fetch_pages, table_of

if TYPE_CHECKING:
    from app.graphql.context import Context
    from app.graphql.plans.tree import ObjectTree

T = TypeVar("T", bound=SQLModel)
K = TypeVar("K")
V = TypeVar("V")


class SharedDataLoader(DataLoader[K, V]):
    """A dataloader of several tasks. One that is cancelled does not cancel what the others wait for."""

    def load(self, key: K) -> "asyncio.Future[V]":
        return asyncio.shield(super().load(key))


class Loaders:
    """The loaders of one request, or of an event that several subscriptions send."""

    def __init__(self, db: Database, access: AccessContext) -> None:
        self._db = db
        self._access = access
        self._rows: dict[type[SQLModel], DataLoader[int, Any]] = {}
        self._expressions: dict[Hashable, DataLoader[int, Any]] = {}
        self._children: dict[Children, DataLoader[int, list[Any]]] = {}
        self._object_texts: dict[Hashable, DataLoader[int, orjson.Fragment | None]] = {}
        self._pages: dict[Hashable, DataLoader[int, Any]] = {}
        self._same_pages: dict[Hashable, DataLoader[PageRequest, Any]] = {}
        self._make: type[DataLoader[Any, Any]] = DataLoader

    def share(self) -> None:
        """Prepare for use by several tasks, before any of them loads anything."""
        self._make = SharedDataLoader

    def row(self, model: type[T]) -> DataLoader[int, T]:
        """Rows of a table, by their id."""
        if model not in self._rows:

            async def load(ids: list[int]) -> list[Any]:
                key = columns_of(model)["id"]
                async with self._db.read() as session:
                    rows: Sequence[Any] = (await session.exec(select(model).where(member_of(key, ids)))).all()
                by_id = {row.id: row for row in rows}
                return [by_id.get(i) for i in ids]

            self._rows[model] = self._make(load)
        return self._rows[model]

    def expression(self, model: type[SQLModel], expression: Expression) -> DataLoader[int, Any]:
        """The value of an expression over a row of `model` and the viewer, by the row's id."""
        key = (model, expression)
        if key not in self._expressions:

            async def load(ids: list[int]) -> list[Any]:
                row = model.__table__.alias().c  # type: ignore[attr-defined]
                values: Any = select(row.id, expression(row, self._access)).where(member_of(row.id, ids))
                async with self._db.read() as session:
                    by_id = dict((await session.exec(values)).all())
                return [by_id.get(i) for i in ids]

            self._expressions[key] = self._make(load)
        return self._expressions[key]

    def object_texts(
        self, tree: "ObjectTree", variables: VariableValues, context: "Context"
    ) -> DataLoader[int, orjson.Fragment | None]:
        """The JSON texts of objects, by the ids of the rows that they show."""
        key = (tree, repr(variables.coerced) if tree.arguments else None)
        if key not in self._object_texts:
            assert context.plans is not None
            self._object_texts[key] = self._make(partial(context.plans.objects, tree, variables, context))
        return self._object_texts[key]

    def pages(
        self, model: type[T], parent: str, found: ColumnElement[bool], page: PageRequest, fields: Fields
    ) -> DataLoader[int, Page[T]]:
        """Pages of `model` nested in a list, by the id of the parent, which is in the column `parent`."""
        key = (model, page)
        if key not in self._pages:

            async def load(ids: list[int]) -> list[Page[T]]:
                pages = await self._db.read_page(
                    str(model.__tablename__),
                    lambda session: fetch_pages(session, model, parent, ids, found, page, fields=fields),
                )
                return [pages[i] for i in ids]

            self._pages[key] = self._make(load)
        return self._pages[key]

    def same_pages(self, model: type[T], visible: VisibleRow) -> DataLoader[PageRequest, Page[T]]:
        """Pages of the rows that the viewer can see of `model`, read once for all parents."""
        key = (model, visible)
        if key not in self._same_pages:

            async def load(pages: list[PageRequest]) -> list[Page[T]]:
                rows = visible(self._access)
                name = str(model.__tablename__)
                reads = [partial(fetch_page, model=model, visible=rows, page=page, with_total=True) for page in pages]
                return [await self._db.read_page(name, read) for read in reads]

            self._same_pages[key] = self._make(load)
        return self._same_pages[key]

    def children(self, read: Children) -> DataLoader[int, list[Any]]:
        """The rows that belong to a row, by its id and in the order that the declaration names."""
        if read not in self._children:

            async def load(ids: list[int]) -> list[list[Any]]:
                columns = columns_of(read.model)
                parent, rows = columns.get(read.parent), select_rows(read.model)
                if read.via is not None:
                    link = columns_of(read.via.model)
                    parent = link[read.via.parent]
                    rows = rows.join(read.via.model, columns["id"] == link[read.via.child])
                assert parent is not None
                row = table_of(read.model).c
                order = [
                    columns[each].asc().nulls_last() if isinstance(each, str) else each(row, self._access)
                    for each in read.order
                ]
                statement: Any = rows.add_columns(parent).where(member_of(parent, ids)).order_by(*order)
                if read.only is not None:
                    statement = statement.where(read.only(row, self._access))
                children: dict[int, list[Any]] = defaultdict(list)
                async with self._db.read() as session:
                    for row, parent_id in (await session.exec(statement)).all():
                        children[parent_id].append(row)
                return [children[i] for i in ids]

            self._children[read] = self._make(load)
        return self._children[read]
