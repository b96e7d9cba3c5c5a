"""The fields by which viewers filter and sort lists, beyond the columns of a table.

A filter tells nothing that the fields of the object would not show: it compares the values that the viewer sees, which
are null where a rule of `field_access` hides them.
"""

from typing import Any

from sqlalchemy import ColumnElement, and_, case, select
from sqlalchemy.orm import aliased
from sqlmodel import col

from app.access.field_access import CONTACT_DETAILS, ROLLOUTS, AccessContext
from app.db.functions import folded
from app.db.list_fields import NO_FIELDS, Fields, Flag, RelatedRow
from app.db.models import Contact, LeadRollout, LeadSource
from app.db.types import stored
from app.domain.case_folding import Folding
from app.domain.enums import DistributionTarget

_CONTACTS = Contact.__table__  # type: ignore[attr-defined]
_SOURCES = LeadSource.__table__  # type: ignore[attr-defined]


def no_fields(_access: AccessContext) -> Fields:
    """Lists that are filtered and sorted by the columns of their table alone."""
    return NO_FIELDS


def contact_fields(access: AccessContext) -> Fields:
    """E-mail addresses compare without regard to case. They and numbers are null where they are hidden."""
    return {
        "email": lambda contact: case(
            (CONTACT_DETAILS.sql(contact, access), folded(contact["email"], Folding.ADDRESS)),
        ),
        "mobile_phone": lambda contact: case((CONTACT_DETAILS.sql(contact, access), contact["mobile_phone"])),
    }


def lead_fields(access: AccessContext) -> Fields:
    """The questions about a lead, the rows that it refers to, and its last team."""
    return {
        "claimed": lambda lead: Flag(lead["claimed_by_id"].is_not(None), lead["claimed_by_id"].is_(None)),
        "submitted": lambda lead: _of_creator(lead, access, lead["first_team_id"].is_not(None)),
        "exhausted": lambda lead: _of_creator(lead, access, is_exhausted(lead)),
        "contact": lambda lead: RelatedRow(_CONTACTS, lead["contact_id"], contact_fields(access)),
        "contact_last_name": _contact_last_name,
        "source": lambda lead: RelatedRow(_SOURCES, lead["source_id"], NO_FIELDS),
        "rollout_team_id": lambda lead: rollout_team_id(lead, access),
    }


def offer_fields(access: AccessContext) -> Fields:
    return {
        "mine": lambda offer: Flag(
            offer["user_id"] == access.viewer_id, offer["user_id"].is_distinct_from(access.viewer_id)
        )
    }


def is_exhausted(lead: Any) -> ColumnElement[bool]:
    """The lead's creator was told that nobody claimed it, and nobody holds it since. Never null."""
    is_offered = lead["distribution_target"] == stored(DistributionTarget.TEAM_ROLLOUT)
    return and_(lead["exhausted_at"].is_not(None), lead["claimed_by_id"].is_(None), is_offered)


def rollout_team_id(lead: Any, access: AccessContext) -> ColumnElement[int | None]:
    """The team of the last step, which the lead's creator sees as that of the last of `rollouts`."""
    return case((ROLLOUTS.sql(lead, access), team_of_last_step(lead["id"])))


def team_of_last_step(lead_id: Any) -> ColumnElement[int | None]:
    """The team of a lead's last step; null before a submit."""
    step = aliased(LeadRollout)
    # `id + 0` keeps PostgreSQL from walking the steps of all leads by the primary key.
    last = select(step.team_id).where(col(step.lead_id) == lead_id).order_by((col(step.id) + 0).desc()).limit(1)  # type: ignore[call-overload]
    team_id: ColumnElement[int | None] = last.correlate_except(step).scalar_subquery()
    return team_id


def _of_creator(lead: Any, access: AccessContext, answer: ColumnElement[bool]) -> Flag:
    """The question of the lead's creator, to whom alone its rollouts are shown."""
    is_shown = ROLLOUTS.sql(lead, access)
    return Flag(and_(is_shown, answer), and_(is_shown, ~answer))


def _contact_last_name(lead: Any) -> ColumnElement[Any]:
    contact = aliased(Contact)
    name = select(contact.last_name).where(col(contact.id) == lead["contact_id"])  # type: ignore[call-overload]
    found: ColumnElement[Any] = name.correlate_except(contact).scalar_subquery()
    return found
