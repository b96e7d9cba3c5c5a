"""The ends of the number line in every field of an import, and what the server does with those that it accepts."""

import logging
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlmodel import select

from app.db.engine import Database
from app.db.models import User
from app.domain.bounds import EARLIEST, LARGEST_NEW_ID, LATEST
from app.domain.timestamps import format_instant
from app.importer import NotImported, import_lists, parse
from app.importer.spec import LISTS
from app.worker.channels.registry import make_channels
from app.worker.worker import Worker
from tests.graphql.test_plans import planned, resolved
from tests.importer.test_import import AHEAD, PAST, Document, ibm, load
from tests.support.api import Api, serving, settings_for
from tests.support.ends import IDS, INSTANTS, NUMBERS, TEXTS, WRONG_TYPES, Raw, write
from tests.support.examples import examples
from tests.support.world import NOW

ENDS = st.sampled_from([*IDS, *map(Raw, NUMBERS), *INSTANTS, *TEXTS, *WRONG_TYPES])
FIELDS = [(kind.name, field) for kind in LISTS for field in ("id", *(field.name for field in kind.fields))]


class Undo(Exception):
    """Rolls a transaction back."""


def full() -> Document:
    """Return Dorothy's offer with a source, a route, and a lead that she has claimed."""
    document = ibm()
    document["lead_sources"] = [{"id": 3, "name": "Website", "creator_id": 4}]
    document["lead_routes"] = [{"id": 3, "lead_source_id": 3, "distribution_target": "Myself", "creator_id": 4}]
    document["leads"].append(document["leads"][0] | {"id": 3, "claimed_by_user_id": 5, "claimed_at": PAST})
    document["lead_offers"].append({"id": 2, "lead_id": 3, "user_id": 5, "team_id": 6, "notify_at": AHEAD})
    return document


@examples(400)
@given(changes=st.lists(st.tuples(st.sampled_from(FIELDS), st.sampled_from([0, -1]), ENDS), min_size=1, max_size=2))
async def test_no_value_breaks_an_import(database: Database, changes: list[tuple[tuple[str, str], int, Any]]) -> None:
    document = full()
    for (name, field), row, value in changes:
        document[name][row][field] = value
    content = write(document, as_json=True).encode()
    with suppress(Undo, NotImported):
        async with database.write() as session:
            await import_lists(session, parse(content), NOW)
            raise Undo


@pytest.mark.parametrize("kind", LISTS, ids=lambda kind: kind.name)
async def test_an_id_that_leaves_no_room_is_refused_with_its_row(database: Database, kind: Any) -> None:
    for number in (LARGEST_NEW_ID + 1, 2**63 - 2, 2**63 - 1, 2**63, 10**30):
        document = full()
        document[kind.name][-1]["id"] = number
        with pytest.raises(NotImported) as refused:
            await load(database, document)
        where = f"{kind.name}[{len(document[kind.name]) - 1}].id"
        assert f"{where}: {number} is not an id from 1 to {LARGEST_NEW_ID}" in refused.value.problems


CREATES = """mutation Create($contact: ID!, $source: ID!, $lead: ID!, $user: ID!, $team: ID!) {
  createContact(input: {firstName: "Mary"}) { contact { id } }
  createLeadSource(name: "Newspaper") { leadSource { id } }
  createLeadRoute(input: {leadSourceId: $source, distributionTarget: MYSELF, leadType: "Buyer"}) { leadRoute { id } }
  createTeam(input: {name: "Second"}) { team { id } }
  createLead(input: {contactId: $contact}) { lead { id } }
  inviteTeamMember(teamId: $team, email: "dot@example.com") { teamMember { id } }
  setDistributionOption(input: {teamId: $team, userId: $user}) { distributionOption { id } }
  submitLeadOffers(leadId: $lead) { createdCount offers { id } }
}"""


def at_the_largest_ids() -> Document:
    """Return a row of every list with the largest id, and Dorothy's offer."""
    largest, document = LARGEST_NEW_ID, full()
    option = {"team_id": largest, "user_id": largest}
    rollout = {"distribution_target": "Team Rollout", "team_selection_method": "Specific Team", "team_id": largest}
    rows: dict[str, dict[str, Any]] = {
        "users": {"email": "zoe@example.com"},
        "teams": {"name": "Largest", "creator_id": 4},
        "team_members": option | {"request_status": "Accepted"},
        "team_member_distribution_options": option,
        "contacts": {"owner_user_id": 4},
        "lead_sources": {"name": "Radio", "creator_id": 4},
        "lead_routes": {"lead_source_id": largest, "distribution_target": "Myself", "creator_id": 4},
        "leads": {"contact_id": largest, **rollout},
        "lead_offers": {"lead_id": 2, "user_id": largest, "team_id": 6},
    }
    for name, row in rows.items():
        document[name].append(row | {"id": largest})
    return document


