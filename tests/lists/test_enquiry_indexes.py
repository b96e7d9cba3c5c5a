"""Each filter of an enquiry's fields, and the sort by price, is served by an index of the leads that a user created."""

from typing import Any

import pytest
from sqlalchemy import text

from app.db.engine import Database
from app.db.models import User
from app.graphql.inputs.where import LeadWhere
from tests.support.api import Api
from tests.support.query_plans import explain, nodes
from tests.support.world import Cast, World

LEADS = 5_000
MADE = f"""
WITH RECURSIVE numbers(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM numbers WHERE i < {LEADS})
INSERT INTO leads (contact_id, creator_id, distribution_target, created_at, source_id, external_id, city, listing_price)
SELECT 1, 1, 'MYSELF', '2026-03-02 09:00:00.000000+00:00', i % 500 + 1, 'web-' || i, 'City ' || i % 500, i
FROM numbers
"""

SERVED: list[tuple[str, str]] = [
    ('where: {externalId: {eq: "web-7"}}', "uq_leads_external_id"),
    ('where: {externalId: {in: ["web-7", "web-8"]}}', "uq_leads_external_id"),
    ('where: {sourceId: {eq: "7"}}', "ix_leads_created_by_by_source"),
    ('where: {sourceId: {in: ["7", "8"]}}', "ix_leads_created_by_by_source"),
    ('where: {city: {eq: "City 7"}}', "ix_leads_created_by_by_city"),
    ("where: {listingPrice: {eq: 7}}", "ix_leads_created_by_by_price"),
    ("where: {listingPrice: {gte: 7, lt: 9}}", "ix_leads_created_by_by_price"),
    ("sort: {field: LISTING_PRICE}", "ix_leads_created_by_by_price"),
    ("sort: {field: LISTING_PRICE, direction: DESC}", "ix_leads_created_by_by_price"),
]


@pytest.fixture
async def many(database: Database, world: World, cast: Cast) -> None:
    await world.contact(cast.alice)
    for i in range(500):
        await world.source(cast.alice, f"Source {i}")
    async with database.write_engine.begin() as connection:
        await connection.execute(text(MADE))
    async with database.read_engine.connect() as connection:
        await connection.exec_driver_sql("VACUUM ANALYZE" if database.is_postgresql else "ANALYZE")


async def indexes(database: Database, statement: str, values: Any) -> set[str]:
    """Return the names of the indexes that a statement reads."""
    if database.is_postgresql:
        plan = await explain(database, statement, values, analyze=False)
        return {name for node in nodes(plan) if (name := node.get("Index Name"))}
    steps = [str(row[3]).split() for row in await database.fetch(f"EXPLAIN QUERY PLAN {statement}", values)]
    return {words[words.index("INDEX") + 1] for words in steps if "INDEX" in words}


@pytest.mark.usefixtures("many")
async def test_each_is_served_by_its_index(api: Api, cast: Cast, fetched: list[tuple[str, Any]]) -> None:
    """The index is one that begins with the creator, so that no leads of others are read."""
    unlike = {}
    for arguments, index in SERVED:
        viewer: User = cast.alice
        await api.user(viewer).ask(f"{{ leads({arguments}) {{ data {{ id }} }} }}")
        if index not in (used := await indexes(api.database, *fetched[-1])):
            unlike[arguments] = used
    assert unlike == {}


def test_all_filters_of_an_enquiry_are_here() -> None:
    fields = {"external_id": "externalId", "source_id": "sourceId", "city": "city", "listing_price": "listingPrice"}
    assert fields.keys() <= LeadWhere.__annotations__.keys()
    assert all(any(f"{{{name}:" in arguments for arguments, _ in SERVED) for name in fields.values())
