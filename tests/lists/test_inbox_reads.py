"""The rows that the database reads for a page of the inbox: a few times the page, however large the inbox is."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import insert, text

from app.db.engine import Database
from app.db.models import Lead, LeadOffer, User
from app.domain.enums import DistributionTarget, LeadOfferStatus
from app.domain.timestamps import format_instant
from tests.support.api import Api
from tests.support.query_plans import explain, nodes, rows_read
from tests.support.world import NOW, Cast, World

LIMIT = 10
LEADS = 2_000
"""Leads with two offers made by Alice, one of them to Bob, and four made by strangers, which neither can see."""

MIDDLE = NOW - timedelta(minutes=LEADS // 2)
FAR_BACK = format_instant(MIDDLE)

NEWEST = "sort: [{field: NOTIFY_AT, direction: DESC}]"
PAGES = {
    "newest first": (NEWEST, {}),
    "by id": ("", {}),
    "far back by notifyAt": (NEWEST, {"notifyAt": {"lt": FAR_BACK}}),
    "far back by notifyAt and id": (
        NEWEST,
        {"or": [{"notifyAt": {"lt": FAR_BACK}}, {"notifyAt": {"eq": FAR_BACK}, "id": {"gt": "7"}}]},
    ),
    "far back by id": ("", {"id": {"gt": str(LEADS)}}),
    "newest of a common status": (NEWEST, {"status": {"in": ["SENT", "CLAIMED"]}}),
}


@pytest.fixture
async def many_offers(database: Database, world: World, cast: Cast) -> None:
    strangers = [await world.user() for _ in range(20)]
    contact = await world.contact(cast.alice)
    leads = [
        {"contact_id": contact.id, "creator_id": cast.alice.id, "created_at": NOW, "distribution_target": target}
        for target in [DistributionTarget.TEAM_ROLLOUT] * LEADS
    ]
    async with database.write_engine.begin() as connection:
        await connection.execute(insert(Lead), leads)

    def made_of(lead_id: int) -> list[tuple[User, User | None]]:
        around = [strangers[(lead_id + i) % len(strangers)] for i in range(5)]
        return [(cast.alice, cast.bob), (cast.alice, None), *((around[0], other) for other in around[1:])]

    offers = [
        {
            "lead_id": lead_id,
            "user_id": user and user.id,
            "offered_by_id": creator.id,
            "notify_at": NOW - timedelta(minutes=lead_id),
            "status": LeadOfferStatus.SENT,
        }
        for lead_id in range(1, LEADS + 1)
        for creator, user in made_of(lead_id)
    ]
    async with database.write_engine.begin() as connection:
        await connection.execute(insert(LeadOffer), offers)
    async with database.read_engine.connect() as connection:
        await connection.execute(text("VACUUM ANALYZE lead_offers" if database.is_postgresql else "ANALYZE"))


async def offers_read(database: Database, statement: str, values: Sequence[Any]) -> float:
    """The number of rows of lead_offers that PostgreSQL reads with its generic plan."""
    return (await rows_read(database, statement, values))["lead_offers"]


async def indexes_used(database: Database, statement: str, values: Sequence[Any]) -> set[str]:
    """How SQLite reads lead_offers, from its query plan."""
    plan = await database.fetch(f"EXPLAIN QUERY PLAN {statement}", values)
    return {detail for *_, detail in plan if " lead_offers " in detail}


@pytest.mark.usefixtures("many_offers")
async def test_a_page_of_the_inbox_reads_no_more_than_a_few_times_its_limit(
    api: Api, cast: Cast, database: Database, fetched: list[tuple[str, Sequence[Any]]]
) -> None:
    for name, (sort, where) in PAGES.items():
        query = f"""query ($where: LeadOfferWhere) {{
            leadOffers(where: $where, limit: {LIMIT} {sort}) {{ data {{ id lead {{ contact {{ id }} }} }} }}
        }}"""
        for viewer in (api.user(cast.alice), api.user(cast.bob)):
            await viewer.ask(query, where=where)
            fetched.clear()
            page = (await viewer.ask(query, where=where))["leadOffers"]["data"]
            assert len(page) == LIMIT, name
            (asked,) = fetched
            if database.is_postgresql:
                assert await offers_read(database, *asked) <= 4 * LIMIT, name
            else:
                used = await indexes_used(database, *asked)
                assert len(used) == 2, name
                assert all(
                    f"SEARCH lead_offers USING INDEX ix_lead_offers_made_{half}" in " ".join(used)
                    for half in ("to", "by")
                ), (name, used)


@pytest.mark.usefixtures("many_offers")
async def test_the_total_of_the_inbox_comes_from_its_indexes_alone(
    api: Api, cast: Cast, database: Database, fetched: list[tuple[str, Sequence[Any]]]
) -> None:
    viewer = api.user(cast.alice)
    for _ in range(2):
        page = await viewer.ask("{ leadOffers(limit: 0) { total } }")
    assert page == {"leadOffers": {"total": 2 * LEADS}}
    statement, values = fetched[-1]
    if database.is_postgresql:
        plan = await explain(database, statement, values, analyze=False)
        counts = [node for node in nodes(plan) if node["Node Type"] == "Aggregate"]
        assert {node["Node Type"] for count in counts for node in nodes(count)} == {"Aggregate", "Index Only Scan"}
    else:
        used = await indexes_used(database, statement, values)
        assert all("COVERING INDEX" in detail for detail in used), used


@pytest.mark.usefixtures("many_offers")
@pytest.mark.parametrize(("where", "indexes"), [("", 2), ("(where: {mine: true})", 1), ("(where: {mine: false})", 1)])
async def test_counts_by_status_read_each_part_once_from_an_index_alone(
    api: Api, cast: Cast, database: Database, fetched: list[tuple[str, Sequence[Any]]], where: str, indexes: int
) -> None:
    query = f"{{ leadOfferCounts{where} {{ status count }} }}"
    counted = (await api.user(cast.alice).ask(query))["leadOfferCounts"]
    made = {"": [{"status": "SENT", "count": 2 * LEADS}], "(where: {mine: true})": []}
    assert counted == made.get(where, made[""])
    ((statement, values),) = fetched
    if database.is_postgresql:
        plan = await explain(database, statement, values, analyze=False)
        reads = [node for node in nodes(plan) if node.get("Relation Name") == "lead_offers"]
        assert [node["Node Type"] for node in reads] == ["Index Only Scan"] * indexes
        assert {node["Index Name"] for node in reads} <= {
            "ix_lead_offers_made_to_by_status",
            "ix_lead_offers_made_by_by_status",
        }
    else:
        steps = await database.fetch(f"EXPLAIN QUERY PLAN {statement}", values)
        used = [detail for *_, detail in steps if " lead_offers " in detail]
        assert len(used) == indexes
        assert all("COVERING INDEX" in detail and "by_status" in detail for detail in used), used
