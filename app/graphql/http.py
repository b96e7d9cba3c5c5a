"""GraphQL over HTTP, as the working draft of the GraphQL Foundation has it (graphql-over-http).

Every answer is JSON, the refusals too, but for the GraphiQL page, which only who accepts text/html gets.
"""

import logging
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime

from graphql import GraphQLError
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send
from strawberry.schema.exceptions import CannotGetOperationTypeError, InvalidOperationTypeError
from strawberry.types import ExecutionResult
from strawberry.types.graphql import OperationType

from app.access.auth import Authenticator, find_viewer
from app.access.tokens import Identity
from app.config import Settings
from app.errors import ApiError, Code, internal_error
from app.graphql.content_negotiation import JSON, accepts_events, negotiate
from app.graphql.context import Context
from app.graphql.document_cache import Documents
from app.graphql.persisted import PersistedDocuments
from app.graphql.plans import Plans
from app.graphql.request import Operation, is_subscription, read_operation
from app.graphql.responses import execution_response, request_error_response
from app.graphql.schema import schema
from app.graphql.subscriptions.hub import Hub
from app.graphql.subscriptions.stream import Streams
from app.observability import requests
from app.web.error_responses import error_response
from app.web.time_limits import time_limit

logger = logging.getLogger(__name__)


@dataclass(slots=True)
class GraphQLEndpoint:
    """The `/graphql` address.

    `clock` says what time it is, read once per request; `page` makes the GraphiQL page, where there is one.
    """

    gate: Authenticator
    settings: Settings
    clock: Callable[[], datetime]
    hub: Hub
    page: Callable[[Request], Awaitable[Response]] | None = None
    documents: Documents = field(init=False)
    persisted: PersistedDocuments = field(init=False)
    plans: Plans = field(init=False)
    streams: Streams = field(init=False)

    def __post_init__(self) -> None:
        self.persisted = PersistedDocuments(self.settings)
        self.documents = Documents(self.settings, self.persisted.trusted)
        self.plans = Plans(schema, self.gate.db, self.settings, self.documents)
        self.streams = Streams(self.gate, self.settings, self.clock, self.documents, self.hub)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        response = await self.respond(Request(scope, receive))
        await response(scope, receive, send)

    async def respond(self, request: Request) -> Response:
        """The answer to any request; what fails unexpectedly is INTERNAL_SERVER_ERROR, and in the log."""
        accept = request.headers.get("accept", "")
        media_type = negotiate(accept) or JSON
        try:
            if request.method not in ("GET", "POST"):
                raise ApiError(Code.BAD_REQUEST, "Use GET or POST.", headers={"Allow": "GET, POST"}, status=405)
            if self.page and request.method == "GET" and "text/html" in accept and "query" not in request.query_params:
                return await self.page(request)
            result = await self._execute(request, accept)
            return result if isinstance(result, Response) else execution_response(result, media_type)
        except ApiError as error:
            return request_error_response(error, media_type)
        except Exception:
            logger.exception("Unexpected failure before there was an operation")
            return error_response(internal_error(), media_type)

    async def _execute(self, request: Request, accept: str) -> ExecutionResult | Response:
        """The result of an operation, or the stream of a subscription's where the client takes one."""
        takes_events = accepts_events(accept)
        if not takes_events:
            _must_take_json(accept)
        address = request.client.host if request.client else None
        identity = await self.gate.identify(request.headers.get("authorization"), address)
        operation = await read_operation(request, self.settings, self.persisted)
        _note(operation, self.settings)
        if takes_events and request.method == "POST" and is_subscription(operation, self.documents):
            return await self.streams.open(operation, request)
        _must_take_json(accept)
        with time_limit(self.settings.request_seconds):
            return await self._run(operation, identity, request.method)

    async def _run(self, operation: Operation, identity: Identity, method: str) -> ExecutionResult:
        """The result of an operation. UNAUTHENTICATED where the token's user is not active."""
        now = self.clock()
        if data := await self.plans.answer(operation, identity, now):
            return ExecutionResult(data=data, errors=None)
        viewer = await find_viewer(self.gate.db, identity)
        context = Context(self.gate.db, viewer, now, self.settings, self.documents)
        result = await _execute(operation, context, method)
        if not result.errors:
            self.plans.admit(operation, identity, viewer.id)
        return result


def _must_take_json(accept: str) -> None:
    if negotiate(accept) is None:
        message = "Accept application/graphql-response+json or application/json; text/event-stream for subscriptions."
        raise ApiError(Code.BAD_REQUEST, message, status=406)


NAME = re.compile(r"\s*(?:query|mutation|subscription)\s+(\w+)", re.ASCII)
"""The name of a document's first operation, where the document begins with it as those of most clients do."""


def _note(operation: Operation, settings: Settings) -> None:
    first = NAME.match(operation.query)
    note = requests.current()
    note.operation = operation.operation_name or (first[1] if first else "anonymous")
    note.query = operation.query if settings.log_queries else None


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
            raise ApiError(
                Code.BAD_REQUEST, "A mutation is sent by POST.", headers={"Allow": "POST"}, status=405
            ) from error
        raise ApiError(
            Code.BAD_REQUEST, "Subscriptions are for WebSockets, and for who accepts text/event-stream."
        ) from error
    except CannotGetOperationTypeError as error:
        unknown = GraphQLError(error.as_http_error_reason(), extensions={"code": Code.GRAPHQL_VALIDATION_FAILED})
        return ExecutionResult(data=None, errors=[unknown])
