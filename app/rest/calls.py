"""What the addresses answer to a viewer: find, get and create of a lead's offers, and `me`."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, and_, exists, or_
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession
from starlette.requests import Request

from app.access import visibility
from app.access.auth import Viewer
from app.commands.submit import submit_lead_offers
from app.config import Settings
from app.db.engine import Database
from app.db.models import Lead, LeadOffer
from app.domain.identifiers import parse_id
from app.errors import ApiError, Code, Problem, bad_input
from app.lists.pagination import fetch_page
from app.rest import offers
from app.rest.dialect import parse_find, parse_select
from app.web.request_body import read_json

Answer = tuple[int, dict[str, Any]]
"""A status and a body."""

ME_FIELDS = ("id", "first_name", "last_name", "email", "timezone")


@dataclass(frozen=True, slots=True)
class Call:
    """One request of somebody whom their token lets in."""

    db: Database
    settings: Settings
    viewer: Viewer
    now: datetime
    request: Request

    @property
    def query_string(self) -> str:
        return bytes(self.request.scope["query_string"]).decode("latin-1")

    def id(self, name: str, what: str) -> int:
        """An id in the address; NOT_FOUND where it is the id of nothing."""
        number = parse_id(self.request.path_params[name])
        if number is None:
            raise _not_found(what)
        return number


async def me(call: Call) -> Answer:
    select_ = parse_select(call.query_string, ME_FIELDS)
    return 200, offers.only({name: getattr(call.viewer.user, name) for name in ME_FIELDS}, select_)


async def find(call: Call) -> Answer:
    """A page of those offers of the lead that the viewer may find. NOT_FOUND where they may find nothing of it."""
    query = parse_find(call.query_string, offers.FIELDS)
    lead_id = call.id("lead_id", "lead")
    found = _offers_of(lead_id, call)
    async with call.db.read() as session:
        page = await fetch_page(session, LeadOffer, found, query.page, with_total=True)
        if not page.total and not await _is_known(session, lead_id, call):
            raise _not_found("lead")
        data = await offers.shown(session, page.data, query.select)
    return 200, offers.envelope(page.total, page.limit, page.skip, data)


async def get(call: Call) -> Answer:
    fields = parse_select(call.query_string, offers.FIELDS)
    lead_id, offer_id = call.id("lead_id", "lead"), call.id("offer_id", "offer")
    wanted = and_(_offers_of(lead_id, call), col(LeadOffer.id) == offer_id)
    async with call.db.read() as session:
        shown = await offers.shown(session, await session.exec(select(LeadOffer).where(wanted)), fields)
    if not shown:
        raise _not_found("offer")
    return 200, shown[0]


def _offers_of(lead_id: int, call: Call) -> ColumnElement[bool]:
    return and_(visibility.offers(call.viewer.id), col(LeadOffer.lead_id) == lead_id)


async def _is_known(session: AsyncSession, lead_id: int, call: Call) -> bool:
    """Whether the viewer may find the lead or an offer of it."""
    lead = select(1).where(col(Lead.id) == lead_id, visibility.leads(call.viewer.id, call.now))
    offer = select(1).where(_offers_of(lead_id, call))
    return (await session.exec(select(or_(exists(lead), exists(offer))))).one()


async def create(call: Call) -> Answer:
    """Submits the lead, and lists what the payload of a submit lists: 201 if offers were made, 200 if none."""
    fields = parse_select(call.query_string, offers.FIELDS)
    await _refuse_fields(call)
    lead_id = call.id("lead_id", "lead")
    async with call.db.write() as session:
        submitted = await submit_lead_offers(session, call.viewer.id, lead_id, call.now)
    async with call.db.read() as session:
        data = await offers.shown(session, submitted.offers, fields)
    return 201 if submitted.created_count else 200, offers.envelope(len(data), len(data), 0, data)


async def _refuse_fields(call: Call) -> None:
    """Refuses a body that is anything but an empty object, or nothing at all."""
    headers = call.request.headers
    if headers.get("content-length", "0") == "0" and "transfer-encoding" not in headers:
        return
    sent = await read_json(call.request, call.settings)
    if not isinstance(sent, dict):
        raise ApiError(Code.BAD_REQUEST, "The body must be an empty object.")
    if sent:
        raise bad_input(*(Problem(name[:40], "is not writable: the body is an empty object") for name in sent))


def _not_found(what: str) -> ApiError:
    return ApiError(Code.NOT_FOUND, f"There is no such {what} that you may find.")
