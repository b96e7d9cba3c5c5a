"""Which rows a viewer may find: one SQL expression a table, used by lists, ids, counts, claims and subscriptions.

What these leave out does not exist for the viewer. What they let through is not thereby theirs to change.
"""

from datetime import datetime

from sqlalchemy import BindParameter, ColumnElement, and_, exists, or_, select
from sqlalchemy.orm import Mapped
from sqlmodel import col

from app.db.models import Contact, DistributionOption, Lead, LeadOffer, LeadRoute, LeadSource, Team, TeamMember
from app.domain.enums import LeadOfferStatus, RequestStatus

ViewerId = int | BindParameter[int] | Mapped[int]
"""The viewer's id, its place in a statement that is prepared for any viewer, or the column that has it."""

Moment = datetime | BindParameter[datetime]
"""An instant, or its place in a statement that is prepared for any."""


def offer_halves(viewer_id: ViewerId) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    """The offers I may find in two parts that share none, each of which an index has in order.

    Offers made to me; and offers made to others, members of teams that I created.
    """
    to_me = col(LeadOffer.user_id) == viewer_id
    by_me = and_(col(LeadOffer.offered_by_id) == viewer_id, col(LeadOffer.user_id).is_distinct_from(viewer_id))
    return to_me, by_me


def offers(viewer_id: ViewerId) -> ColumnElement[bool]:
    """Offers made to me, and offers made to members of teams that I created, due or not."""
    return or_(*offer_halves(viewer_id))


def has_come(now: Moment) -> ColumnElement[bool]:
    """The offer's moment has come. An imported offer without a moment was sent before it was imported."""
    return or_(col(LeadOffer.notify_at) <= now, col(LeadOffer.notify_at).is_(None))


def leads(viewer_id: ViewerId, now: Moment) -> ColumnElement[bool]:
    """Leads that I created, hold, or was offered in an offer that is not cancelled and whose moment has come."""
    offered = exists(
        select(1).where(
            col(LeadOffer.lead_id) == col(Lead.id),
            col(LeadOffer.user_id) == viewer_id,
            col(LeadOffer.status) != LeadOfferStatus.CANCELLED,
            has_come(now),
        )
    )
    return or_(col(Lead.creator_id) == viewer_id, col(Lead.claimed_by_id) == viewer_id, offered)


def accepted_teams(viewer_id: int) -> ColumnElement[bool]:
    """Teams whose invitation I have accepted."""
    return exists(
        select(1).where(
            col(TeamMember.team_id) == col(Team.id),
            col(TeamMember.user_id) == viewer_id,
            col(TeamMember.request_status) == RequestStatus.ACCEPTED,
        )
    )


def teams(viewer_id: int) -> ColumnElement[bool]:
    """Teams that I created or accepted an invitation to, but for deleted ones."""
    mine = or_(col(Team.creator_id) == viewer_id, accepted_teams(viewer_id))
    return and_(col(Team.deleted_at).is_(None), mine)


def memberships(viewer_id: int) -> ColumnElement[bool]:
    """My own memberships, whatever their status, but for those of deleted teams."""
    alive = exists(select(1).where(col(Team.id) == col(TeamMember.team_id), col(Team.deleted_at).is_(None)))
    return and_(col(TeamMember.user_id) == viewer_id, alive)


def members(viewer_id: int) -> ColumnElement[bool]:
    """My own memberships, and those of the teams that I may find."""
    return or_(
        memberships(viewer_id), exists(select(1).where(col(Team.id) == col(TeamMember.team_id), teams(viewer_id)))
    )


def distribution_options(viewer_id: int) -> ColumnElement[bool]:
    """All options of the teams that I created, and my own of those that I accepted an invitation to."""
    of_my_team = and_(col(Team.id) == col(DistributionOption.team_id), teams(viewer_id))
    mine = or_(col(DistributionOption.user_id) == viewer_id, col(Team.creator_id) == viewer_id)
    return exists(select(1).where(of_my_team, mine))


def contacts(viewer_id: int) -> ColumnElement[bool]:
    """Contacts that I entered."""
    return col(Contact.owner_id) == viewer_id


def lead_sources(viewer_id: int) -> ColumnElement[bool]:
    """Sources that I entered."""
    return col(LeadSource.creator_id) == viewer_id


def lead_routes(viewer_id: int) -> ColumnElement[bool]:
    """Routes that I entered."""
    return col(LeadRoute.creator_id) == viewer_id
