"""The rows that PostgreSQL reads for a page of each list: a few times the page, however many rows others have."""

import asyncio
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from graphql import GraphQLEnumType, GraphQLInputObjectType, GraphQLObjectType, get_named_type

from app.db.engine import connect
from app.db.models import User
from app.graphql.schema import schema
from app.graphql.strawberry_internals import core_schema
from tests.support.api import serving, settings_for
from tests.support.databases import Clone
from tests.support.query_plans import rows_read
from tests.support.world import NOW

pytestmark = pytest.mark.slow
OTHERS = 100_000
"""Rows of others in each table."""
MINE = 300
"""Rows of each kind that the viewer can see."""
EACH = 50
"""Offers of each lead of others, and members of each of their teams."""
LIMIT = 10
FEW = 8
"""A page may read this many times its limit: leads have three parts, one of them of two tables, and a sort by an index
that has only the first of its columns reads 32 rows at once."""

ALICE = 1
LEADER = 2
"""The user who made offers to Alice, and whose teams she joined."""

MADE = f"""
CREATE TEMP TABLE owned AS
  SELECT i, '{NOW}'::timestamptz - i * interval '1 second' AS time,
         CASE WHEN i <= {MINE} THEN {ALICE} WHEN i <= 2 * {MINE} THEN {LEADER} ELSE i % 1990 + 4 END AS owner,
         CASE WHEN i <= {MINE} THEN 3 WHEN i <= 2 * {MINE} THEN {ALICE} ELSE i % 1990 + 10 END AS other,
         CASE WHEN i <= {2 * MINE} THEN i ELSE {2 * MINE} + i / {EACH} END AS parent
  FROM generate_series(1, {OTHERS}) i;
INSERT INTO users (id, first_name, last_name, email, timezone, is_active)
  SELECT i, 'Ann', 'Example', i || '@example.com', 'UTC', true FROM generate_series(1, 2000) i;
INSERT INTO teams (id, name, creator_id, order_method, mins_until_next_alert, created_at)
  SELECT i, 'Team ' || i % 1000, owner, 'RANK', 15, time FROM owned;
INSERT INTO contacts (id, owner_id, first_name, last_name)
  SELECT i, owner, 'First ' || i % 1000, 'Last ' || i % 1000 FROM owned;
INSERT INTO lead_sources (id, creator_id, name, name_key) SELECT i, owner, 'Source ' || i, 'source ' || i FROM owned;
INSERT INTO lead_routes (id, creator_id, lead_source_id, distribution_target, lead_type, lead_type_key)
  SELECT i, owner, i, 'CREATOR_ONLY', 'Type ' || i, 'type ' || i FROM owned;
INSERT INTO api_keys (id, user_id, name, prefix, hash, created_at)
  SELECT i, owner, 'Key ' || i, 'lo_' || i, i::text, time FROM owned;
INSERT INTO leads (id, contact_id, creator_id, distribution_target, created_at, claimed_by_id, claimed_at,
                   source_id, external_id, city, listing_price, first_team_id, exhausted_at)
  SELECT i, i, owner, 'TEAM_ROLLOUT', time, holder, CASE WHEN holder IS NOT NULL THEN time END,
         i % 10 + 1, 'web-' || i, 'City ' || i % 10, CASE WHEN i % 5 > 0 THEN i % 1000 END,
         CASE WHEN i % 20 > 0 THEN 1 END, CASE WHEN i % 20 = 7 THEN time END
  FROM (SELECT *, CASE WHEN owner = {LEADER} AND i % 2 = 0 THEN {ALICE} WHEN i % 3 = 0 THEN owner + 1 END AS holder
        FROM owned) AS held;
INSERT INTO lead_offers (lead_id, user_id, offered_by_id, notify_at, assign_automatically, status)
  SELECT parent, other, owner, time, false, 'SENT' FROM owned;
INSERT INTO lead_offers (lead_id, user_id, offered_by_id, notify_at, assign_automatically, status)
  SELECT 1, i, {ALICE}, '{NOW}'::timestamptz - i * interval '1 second', false, 'SENT' FROM generate_series(101, 400) i;
INSERT INTO team_members (team_id, user_id, request_status) SELECT parent, other, 'ACCEPTED' FROM owned;
INSERT INTO team_members (team_id, user_id, request_status)
  SELECT team, i, 'PENDING' FROM generate_series(1, 5) AS team, generate_series(101, 400) AS i;
INSERT INTO distribution_options
  (team_id, user_id, rank, mins_until_lead_offer, assign_automatically, has_call_alert, has_text_alert, has_email_alert)
  SELECT team_id, user_id, user_id % 50, 0, false, false, false, true FROM team_members;
"""
"""Alice creates or enters the first rows of each table, and her leader the next ones; the rest belongs to others."""

