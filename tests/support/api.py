"""The server as its clients see it: GraphQL over HTTP, each request as one of the users."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import httpx2
from pydantic import SecretStr
from starlette.applications import Starlette

from app.access.auth import issue_token
from app.config import Settings
from app.db.engine import Database
from app.db.models import User
from app.main import create_app
from tests.support.databases import statements_of
from tests.support.world import NOW

SECRET = "the key of the tests, in 64 bytes and more, so that HS512 would take it too"


def settings_for(database_url: str, **settings: Any) -> Settings:
    return Settings(database_url=database_url, jwt_secret=SecretStr(SECRET), **settings)


@dataclass(frozen=True)
class Api:
    """One client. `user` makes one for somebody; `ask` expects data, `refusal` an error with a code."""

    http: httpx2.AsyncClient
    settings: Settings
    database: Database
    token: str | None = None

    def user(self, user: User, scope: str = "read write") -> "Api":
        return replace(self, token=issue_token(self.settings, user.id, scope, 1, datetime.now(UTC)))

    def statements(self) -> list[str]:
        """The SQL statements that the server runs from now on."""
        return statements_of(self.database)

    async def post(self, body: Any, **headers: str) -> httpx2.Response:
        authorization = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        return await self.http.post("/graphql", json=body, headers=authorization | headers)

    async def rest(self, method: str, address: str, **options: Any) -> httpx2.Response:
        """A request of the REST API; the address goes out as it is written."""
        authorization = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        return await self.http.request(method, address, headers=authorization, **options)

    async def send(self, query: str, **variables: Any) -> dict[str, Any]:
        """The whole answer, errors and all."""
        answer: dict[str, Any] = (await self.post({"query": query, "variables": variables})).json()
        return answer

    async def ask(self, query: str, **variables: Any) -> dict[str, Any]:
        answer = await self.send(query, **variables)
        assert "errors" not in answer, answer
        data: dict[str, Any] = answer["data"]
        return data

    async def refusal(self, query: str, **variables: Any) -> dict[str, Any]:
        """The `extensions` of the only error."""
        answer = await self.send(query, **variables)
        assert len(answer.get("errors", ())) == 1, answer
        extensions: dict[str, Any] = answer["errors"][0]["extensions"]
        return extensions


@asynccontextmanager
async def serving(settings: Settings, now: datetime = NOW) -> AsyncIterator[Api]:
    """The whole application in this process, at the moment `now`."""
    app: Starlette = create_app(settings, clock=lambda: now)
    async with (
        app.router.lifespan_context(app),
        httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="http://test") as http,
    ):
        yield Api(http, settings, app.state.database)
