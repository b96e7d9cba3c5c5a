"""Middleware for every request: logging and metrics, security headers, CORS."""

import random
import re
from collections.abc import Iterable, Mapping, Sequence
from time import perf_counter

from starlette.datastructures import Headers, MutableHeaders
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.errors import ApiError, Code
from app.http.draining import Draining
from app.http.error_responses import error_response
from app.observability.logs import WriteLine
from app.observability.metrics import observe
from app.observability.requests import RequestRecord, begin


def _encode(headers: Mapping[str, str]) -> list[tuple[bytes, bytes]]:
    """Return headers as ASGI sends them."""
    return [(name.lower().encode(), value.encode()) for name, value in headers.items()]


SECURITY_HEADERS = _encode(
    {
        "Cache-Control": "no-store",
        "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Referrer-Policy": "no-referrer",
        "Vary": "Origin",
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": "DENY",
    }
)
"""Headers for responses that programs read. Pages set their own values for those that do not fit them."""

SECURITY_NAMES = frozenset(name for name, _value in SECURITY_HEADERS)

(TRANSPORT_SECURITY,) = _encode({"Strict-Transport-Security": "max-age=31536000"})

HEALTH_PATHS = frozenset({"/healthz", "/readyz", "/metrics"})
"""Paths that are requested every few seconds: not counted in metrics, and logged only if they fail."""

REQUEST_ID = re.compile(rb"[\w.-]{1,128}", re.ASCII)

LOGGED = ("method", "status", "operation", "path", "user_id", "key", "statements", "outcome", "reason", "query")
"""Fields of a RequestRecord in the log line, each only if it is known."""


class ObservabilityMiddleware:
    """Writes a log line and metrics for each request.

    Every response has an `X-Request-ID`: the request's own if it has a valid one, else a new random id. While the
    server drains, responses close their connections.
    """

    def __init__(self, app: ASGIApp, log: WriteLine, draining: Draining) -> None:
        self.app = app
        self.log = log
        self.draining = draining

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        record = RequestRecord(_request_id(scope["headers"]), scope.get("method", "WEBSOCKET"))
        begin(record)

        async def send_with_id(message: Message) -> None:
            if message["type"] == "http.response.start":
                record.status = message["status"]
                message["headers"] = [*message["headers"], (b"x-request-id", record.id.encode())]
                if self.draining.closes_connections:
                    message["headers"].append((b"connection", b"close"))
            await send(message)

        started = perf_counter()
        try:
            await self.app(scope, receive, send_with_id)
        except BaseException as error:
            record.status = record.status or 500
            record.outcome = Code.INTERNAL_SERVER_ERROR if isinstance(error, Exception) else "CANCELLED"
            raise
        finally:
            self._finish(scope["path"], record, perf_counter() - started)

    def _finish(self, path: str, record: RequestRecord, seconds: float) -> None:
        is_health_check = path in HEALTH_PATHS
        if not is_health_check:
            observe(record, seconds)
        if not is_health_check or record.status >= 500:
            fields = {name: value for name in LOGGED if (value := getattr(record, name)) is not None}
            self.log("request", {"request_id": record.id, "duration_ms": round(seconds * 1000, 3), **fields})


def _request_id(headers: Iterable[tuple[bytes, bytes]]) -> str:
    for name, value in headers:
        if name == b"x-request-id" and REQUEST_ID.fullmatch(value):
            return value.decode()
    return f"{random.getrandbits(128):032x}"


