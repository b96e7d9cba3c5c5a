"""Gives every GraphQL error a code, and hides the details of those that are bugs of the server."""

import logging

from graphql import GraphQLError, GraphQLSyntaxError, OperationDefinitionNode
from strawberry.types.execution import ExecutionContext

from app.errors import ApiError, Code, Problem, bad_input, internal_error, too_complex
from app.graphql.complexity import MAX_ERRORS
from app.graphql.core_internals import is_null_in_non_null_field
from app.graphql.strawberry_internals import CannotGetOperationTypeError, MissingQueryError, core_schema
from app.graphql.validation_rules import invalid_variables, shortened
from app.observability import tracing

logger = logging.getLogger(__name__)

NO_QUERY = "The request has no query. It must be a string with a GraphQL document."
"""The message of BAD_REQUEST for a request without a document."""


def translate(errors: list[GraphQLError], execution: ExecutionContext | None) -> None:
    """Set message and code of every error, in place. Unexpected exceptions are logged with their traceback."""
    if problems := _wrong_variables(errors, execution):
        del errors[1:]  # each error is about one variable; the first one now lists all of them
        _set_error(errors[0], bad_input(*problems))
    for error in errors:
        if not (error.extensions and "code" in error.extensions):
            _set_error(error, _client_error(error) or _unexpected(error))
        error.message = shortened(error.message)
    if errors:
        tracing.record_outcome((errors[0].extensions or {})["code"])
    if execution is not None:
        _cut(errors)
    _join_literals(errors)


def _set_error(error: GraphQLError, client_error: ApiError) -> None:
    error.message = client_error.message
    error.extensions = {"code": client_error.code, **client_error.extensions}


def _cut(errors: list[GraphQLError]) -> None:
    """Keep as many errors as a response may have, and add one with their total number."""
    if (counted := len(errors)) > MAX_ERRORS + 1:
        message = f"Too many errors: {counted}. At most {MAX_ERRORS} are allowed."
        last = GraphQLError(message, path=errors[0].path)
        _set_error(last, too_complex(counted, MAX_ERRORS, "errors", message))
        errors[MAX_ERRORS:] = [last]


def _join_literals(errors: list[GraphQLError]) -> None:
    """Replace the errors of several invalid literals with one that lists them, as one error lists invalid variables."""
    invalid = [error for error in errors if error.path is None and "field" in (error.extensions or {})]
    if len(invalid) > 1:
        problems = [Problem((error.extensions or {})["field"], error.message) for error in invalid]
        joined = GraphQLError("", [node for error in invalid for node in error.nodes or ()])
        _set_error(joined, bad_input(*problems))
        joined.message = shortened(joined.message)
        errors[errors.index(invalid[0])] = joined
        errors[:] = [error for error in errors if error not in invalid]


def _client_error(error: GraphQLError) -> ApiError | None:
    """Return the error for the client; None for a bug of the server."""
    match error.original_error:
        case ApiError() as client_error:
            return client_error
        case GraphQLError() as cause:
            return _client_error(cause)
        case Exception() as cause:
            return _without_operation(cause)
    if isinstance(error, GraphQLSyntaxError):
        return ApiError(Code.GRAPHQL_PARSE_FAILED, error.message)
    if error.path is None:
        return ApiError(Code.GRAPHQL_VALIDATION_FAILED, error.message)
    # The executor's own error: an invalid argument, or a null of the server's in a non-null field.
    return None if is_null_in_non_null_field(error) else ApiError(Code.BAD_USER_INPUT, error.message)


def _without_operation(cause: Exception) -> ApiError | None:
    """Return the error for a request in which Strawberry finds no operation; None for any other exception."""
    if isinstance(cause, MissingQueryError):
        return ApiError(Code.BAD_REQUEST, NO_QUERY)
    return no_operation(cause.operation_name) if isinstance(cause, CannotGetOperationTypeError) else None


def no_operation(name: str | None) -> ApiError:
    """Return the error for a document that has no operation, or none of the requested name."""
    message = "The document has no operation." if name is None else f'Unknown operation named "{name}".'
    return ApiError(Code.GRAPHQL_VALIDATION_FAILED, message)


def _unexpected(error: GraphQLError) -> ApiError:
    logger.error("Unexpected exception at field %s", error.path, exc_info=error.original_error or error)
    return internal_error()


def _wrong_variables(errors: list[GraphQLError], execution: ExecutionContext | None) -> list[Problem]:
    """Return the invalid variables if they are why a valid document was not executed."""
    if execution is None or any(e.path is not None or isinstance(e.original_error, ApiError) for e in errors):
        return []
    cached = execution.context.documents.get(execution.query)
    if cached is None or cached.errors:
        return []
    document = cached.ast
    operations = [d for d in document.definitions if isinstance(d, OperationDefinitionNode)]
    named = [o for o in operations if o.name and o.name.value == execution.operation_name]
    schema = core_schema(execution.schema)
    suggestions = execution.context.settings.suggestions
    return invalid_variables(schema, document, (named or operations)[0], execution.variables or {}, suggestions)
