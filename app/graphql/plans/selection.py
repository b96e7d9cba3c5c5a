"""What a document selects of `leadOffers`: columns, joins, and a function from the database's rows to the answer.

The function is one expression, generated from the document: 100 offers with everything nested become an answer in
0.25 ms, by closures it takes 0.43, by the resolvers some 100.
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

Answer = Callable[[Sequence[Any], Any, int, int, int], dict[str, Any]]
"""Makes `data` of the rows of a page, a row that has the viewer, and the page's total, limit and skip."""

ME, PAGE = -1, 0
"""Sources of columns: the viewer's account, and the page of offers itself; each join is a further one."""


ROW = "$row"
"""Stands for the names of a row's values while it is not known yet how many it has."""


class Declined(Exception):
    """The document has something that only the resolvers know how to answer."""


class Spelling(Enum):
    """How a column's value goes out. The database spells faster than Python: 100 offers in 0.17 ms less."""

    STORED = "stored"
    ID = "id"
    """An integer, as text."""
    INSTANT = "instant"
    """An instant, as `2018-01-16T09:09:09.000Z`."""


@dataclass(frozen=True, slots=True)
class Selected:
    source: int
    name: str
    spelling: Spelling = Spelling.STORED
    computed: Computed | None = None
    """Instead of the column of that name, what is computed of the source's columns."""


@dataclass(frozen=True, slots=True)
class Join:
    """The table that the column `key` of an earlier source refers to."""

    source: int
    reference: Reference
    optional: bool
    """Whether there may be no such row: the column is null, or what it is a column of is not there."""


@dataclass(frozen=True, slots=True, eq=False)
class Query:
    """An operation of a valid document."""

    schema: GraphQLSchema
    operation: OperationDefinitionNode
    fragments: dict[str, FragmentDetails]
    variables: Variables
    switches: tuple[str, ...]
    """The variables on which it hangs what is skipped and included."""

    @classmethod
    def of(cls, schema: GraphQLSchema, document: DocumentNode, name: str | None) -> "Query":
        """The document's only operation, or the one of this name. Raises Declined if it is no query."""
        operations = [d for d in document.definitions if isinstance(d, OperationDefinitionNode)]
        named = [d for d in operations if name in (None, d.name and d.name.value)]
        if len(named) != 1 or named[0].operation is not OperationType.QUERY:
            raise Declined
        fragments = [d for d in document.definitions if isinstance(d, FragmentDefinitionNode)]
        variables = Variables(schema, named[0].variable_definitions or ())
        switches = _switches((named[0], *fragments))
        return cls(schema, named[0], {d.name.value: FragmentDetails(d) for d in fragments}, variables, switches)


def _switches(definitions: Sequence[Node]) -> tuple[str, ...]:
    names: dict[str, None] = {}

    class Switches(Visitor):
        def enter_directive(self, node: DirectiveNode, *_args: Any) -> None:
            if node.name.value not in ("skip", "include"):
                raise Declined
            for argument in node.arguments or ():
                if isinstance(argument.value, VariableNode):
                    names[argument.value.name.value] = None

    for definition in definitions:
        visit(definition, Switches())
    return tuple(names)


