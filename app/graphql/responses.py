"""Answers over HTTP: JSON in the media type that the client likes, with the status that goes with it."""

from collections.abc import Mapping
from typing import Any

import orjson
from graphql import GraphQLError
from starlette.responses import Response
from strawberry.types import ExecutionResult

from app.errors import ApiError, Code, HTTPRefusal, headers_of
from app.graphql.content_negotiation import JSON
from app.observability import requests


def answer(result: ExecutionResult, media_type: str) -> Response:
    """Of what was executed; a request error has no `data`, and under application/json the status 200 all the same.

    HTTPRefusal 503 where nothing came of it because the database is out of reach: proxies and clients know that one.
    """
    if out_of_reach := _out_of_reach(result):
        raise _at_the_door(out_of_reach)
    body: dict[str, Any] = {}
    if result.errors:
        body["errors"] = [error.formatted for error in result.errors]
        requests.current().outcome = (result.errors[0].extensions or {})["code"]
    executed = result.data is not None or not all(error.path is None for error in result.errors or ())
    if executed:
        body["data"] = result.data
    return _response(200 if executed or media_type == JSON else 400, body, media_type)


def _out_of_reach(result: ExecutionResult) -> ApiError | None:
    if result.data and any(value is not None for value in result.data.values()):
        return None
    for error in result.errors or ():
        told = error.extensions or {}
        if told.get("code") == Code.UNAVAILABLE:
            return ApiError(Code.UNAVAILABLE, error.message, {"retryAfter": told["retryAfter"]})
    return None


_AT_THE_DOOR = {Code.UNAUTHENTICATED: 401, Code.RATE_LIMITED: 429, Code.UNAVAILABLE: 503}


def not_executed(refusal: ApiError) -> ExecutionResult:
    """The answer to an operation that was not executed. HTTPRefusal where it was not even looked at."""
    if refusal.code in _AT_THE_DOOR:
        raise _at_the_door(refusal) from refusal
    error = GraphQLError(refusal.message, extensions={"code": refusal.code, **refusal.extensions})
    return ExecutionResult(data=None, errors=[error])


def _at_the_door(refusal: ApiError) -> HTTPRefusal:
    status = _AT_THE_DOOR[refusal.code]
    return HTTPRefusal(status, refusal.message, refusal.code, refusal.extensions, headers_of(refusal))


def refuse(refusal: HTTPRefusal, media_type: str = JSON) -> Response:
    """Of a request that never came to be an operation."""
    requests.current().outcome = refusal.code
    error = GraphQLError(refusal.message, extensions={"code": refusal.code, **refusal.extensions})
    return _response(refusal.status, {"errors": [error.formatted]}, media_type, refusal.headers)


def _response(
    status: int, body: Mapping[str, Any], media_type: str, headers: Mapping[str, str] | None = None
) -> Response:
    return Response(orjson.dumps(body), status, headers, f"{media_type}; charset=utf-8")
