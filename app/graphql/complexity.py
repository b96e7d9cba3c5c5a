"""Limits on the size of a document and of its arguments, checked before the document is validated or executed.

The cost of an operation is the number of values that its response may hold. Each field counts 1, a long text as many as
it has room for texts, and the fields of a list count once per item. A page has as many items as its `limit` in force,
any other list as many as ASSUMED_ITEMS.

Fragments are measured once, innermost first, and their total is added wherever they are spread. A document whose
fragments double forty times over is therefore measured as fast as any other document of its length.

`where` and `sort` are counted in the raw variables: coercing a huge input is the work that the limits prevent.
Conditions and values count over all lists of an operation, because one statement of the database evaluates them all. A
list of a fragment counts each time the fragment is spread.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from math import ceil
from typing import Any

from graphql import (
    BooleanValueNode,
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
from app.domain.bounds import LONGEST_CHAIN, LONGEST_FIGURES_IN_DAYS, LONGEST_MESSAGE, LONGEST_TEXT
from app.domain.enums import ApiScope, LeadOfferStatus
from app.graphql.inputs.where import RELATED
from app.lists.filters import (
    IN_REQUEST,
    MAX_CONDITIONS,
    MAX_LEVELS,
    MAX_SORTS,
    MAX_VALUES,
    MAX_VALUES_IN_REQUEST,
    allow,
)
from app.lists.pagination import DEFAULT_LIMIT, MAX_LIMIT

# Settings limit the cost and the depth of an operation. The limits below are fixed: whatever fits them is cheap to
# parse, measure and validate, and GraphiQL's introspection query fits them too.
MAX_CHARACTERS = 100_000
MAX_TOKENS = 10_000
MAX_OPERATIONS = 20
MAX_FIELDS = 1_000
MAX_ALIASES = 30
MAX_DIRECTIVES = 100
MAX_DIRECTIVES_PER_FIELD = 5
MAX_ERRORS = 50
"""Errors in one response."""
MAX_INPUT_FIELDS = 100
"""Fields of one input object. The largest input type has 17; an error for an unknown field quotes the object."""

ASSUMED_ITEMS = {
    "ApiScope": len(ApiScope),
    "IgnoredField": 15,
    "LeadRollout": 10,
    "Claim": 3,
    "Delivery": 3,
    "LeadFigures": LONGEST_FIGURES_IN_DAYS,
    "MemberFigures": 25,
    "LeadOffer": 25,
    "LeadOfferCount": len(LeadOfferStatus),
    "PlannedOffer": 25,
    "PlannedStep": LONGEST_CHAIN,
    "PassedOverTeam": LONGEST_CHAIN,
    "SkippedMember": 25,
    "TeamWarning": 25,
    "Turn": 25,
    "WaitingInvitation": 25,
    "String": 100,
}
"""The assumed length of a list that is not a page, by the type of its items: as long as for a large team."""

LONG_TEXTS = {"Lead.message": LONGEST_MESSAGE // LONGEST_TEXT}
"""The values that a field counts as, if it may be longer than other texts."""

COUNT_CEILING = 10**9
"""Sums stop here: fragments that double a thousand times over would produce numbers of several hundred digits."""

LOGICAL_OPERATORS = frozenset({"and", "or", "not"})


@dataclass(frozen=True, slots=True)
class Complexity:
    """The size of a selection with its fragments expanded.

    `cost_per_item` is the part of a page's cost that each item adds, which is the cost of `data`.
    """

    depth: int = 0
    fields: int = 0
    aliases: int = 0
    directives: int = 0
    cost: float = 0
    cost_per_item: float = 0

    def __add__(self, other: "Complexity") -> "Complexity":
        return Complexity(
            max(self.depth, other.depth),
            min(self.fields + other.fields, COUNT_CEILING),
            min(self.aliases + other.aliases, COUNT_CEILING),
            min(self.directives + other.directives, COUNT_CEILING),
            min(self.cost + other.cost, COUNT_CEILING),
            min(self.cost_per_item + other.cost_per_item, COUNT_CEILING),
        )


@dataclass(frozen=True, slots=True)
class ListArguments:
    """Every `where` and `sort` in a document, and the defaults of its variables.

    `wheres` has those of each operation with the number of times that it executes them: a `where` in a fragment as
    often as the fragment is spread.
    """

    wheres: Sequence[Sequence[tuple[ValueNode, int]]]
    sorts: Sequence[ValueNode]
    defaults: Mapping[str, ValueNode]

    def check(self, variables: Mapping[str, Any]) -> None:
        """Raise QUERY_TOO_COMPLEX if a variable, a `sort`, or all `where` of an operation together are too large."""
        values = {**self.defaults, **variables}
        for wheres in self.wheres:
            _check_wheres(wheres, values)
        for sort in self.sorts:
            allow(len(_items(_resolve(sort, values))), MAX_SORTS, "sorts")

        stack = list(variables.values())
        while stack:
            match stack.pop():
                case dict() as item:
                    allow(len(item), MAX_INPUT_FIELDS, "fields of one object")
                    stack += item.values()
                case list() as items:
                    stack += items


@dataclass(slots=True)
class _Definition:
    """One operation or fragment: each `where` in it, and how often it spreads each fragment."""

    wheres: list[ValueNode] = field(default_factory=list)
    spreads: Counter[str] = field(default_factory=Counter)


@dataclass(slots=True)
class ComplexityCalculator:
    """Measures a document in one pass, for one set of variables.

    The pass also collects the names of the variables that are used as a `limit`, on which the cost depends, and the
    values of `where` and `sort`.
    """

    schema: GraphQLSchema
    settings: Settings
    variables: Mapping[str, Any]
    limit_variables: set[str] = field(default_factory=set)
    _sorts: list[ValueNode] = field(default_factory=list)
    _fragments: dict[str, Complexity] = field(default_factory=dict)
    _in_fragments: dict[str, _Definition] = field(default_factory=dict)
    _in_operations: list[_Definition] = field(default_factory=list)
    _measured: _Definition = field(default_factory=_Definition)
    """The definition that is being measured."""
    _defaults: dict[str, list[ValueNode]] = field(default_factory=dict)

    def check(self, document: DocumentNode) -> None:
        """Raise QUERY_TOO_COMPLEX if any operation of the document exceeds a limit."""
        operations = [node for node in document.definitions if isinstance(node, OperationDefinitionNode)]
        allow(len(operations), MAX_OPERATIONS, "operations")
        for variable in (v for operation in operations for v in operation.variable_definitions or ()):
            if variable.default_value:
                self._defaults.setdefault(variable.variable.name.value, []).append(variable.default_value)

        for fragment in _innermost_first(document):
            name, on = fragment.name.value, self.schema.type_map.get(fragment.type_condition.name.value)
            self._measured = self._in_fragments[name] = _Definition()
            self._fragments[name] = self._measure(fragment.selection_set, on)

        for operation in operations:
            self._measured = _Definition()
            self._in_operations.append(self._measured)
            size = self._measure(operation.selection_set, self.schema.get_root_type(operation.operation))
            allow(size.depth, self.settings.max_depth, "levels of fields")
            allow(size.fields, MAX_FIELDS, "fields, with fragments expanded")
            allow(size.aliases, MAX_ALIASES, "aliases")
            allow(size.directives + len(operation.directives or ()), MAX_DIRECTIVES, "directives")
            allow(ceil(size.cost), self.settings.max_cost, "values that the response may hold")

    def list_arguments(self) -> ListArguments:
        """The arguments that must be checked again with every set of variables."""
        wheres = [self._expand(operation) for operation in self._in_operations]
        return ListArguments(wheres, self._sorts, {name: nodes[-1] for name, nodes in self._defaults.items()})

    def _expand(self, operation: _Definition) -> list[tuple[ValueNode, int]]:
        """Return each `where` of an operation and of the fragments that it spreads, with the number of its uses."""
        uses = [(where, 1) for where in operation.wheres]
        spread = Counter(operation.spreads)
        for name, fragment in reversed(self._in_fragments.items()):  # outermost first: all its spreads are counted
            times = min(spread[name], COUNT_CEILING)
            uses += [(where, times) for where in fragment.wheres if times]
            for inner, count in fragment.spreads.items():
                spread[inner] += count * times
        return uses

    def _measure(self, node: SelectionSetNode | None, parent: GraphQLNamedType | None) -> Complexity:
        size = Complexity()
        for selection in node.selections if node else ():
            directives = len(selection.directives or ())
            allow(directives, MAX_DIRECTIVES_PER_FIELD, "directives on one field")
            size += Complexity(directives=directives)
            match selection:
                case FragmentSpreadNode():
                    self._measured.spreads[selection.name.value] += 1
                    size += self._fragments.get(selection.name.value, Complexity())
                case InlineFragmentNode(type_condition=on):
                    type_ = self.schema.type_map.get(on.name.value) if on else parent
                    size += self._measure(selection.selection_set, type_)
                case FieldNode():
                    size += self._measure_field(selection, parent)
        return size

    def _measure_field(self, node: FieldNode, parent: GraphQLNamedType | None) -> Complexity:
        self._collect_arguments(node)
        definition = self.schema.get_field(parent, node.name.value) if is_composite_type(parent) else None
        inside = self._measure(node.selection_set, get_named_type(definition.type) if definition else None)
        cost, cost_per_item = self._cost(node, definition, inside, parent)
        return Complexity(
            inside.depth + 1,
            inside.fields + 1,
            inside.aliases + bool(node.alias),
            inside.directives,
            cost + (LONG_TEXTS.get(f"{parent.name}.{node.name.value}", 1) if parent else 1),
            cost_per_item,
        )

    def _cost(
        self, node: FieldNode, definition: GraphQLField | None, inside: Complexity, parent: GraphQLNamedType | None
    ) -> tuple[float, float]:
        """Return the cost of a field's selection: counted once, and per item of the page that the field belongs to."""
        if definition is None:
            return inside.cost, 0
        if parent and parent.name.startswith("__"):
            return inside.cost * _introspection_items(self.schema).get(node.name.value, 1), 0
        if "limit" in definition.args:
            return inside.cost + inside.cost_per_item * self._limit(node), 0
        if not is_list_type(get_nullable_type(definition.type)):
            return inside.cost, 0
        per_item = max(inside.cost, 1)
        if node.name.value == "data" and parent and parent.name.endswith("Page"):
            return 0, per_item
        return per_item * ASSUMED_ITEMS.get(get_named_type(definition.type).name, MAX_LIMIT), 0

    def _limit(self, node: FieldNode) -> int:
        """Return the number of items that a page may have; the maximum if its `limit` is not a number."""
        given = next((a.value for a in node.arguments or () if a.name.value == "limit"), None)
        if not isinstance(given, VariableNode):
            return _limit_in_force(given)
        name = given.name.value
        self.limit_variables.add(name)
        if name in self.variables:
            return _limit_in_force(self.variables[name])
        return max(map(_limit_in_force, self._defaults.get(name, [None])))

    def _collect_arguments(self, node: FieldNode) -> None:
        """Collect `where` and `sort`, and check the size of every object literal."""
        stack: list[ValueNode] = []
        for argument in node.arguments or ():
            stack.append(argument.value)
            match argument.name.value:
                case "where":
                    self._measured.wheres.append(argument.value)
                case "sort":
                    self._sorts.append(argument.value)
        while stack:
            match stack.pop():
                case ListValueNode(values=values):
                    stack += values
                case ObjectValueNode(fields=fields):
                    allow(len(fields), MAX_INPUT_FIELDS, "fields of one object")
                    stack += [field.value for field in fields]