@dataclass(slots=True)
class Selection:
    """What is selected below one `leadOffers`."""

    query: Query
    variables: VariableValues
    postgresql: bool
    node: FieldNode = dataclasses.field(init=False)
    field: GraphQLField = dataclasses.field(init=False)
    columns: list[Selected] = dataclasses.field(default_factory=lambda: [Selected(PAGE, "id", Spelling.ID)])
    joins: list[Join] = dataclasses.field(default_factory=list)
    answer: Answer = dataclasses.field(init=False)
    with_total: bool = False

    def __post_init__(self) -> None:
        source = f"lambda rows, me, total, limit, skip: {self._root()}"
        names = ", ".join(["_", *(f"c{i}" for i in range(len(self.columns)))])
        # Of what clients write, it holds nothing but names of fields and aliases: letters, digits and underscores.
        self.answer = eval(source.replace(ROW, f"({names})"), {})  # noqa: S307

    def _root(self) -> str:
        """Python that makes the `data` of a query whose only field is one `leadOffers`."""
        asked, query = self.query, self.query.schema.query_type
        assert query is not None
        collected = collect_fields(asked.schema, asked.fragments, self.variables, query, asked.operation)
        fields = _at_once(collected)
        pages = [details for details in fields.values() if _name(details) == "leadOffers"]
        if len(pages) != 1:
            raise Declined
        self.node, self.field = pages[0][0].node, query.fields["leadOffers"]
        return _object({key: self._of_query(query, details) for key, details in fields.items()})

    def _of_query(self, query: GraphQLObjectType, details: list[FieldDetails]) -> str:
        if _name(details) == "__typename":
            return repr(query.name)
        if _name(details) == "me":
            return self._row(_object_type(query.fields["me"]), User, ME, details)
        if _name(details) != "leadOffers":
            raise Declined
        page = _object_type(self.field)
        return _object({key: self._of_page(page, found) for key, found in self._below(page, details)})

    def _of_page(self, page: GraphQLObjectType, details: list[FieldDetails]) -> str:
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
        raise Declined

    def _row(self, type_: GraphQLObjectType, model: type[SQLModel], source: int, details: list[FieldDetails]) -> str:
        return _object({key: self._of_row(type_, model, source, found) for key, found in self._below(type_, details)})

    def _of_row(self, type_: GraphQLObjectType, model: type[SQLModel], source: int, details: list[FieldDetails]) -> str:
        if _name(details) == "__typename":
            return repr(type_.name)
        core = type_.fields[_name(details)]
        definition: StrawberryField = core.extensions[GraphQLCoreConverter.DEFINITION_BACKREF]
        reference = definition.metadata.get(Reference)
        if reference is not None:
            return self._referred(core, model, source, reference, details)
        name, computed = definition.python_name, definition.metadata.get(Computed)
        if computed is None:
            if definition.base_resolver is not None:
                raise Declined
            _decline_lost_null(core, table_of(model).c[name])
        return self._leaf(core, source, name, computed)

    def _referred(
        self,
        core: GraphQLField,
        model: type[SQLModel],
        source: int,
        reference: Reference,
        details: list[FieldDetails],
    ) -> str:
        key = table_of(model).c[reference.key]
        _decline_lost_null(core, key)
        joined = self._join(source, key, reference)
        row = self._row(_object_type(core), reference.model, joined, details)
        return f"None if {self._column(joined, 'id', Spelling.ID)} is None else {row}" if key.nullable else row

    def _leaf(self, core: GraphQLField, source: int, name: str, computed: Computed | None) -> str:
        named = get_named_type(core.type)
        match named.name:
            case "ID":
                return self._column(source, name, Spelling.ID, computed)
            case "DateTime":
                return self._column(source, name, Spelling.INSTANT, computed)
            case "Boolean" if not self.postgresql:
                value = self._column(source, name, computed=computed)
                return f"None if {value} is None else {value} == 1"  # SQLite has no booleans
            case "String" | "Int" | "Boolean":
                return self._column(source, name, computed=computed)
        if not is_enum_type(named):
            raise Declined
        return self._column(source, name, computed=computed)

    def _below(self, type_: GraphQLObjectType, details: list[FieldDetails]) -> Any:
        query = self.query
        collected = collect_subfields(query.schema, query.fragments, self.variables, query.operation, type_, details)
        return _at_once(collected).items()

    def _join(self, source: int, key: Column[Any], reference: Reference) -> int:
        behind_optional = source != PAGE and self.joins[source - 1].optional
        join = Join(source, reference, behind_optional or bool(key.nullable))
        if join not in self.joins:
            self.joins.append(join)
        return self.joins.index(join) + 1

    def _column(
        self, source: int, name: str, spelling: Spelling = Spelling.STORED, computed: Computed | None = None
    ) -> str:
        column = Selected(source, name, spelling, computed)
        if column not in self.columns:
            self.columns.append(column)
        place = self.columns.index(column)
        return f"me[{place + 1}]" if source == ME else f"c{place}"


def _decline_lost_null(core: GraphQLField, column: Column[Any]) -> None:
    """What a null where none may be does to the objects around it is the executor's affair."""
    if is_non_null_type(core.type) and column.nullable:
        raise Declined


def table_of(model: type[SQLModel]) -> Table:
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


def _at_once(collected: Any) -> dict[str, list[FieldDetails]]:
    if collected.new_defer_usages:
        raise Declined
    fields: dict[str, list[FieldDetails]] = collected.grouped_field_set
    return fields
