"""The arguments of a page or a lookup: literals are coerced once per document, variables once per request."""

from collections.abc import Collection, Mapping
from typing import Any, NamedTuple

from graphql import (
    ArgumentNode,
    FieldNode,
    GraphQLField,
    GraphQLSchema,
    ValueNode,
    VariableNode,
    get_nullable_type,
    is_scalar_type,
)
from graphql.execution.values import VariableValues, get_argument_values
from graphql.language import Visitor, visit

from app.domain.identifiers import NO_ID, parse_id
from app.errors import Problem, bad_input
from app.graphql.inputs.pagination import parse_limits, parse_page
from app.graphql.strawberry_internals import python_arguments, strawberry_field, strawberry_schema
from app.lists import filters
from app.lists.pagination import scan_limit_for


class Shape(NamedTuple):
    """Those arguments of a page or lookup on which the text of the statement depends."""

    where: filters.Where
    """The filter, with placeholders for its values."""
    sort: tuple[filters.Sort, ...]
    scan_limit: int
    has_id: bool
    """Whether the id of the row to look up is given, or of the only parent to list rows of."""


class Arguments:
    """The arguments of one field of a valid document."""

    def __init__(self, schema: GraphQLSchema, core: GraphQLField, node: FieldNode, prefix: str) -> None:
        """`prefix` begins the names of the parameters, so that those of several fields differ."""
        self._schema, self._prefix = strawberry_schema(schema), prefix
        self._limit, self._skip, self._id = f"{prefix}limit", f"{prefix}skip", f"{prefix}id"
        self._core, self._known = core, strawberry_field(core).arguments
        variable = tuple(argument for argument in node.arguments or () if _has_variable(argument.value))
        literal = tuple(argument for argument in node.arguments or () if argument not in variable)
        plain = tuple(argument for argument in variable if self._is_plain(argument))
        rest = tuple(argument for argument in variable if argument not in plain)
        others = {argument.name.value for argument in variable}
        written = _with_arguments(core, core.args.keys() - others)
        self._literals = self._coerce(written, FieldNode(name=node.name, arguments=literal), VariableValues({}, {}))
        self._plain = [(self._python_name(a), a.value.name.value) for a in plain if isinstance(a.value, VariableNode)]
        self._rest = FieldNode(name=node.name, arguments=rest)
        self._rest_core = _with_arguments(core, {argument.name.value for argument in rest})
        self._rest_names = [self._python_name(argument) for argument in rest]
        self._listing = None if rest else self._list(self._literals)
        self._constant: tuple[Shape, Mapping[str, Any]] | None = None

    def evaluate(self, variables: VariableValues) -> tuple[Shape, Mapping[str, Any]]:
        """Return the shape of the statement, and the values of its parameters, with these variables.

        Raise the errors that the resolvers would raise.
        """
        if self._constant is not None:
            return self._constant
        given = dict(self._literals)
        for name, variable in self._plain:
            if variable in variables.coerced:
                given[name] = variables.coerced[variable]
        if self._rest_names:
            rest = self._coerce(self._rest_core, self._rest, variables)
            given |= {name: rest[name] for name in self._rest_names if name in rest}
        limit, skip = parse_limits(given.get("limit"), given.get("skip"), _refuse)
        row_id = given.get("id", given.get("lead_id"))
        where, sort, values = self._listing or self._list(given)
        shape = Shape(where, sort, scan_limit_for(limit + skip), row_id is not None)
        number = NO_ID if row_id is None else parse_id(row_id) or NO_ID
        evaluated = shape, {**values, self._limit: limit, self._skip: skip, self._id: number}
        if not self._plain and not self._rest_names:
            self._constant = evaluated
        return evaluated

    def _coerce(self, core: GraphQLField, node: FieldNode, variables: VariableValues) -> dict[str, Any]:
        """Coerce arguments; return them by the names of the resolver's parameters. A sort takes 40 µs of about 400."""
        values = get_argument_values(core, node, variables)
        return python_arguments(self._schema, self._known, values)

    def _list(self, given: Mapping[str, Any]) -> tuple[filters.Where, tuple[filters.Sort, ...], Mapping[str, Any]]:
        """Return the filter with placeholders, the sort order, and the values of the placeholders."""
        page = parse_page(given.get("where"), given.get("sort"), None, None)
        where, values = filters.parametrize(filters.bounded(page.where, page.sort), self._prefix)
        return where, page.sort, values

    def _is_plain(self, argument: ArgumentNode) -> bool:
        """Whether the argument is a variable of a scalar type, whose value the resolver gets unchanged."""
        is_variable = isinstance(argument.value, VariableNode)
        return is_variable and is_scalar_type(get_nullable_type(self._core.args[argument.name.value].type))

    def _python_name(self, argument: ArgumentNode) -> str:
        name = self._schema.config.name_converter.from_argument
        return next(known.python_name for known in self._known if name(known) == argument.name.value)


def _with_arguments(core: GraphQLField, names: Collection[str]) -> GraphQLField:
    return GraphQLField(core.type, {name: core.args[name] for name in core.args if name in names})


def _refuse(problem: Problem) -> None:
    raise bad_input(problem)


def _has_variable(value: ValueNode) -> bool:
    found: list[VariableNode] = []

    class Variables(Visitor):
        def enter_variable(self, node: VariableNode, *_args: Any) -> None:
            found.append(node)

    visit(value, Variables())
    return bool(found)
