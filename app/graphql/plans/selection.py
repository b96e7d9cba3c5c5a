"""The first and the third pass: the columns and joins that a query reads, and the function that builds its response.

The function is one generated expression, which is faster than closures and much faster than the resolvers.
"""

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

from graphql import (
    DirectiveNode,
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    GraphQLField,
    GraphQLObjectType,
    GraphQLSchema,
    Node,
    OperationDefinitionNode,
    OperationType,
    VariableNode,
    get_named_type,
    is_enum_type,
    is_non_null_type,
)
from graphql.execution.collect_fields import FieldDetails, FragmentDetails, collect_fields, collect_subfields
from graphql.execution.values import VariableValues
from graphql.language import Visitor, visit
from sqlalchemy import Column, Table
from sqlmodel import SQLModel
from strawberry.schema.schema_converter import GraphQLCoreConverter
from strawberry.types.field import StrawberryField

from app.db.models import LeadOffer, User
from app.graphql.fields import Computed, Reference
from app.graphql.plans.variables import Variables

ResponseBuilder = Callable[[Sequence[Any], Any, int, int, int], dict[str, Any]]
"""Builds `data` from the rows of a page, a row with the viewer's columns, and the page's total, limit and skip."""

ME, PAGE = -1, 0
"""Sources of columns: the viewer's account and the page of offers. Each join adds another, from 1 on."""

ROW = "$row"
"""Placeholder for the names of a row's values, until the number of columns is known."""


class NotPlannable(Exception):
    """The query has something that only the resolvers can answer."""


class Format(Enum):
    """How the database formats the values of a column. It does so faster than Python."""

    STORED = "stored"
    ID = "id"
    """An integer, as a string."""
    TIMESTAMP = "timestamp"
    """A timestamp, as `2018-01-16T09:09:09.000Z`."""


@dataclass(frozen=True, slots=True)
class SelectedColumn:
    source: int
    name: str
    format_: Format = Format.STORED
    computed: Computed | None = None
    """The expression to read instead of the column `name`."""


@dataclass(frozen=True, slots=True)
class Join:
    """A join with the table that a foreign key of an earlier source refers to."""

    source: int
    reference: Reference
    optional: bool
    """Whether the row may be missing, because the key or the source itself may be null."""


@dataclass(frozen=True, slots=True, eq=False)
class QueryOperation:
    """An operation of a valid document."""

    schema: GraphQLSchema
    operation: OperationDefinitionNode
    fragments: dict[str, FragmentDetails]
    variables: Variables
    directive_variables: tuple[str, ...]
    """The variables used by @skip and @include: other values of them select other fields."""

    @classmethod
    def of(cls, schema: GraphQLSchema, document: DocumentNode, name: str | None) -> "QueryOperation":
        """Return the document's only operation, or the one of this name. Raise NotPlannable if it is no query."""
        operations = [d for d in document.definitions if isinstance(d, OperationDefinitionNode)]
        named = [d for d in operations if name in (None, d.name and d.name.value)]
        if len(named) != 1 or named[0].operation is not OperationType.QUERY:
            raise NotPlannable
        fragments = [d for d in document.definitions if isinstance(d, FragmentDefinitionNode)]
        variables = Variables(schema, named[0].variable_definitions or ())
        directive_variables = _directive_variables((named[0], *fragments))
        return cls(
            schema, named[0], {d.name.value: FragmentDetails(d) for d in fragments}, variables, directive_variables
        )


def _directive_variables(definitions: Sequence[Node]) -> tuple[str, ...]:
    names: dict[str, None] = {}

    class DirectiveVariables(Visitor):
        def enter_directive(self, node: DirectiveNode, *_args: Any) -> None:
            if node.name.value not in ("skip", "include"):
                raise NotPlannable
            for argument in node.arguments or ():
                if isinstance(argument.value, VariableNode):
                    names[argument.value.name.value] = None

    for definition in definitions:
        visit(definition, DirectiveVariables())
    return tuple(names)


