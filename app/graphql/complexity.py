"""How much a document asks for, measured in one pass before anything else is done with it.

Each definition is walked once, fragments before those that spread them, and what a fragment amounts to is added where
it is spread: a document whose fragments double forty times over is measured as fast as any other of its length.

The cost is the number of values that the answer may hold: a field counts one, its children as often as it has items.
A page has as many as its `limit` in force, another list as many as ASSUMED says.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from math import ceil
from typing import Any

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLField,
    GraphQLNamedType,
    GraphQLSchema,
    InlineFragmentNode,
    IntValueNode,
    ListValueNode,
    NullValueNode,
    ObjectValueNode,
    OperationDefinitionNode,
    SelectionNode,
    SelectionSetNode,
    ValueNode,
    VariableNode,
    get_named_type,
    get_nullable_type,
    is_abstract_type,
    is_composite_type,
    is_enum_type,
    is_input_object_type,
    is_interface_type,
    is_list_type,
    is_object_type,
)

from app.config import Settings
from app.graphql.limits import MAX_INPUT_FIELDS, Lists
from app.lists.filters import DEFAULT_LIMIT, MAX_LIMIT, allow

ASSUMED = {
    "LeadRollout": 10,
    "Delivery": 3,
    "LeadOffer": 25,
    "PlannedOffer": 25,
    "SkippedMember": 25,
    "TeamWarning": 25,
    "String": 100,
}
"""Items of a list that is no page, by what it lists: what a large team has."""


MOST = 10**9
"""Nothing is counted further: fragments that double a thousand times over would make numbers of a thousand digits."""


@dataclass(frozen=True, slots=True)
class Size:
    """What a selection amounts to, its fragments spread out.

    `per_item` is the part of the cost that every item of a page adds: that of its `data`.
    """

    depth: int = 0
    fields: int = 0
    aliases: int = 0
    directives: int = 0
    cost: float = 0
    per_item: float = 0

    def __add__(self, other: "Size") -> "Size":
        return Size(
            max(self.depth, other.depth),
            min(self.fields + other.fields, MOST),
            min(self.aliases + other.aliases, MOST),
            min(self.directives + other.directives, MOST),
            min(self.cost + other.cost, MOST),
            min(self.per_item + other.per_item, MOST),
        )


@dataclass(slots=True)
class Measuring:
    """One pass over a document, for one set of variables.

    Gathers on its way the names of the variables on which the cost depends, and the values of `where` and `sort`.
    """

    schema: GraphQLSchema
    settings: Settings
    variables: Mapping[str, Any]
    limits: set[str] = field(default_factory=set)
    wheres: list[ValueNode] = field(default_factory=list)
    sorts: list[ValueNode] = field(default_factory=list)
    _fragments: dict[str, Size] = field(default_factory=dict)
    _defaults: dict[str, list[ValueNode]] = field(default_factory=dict)

    def check(self, document: DocumentNode) -> None:
        """QUERY_TOO_COMPLEX if any operation of the document asks for more than the settings allow."""
        operations = [node for node in document.definitions if isinstance(node, OperationDefinitionNode)]
        allow(len(operations), self.settings.max_operations, "operations")
        for variable in (v for operation in operations for v in operation.variable_definitions or ()):
            if variable.default_value:
                self._defaults.setdefault(variable.variable.name.value, []).append(variable.default_value)
        for fragment in _innermost_first(document):
            on = self.schema.type_map.get(fragment.type_condition.name.value)
            self._fragments[fragment.name.value] = self._selection(fragment.selection_set, on)
        for operation in operations:
            self._operation(operation)

    def lists(self) -> Lists:
        """What of the document is to be counted with every set of variables."""
        return Lists(self.wheres, self.sorts, {name: nodes[-1] for name, nodes in self._defaults.items()})

    def _operation(self, operation: OperationDefinitionNode) -> None:
        size = self._selection(operation.selection_set, self.schema.get_root_type(operation.operation))
        directives = size.directives + len(operation.directives or ())
        allow(size.depth, self.settings.max_depth, "levels of fields")
        allow(size.fields, self.settings.max_fields, "fields, fragments spread out")
        allow(size.aliases, self.settings.max_aliases, "aliases")
        allow(directives, self.settings.max_directives, "directives")
        allow(ceil(size.cost), self.settings.max_cost, "values that the answer may hold")

    def _selection(self, node: SelectionSetNode | None, parent: GraphQLNamedType | None) -> Size:
        size = Size()
        for selection in node.selections if node else ():
            directives = len(selection.directives or ())
            allow(directives, self.settings.max_directives_per_field, "directives on one field")
            size += self._one(selection, parent) + Size(directives=directives)
        return size

    def _one(self, selection: SelectionNode, parent: GraphQLNamedType | None) -> Size:
        match selection:
            case FragmentSpreadNode():
                return self._fragments.get(selection.name.value, Size())
            case InlineFragmentNode():
                on = selection.type_condition
                return self._selection(
                    selection.selection_set, self.schema.type_map.get(on.name.value) if on else parent
                )
        assert isinstance(selection, FieldNode)
        return self._field(selection, parent)

    def _field(self, node: FieldNode, parent: GraphQLNamedType | None) -> Size:
        self._arguments(node)
        definition = self.schema.get_field(parent, node.name.value) if is_composite_type(parent) else None
        inside = self._selection(node.selection_set, get_named_type(definition.type) if definition else None)
        cost, per_item = self._cost(node, definition, inside, parent)
        return Size(
            inside.depth + 1,
            inside.fields + 1,
            inside.aliases + bool(node.alias),
            inside.directives,
            1 + cost,
            per_item,
        )

    def _cost(
        self, node: FieldNode, definition: GraphQLField | None, inside: Size, parent: GraphQLNamedType | None
    ) -> tuple[float, float]:
        """What is inside of a field adds to the cost, once and for each item of the page that the field is part of."""
        if definition is None:
            return inside.cost, 0
        if parent and parent.name.startswith("__"):
            return inside.cost * _introspected(self.schema).get(node.name.value, 1), 0
        if "limit" in definition.args:
            return inside.cost + inside.per_item * self._limit(node), 0
        if not is_list_type(get_nullable_type(definition.type)):
            return inside.cost, 0
        each = max(inside.cost, 1)
        if node.name.value == "data" and parent and parent.name.endswith("Page"):
            return 0, each
        return each * ASSUMED.get(get_named_type(definition.type).name, MAX_LIMIT), 0

    def _limit(self, node: FieldNode) -> int:
        """How many items a page may have: its `limit` in force, or as many as there can be where that is no number."""
        given = next((a.value for a in node.arguments or () if a.name.value == "limit"), None)
        if not isinstance(given, VariableNode):
            return _in_force(given)
        name = given.name.value
        self.limits.add(name)
        if name in self.variables:
            return _in_force(self.variables[name])
        return max(map(_in_force, self._defaults.get(name, [None])))

    def _arguments(self, node: FieldNode) -> None:
        """Notes the lists that are asked for, and looks into every literal."""
        stack: list[ValueNode] = []
        for argument in node.arguments or ():
            stack.append(argument.value)
            match argument.name.value:
                case "where":
                    self.wheres.append(argument.value)
                case "sort":
                    self.sorts.append(argument.value)
        while stack:
            match stack.pop():
                case ListValueNode(values=values):
                    stack += values
                case ObjectValueNode(fields=fields):
                    allow(len(fields), MAX_INPUT_FIELDS, "fields of one object")
                    stack += [field.value for field in fields]


def _in_force(limit: object) -> int:
    match limit:
        case None | NullValueNode():
            return DEFAULT_LIMIT
        case IntValueNode(value=digits) if len(digits) <= 10:
            return max(0, min(int(digits), MAX_LIMIT))
        case int():
            return max(0, min(limit, MAX_LIMIT))
    return MAX_LIMIT


def _innermost_first(document: DocumentNode) -> Iterator[FragmentDefinitionNode]:
    """The fragments, each after those that it spreads. Of a circle, which validation refuses, one link is left out."""
    fragments = {node.name.value: node for node in document.definitions if isinstance(node, FragmentDefinitionNode)}
    seen: set[str] = set()
    for root, fragment in fragments.items():
        stack = [] if root in seen else [(root, _spreads(fragment))]
        seen.add(root)
        while stack:
            name, spreads = stack[-1]
            inner = next((spread for spread in spreads if spread in fragments and spread not in seen), None)
            if inner is None:
                yield fragments[name]
                stack.pop()
            else:
                seen.add(inner)
                stack.append((inner, _spreads(fragments[inner])))


def _spreads(fragment: FragmentDefinitionNode) -> Iterator[str]:
    """The names of the fragments that one spreads."""
    stack: list[SelectionSetNode | None] = [fragment.selection_set]
    while stack:
        for selection in getattr(stack.pop(), "selections", ()):
            if isinstance(selection, FragmentSpreadNode):
                yield selection.name.value
            else:
                stack.append(selection.selection_set)


@cache
def _introspected(schema: GraphQLSchema) -> Mapping[str, float]:
    """How often the fields of introspection have something inside: types as there are, the rest as on average."""
    types = list(schema.type_map.values())
    objects = [t for t in types if is_object_type(t) or is_interface_type(t)]
    fields = [field for type_ in objects for field in type_.fields.values()]
    of_types = {
        "fields": len(fields),
        "interfaces": sum(len(t.interfaces) for t in objects),
        "possibleTypes": sum(len(schema.get_possible_types(t)) for t in types if is_abstract_type(t)),
        "inputFields": sum(len(t.fields) for t in types if is_input_object_type(t)),
        "enumValues": sum(len(t.values) for t in types if is_enum_type(t)),
    }
    return {name: count / len(types) for name, count in of_types.items()} | {
        "types": len(types),
        "directives": len(schema.directives),
        "args": sum(len(field.args) for field in fields) / len(fields),
        "ofType": 0.6,
    }
