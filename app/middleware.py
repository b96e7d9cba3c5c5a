"""What surrounds every request, whatever its address."""

import re
from collections.abc import Sequence
from uuid import uuid4

import orjson
from starlette.datastructures import Headers, MutableHeaders
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.errors import Code
from app.observability import request_id

SECURITY_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
"""For answers that are read by programs; a page that needs other ones brings them."""

TRANSPORT_SECURITY = "max-age=31536000"


class RequestId:
    """Gives every request an id, taken over from X-Request-ID where that is a sane one, and answers with it."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        sent = dict(scope["headers"]).get(b"x-request-id", b"")
        current = sent if re.fullmatch(rb"[\w.-]{1,128}", sent, re.ASCII) else uuid4().hex.encode()
        request_id.set(current.decode())

        async def send_with_id(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], (b"x-request-id", current)]
            await send(message)

        await self.app(scope, receive, send_with_id)


class SecurityHeaders:
    """Tells browsers to store nothing, frame nothing and take every answer for what it says it is."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in SECURITY_HEADERS.items():
                    headers.setdefault(name, value)
                if scope["scheme"] == "https":
                    headers.setdefault("Strict-Transport-Security", TRANSPORT_SECURITY)
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
