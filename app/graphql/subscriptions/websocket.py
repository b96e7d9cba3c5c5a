"""GraphQL over WebSocket, by the protocol graphql-transport-ws of the npm package graphql-ws.

Strawberry speaks the protocol. This module decides who may connect, in which context an operation runs, and how a
connection ends: always in `Connection.run`, with one of the codes of `close_codes`. When the server shuts down,
uvicorn closes the remaining connections with 1012.
"""

import asyncio
import logging
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing, suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, cast

import orjson
from graphql import GraphQLError
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocket, WebSocketDisconnect
from strawberry import UNSET

from app.errors import ApiError, Code, too_complex
from app.graphql.errors import translate
from app.graphql.request import is_subscription, name_span
from app.graphql.responses import as_graphql, is_executed
from app.graphql.schema import schema
from app.graphql.strawberry_internals import (
    GRAPHQL_TRANSPORT_WS_PROTOCOL,
    ASGIWebSocketAdapter,
    BaseGraphQLTransportWSHandler,
    ConnectionRejectionError,
    Message,
    Operation,
    PreExecutionError,
    SubscribeMessage,
    WebSocketDisconnected,
)
from app.graphql.subscriptions.close_codes import CloseCode
from app.graphql.subscriptions.hub import RESUBSCRIBE
from app.graphql.subscriptions.session import Services, Session
from app.http.time_limits import time_limit
from app.observability import tracing

logger = logging.getLogger(__name__)

INIT_TIME = timedelta(seconds=10)
"""How long a client may take to send connection_init."""
SEND_SECONDS = 10.0
"""How long a client may take to accept a message."""
CLOSE_SECONDS = 30.0
"""How long a client may then take to accept the close frame."""
MAX_REASON_BYTES = 123
"""The size of the reason in a close frame (RFC 6455)."""
SUBSCRIBE_ENTRIES: Mapping[str, Any] = {
    "query": str,
    "variables": dict | None,
    "operationName": str | None,
    "extensions": dict | None,
}
"""The types of the entries in the payload of `subscribe`."""


