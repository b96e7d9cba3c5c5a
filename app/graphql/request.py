"""The GraphQL request that an HTTP request carries, in its body or in its query string."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from graphql import GraphQLError, OperationDefinitionNode, OperationType, get_operation_ast
from starlette.requests import Request

from app.config import Settings
from app.errors import ApiError, Code
from app.graphql.document_cache import DocumentCache
from app.graphql.errors import NO_QUERY
from app.graphql.persisted import PersistedDocuments
from app.http.request_body import parse_json, read_json
from app.observability import tracing

JSON_PARAMETERS = frozenset({"variables", "extensions"})
"""The query parameters that contain JSON."""


class GraphQLRequest(NamedTuple):
    """A document and how to execute it."""

    query: str
    variables: dict[str, Any] | None
    operation_name: str | None
    extensions: dict[str, Any] | None


async def read_request(request: Request, settings: Settings, persisted: PersistedDocuments) -> GraphQLRequest:
    """Return the GraphQL request of a POST with a JSON body, or of a GET with query parameters.

    An empty operation name or query parameter counts as not given, because clients send it for an anonymous document.

    Raises BAD_REQUEST for a malformed request, and the errors of `PersistedDocuments.find`.
    """
    if request.method == "GET":
        sent: Any = dict(request.query_params)
        sent |= {name: parse_json(sent[name], name) if sent[name] else None for name in JSON_PARAMETERS & sent.keys()}
    else:
        sent = await read_json(request, settings)
        if not isinstance(sent, dict):
            message = "The body must be one JSON object with the entry query. Batches are not supported."
            raise ApiError(Code.BAD_REQUEST, message)

    query = persisted.find(sent)
    if not isinstance(query, str) or not query:
        raise ApiError(Code.BAD_REQUEST, NO_QUERY)
    return GraphQLRequest(
        query,
        _typed(sent, "variables", dict, "an object"),
        _typed(sent, "operationName", str, "a string") or None,
        _typed(sent, "extensions", dict, "an object"),
    )


def find_operation(
    documents: DocumentCache, query: str, variables: Mapping[str, Any] | None, operation_name: str | None
) -> OperationDefinitionNode | None:
    """Return the operation to execute. None if the document is refused: executing it reports the error."""
    try:
        document = documents.load(query, variables or {})
    except (ApiError, GraphQLError):
        return None
    return get_operation_ast(document.ast, operation_name)


def is_subscription(
    documents: DocumentCache, query: str, variables: Mapping[str, Any] | None, operation_name: str | None
) -> bool:
    """Whether the request is a subscription. False if the document is refused."""
    operation = find_operation(documents, query, variables, operation_name)
    return operation is not None and operation.operation is OperationType.SUBSCRIPTION


def name_span(
    documents: DocumentCache, query: str, variables: Mapping[str, Any] | None, operation_name: str | None
) -> None:
    """Name the current span after the operation if tracing is on."""
    if (recorder := tracing.recorder()) is None:
        return
    operation = find_operation(documents, query, variables, operation_name)
    if operation is not None:
        recorder.name_operation(operation.operation.value, operation.name.value if operation.name else None)


def _typed(sent: Mapping[str, Any], name: str, type_: type, expected: str) -> Any:
    value = sent.get(name)
    if value is not None and not isinstance(value, type_):
        raise ApiError(Code.BAD_REQUEST, f"{name} must be {expected} or null.")
    return value
