"""GraphiQL, the page for exploring the API in a browser.

The page serves its own scripts, which scripts/graphiql downloads. It works offline, and its Content-Security-Policy
allows no other scripts. Without these files Strawberry's page is served, which loads GraphiQL from a CDN.
"""

import re
from datetime import datetime
from pathlib import Path

import orjson
from sqlmodel import col, select
from starlette.requests import Request
from starlette.responses import HTMLResponse
from starlette.routing import Mount
from starlette.staticfiles import StaticFiles
from strawberry.http.ides import get_graphql_ide_html

from app.access.tokens import TOKEN_SCOPES, issue_token
from app.config import Settings
from app.db.engine import Database
from app.db.models import Team, User
from app.http.loopback import is_local

STATIC = Path(__file__).parents[1] / "static"
VENDORED = STATIC / "vendor" / "graphiql.min.js"
TEMPLATE = Path(__file__).with_suffix(".html").read_text(encoding="utf-8")

TOKEN_HOURS = 12
"""How long the demo's token is valid."""

FIRST_QUERY = """\
# Offers made to you and to the members of
# the teams that you created. Your access
# token is in the headers below.

query Offers {
  me {
    firstName
    lastName
  }
  leadOffers(
    sort: [{ field: NOTIFY_AT, direction: DESC }]
    limit: 5
  ) {
    total
    data {
      id
      status
      notifyAt
      rank
      user {
        firstName
        lastName
      }
      team {
        name
      }
      lead {
        id
        zipcode
        contact {
          firstName
          lastName
        }
      }
    }
  }
}
"""

POLICY = {
    "default-src": "'none'",
    "script-src": "'self'",
    "style-src": "'self' 'unsafe-inline'",  # the editors position their lines with inline styles
    "img-src": "'self' data:",
    "font-src": "data:",
    "connect-src": "'self'",
    "base-uri": "'none'",
    "form-action": "'none'",
    "frame-ancestors": "'none'",
}


def graphiql_assets() -> Mount:
    """Return the route of the files that the page loads."""
    return Mount("/static", StaticFiles(directory=STATIC))


async def graphiql_page(request: Request, settings: Settings, db: Database, now: datetime) -> HTMLResponse:
    """Return the page. In the demo it contains the token of a team leader, but only for browsers on this machine."""
    if not VENDORED.exists():
        return _page_from_cdn()
    token = await _demo_token(settings, db, now) if settings.demo and is_local(request) else ""
    start = orjson.dumps({"query": FIRST_QUERY, "headers": {"Authorization": f"Bearer {token}"}}).decode()
    # The JSON stands in a script element, which only a `<` could end.
    return _page(TEMPLATE.replace("{{start}}", start.replace("<", "\\u003c")), POLICY)


def _page_from_cdn() -> HTMLResponse:
    html = get_graphql_ide_html("graphiql")
    cdn = " ".join(sorted(set(re.findall(r"https://[^/\"]+(?=/[^\"]+\.(?:js|css)\")", html))))
    return _page(
        html,
        POLICY
        | {
            "script-src": f"'unsafe-inline' {cdn}",
            "style-src": f"'unsafe-inline' {cdn}",
            "font-src": f"data: {cdn}",
        },
    )


def _page(html: str, policy: dict[str, str]) -> HTMLResponse:
    headers = {
        "Content-Security-Policy": "; ".join(f"{directive} {sources}" for directive, sources in policy.items()),
        "Cache-Control": "no-store",
        "Referrer-Policy": "no-referrer",
        "Vary": "Accept",
        "X-Content-Type-Options": "nosniff",
    }
    return HTMLResponse(html, headers=headers)


async def _demo_token(settings: Settings, db: Database, now: datetime) -> str:
    leaders = select(User.id).join(Team, col(Team.creator_id) == col(User.id)).where(col(User.is_active))
    async with db.read() as session:
        leader = (await session.exec(leaders.order_by(col(Team.id)).limit(1))).one_or_none()
    return issue_token(settings, leader, " ".join(TOKEN_SCOPES), TOKEN_HOURS, now) if leader else ""