@dataclass(frozen=True, slots=True)
class WebSocketEndpoint:
    """The endpoint `/graphql` for WebSockets."""

    services: Services

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one client until its connection ends."""
        websocket = WebSocket(scope, receive, send)
        if GRAPHQL_TRANSPORT_WS_PROTOCOL not in scope["subprotocols"]:
            await websocket.accept()
            reason = f"Subprotocol not acceptable. Use {GRAPHQL_TRANSPORT_WS_PROTOCOL}."
            await websocket.close(CloseCode.SUBPROTOCOL_NOT_ACCEPTABLE, reason)
            return
        await websocket.accept(GRAPHQL_TRANSPORT_WS_PROTOCOL)
        await Connection(Session(self.services), websocket).run()


class Connection(BaseGraphQLTransportWSHandler[Any, None]):
    """One client. It is its own view, Strawberry's term for the object that authenticates clients and handles JSON."""

    def __init__(self, session: Session, websocket: WebSocket) -> None:
        super().__init__(cast(Any, self), _Socket(self, session, websocket), None, None, schema, INIT_TIME)
        self._session = session
        self._socket = websocket
        self._recheck: asyncio.Task[None] | None = None
        self._counting: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """Serve the client until it disconnects or the session is closed."""
        reading = asyncio.create_task(self.handle())
        until: list[asyncio.Future[Any]] = [reading, self._session.closing]
        await asyncio.wait(until, return_when=asyncio.FIRST_COMPLETED)

        if self._session.closing.done():
            await self.shutdown()
            code, reason = self._session.closing.result()
            with suppress(TimeoutError, WebSocketDisconnect, RuntimeError):
                async with asyncio.timeout(CLOSE_SECONDS):
                    await self._socket.close(code, reason.encode()[:MAX_REASON_BYTES].decode(errors="ignore"))
            reading.cancel()

        if self._recheck:
            self._recheck.cancel()
        with suppress(asyncio.CancelledError):
            await reading

    async def on_ws_connect(self, _context: object) -> Any:
        """Accept the client if its token is valid; else close the session and raise ConnectionRejectionError."""
        try:
            await self._count_request()
            await self._session.authenticate()
            await self._session.services.hub.open()
        except Exception as error:
            if not isinstance(error, ApiError):
                logger.exception("Unexpected failure while a WebSocket was authenticated")
            self._session.close_after(error)
            raise ConnectionRejectionError from error
        self._recheck = asyncio.create_task(self._session.recheck())
        return UNSET

    async def handle_message(self, message: Message) -> None:
        """Check the types of a message's entries, and take the token from connection_init."""
        if self._session.closing.done():
            return
        if not _is_well_formed(message):
            await self.handle_invalid_message(f"The message is not valid in {GRAPHQL_TRANSPORT_WS_PROTOCOL}.")
            return
        if message["type"] == "subscribe":
            message["payload"]["operationName"] = message["payload"].get("operationName") or None
        if message["type"] == "connection_init":
            payload = message.setdefault("payload", {}) or {}
            message["payload"] = payload
            self._session.authorization = next(
                (str(value) for name, value in payload.items() if name.lower() == "authorization"), None
            )
        await super().handle_message(message)

    async def handle_subscribe(self, message: SubscribeMessage) -> None:
        """Start an operation, unless the connection already runs too many."""
        maximum = self._session.services.settings.max_operations_per_connection
        if len(self.operations) < maximum:
            await super().handle_subscribe(message)
            return
        text = (
            f"This connection already runs {maximum} operations, which is the maximum. Complete one, or open another "
            "connection."
        )
        error = as_graphql(too_complex(maximum + 1, maximum, "operations of one connection", text))
        translate([error], None)
        await self.send_message({"id": message["id"], "type": "error", "payload": [error.formatted]})

    async def run_operation(self, operation: Operation[Any, None]) -> None:
        """Execute an operation and send its results.

        A query or mutation is authenticated, counted and limited in time as over HTTP. A subscription relies on the
        session: it receives changes from the start, while it is counted, and its user is authenticated before each
        event.
        """
        with tracing.operation_span():
            services = self._session.services
            name_span(services.documents, operation.query, operation.variables, operation.operation_name)
            await self._run_operation(operation)

    async def _run_operation(self, operation: Operation[Any, None]) -> None:
        services = self._session.services
        try:
            subscribes = is_subscription(
                services.documents, operation.query, operation.variables, operation.operation_name
            )
            async with time_limit(None if subscribes else services.settings.request_seconds):
                if not (subscribes and self._session.viewer):
                    await self._count_request()
                    await self._session.authenticate()
                else:
                    self._count_subscription()
                with self._session.count_operation():
                    results = await self.schema.stream(
                        operation.query,
                        variable_values=operation.variables,
                        context_value=self._session.context(),
                        operation_name=operation.operation_name,
                    )
                    async with aclosing(_with_refusals(results)) as replies:
                        await self._send_result_stream(operation, replies)
                    await operation.send_operation_message({"id": operation.id, "type": "complete"})
        except (ApiError, GraphQLError) as error:
            errors = [as_graphql(error) if isinstance(error, ApiError) else error]
            translate(errors, None)
            await operation.send_initial_errors(errors)
        except WebSocketDisconnected:
            pass
        except Exception:
            logger.exception("Unexpected failure of an operation over WebSocket")
            tracing.record_outcome(Code.INTERNAL_SERVER_ERROR)
            self._session.close(CloseCode.INTERNAL_SERVER_ERROR, "Internal server error")

    @staticmethod
    def _get_pre_execution_close_reason(_error: GraphQLError) -> None:
        """Keep the connection open after an invalid document, so that its other operations go on."""

    def decode_json(self, data: str | bytes) -> object:
        return orjson.loads(data)

    def encode_json(self, message: object) -> str:
        return orjson.dumps(message).decode()

    def _count_subscription(self) -> None:
        """Count a subscription that has begun. Close the connection if the client has sent too many requests."""

        async def count() -> None:
            try:
                await self._count_request()
            except Exception as error:
                self._session.close_after(error)

        task = asyncio.create_task(count())
        self._counting.add(task)
        task.add_done_callback(self._counting.discard)

    async def _count_request(self) -> None:
        await self._session.count_request(self._socket.client.host if self._socket.client else None)


class _Socket(ASGIWebSocketAdapter):
    """Sends messages until the session is closed, and closes it if the client does not accept one in time."""

    def __init__(self, connection: Connection, session: Session, websocket: WebSocket) -> None:
        super().__init__(cast(Any, connection), websocket, websocket)
        self._session = session

    async def send_json(self, message: Mapping[str, object]) -> None:
        if self._session.closing.done():
            return
        try:
            async with asyncio.timeout(SEND_SECONDS):
                await super().send_json(message)
        except TimeoutError:
            self._session.close(CloseCode.TRY_AGAIN_LATER, f"The client reads too slowly. {RESUBSCRIBE}")

    async def close(self, code: int, reason: str) -> None:
        self._session.close(code, reason)


async def _with_refusals(results: AsyncGenerator[Any]) -> AsyncGenerator[Any]:
    """Yield the results. One of an operation that was not executed becomes Strawberry's kind for an `error` message."""
    async with aclosing(results):
        async for result in results:
            yield result if is_executed(result) else PreExecutionError(data=None, errors=result.errors)


def _is_well_formed(message: Any) -> bool:
    """Whether the entries have the types of the protocol. Strawberry checks which entries must be present."""
    if not isinstance(message, dict) or not isinstance(message.get("type"), str):
        return False
    payload = message.get("payload")
    if message["type"] in ("subscribe", "complete") and not isinstance(message.get("id"), str):
        return False
    if message["type"] != "subscribe":
        return payload is None or isinstance(payload, dict)
    return isinstance(payload, dict) and all(
        isinstance(payload.get(name), type_) for name, type_ in SUBSCRIBE_ENTRIES.items()
    )
