"""The application: every address and what surrounds them."""

import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from uuid import uuid4

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.auth import signing_key
from app.config import Settings
from app.db import connect
from app.graphql.graphiql import graphiql_assets, graphiql_page
from app.graphql.http import GraphQLEndpoint
from app.observability import request_id


def utc_now() -> datetime:
    """The moment, cut to the millisecond as all instants are."""
    now = datetime.now(UTC)
    return now.replace(microsecond=now.microsecond // 1000 * 1000)


def create_app(settings: Settings, clock: Callable[[], datetime] = utc_now) -> Starlette:
    """The server. ValueError names a setting that is missing; the database is connected to on first use."""
    signing_key(settings)
    db = connect(settings.database_url)

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        yield
        await db.close()

    middleware = [
        Middleware(RequestId),
        Middleware(
            CORSMiddleware,
            allow_origins=settings.cors_origins,
            allow_methods=["GET", "POST"],
            allow_headers=["Authorization", "Content-Type", "X-Request-ID"],
            expose_headers=["X-Request-ID"],
        ),
    ]

    async def page(request: Request) -> Response:
        return await graphiql_page(request, settings, db, clock())

    endpoint = GraphQLEndpoint(db, settings, clock, page if settings.graphiql else None)
    routes: list[BaseRoute] = [Route("/graphql", endpoint)]
    if settings.graphiql:
        routes.append(graphiql_assets())
    app = Starlette(routes=routes, middleware=middleware, lifespan=lifespan)
    app.state.database = db
    return app


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
