"""The private parts of Strawberry that this server uses. tests/graphql/test_internals.py checks each of them."""

from typing import Any

import strawberry
from graphql import GraphQLField, GraphQLSchema
from strawberry.asgi import ASGIWebSocketAdapter
from strawberry.exceptions import ConnectionRejectionError, MissingQueryError
from strawberry.http.exceptions import WebSocketDisconnected
from strawberry.schema.base import BaseSchema
from strawberry.schema.exceptions import CannotGetOperationTypeError, InvalidOperationTypeError
from strawberry.schema.schema import StrawberryGraphQLCoreExecutionContext as StrawberryExecutor
from strawberry.schema.schema_converter import GraphQLCoreConverter
from strawberry.schema.validation_rules.maybe_null import MaybeNullValidationRule
from strawberry.schema.validation_rules.one_of import OneOfInputValidationRule
from strawberry.subscriptions import GRAPHQL_TRANSPORT_WS_PROTOCOL
from strawberry.subscriptions.protocols.graphql_transport_ws.handlers import BaseGraphQLTransportWSHandler, Operation
from strawberry.subscriptions.protocols.graphql_transport_ws.types import Message, SubscribeMessage
from strawberry.types.arguments import StrawberryArgument, convert_arguments
from strawberry.types.execution import ExecutionContext, PreExecutionError
from strawberry.types.field import StrawberryField

__all__ = [
    "GRAPHQL_TRANSPORT_WS_PROTOCOL",
    "ASGIWebSocketAdapter",
    "BaseGraphQLTransportWSHandler",
    "CannotGetOperationTypeError",
    "ConnectionRejectionError",
    "InvalidOperationTypeError",
    "MaybeNullValidationRule",
    "Message",
    "MissingQueryError",
    "OneOfInputValidationRule",
    "Operation",
    "PreExecutionError",
    "StrawberryExecutor",
    "SubscribeMessage",
    "WebSocketDisconnected",
    "core_schema",
    "python_arguments",
    "requested_operation_name",
    "strawberry_field",
    "strawberry_schema",
]


def core_schema(schema: strawberry.Schema | BaseSchema) -> GraphQLSchema:
    """Return the graphql-core schema that Strawberry has built, which parsing, measuring and validation need."""
    return schema._schema  # type: ignore[union-attr]


def strawberry_schema(schema: GraphQLSchema) -> strawberry.Schema:
    """Return the Strawberry schema from which a graphql-core schema was built."""
    found: strawberry.Schema = schema._strawberry_schema  # type: ignore[attr-defined]
    return found


def strawberry_field(core: GraphQLField) -> StrawberryField:
    """Return the Strawberry field from which a field of the graphql-core schema was built."""
    field: StrawberryField = core.extensions[GraphQLCoreConverter.DEFINITION_BACKREF]
    return field


def python_arguments(
    schema: strawberry.Schema, known: list[StrawberryArgument], values: dict[str, Any]
) -> dict[str, Any]:
    """Convert the values that graphql-core has coerced, by the names of the resolver's parameters."""
    return convert_arguments(values, known, schema.schema_converter.scalar_registry, schema.config)


def requested_operation_name(execution: ExecutionContext) -> str | None:
    """Return the operationName of the request. `ExecutionContext.operation_name` falls back to the document's first."""
    return execution._provided_operation_name
