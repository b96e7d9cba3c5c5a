"""GraphQL over WebSocket, by the protocol graphql-transport-ws of the npm package graphql-ws.

Strawberry speaks the protocol. Ours is who is let in, with which context an operation runs, and how a connection ends:
whatever ends it, it does so in one place and with one code. 4403: the token is missing, bad, or not valid any more
(graphql-ws comes back with a fresh one, as it does not after 4401). 1013: too slow, or the database is out of reach.
1012: something may have been missed. The server itself closes with 1012 when it shuts down.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping
from contextlib import aclosing, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, cast

import orjson
from graphql import GraphQLError
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocket, WebSocketDisconnect
from strawberry.asgi import ASGIWebSocketAdapter
from strawberry.exceptions import ConnectionRejectionError
from strawberry.http.exceptions import WebSocketDisconnected
from strawberry.subscriptions import GRAPHQL_TRANSPORT_WS_PROTOCOL
from strawberry.subscriptions.protocols.graphql_transport_ws.handlers import BaseGraphQLTransportWSHandler, Operation
from strawberry.subscriptions.protocols.graphql_transport_ws.types import Message, SubscribeMessage
from strawberry.types.unset import UNSET

from app.access.auth import Authenticator
from app.config import Settings
from app.errors import ApiError, Code
from app.graphql import request
from app.graphql.document_cache import Documents
from app.graphql.errors import translate
from app.graphql.schema import schema
from app.graphql.subscriptions.admission import Admission
from app.graphql.subscriptions.context import LiveContext
from app.graphql.subscriptions.hub import TRY_AGAIN_LATER, Hub
from app.web.time_limits import time_limit

logger = logging.getLogger(__name__)

INTERNAL_ERROR = 4500
UNACCEPTABLE = 4406

INIT_TIME = timedelta(seconds=10)
"""How long a connection may take to say who it is."""
SEND_SECONDS = 10.0
"""How long a client may take no message."""
CLOSE_SECONDS = 30.0
"""How long a client that takes none may then take to see why it is cut off."""
MOST_REASON = 123
"""Bytes of the reason in a close frame."""
MOST_OPERATIONS = 100
"""At the same time, of one connection."""


@dataclass(frozen=True, slots=True)
class LiveEndpoint:
    """The `/graphql` address for WebSockets. `clock` says what time it is, read once per operation and event."""

    gate: Authenticator
    settings: Settings
    clock: Callable[[], datetime]
    documents: Documents
    hub: Hub

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        websocket = WebSocket(scope, receive, send)
        if GRAPHQL_TRANSPORT_WS_PROTOCOL not in scope["subprotocols"]:
            await websocket.accept()
            await websocket.close(UNACCEPTABLE, "Subprotocol not acceptable")
            return
        await websocket.accept(GRAPHQL_TRANSPORT_WS_PROTOCOL)
        await Connection(self, websocket).run()


class Connection(BaseGraphQLTransportWSHandler[Any, None]):
    """One client. It is its own view in Strawberry's sense: what lets connections in, reads and writes JSON."""

    def __init__(self, endpoint: LiveEndpoint, websocket: WebSocket) -> None:
        super().__init__(cast(Any, self), _Socket(self, websocket), None, None, schema, INIT_TIME)
        self._endpoint = endpoint
        self._client = websocket
        self._admission = Admission(endpoint.gate, self.cut)
        self._looking: asyncio.Task[None] | None = None
        self.ending: asyncio.Future[tuple[int, str]] = asyncio.get_running_loop().create_future()
        """The close code and reason, once it is to end."""

    async def run(self) -> None:
        """Serves the client until it leaves or is cut off."""
        reading = asyncio.create_task(self.handle())
        either: list[asyncio.Future[Any]] = [reading, self.ending]
        await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        if self.ending.done():
            await self.shutdown()
            with suppress(TimeoutError, WebSocketDisconnect, RuntimeError):
                async with asyncio.timeout(CLOSE_SECONDS):
                    code, reason = self.ending.result()
                    await self._client.close(code, reason.encode()[:MOST_REASON].decode(errors="ignore"))
            reading.cancel()
        if self._looking:
            self._looking.cancel()
        with suppress(asyncio.CancelledError):
            await reading

    def cut(self, code: int, reason: str) -> None:
        """Ends the connection; of several causes the first is told."""
        if not self.ending.done():
            self.ending.set_result((code, reason))

    async def on_ws_connect(self, _context: object) -> Any:
        """Lets the client in, or decides how the connection ends."""
        try:
            await self._count()
            await self._admission.admit()
            await self._endpoint.hub.open()
        except Exception as error:
            if not isinstance(error, ApiError):
                logger.exception("A subscriber could not be let in")
            self._admission.refuse(error)
            raise ConnectionRejectionError from error
        self._looking = asyncio.create_task(self._admission.look())
        return UNSET

    async def handle_message(self, message: Message) -> None:
        if self.ending.done():
            return
        if not _is_well_formed(message):
            await self.handle_invalid_message("The message is none of the protocol graphql-transport-ws")
            return
        if message["type"] == "connection_init":
            sent = message.setdefault("payload", {}) or {}
            message["payload"] = sent
            self._admission.authorization = next(
                (str(v) for name, v in sent.items() if name.lower() == "authorization"), None
            )
        await super().handle_message(message)

    async def handle_subscribe(self, message: SubscribeMessage) -> None:
        if len(self.operations) < MOST_OPERATIONS:
            await super().handle_subscribe(message)
            return
        text = f"A connection may have {MOST_OPERATIONS} operations at the same time."
        error = GraphQLError(text, extensions={"code": Code.QUERY_TOO_COMPLEX})
        await self.send_message({"id": message["id"], "type": "error", "payload": [error.formatted]})

    async def run_operation(self, operation: Operation[Any, None]) -> None:
        try:
            await self._run_in_time(operation)
        except (ApiError, GraphQLError) as refusal:
            errors = [refusal if isinstance(refusal, GraphQLError) else GraphQLError("", original_error=refusal)]
            translate(errors, None)
            await operation.send_initial_errors(errors)
        except WebSocketDisconnected:
            pass
        except Exception:
            logger.exception("Unexpected failure of an operation over WebSocket")
            self.cut(INTERNAL_ERROR, "Internal server error")

    async def _run_in_time(self, operation: Operation[Any, None]) -> None:
        """A subscription lasts; a query or mutation takes no longer than over HTTP."""
        seconds = None if self._is_subscription(operation) else self._endpoint.settings.request_seconds
        async with time_limit(seconds):
            await self._run(operation)

    async def _run(self, operation: Operation[Any, None]) -> None:
        results = await self.schema.stream(
            operation.query,
            variable_values=operation.variables,
            context_value=await self._context(operation),
            operation_name=operation.operation_name,
        )
        async with aclosing(results):
            await self._send_result_stream(operation, results)
        await operation.send_operation_message({"id": operation.id, "type": "complete"})

    async def _context(self, operation: Operation[Any, None]) -> LiveContext:
        """A subscription looks at the viewer again before each event, and begins to hear at once."""
        endpoint, admission = self._endpoint, self._admission
        if not (admission.viewer and self._is_subscription(operation)):
            await self._count()
            await admission.admit()
        assert admission.viewer is not None
        return LiveContext(
            endpoint.gate.db,
            admission.viewer,
            endpoint.clock(),
            endpoint.settings,
            endpoint.documents,
            endpoint.hub,
            endpoint.clock,
            admission.admit,
            self.cut,
        )

    async def _count(self) -> None:
        await self._admission.count(self._client.client.host if self._client.client else None)

    def _is_subscription(self, operation: Operation[Any, None]) -> bool:
        asked = request.Operation(operation.query, operation.variables, operation.operation_name, None)
        return request.is_subscription(asked, self._endpoint.documents)

    @staticmethod
    def _get_pre_execution_close_reason(_error: GraphQLError) -> None:
        """A document that is wrong is told as an error; the other operations of the connection go on."""

    def decode_json(self, data: str | bytes) -> object:
        return orjson.loads(data)

    def encode_json(self, message: object) -> str:
        return orjson.dumps(message).decode()


