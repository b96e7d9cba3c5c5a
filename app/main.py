"""The application: every address and what surrounds them."""

import asyncio
import gc
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from datetime import UTC, datetime

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route, WebSocketRoute

from app.access.auth import make_authenticator
from app.config import Settings, read_settings
from app.db.change_feed import OfferChange
from app.db.engine import Database, connect, limits_of
from app.errors import ApiError, Code, internal_error
from app.graphql.graphiql import graphiql_assets, graphiql_page
from app.graphql.http import GraphQLEndpoint
from app.graphql.responses import error_response
from app.graphql.subscriptions.hub import Hub
from app.graphql.subscriptions.websocket import LiveEndpoint
from app.observability.logs import configure_logging, request_log
from app.observability.requests import current
from app.rest.routes import LeadingSlashesMiddleware, rest_routes
from app.web.claim_page import claim_page
from app.web.health import probes
from app.web.middleware import ListedOrigins, Observed, SecurityHeaders
from app.web.shutdown import before_server_ends
from app.web.twilio_callbacks import twilio_callbacks
from app.worker.channels.base import Senders
from app.worker.channels.registry import make_senders, make_webhook
from app.worker.worker import Worker


def _refuse(_request: Request, error: Exception) -> Response:
    """What Starlette itself refuses, such as an address that is not there."""
    assert isinstance(error, HTTPException)
    code = Code.NOT_FOUND if error.status_code == 404 else Code.BAD_REQUEST
    return error_response(ApiError(code, error.detail, headers=error.headers or {}, status=error.status_code))


def _refuse_early(_request: Request, error: Exception) -> Response:
    assert isinstance(error, ApiError)
    return error_response(error)


def _fail(_request: Request, _error: Exception) -> Response:
    """Starlette raises the error again once this is sent: uvicorn has it in the log."""
    response = error_response(internal_error())
    response.headers["X-Request-ID"] = current().id
    return response


def utc_now() -> datetime:
    """The moment, cut to the millisecond as all instants are."""
    now = datetime.now(UTC)
    return now.replace(microsecond=now.microsecond // 1000 * 1000)


CLOSING_SECONDS = 1.0
"""For taking leave of the database, which may be silent."""


def from_environment() -> Starlette:
    """The server in one of several processes: each reads the settings and writes the log by itself."""
    settings = read_settings()
    configure_logging(settings)
    return _calmed(create_app(settings))


def from_environment_with_worker() -> Starlette:
    """The same with a worker inside each."""
    settings = read_settings()
    configure_logging(settings)
    return _calmed(create_app(settings, senders=make_senders(settings)))


def _calmed(app: Starlette) -> Starlette:
    tune_gc()
    return app


def tune_gc() -> None:
    """Leaves what is loaded by now out of every later collection, and has collections come less often.

    A page of 100 offers makes 500 objects, which had the schema's half a million looked at again and again: it took a
    third of the throughput, and 0.1 s of whoever was waiting just then.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)


@asynccontextmanager
async def dispatching(worker: Worker | None) -> AsyncIterator[None]:
    """Has the worker, where there is one, run meanwhile; at the end it finishes what is under way."""
    if worker is None:
        yield
        return
    running = asyncio.create_task(worker.run())
    yield
    worker.stop()
    await running


Lifespan = Callable[[Starlette], AbstractAsyncContextManager[None]]


def _lifespan(db: Database, hub: Hub, worker: Worker | None) -> Lifespan:
    def begin_to_end() -> None:
        """While requests that run still do: a stream would never end, and a worker has its own to wait for."""
        hub.dismiss()
        if worker is not None:
            worker.stop()

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        try:
            with before_server_ends(begin_to_end):
                async with dispatching(worker):
                    yield
        finally:
            with suppress(TimeoutError):
                async with asyncio.timeout(CLOSING_SECONDS):
                    await hub.close()
                    await db.close()

    return lifespan


def create_app(
    settings: Settings, clock: Callable[[], datetime] = utc_now, senders: Senders | None = None
) -> Starlette:
    """The server, and with `senders` a worker inside it.

    ValueError names a setting that is missing; the database is connected to on first use.
    """

    def announce(changes: Sequence[OfferChange] | None) -> None:
        hub.publish(changes)

    db = connect(settings.database_url, limits_of(settings), announce, has_webhook=settings.has_webhook)
    gate = make_authenticator(db, settings)
    hub = Hub(db, settings.listen_url or settings.database_url)
    worker = Worker(db, settings, senders, clock, make_webhook(settings)) if senders else None

    middleware = [
        Middleware(Observed, log=request_log(settings)),
        Middleware(LeadingSlashesMiddleware),
        Middleware(SecurityHeaders),
        Middleware(ListedOrigins, origins=settings.cors_origins),
    ]

    async def page(request: Request) -> Response:
        return await graphiql_page(request, settings, db, clock())

    endpoint = GraphQLEndpoint(gate, settings, clock, hub, page if settings.graphiql else None)
    live = LiveEndpoint(gate, settings, clock, endpoint.documents, hub)
    routes: list[BaseRoute] = [
        Route("/graphql", endpoint),
        WebSocketRoute("/graphql", live),
        *rest_routes(gate, settings, clock),
        *probes(db, clock),
    ]
    if settings.graphiql:
        routes.append(graphiql_assets())
    if settings.public_url:
        routes += [*claim_page(db, settings, clock), *twilio_callbacks(db, settings, clock)]
    app = Starlette(
        routes=routes,
        middleware=middleware,
        lifespan=_lifespan(db, hub, worker),
        exception_handlers={
            HTTPException: _refuse,
            ApiError: _refuse_early,
            Exception: _fail,
        },
    )
    app.state.database = db
    return app
