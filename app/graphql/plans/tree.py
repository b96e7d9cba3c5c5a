"""First pass: from a document to the tree of what it reads.

The tree has tables, columns and conditions as the fields declare them (`declarations`), under the names by which the
client asks for them. It has no SQL and no values.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from dataclasses import field as dataclass_field
from typing import Any

from graphql import (
    GraphQLField,
    GraphQLObjectType,
    get_named_type,
    is_enum_type,
    is_non_null_type,
)
from graphql.execution.collect_fields import FieldDetails
from sqlmodel import SQLModel

from app.graphql import declarations
from app.graphql.declarations import (
    DECLARATIONS,
    Children,
    Computed,
    Declaration,
    Embedded,
    NestedPage,
    Reference,
    RootCounts,
    RootPage,
    Viewer,
)
from app.graphql.plans.arguments import Arguments
from app.graphql.plans.operation import Scope
from app.graphql.plans.spelling import Kind
from app.graphql.strawberry_internals import strawberry_field
from app.lists.pagination import table_of


class NotPlannable(Exception):
    """The document has a field that only its resolver can answer."""


@dataclass(frozen=True, slots=True)
class Constant:
    """A value that the document alone decides, as JSON text."""

    name: str
    text: str


@dataclass(frozen=True, slots=True)
class Scalar:
    """A column of a row, or an expression over its columns."""

    name: str
    kind: Kind
    nullable: bool
    column: str | None
    computed: Computed | None


@dataclass(frozen=True, slots=True)
class Object:
    """The row that a column of the parent refers to."""

    name: str
    reference: Reference
    nullable: bool
    members: tuple["Member", ...]


@dataclass(frozen=True, slots=True)
class Inlined:
    """An object made of the parent's own columns."""

    name: str
    embedded: Embedded
    members: tuple["Member", ...]


@dataclass(frozen=True, slots=True)
class List:
    """All rows that belong to the parent: objects, or the values of one column."""

    name: str
    children: Children
    members: tuple["Member", ...] | Scalar


@dataclass(frozen=True, slots=True)
class Derived:
    """Objects that Python makes of facts. `number` is the place of the field among all such fields."""

    name: str
    number: int
    source: declarations.Derived
    members: tuple[Constant | Scalar | Object, ...]


@dataclass(frozen=True, slots=True)
class Page:
    """A page of a list, or of the rows that belong to the parent. `number` is its place in the document."""

    name: str
    number: int
    source: RootPage | NestedPage
    members: tuple["PageMember", ...]


@dataclass(frozen=True, slots=True)
class Counts:
    """The numbers of rows with each value of a column. The members have the column or `count`."""

    name: str
    number: int
    source: RootCounts
    members: tuple[Constant | Scalar, ...]


@dataclass(frozen=True, slots=True)
class Total:
    name: str


@dataclass(frozen=True, slots=True)
class Limit:
    name: str


@dataclass(frozen=True, slots=True)
class Skip:
    name: str


@dataclass(frozen=True, slots=True)
class Data:
    name: str
    members: tuple["Member", ...]


@dataclass(frozen=True, slots=True)
class Lookup:
    """A row by its id, which an argument has; null where the viewer cannot find it."""

    name: str
    number: int
    lookup: declarations.Lookup
    members: tuple["Member", ...]


@dataclass(frozen=True, slots=True)
class Me:
    """The viewer's own row."""

    name: str
    members: tuple["Member", ...]


Member = Constant | Scalar | Object | Inlined | List | Derived | Page
PageMember = Constant | Total | Limit | Skip | Data
Root = Constant | Scalar | Page | Counts | Lookup | Me


@dataclass(frozen=True, slots=True, eq=False)
class QueryTree:
    """Everything that a query reads, and the arguments of its pages and lookups by their numbers."""

    roots: tuple[Root, ...]
    arguments: tuple[Arguments, ...]
    derived: tuple[Derived, ...]


@dataclass(frozen=True, slots=True, eq=False)
class ObjectTree:
    """Everything that is selected below an object, which shows a row of `model`."""

    model: type[SQLModel]
    members: tuple[Member, ...]
    arguments: tuple[Arguments, ...]
    derived: tuple[Derived, ...]

    @property
    def has_columns_only(self) -> bool:
        """Whether the loaded row has all of it already."""
        return all(isinstance(m, Constant) or (isinstance(m, Scalar) and m.computed is None) for m in self.members)


