"""Submits a lead: chooses its team, plans offers to the team's members and writes them, in one transaction.

The checks and the plan come first and write nothing, so that a preview shares them. If the team has nobody to offer the
lead to, the next team is asked. These statements are compiled, because submits are frequent.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import bindparam
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from app.access import visibility
from app.commands.auto_assign import auto_assign
from app.commands.chains import CHAIN_TEAMS, ChainTeam, chain_team, fetch_chain
from app.commands.claim import already_claimed
from app.commands.locks import lock_lead, lock_visible_lead, require_creator, share
from app.commands.passing_on import running_steps
from app.commands.step_end import set_gives_up_at
from app.commands.steps import KnownOffer, Step, known_offers, open_teams, plan_step, wait_minutes, write_step
from app.commands.submittable import named_team, team_with_zipcode
from app.db.compiled import Statement
from app.db.models import Lead, LeadOffer, Team, TeamZipcode
from app.db.sqlalchemy_internals import detached
from app.db.types import Id, UTCDateTime
from app.domain.bounds import LONGEST_CHAIN
from app.domain.enums import DistributionTarget, RolloutCause, TeamSelectionMethod
from app.domain.planner import Skipped
from app.errors import ApiError, Code


@dataclass(frozen=True, slots=True)
class PassedOver:
    """A team that had nobody to offer the lead to, and the reasons."""

    team: Team
    skipped: tuple[Skipped, ...]


@dataclass(frozen=True, slots=True)
class Submission:
    """A lead that may be submitted, how its team is chosen, and the steps that a submit would make."""

    lead: Lead
    method: TeamSelectionMethod
    known: Sequence[KnownOffer]
    """The lead's existing offers, by whatever team."""
    steps: Sequence[Step]
    """The teams that are asked, in order. Only the last one may have anybody to offer the lead to."""

    @property
    def chosen(self) -> Step:
        return self.steps[-1]

    @property
    def passed_over(self) -> tuple[PassedOver, ...]:
        return tuple(PassedOver(step.team, step.plan.skipped) for step in self.steps[:-1])


@dataclass(frozen=True, slots=True)
class Submitted:
    """The result of a submit. `offers` are all offers of the lead by this team, by `notify_at`, then id."""

    lead: Lead
    team: Team
    offers: Sequence[LeadOffer]
    created_count: int
    skipped: tuple[Skipped, ...]
    passed_over: tuple[PassedOver, ...]


async def submit_lead_offers(session: AsyncSession, viewer_id: int, lead_id: int, now: datetime) -> Submitted:
    """Offer the lead to the members of its team; a second submit offers it to those who have no offer yet.

    Raises the errors of `prepare_submission`, and NO_ELIGIBLE_MEMBERS if nobody can be planned and no offer is open.
    """
    return await _submit(session, await prepare_submission(session, viewer_id, lead_id, now, lock=True), now)


async def submit_new_lead(session: AsyncSession, lead: Lead, now: datetime) -> Submitted:
    """Offer a lead that this transaction has created for a team to its members. Raises errors as a submit does."""
    return await _submit(session, await _prepare(session, lead, [], now, lock=True), now)


async def _submit(session: AsyncSession, submission: Submission, now: datetime) -> Submitted:
    lead, chosen = submission.lead, submission.chosen
    offers: list[LeadOffer] | None = None
    if chosen.plan.offers:
        asked: list[Team] = []
        for step in submission.steps:
            asked.append(step.team)
            made = await write_step(session, lead, step, submission.method, wait_minutes(session, asked), now)
        if any(offer.assign_automatically and offer.notify_at <= now for offer in chosen.plan.offers):
            await auto_assign(session, lead.id, now)
            lead = await lock_lead(session, lead.id)
        elif not submission.known:
            offers = sorted(made, key=lambda offer: (offer.notify_at, offer.id))
        await set_gives_up_at(session, [lead.id], now)
    elif not any(offer.is_open for offer in submission.known):
        raise _nobody_eligible(submission.steps)
    if offers is None:
        offers = await _BY_TEAM.all(session, lead_id=lead.id, team_id=chosen.team.id)
    return Submitted(lead, chosen.team, offers, len(chosen.plan.offers), chosen.plan.skipped, submission.passed_over)


def _nobody_eligible(steps: Sequence[Step]) -> ApiError:
    skipped = [
        {"userId": str(skip.user_id), "reason": skip.reason.name} for step in steps for skip in step.plan.skipped
    ]
    teams = f"the team {steps[0].team.name}" + (" and the teams that follow it" if len(steps) > 1 else "")
    message = f"Nobody in {teams} can be offered this lead now. See skipped for the reasons."
    return ApiError(Code.NO_ELIGIBLE_MEMBERS, message, {"skipped": skipped})


async def prepare_submission(
    session: AsyncSession, viewer_id: int, lead_id: int, now: datetime, *, lock: bool, at: datetime | None = None
) -> Submission:
    """Check a submit as of `now` and plan it as of `at`, by default `now`. Nothing is written.

    With `lock` the lead's row is locked first, so that no offer is made while somebody claims the lead. The locks of
    its team and of the candidates are shared, so that the plan is of one state of both.

    Raises the first error that applies: NOT_FOUND, FORBIDDEN, NOT_TEAM_ROLLOUT, ALREADY_CLAIMED, TEAM_NOT_USABLE,
    ZIPCODE_MISSING, NO_TEAM_FOR_ZIPCODE, NO_DISTRIBUTION_OPTIONS.
    """
    lead = await _submittable_lead(session, viewer_id, lead_id, now, lock=lock)
    return await _prepare(session, lead, await known_offers(session, lead_id), at or now, lock=lock)


