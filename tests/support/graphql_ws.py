"""Clients that subscribe to a server over a WebSocket, with the protocol graphql-transport-ws."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

from app.db.models import User
from tests.support.api import Api
from tests.support.world import Cast

CHANGED = """
subscription Changed($leadId: ID) {
  leadOfferChanged(leadId: $leadId) {
    previousStatus changedAt leadOffer { id status user { id } lead { id claimedBy { id } } }
  }
}
"""
SUBMIT = "mutation ($id: ID!) { submitLeadOffers(leadId: $id) { offers { id user { id } } } }"
SECONDS = 60
"""The timeout for messages that should arrive at once: long, because the machine may be busy."""


@dataclass
class Client:
    """One WebSocket connection."""

    socket: ClientConnection
    _early: list[str | bytes] = field(default_factory=list)

    async def send(self, **message: Any) -> None:
        await self.socket.send(json.dumps(message))

    async def receive(self) -> dict[str, Any]:
        async with asyncio.timeout(SECONDS):
            message: dict[str, Any] = json.loads(self._early.pop(0) if self._early else await self.socket.recv())
            return message

    async def subscribe(self, query: str = CHANGED, number: int = 1, **variables: Any) -> None:
        """Subscribe, and return when the server has processed it: the server answers messages in order.

        Events that arrive before that are kept for `next`.
        """
        await self.send(id=str(number), type="subscribe", payload={"query": query, "variables": variables})
        await self.send(type="ping")
        early: list[str | bytes] = []
        while (message := await self.receive())["type"] != "pong":
            early.append(json.dumps(message))
        self._early = early

    async def next(self) -> dict[str, Any]:
        """Return the next change."""
        message = await self.receive()
        assert message["type"] == "next", message
        assert "errors" not in message["payload"], message
        (change,) = message["payload"]["data"].values()
        assert isinstance(change, dict)
        return change

    async def is_silent(self, seconds: float) -> bool:
        """Return whether no message arrives in this time. A message that does arrive is kept for `next`."""
        if self._early:
            return False
        try:
            async with asyncio.timeout(seconds):
                self._early.append(await self.socket.recv())
        except TimeoutError:
            return True
        return False

    async def nothing(self, seconds: float = 0.3) -> None:
        assert await self.is_silent(seconds), self._early

    async def end(self, seconds: float | None = SECONDS) -> tuple[int, str]:
        """Return the code and reason with which the server closes the connection. Earlier messages are skipped."""
        async with asyncio.timeout(seconds):
            with suppress(ConnectionClosed):
                while True:
                    await self.socket.recv()
        assert self.socket.protocol.close_rcvd is not None, "the connection was lost without a close frame"
        return self.socket.protocol.close_rcvd.code, self.socket.protocol.close_rcvd.reason


@asynccontextmanager
async def connected(url: str, protocol: str = "graphql-transport-ws", **options: Any) -> AsyncIterator[Client]:
    """Connect to the server at an http:// URL, without sending `connection_init`."""
    address = url.replace("http", "ws", 1) + "/graphql"
    async with connect(address, subprotocols=[Subprotocol(protocol)], compression=None, **options) as socket:
        yield Client(socket)


@asynccontextmanager
async def signed_in(url: str, token: str | None, **options: Any) -> AsyncIterator[Client]:
    """Connect, and authenticate with the access token."""
    async with connected(url, **options) as client:
        await client.send(type="connection_init", payload={"authorization": f"Bearer {token}"})
        assert await client.receive() == {"type": "connection_ack"}
        yield client


@dataclass
class Watchers:
    """Opens subscriptions, each on a connection of its own, which are closed at the end of the test."""

    live: Api
    stack: AsyncExitStack

    async def __call__(self, user: User, **variables: Any) -> Client:
        client = await self.stack.enter_async_context(signed_in(url_of(self.live), self.live.user(user).token))
        await client.subscribe(**variables)
        return client


def url_of(live: Api) -> str:
    return str(live.http.base_url).rstrip("/")


async def submit(live: Api, cast: Cast, lead_id: int) -> dict[str, str]:
    """Submit the lead as Alice. Returns the ids of the new offers by user id."""
    offers = (await live.user(cast.alice).ask(SUBMIT, id=lead_id))["submitLeadOffers"]["offers"]
    return {offer["user"]["id"]: offer["id"] for offer in offers}
