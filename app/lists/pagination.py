"""Pagination: filters, sorts, limits and counts a list in one statement, so that page and total share a snapshot."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Generic, TypeVar

from sqlalchemy import (
    BigInteger,
    BindParameter,
    ColumnElement,
    Integer,
    Select,
    String,
    Table,
    and_,
    case,
    cast,
    column,
    func,
    inspect,
    literal,
    literal_column,
    or_,
    true,
    union_all,
)
from sqlalchemy import select as select_columns
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.orm import aliased
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement
from sqlmodel import SQLModel, select
from sqlmodel.ext.asyncio.session import AsyncSession

from app.db.functions import member_of
from app.db.indexed_parts import IndexedPart
from app.db.list_fields import NO_FIELDS, Fields, FilteredRow
from app.db.sqlalchemy_internals import as_core
from app.lists import filters

DEFAULT_LIMIT = 10
MAX_LIMIT = 100

T = TypeVar("T", bound=SQLModel)

Visible = ColumnElement[bool] | tuple[IndexedPart, ...]
"""The rows that a viewer can see: one condition, or several parts."""


@dataclass(frozen=True, slots=True)
class PageRequest:
    """The page of a list that a client requests. `limit` has been clamped to 0 to 100."""

    where: filters.Where = filters.EVERYTHING
    sort: tuple[filters.Sort, ...] = ()
    limit: int = DEFAULT_LIMIT
    skip: int = 0


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """A page of a list. `total` counts every match, or is 0 if it was not requested."""

    total: int
    limit: int
    skip: int
    data: Sequence[T] = ()


@dataclass(frozen=True, slots=True)
class Extent:
    """The part of the sorted rows that a page shows, and the number of rows within which it ends.

    `limit` and `skip` may be parameters. `scan_limit` stands in the statement as a literal; see `scan_limit_for`.
    """

    limit: int | BindParameter[int]
    skip: int | BindParameter[int]
    scan_limit: int


def clamp(limit: int) -> int:
    """Return the limit that applies when a client requests `limit` rows (0 or more)."""
    return min(limit, MAX_LIMIT)


async def fetch_page(
    session: AsyncSession,
    model: type[T],
    visible: Visible,
    page: PageRequest,
    *,
    with_total: bool,
    fields: Fields = NO_FIELDS,
) -> Page[T]:
    """Read a page of the visible rows of `model`, and their total if requested, in one statement.

    `fields` are those that its filter and sort may use beyond the columns.
    """
    where = filters.bounded(page.where, page.sort)
    total = count_rows(model, visible, where, fields) if with_total else literal(0)
    extent = Extent(page.limit, page.skip, scan_limit_for(page.limit + page.skip))
    found = page_rows(model, visible, where, page.sort, extent, fields=fields).subquery()
    rows = aliased(model, found, adapt_on_names=True)

    one = select(literal(1).label("one")).subquery()  # a row that carries the total of an empty page
    statement = select(total, rows).select_from(one).outerjoin(rows, true())
    columns = {**columns_of(rows), **{each.field: found.c[each.field] for each in page.sort if each.field in fields}}
    ordered = statement.order_by(*filters.ordering(page.sort, columns))
    result = (await session.exec(ordered)).all()
    return Page(result[0][0], page.limit, page.skip, [row for _, row in result if row is not None])


def page_rows(
    model: type[SQLModel],
    visible: Visible,
    where: filters.Where,
    sort: Sequence[filters.Sort],
    extent: Extent,
    names: Collection[str] | None = None,
    *,
    fields: Fields = NO_FIELDS,
) -> Select[Any]:
    """Return the rows of a page, with at least the columns of these names or with all, and the fields it is sorted by.

    Each part of `visible` is read on its own, in the order of an index and no further than the page reaches, and then
    they are merged. Joined with OR, the database would read and sort every row that they match.
    """
    table, parts = table_of(model), _parts(visible, where)
    row = FilteredRow(table.c, fields)
    added = {each.field: row[each.field] for each in sort if each.field in fields}
    if len(parts) == 1:  # its rows have the same owner
        sort = [each for each in sort if each.field != parts[0].owner]
    needed = {*added, *(table.c.keys() if names is None else (*names, *(n for part in parts for n in part.earlier)))}
    selected = select_columns(
        *(added[name].label(name) if name in added else table.c[name] for name in sorted(needed))
    ).where(filters.matches(where, row))
    columns = {**_read_columns(table), **{name: column(name, field.type) for name, field in added.items()}}
    read = [
        rows for part in parts for rows in _part_of_page(table, part, sort, selected, extent, row=row, columns=columns)
    ]
    if len(read) == 1:
        return read[0].limit(extent.limit).offset(extent.skip)  # in place of the limit of a part
    merged = union_all(*(_rows_of(rows) for rows in read))
    page = select_columns(*(columns[name] for name in sorted(needed))).select_from(merged.subquery())
    return page.order_by(*filters.ordering(sort, columns)).limit(extent.limit).offset(extent.skip)


def _part_of_page(
    table: Table,
    part: IndexedPart,
    sort: Sequence[filters.Sort],
    selected: Select[Any],
    extent: Extent,
    *,
    row: FilteredRow,
    columns: Mapping[str, ColumnElement[Any]],
) -> Iterator[Select[Any]]:
    """Yield the rows of a part in the order of an index, in one or two pieces. `columns` are those of rows read."""
    first = sort[0] if sort else filters.Sort("id")
    key, rest = row[first.field], filters.ordering(sort[1:], row)
    descends = part.is_descending_in_index(table, first.field)
    matching = as_core(selected.where(part.rows))

    if descends is None and part.owner is not None:
        # Otherwise PostgreSQL might read an index that has this order, but of the rows of all users.
        found = _rows_of(matching.offset(literal_column("0")))
        pieces = [found.order_by(*filters.ordering(sort, columns)).limit(_ScanLimit(extent))]
    elif descends is not None and key.nullable and descends is not first.descending:
        # The index has nulls at the wrong end for this direction.
        backwards = key.asc().nulls_first() if descends else key.desc().nulls_first()
        onwards = key.desc().nulls_last() if descends else key.asc().nulls_last()
        pieces = [
            matching.where(key.is_not(None)).order_by(backwards, *rest).limit(_ScanLimit(extent)),
            matching.where(key.is_(None)).order_by(onwards, *rest).limit(_ScanLimit(extent)),
        ]
        pieces = [_rows_of(piece).limit(_End(extent)) for piece in pieces]
    else:
        pieces = [matching.order_by(*filters.ordering(sort, row)).limit(_ScanLimit(extent))]

    for piece in pieces:
        if part.earlier:  # PostgreSQL keeps the order of the rows only if it is stated again
            yield _rows_of(piece).where(part.is_new(columns)).order_by(*filters.ordering(sort, columns))
        else:
            yield piece


def _rows_of(query: Select[Any]) -> Select[Any]:
    """Return the rows that a query returns, with the same columns."""
    return select_columns(literal_column("*")).select_from(query.subquery())


@lru_cache
def _read_columns(table: Table) -> dict[str, ColumnElement[Any]]:
    """Return the columns of rows that were read from a table. SQLAlchemy would copy all of them for each subquery."""
    columns: dict[str, ColumnElement[Any]] = {}
    for each in table.c:
        columns[each.name] = read = column(each.name, each.type)
        read.nullable = each.nullable  # type: ignore[attr-defined]
    return columns


def scan_limit_for(end: int) -> int:
    """Round the end of a page up to a power of ten, at least 100.

    The number stands in the statement as a literal. For a parameter, PostgreSQL's generic plan would assume a tenth of
    the table.
    """
    power = 100
    while power < end:
        power *= 10
    return power


class _End(FunctionElement[int]):
    """The number of rows within which a page ends."""

    inherit_cache = True
    type = Integer()

    def __init__(self, extent: Extent) -> None:
        super().__init__(extent.limit, extent.skip, literal_column(str(extent.scan_limit)))


class _ScanLimit(_End):
    """The number of rows to which PostgreSQL limits a part; it reads them only as far as the merged page needs them."""

    inherit_cache = True


@compiles(_End)
def _limit_and_skip(element: _End, compiler: SQLCompiler, **options: Any) -> str:
    """SQLite reads each part to its end before it merges them."""
    limit, skip, _ = (compiler.process(clause, **options) for clause in element.clauses)
    return f"{limit} + {skip}"


@compiles(_ScanLimit, "postgresql")
def _scan_limit(element: _ScanLimit, compiler: SQLCompiler, **options: Any) -> str:
    *_, scan_limit = element.clauses
    return compiler.process(scan_limit, **options)


def count_rows(
    model: type[SQLModel], visible: Visible, where: filters.Where, fields: Fields = NO_FIELDS
) -> ColumnElement[int]:
    """Count the matching rows, each part of `visible` on its own so that an index alone can serve it."""
    table = table_of(model)
    count = select_columns(func.count()).select_from(table).where(filters.matches(where, FilteredRow(table.c, fields)))
    parts = _parts(visible, where)
    counts = [as_core(count.where(part.rows, part.is_new(table.c))).scalar_subquery() for part in parts]
    return sum(counts[1:], start=counts[0])


def counts_by(
    name: str, model: type[SQLModel], visible: Visible, where: filters.Where, fields: Fields = NO_FIELDS
) -> Select[Any]:
    """Count the matching rows by the value of an enum column: `value`, `count`, in the order of the enum's members."""
    table, value = table_of(model), column("value", table_of(model).c[name].type)
    group = select_columns(table.c[name].label("value"), func.count().label("count"))
    group = group.where(filters.matches(where, FilteredRow(table.c, fields))).group_by(table.c[name])
    groups = [as_core(group.where(part.rows, part.is_new(table.c))) for part in _parts(visible, where)]
    total = func.sum(column("count", BigInteger)).cast(BigInteger).label("count")
    kind = table.c[name].type.enum_class  # type: ignore[attr-defined]
    place = case({member.name: number for number, member in enumerate(kind)}, value=cast(value, String))
    counts = select_columns(value, total, place.label("place")).select_from(union_all(*groups).subquery())
    return counts.group_by(value).order_by("place")


