"""The private parts of graphql-core that this server uses. tests/graphql/test_internals.py checks each of them."""

import re

from graphql import GraphQLError, GraphQLSyntaxError, OverlappingFieldsCanBeMergedRule
from graphql.validation.validate import ValidationAbortedError


def parser_limit_message(error: GraphQLSyntaxError) -> str | None:
    """Return which limit of the parser was exceeded (tokens, depth); None for an ordinary syntax error.

    The parser raises the same class for both; only the message distinguishes them.
    """
    if not error.message.endswith(" Parsing aborted."):
        return None
    return error.message.removeprefix("Syntax Error: ").removesuffix(" Parsing aborted.")


def parser_limit(message: str) -> tuple[int, str] | None:
    """Return the number in the message of a parser's limit, and what it counts; None for nesting, which has none."""
    found = re.fullmatch(r"\w+ contains more than (\d+) ([\w ]+)\.", message)
    return (int(found[1]), found[2]) if found else None


def is_validation_aborted(error: GraphQLError) -> bool:
    """Whether validation stopped early: too many errors, or too many comparisons of fields."""
    return isinstance(error, ValidationAbortedError)


def limit_comparisons(rule: OverlappingFieldsCanBeMergedRule, comparisons: int) -> None:
    """Set how many pairs of fields the rule compares before it aborts validation. The default is much higher."""
    rule.rule_context.remaining_complexity_budget = comparisons


def has_compared_too_many(rule: OverlappingFieldsCanBeMergedRule) -> bool:
    """Return whether the rule has aborted validation because of the limit above."""
    return rule.rule_context.remaining_complexity_budget < 0


def is_null_in_non_null_field(error: GraphQLError) -> bool:
    """Whether a resolver returned null for a non-null field. The executor raises a plain GraphQLError then."""
    return error.message.startswith("Cannot return null")
