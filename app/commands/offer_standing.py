"""The standing of an offer: whether its user may still be told of it, and whether they may still claim by it.

These are SQL expressions for any statement that selects offers. Whether a member is eligible for a new offer is decided
by the planner (app/domain/planner.py).
"""

from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, and_, case, exists, func, literal_column, or_, select
from sqlmodel import col

from app.access import visibility
from app.db.functions import member_of
from app.db.models import Lead, LeadOffer, Team, User
from app.db.types import stored
from app.domain.enums import OPEN_STATUSES, EndReason

IS_OPEN = col(LeadOffer.status).in_([literal_column(f"'{status.name}'") for status in OPEN_STATUSES])
"""The offer is neither claimed nor ended. It may still be to come. Compiled statements take no list of values: it is
spelled out."""


def ineligibility(now: datetime) -> ColumnElement[EndReason | None]:
    """Return the reason why the offer's user must not be notified or assigned the lead now, or null.

    It is evaluated again before each message and each automatic assignment, because a user who was eligible at the
    submit may have left since.
    """
    is_away = _exists(_ITS_USER, col(User.away_until) > now)
    return func.coalesce(_departure(), case((is_away, stored(EndReason.AWAY))))


def claimable(now: visibility.Moment) -> ColumnElement[bool]:
    """The offer's user may claim the lead: it is unclaimed, and the offer is open, due and not of a departed user.

    A user who is away, or in quiet hours, may still claim by hand.
    """
    is_free = _exists(col(Lead.id) == col(LeadOffer.lead_id), col(Lead.claimed_by_id).is_(None))
    return and_(
        col(LeadOffer.user_id).is_not(None),
        member_of(col(LeadOffer.status), OPEN_STATUSES),
        visibility.is_due(now),
        is_free,
        _departure().is_(None),
    )


def claim_succeeds(viewer_id: visibility.IdValue, now: visibility.Moment) -> ColumnElement[bool]:
    """The viewer may claim the offer's lead, or already has it, so that claiming returns no error."""
    is_held = _exists(col(Lead.id) == col(LeadOffer.lead_id), col(Lead.claimed_by_id) == viewer_id)
    return and_(col(LeadOffer.user_id) == viewer_id, or_(is_held, claimable(now)))


_ITS_USER = col(User.id) == col(LeadOffer.user_id)


def _departure() -> ColumnElement[EndReason | None]:
    """Return the reason why the user cannot use the offer any more, or null. An offer may have no team."""
    is_off = _exists(_ITS_USER, col(User.is_active).is_(False))
    is_deleted = _exists(col(Team.id) == col(LeadOffer.team_id), ~visibility.is_live())
    is_member = visibility.is_in_team(col(LeadOffer.team_id), col(LeadOffer.user_id))
    return case(
        (is_off, stored(EndReason.SWITCHED_OFF)),
        (is_deleted, stored(EndReason.TEAM_DELETED)),
        (and_(col(LeadOffer.team_id).is_not(None), ~is_member), stored(EndReason.LEFT)),
    )


def _exists(*conditions: Any) -> ColumnElement[bool]:
    """Return an EXISTS that refers to the outer statement's offer, and to no other table of it."""
    return exists(select(1).where(*conditions).correlate(LeadOffer))