@dataclass(slots=True)
class _Builder:
    scope: Scope
    arguments: list[Arguments] = dataclass_field(default_factory=list)
    derived: list[Derived] = dataclass_field(default_factory=list)

    def roots(self, query: GraphQLObjectType) -> Iterator[Root]:
        for name, details in _at_once(self.scope.root_fields(query)).items():
            if _field_name(details) == "__typename":
                yield Constant(name, f'"{query.name}"')
                continue
            core = _field(query, details)
            match _declared(core):
                case RootPage() as page:
                    yield self._page(name, core, page, details)
                case RootCounts() as counts:
                    yield self._counts(name, core, counts, details)
                case declarations.Lookup() as lookup:
                    number = self._number(core, details)
                    yield Lookup(name, number, lookup, self.members(_object_type(core), lookup.model, details))
                case Computed() as computed:
                    yield _computed(name, core, computed)
                case Viewer(model):
                    yield Me(name, self.members(_object_type(core), model, details))
                case _:
                    raise NotPlannable(_field_name(details))

    def members(
        self, type_: GraphQLObjectType, model: type[SQLModel], details: list[FieldDetails]
    ) -> tuple[Member, ...]:
        fields = _at_once(self.scope.fields_below(type_, details))
        return tuple(self._member(name, type_, model, found) for name, found in fields.items())

    def _member(  # noqa: PLR0911  one kind of field a line
        self, name: str, type_: GraphQLObjectType, model: type[SQLModel], details: list[FieldDetails]
    ) -> Member:
        if _field_name(details) == "__typename":
            return Constant(name, f'"{type_.name}"')
        core = _field(type_, details)
        match _declared(core):
            case None:
                return _column(name, core, model, strawberry_field(core).python_name)
            case Computed() as computed:
                return _computed(name, core, computed)
            case Reference() as reference:
                below = self.members(_object_type(core), reference.model, details)
                key = reference.key
                nullable = bool(table_of(model).c[key].nullable) if isinstance(key, str) else True
                return Object(name, reference, nullable, below)
            case Embedded() as embedded:
                return self._inlined(name, _object_type(core), model, embedded, details)
            case Children() as children if children.column is not None:
                return List(name, children, _column("", core, children.model, children.column))
            case Children() as children:
                return List(name, children, self.members(_object_type(core), children.model, details))
            case declarations.Derived() as derived:
                return self._derived(name, _object_type(core), derived, details)
            case NestedPage() as nested:
                return self._page(name, core, nested, details)
        raise NotPlannable(f"{type_.name}.{_field_name(details)}")

    def _inlined(
        self,
        name: str,
        type_: GraphQLObjectType,
        model: type[SQLModel],
        embedded: Embedded,
        details: list[FieldDetails],
    ) -> Inlined:
        columns = dict(embedded.columns)
        below: list[Member] = []
        for key, found in _at_once(self.scope.fields_below(type_, details)).items():
            if _field_name(found) == "__typename":
                below.append(Constant(key, f'"{type_.name}"'))
            else:
                core = _field(type_, found)
                below.append(_column(key, core, model, columns[strawberry_field(core).python_name]))
        return Inlined(name, embedded, tuple(below))

    def _derived(
        self, name: str, type_: GraphQLObjectType, source: declarations.Derived, details: list[FieldDetails]
    ) -> Derived:
        known, below = len(self.derived), list[Constant | Scalar | Object]()
        for key, found in _at_once(self.scope.fields_below(type_, details)).items():
            if _field_name(found) == "__typename":
                below.append(Constant(key, f'"{type_.name}"'))
                continue
            core = _field(type_, found)
            match _declared(core):
                case None:
                    nullable, attribute = not is_non_null_type(core.type), strawberry_field(core).python_name
                    below.append(Scalar(key, _kind(core), nullable, attribute, None))
                case Reference(str(), model) as reference:
                    below.append(Object(key, reference, True, self.members(_object_type(core), model, found)))
                case _:
                    raise NotPlannable(f"{type_.name}.{_field_name(found)}")
        if len(self.derived) > known:
            raise NotPlannable(f"{name}, with another such field below it")
        derived = Derived(name, known, source, tuple(below))
        self.derived.append(derived)
        return derived

    def _page(self, name: str, core: GraphQLField, source: RootPage | NestedPage, details: list[FieldDetails]) -> Page:
        number, page = self._number(core, details), _object_type(core)
        fields = _at_once(self.scope.fields_below(page, details))
        below = tuple(self._page_member(key, page, source.model, found) for key, found in fields.items())
        return Page(name, number, source, below)

    def _counts(self, name: str, core: GraphQLField, source: RootCounts, details: list[FieldDetails]) -> Counts:
        number, type_ = self._number(core, details), _object_type(core)
        members: list[Constant | Scalar] = []
        for key, found in _at_once(self.scope.fields_below(type_, details)).items():
            if _field_name(found) == "__typename":
                members.append(Constant(key, f'"{type_.name}"'))
            else:
                field = _field(type_, found)
                column = "count" if _field_name(found) == "count" else "value"
                members.append(Scalar(key, _kind(field), False, column, None))
        return Counts(name, number, source, tuple(members))

    def _page_member(
        self, name: str, page: GraphQLObjectType, model: type[SQLModel], details: list[FieldDetails]
    ) -> PageMember:
        match _field_name(details):
            case "__typename":
                return Constant(name, f'"{page.name}"')
            case "total":
                return Total(name)
            case "limit":
                return Limit(name)
            case "skip":
                return Skip(name)
        return Data(name, self.members(_object_type(page.fields["data"]), model, details))

    def _number(self, core: GraphQLField, details: list[FieldDetails]) -> int:
        self.arguments.append(Arguments(self.scope.schema, core, details[0].node, f"p{len(self.arguments)}_"))
        return len(self.arguments) - 1


