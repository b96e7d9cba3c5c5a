"""Before a submit: whether the lead may be submitted, to which team, and who would be offered it. Nothing is written.

A submit and its preview share it. Statements are built once: building them took longer than running them.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import and_, bindparam, union
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from app import visibility
from app.commands.claiming import already_claimed
from app.errors import Code, Refusal
from app.models import (
    DistributionOption,
    DistributionTarget,
    Lead,
    LeadOffer,
    Team,
    TeamMember,
    TeamSelectionMethod,
    TeamZipcode,
    User,
    UTCDateTime,
)
from app.rollout import Candidate, EarlierOffer, Option, Plan, plan


@dataclass(frozen=True, slots=True)
class Prepared:
    """A lead that may be submitted, its team and how that was chosen, and what a submit would do now."""

    lead: Lead
    team: Team
    method: TeamSelectionMethod
    earlier: tuple[EarlierOffer, ...]
    plan: Plan


async def prepare(
    session: AsyncSession, viewer_id: int, lead_id: int, now: datetime, *, lock: bool, at: datetime | None = None
) -> Prepared:
    """Checks a submit as of `now` and plans it, as of another moment where `at` says one.

    With `lock` the lead's row is locked first: no offer is made beside a claim.

    Raises a Refusal, the first that applies (rules of submitting a lead): NOT_FOUND, FORBIDDEN, NOT_TEAM_ROLLOUT,
    ALREADY_CLAIMED, TEAM_NOT_USABLE, ZIPCODE_MISSING, NO_TEAM_FOR_ZIPCODE, NO_DISTRIBUTION_OPTIONS.
    """
    lead = await _lead(session, viewer_id, lead_id, now, lock=lock)
    # An imported lead may say nothing of the method; then the team that it names is meant.
    method = lead.team_selection_method or TeamSelectionMethod.SPECIFIC_TEAM
    by_zipcode = method is TeamSelectionMethod.ZIPCODE
    team = await (_team_by_zipcode(session, lead) if by_zipcode else _specific_team(session, lead))
    candidates = await _candidates(session, team)
    if not any(candidate.option for candidate in candidates):
        raise Refusal(Code.NO_DISTRIBUTION_OPTIONS, f"The team {team.name} has no distribution options.")
    earlier = await _earlier_offers(session, lead)
    planned = plan(candidates, earlier, team.order_method, team.mins_until_next_alert, at or now)
    return Prepared(lead, team, method, earlier, planned)


_FOUND = select(Lead).where(
    col(Lead.id) == bindparam("lead_id"), visibility.leads(bindparam("viewer_id"), bindparam("now", type_=UTCDateTime))
)
_LOCKED = _FOUND.with_for_update(of=Lead)


async def _lead(session: AsyncSession, viewer_id: int, lead_id: int, now: datetime, *, lock: bool) -> Lead:
    wanted = {"lead_id": lead_id, "viewer_id": viewer_id, "now": now}
    lead = (await session.exec(_LOCKED if lock else _FOUND, params=wanted)).one_or_none()
    if lead is None:
        raise Refusal(Code.NOT_FOUND, "There is no lead with this id.")
    if lead.creator_id != viewer_id:
        raise Refusal(Code.FORBIDDEN, "Only the creator of a lead may submit it.")
    if lead.distribution_target is not DistributionTarget.TEAM_ROLLOUT:
        raise Refusal(Code.NOT_TEAM_ROLLOUT, "The lead's distribution target is not Team Rollout.")
    if lead.claimed_by_id is not None:
        raise await already_claimed(session, lead)
    return lead


_USABLE = select(Team).where(col(Team.creator_id) == bindparam("creator_id"), col(Team.deleted_at).is_(None))
_SPECIFIC = _USABLE.where(col(Team.id) == bindparam("team_id"))
_OLDEST_WITH_ZIPCODE = (
    _USABLE.join(TeamZipcode, col(TeamZipcode.team_id) == col(Team.id))
    .where(col(TeamZipcode.zipcode) == bindparam("zipcode"))
    .order_by(col(Team.created_at), col(Team.id))
    .limit(1)
)


async def _specific_team(session: AsyncSession, lead: Lead) -> Team:
    wanted = {"creator_id": lead.creator_id, "team_id": lead.team_id}
    team = (await session.exec(_SPECIFIC, params=wanted)).one_or_none()
    if team is None:
        raise Refusal(Code.TEAM_NOT_USABLE, "The lead names no team, or none that you created and still have.")
    return team


async def _team_by_zipcode(session: AsyncSession, lead: Lead) -> Team:
    """Of teams with the same zipcode the one created first."""
    if not lead.zipcode:
        raise Refusal(Code.ZIPCODE_MISSING, "The lead has no zipcode to choose a team by.")
    wanted = {"creator_id": lead.creator_id, "zipcode": lead.zipcode}
    team = (await session.exec(_OLDEST_WITH_ZIPCODE, params=wanted)).one_or_none()
    if team is None:
        raise Refusal(Code.NO_TEAM_FOR_ZIPCODE, f"None of your teams has the zipcode {lead.zipcode}.")
    return team


_IN_TEAM = col(TeamMember.team_id) == bindparam("team_id")
_OF_TEAM = col(DistributionOption.team_id) == bindparam("team_id")
_FACTS: tuple[Any, ...] = (
    User.id,
    TeamMember.request_status,
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
_CANDIDATES = (
    select(*_FACTS)
    .select_from(User)
    .outerjoin(TeamMember, and_(_IN_TEAM, col(TeamMember.user_id) == col(User.id)))
    .outerjoin(DistributionOption, and_(_OF_TEAM, col(DistributionOption.user_id) == col(User.id)))
    .where(col(User.id).in_(_EVERYBODY))
)
"""The members of a team and everybody with an option in it."""


async def _candidates(session: AsyncSession, team: Team) -> list[Candidate]:
    rows = await session.exec(_CANDIDATES, params={"team_id": team.id})
    return [_candidate(team, *row) for row in rows]


def _candidate(
    team: Team,
    user_id: int,
    membership: Any,
    is_active: bool,
    away_until: datetime | None,
    option_id: int | None,
    *option: Any,
) -> Candidate:
    return Candidate(
        user_id=user_id,
        membership=membership,
        is_creator=user_id == team.creator_id,
        is_active=is_active,
        away_until=away_until,
        option=None if option_id is None else Option(*option),
    )


_EARLIER = select(LeadOffer.user_id, LeadOffer.status, LeadOffer.notify_at).where(
    col(LeadOffer.lead_id) == bindparam("lead_id")
)


async def _earlier_offers(session: AsyncSession, lead: Lead) -> tuple[EarlierOffer, ...]:
    rows = await session.exec(_EARLIER, params={"lead_id": lead.id})
    return tuple(EarlierOffer(*row) for row in rows)
