"""Second pass: from the tree to one SQL statement that spells the JSON text of the response.

The members of an object are spelled from the columns of its row. Rows that it refers to are joined to it. Lists and
pages are subqueries correlated by the id of their parent, so that each reads its parent's range of an index.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import count
from typing import Any

from sqlalchemy import (
    BindParameter,
    Boolean,
    ColumnElement,
    Dialect,
    String,
    Table,
    and_,
    bindparam,
    exists,
    literal_column,
    or_,
    select,
)
from sqlmodel import SQLModel, col

from app.access import api_keys
from app.access.field_access import AccessContext, AccessRule
from app.db.compiled import CompiledQuery
from app.db.functions import member_of, set_parameter
from app.db.indexed_parts import IndexedPart
from app.db.models import ApiKey, User
from app.db.sqlalchemy_internals import as_core
from app.db.types import Id, UTCDateTime
from app.graphql.declarations import Expression, NestedPage, RootPage
from app.graphql.plans import spelling
from app.graphql.plans.arguments import Shape
from app.graphql.plans.derived import MARK
from app.graphql.plans.spelling import Kind, Part, Sql, Template
from app.graphql.plans.tree import (
    Constant,
    Counts,
    Data,
    Derived,
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
)
from app.lists import filters
from app.lists.pagination import Extent, Visible, columns_of, count_rows, counts_by, page_rows, table_of

VIEWER = "viewer_id"
ADDRESS = "address"
"""The viewer's e-mail address if the token names the user by it, else null."""
KEY = "api_key_id"
"""The id of the viewer's API key, in statements for requests with one."""
NOW = "moment"
MAY_WRITE = "may_write"
IDS = "ids"
"""The ids of the rows that are read, of an object plan."""


def compile_query(tree: QueryTree, shapes: Sequence[Shape], dialect: Dialect, *, by_key: bool) -> CompiledQuery:
    """Compile the statement of a query. Its row is the text of `data`; no row means that the viewer is not active.

    With `by_key`, no row can also mean that the viewer's API key is revoked or expired.
    """
    writer = _Writer(_access(), shapes, dialect.name)
    me = writer.rows_of(User)
    data = spelling.concatenated(
        spelling.members([(root.name, writer.root(root, me)) for root in tree.roots], dialect.name)
    )
    address = bindparam(ADDRESS, type_=String)
    is_theirs = or_(address.is_(None), me.columns["email"] == address)
    is_me = and_(me.columns["id"] == writer.access.viewer_id, me.columns["is_active"], is_theirs)
    if by_key:
        is_sent = col(ApiKey.id) == bindparam(KEY, type_=Id)
        is_me = and_(is_me, exists(select(literal_column("1")).where(is_sent, api_keys.is_active(writer.access.now))))
    return CompiledQuery(Template(Sql("SELECT ", data, " FROM ", me.clause, " WHERE ", is_me)), dialect)


def compile_objects(tree: ObjectTree, shapes: Sequence[Shape], dialect: Dialect) -> CompiledQuery:
    """Compile the statement of an object's selection. Its rows are the ids of rows and the texts of their objects."""
    writer = _Writer(_access(), shapes, dialect.name)
    rows = writer.rows_of(tree.model)
    text = spelling.concatenated(writer.object(tree.members, rows, optional=False))
    wanted = member_of(rows.columns["id"], set_parameter(IDS, rows.columns["id"]))
    statement = Sql("SELECT ", rows["id"], ", ", text, " FROM ", rows.clause, " WHERE ", wanted)
    return CompiledQuery(Template(statement), dialect)


def _access() -> AccessContext:
    viewer: BindParameter[int] = bindparam(VIEWER, type_=Id)
    return AccessContext(viewer, bindparam(NOW, type_=UTCDateTime), bindparam(MAY_WRITE, type_=Boolean))


class _From:
    """A FROM clause: rows, and those that are joined to them."""

    def __init__(self, rows: Sql) -> None:
        self.sql = rows
        self.joined: dict[tuple[str, str | Expression], _Rows] = {}


