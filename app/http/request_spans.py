"""Middleware that records a span for each request. It is part of the application only if tracing is on."""

from collections.abc import Collection

from starlette.routing import Mount, Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.http.middleware import HEALTH_PATHS
from app.observability import requests
from app.observability.span_recorder import SpanRecorder

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})

TRACE_HEADERS = (b"traceparent", b"tracestate")


class TracingMiddleware:
    """Records a span for each HTTP request except health checks, named after its method and route.

    A GraphQL request names its span after the operation. Over WebSockets each operation has a span of its own, whose
    parent is the one that the headers of the handshake name. Requests of the `direct` paths have no route.
    """

    def __init__(self, app: ASGIApp, recorder: SpanRecorder, direct: Collection[str]) -> None:
        self.app, self.recorder, self.direct = app, recorder, direct

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket") or scope["path"] in HEALTH_PATHS:
            await self.app(scope, receive, send)
            return
        headers = {name.decode(): value.decode("latin-1") for name, value in scope["headers"] if name in TRACE_HEADERS}
        if scope["type"] == "http":
            await self._record(scope, receive, send, headers)
        else:
            with self.recorder.below(headers):
                await self.app(scope, receive, send)

    async def _record(self, scope: Scope, receive: Receive, send: Send, headers: dict[str, str]) -> None:
        method = scope["method"] if scope["method"] in METHODS else "_OTHER"
        direct = scope["path"] if scope["path"] in self.direct else None
        attributes = {"http.request.method": method, "url.scheme": scope["scheme"]}
        if direct:
            attributes["http.route"] = direct
        with self.recorder.request(f"{method} {direct}" if direct else method, attributes, headers) as span:

            async def send_recorded(message: Message) -> None:
                if message["type"] == "http.response.start":
                    span.set_attribute("http.response.status_code", message["status"])
                await send(message)

            await self.app(scope, receive, send_recorded)
            if (outcome := requests.current().outcome) != requests.OK:
                self.recorder.record_outcome(outcome)
            if not direct and (route := _route(scope)):
                span.update_name(f"{method} {route}")
                span.set_attribute("http.route", route)


def _route(scope: Scope) -> str | None:
    """Return the path of the request's route with the names of its parameters, or None if there is no route."""
    route = scope.get("route")
    if isinstance(route, Route | Mount):
        return route.path_format
    # The scope of a path with two slashes is a copy. REST requests have method and route as their operation.
    return (requests.current().operation or "").partition(" ")[2] or None
