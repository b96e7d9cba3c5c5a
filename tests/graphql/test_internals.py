"""The parts of graphql-core and Strawberry that are private: each test fails if an upgrade changes one."""

from typing import Any

import pytest
import strawberry
from graphql import (
    GraphQLError,
    GraphQLSchema,
    GraphQLSyntaxError,
    OverlappingFieldsCanBeMergedRule,
    ValidationContext,
    build_schema,
    graphql_sync,
    parse,
    specified_rules,
    validate,
)

from app.graphql.core_internals import (
    has_compared_too_many,
    is_null_in_non_null_field,
    is_validation_aborted,
    limit_comparisons,
    parser_limit,
    parser_limit_message,
)
from app.graphql.schema import OperationRules, schema
from app.graphql.strawberry_internals import (
    ASGIWebSocketAdapter,
    BaseGraphQLTransportWSHandler,
    MaybeNullValidationRule,
    OneOfInputValidationRule,
    core_schema,
    python_arguments,
    requested_operation_name,
    strawberry_field,
    strawberry_schema,
)
from app.graphql.subscriptions.websocket import Connection, _Socket
from app.graphql.validation_rules import REPLACEMENTS, RULES

SCHEMA = build_schema("type Query { name: String! }")


@pytest.mark.parametrize(("query", "exceeded"), [("{ a b c }", "Document contains more than 4 tokens."), ("{ a", None)])
def test_the_limits_of_the_parser_are_recognised_by_their_message(query: str, exceeded: str | None) -> None:
    """They are syntax errors to graphql-core, but QUERY_TOO_COMPLEX to clients."""
    with pytest.raises(GraphQLSyntaxError) as error:
        parse(query, max_tokens=4)
    assert parser_limit_message(error.value) == exceeded
    assert parser_limit(exceeded or "Document is nested too deeply.") == ((4, "tokens") if exceeded else None)


def test_an_aborted_validation_is_recognised() -> None:
    """Its error is QUERY_TOO_COMPLEX too, beside the errors that were found before."""
    errors = validate(SCHEMA, parse("{ a b c }"), max_errors=1)
    assert [is_validation_aborted(error) for error in errors] == [False, True]


def test_the_comparisons_of_fields_can_be_limited() -> None:
    """The number of comparisons grows with the square of the document, and graphql-core allows too many."""

    class Limited(OverlappingFieldsCanBeMergedRule):
        def __init__(self, context: ValidationContext) -> None:
            super().__init__(context)
            limit_comparisons(self, 10)
            limited.append(self)

    limited: list[Limited] = []
    document = parse("{ " + "name " * 20 + "}")
    assert validate(SCHEMA, document) == []
    errors = validate(SCHEMA, document, [Limited])
    assert any(map(is_validation_aborted, errors))
    assert has_compared_too_many(limited[0])


def test_a_null_in_a_non_null_field_is_recognised_by_its_message() -> None:
    """It is a bug of the server, while the executor's other errors are invalid arguments."""
    errors = graphql_sync(SCHEMA, "{ name }").errors or []
    assert [is_null_in_non_null_field(error) for error in errors] == [True]
    assert not is_null_in_non_null_field(GraphQLError("another"))


def test_the_replaced_rules_are_among_those_of_the_specification() -> None:
    assert set(REPLACEMENTS) <= set(specified_rules)
    assert {MaybeNullValidationRule, OneOfInputValidationRule} <= set(RULES)


def test_strawberry_has_a_schema_of_graphql_core() -> None:
    """Parsing, measuring and validation need it, and so do compiled plans."""
    core = core_schema(schema)
    assert isinstance(core, GraphQLSchema)
    assert core.query_type is not None


async def test_the_requested_operation_name_differs_from_the_executed_one() -> None:
    """A document with several operations must be sent with operationName; Strawberry would run the first."""
    names: list[tuple[str | None, str | None]] = []

    class Note(OperationRules):
        def on_parse(self) -> Any:
            yield
            names.append((requested_operation_name(self.execution_context), self.execution_context.operation_name))

    @strawberry.type
    class Query:
        name: str = "x"

    plain = strawberry.Schema(Query, extensions=[Note])
    await plain.execute("query A { name } query B { name }")
    await plain.execute("query A { name } query B { name }", operation_name="B")
    assert names == [(None, "A"), ("B", "B")]


@pytest.mark.parametrize(
    ("ours", "theirs", "used"),
    [
        (
            Connection,
            BaseGraphQLTransportWSHandler,
            {
                "handle",
                "shutdown",
                "handle_message",
                "handle_invalid_message",
                "handle_subscribe",
                "run_operation",
                "send_message",
                "_send_result_stream",
                "_get_pre_execution_close_reason",
            },
        ),
        (_Socket, ASGIWebSocketAdapter, {"send_json", "close"}),
    ],
)
def test_the_websocket_handler_has_the_methods_that_we_override_or_call(
    ours: type, theirs: type, used: set[str]
) -> None:
    """An override of a method that no longer exists would silently be ignored."""
    assert used <= set(vars(theirs))
    assert issubclass(ours, theirs)


def test_a_field_has_its_declaration_and_its_arguments_in_python() -> None:
    core = core_schema(schema)
    assert core.query_type is not None
    offers = core.query_type.fields["leadOffers"]
    assert strawberry_schema(core) is schema
    declared = strawberry_field(offers)
    assert declared.python_name == "lead_offers"
    assert python_arguments(schema, declared.arguments, {"leadId": "7", "limit": 3}) == {"lead_id": "7", "limit": 3}
