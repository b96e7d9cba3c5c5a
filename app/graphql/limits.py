"""How much a list may be asked for in one `where` and one `sort`.

Counted on what was sent, before it is coerced: coercing a huge input is the very work that the limits spare us.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from graphql import (
    DocumentNode,
    FieldNode,
    ListValueNode,
    ObjectValueNode,
    OperationDefinitionNode,
    ValueNode,
    VariableNode,
)
from graphql.language import Visitor, visit

from app.filters import MAX_CONDITIONS, MAX_LEVELS, MAX_SORTS, MAX_VALUES, allow

COMBINERS = frozenset({"and", "or", "not"})


def check_lists(document: DocumentNode, variables: Mapping[str, Any]) -> None:
    """QUERY_TOO_COMPLEX if a `where` or `sort` anywhere in the document is larger than it may be."""
    values = _defaults(document) | dict(variables)

    class Lists(Visitor):
        def enter_field(self, node: FieldNode, *_args: Any) -> None:
            for argument in node.arguments or ():
                match argument.name.value:
                    case "where":
                        _check_where(argument.value, values)
                    case "sort":
                        allow(len(_items(_sent(argument.value, values))), MAX_SORTS, "sorts")

    visit(document, Lists())


def _defaults(document: DocumentNode) -> dict[str, Any]:
    operations = (d for d in document.definitions if isinstance(d, OperationDefinitionNode))
    definitions = (v for operation in operations for v in operation.variable_definitions or ())
    return {v.variable.name.value: v.default_value for v in definitions if v.default_value is not None}


def _check_where(where: object, variables: Mapping[str, Any]) -> None:
    conditions = 0
    stack = [(where, 1)]
    while stack:
        item, level = stack.pop()
        allow(level, MAX_LEVELS, "levels of and, or and not")
        for name, value in _fields(_sent(item, variables)):
            if name in COMBINERS:
                stack += [(part, level + 1) for part in _items(_sent(value, variables))]
                allow(len(stack), MAX_CONDITIONS, "conditions")
            else:
                conditions += _count(_sent(value, variables), variables)
                allow(conditions, MAX_CONDITIONS, "conditions")


def _count(comparison: object, variables: Mapping[str, Any]) -> int:
    """The number of operators of one field's filter, whose lists are not too long."""
    operators = list(_fields(comparison))
    for _, value in operators:
        allow(len(_items(_sent(value, variables))), MAX_VALUES, "values in a list")
    return len(operators)


def _sent(value: object, variables: Mapping[str, Any]) -> object:
    """What a variable stands for; any other value is itself."""
    return variables.get(value.name.value) if isinstance(value, VariableNode) else value


def _fields(value: object) -> Iterator[tuple[str, object]]:
    match value:
        case ObjectValueNode():
            yield from ((field.name.value, field.value) for field in value.fields)
        case dict():
            yield from value.items()


def _items(value: object) -> tuple[object, ...] | list[object]:
    """The items of a list; a lone value stands for a list of one."""
    match value:
        case ListValueNode():
            return value.values
        case list():
            return value
        case None:
            return ()
    return (value,) if isinstance(value, dict | ValueNode) else ()
