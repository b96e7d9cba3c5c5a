"""Errors as JSON for every path outside REST, in GraphQL's format: `{"errors": [{"message": …, "extensions": …}]}`."""

from collections.abc import Callable, Mapping
from typing import Any

import orjson
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from app.errors import ApiError, Code, internal_error
from app.observability import requests


def error_response(error: ApiError, media_type: str = "application/json") -> Response:
    """Return a response with the error's status and headers, and note its code in the request's log line."""
    requests.current().outcome = error.code
    body = {"errors": [{"message": error.message, "extensions": {"code": error.code, **error.extensions}}]}
    return Response(orjson.dumps(body), error.status, error.headers, f"{media_type}; charset=utf-8")


def _api_error(_request: Request, error: Exception) -> Response:
    assert isinstance(error, ApiError)
    return error_response(error)


def http_exception(_request: Request, error: Exception) -> Response:
    """Return the response to what Starlette itself rejects: an unknown path, or a method that a path does not have."""
    assert isinstance(error, HTTPException)
    code = Code.NOT_FOUND if error.status_code == 404 else Code.BAD_REQUEST
    return error_response(ApiError(code, error.detail, headers=error.headers or {}, status=error.status_code))


def _unexpected_exception(_request: Request, _error: Exception) -> Response:
    """Return the response to a bug. Starlette then raises the exception again, and uvicorn logs it.

    It is sent outside of all middleware, so the header with the request's id is set here.
    """
    response = error_response(internal_error())
    response.headers["X-Request-ID"] = requests.current().id
    return response


EXCEPTION_HANDLERS: Mapping[Any, Callable[[Request, Exception], Response]] = {
    ApiError: _api_error,
    HTTPException: http_exception,
    Exception: _unexpected_exception,
}
