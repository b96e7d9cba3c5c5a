"""GraphQL responses over HTTP: JSON in the negotiated media type, with the matching status.

A client that accepts server-sent events alone gets the same JSON as the only event of a stream, which then completes.
"""

from typing import Any

import orjson
from graphql import GraphQLError
from starlette.responses import Response
from strawberry.types import ExecutionResult

from app.errors import ApiError, Code
from app.graphql.content_negotiation import EVENT_STREAM, JSON
from app.http.error_responses import error_response
from app.observability import requests

HTTP_ERRORS = frozenset({Code.BAD_REQUEST, Code.UNAUTHENTICATED, Code.RATE_LIMITED, Code.UNAVAILABLE})
"""Errors that clients and proxies recognise by the HTTP status. All others are sent with the status 200 or 400."""


def data_response(text: str, media_type: str) -> Response:
    """Return the response to an operation without errors whose `data` is this JSON text."""
    return _response(f'{{"data":{text}}}'.encode(), 200, media_type)


def execution_response(result: ExecutionResult, media_type: str) -> Response:
    """Return the response to an operation.

    Without `data` its status is 400, or 200 under application/json and for an event stream. It is 503 if the database
    was unavailable and no field has a value.
    """
    if unavailable := _unavailable(result):
        return request_error_response(unavailable, media_type)

    if result.errors:
        requests.current().outcome = (result.errors[0].extensions or {})["code"]
    body = formatted(result)
    status = 200 if "data" in body or media_type in (JSON, EVENT_STREAM) else 400
    return _response(orjson.dumps(body), status, media_type)


def _response(result: bytes, status: int, media_type: str) -> Response:
    """Return the response with a result as JSON."""
    if media_type == EVENT_STREAM:
        return Response(next_event(result) + COMPLETE_EVENT, status, media_type=EVENT_STREAM)
    return Response(result, status, media_type=f"{media_type}; charset=utf-8")


def formatted(result: ExecutionResult) -> dict[str, Any]:
    """Return a result as JSON values."""
    body: dict[str, Any] = {}
    if result.errors:
        body["errors"] = [error.formatted for error in result.errors]
    if is_executed(result):
        body["data"] = result.data
    return body


def is_executed(result: ExecutionResult) -> bool:
    """Whether the operation was executed. Only then a response has `data`, which may be null."""
    return result.data is not None or any(error.path is not None for error in result.errors or ())


def next_event(result: bytes) -> bytes:
    """Return a result as an event of the graphql-sse protocol."""
    return b"event: next\ndata: " + result + b"\n\n"


COMPLETE_EVENT = b"event: complete\ndata:\n\n"


def _unavailable(result: ExecutionResult) -> ApiError | None:
    if not result.errors or (result.data and any(value is not None for value in result.data.values())):
        return None
    for error in result.errors or ():
        extensions = error.extensions or {}
        if extensions.get("code") == Code.UNAVAILABLE:
            return ApiError(Code.UNAVAILABLE, error.message, {"retryAfter": extensions["retryAfter"]})
    return None


def request_error_response(error: ApiError, media_type: str) -> Response:
    """Return the response to a request whose operation was not executed."""
    if error.code in HTTP_ERRORS:
        return error_response(error, JSON if media_type == EVENT_STREAM else media_type)
    return execution_response(ExecutionResult(data=None, errors=[as_graphql(error)]), media_type)


def as_graphql(error: ApiError) -> GraphQLError:
    """Return the error as it is written in `errors`."""
    return GraphQLError(error.message, extensions={"code": error.code, **error.extensions})
