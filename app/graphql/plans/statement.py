"""The second pass: one statement that reads the page, its total, the joined rows, and the viewer's account."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import (
    BindParameter,
    Boolean,
    ColumnElement,
    Dialect,
    String,
    Subquery,
    and_,
    bindparam,
    cast,
    func,
    literal,
    literal_column,
    or_,
    select,
    true,
)
from sqlmodel import col

from app.access import visibility
from app.access.field_access import AccessContext
from app.db.compiled import CompiledQuery
from app.db.models import LeadOffer, User
from app.db.types import Id, UTCDateTime
from app.graphql.plans.selection import ME, PAGE, Format, SelectedColumn, Selection, table_of
from app.lists import filters
from app.lists.pagination import count_rows, page_rows

VIEWER = "viewer_id"
ADDRESS = "address"
"""The viewer's e-mail address, if the token names the user by it; else null."""
NOW = "moment"
MAY_WRITE = "may_write"
LEAD = "lead_id"
LIMIT = "page_limit"
SKIP = "page_skip"


def prepare(
    selection: Selection,
    dialect: Dialect,
    where: filters.Where,
    sort: Sequence[filters.Sort],
    scan_limit: int,
    of_lead: bool,
) -> CompiledQuery:
    """Compile the statement of a selection. `where` has placeholders instead of values.

    Each row has the total and the selected columns; an empty page is one row whose first column, the id, is null. There
    is no row at all if no active user has the viewer's id and address.
    """
    viewer = bindparam(VIEWER, type_=Id)
    context = AccessContext(viewer, bindparam(NOW, type_=UTCDateTime), bindparam(MAY_WRITE, type_=Boolean))
    found: Any = visibility.offer_halves(viewer)
    if of_lead:
        found = and_(visibility.offers(viewer), col(LeadOffer.lead_id) == bindparam(LEAD, type_=Id))
    limit, skip = bindparam(LIMIT, type_=Id), bindparam(SKIP, type_=Id)
    page = page_rows(LeadOffer, found, where, sort, limit=limit, skip=skip, scan_limit=scan_limit)
    total = count_rows(LeadOffer, found, where) if selection.with_total else literal(0)
    me = _account(viewer)
    sources: dict[int, Any] = {ME: me, PAGE: page}
    rows: Any = page
    for join in selection.joins:
        table = table_of(join.reference.model).alias()
        rows = rows.join(table, table.c.id == sources[join.source].c[join.reference.key], isouter=join.optional)
        sources[len(sources) - 1] = table
    columns = [_formatted(_found(sources[c.source].c, c, context), c.format_, dialect) for c in selection.columns]
    order = filters.ordering(sort, dict(page.c.items()))
    return CompiledQuery(select(total, *columns).select_from(me.outerjoin(rows, true())).order_by(*order), dialect)


def _account(viewer: BindParameter[int]) -> Subquery:
    address = bindparam(ADDRESS, type_=String)
    is_theirs = or_(address.is_(None), col(User.email) == address)
    return select(User).where(col(User.id) == viewer, col(User.is_active), is_theirs).subquery()


def _found(columns: Any, selected: SelectedColumn, context: AccessContext) -> ColumnElement[Any]:
    return selected.computed.expression(columns, context) if selected.computed else columns[selected.name]


def _formatted(column: ColumnElement[Any], format_: Format, dialect: Dialect) -> ColumnElement[Any]:
    match format_:
        case Format.ID:
            return cast(column, String)
        case Format.TIMESTAMP if dialect.name == "postgresql":
            in_utc = func.timezone(literal_column("'UTC'"), column)
            return func.to_char(in_utc, literal_column("""'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'"""))
        case Format.TIMESTAMP:
            wall_clock = cast(column, String)  # 2018-01-16 09:09:09.000000
            return func.substr(wall_clock, 1, 10) + "T" + func.substr(wall_clock, 12, 12) + "Z"
    return column