def _limit_in_force(limit: object) -> int:
    match limit:
        case None | NullValueNode():
            return DEFAULT_LIMIT
        case IntValueNode(value=digits) if len(digits) <= 10:
            return max(0, min(int(digits), MAX_LIMIT))
        case int():
            return max(0, min(limit, MAX_LIMIT))
    return MAX_LIMIT


def _innermost_first(document: DocumentNode) -> Iterator[FragmentDefinitionNode]:
    """Yield each fragment after the fragments that it spreads. In a cycle, which validation rejects, skip one link."""
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
    """Yield the names of the fragments that a fragment spreads."""
    stack: list[SelectionSetNode | None] = [fragment.selection_set]
    while stack:
        for selection in getattr(stack.pop(), "selections", ()):
            if isinstance(selection, FragmentSpreadNode):
                yield selection.name.value
            else:
                stack.append(selection.selection_set)


@cache
def _introspection_items(schema: GraphQLSchema) -> Mapping[str, float]:
    """Return the number of items of each introspection field: exact for the types, the average for everything else."""
    types = list(schema.type_map.values())
    objects = [t for t in types if is_object_type(t) or is_interface_type(t)]
    fields = [field for type_ in objects for field in type_.fields.values()]
    of_all_types = {
        "fields": len(fields),
        "interfaces": sum(len(t.interfaces) for t in objects),
        "possibleTypes": sum(len(schema.get_possible_types(t)) for t in types if is_abstract_type(t)),
        "inputFields": sum(len(t.fields) for t in types if is_input_object_type(t)),
        "enumValues": sum(len(t.values) for t in types if is_enum_type(t)),
    }
    return {name: count / len(types) for name, count in of_all_types.items()} | {
        "types": len(types),
        "directives": len(schema.directives),
        "args": sum(len(field.args) for field in fields) / len(fields),
        "ofType": 0.6,
    }