class _Socket(ASGIWebSocketAdapter):
    """Writes as long as the connection is not to end, and no longer than a client may take."""

    def __init__(self, connection: Connection, websocket: WebSocket) -> None:
        super().__init__(cast(Any, connection), websocket, websocket)
        self._connection = connection

    async def send_json(self, message: Mapping[str, object]) -> None:
        if self._connection.ending.done():
            return
        try:
            async with asyncio.timeout(SEND_SECONDS):
                await super().send_json(message)
        except TimeoutError:
            self._connection.cut(TRY_AGAIN_LATER, "Too slow: subscribe again, then query")

    async def close(self, code: int, reason: str) -> None:
        self._connection.cut(code, reason)


def _is_well_formed(message: Any) -> bool:
    """Whether its entries have the types that the protocol gives them. Which there must be is for the handler."""
    if not isinstance(message, dict) or not isinstance(message.get("type"), str):
        return False
    payload = message.get("payload")
    if message["type"] in ("subscribe", "complete") and not isinstance(message.get("id"), str):
        return False
    if message["type"] != "subscribe":
        return payload is None or isinstance(payload, dict)
    return isinstance(payload, dict) and all(isinstance(payload.get(name), kind) for name, kind in _SUBSCRIBE.items())


_SUBSCRIBE: Mapping[str, Any] = {
    "query": str,
    "variables": dict | None,
    "operationName": str | None,
    "extensions": dict | None,
}
