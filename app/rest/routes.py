"""The routes of the REST API: authentication, allowed methods, and errors in Feathers' format."""

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
from app.domain.api_key_form import SHOWN_LENGTH, hide_keys, is_well_formed
from app.domain.enums import ApiScope
from app.errors import ApiError, Code, internal_error
from app.http.time_limits import time_limit
from app.observability import requests
from app.rest import figures, handlers, intake
from app.rest.error_body import feathers_response
from app.rest.handlers import AuthenticatedRequest, StatusAndBody
from app.rest.intake import INTAKE_PATH
from app.rest.openapi import openapi_document

logger = logging.getLogger(__name__)

MAX_LOGGED_PATH = 200
"""Characters of a path in the log."""

_KEY = "key"

Handler = Callable[["Endpoint", Request], Awaitable[StatusAndBody]]


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One path and its methods. HEAD gets the headers of GET. `clock` is read once per request."""

    authenticator: auth.Authenticator
    path: str
    settings: Settings
    clock: Callable[[], datetime]
    methods: Mapping[str, Handler]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        response = await self.respond(Request(scope, receive))
        await response(scope, receive, send)

    async def respond(self, request: Request) -> Response:
        """Return the response to any request. An unexpected exception is logged and becomes a GeneralError."""
        record = requests.current()
        record.operation = f"{request.method} {self.path}"
        if _KEY not in request.path_params:
            record.path = hide_keys(request.scope["path"])[:MAX_LOGGED_PATH]

        allowed = ", ".join(sorted({*self.methods, "OPTIONS", *(["HEAD"] if "GET" in self.methods else [])}))
        if request.method == "OPTIONS":
            return Response(status_code=204, headers={"Allow": allowed})

        handler = self.methods.get("GET" if request.method == "HEAD" else request.method)
        try:
            if handler is None:
                message = f"{request.method} is not allowed here. Allowed methods: {allowed}."
                raise ApiError(Code.BAD_REQUEST, message, headers={"Allow": allowed}, status=405)
            async with time_limit(self.settings.request_seconds):
                status, body = await handler(self, request)
        except ApiError as error:
            return feathers_response(error)
        except Exception:
            logger.exception("Unexpected exception while handling %s", record.operation)
            return feathers_response(internal_error())
        return (
            body if isinstance(body, Response) else Response(orjson.dumps(body), status, media_type="application/json")
        )

    def as_viewer(self, viewer: auth.Viewer, request: Request) -> AuthenticatedRequest:
        return AuthenticatedRequest(self.authenticator.db, self.settings, viewer, self.clock(), request)


def _authenticated(
    scope: ApiScope | None, handle: Callable[[AuthenticatedRequest], Awaitable[StatusAndBody]]
) -> Handler:
    """Return a handler that requires a token or API key with the scope. With None, `handle` checks the scopes."""

    async def handler(endpoint: Endpoint, request: Request) -> StatusAndBody:
        viewer = await endpoint.authenticator.admit(request.headers.get("authorization"), _address(request))
        if scope is not None:
            viewer.require(scope)
        return await handle(endpoint.as_viewer(viewer, request))

    return handler


def _address(request: Request) -> str | None:
    return request.client.host if request.client else None


async def _receive_by_key(endpoint: Endpoint, request: Request) -> StatusAndBody:
    """Receive an enquiry by the API key in the path. The log has only the first characters of the key."""
    key: str = request.path_params[_KEY]
    if is_well_formed(key):
        requests.current().key = key[:SHOWN_LENGTH]
    viewer = await endpoint.authenticator.admit_key(key, _address(request))
    return await intake.receive(endpoint.as_viewer(viewer, request))


async def _openapi(_endpoint: Endpoint, _request: Request) -> StatusAndBody:
    return 200, openapi_document()


ROUTES: Mapping[str, Mapping[str, Handler]] = {
    "/leads": {"POST": _authenticated(None, intake.receive)},
    INTAKE_PATH + "{key}": {"POST": _receive_by_key},
    "/leads/{lead_id}/offers": {
        "GET": _authenticated(ApiScope.READ, handlers.find_offers),
        "POST": _authenticated(ApiScope.WRITE, handlers.create_offers),
    },
    "/leads/{lead_id}/offers/{offer_id}": {"GET": _authenticated(ApiScope.READ, handlers.get_offer)},
    "/figures/leads": {"GET": _authenticated(ApiScope.READ, figures.get_lead_figures)},
    "/figures/members": {"GET": _authenticated(ApiScope.READ, figures.get_member_figures)},
    "/me": {"GET": _authenticated(ApiScope.READ, handlers.get_me)},
    "/openapi.json": {"GET": _openapi},
}


FORGIVING = frozenset(path.split("/")[1] for path in ROUTES)
"""The first parts of the paths of which `//` at the start is accepted."""


def rest_routes(
    authenticator: auth.Authenticator, settings: Settings, clock: Callable[[], datetime]
) -> list[BaseRoute]:
    """Return the routes of the API. All other paths below /leads and /intake are NOT_FOUND in the same format."""
    routes = [Route(path, Endpoint(authenticator, path, settings, clock, methods)) for path, methods in ROUTES.items()]
    methods = ["GET", "POST", "PUT", "PATCH", "DELETE"]
    others = ["/leads/{rest:path}", "/intake", INTAKE_PATH + "{rest:path}"]
    return [*routes, *(Route(path, _not_found, methods=methods) for path in others)]


async def _not_found(_request: Request) -> Response:
    """The message does not repeat the path, because it may have an API key in it."""
    return feathers_response(ApiError(Code.NOT_FOUND, "There is no such path. GET /openapi.json lists the paths."))


class LeadingSlashesMiddleware:
    """Treats `//leads/3/offers` as `/leads/3/offers`: the documentation that clients were written for shows both.

    Other addresses stay as they are: a proxy may keep `/metrics` from strangers, and does not know `//metrics`.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"].startswith("//"):
            path = "/" + scope["path"].lstrip("/")
            if path.split("/")[1] in FORGIVING:
                scope = {**scope, "path": path}
        await self.app(scope, receive, send)
