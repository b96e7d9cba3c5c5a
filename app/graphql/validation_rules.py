"""The validation rules of documents, and the validation of variables.

An invalid value is BAD_USER_INPUT, whether it is a literal or in a variable. The error names the value by its path from
the argument (`where.notifyAt.lt`, `input.zipcodes.2`); for a variable, from the argument that first uses it.
"""

from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any

from graphql import (
    ArgumentNode,
    ASTValidationRule,
    DocumentNode,
    FieldNode,
    GraphQLError,
    GraphQLSchema,
    ListValueNode,
    ObjectValueNode,
    OperationDefinitionNode,
    OverlappingFieldsCanBeMergedRule,
    SelectionSetNode,
    ValidationContext,
    ValueNode,
    ValuesOfCorrectTypeRule,
    VariableNode,
    VisitorAction,
    specified_rules,
    type_from_ast,
    validate_input_literal,
    validate_input_value,
)
from graphql.language import SKIP, Visitor, visit
from graphql.type import GraphQLInputType, is_input_type, is_non_null_type

from app.errors import Code, Problem, too_complex
from app.graphql.core_internals import has_compared_too_many, limit_comparisons
from app.graphql.strawberry_internals import MaybeNullValidationRule, OneOfInputValidationRule

Path = list[str | int]

MAX_COMPARISONS = 50_000
"""Pairs of fields with the same name that are compared; their number grows with the square of the document."""
MAX_PROBLEMS = 100
"""Invalid values that one error lists."""
MAX_MESSAGE = 200
"""Characters of a message."""


class NamedValuesRule(ValuesOfCorrectTypeRule):
    """Checks literals like the rule of the specification, and adds `field` and the code to each error."""

    argument: str | None = None

    def enter_argument(self, node: ArgumentNode, *_args: Any) -> None:
        self.argument = node.name.value

    def leave_argument(self, *_args: Any) -> None:
        self.argument = None

    def is_valid_value_node(self, node: ValueNode, input_type: GraphQLInputType | None) -> VisitorAction:
        def on_error(error: GraphQLError, path: Path) -> None:
            field = {"field": dotted(self.argument, path)} if self.argument else {}
            error.extensions = {"code": Code.BAD_USER_INPUT, **field}
            self.report_error(error)

        if input_type:
            validate_input_literal(node, input_type, on_error, None, None, self.context.hide_suggestions)
        return SKIP


class BoundedOverlapRule(OverlappingFieldsCanBeMergedRule):
    """Checks fields like the rule of the specification, but aborts validation after MAX_COMPARISONS."""

    def __init__(self, context: ValidationContext) -> None:
        super().__init__(context)
        limit_comparisons(self, MAX_COMPARISONS)

    def enter_selection_set(self, node: SelectionSetNode, *args: Any) -> None:
        try:
            super().enter_selection_set(node, *args)
        except GraphQLError as error:
            if not has_compared_too_many(self):
                raise
            what = "pairs of fields that share a name"
            message = f"Validation stopped early: the document has more than {MAX_COMPARISONS} {what}. Split it."
            error.original_error = too_complex(MAX_COMPARISONS + 1, MAX_COMPARISONS, what, message)
            raise


REPLACEMENTS: dict[type[ASTValidationRule], type[ASTValidationRule]] = {
    ValuesOfCorrectTypeRule: NamedValuesRule,
    OverlappingFieldsCanBeMergedRule: BoundedOverlapRule,
}

RULES = (*(REPLACEMENTS.get(rule, rule) for rule in specified_rules), MaybeNullValidationRule, OneOfInputValidationRule)
"""The rules of the specification, two of them replaced, and those of Strawberry."""


def shortened(message: str) -> str:
    """Return a message of at most MAX_MESSAGE characters: messages quote values, which may be long."""
    return message if len(message) <= MAX_MESSAGE else f"{message[:MAX_MESSAGE]}…"


def dotted(*path: Any) -> str:
    """Return a path with its lists expanded, joined by dots: `dotted("where", ["and", 0])` is `where.and.0`."""
    return ".".join(str(part) for item in path for part in (item if isinstance(item, list) else [item]))


def invalid_variables(
    schema: GraphQLSchema,
    document: DocumentNode,
    operation: OperationDefinitionNode,
    variables: Mapping[str, Any],
    suggestions: bool,
) -> list[Problem]:
    """Return the invalid values in the variables of an operation, at most MAX_PROBLEMS.

    Each is named by the first place where the document uses its variable. With `suggestions`,
    messages suggest existing names.
    """
    first_uses = _first_uses(document)
    problems: list[Problem] = []
    for definition in operation.variable_definitions or ():
        name = definition.variable.name.value
        type_ = type_from_ast(schema, definition.type)
        if not is_input_type(type_):
            continue
        place = first_uses.get(name, [f"${name}"])
        if name in variables:
            with suppress(_EnoughProblems):
                validate_input_value(variables[name], type_, _collector(problems, place), not suggestions)
        elif is_non_null_type(type_) and definition.default_value is None:
            problems.append(Problem(dotted(place), f"is required, but the request has no variable ${name}"))
    return problems[:MAX_PROBLEMS]


class _EnoughProblems(Exception):
    """Stops the validation of a variable after MAX_PROBLEMS."""


def _collector(problems: list[Problem], place: Path) -> Any:
    """Return a callback that appends the errors of a variable that is used at `place`."""

    def on_error(error: GraphQLError, path: Path) -> None:
        problems.append(Problem(dotted(place, path), shortened(error.message)))
        if len(problems) >= MAX_PROBLEMS:
            raise _EnoughProblems

    return on_error


def _first_uses(document: DocumentNode) -> dict[str, Path]:
    """Return, for each variable, its first use in the arguments of a field as a path that starts with the argument."""
    uses: dict[str, Path] = {}

    class Uses(Visitor):
        def enter_field(self, node: FieldNode, *_args: Any) -> None:
            for argument in node.arguments or ():
                for name, path in _variables(argument.value, [argument.name.value]):
                    uses.setdefault(name, path)

    visit(document, Uses())
    return uses


def _variables(value: ValueNode, path: Path) -> Iterator[tuple[str, Path]]:
    """Yield each variable inside a value, with its path."""
    match value:
        case VariableNode():
            yield value.name.value, path
        case ListValueNode():
            for i, item in enumerate(value.values):
                yield from _variables(item, [*path, i])
        case ObjectValueNode():
            for field in value.fields:
                yield from _variables(field.value, [*path, field.name.value])
