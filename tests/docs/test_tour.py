"""The tour of docs/tour.md, step by step: from two users with tokens to a lead that one of them has claimed."""

import re
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any

import httpx2
import pytest

from app.main import create_app
from app.worker.channels.registry import make_channels
from tests.docs.pages import DOCS
from tests.support.api import Api, settings_for
from tests.support.graphql_ws import Client, signed_in, url_of
from tests.support.live_server import live_server
from tests.support.smtp_server import Mailbox, mailbox
from tests.support.waiting import until
from tests.support.world import World

STEPS = re.findall(r"```(?:graphql\n# (Alice|Bob)|sh)\n(.*?)```", DOCS["tour"], re.DOTALL)
STATUSES = "query ($id: ID!) { leadOffers(leadId: $id) { data { status } } }"
CLAIM = 'curl --request POST "$LINK"\n'


@dataclass
class Tour:
    """Two users with a client each, on a server that sends e-mail, and the ids they have received so far."""

    viewers: dict[str, Api]
    box: Mailbox
    stack: AsyncExitStack
    known: dict[str, str] = field(default_factory=dict)
    answers: dict[str, Any] = field(default_factory=dict)
    watcher: Client | None = None
    claimed: str = ""

    async def take(self, name: str, step: str) -> None:
        if step == CLAIM:
            await until(self.all_sent)
            self.claimed = (await self.viewers["Bob"].http.post(await self.link_of("bob@example.com"))).text
            return
        variables = {variable: self.known[variable] for variable in re.findall(r"\$(\w+): ID!", step)}
        if step.startswith("subscription"):
            self.watcher = await self.watch(self.viewers[name], step, variables)
            return
        answer = await self.viewers[name].ask(step, **variables)
        self.known |= ids(answer)
        self.answers |= answer

    async def watch(self, viewer: Api, document: str, variables: dict[str, Any]) -> Client:
        client = await self.stack.enter_async_context(signed_in(url_of(viewer), viewer.token))
        await client.subscribe(document, **variables)
        return client

    async def all_sent(self) -> bool:
        """Return whether the server knows that both e-mails were sent. It learns that after they have arrived."""
        answer = await self.viewers["Alice"].ask(STATUSES, id=self.known["leadId"])
        return {offer["status"] for offer in answer["leadOffers"]["data"]} == {"SENT"}

    async def link_of(self, address: str) -> str:
        """Return the path of the link in the e-mail to this address."""

        async def both_came() -> bool:
            return len(self.box.mails) == 2

        await until(both_came)
        (mail,) = (mail for mail in self.box.mails if mail["To"] == address)
        found = re.search(r"https://leads\.example\.com(/claim\S+)", mail.get_content())
        assert found
        return found[1]


def ids(answer: Any) -> dict[str, str]:
    """Return the ids in a response by the names of the tour's variables: the `id` of a `team` is `teamId`."""
    if isinstance(answer, list):
        answer = dict(enumerate(answer))
    if not isinstance(answer, dict):
        return {}
    found = {f"{name}Id": value["id"] for name, value in answer.items() if isinstance(value, dict) and "id" in value}
    for value in answer.values():
        found |= ids(value)
    return found


@pytest.fixture
async def tour(database_url: str, world: World) -> AsyncIterator[Tour]:
    with mailbox() as box:
        settings = settings_for(
            database_url, public_url="https://leads.example.com", smtp_url=box.url, email_from="leads@example.com"
        )
        app = create_app(settings, channels=make_channels(settings))
        with live_server(app) as url:
            async with AsyncExitStack() as stack:
                http = await stack.enter_async_context(httpx2.AsyncClient(base_url=url))
                anybody = Api(http, settings, app.state.database)
                alice = await world.user("Alice", email="alice@example.com")
                bob = await world.user("Bob", email="bob@example.com")
                yield Tour({"Alice": anybody.user(alice), "Bob": anybody.user(bob)}, box, stack)


async def test_the_tour(tour: Tour) -> None:
    for name, step in STEPS:
        await tour.take(name, step)
    assert [step for name, step in STEPS if not name] == [CLAIM]
    assert len(STEPS) == 15

    answers = tour.answers
    invitation = answers["teamMemberships"]["data"][0]
    assert invitation["team"] == {"name": "Bay Area", "creator": {"firstName": "Alice"}}
    assert answers["respondToInvitation"]["teamMember"]["requestStatus"] == "ACCEPTED"
    assert answers["createLead"]["lead"]["team"] == {"name": "Bay Area"}
    plan, submitted = answers["previewLeadOffers"], answers["submitLeadOffers"]
    assert [offer["user"]["firstName"] for offer in plan["offers"]] == ["Alice", "Bob"]
    assert (plan["skipped"], plan["warnings"]) == ([], [])
    assert submitted["createdCount"] == 2
    assert {offer["user"]["firstName"] for offer in submitted["offers"]} == {"Alice", "Bob"}
    assert len({offer["notifyAt"] for offer in submitted["offers"]}) == 1
    assert "The lead is yours" in tour.claimed
    asked = "Is the house on Folsom Street still for sale? I can come on Saturday."
    assert answers["lead"] == {"message": asked, "contact": {"email": "mary@example.com"}}
    lead = {"claimedVia": "EMAIL", "claimedBy": {"firstName": "Bob"}}
    assert sorted(answers["leadOffers"]["data"], key=lambda offer: offer["user"]["firstName"]) == [
        {"status": "EXPIRED", "user": {"firstName": "Alice"}, "lead": lead},
        {"status": "CLAIMED", "user": {"firstName": "Bob"}, "lead": lead},
    ]
    assert await last_seen(tour.watcher) == {"Alice": "EXPIRED", "Bob": "CLAIMED"}


async def last_seen(watcher: Client | None) -> dict[str, str]:
    """Return the last status per user once both offers have ended. Consecutive changes may arrive as one event."""
    assert watcher is not None
    seen: dict[str, str] = {}
    while not {"EXPIRED", "CLAIMED"} <= {*seen.values()}:
        offer = (await watcher.next())["leadOffer"]
        seen[offer["user"]["firstName"]] = offer["status"]
    return seen
