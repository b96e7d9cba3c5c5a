"""Executes operations. Objects that show rows are read by compiled plans instead of field by field.

Mutations, subscriptions, and queries with a field that only its resolver can answer run through graphql-core. As soon
as it meets an object that shows a row, all that is selected below is read by one statement for all such rows.
"""

from collections.abc import Awaitable
from typing import Any

from graphql import GraphQLObjectType, GraphQLResolveInfo
from graphql.execution.collect_fields import FieldDetails
from graphql.pyutils import Path
from sqlmodel import SQLModel

from app.graphql.context import Context
from app.graphql.plans.operation import Scope
from app.graphql.strawberry_internals import StrawberryExecutor


class PlanningExecutor(StrawberryExecutor):
    """graphql-core's executor with compiled plans for objects that show rows."""

    def complete_object_value(
        self,
        return_type: GraphQLObjectType,
        field_details_list: list[FieldDetails],
        info: GraphQLResolveInfo[Any],
        path: Path,
        result: Any,
        position_context: Any,
    ) -> Any:
        """Return the object, or an awaitable of its JSON text."""

        def by_resolvers() -> Any:
            return super(PlanningExecutor, self).complete_object_value(
                return_type, field_details_list, info, path, result, position_context
            )

        context: Context = self.context_value
        if context.plans is None or not isinstance(result, SQLModel) or not hasattr(result, "id"):
            return by_resolvers()
        scope = Scope(self.schema, self.operation, self.fragments, self.variable_values)
        tree = context.plans.object_tree(scope, return_type, type(result), field_details_list)
        if tree is None or tree.has_columns_only:
            return by_resolvers()
        loading = context.loaders.object_texts(tree, self.variable_values, context).load(result.id)
        return _or_resolvers(loading, by_resolvers)


async def _or_resolvers(loading: Awaitable[Any], by_resolvers: Any) -> Any:
    """Return the text, or what the resolvers make of a row that has been deleted since."""
    text = await loading
    if text is not None:
        return text
    completed = by_resolvers()
    return await completed if isinstance(completed, Awaitable) else completed