async def test_rows_are_created_after_the_largest_ids(database: Database, database_url: str) -> None:
    await load(database, at_the_largest_ids())
    largest = str(LARGEST_NEW_ID)
    async with database.read() as session:
        katherine = await session.get_one(User, 4)
    async with serving(settings_for(database_url)) as api:
        client = api.user(katherine)
        created = await client.ask(CREATES, contact=largest, source=largest, lead=largest, user="4", team=largest)
        assert created["submitLeadOffers"]["createdCount"] == 2
        ids = [
            created[mutation][field]["id"]
            for mutation, field in (
                ("createContact", "contact"),
                ("createLeadSource", "leadSource"),
                ("createLeadRoute", "leadRoute"),
                ("createTeam", "team"),
                ("createLead", "lead"),
                ("inviteTeamMember", "teamMember"),
                ("setDistributionOption", "distributionOption"),
            )
        ]
        assert {int(number) - LARGEST_NEW_ID for number in ids} <= {1, 2}
        offers = (await client.rest("GET", f"/leads/{largest}/offers")).json()
        assert {offer["lead"]["id"] for offer in offers["data"]} == {LARGEST_NEW_ID}


BOARD = """{
  leads { data { id createdAt claimedAt timeToClaim offers { data { id notifyAt rank deliveries { id } } } } }
}"""
CLAIM = "mutation ($id: ID!) { claimLeadOffer(id: $id) { leadOffer { lead { timeToClaim } } } }"


@pytest.mark.parametrize("created_at", [EARLIEST, NOW, datetime(2030, 1, 1, tzinfo=UTC), LATEST])
@pytest.mark.parametrize("notify_at", [EARLIEST, NOW + timedelta(days=1), LATEST])
async def test_imported_times_are_shown_submitted_and_sent(
    *,
    database: Database,
    database_url: str,
    caplog: pytest.LogCaptureFixture,
    created_at: datetime,
    notify_at: datetime,
) -> None:
    document = full()
    for lead in document["leads"]:
        lead["created_at"] = format_instant(created_at)
    for offer in document["lead_offers"]:
        offer["notify_at"] = format_instant(notify_at)
    document["leads"][1]["claimed_at"] = format_instant(notify_at)
    document["teams"][0]["mins_until_next_alert"] = 525_600
    document["users"][0]["timezone"] = "Etc/GMT+12"
    document["users"][1]["timezone"] = "Pacific/Kiritimati"
    document["users"].append({"id": 6, "email": "zoe@example.com"})
    document["team_members"].append({"id": 9, "team_id": 6, "user_id": 6, "request_status": "Accepted"})
    document["team_member_distribution_options"].append({"id": 9, "team_id": 6, "user_id": 6, "rank": 2**31 - 1})
    await load(database, document)
    async with database.read() as session:
        users = {user.id: user for user in await session.exec(select(User))}

    settings = settings_for(database_url, fallback="console")
    async with serving(settings) as api:
        katherine = api.user(users[4])
        assert await planned(katherine, BOARD) == await resolved(katherine, BOARD)
        await _submit(katherine)
        worker = Worker(database, settings, make_channels(settings), lambda: NOW)
        await worker.run_once()
        offers = (await api.user(users[5]).ask("{ leadOffers { data { id viewerCanClaim } } }"))["leadOffers"]["data"]
        for offer in offers:
            if offer["viewerCanClaim"]:
                await api.user(users[5]).ask(CLAIM, id=offer["id"])
        for lead_id in ("2", "3"):
            await katherine.send("mutation ($id: ID!) { releaseLead(id: $id) { lead { id } } }", id=lead_id)
        await Worker(database, settings, make_channels(settings), lambda: NOW).run_once()
        board = (await katherine.ask(BOARD))["leads"]["data"]
        assert all(lead["timeToClaim"] is None or 0 <= lead["timeToClaim"] < 2**31 for lead in board)
    assert [record.getMessage() for record in caplog.records if record.levelno >= logging.ERROR] == []


async def _submit(client: Api) -> None:
    submitted = await client.ask("mutation { submitLeadOffers(leadId: 2) { createdCount offers { notifyAt } } }")
    assert submitted["submitLeadOffers"]["createdCount"] == 1
