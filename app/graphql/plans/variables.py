"""The values of an operation's variables.

graphql-core takes 10 µs to coerce two of them, a tenth of what a whole request costs. But what JSON has as a text or a
number mostly is its own coerced value, and what a variable is when it is not sent is known beforehand.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from graphql import GraphQLSchema, VariableDefinitionNode, get_variable_values, print_ast
from graphql.execution.values import VariableValues

_LARGEST = 2**31 - 1
"""Of GraphQL's Int."""

_IS_COERCED: Mapping[str, Callable[[Any], bool]] = {
    "ID": lambda value: value is None or type(value) is str,
    "ID!": lambda value: type(value) is str,
    "String": lambda value: value is None or type(value) is str,
    "Int": lambda value: value is None or (type(value) is int and -_LARGEST <= value <= _LARGEST),
    "Boolean": lambda value: value is None or type(value) is bool,
    "Boolean!": lambda value: type(value) is bool,
}
"""Whether a value is what coercing it to a type would give. Of other types it is not known."""


class Variables:
    """The variables that a valid operation defines."""

    def __init__(self, schema: GraphQLSchema, definitions: Sequence[VariableDefinitionNode]) -> None:
        self._schema, self._definitions = schema, definitions
        self._checks = {d.variable.name.value: _IS_COERCED.get(print_ast(d.type), _is_unknown) for d in definitions}
        unsent = [get_variable_values(schema, [definition], {}) for definition in definitions]
        self._unsent = {k: v for one in unsent if isinstance(one, VariableValues) for k, v in one.coerced.items()}
        self._required = [name for name, one in zip(self._checks, unsent, strict=True) if isinstance(one, list)]

    def coerce(self, sent: Mapping[str, Any]) -> VariableValues | None:
        """What they are where these are sent; None where that is wrong, as the resolvers' way says in detail."""
        given = {name: sent[name] for name in self._checks if name in sent}
        if all(self._checks[name](value) for name, value in given.items()) and given.keys() >= set(self._required):
            return VariableValues({}, self._unsent | given)
        coerced = get_variable_values(self._schema, self._definitions, dict(sent))
        return None if isinstance(coerced, list) else coerced


def _is_unknown(_value: object) -> bool:
    return False
