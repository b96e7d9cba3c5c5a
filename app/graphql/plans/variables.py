"""The values of an operation's variables.

Most values that JSON has as a string, number or Boolean are already coerced. Only other types and missing variables
need graphql-core, whose coercion takes several times as long.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from graphql import GraphQLSchema, VariableDefinitionNode, get_variable_values, print_ast
from graphql.execution.values import VariableValues

from app.domain.bounds import LARGEST_INT

_IS_COERCED: Mapping[str, Callable[[Any], bool]] = {
    "ID": lambda value: value is None or type(value) is str,
    "ID!": lambda value: type(value) is str,
    "String": lambda value: value is None or type(value) is str,
    "Int": lambda value: value is None or (type(value) is int and -LARGEST_INT <= value <= LARGEST_INT),
    "Boolean": lambda value: value is None or type(value) is bool,
    "Boolean!": lambda value: type(value) is bool,
}
"""Whether coercing a value to a type would return it unchanged. Other types are coerced by graphql-core."""


class Variables:
    """The variables that a valid operation defines."""

    def __init__(self, schema: GraphQLSchema, definitions: Sequence[VariableDefinitionNode]) -> None:
        self._schema, self._definitions = schema, definitions
        self._checks = {d.variable.name.value: _IS_COERCED.get(print_ast(d.type), _is_unknown) for d in definitions}
        unsent = [get_variable_values(schema, [definition], {}) for definition in definitions]
        self._unsent = {k: v for one in unsent if isinstance(one, VariableValues) for k, v in one.coerced.items()}
        self._required = [name for name, one in zip(self._checks, unsent, strict=True) if isinstance(one, list)]

    def coerce(self, sent: Mapping[str, Any]) -> VariableValues | None:
        """Return the coerced values, or None if one is invalid: the resolvers then report the error."""
        given = {name: sent[name] for name in self._checks if name in sent}
        if all(self._checks[name](value) for name, value in given.items()) and given.keys() >= set(self._required):
            return VariableValues({}, self._unsent | given)
        coerced = get_variable_values(self._schema, self._definitions, dict(sent))
        return None if isinstance(coerced, list) else coerced


def _is_unknown(_value: object) -> bool:
    return False
