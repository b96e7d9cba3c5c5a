"""Pages of a list: filtered, sorted, cut and counted in one statement, so that page and total are of one snapshot."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from sqlalchemy import ColumnElement, and_, func, inspect, literal, or_, true
from sqlalchemy.orm import aliased
from sqlmodel import SQLModel, select
from sqlmodel.ext.asyncio.session import AsyncSession

from app import filters
from app.sets import member_of

T = TypeVar("T", bound=SQLModel)


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
    found: ColumnElement[bool],
    page: filters.Page,
    *,
    with_total: bool,
) -> PageOf[T]:
    """The page of those rows of `model` that the viewer may find (`found`). One statement."""
    columns = columns_of(model)
    wanted = and_(found, filters.matches(page.where, columns))
    total = select(func.count()).select_from(model).where(wanted).scalar_subquery() if with_total else literal(0)
    rows = select(model).where(wanted).order_by(*filters.ordering(page.sort, columns))
    cut = aliased(model, rows.limit(page.limit).offset(page.skip).subquery())
    one = select(literal(1).label("one")).subquery()
    statement = select(total, cut).select_from(one).outerjoin(cut, true())
    ordered = statement.order_by(*filters.ordering(page.sort, columns_of(cut)))
    answer = (await session.exec(ordered)).all()
    return PageOf(answer[0][0], page.limit, page.skip, [row for _, row in answer if row is not None])


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