class _Rows:
    """The rows of a table, or of a page, under a name of their own."""

    def __init__(self, model: type[SQLModel], name: str, source: "Sql | _From") -> None:
        self._model, self.name = model, name
        self.origin = source if isinstance(source, _From) else _From(Sql(source, f" AS {name}"))

    def __getitem__(self, column: str) -> str:
        return f"{self.name}.{column}"

    @property
    def clause(self) -> Sql:
        """The FROM clause, once everything that is joined is known."""
        return self.origin.sql

    @property
    def columns(self) -> "_Columns":
        """The columns, for expressions of SQLAlchemy."""
        return _Columns(table_of(self._model), self.name)


@dataclass(frozen=True, slots=True)
class _Columns:
    """The columns of rows with a name of their own. SQLAlchemy is not told that they belong to a table."""

    _table: Table
    _name: str

    def __getitem__(self, name: str) -> ColumnElement[Any]:
        return literal_column(f"{self._name}.{name}", self._table.c[name].type)

    __getattr__ = __getitem__


@dataclass(slots=True)
class _Writer:
    access: AccessContext
    shapes: Sequence[Shape]
    dialect: str
    _names: Iterator[int] = field(default_factory=count)

    def rows_of(self, model: type[SQLModel], source: Sql | None = None) -> _Rows:
        return _Rows(model, f"r{next(self._names)}", source or Sql(table_of(model).name))

    def joined(self, rows: _Rows, key: str | Expression, model: type[SQLModel], *, optional: bool) -> _Rows:
        """Return the row of `model` whose id is in a column of `rows`, or an expression over them, joined once."""
        origin = rows.origin
        if (known := origin.joined.get((rows.name, key))) is not None:
            return known
        joined = origin.joined[rows.name, key] = _Rows(model, f"r{next(self._names)}", origin)
        join = "LEFT JOIN" if optional else "JOIN"
        its_id = rows[key] if isinstance(key, str) else key(rows.columns, self.access)
        origin.sql = Sql(
            origin.sql, f" {join} {table_of(model).name} AS {joined.name} ON {joined['id']} = (", its_id, ")"
        )
        return joined

    def root(self, root: Root, me: _Rows) -> list[Part]:
        match root:
            case Constant():
                return [root.text]
            case Scalar():
                return self.scalar(root, me)
            case Me():
                return self.object(root.members, me, optional=False)
            case Lookup():
                return self.lookup(root)
            case Page():
                return self.page(root, None)
            case Counts():
                return self.counts(root)

    def counts(self, counts: Counts) -> list[Part]:
        source, where = counts.source, self.shapes[counts.number].where
        visible, fields = source.visible(self.access), source.fields(self.access)
        grouped = counts_by(source.column, source.model, visible, where, fields)
        rows = self.rows_of(source.model, Sql("(", grouped, ")"))
        item = self.object(counts.members, rows, optional=False)
        return self.array(item, rows, f" ORDER BY {rows['place']}")

    def lookup(self, lookup: Lookup) -> list[Part]:
        model = lookup.lookup.model
        has_id = columns_of(model)["id"] == _parameter(lookup.number, "id")
        names = [table_of(model).c[name] for name in sorted({"id", *_columns_read(lookup.members, model)})]
        found = as_core(select(*names).where(has_id, lookup.lookup.visible(self.access)))
        rows = self.rows_of(model, Sql("(", found, ")"))
        text = spelling.concatenated(self.object(lookup.members, rows, optional=False))
        return [spelling.or_null(Sql("(SELECT ", text, " FROM ", rows.clause, ")"))]

    def object(self, members: Sequence[Member], rows: _Rows, *, optional: bool) -> list[Part]:
        """Spell an object. `optional` says that its row may be missing, behind an outer join."""
        fields = [(member.name, self.member(member, rows, optional=optional)) for member in members]
        return spelling.members(fields, self.dialect)

    def member(  # noqa: PLR0911  one kind of member a line
        self, member: Member, rows: _Rows, *, optional: bool
    ) -> list[Part]:
        match member:
            case Constant():
                return [member.text]
            case Scalar():
                return self.scalar(member, rows)
            case Object():
                return self.referred(member, rows, optional=optional)
            case Inlined():
                has_values = "".join(f"{rows[column]} IS NOT NULL AND " for _, column in member.embedded.columns)
                is_granted = Sql(has_values, "(", member.embedded.rule.sql(rows.columns, self.access), ")")
                return [spelling.shown(is_granted, self.object(member.members, rows, optional=optional))]
            case List():
                return self.granted(member.children.rule, rows, self.children(member, rows))
            case Derived():
                return self.granted(member.source.rule, rows, self.derived(member, rows))
            case Page():
                return self.page(member, rows)

    def scalar(self, scalar: Scalar, rows: _Rows) -> list[Part]:
        if scalar.computed is not None:
            value: str | ColumnElement[Any] = scalar.computed.expression(rows.columns, self.access)
        else:
            assert scalar.column is not None
            value = rows[scalar.column]
        return spelling.value(value, scalar.kind, self.dialect, nullable=scalar.nullable)

    def referred(self, member: Object, rows: _Rows, *, optional: bool) -> list[Part]:
        may_be_missing = optional or member.nullable
        joined = self.joined(rows, member.reference.key, member.reference.model, optional=may_be_missing)
        text = self.object(member.members, joined, optional=may_be_missing)
        text = [spelling.shown(f"{joined['id']} IS NOT NULL", text)] if member.nullable else text
        return self.granted(member.reference.rule, rows, text)

    def children(self, member: List, parent: _Rows) -> list[Part]:
        children = member.children
        rows = self.rows_of(children.model)
        owner = rows[children.parent]
        if children.via is not None:
            link = f"r{next(self._names)}"
            owner = f"{link}.{children.via.parent}"
            join = f" JOIN {table_of(children.via.model).name} AS {link} ON {rows['id']} = {link}.{children.via.child}"
            rows.origin.sql = Sql(rows.origin.sql, join)

        if isinstance(member.members, Scalar):
            item = self.scalar(member.members, rows)
        else:
            item = self.object(member.members, rows, optional=False)
        wanted = Sql(f" WHERE {owner} = {parent['id']}")
        if children.only is not None:
            wanted = Sql(wanted, " AND (", children.only(rows.columns, self.access), ")")
        order = [
            f"{rows[each]} ASC NULLS LAST" if isinstance(each, str) else each(rows.columns, self.access)
            for each in children.order
        ]
        return self.array(item, rows, Sql(wanted, " ORDER BY ", Sql.joined(", ", order)))

    def derived(self, member: Derived, parent: _Rows) -> list[Part]:
        """Spell the facts, and the rows that the objects can show, as `derived.fill_in` takes them."""
        parts: list[Part] = [f"{MARK}[{member.number},", Sql(member.source.facts(parent.columns, self.access))]
        for shown in member.members:
            if isinstance(shown, Object):
                rows = self.rows_of(shown.reference.model)
                text = self.object(shown.members, rows, optional=False)
                related = member.source.related(rows.columns, literal_column(parent["id"], Id))
                item: list[Part] = ["[", *self.number(Sql(rows["id"])), ",", *text, "]"]
                parts += [",", *self.array(item, rows, Sql(" WHERE ", related))]
        return [*parts, f"]{MARK}"]

    def array(self, item: list[Part], rows: _Rows, rest: str | Sql) -> list[Part]:
        query = Sql("SELECT ", spelling.concatenated(item), " AS item FROM ", rows.clause, rest)
        return spelling.array(query, self.dialect)

    def page(self, page: Page, parent: _Rows | None) -> list[Part]:
        source, visible = page.source, self.visible(page, parent)
        text = spelling.members([(m.name, self.page_member(m, page, visible)) for m in page.members], self.dialect)
        return self.granted(source.rule, parent, text) if isinstance(source, NestedPage) else text

    def visible(self, page: Page, parent: _Rows | None) -> Visible:
        """The rows that the page is a part of, perhaps in several parts."""
        columns = columns_of(page.source.model)
        visible = page.source.visible(self.access)
        match page.source:
            case NestedPage(parent=None):
                return visible
            case NestedPage(parent=str() as key):
                assert parent is not None
                of_parent = columns[key] == literal_column(parent["id"], Id)
                rows = and_(of_parent, page.source.visible(self.access))
                return (IndexedPart(rows, self.access.viewer_id, key),)
            case RootPage(within=str() as within) if self.shapes[page.number].has_id:
                at_once = or_(*(part.rows for part in visible)) if isinstance(visible, tuple) else visible
                return and_(at_once, columns[within] == _parameter(page.number, "id"))
        return visible

    def page_member(self, member: PageMember, page: Page, visible: Visible) -> list[Part]:
        shape = self.shapes[page.number]
        match member:
            case Constant():
                return [member.text]
            case Total():
                total: ColumnElement[int] = count_rows(
                    page.source.model, visible, shape.where, page.source.fields(self.access)
                )
                return self.number(Sql("(", total, ")"))
            case Limit():
                return self.number(_parameter(page.number, "limit"))
            case Skip():
                return self.number(_parameter(page.number, "skip"))
            case Data():
                return self.data(member, page, visible)

    def number(self, value: Sql | ColumnElement[int]) -> list[Part]:
        return spelling.value(value, Kind.INTEGER, self.dialect, nullable=False)

    def data(self, data: Data, page: Page, visible: Visible) -> list[Part]:
        model, shape = page.source.model, self.shapes[page.number]
        limit, skip = _parameter(page.number, "limit"), _parameter(page.number, "skip")
        names = frozenset({"id", *(sort.field for sort in shape.sort), *_columns_read(data.members, model)})
        extent = Extent(limit, skip, shape.scan_limit)
        fields = page.source.fields(self.access)
        found = page_rows(model, visible, shape.where, shape.sort, extent, names, fields=fields)
        rows = self.rows_of(model, Sql("(", found, ")"))
        item = self.object(data.members, rows, optional=False)
        return self.array(item, rows, f" ORDER BY {', '.join(_order(shape.sort, rows, model))}")

    def granted(self, rule: AccessRule | None, rows: _Rows | None, text: list[Part]) -> list[Part]:
        if rule is None:
            return text
        assert rows is not None
        return [spelling.shown(rule.sql(rows.columns, self.access), text)]


