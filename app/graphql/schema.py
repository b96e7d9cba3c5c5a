"""The GraphQL schema, and the checks that every operation passes."""

from collections.abc import Iterator
from datetime import datetime
from functools import cache

import strawberry
from graphql import GraphQLError, OperationDefinitionNode, build_schema, lexicographic_sort_schema, print_schema
from strawberry.extensions import SchemaExtension
from strawberry.schema.config import StrawberryConfig
from strawberry.schema.name_converter import NameConverter
from strawberry.types.execution import ExecutionContext
from strawberry.types.graphql import OperationType
from strawberry.utils.str_converters import to_camel_case

from app.domain.enums import ApiScope
from app.errors import ApiError, Code
from app.graphql.context import Context, Info
from app.graphql.errors import translate
from app.graphql.execution import PlanningExecutor
from app.graphql.mutations import Mutation
from app.graphql.queries import Query
from app.graphql.scalars import DATE_TIME
from app.graphql.strawberry_internals import requested_operation_name
from app.graphql.subscriptions import Subscription


class OperationRules(SchemaExtension):
    """Checks every operation: its size, its validity, and the scope of the token."""

    def on_parse(self) -> Iterator[None]:
        execution = self.execution_context
        context: Context = execution.context
        document = context.documents.load(execution.query or "", execution.variables or {})
        execution.graphql_document = document.ast
        execution.pre_execution_errors = list(document.errors) or None
        operations = [d for d in document.ast.definitions if isinstance(d, OperationDefinitionNode)]
        if len(operations) > 1 and requested_operation_name(execution) is None:
            raise ApiError(
                Code.GRAPHQL_VALIDATION_FAILED, "The document has several operations. Send operationName to select one."
            )
        yield

    def on_validate(self) -> Iterator[None]:
        execution = self.execution_context
        # Mutations check the scope at each field, so that the error has the field's name as its path.
        if execution.operation_type is not OperationType.MUTATION:
            execution.context.viewer.require(ApiScope.READ)
        execution.pre_execution_errors = execution.pre_execution_errors or []  # a list, even if empty, skips validation
        yield


class Schema(strawberry.Schema):
    """The schema. It translates errors in one place for all transports."""

    def process_errors(self, errors: list[GraphQLError], execution_context: ExecutionContext | None = None) -> None:
        translate(errors, execution_context)


class Names(NameConverter):
    """Strawberry's names, cached: it converts the names of an input again for each value of it."""

    def apply_naming_config(self, name: str) -> str:
        return _camel_case(name)


_camel_case = cache(to_camel_case)

schema = Schema(
    Query,
    Mutation,
    Subscription,
    config=StrawberryConfig(info_class=Info, name_converter=Names(), scalar_map={datetime: DATE_TIME}),
    extensions=[OperationRules],
    execution_context_class=PlanningExecutor,
)


def sdl() -> str:
    """Return the schema definition, sorted and with descriptions: the contents of schema.graphql."""
    return print_schema(lexicographic_sort_schema(build_schema(schema.as_str()))) + "\n"
