"""Lead offers as JSON, together with the lead, user and team they belong to."""

from collections.abc import Iterable, Sequence
from typing import Any

from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from app.access.field_access import MESSAGE, AccessContext
from app.db.functions import member_of
from app.db.models import Contact, Lead, LeadOffer, Team, User
from app.domain.timestamps import format_instant
from app.lists.pagination import columns_of, table_of

OFFER_FIELDS = (
    "id",
    "lead",
    "user",
    "notify_at",
    "rank",
    "assign_automatically",
    "has_call_alert",
    "has_text_alert",
    "has_email_alert",
    "team",
)
USER_FIELDS = ("id", "first_name", "last_name", "email")
READABLE_FIELDS = (
    "listing_price",
    "mls_id",
    "listing_status",
    "street_address",
    "city",
    "state",
    "language",
    "external_id",
)
"""The fields of an enquiry that everyone who sees the lead can read. The message, `text_body`, is restricted."""


def page_body(total: int, limit: int, skip: int, data: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Return a page of a list as Feathers' clients expect it."""
    return {"total": total, "limit": limit, "skip": skip, "data": data}


def select_fields(row: dict[str, Any], selected: frozenset[str] | None) -> dict[str, Any]:
    """Return the selected fields, or all for None. As in Feathers, the id is always among them."""
    return row if selected is None else {name: v for name, v in row.items() if name == "id" or name in selected}


async def serialize_offers(
    session: AsyncSession, offers: Iterable[LeadOffer], selected: frozenset[str] | None, access: AccessContext
) -> list[dict[str, Any]]:
    """Return the offers as JSON objects with the selected fields, in their order. Runs at most one statement."""
    offers = list(offers)
    related = await _load_related(session, [offer.id for offer in offers], access)
    return [select_fields(_serialize(offer, *related[offer.id]), selected) for offer in offers]


async def _load_related(
    session: AsyncSession, offer_ids: Sequence[int], access: AccessContext
) -> dict[int, tuple[Any, ...]]:
    """Return by the id of each offer its lead, whether the viewer may read the message, contact, user and team."""
    if not offer_ids:
        return {}
    columns: Any = (col(LeadOffer.id), Lead, MESSAGE.sql(table_of(Lead).c, access), Contact, User, Team)
    statement = (
        select(*columns)
        .select_from(LeadOffer)
        .join(Lead, col(Lead.id) == col(LeadOffer.lead_id))
        .join(Contact, col(Contact.id) == col(Lead.contact_id))
        .outerjoin(User, col(User.id) == col(LeadOffer.user_id))
        .outerjoin(Team, col(Team.id) == col(LeadOffer.team_id))
        .where(member_of(columns_of(LeadOffer)["id"], offer_ids))
    )
    return {offer_id: rows for offer_id, *rows in await session.exec(statement)}


def serialize_lead(lead: Lead, contact: Contact, *, may_read_message: bool | None) -> dict[str, Any]:
    """Return a lead as a JSON object."""
    return {
        "id": lead.id,
        "distribution_target": lead.distribution_target,
        "contact": {"id": contact.id, "first_name": contact.first_name, "last_name": contact.last_name},
        "text_body": lead.message if may_read_message else None,
        **{name: getattr(lead, name) for name in READABLE_FIELDS},
    }


def _serialize(
    offer: LeadOffer,
    lead: Lead,
    may_read_message: bool | None,
    contact: Contact,
    user: User | None,
    team: Team | None,
) -> dict[str, Any]:
    return {
        "id": offer.id,
        "lead": serialize_lead(lead, contact, may_read_message=may_read_message),
        "user": user and {name: getattr(user, name) for name in USER_FIELDS},
        "notify_at": offer.notify_at and format_instant(offer.notify_at),
        "rank": offer.rank,
        "assign_automatically": offer.assign_automatically,
        "has_call_alert": offer.has_call_alert,
        "has_text_alert": offer.has_text_alert,
        "has_email_alert": offer.has_email_alert,
        "team": team and {"id": team.id, "name": team.name},
    }
