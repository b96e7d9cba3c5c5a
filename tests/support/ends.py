"""Values at the ends of the number line, and a walk over the schema that puts them into every argument.

`fields_with_arguments` finds the fields of the schema that take arguments, and `operations` draws documents that call
one of them with values that are usual, at an end, beyond it, or of another type.
"""

import json
from collections import deque
from dataclasses import dataclass
from typing import Any

from graphql import (
    GraphQLField,
    GraphQLInputType,
    GraphQLNamedType,
    GraphQLObjectType,
    GraphQLSchema,
    get_named_type,
    is_enum_type,
    is_input_object_type,
    is_leaf_type,
    is_list_type,
    is_non_null_type,
    is_object_type,
    is_required_argument,
    is_required_input_field,
    is_scalar_type,
)
from hypothesis import strategies as st


class Raw(str):
    """A number or the name of an enum's member, written as it stands, without quotes."""

    __slots__ = ()


NUMBERS = [
    *("0", "1", "2", "-1", "99", "100", "101", "525600", "525601"),
    *("2147483647", "2147483648", "-2147483648", "-2147483649"),
    *("4611686018427387904", "9007199254740993", "9223372036854775806", "9223372036854775807", "9223372036854775808"),
    *("18446744073709551615", "18446744073709551616", "-9223372036854775809", "1" + "0" * 30, "9" * 5_000),
    *("1.0", "1.5", "-0.0", "1e30", "1e308", "1e400", "-1e400", "5e-324"),
]
"""As they are written in JSON, GraphQL, an address, a file or on the command line."""

IDS = [*NUMBERS, "007", "", "x", "\u0663", "+1", "1_0", " 1", "0x10", "NaN", "Infinity"]

INSTANTS = [
    *("0001-01-01", "0001-01-01T00:00:00+14:00", "0001-01-01T00:00:00-23:59", "0000-01-01", "-0001-01-01"),
    *("1899-12-31T23:59:59.999Z", "1900-01-01", "1900-01-01T00:00:00+14:00", "1970-01-01", "2026-03-02T09:00:00Z"),
    *("2030-01-01", "2038-01-19T03:14:08Z", "2200-12-31T23:59:59.999Z", "2200-12-31T23:59:59.999-12:00", "2201-01-01"),
    *("9999-12-31T23:59:59.999Z", "9999-12-31T23:59:59.999999999Z", "9999-12-31T23:59:59-12:00", "10000-01-01"),
]

TEXTS = [
    *("", " ", "x", "x" * 255, "x" * 256, "x" * 10_000, "\0", "\U0001f600" * 128, "\U0010ffff", "\u202e", "null"),
    *("00:00", "23:59", "24:00", "22:00", "99:99", "00000", "94105", "99999", "94105-9999", "100000", "-1"),
    *("America/Los_Angeles", "Etc/GMT+12", "Pacific/Kiritimati", "+12025550142", "+999999999999999", "9" * 5_000),
    *(f"{'x' * 64}@example.com", f"bob@{'x' * 63}.example", "bob.2@example.com", *INSTANTS[:3]),
]

WRONG_TYPES = [True, [], {}, [[]], {"x": 1}, "x", Raw("1"), Raw("1.5")]

_OF_SCALAR: dict[str, list[Any]] = {
    "Int": [*map(Raw, NUMBERS)],
    "ID": [*IDS, *map(Raw, NUMBERS)],
    "String": TEXTS,
    "DateTime": [*INSTANTS, *map(Raw, NUMBERS[:12])],
    "Boolean": [True, False],
}

_USUAL_OF_SCALAR: dict[str, Any] = {
    "Int": Raw("1"),
    "ID": "1",
    "String": "x",
    "DateTime": "2026-03-02T12:00:00Z",
    "Boolean": True,
}
_USUAL: dict[str, Any] = {
    "userId": "2",
    "email": "charlie.3@example.com",
    "mobilePhone": "+12025550142",
    "zipcode": "94105",
    "distributionZipcodes": "94105",
    "start": "22:00",
    "end": "07:00",
    "minsUntilLeadOffer": Raw("0"),
}
"""By the name of an argument or input field: a value that is accepted, such as the id of a row that exists."""


def values(type_: GraphQLInputType, name: str, depth: int = 3) -> st.SearchStrategy[Any]:
    """Return values for an input of this name: half of them usual, the others at an end or of another type."""
    if is_non_null_type(type_):
        return st.one_of(*[_of_nullable(type_.of_type, name, depth)] * 19, st.none())
    return st.one_of(*[_of_nullable(type_, name, depth)] * 5, st.none())


def _of_nullable(type_: GraphQLInputType, name: str, depth: int) -> st.SearchStrategy[Any]:
    if is_list_type(type_):
        items = values(type_.of_type, name, depth - 1)
        return st.lists(items, max_size=3) | items | st.just(["1"] * 1_000) | st.just(["1"] * 1_001)
    if is_input_object_type(type_):
        fields = type_.fields.items()
        required = {name: values(f.type, name, depth - 1) for name, f in fields if is_required_input_field(f)}
        optional = {
            name: values(f.type, name, depth - 1)
            for name, f in fields
            if not is_required_input_field(f) and (depth > 0 or not is_input_object_type(get_named_type(f.type)))
        }
        return st.fixed_dictionaries(required, optional=optional).map(_few(required.keys()))
    if is_enum_type(type_):
        return st.sampled_from([*map(Raw, type_.values)] * 5 + [Raw("NOPE"), "NOPE"])
    assert is_scalar_type(type_)
    usual = st.just(_USUAL.get(name, _USUAL_OF_SCALAR[type_.name]))
    return st.one_of(*[usual] * 10, *[st.sampled_from(_OF_SCALAR[type_.name])] * 9, st.sampled_from(WRONG_TYPES))