def _order(sort: Sequence[filters.Sort], rows: _Rows, model: type[SQLModel]) -> Iterator[str]:
    """The order of a page, as `filters.ordering` has it."""
    for each in sort:
        column = table_of(model).c.get(each.field)
        nulls = " NULLS LAST" if column is None or column.nullable else ""
        yield f"{rows[each.field]} {'DESC' if each.descending else 'ASC'}{nulls}"
    yield rows["id"]


def _columns_read(members: Sequence[Member], model: type[SQLModel]) -> Iterator[str]:
    """The columns of the row of `model` from which the members of its object are spelled."""
    for member in members:
        match member:
            case Scalar(column=str() as name):
                yield name
            case Scalar(computed=computed) if computed is not None:
                yield from _columns_of_expression(computed.expression, model)
            case Object():
                key, rule = member.reference.key, member.reference.rule
                yield from (key,) if isinstance(key, str) else _columns_of_expression(key, model)
                yield from () if rule is None else _columns_of_expression(rule.sql, model)
            case Inlined():
                yield from (column for _, column in member.embedded.columns)
                yield from _columns_of_expression(member.embedded.rule.sql, model)
            case Derived():
                yield from _columns_of_expression(member.source.rule.sql, model)
                yield from _columns_of_expression(member.source.facts, model)
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


def _parameter(number: int, name: str) -> BindParameter[Any]:
    return bindparam(f"p{number}_{name}", type_=Id)
