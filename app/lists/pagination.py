"""Pages of a list: filtered, sorted, cut and counted in one statement, so that page and total are of one snapshot."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from sqlalchemy import ColumnElement, Subquery, and_, func, inspect, literal, literal_column, or_, true, union_all
from sqlalchemy.orm import aliased
from sqlmodel import SQLModel, select
from sqlmodel.ext.asyncio.session import AsyncSession

from app.db.functions import member_of
from app.lists import filters

T = TypeVar("T", bound=SQLModel)

Found = ColumnElement[bool] | tuple[ColumnElement[bool], ...]
"""Which rows a viewer may find: one condition, or several of which at most one holds for any row."""


@dataclass(frozen=True, slots=True)
class PageOf(Generic[T]):
    """A part of a list. `total` counts every match; it is 0 where it was not asked for."""

    total: int
    limit: int
    skip: int
    data: Sequence[T] = ()


async def fetch_page(
    session: AsyncSession,
    model: type[T],
    found: Found,
    page: filters.Page,
    *,
    with_total: bool,
) -> PageOf[T]:
    """The page of those rows of `model` that the viewer may find (`found`). One statement."""
    where = filters.bounded(page.where, page.sort)
    total = count(model, found, where) if with_total else literal(0)
    rows = aliased(
        model,
        cut(model, found, where, page.sort, limit=page.limit, skip=page.skip, reach=reach(page.limit + page.skip)),
    )
    one = select(literal(1).label("one")).subquery()
    statement = select(total, rows).select_from(one).outerjoin(rows, true())
    ordered = statement.order_by(*filters.ordering(page.sort, columns_of(rows)))
    answer = (await session.exec(ordered)).all()
    return PageOf(answer[0][0], page.limit, page.skip, [row for _, row in answer if row is not None])


def cut(
    model: type[SQLModel],
    found: Found,
    where: filters.Where,
    sort: Sequence[filters.Sort],
    *,
    limit: Any,
    skip: Any,
    reach: int,
) -> Subquery:
    """The rows of a page that ends within the first `reach` rows.

    The parts of `found` are read each on its own, in the order of an index and no further than the page reaches, and
    then merged: joined with OR they would have all that they match read and sorted.
    """
    columns = columns_of(model)
    wanted = filters.matches(where, columns)
    parts = [select(model).where(part, wanted).order_by(*filters.ordering(sort, columns)) for part in _parts(found)]
    begun = [part.limit(literal_column(str(reach))).subquery() for part in parts]
    merged = begun[0] if len(begun) == 1 else union_all(*(part.select() for part in begun)).subquery()
    in_order = merged.select().order_by(*filters.ordering(sort, dict(merged.c.items())))
    return in_order.limit(limit).offset(skip).subquery()


def reach(end: int) -> int:
    """A power of ten, 100 or more, that a page which ends there lies within.

    It stands in the statement as it is: the database plans once for all values of its parameters, and would take an
    unknown limit for a tenth of the table.
    """
    power = 100
    while power < end:
        power *= 10
    return power


def count(model: type[SQLModel], found: Found, where: filters.Where) -> ColumnElement[int]:
    """How many rows match, counted apart for each part of `found`: from its index alone, where `where` allows that."""
    wanted = filters.matches(where, columns_of(model))
    counts = [select(func.count()).select_from(model).where(part, wanted).scalar_subquery() for part in _parts(found)]
    return sum(counts[1:], start=counts[0])


def _parts(found: Found) -> tuple[ColumnElement[bool], ...]:
    return found if isinstance(found, tuple) else (found,)


async def fetch_pages(
    session: AsyncSession,
    model: type[T],
    parent: str,
    parent_ids: Collection[int],
    found: ColumnElement[bool],
    page: filters.Page,
) -> dict[int, PageOf[T]]:
    """The page of each parent's rows, by the parent's id. One statement for all parents.

    The first row of each parent is read even where the page does not show it: it carries the total.
    """
    columns = columns_of(model)
    numbered = (
        select(
            model,
            func.row_number()
            .over(partition_by=columns[parent], order_by=filters.ordering(page.sort, columns))
            .label("place"),
            func.count().over(partition_by=columns[parent]).label("total"),
        )
        .where(member_of(columns[parent], parent_ids), found, filters.matches(page.where, columns))
        .subquery()
    )
    place = numbered.c.place
    shown = and_(place > page.skip, place <= page.skip + page.limit)
    row = aliased(model, numbered)
    statement = select(row, numbered.c.total, place).where(or_(place == 1, shown)).order_by(place)
    return _by_parent(parent, parent_ids, (await session.exec(statement)).all(), page)


def _by_parent(
    parent: str, parent_ids: Collection[int], rows: Sequence[Any], page: filters.Page
) -> dict[int, PageOf[Any]]:
    totals: dict[int, int] = dict.fromkeys(parent_ids, 0)
    data: dict[int, list[Any]] = {parent_id: [] for parent_id in parent_ids}
    for row, total, place in rows:
        parent_id = getattr(row, parent)
        totals[parent_id] = total
        if page.skip < place <= page.skip + page.limit:
            data[parent_id].append(row)
    return {i: PageOf(totals[i], page.limit, page.skip, data[i]) for i in totals}


def columns_of(model: Any) -> dict[str, ColumnElement[Any]]:
    """The columns of a table, or of an alias of one, by name."""
    return {name: getattr(model, name) for name in inspect(model).mapper.column_attrs.keys()}  # noqa: SIM118
