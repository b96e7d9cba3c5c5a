"""An operation of a document, and the fields that it selects with the values of its variables."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from graphql import (
    DirectiveNode,
    DocumentNode,
    FragmentDefinitionNode,
    GraphQLObjectType,
    GraphQLSchema,
    Node,
    OperationDefinitionNode,
    OperationType,
    VariableNode,
)
from graphql.execution.collect_fields import FieldDetails, FragmentDetails, collect_fields, collect_subfields
from graphql.execution.values import VariableValues
from graphql.language import Visitor, visit

from app.graphql.plans.variables import Variables


@dataclass(frozen=True, slots=True)
class Scope:
    """The definitions and values by which the fields of a selection are collected."""

    schema: GraphQLSchema
    node: OperationDefinitionNode
    fragments: dict[str, FragmentDetails]
    values: VariableValues

    def root_fields(self, query: GraphQLObjectType) -> Any:
        """Return the fields of the operation, as graphql-core collects them."""
        return collect_fields(self.schema, self.fragments, self.values, query, self.node)

    def fields_below(self, type_: GraphQLObjectType, details: list[FieldDetails]) -> Any:
        """Return the fields selected below a field whose object is of this type, as graphql-core collects them."""
        return collect_subfields(self.schema, self.fragments, self.values, self.node, type_, details)


@dataclass(frozen=True, slots=True, eq=False)
class QueryOperation:
    """A query of a valid document."""

    schema: GraphQLSchema
    node: OperationDefinitionNode
    fragments: dict[str, FragmentDetails]
    variables: Variables
    switches: tuple[str, ...]
    """The variables of @skip and @include."""

    @classmethod
    def find(cls, schema: GraphQLSchema, document: DocumentNode, name: str | None) -> "QueryOperation | None":
        """Return the document's only operation, or the one with this name; None if it is not a query."""
        operations = [d for d in document.definitions if isinstance(d, OperationDefinitionNode)]
        named = [d for d in operations if name in (None, d.name and d.name.value)]
        if len(named) != 1 or named[0].operation is not OperationType.QUERY:
            return None
        fragments = [d for d in document.definitions if isinstance(d, FragmentDefinitionNode)]
        variables = Variables(schema, named[0].variable_definitions or ())
        details = {d.name.value: FragmentDetails(d) for d in fragments}
        return cls(schema, named[0], details, variables, _switches((named[0], *fragments)))


def _switches(definitions: Sequence[Node]) -> tuple[str, ...]:
    names: dict[str, None] = {}

    class Switches(Visitor):
        def enter_directive(self, node: DirectiveNode, *_args: Any) -> None:
            if node.name.value in ("skip", "include"):
                for argument in node.arguments or ():
                    if isinstance(argument.value, VariableNode):
                        names[argument.value.name.value] = None

    for definition in definitions:
        visit(definition, Switches())
    return tuple(names)
