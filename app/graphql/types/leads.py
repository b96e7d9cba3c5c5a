"""Leads, and the rollouts by which they were offered."""

from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import strawberry
from sqlalchemy import ColumnElement, and_, case, func
from sqlmodel import col, select

from app.access import visibility
from app.access.field_access import ASSIGNABLE_USERS, CLAIMS, MESSAGE, ROLLOUTS, AccessContext
from app.access.list_fields import offer_fields, rollout_team_id
from app.commands.assign import assignable_users
from app.commands.chains import following_team
from app.commands.release import can_release
from app.commands.submittable import submit_succeeds
from app.db import models
from app.db.functions import seconds_between
from app.domain.bounds import LARGEST_INT
from app.graphql.declarations import Via
from app.graphql.enums import ClaimedVia, ClaimEnd, DistributionTarget, RolloutCause, SkipReason, TeamSelectionMethod
from app.graphql.fields import children, column, computed, nested_page, reference, reference_by, restricted, same_page
from app.graphql.inputs.sort import LeadOfferSort
from app.graphql.inputs.where import LeadOfferWhere
from app.graphql.types.contacts import Contact
from app.graphql.types.page import Page
from app.graphql.types.routes import LeadSource
from app.graphql.types.teams import Team
from app.graphql.types.users import User

if TYPE_CHECKING:
    from app.graphql.types.offers import LeadOffer


@strawberry.type(description="A member of the team, or another user with a distribution option, who got no new offer.")
class SkippedMember:
    user: User = reference("user_id", models.User, "The user who got no new offer.")
    reason: SkipReason = column("Why the user got no new offer. If several reasons apply, the first of SkipReason.")


@strawberry.type(
    description="The record of one submit of a lead, written at that time. It shows why the lead was offered to some "
    "members and not to others."
)
class LeadRollout:
    id: strawberry.ID = column("Unique id of the rollout.")
    submitted_at: datetime = column("When the lead was submitted, or passed on to the team.")
    cause: RolloutCause = column("Whether the team was chosen by a submit, or follows the team before it.")
    team: Team = reference("team_id", models.Team, "The team that was chosen.")
    team_selection_method: TeamSelectionMethod = column("How the first team was chosen.")
    turn_of: User | None = reference("turn_user_id", models.User, "The member whose turn it used. Null if nobody's.")
    created_offers: list[Annotated["LeadOffer", strawberry.lazy("app.graphql.types.offers")]] = children(
        models.LeadOffer,
        "The offers that the step made, in their current state, ordered by notifyAt, then id.",
        via=Via(models.RolloutOffer, "rollout_id", "offer_id"),
        order=("notify_at", "id"),
    )
    skipped: list[SkippedMember] = children(
        models.RolloutSkip,
        "The members who got no new offer, with the reason.",
        parent="rollout_id",
        order=("user_id",),
    )


@strawberry.type(description="The next step of a lead that nobody claims.")
class NextStep:
    at: datetime = computed(
        models.Lead, lambda lead, _context: lead.gives_up_at, "When the current step is over. A worker acts then."
    )
    team: Team | None = reference_by(
        models.Lead,
        lambda lead, _context: following_team(lead),
        models.Team,
        "The team that is offered the lead then. Null if its creator is notified instead.",
    )


def _waiting_lead(lead: Any, context: AccessContext) -> ColumnElement[Any]:
    """The lead itself, if it has a next step that the viewer may see."""
    return case((and_(ROLLOUTS.sql(lead, context), lead.gives_up_at.is_not(None)), lead.id))


def _viewer_can_submit(lead: Any, context: AccessContext) -> ColumnElement[bool]:
    return and_(context.may_write, submit_succeeds(lead, context.viewer_id, context.now))


def _viewer_can_assign(lead: Any, context: AccessContext) -> ColumnElement[bool]:
    return and_(context.may_write, lead.creator_id == context.viewer_id)


def _viewer_can_release(lead: Any, context: AccessContext) -> ColumnElement[bool]:
    return and_(context.may_write, can_release(lead, context.viewer_id))


def _claimed_at(claim: Any, _context: AccessContext) -> ColumnElement[Any]:
    created_at = select(models.Lead.created_at).where(col(models.Lead.id) == claim.lead_id)
    return func.coalesce(claim.claimed_at, created_at.correlate_except(models.Lead).scalar_subquery())


@strawberry.type(description="A time during which a user had a lead.")
class Claim:
    user: User = reference("user_id", models.User, "The user who got the lead.")
    team: Team | None = reference(
        "team_id",
        models.Team,
        "The team by which the user got the lead: the team of their offer. Null if the offer has none.",
    )
    via: ClaimedVia = column("How the user got the lead.")
    claimed_at: datetime = computed(
        models.Claim,
        _claimed_at,
        "When the user got the lead. If the lead was imported without that time, when the lead was created.",
    )
    ended_at: datetime | None = column("When the user lost the lead. Null while they have it.")
    end_reason: ClaimEnd | None = column("Why the claim ended. Null while the user has the lead.")


