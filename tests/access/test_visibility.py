"""The rows that each viewer can see: every rule by itself, and the parts in which lists read the same rows."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import aliased

from app.access import field_access, visibility
from app.db.engine import Database
from app.db.indexed_parts import IndexedPart
from app.db.models import (
    ApiKey,
    Contact,
    DistributionOption,
    Lead,
    LeadOffer,
    LeadRoute,
    LeadSource,
    Team,
    TeamMember,
    User,
)
from app.domain.enums import ApiScope, LeadOfferStatus, RequestStatus
from tests.support.world import NOW, World

INSTANT = timedelta(milliseconds=1)
VIEWERS = ("alice", "bob", "dora", "emil", "stranger")
NOBODY: dict[str, set[str]] = {name: set() for name in VIEWERS}
"""No viewer sees any row."""


@dataclass
class Rows:
    """Users and rows by the names that the tests use.

    Alice and the stranger each have a live team and a deleted one. Bob accepted both invitations of Alice, Dora has yet
    to answer, and Emil declined.
    """

    users: dict[str, User] = field(default_factory=dict)
    rows: dict[str, Any] = field(default_factory=dict)

    def names(self, model: Any, ids: set[int]) -> set[str]:
        return {name for name, row in self.rows.items() if isinstance(row, model) and row.id in ids}


@pytest.fixture
async def rows(world: World) -> Rows:
    users = {name: await world.user(name.title()) for name in VIEWERS}
    rows: dict[str, Any] = {}
    for owner in ("alice", "stranger"):
        for state, deleted_at in (("live", None), ("deleted", NOW)):
            rows[f"{owner}'s {state} team"] = await world.team(users[owner], deleted_at=deleted_at)
    answers = {"bob": RequestStatus.ACCEPTED, "dora": RequestStatus.PENDING, "emil": RequestStatus.DECLINED}
    for state in ("live", "deleted"):
        team = rows[f"alice's {state} team"]
        for name, answer in answers.items():
            rows[f"{name} in {state}"] = await world.membership(team, users[name], answer)
            rows[f"{name}'s {state} option"] = await world.option(team, users[name])
    return Rows(users, rows)


async def seen(
    database: Database, rows: Rows, model: Any, rule: Callable[[int], Any], table: Any = None
) -> dict[str, set[str]]:
    """Return the names of the rows that each viewer can see by a rule, which is about `table` or else the model's."""
    found: dict[str, set[str]] = {}
    async with database.read() as session:
        for name, user in rows.users.items():
            ids: Any = select((table or model).id).where(rule(user.id))
            found[name] = rows.names(model, {*(await session.exec(ids)).scalars()})
    return found


async def in_parts(
    database: Database, rows: Rows, model: Any, parts: Callable[[int], tuple[IndexedPart, ...]]
) -> dict[str, set[str]]:
    """Return the same by the parts of a rule. No row may be new in two of them."""
    found: dict[str, set[str]] = {}
    columns = model.__table__.c
    async with database.read() as session:
        for name, user in rows.users.items():
            ids: list[int] = []
            for part in parts(user.id):
                only: Any = select(model.id).where(part.rows, part.is_new(columns))
                ids += (await session.exec(only)).scalars()
            assert len({*ids}) == len(ids)
            found[name] = rows.names(model, {*ids})
    return found


async def test_teams(database: Database, rows: Rows) -> None:
    mine, theirs = {"alice's live team"}, {"stranger's live team"}
    visible = {"alice": mine, "bob": mine, "dora": set(), "emil": set(), "stranger": theirs}
    assert await seen(database, rows, Team, visibility.teams) == visible
    assert await in_parts(database, rows, Team, visibility.team_parts) == visible
    usable = NOBODY | {"alice": mine, "stranger": theirs}
    assert await seen(database, rows, Team, visibility.usable_teams) == usable


async def test_members_of_a_team_that_is_deleted_too(database: Database, rows: Rows) -> None:
    """Its offers still show it."""
    alices = {"alice's live team", "alice's deleted team"}
    team = aliased(Team)  # as the statements that ask for members read another table

    def accepted(user_id: int) -> ColumnElement[bool]:
        return visibility.has_accepted(team.id, user_id)

    def joined(user_id: int) -> ColumnElement[bool]:
        return visibility.is_in_team(team.id, user_id)

    assert await seen(database, rows, Team, accepted, team) == NOBODY | {"bob": alices}
    strangers = {"stranger's live team", "stranger's deleted team"}
    members = {"alice": alices, "bob": alices, "stranger": strangers}
    assert await seen(database, rows, Team, joined, team) == NOBODY | members