def _parts(visible: Visible, where: filters.Where) -> tuple[IndexedPart, ...]:
    """Return the parts that may have matching rows, at least one."""
    if not isinstance(visible, tuple):
        return (IndexedPart(visible, 0),)
    required = [*filters.required_flags(where)]
    left = [part for part in visible if all(dict(part.flags).get(r.field, r.value) is r.value for r in required)]
    return tuple(left) or visible[:1]


async def fetch_pages(
    session: AsyncSession,
    model: type[T],
    parent: str,
    parent_ids: Collection[int],
    visible: ColumnElement[bool],
    page: PageRequest,
    *,
    fields: Fields = NO_FIELDS,
) -> dict[int, Page[T]]:
    """Read a page of each parent's rows in one statement; return the pages by the parent's id.

    The first row of each parent is read even if the page skips it, because it carries the total.
    """
    columns = FilteredRow(columns_of(model), fields)
    order = filters.ordering(page.sort, columns)
    numbered = (
        select(
            model,
            func.row_number().over(partition_by=columns[parent], order_by=order).label("position"),
            func.count().over(partition_by=columns[parent]).label("total"),
        )
        .where(member_of(columns[parent], parent_ids), visible, filters.matches(page.where, columns))
        .subquery()
    )
    position = numbered.c.position
    on_page = and_(position > page.skip, position <= page.skip + page.limit)
    row = aliased(model, numbered)
    statement = select(row, numbered.c.total, position).where(or_(position == 1, on_page)).order_by(position)

    totals = dict.fromkeys(parent_ids, 0)
    data: dict[int, list[T]] = {parent_id: [] for parent_id in parent_ids}
    for child, total, at in await session.exec(statement):
        parent_id = getattr(child, parent)
        totals[parent_id] = total
        if page.skip < at <= page.skip + page.limit:
            data[parent_id].append(child)
    return {i: Page(totals[i], page.limit, page.skip, data[i]) for i in totals}


def table_of(model: type[SQLModel]) -> Table:
    """Return the table of a model."""
    table: Table = model.__table__  # type: ignore[attr-defined]
    return table


def columns_of(model: Any) -> dict[str, ColumnElement[Any]]:
    """Return the columns of a table, or of an alias of a table, by name."""
    return {name: getattr(model, name) for name in inspect(model).mapper.column_attrs.keys()}  # noqa: SIM118
