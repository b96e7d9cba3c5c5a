"""Subscriptions as server-sent events, by the protocol of the npm package graphql-sse ("distinct connections mode").

A request, a subscription, a stream. One that is cut off ends without the event `complete`, after a comment with the
code and the reason that a WebSocket would be closed with: clients come back, with a fresh token.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import aclosing, suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast

import orjson
from graphql import GraphQLError
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send
from strawberry.types import ExecutionResult

from app.access.auth import Authenticator
from app.config import Settings
from app.errors import ApiError
from app.graphql.content_negotiation import EVENT_STREAM
from app.graphql.document_cache import Documents
from app.graphql.errors import translate
from app.graphql.request import Operation
from app.graphql.schema import schema
from app.graphql.subscriptions.admission import Admission
from app.graphql.subscriptions.context import LiveContext
from app.graphql.subscriptions.hub import TRY_AGAIN_LATER, Hub

logger = logging.getLogger(__name__)

PULSE_SECONDS = 12.0
"""How often a comment is sent, so that no proxy takes the stream for dead."""
SEND_SECONDS = 10.0
"""How long a client may take nothing."""

HEADERS = {"X-Accel-Buffering": "no"}
"""Has nginx hand each event on at once."""


@dataclass(frozen=True, slots=True)
class Streams:
    """What the streams of a server share. `clock` says what time it is, read once per event."""

    gate: Authenticator
    settings: Settings
    clock: Callable[[], datetime]
    documents: Documents
    hub: Hub

    async def open(self, operation: Operation, request: Request) -> "EventStream":
        """The answer to a subscription. A ApiError where the user is not let in, or nothing would be heard."""
        stream = EventStream(self, operation, request.headers.get("authorization"))
        await stream.admission.admit()
        await self.hub.open()
        return stream


class EventStream(Response):
    """One subscription of one client."""

    def __init__(self, streams: Streams, operation: Operation, authorization: str | None) -> None:
        super().__init__(headers=HEADERS, media_type=EVENT_STREAM)
        del self.headers["content-length"]
        self.admission = Admission(streams.gate, self.cut, authorization)
        self._streams = streams
        self._operation = operation
        self._ending: asyncio.Future[tuple[int, str]] = asyncio.get_running_loop().create_future()
        self._writing = asyncio.Lock()

    def cut(self, code: int, reason: str) -> None:
        """Ends the stream; of several causes the first is told."""
        if not self._ending.done():
            self._ending.set_result((code, reason))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
        parts = [
            asyncio.create_task(part)
            for part in (self._tell(send), self._pulse(send), self.admission.look(), _disconnected(receive))
        ]
        either: list[asyncio.Future[Any]] = [*parts, self._ending]
        await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        for part in parts:
            part.cancel()
        await asyncio.gather(*parts, return_exceptions=True)
        last = ": {} {}\n\n".format(*self._ending.result()) if self._ending.done() else ""
        with suppress(TimeoutError):
            async with asyncio.timeout(SEND_SECONDS):
                await send({"type": "http.response.body", "body": last.encode(), "more_body": False})

    async def _tell(self, send: Send) -> None:
        """Every result, then that it is complete."""
        try:
            async for result in self._results():
                await self._write(send, f"event: next\ndata: {orjson.dumps(result).decode()}\n\n")
        except Exception:
            logger.exception("Unexpected failure of a stream of events")
            self.cut(TRY_AGAIN_LATER, "Try again later")
        else:
            await self._write(send, "event: complete\ndata:\n\n")

    async def _results(self) -> AsyncIterator[Mapping[str, Any]]:
        operation = self._operation
        try:
            results = await schema.subscribe(
                operation.query,
                variable_values=operation.variables,
                context_value=self._context(),
                operation_name=operation.operation_name,
            )
            async with aclosing(cast(Any, results)):
                async for result in results:
                    yield _formatted(result)
        except (ApiError, GraphQLError) as refusal:
            errors = [refusal if isinstance(refusal, GraphQLError) else GraphQLError("", original_error=refusal)]
            translate(errors, None)
            yield {"errors": [error.formatted for error in errors]}

    def _context(self) -> LiveContext:
        streams, viewer = self._streams, self.admission.viewer
        assert viewer is not None
        return LiveContext(
            streams.gate.db,
            viewer,
            streams.clock(),
            streams.settings,
            streams.documents,
            streams.hub,
            streams.clock,
            self.admission.admit,
            self.cut,
        )

    async def _pulse(self, send: Send) -> None:
        """The first comment comes at once, when `_tell` waits for a change: what is committed from then on is told."""
        while True:
            await self._write(send, ":\n\n")
            await asyncio.sleep(PULSE_SECONDS)

    async def _write(self, send: Send, text: str) -> None:
        """One event as a whole, as long as the stream is not to end; its end where the client does not take it."""
        if self._ending.done():
            return
        try:
            async with asyncio.timeout(SEND_SECONDS), self._writing:
                await send({"type": "http.response.body", "body": text.encode(), "more_body": True})
        except TimeoutError:
            self.cut(TRY_AGAIN_LATER, "Too slow: subscribe again, then query")


async def _disconnected(receive: Receive) -> None:
    """Returns once the client has left."""
    while (await receive())["type"] != "http.disconnect":
        pass


def _formatted(result: ExecutionResult) -> dict[str, Any]:
    errors = {"errors": [error.formatted for error in result.errors]} if result.errors else {}
    is_executed = result.data is not None or any(error.path is not None for error in result.errors or ())
    return errors | ({"data": result.data} if is_executed else {})
