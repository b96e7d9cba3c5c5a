"""Second pass: from the tree to one SQL statement that spells the JSON text of the response.

The members of an object are spelled from the columns of its row. Rows that it refers to are joined to it. Lists and
pages are subqueries correlated by the id of their parent, so that each reads its parent's range of an index.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from sqlalchemy import (
    BindParameter,
    Boolean,
    ColumnElement,
    Dialect,
    FromClause,
    String,
    Subquery,
    and_,
    bindparam,
    case,
    or_,
    select,
)
from sqlmodel import SQLModel, col

from app.access.field_access import AccessContext, AccessRule
from app.db.compiled import CompiledQuery
from app.db.functions import member_of, set_parameter
from app.db.indexed_parts import IndexedPart
from app.db.models import User
from app.db.types import Id, UTCDateTime
from app.graphql.declarations import Expression, NestedPage, RootPage
from app.graphql.plans import spelling
from app.graphql.plans.spelling import Kind, Part
from app.graphql.plans.tree import (
    Constant,
    Data,
    Inlined,
    Limit,
    List,
    Lookup,
    Me,
    Member,
    Object,
    ObjectTree,
    Page,
    PageMember,
    QueryTree,
    Root,
    Scalar,
    Skip,
    Total,
    table_of,
)
from app.lists import filters
from app.lists.pagination import Extent, Visible, columns_of, count_rows, page_rows

VIEWER = "viewer_id"
ADDRESS = "address"
"""The viewer's e-mail address if the token names the user by it, else null."""
NOW = "moment"
MAY_WRITE = "may_write"
IDS = "ids"
"""The ids of the rows that are read, of an object plan."""


@dataclass(frozen=True, slots=True)
class Shape:
    """Those arguments of a page or lookup on which the text of the statement depends."""

    where: filters.Where
    sort: tuple[filters.Sort, ...]
    scan_limit: int
    has_id: bool


def compile_query(tree: QueryTree, shapes: Sequence[Shape], dialect: Dialect) -> CompiledQuery:
    """Compile the statement of a query. Its row is the text of `data`; no row means that the viewer is not active."""
    access = _access()
    address = bindparam(ADDRESS, type_=String)
    is_theirs = or_(address.is_(None), col(User.email) == address)
    me = select(User).where(col(User.id) == access.viewer_id, col(User.is_active), is_theirs).subquery()

    writer = _Writer(access, shapes)
    data = spelling.members([(root.name, writer.root(root, me)) for root in tree.roots])
    return CompiledQuery(select(spelling.concatenated(data)).select_from(me), dialect)


def compile_objects(tree: ObjectTree, shapes: Sequence[Shape], dialect: Dialect) -> CompiledQuery:
    """Compile the statement of an object's selection. Its rows are the ids of rows and the texts of their objects."""
    table = table_of(tree.model).alias()
    rows = _Rows(table)
    text = spelling.concatenated(_Writer(_access(), shapes).object(tree.members, rows, table, optional=False))
    wanted = member_of(table.c.id, set_parameter(IDS, table.c.id))
    return CompiledQuery(select(table.c.id, text).select_from(rows.clause).where(wanted), dialect)


def _access() -> AccessContext:
    viewer: BindParameter[int] = bindparam(VIEWER, type_=Id)
    return AccessContext(viewer, bindparam(NOW, type_=UTCDateTime), bindparam(MAY_WRITE, type_=Boolean))


class _Rows:
    """The rows of one level, and the tables joined to them."""

    def __init__(self, clause: FromClause) -> None:
        self.clause: Any = clause
        self._joined: dict[tuple[FromClause, str], FromClause] = {}

    def join(self, source: FromClause, key: str, model: type[SQLModel], *, optional: bool) -> FromClause:
        """Return the table of `model`, joined once by the id in a column of `source`."""
        joined = self._joined.get((source, key))
        if joined is None:
            joined = self._joined[source, key] = table_of(model).alias()
            self.clause = self.clause.join(joined, joined.c.id == source.c[key], isouter=optional)
        return joined


