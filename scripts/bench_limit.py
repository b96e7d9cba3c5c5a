"""The upper limit of this machine: hand-written SQL that spells the response, without GraphQL, tokens or access rules.

An ASGI application for uvicorn. DATABASE_URL names a database of either kind, and VIEWER_ID the user whose rows are
returned. The statements find what `queries` in bench_workloads.py find, each by the indexes that serve it best.
"""

import asyncio
import os
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from threading import local
from typing import Any

import asyncpg
import orjson

VIEWER = int(os.environ["VIEWER_ID"])
URL = os.environ["DATABASE_URL"]
IS_SQLITE = URL.startswith("sqlite:///")
POOL = 4

OFFERS_TO_ME = "FROM lead_offers WHERE user_id = $1"
OFFERS_BY_ME = "FROM lead_offers WHERE offered_by_id = $1 AND user_id IS DISTINCT FROM $1"
MINE = "lead_id = {} AND (user_id = $1 OR offered_by_id = $1)"
NEWEST_OFFERS = "ORDER BY notify_at DESC NULLS LAST, id"
CREATED = "FROM leads WHERE creator_id = $1"
HELD = "FROM leads WHERE claimed_by_id = $1 AND creator_id <> $1"
OFFERED = """FROM leads WHERE creator_id <> $1 AND claimed_by_id IS DISTINCT FROM $1 AND id IN (SELECT lead_id
    FROM lead_offers WHERE user_id = $1 AND status <> 'CANCELLED' AND (notify_at <= CURRENT_TIMESTAMP
    OR notify_at IS NULL))"""
NEWEST_LEADS = "ORDER BY created_at DESC, id"
TEXT = "json_quote({})" if IS_SQLITE else "coalesce(to_json({})::text, 'null')"
TIME = (
    """coalesce('"' || replace(substr({}, 1, 23), ' ', 'T') || 'Z"', 'null')"""
    if IS_SQLITE
    else """coalesce('"' || to_char({} AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') || '"', 'null')"""
)
NUMBER = "coalesce(CAST({} AS TEXT), 'null')"
FLAG = "CASE {} WHEN true THEN 'true' WHEN false THEN 'false' ELSE 'null' END"
ID = """'"' || {} || '"'"""
AGGREGATE = "group_concat" if IS_SQLITE else "string_agg"


def spelled(row: str, **fields: str) -> str:
    """Return the SQL of an object with these fields: the name of a column and the kind of its value, or an object."""
    parts = []
    for name, value in fields.items():
        column, _, kind = value.partition(":")
        spelling = (
            globals()[kind].format(f"{row}.{column}") if kind in ("TEXT", "TIME", "NUMBER", "FLAG", "ID") else value
        )
        parts.append(f"""'"{name}":' || {spelling}""")
    return "'{' || " + " || ',' || ".join(parts) + " || '}'"


def optional(row: str, **fields: str) -> str:
    return f"CASE WHEN {row}.id IS NULL THEN 'null' ELSE {spelled(row, **fields)} END"


def listed(item: str, rows: str, order: str) -> str:
    items = f"SELECT {item} AS item FROM {rows} {order}"
    return f"(SELECT '[' || coalesce({AGGREGATE}(item, ','), '') || ']' FROM ({items}) AS items)"


def merged(parts: tuple[str, ...], order: str) -> str:
    """Return the first rows of several parts, each read no further than the page."""
    limited = " UNION ALL ".join(f"SELECT * FROM (SELECT * {part} {order} LIMIT {LIMIT}) AS part" for part in parts)
    return f"(SELECT * FROM ({limited}) AS parts {order} LIMIT $2)"


def total(parts: tuple[str, ...]) -> str:
    return " + ".join(f"(SELECT count(*) {part})" for part in parts)


LIMIT = "$2" if IS_SQLITE else "100"
NAMES = {"id": "id:ID", "firstName": "first_name:TEXT", "lastName": "last_name:TEXT"}
CONTACT = spelled("c", **NAMES)
TEAM = optional("t", id="id:ID", name="name:TEXT")
OFFER = spelled(
    "o",
    id="id:ID",
    notifyAt="notify_at:TIME",
    rank="rank:NUMBER",
    assignAutomatically="assign_automatically:FLAG",
    hasCallAlert="has_call_alert:FLAG",
    hasTextAlert="has_text_alert:FLAG",
    hasEmailAlert="has_email_alert:FLAG",
    lead=spelled("l", id="id:ID", distributionTarget="distribution_target:TEXT", contact=CONTACT),
    user=optional("u", **NAMES, email="email:TEXT"),
    team=TEAM,
)
OFFER_ROWS = """JOIN leads l ON l.id = o.lead_id JOIN contacts c ON c.id = l.contact_id
    LEFT JOIN users u ON u.id = o.user_id LEFT JOIN teams t ON t.id = o.team_id"""
