"""The ASGI application: middleware, routes and lifespan."""

import asyncio
import gc
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, AbstractContextManager, asynccontextmanager, suppress
from datetime import datetime

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route, WebSocketRoute

from app.access.auth import Authenticator, make_authenticator
from app.config import Settings, read_settings
from app.db.change_feed import Change
from app.db.clock import DatabaseClock
from app.db.engine import Database, connect_as_configured
from app.db.limits import limits_of
from app.graphql.graphiql import graphiql_assets, graphiql_page
from app.graphql.http import GraphQLEndpoint
from app.graphql.subscriptions.hub import Hub
from app.graphql.subscriptions.websocket import WebSocketEndpoint
from app.http.claim_page import claim_page_routes
from app.http.draining import Draining, draining_on_signal
from app.http.error_responses import EXCEPTION_HANDLERS
from app.http.health import health_routes
from app.http.middleware import (
    AllowedOriginsMiddleware,
    DirectRouteMiddleware,
    ObservabilityMiddleware,
    SecurityHeadersMiddleware,
)
from app.http.twilio_callbacks import twilio_routes
from app.http.web_app import make_not_found, web_app_routes
from app.observability import tracing
from app.observability.logs import configure_logging, request_logger
from app.rest.intake import INTAKE_PATH
from app.rest.routes import LeadingSlashesMiddleware, rest_routes
from app.worker.channels.base import Channels
from app.worker.channels.registry import make_channels, make_webhook
from app.worker.worker import Worker

CLOSE_SECONDS = 1.0
"""How long closing the database connections may take at shutdown: the database may not respond."""


def create_app(
    settings: Settings, clock: Callable[[], datetime] | None = None, channels: Channels | None = None
) -> Starlette:
    """Create the server, with a worker inside it if `channels` are given.

    `clock` returns the current time in UTC. The default is the database's clock.

    The first request connects to the database. Raises ValueError if a required setting is missing.
    """

    def announce(changes: Sequence[Change] | None) -> None:
        hub.publish(changes)

    async def graphiql(request: Request) -> Response:
        return await graphiql_page(request, settings, db, now())

    db = connect_as_configured(settings, limits_of(settings), announce)
    database_clock = DatabaseClock(db)
    now = clock or database_clock
    hub = Hub(db, settings.listen_url or settings.database_url, now)
    authenticator = make_authenticator(db, settings, now)
    endpoint = GraphQLEndpoint(authenticator, settings, now, hub, graphiql if settings.graphiql else None)
    worker = Worker(db, settings, channels, now, make_webhook(settings)) if channels else None
    if worker is not None and clock is None:
        worker.synchronize = database_clock.synchronize

    draining = Draining()
    middleware = [
        Middleware(ObservabilityMiddleware, log=request_logger(settings), draining=draining),
        *_tracing_middleware(),
        Middleware(SecurityHeadersMiddleware),
        Middleware(
            AllowedOriginsMiddleware,
            origins=settings.cors_origins,
            headers=settings.cors_headers,
            any_origin_below=INTAKE_PATH,
        ),
        # Beside its Route: the layers that it skips took a tenth of the application's CPU time (26 November 2026).
        Middleware(DirectRouteMiddleware, path="/graphql", endpoint=endpoint),
        Middleware(LeadingSlashesMiddleware),
    ]
    routes: list[BaseRoute] = [
        Route("/graphql", endpoint),
        WebSocketRoute("/graphql", WebSocketEndpoint(endpoint.services)),
        *rest_routes(authenticator, settings, now),
        *health_routes(db, now, draining),
        *web_app_routes(settings, db, now),
    ]
    if settings.graphiql:
        routes.append(graphiql_assets())
    if settings.public_url:
        routes += [*claim_page_routes(db, settings, now), *twilio_routes(db, settings, now)]

    app = Starlette(
        routes=routes,
        middleware=middleware,
        lifespan=_make_lifespan(
            db,
            database_clock if clock is None else None,
            authenticator,
            lambda stop: draining_on_signal(draining, settings.drain_seconds, stop),
            hub,
            worker,
        ),
        exception_handlers={**EXCEPTION_HANDLERS, 404: make_not_found(settings, db, now)},
    )
    app.state.database = db
    return app


def _tracing_middleware() -> list[Middleware]:
    recorder = tracing.recorder()
    if recorder is None:
        return []
    from app.http.request_spans import TracingMiddleware  # noqa: PLC0415  it imports OpenTelemetry

    return [Middleware(TracingMiddleware, recorder=recorder, direct={"/graphql"})]


def _make_lifespan(
    db: Database,
    clock: DatabaseClock | None,
    authenticator: Authenticator,
    drain: Callable[[Callable[[], None]], AbstractContextManager[None]],
    hub: Hub,
    worker: Worker | None,
) -> Callable[[Starlette], AbstractAsyncContextManager[None]]:
    def stop() -> None:
        """End subscriptions, for which the server would wait indefinitely, and stop the worker at the same time."""
        hub.close_subscribers()
        if worker is not None:
            worker.stop()

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        following = asyncio.create_task(clock.follow()) if clock else None
        hub.start()
        try:
            working = asyncio.create_task(worker.run()) if worker else None
            with drain(stop):
                yield
            if worker is not None and working is not None:
                worker.stop()
                await working
        finally:
            if following is not None:
                following.cancel()
            with suppress(TimeoutError):
                async with asyncio.timeout(CLOSE_SECONDS):
                    await hub.close()
                    await authenticator.close()
                    await db.close()
            tracing.stop()

    return lifespan


def from_environment() -> Starlette:
    """Create the server in one of several processes (`serve --workers`), with the settings in the environment."""
    settings = read_settings()
    configure_logging(settings)
    tracing.start(settings)
    app = create_app(settings)
    tune_gc()
    return app


def from_environment_with_worker() -> Starlette:
    """Create the server with a worker in one of several processes (`serve --workers --dispatch`)."""
    settings = read_settings()
    configure_logging(settings)
    tracing.start(settings)
    app = create_app(settings, channels=make_channels(settings))
    tune_gc()
    return app


def tune_gc() -> None:
    """Exclude everything loaded so far from garbage collection, and collect less often.

    A page of 100 offers creates 500 objects, enough for a collection that scans the half a million objects of the
    schema. That took a third of the throughput, and paused requests for 0.1 s.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)
