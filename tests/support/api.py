"""A client of the server that sends requests as one of the users."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import httpx2
from pydantic import SecretStr
from starlette.applications import Starlette

from app.access.api_keys import NOTE_TASK
from app.access.tokens import issue_token
from app.config import Settings
from app.db.engine import Database
from app.db.models import User
from app.main import create_app
from tests.support.databases import statements_of
from tests.support.world import NOW

SECRET = "the key of the tests, in 64 bytes and more, so that HS512 would take it too"
"""The JWT secret of every server in the tests."""


def settings_for(database_url: str, **settings: Any) -> Settings:
    """Return the settings of a server on this database; others as `dispatch=True`."""
    return Settings(database_url=database_url, jwt_secret=SecretStr(SECRET), **settings)


@dataclass(frozen=True)
class Api:
    """A client of one server. `user` returns a client that sends a user's access token.

    `ask` expects data and `refusal` one error; `send` and `post` accept both.
    """

    http: httpx2.AsyncClient
    settings: Settings
    database: Database
    token: str | None = None

    def user(self, user: User, scope: str = "read write") -> "Api":
        """Return a client that is signed in as the user."""
        return replace(self, token=issue_token(self.settings, user.id, scope, 1, datetime.now(UTC)))

    def statements(self) -> list[str]:
        """Return a list that receives every SQL statement the server runs from now on."""
        return statements_of(self.database)

    async def post(self, body: Any, **headers: str) -> httpx2.Response:
        """Post the body to /graphql."""
        authorization = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        return await self.http.post("/graphql", json=body, headers=authorization | headers)

    async def rest(self, method: str, address: str, **options: Any) -> httpx2.Response:
        """Send a request to the REST API. The address is sent as written, without further escaping."""
        authorization = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        return await self.http.request(method, address, headers=authorization, **options)

    async def send(self, query: str, **variables: Any) -> dict[str, Any]:
        """Return the response to a GraphQL request: `data`, `errors` or both."""
        response: dict[str, Any] = (await self.post({"query": query, "variables": variables})).json()
        return response

    async def ask(self, query: str, **variables: Any) -> dict[str, Any]:
        """Return the `data` of the response, which must have no errors."""
        response = await self.send(query, **variables)
        assert "errors" not in response, response
        data: dict[str, Any] = response["data"]
        return data

    async def refusal(self, query: str, **variables: Any) -> dict[str, Any]:
        """Return the `extensions` of the only error in the response."""
        response = await self.send(query, **variables)
        assert len(response.get("errors", ())) == 1, response
        extensions: dict[str, Any] = response["errors"][0]["extensions"]
        return extensions


async def days_are_noted() -> None:
    """Return once servers in this process have written the days on which API keys were used."""
    await asyncio.gather(*(task for task in asyncio.all_tasks() if task.get_name() == NOTE_TASK))


@asynccontextmanager
async def serving(settings: Settings, now: datetime = NOW) -> AsyncIterator[Api]:
    """Run the application in this process, without a socket. Its clock stands at `now`."""
    app: Starlette = create_app(settings, clock=lambda: now)
    async with (
        app.router.lifespan_context(app),
        httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="http://test") as http,
    ):
        yield Api(http, settings, app.state.database)