class SecurityHeadersMiddleware:
    """Adds SECURITY_HEADERS to every response that does not set them itself, and HSTS to those over HTTPS."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                present = dict(message["headers"])
                missing = SECURITY_HEADERS
                if not SECURITY_NAMES.isdisjoint(present):
                    missing = [header for header in SECURITY_HEADERS if header[0] not in present]
                message["headers"] = [*message["headers"], *missing]
                if scope["scheme"] == "https" and TRANSPORT_SECURITY[0] not in present:
                    message["headers"].append(TRANSPORT_SECURITY)
            await send(message)

        await self.app(scope, receive, send_with_headers)


REQUEST_HEADERS = (
    *("Authorization", "Content-Type", "X-Request-ID"),
    # What browsers' event streams, and libraries for them, add.
    *("Cache-Control", "Last-Event-ID", "X-Requested-With"),
    # Tracing: W3C, Sentry, B3, Datadog, New Relic, Elastic, Jaeger, AWS X-Ray.
    *("traceparent", "tracestate", "baggage", "sentry-trace"),
    *("b3", "X-B3-TraceId", "X-B3-SpanId", "X-B3-ParentSpanId", "X-B3-Sampled", "X-B3-Flags"),
    *("x-datadog-trace-id", "x-datadog-parent-id", "x-datadog-origin", "x-datadog-sampling-priority"),
    *("newrelic", "elastic-apm-traceparent", "uber-trace-id", "X-Amzn-Trace-Id"),
    # Clients: Apollo, GraphQL Hive.
    *("apollographql-client-name", "apollographql-client-version", "Apollo-Require-Preflight"),
    *("X-Apollo-Operation-Name", "X-Apollo-Operation-Id", "X-Apollo-Operation-Type"),
    *("graphql-client-name", "graphql-client-version", "x-graphql-client-name", "x-graphql-client-version"),
)
"""Headers that pages may send: those that the server reads, and those that monitoring and GraphQL clients add."""

EXPOSED_HEADERS = ("Retry-After", "X-Request-ID")
"""Response headers that pages may read, besides those that every page may."""


class AllowedOriginsMiddleware(CORSMiddleware):
    """Allows CORS requests from the configured origins. No response names any other origin.

    Addresses below the path `any_origin_below` are open to every page.
    """

    def __init__(
        self, app: ASGIApp, origins: Sequence[str], headers: Sequence[str] = (), any_origin_below: str | None = None
    ) -> None:
        super().__init__(
            app,
            allow_origins=origins,
            allow_methods=["GET", "POST"],
            allow_headers=[*REQUEST_HEADERS, *headers],
            expose_headers=EXPOSED_HEADERS,
        )
        self.open_path, self.open = any_origin_below, _AnyOrigin(app)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Skip CORS for requests without an Origin header. `SecurityHeadersMiddleware` adds `Vary: Origin` to all."""
        has_origin = b"origin" in dict(scope.get("headers", ()))
        if self.open_path and scope["type"] == "http" and f"/{scope['path'].lstrip('/')}".startswith(self.open_path):
            await self.open(scope, receive, send)
        else:
            await (super().__call__ if has_origin else self.app)(scope, receive, send)

    def preflight_response(self, request_headers: Headers) -> Response:
        """Return an empty 204 if the request is allowed, else an error as JSON."""
        response = super().preflight_response(request_headers)
        headers = {name: value for name, value in response.headers.items() if not name.startswith("content-")}
        if response.status_code == 200:
            return Response(None, 204, headers)
        return error_response(ApiError(Code.BAD_REQUEST, bytes(response.body).decode(), headers=headers))


class _AnyOrigin(CORSMiddleware):
    """Allows POST requests from every page, without cookies and other credentials."""

    def __init__(self, app: ASGIApp) -> None:
        super().__init__(
            app, allow_origins=["*"], allow_methods=["POST"], allow_headers=["*"], expose_headers=EXPOSED_HEADERS
        )

    def preflight_response(self, request_headers: Headers) -> Response:
        """Return an empty 204. The browser compares the request with the allowed methods."""
        asked = request_headers.get("access-control-request-headers")
        return Response(None, 204, self.preflight_headers | ({"Access-Control-Allow-Headers": asked} if asked else {}))

    async def send(self, message: Message, send: Send, request_headers: Headers) -> None:
        """Let pages have the response of a request that they did not mark for CORS. They cannot read it."""
        if message["type"] == "http.response.start":
            MutableHeaders(scope=message)["Cross-Origin-Resource-Policy"] = "cross-origin"
        await super().send(message, send, request_headers)


class DirectRouteMiddleware:
    """Passes the HTTP requests of one path to its endpoint, without Starlette's routing and handling of exceptions."""

    def __init__(self, app: ASGIApp, path: str, endpoint: ASGIApp) -> None:
        self.app, self.path, self.endpoint = app, path, endpoint

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        is_direct = scope["type"] == "http" and scope["path"] == self.path
        await (self.endpoint if is_direct else self.app)(scope, receive, send)
