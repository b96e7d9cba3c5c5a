"""Access rules: one SQL expression per table that selects the rows a viewer can see.

Lists, lookups by id, counts, claims and subscriptions all use these. For the viewer, a row that they leave out
does not exist: a list leaves it out, a lookup (`lookup` in app/graphql/fields.py) is null, and a command raises
NOT_FOUND. Seeing a row does not mean that the viewer may change it: the commands check that, and raise FORBIDDEN. The
functions `…_parts` select the same rows for lists, which read them in the order of an index.
"""

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import BindParameter, ColumnElement, and_, exists, or_, select, union
from sqlalchemy.orm import Mapped
from sqlmodel import col
from sqlmodel import select as select_pairs
from sqlmodel.sql.expression import Select

from app.db.functions import member_of
from app.db.indexed_parts import IndexedPart
from app.db.models import ApiKey, Contact, DistributionOption, Lead, LeadOffer, LeadRoute, LeadSource, Team, TeamMember
from app.domain.enums import LeadOfferStatus, RequestStatus

IdValue = int | BindParameter[int] | Mapped[int] | Mapped[int | None]
"""An id, its placeholder in a compiled statement, or the column that holds it."""

ViewerId = int | BindParameter[int]
"""The id of the viewer, or its placeholder in a compiled statement."""

Moment = datetime | BindParameter[datetime]
"""A timestamp, or its placeholder in a compiled statement."""


def offer_parts(viewer_id: ViewerId) -> tuple[IndexedPart, ...]:
    """The visible offers: those made to the viewer, and those made to others by the viewer's teams."""
    return (
        IndexedPart(col(LeadOffer.user_id) == viewer_id, viewer_id, "user_id", flags=(("mine", True),)),
        IndexedPart(
            col(LeadOffer.offered_by_id) == viewer_id,
            viewer_id,
            "offered_by_id",
            earlier=("user_id",),
            flags=(("mine", False),),
        ),
    )


def offers(viewer_id: IdValue) -> ColumnElement[bool]:
    """Offers made to the viewer, and offers made to members of teams that the viewer created, due or not."""
    return or_(col(LeadOffer.user_id) == viewer_id, col(LeadOffer.offered_by_id) == viewer_id)


def is_due(now: Moment) -> ColumnElement[bool]:
    """The offer is due. An imported offer without `notify_at` was sent before the import, so it is due."""
    return or_(col(LeadOffer.notify_at) <= now, col(LeadOffer.notify_at).is_(None))


def leads(viewer_id: IdValue, now: Moment) -> ColumnElement[bool]:
    """Leads that the viewer created, holds, or has a due offer of that is not CANCELLED."""
    offered = exists(select(1).where(col(LeadOffer.lead_id) == col(Lead.id), _is_offered(viewer_id, now)))
    return or_(col(Lead.creator_id) == viewer_id, col(Lead.claimed_by_id) == viewer_id, offered)


def lead_viewers(lead_ids: Collection[int], now: Moment) -> Select[int, int]:
    """Select what `leads` selects, for all viewers at once: pairs of one of these leads and a user who can see it.

    It reads as many rows as the leads have offers, however many users there are.
    """
    pairs = union(
        select(col(Lead.id), col(Lead.creator_id)).where(member_of(col(Lead.id), lead_ids)),
        select(col(Lead.id), col(Lead.claimed_by_id))
        .where(member_of(col(Lead.id), lead_ids))
        .where(col(Lead.claimed_by_id).is_not(None)),
        select(col(LeadOffer.lead_id), col(LeadOffer.user_id))
        .where(member_of(col(LeadOffer.lead_id), lead_ids), _shows_lead(now))
        .where(col(LeadOffer.user_id).is_not(None)),
    ).subquery()
    return select_pairs(pairs.c[0], pairs.c[1])


_HIDDEN_FROM_OTHERS = (("submitted", None), ("exhausted", None))
"""The questions about a lead that have an answer for its creator alone."""


def lead_parts(viewer_id: ViewerId, now: Moment) -> tuple[IndexedPart, ...]:
    """The visible leads: those that the viewer created, those that they hold, and those that they were offered."""
    offered = select(col(LeadOffer.lead_id)).where(_is_offered(viewer_id, now))
    return (
        IndexedPart(col(Lead.creator_id) == viewer_id, viewer_id, "creator_id"),
        IndexedPart(
            col(Lead.claimed_by_id) == viewer_id,
            viewer_id,
            "claimed_by_id",
            earlier=("creator_id",),
            flags=(("claimed", True), *_HIDDEN_FROM_OTHERS),
        ),
        IndexedPart(
            col(Lead.id).in_(offered), viewer_id, earlier=("creator_id", "claimed_by_id"), flags=_HIDDEN_FROM_OTHERS
        ),
    )


