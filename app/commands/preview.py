"""What a submit would do: the same checks and the same planner, nothing written."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from sqlmodel.ext.asyncio.session import AsyncSession

from app.commands.submit import prepare_submission
from app.commands.team_warnings import fetch_people
from app.db.models import Lead, Team
from app.domain.enums import Channel
from app.domain.planner import PlannedOffer, Skipped
from app.domain.team_warnings import TeamWarning, TeamWarningCode, find_warnings
from app.domain.timestamps import format_instant
from app.errors import Problem, bad_input


@dataclass(frozen=True, slots=True)
class Preview:
    """A submit that was not made. `warnings` are those of the team that bear on this lead."""

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
    """What a submit `at` another moment, or now, would do as things stand.

    Refuses as a submit does, except that nobody eligible is an answer. BAD_USER_INPUT for a moment before now, or
    so late that time ends before the last offer. `unserved` are channels that this server is not set up for.
    """
    if at is not None and at < now:
        raise bad_input(Problem("at", f"must not be before now, {format_instant(now)}"))
    try:
        submission = await prepare_submission(session, viewer_id, lead_id, now, at=at, lock=False)
    except OverflowError as error:
        raise bad_input(Problem("at", "is so late that offers would be made after the year 9999")) from error
    people = (await fetch_people(session, [submission.team.id]))[submission.team.id]
    offers, skipped = submission.plan.offers, submission.plan.skipped
    planned = {offer.user_id for offer in offers}
    applying = tuple(
        warning
        for warning in find_warnings(people, offers, {}, unserved)
        if warning.code is TeamWarningCode.INVITATION_NOT_ACCEPTED or warning.user_id in planned
    )
    return Preview(submission.lead, submission.team, offers, skipped, applying)
