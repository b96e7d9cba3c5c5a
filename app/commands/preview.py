"""Previews a submit: the same checks and the same planner, and nothing is written."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlmodel.ext.asyncio.session import AsyncSession

from app.commands.candidates import rollout_settings
from app.commands.chains import find_chain_team
from app.commands.passing_on import running_steps
from app.commands.steps import KnownOffer, Step, next_team_id, plan_step, wait_minutes
from app.commands.submit import PassedOver, Submission, prepare_submission
from app.commands.team_warnings import fetch_people
from app.db.models import Lead, Team
from app.domain.enums import Channel, LeadOfferStatus, RolloutCause
from app.domain.planner import PlannedOffer, Skipped
from app.domain.team_warnings import TeamWarning, TeamWarningCode, find_warnings
from app.domain.timestamps import format_instant, later
from app.domain.validation import checking


@dataclass(frozen=True, slots=True)
class PlannedStep:
    """A step that would follow if nobody took the lead until then."""

    team: Team
    starts_at: datetime
    offers: tuple[PlannedOffer, ...]
    skipped: tuple[Skipped, ...]


@dataclass(frozen=True, slots=True)
class Preview:
    """The result of a submit that was not made. `warnings` are the team's warnings that concern this lead."""

    lead: Lead
    team: Team
    offers: tuple[PlannedOffer, ...]
    skipped: tuple[Skipped, ...]
    warnings: tuple[TeamWarning, ...]
    turn_user_id: int | None
    passed_over: tuple[PassedOver, ...]
    next: tuple[PlannedStep, ...]


async def preview_lead_offers(
    session: AsyncSession,
    viewer_id: int,
    lead_id: int,
    at: datetime | None,
    now: datetime,
    unserved: Collection[Channel],
) -> Preview:
    """Return the offers that a submit at the time `at`, by default now, would make, and the steps that would follow.

    `unserved` are the channels that this server cannot send on. Raises the errors of a submit except
    NO_ELIGIBLE_MEMBERS, and BAD_USER_INPUT if `at` is in the past, or too late to be stored.
    """
    with checking() as check:
        if at is not None and check.instant("at", at) < now and not check.problems:
            check.refuse("at", f"must not be before {format_instant(now)}, which is now")
    submission = await prepare_submission(session, viewer_id, lead_id, now, at=at, lock=False)
    team, planned = submission.chosen.team, submission.chosen.plan
    people = await fetch_people(session, team.id)
    offered_to = {offer.user_id for offer in planned.offers}
    warnings = tuple(
        warning
        for warning in find_warnings(people, planned.offers, {}, rollout_settings(team), None, unserved)
        if warning.code is TeamWarningCode.INVITATION_NOT_ACCEPTED or warning.user_id in offered_to
    )
    return Preview(
        submission.lead,
        team,
        planned.offers,
        planned.skipped,
        warnings,
        planned.turn_user_id,
        submission.passed_over,
        tuple(await _following_steps(session, submission, at or now)),
    )


async def _following_steps(session: AsyncSession, submission: Submission, at: datetime) -> list[PlannedStep]:
    """Return the steps after the submit, each planned as of the moment when it begins, with what is known now."""
    lead, chosen = submission.lead, submission.chosen
    known = [*submission.known, *_as_known(chosen)]
    if chosen.plan.offers:
        asked = [step.team for step in submission.steps]
        begins_at = _over_at(known, wait_minutes(session, asked))
    elif lead.gives_up_at is not None:  # the submit changes nothing, and the running step goes on
        asked = [team for _, team in await running_steps(session, lead)]
        begins_at = max(lead.gives_up_at, at)
    else:
        return []

    following: list[PlannedStep] = []
    while asked and (team_id := next_team_id(asked)) is not None:
        found = await find_chain_team(session, team_id, lock=False)
        if found is None:
            break
        asked.append(found.team)
        step = await plan_step(session, lead, found.team, known, RolloutCause.PASSED_ON, begins_at, lock=False)
        following.append(PlannedStep(found.team, begins_at, step.plan.offers, step.plan.skipped))
        if step.plan.offers:
            known += _as_known(step)
            begins_at = _over_at(known, wait_minutes(session, asked))
    return following


def _as_known(step: Step) -> list[KnownOffer]:
    return [
        KnownOffer(new.user_id, LeadOfferStatus.SCHEDULED, new.notify_at, new.rank, step.team.id)
        for new in step.plan.offers
    ]


def _over_at(known: Sequence[KnownOffer], minutes: int) -> datetime:
    """Return when a step with open offers is over, as app/commands/step_end.py has it."""
    last = max(offer.notify_at for offer in known if offer.is_open and offer.notify_at is not None)
    return later(last, timedelta(minutes=minutes))
