"""Previews a submit: the same checks and the same planner, and nothing is written."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from sqlmodel.ext.asyncio.session import AsyncSession

from app.commands.submit import prepare_submission, rollout_settings
from app.commands.team_warnings import fetch_people
from app.db.models import Lead, Team
from app.domain.enums import Channel
from app.domain.planner import PlannedOffer, Skipped
from app.domain.team_warnings import TeamWarning, TeamWarningCode, find_warnings
from app.domain.timestamps import format_instant
from app.domain.validation import checking


@dataclass(frozen=True, slots=True)
class Preview:
    """The result of a submit that was not made. `warnings` are the team's warnings that concern this lead."""

    lead: Lead
    team: Team
    offers: tuple[PlannedOffer, ...]
    skipped: tuple[Skipped, ...]
    warnings: tuple[TeamWarning, ...]


async def preview_lead_offers(
    session: AsyncSession,
    viewer_id: int,
    lead_id: int,
    at: datetime | None,
    now: datetime,
    unserved: Collection[Channel],
) -> Preview:
    """Return the offers that a submit at the time `at`, by default now, would make.

    `unserved` are the channels that this server cannot send on. Raises the errors of a submit except
    NO_ELIGIBLE_MEMBERS, and BAD_USER_INPUT if `at` is in the past, or too late to be stored.
    """
    with checking() as check:
        if at is not None and check.instant("at", at) < now and not check.problems:
            check.refuse("at", f"must not be before {format_instant(now)}, which is now")
    submission = await prepare_submission(session, viewer_id, lead_id, now, at=at, lock=False)
    team, planned = submission.team, submission.plan
    people = (await fetch_people(session, [team.id]))[team.id]
    offered_to = {offer.user_id for offer in planned.offers}
    warnings = tuple(
        warning
        for warning in find_warnings(people, planned.offers, {}, rollout_settings(team), None, unserved)
        if warning.code is TeamWarningCode.INVITATION_NOT_ACCEPTED or warning.user_id in offered_to
    )
    return Preview(submission.lead, team, planned.offers, planned.skipped, warnings)
