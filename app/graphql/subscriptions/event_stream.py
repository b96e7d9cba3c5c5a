"""Subscriptions as server-sent events, in the "distinct connections mode" of the graphql-sse protocol.

Each request opens one stream for one subscription. A stream that the server closes early has no `complete` event, so
that clients connect again with a fresh token. Its last line is a comment with the close code and the reason.

sse-starlette is not used: on import it replaces `uvicorn.Server.handle_exit`, it cancels streams at shutdown before
they can say why they end, and it takes 340 µs of CPU time to open a stream instead of 75 (26 November 2026).
"""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import ExitStack, aclosing, suppress
from typing import Any, cast

import orjson
from graphql import GraphQLError
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from app.errors import ApiError
from app.graphql.content_negotiation import EVENT_STREAM
from app.graphql.errors import translate
from app.graphql.request import GraphQLRequest
from app.graphql.responses import COMPLETE_EVENT, as_graphql, formatted, next_event
from app.graphql.schema import schema
from app.graphql.subscriptions.close_codes import CloseCode
from app.graphql.subscriptions.hub import RESUBSCRIBE
from app.graphql.subscriptions.session import Services, Session

logger = logging.getLogger(__name__)

HEARTBEAT_SECONDS = 12.0
"""How often a comment is sent, so that no proxy closes an idle stream."""
SEND_SECONDS = 10.0
"""How long a client may take to accept what is sent."""

HEADERS = {"X-Accel-Buffering": "no"}
"""Tells nginx to forward each event at once."""


async def open_event_stream(services: Services, request: GraphQLRequest, authorization: str | None) -> "EventStream":
    """Return the response to a subscription. Raise ApiError if the user or the server cannot subscribe."""
    session = Session(services, authorization)
    await session.authenticate()
    await services.hub.open()
    stream = EventStream(session, request)
    stream.counted.enter_context(session.count_operation())
    return stream


class EventStream(Response):
    """The response to one subscription. Lines end with LF: urql does not accept CRLF."""

    def __init__(self, session: Session, request: GraphQLRequest) -> None:
        super().__init__(headers=HEADERS, media_type=EVENT_STREAM)
        del self.headers["content-length"]
        self.session = session
        self.counted = ExitStack()
        """Closed at the end of the stream."""
        self._request = request
        self._sending = asyncio.Lock()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send events until the subscription completes, the client disconnects or the session is closed."""
        with self.counted:
            await self._run(receive, send)

    async def _run(self, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})

        # The heartbeat starts second: when its first comment goes out, the subscription already receives changes.
        coroutines = (
            self._send_results(send),
            self._send_heartbeats(send),
            self.session.recheck(),
            _disconnected(receive),
        )
        tasks = [asyncio.create_task(coroutine) for coroutine in coroutines]
        until: list[asyncio.Future[Any]] = [*tasks, self.session.closing]
        await asyncio.wait(until, return_when=asyncio.FIRST_COMPLETED)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

        last = ": {} {}\n\n".format(*self.session.closing.result()) if self.session.closing.done() else ""
        with suppress(TimeoutError):
            async with asyncio.timeout(SEND_SECONDS):
                await send({"type": "http.response.body", "body": last.encode(), "more_body": False})

    async def _send_results(self, send: Send) -> None:
        try:
            async for result in self._results():
                await self._send(send, next_event(orjson.dumps(result)))
        except Exception:
            logger.exception("Unexpected failure of an event stream")
            self.session.close(CloseCode.TRY_AGAIN_LATER, f"The server failed. {RESUBSCRIBE}")
        else:
            await self._send(send, COMPLETE_EVENT)

    async def _results(self) -> AsyncIterator[dict[str, Any]]:
        """Yield the results of the subscription as JSON values. An invalid request has one result, its errors."""
        request = self._request
        try:
            results = await schema.subscribe(
                request.query,
                variable_values=request.variables,
                context_value=self.session.context(),
                operation_name=request.operation_name,
            )
            async with aclosing(cast(Any, results)):
                async for result in results:
                    yield formatted(result)
        except (ApiError, GraphQLError) as error:
            errors = [as_graphql(error) if isinstance(error, ApiError) else error]
            translate(errors, None)
            yield {"errors": [error.formatted for error in errors]}

    async def _send_heartbeats(self, send: Send) -> None:
        while True:
            await self._send(send, b":\n\n")
            await asyncio.sleep(HEARTBEAT_SECONDS)

    async def _send(self, send: Send, event: bytes) -> None:
        """Send an event or comment unless the session is closed. Close it if the client does not accept it in time."""
        if self.session.closing.done():
            return
        try:
            async with asyncio.timeout(SEND_SECONDS), self._sending:
                await send({"type": "http.response.body", "body": event, "more_body": True})
        except TimeoutError:
            self.session.close(CloseCode.TRY_AGAIN_LATER, f"The client reads too slowly. {RESUBSCRIBE}")


async def _disconnected(receive: Receive) -> None:
    """Return when the client has disconnected."""
    while (await receive())["type"] != "http.disconnect":
        pass
