"""The REST API's operations for an authenticated user: find, get and create the offers of a lead, and `GET /me`."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, and_, exists, false, or_
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession
from starlette.requests import Request

from app.access import visibility
from app.access.auth import Viewer
from app.access.field_access import AccessContext
from app.commands.submit import submit_lead_offers
from app.config import Settings
from app.db.engine import Database
from app.db.models import Lead, LeadOffer
from app.domain.identifiers import parse_id
from app.errors import ApiError, Code, Problem, bad_input
from app.http.request_body import read_json
from app.lists.pagination import fetch_page
from app.rest.query_string import parse_find, parse_select
from app.rest.serialization import OFFER_FIELDS, page_body, select_fields, serialize_offers

StatusAndBody = tuple[int, Any]
"""The status, and the JSON of the body or a whole response."""

ME_FIELDS = ("id", "first_name", "last_name", "email", "timezone")


@dataclass(frozen=True, slots=True)
class AuthenticatedRequest:
    """A request with a valid token. `now` is when it arrived."""

    db: Database
    settings: Settings
    viewer: Viewer
    now: datetime
    request: Request

    @property
    def access(self) -> AccessContext:
        """The viewer as the rules of field access need it. No field of this API depends on the scope `write`."""
        return AccessContext(self.viewer.id, self.now, false())

    @property
    def query_string(self) -> str:
        return bytes(self.request.scope["query_string"]).decode("latin-1")

    def id(self, parameter: str, noun: str) -> int:
        """Return the id in the path. NOT_FOUND if it cannot be one."""
        number = parse_id(self.request.path_params[parameter])
        if number is None:
            raise _not_found(noun)
        return number


async def get_me(request: AuthenticatedRequest) -> StatusAndBody:
    selected = parse_select(request.query_string, ME_FIELDS)
    return 200, select_fields({name: getattr(request.viewer.user, name) for name in ME_FIELDS}, selected)


async def find_offers(request: AuthenticatedRequest) -> StatusAndBody:
    """Return a page of the lead's offers that the viewer can see. NOT_FOUND if they can see neither offers nor lead."""
    query = parse_find(request.query_string, OFFER_FIELDS)
    lead_id = request.id("lead_id", "lead")
    visible = _visible_offers(lead_id, request)
    async with request.db.read() as session:
        page = await fetch_page(session, LeadOffer, visible, query.page, with_total=True)
        if not page.total and not await _can_see_lead(session, lead_id, request):
            raise _not_found("lead")
        data = await serialize_offers(session, page.data, query.select, request.access)
    return 200, page_body(page.total, page.limit, page.skip, data)


async def get_offer(request: AuthenticatedRequest) -> StatusAndBody:
    selected = parse_select(request.query_string, OFFER_FIELDS)
    lead_id, offer_id = request.id("lead_id", "lead"), request.id("offer_id", "offer")
    offer = select(LeadOffer).where(and_(_visible_offers(lead_id, request), col(LeadOffer.id) == offer_id))
    async with request.db.read() as session:
        data = await serialize_offers(session, await session.exec(offer), selected, request.access)
    if not data:
        raise _not_found("offer")
    return 200, data[0]


def _visible_offers(lead_id: int, request: AuthenticatedRequest) -> ColumnElement[bool]:
    return and_(visibility.offers(request.viewer.id), col(LeadOffer.lead_id) == lead_id)


async def _can_see_lead(session: AsyncSession, lead_id: int, request: AuthenticatedRequest) -> bool:
    """Return whether the viewer can see the lead or one of its offers."""
    lead = select(1).where(col(Lead.id) == lead_id, visibility.leads(request.viewer.id, request.now))
    offer = select(1).where(_visible_offers(lead_id, request))
    return (await session.exec(select(or_(exists(lead), exists(offer))))).one()


async def create_offers(request: AuthenticatedRequest) -> StatusAndBody:
    """Submit the lead and return all its offers by the team. The status is 201 if offers were created, else 200."""
    selected = parse_select(request.query_string, OFFER_FIELDS)
    await _require_empty_body(request)
    lead_id = request.id("lead_id", "lead")
    submitted = await request.db.in_transaction(
        lambda session: submit_lead_offers(session, request.viewer.id, lead_id, request.now)
    )
    async with request.db.read() as session:
        data = await serialize_offers(session, submitted.offers, selected, request.access)
    return 201 if submitted.created_count else 200, page_body(len(data), len(data), 0, data)


async def _require_empty_body(request: AuthenticatedRequest) -> None:
    """Accept no body or an empty JSON object."""
    headers = request.request.headers
    if headers.get("content-length", "0") == "0" and "transfer-encoding" not in headers:
        return
    body = await read_json(request.request, request.settings)
    if not isinstance(body, dict):
        raise ApiError(Code.BAD_REQUEST, "The body must be an empty JSON object, or be left out.")
    if body:
        raise bad_input(*(Problem(name[:40], "cannot be set: the body must be an empty object") for name in body))


def _not_found(noun: str) -> ApiError:
    return ApiError(Code.NOT_FOUND, f"There is no {noun} with this id, or you cannot see it.")
