"""What a request asks to run, read from its body or its address."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from graphql import GraphQLError, OperationType, get_operation_ast
from starlette.requests import Request

from app.config import Settings
from app.errors import ApiError, Code
from app.graphql.document_cache import Documents
from app.graphql.persisted import PersistedDocuments
from app.graphql.schema import schema
from app.web.request_body import parse_json, read_json


@dataclass(frozen=True, slots=True)
class Operation:
    """A document, and how to run it."""

    query: str
    variables: dict[str, Any] | None
    operation_name: str | None
    extensions: dict[str, Any] | None


def is_subscription(operation: Operation, documents: Documents) -> bool:
    """Not where the document cannot be read either: what is wrong with it is told when it is run."""
    try:
        known = documents.prepare(schema._schema, operation.query, operation.variables or {})
    except (ApiError, GraphQLError):
        return False
    ast = get_operation_ast(known.document, operation.operation_name)
    return ast is not None and ast.operation is OperationType.SUBSCRIPTION


async def read_operation(request: Request, settings: Settings, persisted: PersistedDocuments) -> Operation:
    """The operation of a POST with a JSON body, or of a GET with parameters.

    ApiError: BAD_REQUEST, or as `PersistedDocuments.find` if the document is named.
    """
    sent = _parameters(request) if request.method == "GET" else await _body(request, settings)
    query = persisted.find(sent)
    if not isinstance(query, str) or not query:
        raise ApiError(Code.BAD_REQUEST, "The request has no query: a text that is a GraphQL document.")
    return Operation(
        query,
        _of(dict, sent, "variables", "an object"),
        _of(str, sent, "operationName", "a text"),
        _of(dict, sent, "extensions", "an object"),
    )


def _parameters(request: Request) -> dict[str, Any]:
    sent: dict[str, Any] = dict(request.query_params)
    return sent | {name: parse_json(sent[name], name) for name in ("variables", "extensions") if name in sent}


async def _body(request: Request, settings: Settings) -> dict[str, Any]:
    sent = await read_json(request, settings)
    if not isinstance(sent, dict):
        raise ApiError(
            Code.BAD_REQUEST, "The body must be one JSON object with the entry query; batches are not taken."
        )
    return sent


def _of(kind: type, sent: Mapping[str, Any], name: str, what: str) -> Any:
    value = sent.get(name)
    if value is not None and not isinstance(value, kind):
        raise ApiError(Code.BAD_REQUEST, f"{name} must be {what} or null.")
    return value