OFFER_ORDER = "ORDER BY o.notify_at DESC NULLS LAST, o.id"
LEAD_ROWS = """l JOIN contacts c ON c.id = l.contact_id LEFT JOIN teams t ON t.id = l.team_id
    LEFT JOIN users h ON h.id = l.claimed_by_id"""
LEAD_ORDER = "ORDER BY l.created_at DESC, l.id"
LEAD = {"id": "id:ID", "type": "type:TEXT", "zipcode": "zipcode:TEXT", "createdAt": "created_at:TIME"}


def offers_of(row: str, item: str, limit: int) -> str:
    """Return the viewer's first offers of a lead in the order of their time."""
    rows = f"(SELECT * FROM lead_offers WHERE {MINE.format(row)} ORDER BY notify_at NULLS LAST, id LIMIT {limit})"
    return listed(item, f"{rows} o LEFT JOIN users u ON u.id = o.user_id", "ORDER BY o.notify_at NULLS LAST, o.id")


def members_of(table: str, item: str, condition: str = "true") -> str:
    """Return the first rows of a team in this table, with their users."""
    rows = f"(SELECT * FROM {table} m WHERE m.team_id = t.id AND {condition} ORDER BY id LIMIT 25)"
    return listed(item, f"{rows} m JOIN users u ON u.id = m.user_id", "ORDER BY m.id")


def offers(rows: str, counted: str) -> str:
    data = listed(OFFER, f"{rows} o {OFFER_ROWS}", OFFER_ORDER)
    start = f"""'{{"leadOffers":{{"total":' || ({counted}) || ',"limit":' || CAST($2 AS BIGINT) || ',"skip":0,'"""
    return f"""{start} || '"data":' || {data} || '}}}}'"""


def leads(item: str, start: str) -> str:
    rows = merged((CREATED, HELD, OFFERED), NEWEST_LEADS)
    return f"""'{{"leads":{{' || {start} || '"data":' || {listed(item, f"{rows} {LEAD_ROWS}", LEAD_ORDER)} || '}}}}'"""


SHORT_OFFER = {"id": "id:ID", "status": "status:TEXT", "notifyAt": "notify_at:TIME", "rank": "rank:NUMBER"}
OFFERS_OF_LEAD = spelled(
    "l",
    total=f"(SELECT count(*) FROM lead_offers WHERE {MINE.format('l.id')})",
    data=offers_of("l.id", spelled("o", **SHORT_OFFER, user=optional("u", **NAMES)), 10),
)
DELIVERY = spelled(
    "d",
    id="id:ID",
    channel="channel:TEXT",
    status="status:TEXT",
    attempts="attempts:NUMBER",
    sentAt="sent_at:TIME",
)
DELIVERIES = listed(DELIVERY, "deliveries d WHERE d.offer_id = o.id", "ORDER BY d.id")
SECONDS = (
    "CAST((julianday({1}) - julianday({0})) * 86400 + 0.0005 AS INTEGER)"
    if IS_SQLITE
    else "floor(extract(epoch FROM {1} - {0}))"
)
DETAIL = spelled(
    "l",
    **LEAD,
    claimedAt="claimed_at:TIME",
    claimedVia="claimed_via:TEXT",
    timeToClaim=NUMBER.format(SECONDS.format("l.created_at", "l.claimed_at")),
    contact=CONTACT,
    offers=spelled(
        "l",
        data=offers_of("l.id", spelled("o", **SHORT_OFFER, user=optional("u", **NAMES), deliveries=DELIVERIES), 25),
    ),
)
WAS_OFFERED = """EXISTS (SELECT 1 FROM lead_offers v WHERE v.lead_id = l.id AND v.user_id = $1
    AND v.status <> 'CANCELLED' AND (v.notify_at <= CURRENT_TIMESTAMP OR v.notify_at IS NULL))"""