@strawberry.type(description="One enquiry of a contact.")
class Lead:
    id: strawberry.ID = column("Unique id of the lead.")
    contact: Contact = reference("contact_id", models.Contact, "The person who enquired.")
    creator: User = reference("creator_id", models.User, "The user who created the lead. Only they can submit it.")
    source: LeadSource | None = reference(
        "source_id", models.LeadSource, "The source that the lead came from. Null if none was given."
    )
    distribution_target: DistributionTarget = column("Whether the lead stays with its creator or is offered to a team.")
    team_selection_method: TeamSelectionMethod | None = column(
        "How the team is chosen when the lead is submitted. Null unless distributionTarget is TEAM_ROLLOUT."
    )
    team: Team | None = reference(
        "team_id", models.Team, "The named team. Null unless teamSelectionMethod is SPECIFIC_TEAM."
    )
    zipcode: str | None = column("US ZIP code, five digits. Null if it is not known.")
    type: str | None = column("Type of the lead, for example Buyer. Null if none was given.")
    message: str | None = restricted(
        "message",
        MESSAGE,
        "The text that the contact wrote. Null unless you created or hold the lead, and if none was given.",
    )
    listing_price: int | None = column(
        "Price of the listing that the enquiry is about, in whole units of the currency. Null if it is not known."
    )
    mls_id: str | None = column("Id of the listing in the MLS. Null if it is not known.")
    listing_status: str | None = column("Status of the listing, for example For Sale. Null if it is not known.")
    street_address: str | None = column("Street and house number of the listing. Null if it is not known.")
    city: str | None = column("City of the listing. Null if it is not known.")
    state: str | None = column("State of the listing, for example TX. Null if it is not known.")
    language: str | None = column("Language of the contact, for example es. Null if it is not known.")
    external_id: str | None = column(
        "The source's own id of the enquiry, which no other lead of this creator and source has. Null if none was "
        "given."
    )
    created_at: datetime = column("When the lead was created.")
    claimed_by: User | None = reference(
        "claimed_by_id",
        models.User,
        "The user who holds the lead. Null while nobody does. Shown to everyone who can see the lead.",
    )
    claimed_at: datetime | None = column("When the current holder got the lead. Null while nobody holds it.")
    claimed_via: ClaimedVia | None = column("How the current holder got the lead. Null while nobody holds it.")
    time_to_claim: int | None = computed(
        models.Lead,
        lambda lead, _context: seconds_between(lead.created_at, lead.claimed_at),
        "Whole seconds from createdAt to claimedAt: 0 if the lead was claimed before createdAt, and at most "
        f"{LARGEST_INT:,}. Null while nobody holds the lead.",
    )
    offers: Page[Annotated["LeadOffer", strawberry.lazy("app.graphql.types.offers")]] = nested_page(
        models.LeadOffer,
        "The offers of this lead that you can see: those made to you, and those made by your teams.",
        parent="lead_id",
        visible=lambda access: visibility.offers(access.viewer_id),
        where_type=LeadOfferWhere,
        sort_type=LeadOfferSort,
        fields=offer_fields,
    )
    rollout_team: Team | None = reference_by(
        models.Lead,
        rollout_team_id,
        models.Team,
        "The team that was offered the lead last. Null before a submit, and unless you created the lead.",
    )
    rollouts: list[LeadRollout] | None = children(
        models.LeadRollout,
        "The steps of this lead, oldest first: the submits that made offers, and each time it went on to a next team. "
        "Null unless you created the lead.",
        parent="lead_id",
        order=("id",),
        rule=ROLLOUTS,
    )
    claims: list[Claim] | None = children(
        models.Claim,
        "Every time that somebody had the lead, oldest first. Null unless you created the lead.",
        parent="lead_id",
        order=("id",),
        rule=CLAIMS,
    )
    next_step: NextStep | None = reference_by(
        models.Lead,
        _waiting_lead,
        models.Lead,
        "The next step, taken if nobody claims the lead. Null while somebody holds it, once its creator was notified, "
        "and unless you created it.",
    )
    viewer_can_submit: bool = computed(
        models.Lead, _viewer_can_submit, "Whether submitLeadOffers would succeed for you now."
    )
    viewer_can_assign: bool = computed(
        models.Lead,
        _viewer_can_assign,
        "Whether assignLead would succeed for you now, for a user of assignableUsers.",
    )
    viewer_can_release: bool = computed(
        models.Lead, _viewer_can_release, "Whether releaseLead would succeed for you now."
    )
    assignable_users: Page[User] | None = same_page(
        models.User,
        "Users whom assignLead would accept from you, ordered by id: you, and the active, accepted members of your "
        "teams. Null unless you created the lead.",
        visible=lambda access: assignable_users(access.viewer_id),
        rule=ASSIGNABLE_USERS,
    )