async def test_memberships(database: Database, rows: Rows) -> None:
    everybody = {"bob in live", "dora in live", "emil in live"}
    own = {
        "alice": set(),
        "bob": {"bob in live"},
        "dora": {"dora in live"},
        "emil": {"emil in live"},
        "stranger": set[str](),
    }
    assert await seen(database, rows, TeamMember, visibility.memberships) == own
    assert await in_parts(database, rows, TeamMember, visibility.membership_parts) == own
    visible = own | {"alice": everybody, "bob": everybody}
    assert await seen(database, rows, TeamMember, visibility.members) == visible


async def test_distribution_options(database: Database, rows: Rows) -> None:
    live = {"bob's live option", "dora's live option", "emil's live option"}
    deleted = {"bob's deleted option", "dora's deleted option", "emil's deleted option"}
    visible = NOBODY | {"alice": live, "bob": {"bob's live option"}}
    assert await seen(database, rows, DistributionOption, visibility.distribution_options) == visible
    shown = {name: {f"{name}'s live option", f"{name}'s deleted option"} for name in ("bob", "dora", "emil")}
    shown |= {"alice": live | deleted, "stranger": set()}
    assert await seen(database, rows, DistributionOption, field_access.distribution_options) == shown


async def test_leads_and_offers(database: Database, world: World, rows: Rows) -> None:
    """A lead is seen by its creator, its holder, and those with a due offer that is not cancelled."""
    alice, bob, dora = (rows.users[name] for name in ("alice", "bob", "dora"))
    cases: dict[str, dict[str, Any]] = {
        "sent": {"status": LeadOfferStatus.SENT},
        "scheduled and due": {"status": LeadOfferStatus.SCHEDULED},
        "imported": {"status": LeadOfferStatus.SENT, "notify_at": None},
        "ahead": {"status": LeadOfferStatus.SCHEDULED, "notify_at": NOW + INSTANT},
        "declined": {"status": LeadOfferStatus.DECLINED},
        "expired": {"status": LeadOfferStatus.EXPIRED},
        "cancelled": {"status": LeadOfferStatus.CANCELLED},
    }
    for name, fields in cases.items():
        rows.rows[f"lead: {name}"] = lead = await world.lead(alice)
        rows.rows[f"offer: {name}"] = await world.offer(lead, bob, **fields)
    held = rows.rows["lead: ahead"]
    await world.claimed(held, dora)
    rows.rows["lead: own"] = await world.lead(rows.users["stranger"])

    def leads(viewer_id: int) -> Any:
        return visibility.leads(viewer_id, NOW)

    visible = NOBODY | {
        "alice": {f"lead: {name}" for name in cases},
        "bob": {f"lead: {name}" for name in cases.keys() - {"ahead", "cancelled"}},
        "dora": {"lead: ahead"},
        "stranger": {"lead: own"},
    }
    assert await seen(database, rows, Lead, leads) == visible
    assert await in_parts(database, rows, Lead, lambda viewer_id: visibility.lead_parts(viewer_id, NOW)) == visible

    offers = {f"offer: {name}" for name in cases}
    visible = NOBODY | {"alice": offers, "bob": offers}
    assert await seen(database, rows, LeadOffer, visibility.offers) == visible
    assert await in_parts(database, rows, LeadOffer, visibility.offer_parts) == visible


async def test_rows_that_only_their_owner_sees(database: Database, world: World, rows: Rows) -> None:
    for owner in ("alice", "bob"):
        user = rows.users[owner]
        rows.rows[f"{owner}'s contact"] = await world.contact(user)
        rows.rows[f"{owner}'s source"] = source = await world.source(user)
        rows.rows[f"{owner}'s route"] = await world.route(source)
        rows.rows[f"{owner}'s key"], _ = await world.api_key(user, ApiScope.READ, revoked_at=NOW)
    rules: tuple[tuple[Any, str, Any, Any], ...] = (
        (Contact, "contact", visibility.contacts, visibility.contact_parts),
        (LeadSource, "source", visibility.lead_sources, visibility.lead_source_parts),
        (LeadRoute, "route", visibility.lead_routes, visibility.lead_route_parts),
        (ApiKey, "key", visibility.api_keys, visibility.api_key_parts),
    )
    for model, kind, rule, parts in rules:
        visible = NOBODY | {name: {f"{name}'s {kind}"} for name in ("alice", "bob")}
        assert await seen(database, rows, model, rule) == visible
        assert await in_parts(database, rows, model, parts) == visible