@dataclass(frozen=True, slots=True)
class _Writer:
    access: AccessContext
    shapes: Sequence[Shape]

    def root(self, root: Root, me: FromClause) -> list[Part]:
        match root:
            case Constant():
                return [root.text]
            case Me():
                return self.object(root.members, _Rows(me), me, optional=False)
            case Lookup():
                return self.lookup(root)
            case Page():
                return self.page(root, None)

    def lookup(self, lookup: Lookup) -> list[Part]:
        model = lookup.lookup.model
        has_id = columns_of(model)["id"] == _parameter(lookup.number, "id")
        found = select(model).where(has_id, lookup.lookup.visible(self.access)).subquery()
        rows = _Rows(found)
        text = spelling.concatenated(self.object(lookup.members, rows, found, optional=False))
        return [spelling.or_null(select(text).select_from(rows.clause).scalar_subquery())]

    def object(self, members: Sequence[Member], rows: _Rows, source: FromClause, *, optional: bool) -> list[Part]:
        """Spell an object. `optional` says that the row of `source` may be missing, behind an outer join."""
        spelled = [(member.name, self.member(member, rows, source, optional=optional)) for member in members]
        return spelling.members(spelled)

    def member(self, member: Member, rows: _Rows, source: FromClause, *, optional: bool) -> list[Part]:
        match member:
            case Constant():
                return [member.text]
            case Scalar():
                return self.scalar(member, source)
            case Object():
                return self.referred(member, rows, source, optional=optional)
            case Inlined():
                columns = [source.c[column].is_not(None) for _, column in member.embedded.columns]
                shown = and_(*columns, member.embedded.rule.sql(source.c, self.access))
                return _shown(shown, self.object(member.members, rows, source, optional=optional))
            case List():
                return self.granted(member.children.rule, source, self.children(member, source))
            case Page():
                return self.page(member, source)

    def scalar(self, scalar: Scalar, source: FromClause) -> list[Part]:
        if scalar.computed is not None:
            value = scalar.computed.expression(source.c, self.access)
        else:
            assert scalar.column is not None
            value = source.c[scalar.column]
        return spelling.value(value, scalar.kind, nullable=scalar.nullable)

    def referred(self, member: Object, rows: _Rows, source: FromClause, *, optional: bool) -> list[Part]:
        may_be_missing = optional or member.nullable
        joined = rows.join(source, member.reference.key, member.reference.model, optional=may_be_missing)
        text = self.object(member.members, rows, joined, optional=may_be_missing)
        return _shown(joined.c.id.is_not(None), text) if member.nullable else text

    def children(self, member: List, parent: FromClause) -> list[Part]:
        children = member.children
        table = table_of(children.model).alias()
        rows = _Rows(table)
        if children.via is None:
            owner = table.c[children.parent]
        else:
            link = table_of(children.via.model).alias()
            owner = link.c[children.via.parent]
            rows.clause = link.join(table, table.c.id == link.c[children.via.child])

        if isinstance(member.members, Scalar):
            item = self.scalar(member.members, table)
        else:
            item = self.object(member.members, rows, table, optional=False)
        order = [table.c[name].asc().nulls_last() for name in children.order]
        items = select(spelling.concatenated(item).label("item")).select_from(rows.clause)
        return _array(items.where(owner == parent.c.id).order_by(*order).correlate(parent))

    def page(self, page: Page, parent: FromClause | None) -> list[Part]:
        source, visible = page.source, self.visible(page, parent)
        text = spelling.members([(m.name, self.page_member(m, page, visible, parent)) for m in page.members])
        return self.granted(source.rule, parent, text) if isinstance(source, NestedPage) else text

    def visible(self, page: Page, parent: FromClause | None) -> Visible:
        """The rows that the page is a part of, perhaps in several parts."""
        columns = columns_of(page.source.model)
        visible = page.source.visible(self.access)
        match page.source:
            case NestedPage() as nested:
                assert parent is not None
                of_parent = and_(columns[nested.parent] == parent.c.id, nested.visible(self.access))
                return (IndexedPart(of_parent, self.access.viewer_id, nested.parent),)
            case RootPage(within=str() as within) if self.shapes[page.number].has_id:
                at_once = or_(*(part.rows for part in visible)) if isinstance(visible, tuple) else visible
                return and_(at_once, columns[within] == _parameter(page.number, "id"))
        return visible

    def page_member(self, member: PageMember, page: Page, visible: Visible, parent: FromClause | None) -> list[Part]:
        model, shape = page.source.model, self.shapes[page.number]
        match member:
            case Constant():
                return [member.text]
            case Total():
                return spelling.value(count_rows(model, visible, shape.where, parent), Kind.INTEGER, nullable=False)
            case Limit():
                return spelling.value(_parameter(page.number, "limit"), Kind.INTEGER, nullable=False)
            case Skip():
                return spelling.value(_parameter(page.number, "skip"), Kind.INTEGER, nullable=False)
            case Data():
                return self.data(member, page, visible, parent)

    def data(self, data: Data, page: Page, visible: Visible, parent: FromClause | None) -> list[Part]:
        model, shape = page.source.model, self.shapes[page.number]
        limit, skip = _parameter(page.number, "limit"), _parameter(page.number, "skip")
        columns = frozenset({"id", *(sort.field for sort in shape.sort), *_columns_read(data.members, model)})
        shown = page_rows(
            model, visible, shape.where, shape.sort, Extent(limit, skip, shape.scan_limit), names=columns, parent=parent
        )

        rows = _Rows(shown)
        item = spelling.concatenated(self.object(data.members, rows, shown, optional=False))
        order = filters.ordering(shape.sort, dict(shown.c.items()))
        return _array(select(item.label("item")).select_from(rows.clause).order_by(*order))

    def granted(self, rule: AccessRule | None, source: FromClause | None, text: list[Part]) -> list[Part]:
        if rule is None:
            return text
        assert source is not None
        return _shown(rule.sql(source.c, self.access), text)