def _check_wheres(wheres: Sequence[tuple[ValueNode, int]], variables: Mapping[str, Any]) -> None:
    """Check the conditions and values of all `where` of one operation, each with the number of its uses."""
    conditions = values = 0
    counted: dict[str, tuple[int, int]] = {}
    for where, times in wheres:
        if not isinstance(where, VariableNode):
            size = _size_of(where, variables)
        elif (known := counted.get(where.name.value)) is not None:
            size = known
        else:
            size = counted[where.name.value] = _size_of(_resolve(where, variables), variables)
        conditions += size[0] * times
        values += size[1] * times
    allow(conditions, MAX_CONDITIONS, "conditions", IN_REQUEST)
    allow(values, MAX_VALUES_IN_REQUEST, "values in lists", IN_REQUEST)


def _size_of(where: object, variables: Mapping[str, Any]) -> tuple[int, int]:
    """Return the number of conditions of a `where`, and of the values in their lists.

    An empty part of `and`, `or` or `not`, or of a filter of another row, counts as a condition. If there are more than
    MAX_CONDITIONS, those in parts that were not looked at count as one for each part.
    """
    conditions = values = 0
    stack = [(where, 1)]
    while stack:
        item, level = stack.pop()
        allow(level, MAX_LEVELS, "levels of and, or and not")
        inside = 0
        for name, value in _fields(_resolve(item, variables)):
            if name in LOGICAL_OPERATORS:
                parts = _items(_resolve(value, variables))
                stack += [(part, level + 1) for part in parts]
                inside += len(parts)
                continue
            value = _resolve(value, variables)  # noqa: PLW2901
            if name in RELATED:
                stack.append((value, level + 1))
                inside += 1
                continue
            if isinstance(value, bool | BooleanValueNode):
                conditions += 1
                inside += 1
            for _operator, operand in _fields(value):
                conditions += 1
                inside += 1
                items = len(_items(_resolve(operand, variables)))
                allow(items, MAX_VALUES, "values in a list")
                values += items
        conditions += level > 1 and not inside
        if conditions + len(stack) > MAX_CONDITIONS:
            return conditions + len(stack), values
    return conditions, values


def _resolve(value: object, variables: Mapping[str, Any]) -> object:
    """Return the value of a variable; return any other value unchanged."""
    return variables.get(value.name.value) if isinstance(value, VariableNode) else value


def _fields(value: object) -> Iterator[tuple[str, object]]:
    match value:
        case ObjectValueNode():
            yield from ((field.name.value, field.value) for field in value.fields)
        case dict():
            yield from value.items()


def _items(value: object) -> Sequence[object]:
    """Return the items of a list. GraphQL accepts a single value in place of a list of one."""
    match value:
        case ListValueNode():
            return value.values
        case list():
            return value
        case None:
            return ()
    return (value,) if isinstance(value, dict | ValueNode) else ()