def _few(required: Any) -> Any:
    """Keep at most two optional fields, so that few inputs are refused for several reasons at once."""

    def keep(item: dict[str, Any]) -> dict[str, Any]:
        return {name: item[name] for name in [*required, *[name for name in item if name not in required][-2:]]}

    return keep


@dataclass(frozen=True)
class Call:
    """A field with arguments, by the fields that lead to it: `("query", "lead", "offers")`."""

    path: tuple[str, ...]
    fields: tuple[GraphQLField, ...]

    def __str__(self) -> str:
        return ".".join(self.path)


def fields_with_arguments(schema: GraphQLSchema) -> list[Call]:
    """Return every field of the schema that has arguments, each by the shortest path from an operation."""
    roots = {
        "query": schema.query_type,
        "mutation": schema.mutation_type,
        "subscription": schema.subscription_type,
    }
    found: list[Call] = []
    seen: set[str] = set()
    queue = deque((Call((name,), ()), root) for name, root in roots.items() if root)
    while queue:
        call, parent = queue.popleft()
        if parent.name in seen:
            continue
        seen.add(parent.name)
        for name, field in parent.fields.items():
            reached = Call((*call.path, name), (*call.fields, field))
            if field.args:
                found.append(reached)
            if is_object_type(inner := get_named_type(field.type)):
                queue.append((reached, inner))
    return found


@dataclass(frozen=True)
class Operation:
    """A document with the text of its variables, which JSON libraries may refuse to write."""

    query: str
    variables: str
    given: frozenset[str]
    """The arguments that have a value."""

    @property
    def body(self) -> str:
        return f'{{"query": {json.dumps(self.query)}, "variables": {self.variables}}}'


@st.composite
def operations(draw: st.DrawFn, call: Call) -> Operation:
    """Draw a document that calls the field. Its values are literals, or variables."""
    as_variables = draw(st.booleans())
    variables: dict[str, tuple[str, Any]] = {}
    names: set[str] = set()

    def arguments(field: GraphQLField) -> str:
        given = []
        for name, argument in field.args.items():
            if not is_required_argument(argument) and draw(st.integers(0, 2)):
                continue
            names.add(name)
            value = draw(values(argument.type, name))
            written = write(value, as_json=False)
            if as_variables:
                variables[f"v{len(variables)}"] = (str(argument.type), value)
                written = f"$v{len(variables) - 1}"
            given.append(f"{name}: {written}")
        return f"({', '.join(given)})" if given else ""

    selection = _selection(get_named_type(call.fields[-1].type))
    for name, field in reversed([*zip(call.path[1:], call.fields, strict=True)]):
        # the arguments of the fields around it are usual, so that the field is reached
        given = arguments(field) if field is call.fields[-1] else _usual(field)
        selection = f"{{ {name}{given} {selection} }}"
    declared = ", ".join(f"${name}: {type_}" for name, (type_, _) in variables.items())
    text = f"{call.path[0]}{f' ({declared})' if declared else ''} {selection}"
    sent = write({name: value for name, (_, value) in variables.items()}, as_json=True)
    return Operation(text, sent, frozenset(names))


def _usual(field: GraphQLField) -> str:
    given = [f'{name}: "1"' for name, argument in field.args.items() if is_required_argument(argument)]
    return f"({', '.join(given)})" if given else ""


def _selection(type_: GraphQLNamedType, depth: int = 3) -> str:
    """Return all leaves of a type, and of the objects in it, as a selection."""
    if not isinstance(type_, GraphQLObjectType):
        return ""
    parts = [name for name, field in type_.fields.items() if is_leaf_type(get_named_type(field.type))]
    for name, field in type_.fields.items():
        inner = get_named_type(field.type)
        if isinstance(inner, GraphQLObjectType) and depth > 0 and not field.args:
            parts.append(f"{name} {_selection(inner, depth - 1 if name == 'data' else 0)}")
    return f"{{ {' '.join(parts)} }}"


def write(value: Any, *, as_json: bool) -> str:
    """Write a value as JSON or as a GraphQL literal. A name such as ASC is a string in JSON."""
    match value:
        case Raw():
            return json.dumps(value) if as_json and not _is_number(value) else str(value)
        case dict():
            pairs = (f"{json.dumps(k) if as_json else k}: {write(v, as_json=as_json)}" for k, v in value.items())
            return f"{{{', '.join(pairs)}}}"
        case list():
            return f"[{', '.join(write(item, as_json=as_json) for item in value)}]"
    return json.dumps(value)


def _is_number(text: str) -> bool:
    return text.lstrip("-")[:1].isdigit()
