"""What stands between an offer and its user: as columns and conditions for any select of offers."""

from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, and_, case, exists, func, or_, select
from sqlmodel import col

from app.access import visibility
from app.db.functions import member_of
from app.db.models import Lead, LeadOffer, Team, TeamMember, User
from app.db.types import stored
from app.domain.enums import OPEN_STATUSES, EndReason, RequestStatus


def ineligibility(now: datetime) -> ColumnElement[EndReason | None]:
    """Why the offer's user is not to be given or told of the lead now; null where nothing hinders.

    It is asked again before each sending and each automatic assignment, because whoever was eligible at the submit may
    have left since.
    """
    is_away = _there_is(_ITS_USER, col(User.away_until) > now)
    return func.coalesce(_gone(), case((is_away, stored(EndReason.AWAY))))


def claimable(now: visibility.Moment) -> ColumnElement[bool]:
    """The offer's user may claim its lead: nobody has it, the offer is open and due, and its user is still there.

    Who is away may claim by hand all the same.
    """
    is_free = _there_is(col(Lead.id) == col(LeadOffer.lead_id), col(Lead.claimed_by_id).is_(None))
    return and_(
        col(LeadOffer.user_id).is_not(None),
        member_of(col(LeadOffer.status), OPEN_STATUSES),
        visibility.has_come(now),
        is_free,
        _gone().is_(None),
    )


def claim_succeeds(viewer_id: visibility.IdValue, now: visibility.Moment) -> ColumnElement[bool]:
    """Claiming the offer would succeed for the viewer: they may claim its lead, or have it already."""
    is_held = _there_is(col(Lead.id) == col(LeadOffer.lead_id), col(Lead.claimed_by_id) == viewer_id)
    return and_(col(LeadOffer.user_id) == viewer_id, or_(is_held, claimable(now)))


_ITS_USER = col(User.id) == col(LeadOffer.user_id)
_ITS_TEAM = col(Team.id) == col(LeadOffer.team_id)


def _gone() -> ColumnElement[EndReason | None]:
    """Why the user has nothing to do with the offer any more. Without a team there is no team to leave."""
    is_off = _there_is(_ITS_USER, col(User.is_active).is_(False))
    is_deleted = _there_is(_ITS_TEAM, col(Team.deleted_at).is_not(None))
    is_creator = _there_is(_ITS_TEAM, col(Team.creator_id) == col(LeadOffer.user_id))
    has_left = and_(col(LeadOffer.team_id).is_not(None), ~or_(is_creator, _is_accepted()))
    return case(
        (is_off, stored(EndReason.SWITCHED_OFF)),
        (is_deleted, stored(EndReason.TEAM_DELETED)),
        (has_left, stored(EndReason.LEFT)),
    )


def _is_accepted() -> ColumnElement[bool]:
    return _there_is(
        col(TeamMember.team_id) == col(LeadOffer.team_id),
        col(TeamMember.user_id) == col(LeadOffer.user_id),
        col(TeamMember.request_status) == RequestStatus.ACCEPTED,
    )


def _there_is(*conditions: Any) -> ColumnElement[bool]:
    """A row beside the offer, which the select around may read from as well: users, say."""
    return exists(select(1).where(*conditions).correlate(LeadOffer))