INDEXES = """
SELECT indexname, indexdef FROM pg_indexes
WHERE schemaname = 'public' AND indexname NOT IN (SELECT conname FROM pg_constraint)
"""


@pytest.fixture(scope="module")
def crowded(clone: Clone) -> Iterator[str]:
    """The URL of a database with rows of Alice and of others, which tests only read."""
    with asyncio.Runner() as runner:
        copy = clone()
        url = runner.run(copy.__aenter__())
        runner.run(_fill(url))
        yield url
        runner.run(copy.__aexit__(None, None, None))


async def _fill(url: str) -> None:
    database = connect(url)
    async with database.write_engine.begin() as connection:
        indexes = (await connection.exec_driver_sql(INDEXES)).mappings().all()
        statements = [
            "SET session_replication_role = replica",
            *(f"DROP INDEX {index['indexname']}" for index in indexes),
        ]
        statements += [*MADE.strip().removesuffix(";").split(";"), *(index["indexdef"] for index in indexes)]
        for statement in statements:
            await connection.exec_driver_sql(statement)
    async with database.read_engine.connect() as connection:
        await connection.exec_driver_sql("VACUUM ANALYZE")
    await database.close()


WITHIN = {
    "Query": "{0}",
    "Lead": '{{ lead(id: "1") {} }}',
    "Team": '{{ team(id: "1") {} }}',
}
"""A query around a page, by the type that has the page. A page nested in lists is a page of one of these objects."""

OFFERS = ["TEAM_ID", "RANK", "ASSIGN_AUTOMATICALLY", "HAS_CALL_ALERT", "HAS_TEXT_ALERT", "HAS_EMAIL_ALERT", "STATUS"]
OWN_ROWS = {
    "Query.leadOffers": ["LEAD_ID", "USER_ID", *OFFERS],
    "Query.leads": [
        "CREATED_AT",
        "CLAIMED_AT",
        "LISTING_PRICE",
        "CONTACT_LAST_NAME",
    ],  # those that the user was offered, or holds
    "Query.teams": ["NAME", "CREATED_AT"],  # those that the user joined
    "Query.teamMemberships": ["REQUEST_STATUS"],
    "Query.leadRoutes": ["LEAD_TYPE"],
    "Lead.offers": [*OFFERS, "NOTIFY_AT DESC"],  # the index of a lead's offers has them from the first to the last
    "Team.members": ["REQUEST_STATUS"],
    "Team.distributionOptions": ["MINS_UNTIL_LEAD_OFFER"],
}
"""Sort orders that no index has. A page then reads the rows of the viewer or of the parent, but none of others."""


def _pages() -> Iterator[tuple[str, str, list[str]]]:
    """Yield each list of the schema that can be sorted: the type and the name of its field, and its sort fields."""
    for kind in core_schema(schema).type_map.values():
        if not isinstance(kind, GraphQLObjectType):
            continue
        for name, field in kind.fields.items():
            if not get_named_type(field.type).name.endswith("Page") or "sort" not in field.args:
                continue
            sort = get_named_type(field.args["sort"].type)
            assert isinstance(sort, GraphQLInputObjectType)
            by = get_named_type(sort.fields["field"].type)
            assert isinstance(by, GraphQLEnumType)
            yield kind.name, name, [*by.values]


ORDERS = [
    (kind, name, field, direction)
    for kind, name, fields in _pages()
    for field in fields
    for direction in ("ASC", "DESC")
]


Fetched = list[tuple[str, Sequence[Any]]]


async def read(url: str, query: str, fetched: Fetched) -> tuple[dict[str, Any], dict[str, float]]:
    """Return Alice's response to a query, and the number of rows that its only statement reads, by table."""
    async with serving(settings_for(url)) as api:
        viewer = api.user(User(id=ALICE, first_name="Alice", last_name="Example", timezone="UTC"))
        await viewer.ask(query)
        fetched.clear()
        data = await viewer.ask(query)
        (asked,) = fetched
        return data, await rows_read(api.database, *asked)


@pytest.mark.parametrize(("kind", "name", "field", "direction"), ORDERS)
async def test_a_page_reads_a_few_times_its_limit(
    crowded: str, fetched: Fetched, kind: str, name: str, field: str, direction: str
) -> None:
    page = f"{{ {name}(limit: {LIMIT}, sort: {{field: {field}, direction: {direction}}}) {{ data {{ id }} }} }}"
    data, rows = await read(crowded, WITHIN[kind].format(page), fetched)
    shown = data if kind == "Query" else next(iter(data.values()))
    assert len(shown[name]["data"]) == LIMIT
    reads_own_rows = {field, f"{field} {direction}"} & set(OWN_ROWS.get(f"{kind}.{name}", ()))
    most = FEW * MINE if reads_own_rows else FEW * LIMIT
    assert sum(rows.values()) <= most, (kind, name, field, direction, rows)


