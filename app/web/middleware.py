"""What surrounds every request, whatever its address."""

import random
import re
from collections.abc import Iterable, Mapping, Sequence
from time import perf_counter

import orjson
from starlette.datastructures import Headers
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.errors import Code
from app.observability.logs import WriteLine
from app.observability.metrics import observe
from app.observability.requests import RequestNote, begin


def _raw(headers: Mapping[str, str]) -> list[tuple[bytes, bytes]]:
    """As the server sends them."""
    return [(name.lower().encode(), value.encode()) for name, value in headers.items()]


SECURITY_HEADERS = _raw(
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
"""For answers that are read by programs; a page that needs other ones brings them."""

(TRANSPORT_SECURITY,) = _raw({"Strict-Transport-Security": "max-age=31536000"})


PROBES = frozenset({"/healthz", "/readyz", "/metrics"})
"""Asked every few seconds: they are not counted, nor in the log while they succeed."""


class Observed:
    """Notes what each request does: a line in the log and the metrics, in some ten microseconds.

    Every request has an id, taken over from X-Request-ID where that is a sane one, and is answered with it.
    """

    def __init__(self, app: ASGIApp, log: WriteLine) -> None:
        self.app = app
        self.log = log

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        note = RequestNote(_request_id(scope["headers"]), scope.get("method", "WEBSOCKET"))
        begin(note)

        async def send_with_id(message: Message) -> None:
            if message["type"] == "http.response.start":
                note.status = message["status"]
                message["headers"] = [*message["headers"], (b"x-request-id", note.id.encode())]
            await send(message)

        started = perf_counter()
        try:
            await self.app(scope, receive, send_with_id)
        except BaseException as error:
            note.status = note.status or 500
            note.outcome = Code.INTERNAL_SERVER_ERROR if isinstance(error, Exception) else "CANCELLED"
            raise
        finally:
            self._finish(scope["path"], note, perf_counter() - started)

    def _finish(self, path: str, note: RequestNote, seconds: float) -> None:
        is_probe = path in PROBES
        if not is_probe:
            observe(note, seconds)
        if not is_probe or note.status >= 500:
            noted = {name: value for name in LOGGED if (value := getattr(note, name)) is not None}
            self.log("request", {"request_id": note.id, "duration_ms": round(seconds * 1000, 3), **noted})


SANE_ID = re.compile(rb"[\w.-]{1,128}", re.ASCII)

LOGGED = ("method", "status", "operation", "path", "user_id", "statements", "outcome", "reason", "query")


def _request_id(headers: Iterable[tuple[bytes, bytes]]) -> str:
    for name, value in headers:
        if name == b"x-request-id" and SANE_ID.fullmatch(value):
            return value.decode()
    return f"{random.getrandbits(128):032x}"


class SecurityHeaders:
    """Tells browsers to store nothing, frame nothing and take every answer for what it says it is."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                brought = {name for name, _ in message["headers"]}
                wanted = [*SECURITY_HEADERS, TRANSPORT_SECURITY] if scope["scheme"] == "https" else SECURITY_HEADERS
                message["headers"] = [*message["headers"], *(h for h in wanted if h[0] not in brought)]
            await send(message)

        await self.app(scope, receive, send_with_headers)


class ListedOrigins(CORSMiddleware):
    """Lets pages of the listed origins call; no other origin is ever named in an answer."""

    def __init__(self, app: ASGIApp, origins: Sequence[str]) -> None:
        super().__init__(
            app,
            allow_origins=origins,
            allow_methods=["GET", "POST"],
            allow_headers=["Authorization", "Content-Type", "X-Request-ID"],
            expose_headers=["Retry-After", "X-Request-ID"],
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """What no page has sent is none of its business; `SecurityHeaders` says that a page's is answered otherwise."""
        from_page = any(name == b"origin" for name, _ in scope.get("headers", ()))
        await (super().__call__ if from_page else self.app)(scope, receive, send)

    def preflight_response(self, request_headers: Headers) -> Response:
        """As JSON, like every other refusal; what is allowed needs no words."""
        answer = super().preflight_response(request_headers)
        headers = {name: value for name, value in answer.headers.items() if not name.startswith("content-")}
        if answer.status_code == 200:
            return Response(None, 204, headers)
        error = {"message": bytes(answer.body).decode(), "extensions": {"code": Code.BAD_REQUEST}}
        return Response(
            orjson.dumps({"errors": [error]}), answer.status_code, headers, "application/json; charset=utf-8"
        )
