"""Wrong values in a request, named by their path from the argument: `where.notifyAt.lt`, `input.zipcodes.2`.

Literals are found wrong while the document is validated, variables when it is executed. Both are BAD_USER_INPUT and
say which field of which argument is wrong, a variable's mistake at the place where the document uses the variable.
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
from strawberry.schema.validation_rules.maybe_null import MaybeNullValidationRule
from strawberry.schema.validation_rules.one_of import OneOfInputValidationRule

from app.errors import Code, Problem

Path = list[str | int]

MAX_COMPARISONS = 50_000
MAX_PROBLEMS = 100
MAX_MESSAGE = 200
"""Characters of a message."""


class NamedValuesRule(ValuesOfCorrectTypeRule):
    """Values of the correct type, each error saying which field of which argument is wrong."""

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
    """Fields of one name can be merged, as far as comparing them stays cheap: there are as many pairs as squares."""

    def __init__(self, context: ValidationContext) -> None:
        super().__init__(context)
        self.rule_context.remaining_complexity_budget = MAX_COMPARISONS


OURS: dict[type[ASTValidationRule], type[ASTValidationRule]] = {
    ValuesOfCorrectTypeRule: NamedValuesRule,
    OverlappingFieldsCanBeMergedRule: BoundedOverlapRule,
}

RULES = (*(OURS.get(rule, rule) for rule in specified_rules), MaybeNullValidationRule, OneOfInputValidationRule)
"""The rules of the specification, with wrong values named, and those of Strawberry."""


def shortened(message: str) -> str:
    """Messages quote what was sent, which may be long."""
    return message if len(message) <= MAX_MESSAGE else f"{message[:MAX_MESSAGE]}…"


def dotted(*path: Any) -> str:
    """A path with its lists spread out: `where`, `["and", 0]` is `where.and.0`."""
    return ".".join(str(part) for item in path for part in (item if isinstance(item, list) else [item]))


def wrong_variables(
    schema: GraphQLSchema,
    document: DocumentNode,
    operation: OperationDefinitionNode,
    variables: Mapping[str, Any],
    suggestions: bool,
) -> list[Problem]:
    """The mistakes in the variables of an operation, at the first place where the document uses each.

    With `suggestions`, they name what may have been meant. No more than MAX_PROBLEMS are looked for.
    """
    uses = _uses(document)
    problems: list[Problem] = []
    for definition in operation.variable_definitions or ():
        name = definition.variable.name.value
        type_ = type_from_ast(schema, definition.type)
        if not is_input_type(type_):
            continue
        place = uses.get(name, [f"${name}"])
        if name in variables:
            with suppress(_Enough):
                validate_input_value(variables[name], type_, _into(problems, place), not suggestions)
        elif is_non_null_type(type_) and definition.default_value is None:
            problems.append(Problem(dotted(place), f"is required: the variable ${name} was not sent"))
    return problems[:MAX_PROBLEMS]


class _Enough(Exception):
    """Further mistakes are not looked for."""


def _into(problems: list[Problem], place: Path) -> Any:
    def on_error(error: GraphQLError, path: Path) -> None:
        problems.append(Problem(dotted(place, path), shortened(error.message)))
        if len(problems) >= MAX_PROBLEMS:
            raise _Enough

    return on_error


def _uses(document: DocumentNode) -> dict[str, Path]:
    """Where each variable is first used in an argument of a field, as a path from that argument."""
    uses: dict[str, Path] = {}

    class Uses(Visitor):
        def enter_field(self, node: FieldNode, *_args: Any) -> None:
            for argument in node.arguments or ():
                for name, path in _variables(argument.value, [argument.name.value]):
                    uses.setdefault(name, path)

    visit(document, Uses())
    return uses


def _variables(value: ValueNode, path: Path) -> Iterator[tuple[str, Path]]:
    match value:
        case VariableNode():
            yield value.name.value, path
        case ListValueNode():
            for i, item in enumerate(value.values):
                yield from _variables(item, [*path, i])
        case ObjectValueNode():
            for field in value.fields:
                yield from _variables(field.value, [*path, field.name.value])