TEAM_OF_MEMBERS = spelled(
    "t",
    id="id:ID",
    name="name:TEXT",
    orderMethod="order_method:TEXT",
    minsUntilNextAlert="mins_until_next_alert:NUMBER",
    members=spelled(
        "t",
        data=members_of(
            "team_members",
            spelled(
                "m",
                id="id:ID",
                requestStatus="request_status:TEXT",
                user=spelled("u", **NAMES, email="email:TEXT"),
            ),
        ),
    ),
    distributionOptions=spelled(
        "t",
        data=members_of(
            "distribution_options",
            spelled(
                "m",
                id="id:ID",
                rank="rank:NUMBER",
                minsUntilLeadOffer="mins_until_lead_offer:NUMBER",
                assignAutomatically="assign_automatically:FLAG",
                user=spelled("u", id="id:ID", firstName="first_name:TEXT"),
            ),
            "(t.creator_id = $1 OR m.user_id = $1)",
        ),
    ),
)
IS_IN_TEAM = """(t.creator_id = $1 OR EXISTS (SELECT 1 FROM team_members v WHERE v.team_id = t.id AND v.user_id = $1
    AND v.request_status = 'ACCEPTED'))"""
HOLDER = {"contact": CONTACT, "team": TEAM, "claimedBy": optional("h", **NAMES)}
STATEMENTS = {
    "lead": offers(
        f"(SELECT * FROM lead_offers WHERE {MINE.format('$3')} {NEWEST_OFFERS} LIMIT $2)",
        f"SELECT count(*) FROM lead_offers WHERE {MINE.format('$3')}",
    ),
    "inbox": offers(merged((OFFERS_TO_ME, OFFERS_BY_ME), NEWEST_OFFERS), total((OFFERS_TO_ME, OFFERS_BY_ME))),
    "board": leads(
        spelled("l", **LEAD, claimedAt="claimed_at:TIME", **HOLDER, offers=OFFERS_OF_LEAD),
        f"""'"total":' || ({total((CREATED, HELD, OFFERED))}) || ','""",
    ),
    "leads": leads(spelled("l", **LEAD, **HOLDER), "''"),
    "detail": f"""'{{"lead":' || {DETAIL} || '}}' FROM leads l JOIN contacts c ON c.id = l.contact_id
        WHERE l.id = $2 AND (l.creator_id = $1 OR l.claimed_by_id = $1 OR {WAS_OFFERED})""",
    "team": f"""'{{"team":' || {TEAM_OF_MEMBERS} || '}}' FROM teams t
        WHERE t.id = $2 AND t.deleted_at IS NULL AND {IS_IN_TEAM}""",
}


def _asked(query: str, variables: dict[str, Any]) -> tuple[str, tuple[int, ...]]:
    """Return the name of the statement, and its values behind the viewer."""
    name = query.removeprefix("query ").partition("(")[0].lower()
    if name in ("detail", "team"):
        return name, (int(variables["id"]),)
    if "lead" in variables:
        return "lead", (variables["limit"], int(variables["lead"]))
    return {"offers": "inbox"}.get(name, name), (variables["limit"],)


class Limit:
    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(POOL)
        self._of_thread = local()

    async def fetch(self, statement: str, *values: int) -> str:
        if IS_SQLITE:
            return await asyncio.get_running_loop().run_in_executor(self._threads, self._run, statement, values)
        text: str = await self.pool.fetchval(statement, *values)
        return text

    def _run(self, statement: str, values: tuple[int, ...]) -> str:
        if not hasattr(self._of_thread, "connection"):
            self._of_thread.connection = sqlite3.connect(URL.removeprefix("sqlite:///"), isolation_level=None)
        (text,) = self._of_thread.connection.execute(statement.replace("$", "?"), values).fetchone()
        return str(text)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            await receive()
            if not IS_SQLITE:
                settings = {"plan_cache_mode": "force_generic_plan", "random_page_cost": "1.1", "jit": "off"}
                self.pool: Any = await asyncpg.create_pool(URL, min_size=POOL, max_size=POOL, server_settings=settings)
            await send({"type": "lifespan.startup.complete"})
            await receive()
            await send({"type": "lifespan.shutdown.complete"})
            return
        sent = orjson.loads((await receive())["body"])
        name, values = _asked(sent["query"], sent["variables"])
        data = await self.fetch(f"SELECT {STATEMENTS[name]}", VIEWER, *values)
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"application/json")]})
        await send({"type": "http.response.body", "body": f'{{"data":{data}}}'.encode()})


app = Limit()
