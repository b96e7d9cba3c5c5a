"""Fields, each declared once: the resolver and the compiled plan both follow from the declaration.

| function           | the field shows                                                   | in a compiled plan    |
|--------------------|-------------------------------------------------------------------|-----------------------|
| `column`           | the column of its name                                            | a column              |
| `reference`        | the row that a foreign key names                                  | a join                |
| `reference_by`     | the row that an expression names; null where that is null         | an outer join         |
| `restricted`       | a column, or null where an access rule does not grant it          | an expression         |
| `computed`         | a condition on the row and the viewer                             | an expression         |
| `children`         | all rows that belong to the row, or the values of a column        | a subquery            |
| `nested_page`      | a page of the rows that belong to the row                         | a subquery            |
| `same_page`        | a page of rows that do not depend on the row                      | a subquery            |
| `embedded`         | an object made of columns of the row                              | columns               |
| `derived`          | objects that a function makes of what an expression reads         | an expression         |
| `root_page`        | a page of all rows that the viewer can see                        | a subquery            |
| `root_counts`      | how many rows that the viewer can see have each value of a column | a subquery            |
| `lookup`           | the row with the id in the argument                               | a subquery            |
| `resolved`         | whatever its resolver returns, and as SQL if there is a `read`    | as `read` says        |

Resolvers load rows and conditions in batches (`loaders`). They give every field its meaning; compiled plans
(`app.graphql.plans`) answer the same, to the byte, by one statement.

Every field needs a description: GraphiQL shows it to people who see nothing else of the server.
"""

from collections.abc import Callable, Sequence
from typing import Any

import orjson
import strawberry
from sqlalchemy import ColumnElement, case
from sqlmodel import SQLModel, select
from sqlmodel.ext.asyncio.session import AsyncSession
from strawberry import UNSET

from app.access.field_access import AccessContext, AccessRule
from app.access.list_fields import no_fields
from app.config import Settings
from app.domain.identifiers import parse_id
from app.graphql.context import Info
from app.graphql.declarations import (
    Children,
    Computed,
    Declaration,
    Derived,
    Embedded,
    Expression,
    ListFields,
    Lookup,
    NestedPage,
    Reference,
    RootCounts,
    RootPage,
    Via,
    VisibleRow,
    VisibleRows,
)
from app.graphql.inputs.pagination import LimitArgument, SkipArgument, SortArgument, WhereArgument, parse_page
from app.lists.pagination import DEFAULT_LIMIT, columns_of, counts_by, fetch_page


def column(description: str) -> Any:
    """Declare a field that shows the column of its name, or the attribute where the object is no row."""
    return strawberry.field(description=description)


def resolved(resolver: Callable[..., Any], description: str, read: Declaration | None = None) -> Any:
    """Declare a field whose resolver returns the row, or the page of rows, that the field shows.

    Strawberry reads attributes, so rows need not be copied into GraphQL types. The result is Any because the type
    checker cannot know that a `models.Lead` will do where a `Lead` is declared. `read` must equal the resolver.
    """
    metadata = {type(read): read} if read else None
    return strawberry.field(resolver=resolver, description=description, metadata=metadata)


def restricted(column: str, rule: AccessRule, description: str) -> Any:
    """Declare a field that shows a column, or null where the rule does not grant it to the viewer."""

    async def resolve(root: Any, info: Info) -> Any:
        return getattr(root, column) if await info.context.can_read(root, rule) else None

    def expression(row: Any, context: AccessContext) -> ColumnElement[Any]:
        return case((rule.sql(row, context), row[column]))

    return resolved(resolve, description, Computed(expression))


def computed(model: type[SQLModel], expression: Expression, description: str) -> Any:
    """Declare a field that shows the value of an expression over a row of `model` and the viewer."""

    async def resolve(root: Any, info: Info) -> Any:
        return await info.context.loaders.expression(model, expression).load(root.id)

    return resolved(resolve, description, Computed(expression))


def reference(key: str, model: type[SQLModel], description: str, *, rule: AccessRule | None = None) -> Any:
    """Declare a field that shows the row of `model` whose id is in the column `key`.

    It is null where the column is null, and where `rule` does not grant it to the viewer.
    """

    async def resolve(root: Any, info: Info) -> Any:
        row_id = getattr(root, key)
        if row_id is None or (rule is not None and not await info.context.can_read(root, rule)):
            return None
        return await info.context.loaders.row(model).load(row_id)

    return resolved(resolve, description, Reference(key, model, rule))


def reference_by(parent: type[SQLModel], key: Expression, model: type[SQLModel], description: str) -> Any:
    """Declare a field that shows the row of `model` whose id is the value of an expression over a row of `parent`."""

    async def resolve(root: Any, info: Info) -> Any:
        row_id = await info.context.loaders.expression(parent, key).load(root.id)
        return None if row_id is None else await info.context.loaders.row(model).load(row_id)

    return resolved(resolve, description, Reference(key, model))


def children(  # noqa: PLR0913  one for each attribute of Children
    model: type[SQLModel],
    description: str,
    *,
    order: tuple[str | Expression, ...],
    parent: str = "",
    via: Via | None = None,
    column: str | None = None,
    rule: AccessRule | None = None,
    only: Expression | None = None,
) -> Any:
    """Declare a field that lists all rows of `model` that belong to the row. See `Children`."""
    read = Children(model, order, parent, via, column, rule, only)

    async def resolve(root: Any, info: Info) -> Any:
        if rule is not None and not await info.context.can_read(root, rule):
            return None
        rows = await info.context.loaders.children(read).load(root.id)
        return rows if column is None else [getattr(row, column) for row in rows]

    return resolved(resolve, description, read)