def query_tree(scope: Scope, query: GraphQLObjectType) -> QueryTree:
    """Return the tree of a valid query. Raise NotPlannable if a field can be answered by its resolver alone."""
    builder = _Builder(scope)
    return QueryTree(tuple(builder.roots(query)), tuple(builder.arguments), tuple(builder.derived))


def object_tree(
    scope: Scope, type_: GraphQLObjectType, model: type[SQLModel], details: list[FieldDetails]
) -> ObjectTree:
    """Return the tree of the selection of a field that shows a row of `model`. Raise NotPlannable as `query_tree`."""
    builder = _Builder(scope)
    members = builder.members(type_, model, details)
    return ObjectTree(model, members, tuple(builder.arguments), tuple(builder.derived))


def is_planned(core: GraphQLField) -> bool:
    """Whether the field can be compiled, whatever is selected below it."""
    try:
        _declared(core)
    except NotPlannable:
        return False
    return True


def _column(name: str, core: GraphQLField, model: type[SQLModel], column: str) -> Scalar:
    return Scalar(name, _kind(core), bool(table_of(model).c[column].nullable), column, None)


def _computed(name: str, core: GraphQLField, computed: Computed) -> Scalar:
    return Scalar(name, _kind(core), not is_non_null_type(core.type), None, computed)


def _declared(core: GraphQLField) -> Declaration | None:
    """Return how the field is read; None if it shows the column of its own name."""
    definition = strawberry_field(core)
    for kind in DECLARATIONS:
        if kind in definition.metadata:
            declaration: Declaration = definition.metadata[kind]
            return declaration
    if definition.base_resolver is not None:
        raise NotPlannable(definition.python_name)
    return None


def _kind(core: GraphQLField) -> Kind:
    named = get_named_type(core.type)
    return Kind.NAME if is_enum_type(named) else Kind(named.name)


def _field(type_: GraphQLObjectType, details: list[FieldDetails]) -> GraphQLField:
    core: GraphQLField | None = type_.fields.get(_field_name(details))
    if core is None:
        raise NotPlannable(_field_name(details))  # __schema, __type
    return core


def _field_name(details: list[FieldDetails]) -> str:
    return details[0].node.name.value


def _object_type(core: GraphQLField) -> GraphQLObjectType:
    named = get_named_type(core.type)
    assert isinstance(named, GraphQLObjectType)
    return named


def _at_once(collected: Any) -> dict[str, list[FieldDetails]]:
    if collected.new_defer_usages:
        raise NotPlannable("@defer")
    fields: dict[str, list[FieldDetails]] = collected.grouped_field_set
    return fields
