"""Access rules: one SQL expression per table that selects the rows a viewer can see.

Lists, lookups by id, counts, claims and subscriptions all use these. For the viewer, a row that they leave out
does not exist. Seeing a row does not mean that the viewer may change it: commands check that.
"""

from datetime import datetime

from sqlalchemy import BindParameter, ColumnElement, and_, exists, or_, select
from sqlalchemy.orm import Mapped
from sqlmodel import col

from app.db.models import Contact, DistributionOption, Lead, LeadOffer, LeadRoute, LeadSource, Team, TeamMember
from app.domain.enums import LeadOfferStatus, RequestStatus

IdValue = int | BindParameter[int] | Mapped[int] | Mapped[int | None]
"""An id, its placeholder in a compiled statement, or the column that holds it."""

Moment = datetime | BindParameter[datetime]
"""A timestamp, or its placeholder in a compiled statement."""


def offer_halves(viewer_id: IdValue) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    """The visible offers in two disjoint parts, so that PostgreSQL can read each in the order of an index.

    The first part is the offers made to the viewer, the second the offers made to others by the viewer's teams.
    """
    to_me = col(LeadOffer.user_id) == viewer_id
    by_me = and_(col(LeadOffer.offered_by_id) == viewer_id, col(LeadOffer.user_id).is_distinct_from(viewer_id))
    return to_me, by_me


def offers(viewer_id: IdValue) -> ColumnElement[bool]:
    """Offers made to the viewer, and offers made to members of teams that the viewer created, due or not."""
    return or_(*offer_halves(viewer_id))


def has_come(now: Moment) -> ColumnElement[bool]:
    """The offer is due. An imported offer without `notify_at` was sent before the import, so it is due."""
    return or_(col(LeadOffer.notify_at) <= now, col(LeadOffer.notify_at).is_(None))


def leads(viewer_id: IdValue, now: Moment) -> ColumnElement[bool]:
    """Leads that the viewer created, holds, or has a due offer of that is not CANCELLED."""
    offered = exists(
        select(1).where(
            col(LeadOffer.lead_id) == col(Lead.id),
            col(LeadOffer.user_id) == viewer_id,
            col(LeadOffer.status) != LeadOfferStatus.CANCELLED,
            has_come(now),
        )
    )
    return or_(col(Lead.creator_id) == viewer_id, col(Lead.claimed_by_id) == viewer_id, offered)


def lead_parts(viewer_id: IdValue, now: Moment) -> tuple[ColumnElement[bool], ...]:
    """The same leads in three parts without common rows: created, held by, and offered to the viewer.

    An index has each of the first two parts in order.
    """
    is_others = col(Lead.creator_id) != viewer_id
    offered = select(col(LeadOffer.lead_id)).where(
        col(LeadOffer.user_id) == viewer_id,
        col(LeadOffer.status) != LeadOfferStatus.CANCELLED,
        has_come(now),
    )
    return (
        col(Lead.creator_id) == viewer_id,
        and_(col(Lead.claimed_by_id) == viewer_id, is_others),
        and_(is_others, col(Lead.claimed_by_id).is_distinct_from(viewer_id), col(Lead.id).in_(offered)),
    )


def is_live(team: type[Team] = Team) -> ColumnElement[bool]:
    """The team is not deleted. `team` is an alias where a statement reads teams twice."""
    return col(team.deleted_at).is_(None)


def usable_teams(creator_id: IdValue, team: type[Team] = Team) -> ColumnElement[bool]:
    """Teams that a user's leads can be distributed to: the user created them, and they are not deleted.

    The planner decides whether such a team has members to offer a lead to.
    """
    return and_(col(team.creator_id) == creator_id, is_live(team))


def has_accepted(team_id: IdValue, user_id: IdValue) -> ColumnElement[bool]:
    """The user accepted an invitation to the team. False for the team's creator, who has no membership."""
    return exists(
        select(1)
        .where(
            col(TeamMember.team_id) == team_id,
            col(TeamMember.user_id) == user_id,
            col(TeamMember.request_status) == RequestStatus.ACCEPTED,
        )
        .correlate_except(TeamMember)
    )


def is_in_team(team_id: IdValue, user_id: IdValue) -> ColumnElement[bool]:
    """The user created the team or accepted an invitation to it. A deleted team counts like any other."""
    created = exists(
        select(1).where(col(Team.id) == team_id, col(Team.creator_id) == user_id).correlate_except(Team),
    )
    return or_(created, has_accepted(team_id, user_id))


def teams(viewer_id: IdValue) -> ColumnElement[bool]:
    """Teams that the viewer created or accepted an invitation to, except deleted ones."""
    return and_(is_live(), or_(col(Team.creator_id) == viewer_id, has_accepted(col(Team.id), viewer_id)))


def memberships(viewer_id: IdValue) -> ColumnElement[bool]:
    """The viewer's own memberships, whatever their status, except those of deleted teams."""
    of_live_team = exists(select(1).where(col(Team.id) == col(TeamMember.team_id), is_live()))
    return and_(col(TeamMember.user_id) == viewer_id, of_live_team)


def members(viewer_id: IdValue) -> ColumnElement[bool]:
    """The viewer's own memberships, and all memberships of the teams that the viewer can see."""
    of_visible_team = exists(select(1).where(col(Team.id) == col(TeamMember.team_id), teams(viewer_id)))
    return or_(memberships(viewer_id), of_visible_team)


def distribution_options(viewer_id: IdValue) -> ColumnElement[bool]:
    """All options of the teams that the viewer created, and the viewer's own options in teams they joined."""
    of_visible_team = and_(col(Team.id) == col(DistributionOption.team_id), teams(viewer_id))
    mine = or_(col(DistributionOption.user_id) == viewer_id, col(Team.creator_id) == viewer_id)
    return exists(select(1).where(of_visible_team, mine))


def contacts(viewer_id: IdValue) -> ColumnElement[bool]:
    """Contacts that the viewer entered."""
    return col(Contact.owner_id) == viewer_id


def lead_sources(viewer_id: IdValue) -> ColumnElement[bool]:
    """Lead sources that the viewer entered."""
    return col(LeadSource.creator_id) == viewer_id


def lead_routes(viewer_id: IdValue) -> ColumnElement[bool]:
    """Lead routes that the viewer entered."""
    return col(LeadRoute.creator_id) == viewer_id