def nested_page(  # noqa: PLR0913  one for each attribute of NestedPage, and the types of its arguments
    model: type[SQLModel],
    description: str,
    *,
    parent: str,
    visible: VisibleRow,
    where_type: Any,
    sort_type: Any,
    rule: AccessRule | None = None,
    fields: ListFields = no_fields,
) -> Any:
    """Declare a field that shows a page of the rows of `model` that belong to the row. See `NestedPage`."""

    async def resolve(
        root: Any,
        info: Info,
        where: WhereArgument[where_type] = UNSET,
        sort: SortArgument[sort_type] = UNSET,
        limit: LimitArgument = DEFAULT_LIMIT,
        skip: SkipArgument = 0,
    ) -> Any:
        page = parse_page(where, sort, limit, skip)
        if rule is not None and not await info.context.can_read(root, rule):
            return None
        access = info.context.access
        return await info.context.loaders.pages(model, parent, visible(access), page, fields(access)).load(root.id)

    return resolved(resolve, description, NestedPage(model, parent, visible, rule, fields))


def same_page(model: type[SQLModel], description: str, *, visible: VisibleRow, rule: AccessRule) -> Any:
    """Declare a field that shows a page of rows of `model`, by id, which are the same for every row that grants it."""

    async def resolve(root: Any, info: Info, limit: LimitArgument = DEFAULT_LIMIT, skip: SkipArgument = 0) -> Any:
        page = parse_page(None, None, limit, skip)
        if not await info.context.can_read(root, rule):
            return None
        return await info.context.loaders.same_pages(model, visible).load(page)

    return resolved(resolve, description, NestedPage(model, None, visible, rule))


def embedded(kind: Callable[..., Any], columns: dict[str, str], rule: AccessRule, description: str) -> Any:
    """Declare a field that shows an object made of columns of the row, by the names of its fields. See `Embedded`."""

    async def resolve(root: Any, info: Info) -> Any:
        values = {name: getattr(root, column) for name, column in columns.items()}
        if None in values.values() or not await info.context.can_read(root, rule):
            return None
        return kind(**values)

    return resolved(resolve, description, Embedded(tuple(columns.items()), rule))


def derived(
    model: type[SQLModel],
    facts: Expression,
    derive: Callable[[Any, Settings], Sequence[Any]],
    description: str,
    *,
    related: Callable[[Any, Any], ColumnElement[bool]],
    rule: AccessRule,
) -> Any:
    """Declare a field that lists objects made of facts about a row of `model`. See `Derived`."""

    async def resolve(root: Any, info: Info) -> Any:
        if not await info.context.can_read(root, rule):
            return None
        text = await info.context.loaders.expression(model, facts).load(root.id)
        return derive(orjson.loads(text), info.context.settings)

    return resolved(resolve, description, Derived(facts, derive, related, rule))


def root_page(
    model: type[SQLModel],
    visible: VisibleRows,
    where_type: Any,
    sort_type: Any,
    description: str,
    *,
    fields: ListFields = no_fields,
) -> Any:
    """Declare a query that lists the rows of `model` that the viewer can see. See `RootPage`."""

    async def resolve(
        info: Info,
        where: WhereArgument[where_type] = UNSET,
        sort: SortArgument[sort_type] = UNSET,
        limit: LimitArgument = DEFAULT_LIMIT,
        skip: SkipArgument = 0,
    ) -> Any:
        page, with_total = parse_page(where, sort, limit, skip), info.selects("total")
        rows, beyond = visible(info.context.access), fields(info.context.access)
        return await info.context.db.read_page(
            str(model.__tablename__),
            lambda session: fetch_page(session, model, rows, page, with_total=with_total, fields=beyond),
        )

    return resolved(resolve, description, RootPage(model, visible, fields=fields))


def root_counts(
    model: type[SQLModel],
    column: str,
    visible: VisibleRows,
    where_type: Any,
    kind: Callable[..., Any],
    description: str,
    *,
    fields: ListFields = no_fields,
) -> Any:
    """Declare a query that counts the rows of `model` by the values of a column. See `RootCounts`."""

    async def resolve(info: Info, where: WhereArgument[where_type] = UNSET) -> Any:
        access, asked = info.context.access, parse_page(where, None, None, None).where
        counts = counts_by(column, model, visible(access), asked, fields(access))

        async def read(session: AsyncSession) -> list[Any]:
            rows = await session.exec(counts)  # type: ignore[call-overload]
            return [kind(**{column: value, "count": count}) for value, count, _ in rows]

        return await info.context.db.read_page(str(model.__tablename__), read)

    return resolved(resolve, description, RootCounts(model, column, visible, fields))


def lookup(model: type[SQLModel], visible: VisibleRow, id_type: Any, description: str) -> Any:
    """Declare a query for the row of `model` with an id; null if the viewer cannot see it."""

    async def resolve(info: Info, id: id_type) -> Any:  # noqa: A002
        number = parse_id(id)
        if number is None:
            return None
        wanted = select(model).where(columns_of(model)["id"] == number, visible(info.context.access))
        async with info.context.db.read() as session:
            return (await session.exec(wanted)).one_or_none()

    return resolved(resolve, description, Lookup(model, visible))


def payload(kind: Any, **rows: Any) -> Any:
    """Build an instance of a payload type whose fields hold rows."""
    return kind(**rows)