@dataclass(slots=True)
class Selection:
    """The columns and joins that a query reads, and the function that builds its response."""

    query: QueryOperation
    variables: VariableValues
    postgresql: bool
    node: FieldNode = dataclasses.field(init=False)
    field: GraphQLField = dataclasses.field(init=False)
    columns: list[SelectedColumn] = dataclasses.field(default_factory=lambda: [SelectedColumn(PAGE, "id", Format.ID)])
    joins: list[Join] = dataclasses.field(default_factory=list)
    answer: ResponseBuilder = dataclasses.field(init=False)
    with_total: bool = False

    def __post_init__(self) -> None:
        source = f"lambda rows, me, total, limit, skip: {self._data()}"
        names = ", ".join(["_", *(f"c{i}" for i in range(len(self.columns)))])
        # Safe: all text from clients in it is names of fields and aliases, so letters, digits and underscores.
        self.answer = eval(source.replace(ROW, f"({names})"), {})  # noqa: S307

    def _data(self) -> str:
        """Return Python source that builds `data`, for a query with exactly one `leadOffers`."""
        asked, query = self.query, self.query.schema.query_type
        assert query is not None
        collected = collect_fields(asked.schema, asked.fragments, self.variables, query, asked.operation)
        fields = _fields_of(collected)
        pages = [details for details in fields.values() if _name(details) == "leadOffers"]
        if len(pages) != 1:
            raise NotPlannable
        self.node, self.field = pages[0][0].node, query.fields["leadOffers"]
        return _object({key: self._query_field(query, details) for key, details in fields.items()})

    def _query_field(self, query: GraphQLObjectType, details: list[FieldDetails]) -> str:
        if _name(details) == "__typename":
            return repr(query.name)
        if _name(details) == "me":
            return self._row(_object_type(query.fields["me"]), User, ME, details)
        if _name(details) != "leadOffers":
            raise NotPlannable
        page = _object_type(self.field)
        return _object({key: self._page_field(page, found) for key, found in self._subfields(page, details)})

    def _page_field(self, page: GraphQLObjectType, details: list[FieldDetails]) -> str:
        match _name(details):
            case "__typename":
                return repr(page.name)
            case "data":
                return f"[{self._row(_object_type(page.fields['data']), LeadOffer, PAGE, details)} for {ROW} in rows]"
            case "total":
                self.with_total = True
                return "total"
            case "limit" | "skip" as known:
                return known
        raise NotPlannable

    def _row(self, type_: GraphQLObjectType, model: type[SQLModel], source: int, details: list[FieldDetails]) -> str:
        return _object(
            {key: self._row_field(type_, model, source, found) for key, found in self._subfields(type_, details)}
        )

    def _row_field(
        self, type_: GraphQLObjectType, model: type[SQLModel], source: int, details: list[FieldDetails]
    ) -> str:
        if _name(details) == "__typename":
            return repr(type_.name)
        core = type_.fields[_name(details)]
        definition: StrawberryField = core.extensions[GraphQLCoreConverter.DEFINITION_BACKREF]
        reference = definition.metadata.get(Reference)
        if reference is not None:
            return self._reference(core, model, source, reference, details)
        name, computed = definition.python_name, definition.metadata.get(Computed)
        if computed is None:
            if definition.base_resolver is not None:
                raise NotPlannable
            _require_same_nullability(core, table_of(model).c[name])
        return self._leaf(core, source, name, computed)

    def _reference(
        self,
        core: GraphQLField,
        model: type[SQLModel],
        source: int,
        reference: Reference,
        details: list[FieldDetails],
    ) -> str:
        key = table_of(model).c[reference.key]
        _require_same_nullability(core, key)
        joined = self._join(source, key, reference)
        row = self._row(_object_type(core), reference.model, joined, details)
        return f"None if {self._column(joined, 'id', Format.ID)} is None else {row}" if key.nullable else row

    def _leaf(self, core: GraphQLField, source: int, name: str, computed: Computed | None) -> str:
        named = get_named_type(core.type)
        match named.name:
            case "ID":
                return self._column(source, name, Format.ID, computed)
            case "DateTime":
                return self._column(source, name, Format.TIMESTAMP, computed)
            case "Boolean" if not self.postgresql:
                value = self._column(source, name, computed=computed)
                return f"None if {value} is None else {value} == 1"  # SQLite has no booleans
            case "String" | "Int" | "Boolean":
                return self._column(source, name, computed=computed)
        if not is_enum_type(named):
            raise NotPlannable
        return self._column(source, name, computed=computed)

    def _subfields(self, type_: GraphQLObjectType, details: list[FieldDetails]) -> Any:
        query = self.query
        collected = collect_subfields(query.schema, query.fragments, self.variables, query.operation, type_, details)
        return _fields_of(collected).items()

    def _join(self, source: int, key: Column[Any], reference: Reference) -> int:
        behind_optional = source != PAGE and self.joins[source - 1].optional
        join = Join(source, reference, behind_optional or bool(key.nullable))
        if join not in self.joins:
            self.joins.append(join)
        return self.joins.index(join) + 1

    def _column(self, source: int, name: str, format_: Format = Format.STORED, computed: Computed | None = None) -> str:
        column = SelectedColumn(source, name, format_, computed)
        if column not in self.columns:
            self.columns.append(column)
        place = self.columns.index(column)
        return f"me[{place + 1}]" if source == ME else f"c{place}"


def _require_same_nullability(core: GraphQLField, column: Column[Any]) -> None:
    """Raise NotPlannable if a non-null field could be null: only the executor propagates nulls and reports them."""
    if is_non_null_type(core.type) and column.nullable:
        raise NotPlannable


def table_of(model: type[SQLModel]) -> Table:
    """Return the table of a model."""
    table: Table = model.__table__  # type: ignore[attr-defined]
    return table


def _object(fields: dict[str, str]) -> str:
    return "{" + ", ".join(f"{key!r}: {value}" for key, value in fields.items()) + "}"


def _name(details: list[FieldDetails]) -> str:
    return details[0].node.name.value


def _object_type(core: GraphQLField) -> GraphQLObjectType:
    named = get_named_type(core.type)
    assert isinstance(named, GraphQLObjectType)
    return named


def _fields_of(collected: Any) -> dict[str, list[FieldDetails]]:
    if collected.new_defer_usages:
        raise NotPlannable
    fields: dict[str, list[FieldDetails]] = collected.grouped_field_set
    return fields
