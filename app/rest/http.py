"""The addresses of the REST API: who is let in, which methods there are, and how a refusal is told."""

import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp, Receive, Scope, Send

from app.access import auth
from app.config import Settings
from app.errors import ApiError, Code, internal_error
from app.observability import requests
from app.rest import calls
from app.rest.calls import Answer, Call
from app.rest.errors import error_response
from app.rest.openapi import description
from app.web.time_limits import time_limit

logger = logging.getLogger(__name__)

MOST_PATH = 200
"""Characters of an address that the log has."""

Method = Callable[["Address", Request], Awaitable[Answer]]


@dataclass(frozen=True, slots=True)
class Address:
    """One address. HEAD is answered as GET is, without the body; `clock` is read once per request."""

    gate: auth.Authenticator
    path: str
    settings: Settings
    clock: Callable[[], datetime]
    methods: Mapping[str, Method]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        response = await self.respond(Request(scope, receive))
        await response(scope, receive, send)

    async def respond(self, request: Request) -> Response:
        """The answer to any request; what fails unexpectedly is a GeneralError, and in the log."""
        note = requests.current()
        note.operation, note.path = f"{request.method} {self.path}", request.scope["path"][:MOST_PATH]
        allowed = {"Allow": ", ".join(sorted({*self.methods, "HEAD", "OPTIONS"}))}
        if request.method == "OPTIONS":
            return Response(status_code=204, headers=allowed)
        method = self.methods.get("GET" if request.method == "HEAD" else request.method)
        try:
            if method is None:
                raise ApiError(Code.BAD_REQUEST, f"Use {allowed['Allow']}.", headers=allowed, status=405)
            async with time_limit(self.settings.request_seconds):
                status, body = await method(self, request)
        except ApiError as error:
            return error_response(error)
        except Exception:
            logger.exception("Unexpected failure at a REST address")
            return error_response(internal_error())
        return Response(orjson.dumps(body), status, media_type="application/json")


def _for(needed: auth.Scope, answer: Callable[[Call], Awaitable[Answer]]) -> Method:
    """A method for those whose token has a scope."""

    async def method(address: Address, request: Request) -> Answer:
        sender = request.client.host if request.client else None
        viewer = await address.gate.admit(request.headers.get("authorization"), sender)
        viewer.require(needed)
        return await answer(Call(address.gate.db, address.settings, viewer, address.clock(), request))

    return method


async def _describe(_address: Address, _request: Request) -> Answer:
    return 200, description()


async def _unknown(_request: Request) -> Response:
    return error_response(ApiError(Code.NOT_FOUND, "There is no such address."))


ADDRESSES: Mapping[str, Mapping[str, Method]] = {
    "/leads/{lead_id}/offers": {
        "GET": _for(auth.Scope.READ, calls.find),
        "POST": _for(auth.Scope.WRITE, calls.create),
    },
    "/leads/{lead_id}/offers/{offer_id}": {"GET": _for(auth.Scope.READ, calls.get)},
    "/me": {"GET": _for(auth.Scope.READ, calls.me)},
    "/openapi.json": {"GET": _describe},
}


def rest_routes(gate: auth.Authenticator, settings: Settings, clock: Callable[[], datetime]) -> list[BaseRoute]:
    """The addresses, and a refusal for those beside them."""
    known = [Route(path, Address(gate, path, settings, clock, methods)) for path, methods in ADDRESSES.items()]
    beside = ["/leads", "/leads/{rest:path}"]
    return [*known, *(Route(path, _unknown, methods=["GET", "POST", "PUT", "PATCH", "DELETE"]) for path in beside)]


class LeadingSlashes:
    """Takes `//leads/3/offers` for `/leads/3/offers`: clients were written by documentation that shows the former."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"].startswith("//"):
            scope = {**scope, "path": "/" + scope["path"].lstrip("/")}
        await self.app(scope, receive, send)