FILTERS = [
    '{externalId: {eq: "web-7"}}',
    '{externalId: {eq: "web-7"}, sourceId: {eq: "8"}}',
    '{externalId: {in: ["web-7", "web-8"]}}',
    '{sourceId: {eq: "8"}}',
    '{city: {eq: "City 7"}}',
    '{city: {eq: "City 7"}, listingPrice: {gte: 100, lt: 200}}',
    "{listingPrice: {gte: 100, lt: 120}}",
]


@pytest.mark.parametrize("where", FILTERS)
@pytest.mark.parametrize(
    "order", ["", ", sort: {field: LISTING_PRICE}", ", sort: {field: CREATED_AT, direction: DESC}"]
)
async def test_a_filter_reads_no_leads_of_others(crowded: str, fetched: Fetched, where: str, order: str) -> None:
    """Ten leads or a few are found among the 300 that Alice created, and the 300 that she holds or was offered."""
    data, rows = await read(crowded, f"{{ leads(where: {where}{order}) {{ total data {{ id }} }} }}", fetched)
    assert 0 < len(data["leads"]["data"]) <= data["leads"]["total"] <= 2 * MINE
    assert sum(rows.values()) <= 6 * MINE, rows


@pytest.mark.parametrize("where", ["{submitted: false}", "{exhausted: true}", "{exhausted: true, claimed: false}"])
async def test_a_board_of_a_rare_state_reads_no_other_leads(crowded: str, fetched: Fetched, where: str) -> None:
    """Those that Alice holds or was offered are not read either: others created them."""
    page = f"leads(where: {where}, limit: {LIMIT}, sort: {{field: CREATED_AT, direction: DESC}}) {{ data {{ id }} }}"
    data, rows = await read(crowded, f"{{ {page} }}", fetched)
    assert len(data["leads"]["data"]) == LIMIT
    assert sum(rows.values()) <= 2 * LIMIT, rows


async def test_own_offers_are_read_without_those_made_to_others(crowded: str, fetched: Fetched) -> None:
    page = f"leadOffers(where: {{mine: true}}, limit: {LIMIT}, sort: {{field: NOTIFY_AT}}) {{ data {{ id }} }}"
    _, rows = await read(crowded, f"{{ {page} }}", fetched)
    assert sum(rows.values()) <= 4 * LIMIT, rows


@pytest.mark.parametrize(
    ("page", "parents"),
    [
        ("leads(limit: 5) { data { offers(limit: 10, sort: {field: NOTIFY_AT}) { data { id } } } }", 5),
        ("teams(limit: 5) { data { members(limit: 10) { data { id } } } }", 5),
        ("teams(limit: 5) { data { distributionOptions(limit: 10, sort: {field: RANK}) { data { id } } } }", 5),
    ],
)
async def test_pages_nested_in_a_list_read_the_rows_that_they_show(
    crowded: str, fetched: Fetched, page: str, parents: int
) -> None:
    """Not all rows of all parents, of which the first have 300 each."""
    _, rows = await read(crowded, f"{{ {page} }}", fetched)
    assert sum(rows.values()) <= FEW * LIMIT * parents, rows


COUNTED = {
    "leadOffers": 2 * MINE + 300,
    "leads": 2 * MINE,
    "teams": 2 * MINE,
    "teamMemberships": MINE,
    "contacts": MINE,
    "leadRoutes": MINE,
    "leadSources": MINE,
    "apiKeys": MINE,
}
"""The lists of queries, and how many rows Alice can see."""


def test_all_lists_are_counted() -> None:
    assert {name for kind, name, _ in _pages() if kind == "Query"} == set(COUNTED)


@pytest.mark.parametrize("name", COUNTED)
async def test_a_total_is_counted_from_the_rows_of_the_viewer_and_only_if_requested(
    crowded: str, fetched: Fetched, name: str
) -> None:
    data, rows = await read(crowded, f"{{ {name}(limit: 0) {{ total }} }}", fetched)
    assert data[name] == {"total": COUNTED[name]}
    assert sum(rows.values()) <= 3 * COUNTED[name], rows
    assert "count(*)" in fetched[0][0]
    await read(crowded, f"{{ {name} {{ data {{ id }} }} }}", fetched)
    assert "count(*)" not in fetched[0][0]
