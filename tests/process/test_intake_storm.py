"""Many clients send enquiries, again and again, to two servers that are killed twice. No lead is lost or doubled."""

import asyncio
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from random import Random
from subprocess import Popen
from typing import Any

import httpx2
import pytest
from sqlmodel import col, func, select

from app.access.tokens import issue_token
from app.db.engine import Database
from app.db.models import Contact, Delivery, Lead, LeadOffer
from tests.commands.test_contact_keys import check_keys
from tests.support.api import settings_for
from tests.support.processes import FULL, serve, stop
from tests.support.waiting import until
from tests.support.world import Cast, World

CALLS = 1_500 if FULL else 300
REPEATED = CALLS * 3 // 10
"""Calls whose external id another call has, too."""
CLIENTS = 8
PEOPLE = CALLS // 5
MEMBERS = 3
KILLS = (CALLS // 3, CALLS * 2 // 3)
"""The numbers of answers after which both servers are killed."""
PAUSE_SECONDS = 0.05
"""How long a client waits before it repeats a call that was broken off."""

RECEIVE = """mutation ($input: ReceiveLeadInput!) {
  receiveLead(input: $input) { isNew lead { id contact { id } } submitted { createdCount } } }"""


@dataclass
class Servers:
    """Two servers on one database, and their current addresses."""

    database_url: str
    running: list[tuple[Popen[bytes], str]] = field(default_factory=list)

    def start(self) -> None:
        self.running = [serve(self.database_url) for _ in range(2)]

    def kill(self) -> None:
        for process, _ in self.running:
            process.kill()
        for process, _ in self.running:
            process.wait()

    def stop(self) -> None:
        for process, _ in self.running:
            stop(process)


@dataclass
class Storm:
    """The calls of the clients, and the answers."""

    servers: Servers
    token: str
    source_id: int
    calls: Iterator[int]
    answers: dict[int, list[dict[str, Any]]] = field(default_factory=lambda: defaultdict(list))
    answered: int = 0
    broken_off: int = 0

    async def client(self, number: int) -> None:
        """Send calls, one after the other, each to one of the servers until it is answered."""
        async with httpx2.AsyncClient(timeout=60, headers={"Authorization": f"Bearer {self.token}"}) as http:
            for attempt, enquiry in enumerate(self.calls, number):
                self.answers[enquiry].append(await self.until_answered(http, enquiry, attempt))
                self.answered += 1

    async def until_answered(self, http: httpx2.AsyncClient, enquiry: int, attempt: int) -> dict[str, Any]:
        body = {"query": RECEIVE, "variables": {"input": self.enquiry(enquiry)}}
        while True:
            attempt += 1
            _, url = self.servers.running[attempt % 2]
            try:
                response = await http.post(f"{url}/graphql", json=body)
                answer: dict[str, Any] = response.json()
                if "errors" not in answer:
                    payload: dict[str, Any] = answer["data"]["receiveLead"]
                    return payload
                assert answer["errors"][0]["extensions"]["code"] == "UNAVAILABLE", answer
            except httpx2.ConnectError:
                pass  # the servers are not there yet
            except httpx2.TransportError:
                self.broken_off += 1
            await asyncio.sleep(PAUSE_SECONDS)

    async def has_answered(self, calls: int, clients: asyncio.Future[Any]) -> bool:
        return self.answered >= calls or clients.done()

    def enquiry(self, number: int) -> dict[str, Any]:
        """Return an enquiry of one of few people, who give their address and mostly their number."""
        person = number % PEOPLE
        contact = {"email": f"person{person}@example.com"}
        if (number // PEOPLE) % 3 != 1:
            contact["mobilePhone"] = f"+1202{5_550_000 + person}"
        return {"contact": contact, "externalId": f"e{number}", "sourceId": str(self.source_id)}


@pytest.mark.slow
async def test_a_storm_of_enquiries_loses_and_doubles_no_lead(
    database: Database, database_url: str, world: World, cast: Cast, capsys: pytest.CaptureFixture[str]
) -> None:
    for _ in range(MEMBERS - 1):
        await world.member_user(cast.team)
    source = await world.source(cast.alice)
    await world.route(source, cast.team)
    token = issue_token(settings_for(database_url), cast.alice.id, "read write", 1, datetime.now(UTC))

    chance, distinct = Random(1), CALLS - REPEATED
    calls = [*range(distinct), *(chance.randrange(distinct) for _ in range(REPEATED))]
    chance.shuffle(calls)
    servers = Servers(database_url)
    await asyncio.to_thread(servers.start)
    storm = Storm(servers, token, source.id, iter(calls))
    began = time.monotonic()
    clients = asyncio.gather(*map(storm.client, range(CLIENTS)))
    for after in KILLS:
        await until(partial(storm.has_answered, after, clients), 300)
        await asyncio.to_thread(servers.kill)
        await asyncio.to_thread(servers.start)
    await clients
    seconds = time.monotonic() - began
    await asyncio.to_thread(servers.stop)

    async with database.read() as session:
        leads = (await session.exec(select(Lead.id, Lead.external_id, Lead.contact_id))).all()
        contacts = (await session.exec(select(Contact.email, Contact.mobile_phone))).all()
        offers: Any = select(LeadOffer.lead_id, func.count(), func.count(func.distinct(LeadOffer.user_id)))
        offered = (await session.exec(offers.group_by(col(LeadOffer.lead_id)))).all()
        told = (await session.exec(select(Delivery.offer_id))).all()
    by_id = {external_id: (str(lead_id), str(contact_id)) for lead_id, external_id, contact_id in leads}
    with capsys.disabled():
        print(  # noqa: T201  the figures
            f"\nIntake storm: {len(calls):,} calls, {distinct:,} ids, {len(leads):,} leads, {len(contacts):,} "
            f"contacts, {storm.broken_off} calls broken off, {len(calls) / seconds:.0f} a second"
        )
    assert storm.answered == len(calls)
    assert storm.broken_off > 0
    assert len(leads) == len(by_id) == distinct
    for number, answers in storm.answers.items():
        assert {(each["lead"]["id"], each["lead"]["contact"]["id"]) for each in answers} == {by_id[f"e{number}"]}
        new = [each for each in answers if each["isNew"]]
        assert len(new) <= 1
        assert [each["submitted"] for each in answers] == [
            {"createdCount": MEMBERS} if each["isNew"] else None for each in answers
        ]
    assert len(contacts) == min(PEOPLE, distinct)
    assert Counter(email for email, _ in contacts).most_common(1)[0][1] == 1
    assert {tuple(counts) for _, *counts in offered} == {(MEMBERS, MEMBERS)}
    assert len(offered) == distinct
    assert Counter(Counter(told).values()) == {1: distinct * MEMBERS}
    await check_keys(database)
