"""GraphQL over HTTP, as the working draft of the GraphQL Foundation has it (graphql-over-http).

Every answer is JSON, the refusals too, but for the GraphiQL page, which only who accepts text/html gets.
"""

import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson
from cross_web import HTTPException
from graphql import GraphQLError
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send
from strawberry.schema.exceptions import CannotGetOperationTypeError, InvalidOperationTypeError
from strawberry.types import ExecutionResult
from strawberry.types.graphql import OperationType

from app.auth import CHALLENGE, authenticate
from app.bodies import BodyTooLarge, read_body
from app.config import Settings
from app.db import Database
from app.errors import INTERNAL_MESSAGE, Code, Refusal
from app.graphql.context import Context
from app.graphql.media import JSON, is_json, negotiate
from app.graphql.schema import schema

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Operation:
    """What a request asks to run."""

    query: str
    variables: dict[str, Any] | None
    operation_name: str | None
    extensions: dict[str, Any] | None


class HTTPRefusal(HTTPException):
    """A request refused before there is an operation: an HTTP status, a code and a message."""

    def __init__(self, status: int, message: str, code: Code = Code.BAD_REQUEST, **headers: str) -> None:
        super().__init__(status, message)
        self.code = code
        self.headers = headers


@dataclass(frozen=True, slots=True)
class GraphQLEndpoint:
    """The `/graphql` address.

    `clock` says what time it is, read once per request; `page` makes the GraphiQL page, where there is one.
    """

    db: Database
    settings: Settings
    clock: Callable[[], datetime]
    page: Callable[[Request], Awaitable[Response]] | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        response = await self.respond(Request(scope, receive))
        await response(scope, receive, send)

    async def respond(self, request: Request) -> Response:
        """The answer to any request; what fails unexpectedly is INTERNAL_SERVER_ERROR, and in the log."""
        if request.method not in ("GET", "POST"):
            return _refuse(HTTPRefusal(405, "Use GET or POST.", Allow="GET, POST"), JSON)
        accept = request.headers.get("accept", "")
        media_type = negotiate(accept)
        try:
            if self.page and request.method == "GET" and "text/html" in accept and "query" not in request.query_params:
                return await self.page(request)
            return await self._answer(request, media_type)
        except HTTPRefusal as refusal:
            return _refuse(refusal, media_type or JSON)
        except Exception:
            logger.exception("Unexpected failure before there was an operation")
            return _refuse(HTTPRefusal(500, INTERNAL_MESSAGE, Code.INTERNAL_SERVER_ERROR), media_type or JSON)

    async def _answer(self, request: Request, media_type: str | None) -> Response:
        if media_type is None:
            raise HTTPRefusal(406, "Accept application/graphql-response+json or application/json.")
        context = await self._context(request)
        operation = await _operation(request)
        result = await _execute(operation, context, request.method)
        return _respond(result, media_type)

    async def _context(self, request: Request) -> Context:
        try:
            viewer = await authenticate(self.db, self.settings, request.headers.get("authorization"))
        except Refusal as refusal:
            raise HTTPRefusal(401, refusal.message, refusal.code, **CHALLENGE) from refusal
        return Context(self.db, viewer, self.clock())


async def _execute(operation: Operation, context: Context, method: str) -> ExecutionResult:
    try:
        return await schema.execute(
            operation.query,
            variable_values=operation.variables,
            context_value=context,
            operation_name=operation.operation_name,
            operation_extensions=operation.extensions,
            allowed_operation_types={OperationType.QUERY} | ({OperationType.MUTATION} if method == "POST" else set()),
        )
    except InvalidOperationTypeError as error:
        if method == "GET":
            raise HTTPRefusal(405, "A mutation is sent by POST.", Allow="POST") from error
        raise HTTPRefusal(400, "A subscription is not sent by POST.") from error
    except CannotGetOperationTypeError as error:
        unknown = GraphQLError(error.as_http_error_reason(), extensions={"code": Code.GRAPHQL_VALIDATION_FAILED})
        return ExecutionResult(data=None, errors=[unknown])


async def _operation(request: Request) -> Operation:
    sent = dict(request.query_params) if request.method == "GET" else await _body(request)
    if request.method == "GET":
        sent |= {name: _json(sent[name], name) for name in ("variables", "extensions") if name in sent}
    query = sent.get("query")
    if not isinstance(query, str) or not query:
        raise HTTPRefusal(400, "The request has no query: a text that is a GraphQL document.")
    return Operation(
        query,
        _of(dict, sent, "variables", "an object"),
        _of(str, sent, "operationName", "a text"),
        _of(dict, sent, "extensions", "an object"),
    )


async def _body(request: Request) -> dict[str, Any]:
    if not is_json(request.headers.get("content-type", "")):
        raise HTTPRefusal(415, "Send the operation as application/json in UTF-8.")
    try:
        sent = _json(await read_body(request), "The body")
    except BodyTooLarge as error:
        raise HTTPRefusal(413, str(error)) from error
    if not isinstance(sent, dict):
        raise HTTPRefusal(400, "The body must be one JSON object with the entry query; batches are not taken.")
    return sent


def _json(text: str | bytes, what: str) -> Any:
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise HTTPRefusal(400, f"{what} is not valid JSON: {error}.") from error


def _of(kind: type, sent: Mapping[str, Any], name: str, what: str) -> Any:
    value = sent.get(name)
    if value is not None and not isinstance(value, kind):
        raise HTTPRefusal(400, f"{name} must be {what} or null.")
    return value


def _respond(result: ExecutionResult, media_type: str) -> Response:
    body: dict[str, Any] = {}
    if result.errors:
        body["errors"] = [error.formatted for error in result.errors]
    executed = result.data is not None or not all(error.path is None for error in result.errors or ())
    if executed:
        body["data"] = result.data
    status = 200 if executed or media_type == JSON else 400
    return _response(status, body, media_type)


def _refuse(refusal: HTTPRefusal, media_type: str) -> Response:
    error = GraphQLError(refusal.reason, extensions={"code": refusal.code})
    return _response(refusal.status_code, {"errors": [error.formatted]}, media_type, refusal.headers)


def _response(
    status: int, body: Mapping[str, Any], media_type: str, headers: Mapping[str, str] | None = None
) -> Response:
    return Response(orjson.dumps(body), status, headers, f"{media_type}; charset=utf-8")
