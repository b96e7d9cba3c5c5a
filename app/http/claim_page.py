"""The page behind a claim link. It shows the lead and a button that claims it.

Only the button's POST changes anything, because mail scanners open every link with GET.
"""

from base64 import b64encode
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from html import escape
from string import Template

from sqlmodel import col, select
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from app.access.claim_links import CLAIM_PAGE, ClaimLink, read_link
from app.commands.replies import claim_by_reply
from app.config import Settings
from app.db.engine import Database
from app.db.models import Contact, Lead, LeadOffer
from app.errors import DATABASE_FAILURES, ApiError, Code
from app.observability import requests
from app.worker.messages import about

Handler = Callable[[Request], Awaitable[Response]]

_PAGE = Template("""<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
<title>$title</title>
<style>$style</style>
<h1>$title</h1>
<p>$text</p>
$button
</html>
""")
_STYLE = """
:root { color-scheme: light dark; font: 1.1rem/1.5 system-ui, sans-serif }
h1 { line-height: 1.2 }
body { max-width: 32rem; margin: 12vh auto; padding: 0 1.5rem }
button { width: 100%; padding: .9rem; border: 0; border-radius: .6rem; background: #1a56db; color: #fff; font: inherit }
"""
_BUTTON = '<form method="post"><button>Claim this lead</button></form>'


def _digest(text: str) -> str:
    return b64encode(sha256(text.encode()).digest()).decode()


_HEADERS = {
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "Content-Security-Policy": f"default-src 'none'; style-src 'sha256-{_digest(_STYLE)}'; form-action 'self'; "
    "frame-ancestors 'none'; base-uri 'none'",
}


@dataclass(frozen=True, slots=True)
class ClaimPage:
    """Serves `/claim?link=…`. `clock` returns the current time in UTC."""

    db: Database
    settings: Settings
    clock: Callable[[], datetime]

    async def show(self, request: Request) -> Response:
        """Show what the lead is about, without the contact's e-mail address and phone number."""
        requests.current().operation = "GET /claim"
        link = self._link(request)
        found = None if link is None else await self._find(link)
        if found is None:
            return _invalid_link()
        _offer, lead, contact = found
        text = f"{about(lead, contact)}. The first agent to claim the lead gets it."
        return _page(200, "You have a new lead offer", text, _BUTTON)

    async def claim(self, request: Request) -> Response:
        """Claim the lead for the user of the offer. Idempotent."""
        requests.current().operation = "POST /claim"
        link = self._link(request)
        found = None if link is None else await self._find(link)
        if link is None or found is None:
            return _invalid_link()
        try:
            now = self.clock()
            await self.db.in_transaction(lambda session: claim_by_reply(session, link.offer_id, link.via, now))
        except ApiError as error:
            if error.code in DATABASE_FAILURES:
                raise
            title = "Somebody else has this lead" if error.code is Code.ALREADY_CLAIMED else "This offer is not open"
            return _page(409, title, error.message)
        return _page(200, "The lead is yours", "Open the app to see how to reach your contact.")

    def _link(self, request: Request) -> ClaimLink | None:
        return read_link(self.settings, request.query_params.get("link", ""), self.clock())

    async def _find(self, link: ClaimLink) -> tuple[LeadOffer, Lead, Contact] | None:
        found = (
            select(LeadOffer, Lead, Contact)
            .join(Lead, col(Lead.id) == col(LeadOffer.lead_id))
            .join(Contact, col(Contact.id) == col(Lead.contact_id))
            .where(col(LeadOffer.id) == link.offer_id)
        )
        async with self.db.read() as session:
            return (await session.exec(found)).one_or_none()


def claim_page_routes(db: Database, settings: Settings, clock: Callable[[], datetime]) -> list[Route]:
    """Return the routes of the page."""
    page = ClaimPage(db, settings, clock)
    return [
        Route(CLAIM_PAGE, _with_unavailable_page(page.show), methods=["GET"]),
        Route(CLAIM_PAGE, _with_unavailable_page(page.claim), methods=["POST"]),
    ]


def _with_unavailable_page(handler: Handler) -> Handler:
    """Return a handler that shows a page instead of JSON while the database is unavailable."""

    async def handle(request: Request) -> Response:
        try:
            return await handler(request)
        except ApiError as error:
            if error.code not in DATABASE_FAILURES:
                raise
            return _page(503, "Come back in a minute", "The lead cannot be loaded right now. Please try again shortly.")

    return handle


def _invalid_link() -> Response:
    return _page(404, "This link is not valid", "It may have expired. You can find the offer in the app.")


def _page(status: int, title: str, text: str, button: str = "") -> Response:
    body = _PAGE.substitute(title=escape(title), text=escape(text), style=_STYLE, button=button)
    return HTMLResponse(body, status, _HEADERS)
