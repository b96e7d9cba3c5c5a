"""Lead offers with what they point at, as JSON."""

from collections.abc import Iterable, Sequence
from typing import Any

from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from app.db.functions import member_of
from app.db.models import Contact, Lead, LeadOffer, Team, User
from app.domain.timestamps import format_instant
from app.lists.pagination import columns_of

FIELDS = (
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


def envelope(total: int, limit: int, skip: int, data: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """A page of a list."""
    return {"total": total, "limit": limit, "skip": skip, "data": data}


async def shown(
    session: AsyncSession, offers: Iterable[LeadOffer], fields: frozenset[str] | None
) -> list[dict[str, Any]]:
    """The offers as JSON, in their order; of `fields` where given, and the id always. One statement at most."""
    offers = list(offers)
    rows = await _related(session, [offer.id for offer in offers])
    return [only(_offer(offer, *rows[offer.id]), fields) for offer in offers]


def only(shown: dict[str, Any], fields: frozenset[str] | None) -> dict[str, Any]:
    """The fields that were selected. The id is always among them, as Feathers has it."""
    return shown if fields is None else {name: v for name, v in shown.items() if name == "id" or name in fields}


async def _related(session: AsyncSession, offer_ids: Sequence[int]) -> dict[int, tuple[Any, ...]]:
    """Lead, contact, user and team of each offer, by its id."""
    if not offer_ids:
        return {}
    columns: Any = (col(LeadOffer.id), Lead, Contact, User, Team)
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


def _offer(offer: LeadOffer, lead: Lead, contact: Contact, user: User | None, team: Team | None) -> dict[str, Any]:
    return {
        "id": offer.id,
        "lead": {
            "id": lead.id,
            "distribution_target": lead.distribution_target,
            "contact": {"id": contact.id, "first_name": contact.first_name, "last_name": contact.last_name},
        },
        "user": user and {name: getattr(user, name) for name in USER_FIELDS},
        "notify_at": offer.notify_at and format_instant(offer.notify_at),
        "rank": offer.rank,
        "assign_automatically": offer.assign_automatically,
        "has_call_alert": offer.has_call_alert,
        "has_text_alert": offer.has_text_alert,
        "has_email_alert": offer.has_email_alert,
        "team": team and {"id": team.id, "name": team.name},
    }