def _is_offered(viewer_id: IdValue, now: Moment) -> ColumnElement[bool]:
    """The viewer has been offered the lead of the offer."""
    return and_(col(LeadOffer.user_id) == viewer_id, _shows_lead(now))


def _shows_lead(now: Moment) -> ColumnElement[bool]:
    """The offer lets its user see the lead."""
    return and_(col(LeadOffer.status) != LeadOfferStatus.CANCELLED, is_due(now))


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
        select(1).where(col(TeamMember.team_id) == team_id, _is_accepted_by(user_id)).correlate_except(TeamMember)
    )


def _is_accepted_by(user_id: IdValue) -> ColumnElement[bool]:
    """The user has accepted the invitation."""
    return and_(col(TeamMember.user_id) == user_id, is_accepted())


def is_accepted() -> ColumnElement[bool]:
    """The invitation was accepted, by whomever it is to."""
    return col(TeamMember.request_status) == RequestStatus.ACCEPTED


def is_in_team(team_id: IdValue, user_id: IdValue) -> ColumnElement[bool]:
    """The user created the team or accepted an invitation to it. A deleted team counts like any other."""
    created = exists(
        select(1).where(col(Team.id) == team_id, col(Team.creator_id) == user_id).correlate_except(Team),
    )
    return or_(created, has_accepted(team_id, user_id))


def teams(viewer_id: IdValue) -> ColumnElement[bool]:
    """Teams that the viewer created or accepted an invitation to, except deleted ones."""
    return and_(is_live(), or_(col(Team.creator_id) == viewer_id, has_accepted(col(Team.id), viewer_id)))


def team_parts(viewer_id: ViewerId) -> tuple[IndexedPart, ...]:
    """The same teams: those that the viewer created, and those whose invitation they accepted."""
    joined = select(col(TeamMember.team_id)).where(_is_accepted_by(viewer_id))
    return (
        IndexedPart(and_(is_live(), col(Team.creator_id) == viewer_id), viewer_id, "creator_id"),
        IndexedPart(and_(is_live(), col(Team.id).in_(joined)), viewer_id, earlier=("creator_id",)),
    )


def memberships(viewer_id: IdValue) -> ColumnElement[bool]:
    """The viewer's own memberships, whatever their status, except those of deleted teams."""
    of_live_team = exists(select(1).where(col(Team.id) == col(TeamMember.team_id), is_live()))
    return and_(col(TeamMember.user_id) == viewer_id, of_live_team)


def membership_parts(viewer_id: ViewerId) -> tuple[IndexedPart, ...]:
    """The viewer's own memberships, as rows that an index has in order."""
    return (IndexedPart(memberships(viewer_id), viewer_id, "user_id"),)


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


def contact_parts(viewer_id: ViewerId) -> tuple[IndexedPart, ...]:
    """The same contacts, as rows that an index has in order."""
    return (IndexedPart(contacts(viewer_id), viewer_id, "owner_id"),)


def lead_sources(viewer_id: IdValue) -> ColumnElement[bool]:
    """Lead sources that the viewer entered."""
    return col(LeadSource.creator_id) == viewer_id


def lead_source_parts(viewer_id: ViewerId) -> tuple[IndexedPart, ...]:
    """The same lead sources, as rows that an index has in order."""
    return (IndexedPart(lead_sources(viewer_id), viewer_id, "creator_id"),)


def lead_routes(viewer_id: IdValue) -> ColumnElement[bool]:
    """Lead routes that the viewer entered."""
    return col(LeadRoute.creator_id) == viewer_id


def lead_route_parts(viewer_id: ViewerId) -> tuple[IndexedPart, ...]:
    """The same lead routes, as rows that an index has in order."""
    return (IndexedPart(lead_routes(viewer_id), viewer_id, "creator_id"),)


def api_keys(viewer_id: IdValue) -> ColumnElement[bool]:
    """API keys of the viewer, revoked and expired ones too."""
    return col(ApiKey.user_id) == viewer_id


def api_key_parts(viewer_id: ViewerId) -> tuple[IndexedPart, ...]:
    """The same keys, as rows that an index has in order."""
    return (IndexedPart(api_keys(viewer_id), viewer_id, "user_id"),)
