"""Before a submit: whether the lead may be submitted, to which team, and who would be offered it. Nothing is written.

A submit and its preview share it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import and_, bindparam, union
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from app.access import visibility
from app.commands.claim import already_claimed
from app.db.compiled import Statement
from app.db.models import DistributionOption, Lead, LeadOffer, Team, TeamMember, TeamZipcode, User
from app.db.sqlalchemy_internals import detached
from app.db.types import Id, UTCDateTime
from app.domain.enums import DistributionTarget, TeamSelectionMethod
from app.domain.planner import Candidate, EarlierOffer, Option, Plan, plan
from app.errors import ApiError, Code


@dataclass(frozen=True, slots=True)
class Prepared:
    """A lead that may be submitted, its team and how that was chosen, and what a submit would do now."""

    lead: Lead
    team: Team
    method: TeamSelectionMethod
    earlier: Sequence[LeadOffer]
    """The lead's offers until now, by whatever team."""
    plan: Plan


async def prepare(
    session: AsyncSession, viewer_id: int, lead_id: int, now: datetime, *, lock: bool, at: datetime | None = None
) -> Prepared:
    """Checks a submit as of `now` and plans it, as of another moment where `at` says one.

    With `lock` the lead's row is locked first: no offer is made beside a claim.

    Raises a ApiError, the first that applies (rules of submitting a lead): NOT_FOUND, FORBIDDEN, NOT_TEAM_ROLLOUT,
    ALREADY_CLAIMED, TEAM_NOT_USABLE, ZIPCODE_MISSING, NO_TEAM_FOR_ZIPCODE, NO_DISTRIBUTION_OPTIONS.
    """
    lead = await _lead(session, viewer_id, lead_id, now, lock=lock)
    # An imported lead may say nothing of the method; then the team that it names is meant.
    method = lead.team_selection_method or TeamSelectionMethod.SPECIFIC_TEAM
    by_zipcode = method is TeamSelectionMethod.ZIPCODE
    team = await (_team_by_zipcode(session, lead) if by_zipcode else _specific_team(session, lead))
    candidates = await _CANDIDATES.all(session, team_id=team.id, creator_id=team.creator_id)
    if not any(candidate.option for candidate in candidates):
        raise ApiError(Code.NO_DISTRIBUTION_OPTIONS, f"The team {team.name} has no distribution options.")
    earlier = await _OFFERS.all(session, lead_id=lead.id)
    known = [EarlierOffer(offer.user_id, offer.status, offer.notify_at) for offer in earlier]
    planned = plan(candidates, known, team.order_method, team.mins_until_next_alert, at or now)
    return Prepared(lead, team, method, earlier, planned)


_VISIBLE = select(Lead).where(
    col(Lead.id) == bindparam("lead_id"),
    visibility.leads(bindparam("viewer_id", type_=Id), bindparam("now", type_=UTCDateTime)),
)
_FOUND = Statement(_VISIBLE, detached(Lead))
_LOCKED = Statement(_VISIBLE.with_for_update(of=Lead), detached(Lead))


async def _lead(session: AsyncSession, viewer_id: int, lead_id: int, now: datetime, *, lock: bool) -> Lead:
    lead = await (_LOCKED if lock else _FOUND).first(session, lead_id=lead_id, viewer_id=viewer_id, now=now)
    if lead is None:
        raise ApiError(Code.NOT_FOUND, "There is no lead with this id.")
    if lead.creator_id != viewer_id:
        raise ApiError(Code.FORBIDDEN, "Only the creator of a lead may submit it.")
    if lead.distribution_target is not DistributionTarget.TEAM_ROLLOUT:
        raise ApiError(Code.NOT_TEAM_ROLLOUT, "The lead's distribution target is not Team Rollout.")
    if lead.claimed_by_id is not None:
        raise await already_claimed(session, lead)
    return lead


_USABLE = select(Team).where(col(Team.creator_id) == bindparam("creator_id"), col(Team.deleted_at).is_(None))
_SPECIFIC = Statement(_USABLE.where(col(Team.id) == bindparam("team_id")), detached(Team))
_OLDEST_WITH_ZIPCODE = Statement(
    _USABLE.join(TeamZipcode, col(TeamZipcode.team_id) == col(Team.id))
    .where(col(TeamZipcode.zipcode) == bindparam("zipcode"))
    .order_by(col(Team.created_at), col(Team.id))
    .limit(1),
    detached(Team),
)


async def _specific_team(session: AsyncSession, lead: Lead) -> Team:
    team = await _SPECIFIC.first(session, creator_id=lead.creator_id, team_id=lead.team_id)
    if team is None:
        raise ApiError(Code.TEAM_NOT_USABLE, "The lead names no team, or none that you created and still have.")
    return team


async def _team_by_zipcode(session: AsyncSession, lead: Lead) -> Team:
    """Of teams with the same zipcode the one created first."""
    if not lead.zipcode:
        raise ApiError(Code.ZIPCODE_MISSING, "The lead has no zipcode to choose a team by.")
    team = await _OLDEST_WITH_ZIPCODE.first(session, creator_id=lead.creator_id, zipcode=lead.zipcode)
    if team is None:
        raise ApiError(Code.NO_TEAM_FOR_ZIPCODE, f"None of your teams has the zipcode {lead.zipcode}.")
    return team


_OFFERS = Statement(select(LeadOffer).where(col(LeadOffer.lead_id) == bindparam("lead_id")), detached(LeadOffer))


def _candidate(
    user_id: int,
    membership: Any,
    is_creator: bool,
    is_active: bool,
    away_until: datetime | None,
    option_id: int | None,
    *option: Any,
) -> Candidate:
    has_option = option_id is not None
    return Candidate(user_id, membership, is_creator, is_active, away_until, Option(*option) if has_option else None)


_IN_TEAM = col(TeamMember.team_id) == bindparam("team_id")
_OF_TEAM = col(DistributionOption.team_id) == bindparam("team_id")
_FACTS: tuple[Any, ...] = (
    User.id,
    TeamMember.request_status,
    col(User.id) == bindparam("creator_id"),
    User.is_active,
    User.away_until,
    DistributionOption.id,
    DistributionOption.rank,
    DistributionOption.mins_until_lead_offer,
    DistributionOption.assign_automatically,
    DistributionOption.has_call_alert,
    DistributionOption.has_text_alert,
    DistributionOption.has_email_alert,
)
_EVERYBODY = union(select(TeamMember.user_id).where(_IN_TEAM), select(DistributionOption.user_id).where(_OF_TEAM))
_CANDIDATES = Statement(
    select(*_FACTS)
    .select_from(User)
    .outerjoin(TeamMember, and_(_IN_TEAM, col(TeamMember.user_id) == col(User.id)))
    .outerjoin(DistributionOption, and_(_OF_TEAM, col(DistributionOption.user_id) == col(User.id)))
    .where(col(User.id).in_(_EVERYBODY)),
    _candidate,
)
"""The members of a team and everybody with an option in it."""
