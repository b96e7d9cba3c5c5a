"""GraphQL over HTTP, by the working draft of the GraphQL Foundation: https://graphql.github.io/graphql-over-http/draft/

Every response is JSON, errors included. Browsers get the GraphiQL page, and subscriptions an event stream, as do the
other operations of a client that accepts nothing else.
"""

import logging
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send
from strawberry.types import ExecutionResult
from strawberry.types.graphql import OperationType

from app.access.auth import Authenticator, find_viewer
from app.access.tokens import Identity
from app.config import Settings
from app.errors import ApiError, Code, internal_error
from app.graphql.content_negotiation import EVENT_STREAM, JSON, accepts_events, negotiate
from app.graphql.context import Context
from app.graphql.document_cache import DocumentCache
from app.graphql.errors import no_operation
from app.graphql.persisted import PersistedDocuments
from app.graphql.plans import Plans
from app.graphql.request import GraphQLRequest, is_subscription, name_span, read_request
from app.graphql.responses import data_response, execution_response, request_error_response
from app.graphql.schema import schema
from app.graphql.strawberry_internals import CannotGetOperationTypeError, InvalidOperationTypeError, core_schema
from app.graphql.subscriptions.event_stream import open_event_stream
from app.graphql.subscriptions.hub import Hub
from app.graphql.subscriptions.operation_limits import RunningOperations
from app.graphql.subscriptions.session import Services
from app.http.error_responses import error_response
from app.http.time_limits import time_limit
from app.observability import requests

logger = logging.getLogger(__name__)

FIRST_OPERATION = re.compile(r"\s*(?:query|mutation|subscription)\s+(\w+)", re.ASCII)
"""Matches the name of the first operation if the document begins with it, as those of most clients do."""


@dataclass(slots=True)
class GraphQLEndpoint:
    """The endpoint `/graphql`. `clock` returns the current time; `page` renders GraphiQL where that is on."""

    authenticator: Authenticator
    settings: Settings
    clock: Callable[[], datetime]
    hub: Hub
    page: Callable[[Request], Awaitable[Response]] | None = None
    persisted: PersistedDocuments = field(init=False)
    services: Services = field(init=False)

    def __post_init__(self) -> None:
        self.persisted = PersistedDocuments(self.settings)
        documents = DocumentCache(core_schema(schema), self.settings, self.persisted.trusted)
        plans = Plans(schema, self.authenticator.db, documents, self.settings)
        running = RunningOperations(self.settings.max_operations_per_user)
        self.services = Services(self.authenticator, self.settings, self.clock, documents, plans, self.hub, running)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Respond to a request. Unexpected exceptions are logged and become INTERNAL_SERVER_ERROR."""
        request = Request(scope, receive)
        try:
            response = await self._respond(request)
        except ApiError as error:
            accept = request.headers.get("accept", "")
            response = request_error_response(
                error, negotiate(accept) or (EVENT_STREAM if accepts_events(accept) else JSON)
            )
        except Exception:
            logger.exception("Unexpected failure of a GraphQL request")
            response = error_response(internal_error(), negotiate(request.headers.get("accept", "")) or JSON)
        await response(scope, receive, send)

    async def _respond(self, request: Request) -> Response:
        """Return GraphiQL's page, the event stream of a subscription, or the result of an operation."""
        method, headers, client = request.method, request.headers, request.client
        if method not in ("GET", "POST"):
            raise ApiError(Code.BAD_REQUEST, "Use GET or POST.", headers={"Allow": "GET, POST"}, status=405)

        accept = headers.get("accept", "")
        if self.page and method == "GET" and "text/html" in accept and "query" not in request.query_params:
            return await self.page(request)

        media_type, takes_events = negotiate(accept), accepts_events(accept)
        if media_type is None and not takes_events:
            raise _not_acceptable()

        authorization = headers.get("authorization")
        identity = await self.authenticator.identify(authorization, client.host if client else None)
        asked = await read_request(request, self.settings, self.persisted)
        first = FIRST_OPERATION.match(asked.query)
        note = requests.current()
        note.operation = asked.operation_name or (first[1] if first else "anonymous")
        note.query = asked.query if self.settings.log_queries else None
        name_span(self.services.documents, asked.query, asked.variables, asked.operation_name)

        if takes_events and method == "POST" and self._is_subscription(asked):
            return await open_event_stream(self.services, asked, authorization)
        async with time_limit(self.settings.request_seconds):
            now = self.clock()
            if text := await self.services.plans.answer(asked, identity, now):
                return data_response(text, media_type or EVENT_STREAM)
            result = await self._execute(asked, identity, method, now)
        return execution_response(result, media_type or EVENT_STREAM)

    async def _execute(self, asked: GraphQLRequest, identity: Identity, method: str, now: datetime) -> ExecutionResult:
        """Return the result of an operation without a compiled plan, by the resolvers."""
        db = self.authenticator.db
        viewer = await find_viewer(db, identity, now)
        try:
            return await schema.execute(
                asked.query,
                variable_values=asked.variables,
                context_value=Context(db, viewer, now, self.settings, self.services.documents, self.services.plans),
                operation_name=asked.operation_name,
                operation_extensions=asked.extensions,
                allowed_operation_types={OperationType.QUERY, *([OperationType.MUTATION] if method == "POST" else [])},
            )
        except InvalidOperationTypeError as error:
            raise _wrong_transport(method) from error
        except CannotGetOperationTypeError as error:
            raise no_operation(error.operation_name) from error

    def _is_subscription(self, asked: GraphQLRequest) -> bool:
        return is_subscription(self.services.documents, asked.query, asked.variables, asked.operation_name)


def _not_acceptable() -> ApiError:
    message = (
        "The Accept header allows no media type of this server. Accept application/graphql-response+json or "
        "application/json, or text/event-stream."
    )
    return ApiError(Code.BAD_REQUEST, message, status=406)


def _wrong_transport(method: str) -> ApiError:
    if method == "GET":
        message = "GET executes queries only. Send mutations by POST."
        return ApiError(Code.BAD_REQUEST, message, headers={"Allow": "POST"}, status=405)
    message = "Subscribe over a WebSocket, or by POST with text/event-stream in the Accept header."
    return ApiError(Code.BAD_REQUEST, message)