async def _prepare(
    session: AsyncSession, lead: Lead, known: Sequence[KnownOffer], at: datetime, *, lock: bool
) -> Submission:
    # An imported lead may lack the method. It then goes to the team that it names.
    method = lead.team_selection_method or TeamSelectionMethod.SPECIFIC_TEAM
    by_zipcode = method is TeamSelectionMethod.ZIPCODE
    first = await (_team_by_zipcode if by_zipcode else _specific_team)(session, lead, lock=lock)

    has_open_offer = any(offer.is_open for offer in known)
    longest = 1 if has_open_offer else LONGEST_CHAIN
    chain = await fetch_chain(session, first, longest=longest, lock=lock, offered_by=open_teams(known))
    steps: list[Step] = []
    for team in chain:
        cause = RolloutCause.PASSED_ON if steps else RolloutCause.SUBMITTED
        steps.append(await plan_step(session, lead, team, known, cause, at, lock=lock))
        if steps[-1].plan.offers:
            break
    has_nobody = not steps[0].has_options and not steps[-1].plan.offers
    if has_nobody and not (has_open_offer and await _has_gone_on(session, lead, chain[0])):
        raise ApiError(Code.NO_DISTRIBUTION_OPTIONS, f"The team {chain[0].name} has no distribution options.")
    return Submission(lead, method, known, steps)


async def _has_gone_on(session: AsyncSession, lead: Lead, team: Team) -> bool:
    """Return whether the lead has gone on from this team to another one since its last submit.

    A submit that passed over a team without options can then be repeated, like any other.
    """
    asked = [asked_team.id for _, asked_team in await running_steps(session, lead)]
    return team.id in asked[:-1]


# Checks of the lead and choice of its team

_VISIBLE_LEAD = Statement(
    select(Lead).where(
        col(Lead.id) == bindparam("lead_id"),
        visibility.leads(bindparam("viewer_id", type_=Id), bindparam("now", type_=UTCDateTime)),
    ),
    detached(Lead),
)


async def _submittable_lead(session: AsyncSession, viewer_id: int, lead_id: int, now: datetime, *, lock: bool) -> Lead:
    if lock:
        lead = await lock_visible_lead(session, viewer_id, lead_id, now)
    else:
        lead = await _VISIBLE_LEAD.first(session, lead_id=lead_id, viewer_id=viewer_id, now=now)
    require_creator(None if lead is None else lead.creator_id, viewer_id, to="submit")
    assert lead is not None
    if lead.distribution_target is not DistributionTarget.TEAM_ROLLOUT:
        raise ApiError(Code.NOT_TEAM_ROLLOUT, "The lead's distribution target is not Team Rollout.")
    if lead.claimed_by_id is not None:
        raise await already_claimed(session, lead)
    return lead


_CREATOR_ID = bindparam("creator_id", type_=Id)
_SPECIFIC = named_team(CHAIN_TEAMS, _CREATOR_ID, bindparam("team_id"))
_OLDEST_WITH_ZIPCODE = team_with_zipcode(CHAIN_TEAMS, _CREATOR_ID, bindparam("zipcode"))
_BY_ID = {False: Statement(_SPECIFIC, chain_team), True: Statement(share(_SPECIFIC, Team), chain_team)}
_BY_ZIPCODE = {
    False: Statement(_OLDEST_WITH_ZIPCODE, chain_team),
    True: Statement(share(_OLDEST_WITH_ZIPCODE, Team, TeamZipcode), chain_team),
}
"""Both with and without a lock."""


async def _specific_team(session: AsyncSession, lead: Lead, *, lock: bool) -> ChainTeam:
    team = await _BY_ID[lock].first(session, creator_id=lead.creator_id, team_id=lead.team_id)
    if team is None:
        raise ApiError(Code.TEAM_NOT_USABLE, "The lead's team is missing or deleted, or you did not create it.")
    return team


async def _team_by_zipcode(session: AsyncSession, lead: Lead, *, lock: bool) -> ChainTeam:
    """Return the creator's oldest team with the lead's zipcode."""
    if not lead.zipcode:
        raise ApiError(Code.ZIPCODE_MISSING, "The lead has no zipcode, and its team is selected by zipcode.")
    team = await _BY_ZIPCODE[lock].first(session, creator_id=lead.creator_id, zipcode=lead.zipcode)
    if team is None:
        raise ApiError(Code.NO_TEAM_FOR_ZIPCODE, f"None of your teams has the zipcode {lead.zipcode}.")
    return team


_BY_TEAM = Statement(
    select(LeadOffer)
    .where(col(LeadOffer.lead_id) == bindparam("lead_id"), col(LeadOffer.team_id) == bindparam("team_id"))
    .order_by(col(LeadOffer.notify_at).nulls_last(), col(LeadOffer.id)),
    detached(LeadOffer),
)
