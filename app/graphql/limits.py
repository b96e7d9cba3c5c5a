"""How much a list may be asked for in one `where` and one `sort`.

Counted on what was sent, before it is coerced: coercing a huge input is the very work that the limits spare us.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from graphql import ListValueNode, ObjectValueNode, ValueNode, VariableNode

from app.lists.filters import MAX_CONDITIONS, MAX_LEVELS, MAX_SORTS, MAX_VALUES, allow

MAX_INPUT_FIELDS = 100
"""Fields of one object. The largest input has some 15, and every unknown one is told with the whole object."""

COMBINERS = frozenset({"and", "or", "not"})


@dataclass(frozen=True, slots=True)
class Lists:
    """The values of every `where` and every `sort` in a document, and the defaults of its variables."""

    wheres: Sequence[ValueNode]
    sorts: Sequence[ValueNode]
    defaults: Mapping[str, ValueNode]

    def check(self, variables: Mapping[str, Any]) -> None:
        """QUERY_TOO_COMPLEX if one of them is larger than it may be."""
        _check_objects(variables)
        values = {**self.defaults, **variables}
        for where in self.wheres:
            _check_where(where, values)
        for sort in self.sorts:
            allow(len(_items(_sent(sort, values))), MAX_SORTS, "sorts")


def _check_objects(variables: Mapping[str, Any]) -> None:
    stack = list(variables.values())
    while stack:
        match stack.pop():
            case dict() as item:
                allow(len(item), MAX_INPUT_FIELDS, "fields of one object")
                stack += item.values()
            case list() as items:
                stack += items


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