def _columns_read(members: Sequence[Member], model: type[SQLModel]) -> Iterator[str]:
    """The columns of the row of `model` from which the members of its object are spelled."""
    for member in members:
        match member:
            case Scalar(column=str() as name):
                yield name
            case Scalar(computed=computed) if computed is not None:
                yield from _columns_of_expression(computed.expression, model)
            case Object():
                yield member.reference.key
            case Inlined():
                yield from (column for _, column in member.embedded.columns)
                yield from _columns_of_expression(member.embedded.rule.sql, model)
            case List() if member.children.rule is not None:
                yield from _columns_of_expression(member.children.rule.sql, model)
            case Page(source=NestedPage() as nested) if nested.rule is not None:
                yield from _columns_of_expression(nested.rule.sql, model)


class _Recorder:
    """Stands for the columns of a row, and notes which of them an expression uses."""

    def __init__(self, model: type[SQLModel]) -> None:
        self._columns = table_of(model).c
        self.used: set[str] = set()

    def __getitem__(self, name: str) -> ColumnElement[Any]:
        self.used.add(name)
        return self._columns[name]

    __getattr__ = __getitem__


@lru_cache(1_000)
def _columns_of_expression(expression: Expression, model: type[SQLModel]) -> frozenset[str]:
    recorder = _Recorder(model)
    expression(recorder, _access())
    return frozenset(recorder.used)


def _array(items: Any) -> list[Part]:
    texts: Subquery = items.subquery()
    return [select(spelling.concatenated(spelling.array(texts.c.item))).scalar_subquery()]


def _shown(condition: ColumnElement[bool], text: Sequence[Part]) -> list[Part]:
    return [case((condition, spelling.concatenated(text)), else_=spelling.concatenated(["null"]))]


def _parameter(number: int, name: str) -> BindParameter[Any]:
    return bindparam(f"p{number}_{name}", type_=Id)
