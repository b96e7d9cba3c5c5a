"""The upper limit of this machine: hand-written SQL and JSON, without GraphQL, authentication or access rules.

An ASGI application for uvicorn. DATABASE_URL names the database, and VIEWER_ID the user whose offers are returned.
"""

import os
from typing import Any

import asyncpg
import orjson

VIEWER = int(os.environ["VIEWER_ID"])

SELECTED = """
    o.id, o.notify_at, o.rank, o.assign_automatically, o.has_call_alert, o.has_text_alert, o.has_email_alert,
    l.id, l.distribution_target, c.id, c.first_name, c.last_name,
    u.id, u.first_name, u.last_name, u.email, t.id, t.name
"""
JOINED = """
    JOIN leads l ON l.id = o.lead_id JOIN contacts c ON c.id = l.contact_id
    LEFT JOIN users u ON u.id = o.user_id LEFT JOIN teams t ON t.id = o.team_id
    ORDER BY o.notify_at DESC NULLS LAST, o.id
"""
NEWEST = "ORDER BY notify_at DESC NULLS LAST, id LIMIT $2"
TO_ME = "FROM lead_offers WHERE user_id = $1"
BY_ME = "FROM lead_offers WHERE offered_by_id = $1 AND user_id IS DISTINCT FROM $1"

OF_LEAD = f"""
    SELECT {SELECTED}, count(*) OVER () FROM
    (SELECT * FROM lead_offers WHERE lead_id = $3 AND (user_id = $1 OR offered_by_id = $1)) o {JOINED} LIMIT $2
"""
INBOX = f"""
    WITH o AS MATERIALIZED
    (SELECT * FROM ((SELECT * {TO_ME} {NEWEST}) UNION ALL (SELECT * {BY_ME} {NEWEST})) halves {NEWEST})
    SELECT {SELECTED}, (SELECT count(*) {TO_ME}) + (SELECT count(*) {BY_ME}) FROM o {JOINED}
"""


def offer(row: Any) -> dict[str, Any]:
    """Return a row of `SELECTED` as GraphQL returns an offer."""
    return {
        "id": str(row[0]),
        "notifyAt": row[1],
        "rank": row[2],
        "assignAutomatically": row[3],
        "hasCallAlert": row[4],
        "hasTextAlert": row[5],
        "hasEmailAlert": row[6],
        "lead": {
            "id": str(row[7]),
            "distributionTarget": row[8],
            "contact": {"id": str(row[9]), "firstName": row[10], "lastName": row[11]},
        },
        "user": row[12] and {"id": str(row[12]), "firstName": row[13], "lastName": row[14], "email": row[15]},
        "team": row[16] and {"id": str(row[16]), "name": row[17]},
    }


class Limit:
    pool: Any

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            await receive()
            self.pool = await asyncpg.create_pool(os.environ["DATABASE_URL"], min_size=8, max_size=8)
            await send({"type": "lifespan.startup.complete"})
            await receive()
            await send({"type": "lifespan.shutdown.complete"})
            return
        variables = orjson.loads((await receive())["body"])["variables"]
        limit = variables["limit"]
        if lead := variables.get("lead"):
            rows = await self.pool.fetch(OF_LEAD, VIEWER, limit, int(lead))
        else:
            rows = await self.pool.fetch(INBOX, VIEWER, limit)
        page = {"total": rows[0][18], "limit": limit, "skip": 0, "data": [offer(row) for row in rows]}
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"application/json")]})
        await send({"type": "http.response.body", "body": orjson.dumps({"data": {"leadOffers": page}})})


app = Limit()
