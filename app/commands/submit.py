"""Submitting a lead: its team's members are offered it, each at their moment, in one transaction."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlmodel.ext.asyncio.session import AsyncSession

from app.commands import outbox, rollouts
from app.commands.auto_assign import assign_automatically
from app.commands.locks import lock_lead
from app.commands.preparation import Prepared, prepare
from app.db.models import Lead, LeadOffer, Team
from app.domain.alert_channels import alerted_on
from app.domain.enums import OPEN_STATUSES
from app.domain.planner import Plan, Skipped
from app.errors import ApiError, Code
from app.observability import metrics


@dataclass(frozen=True, slots=True)
class Submitted:
    """What a submit did. `offers` are all of the lead's by this team, by `notify_at`, then id."""

    lead: Lead
    team: Team
    offers: Sequence[LeadOffer]
    created_count: int
    skipped: tuple[Skipped, ...]


async def submit_lead_offers(session: AsyncSession, viewer_id: int, lead_id: int, now: datetime) -> Submitted:
    """Offers the lead to its team (rules of submitting a lead). A second submit offers it to those who are new.

    Raises a ApiError: those of `prepare`, and NO_ELIGIBLE_MEMBERS where nobody is to be planned and no offer is open.
    """
    prepared = await prepare(session, viewer_id, lead_id, now, lock=True)
    lead, team, planned = prepared.lead, prepared.team, prepared.plan
    if planned.offers:
        lead = await _write(session, prepared, now)
        metrics.after_commit(session, metrics.OFFERS_SCHEDULED.inc, len(planned.offers))
    elif not any(offer.status in OPEN_STATUSES for offer in prepared.earlier):
        raise _nobody(planned)
    offers = await rollouts.offers_by_team(session, lead.id, team.id)
    return Submitted(lead, team, offers, len(planned.offers), planned.skipped)


def _nobody(planned: Plan) -> ApiError:
    skipped = [{"userId": str(skip.user_id), "reason": skip.reason.name} for skip in planned.skipped]
    return ApiError(Code.NO_ELIGIBLE_MEMBERS, "Nobody in the team can be offered this lead now.", {"skipped": skipped})


async def _write(session: AsyncSession, prepared: Prepared, now: datetime) -> Lead:
    """The offers, the work of telling their users, and the record of it; then who gets the lead by itself at once.

    Gives the lead as it is then.
    """
    lead, planned = prepared.lead, prepared.plan
    offer_ids = await rollouts.write_offers(session, prepared)
    await outbox.schedule_deliveries(
        session,
        [
            (offer_ids[offer.user_id], channel, offer.notify_at)
            for offer in planned.offers
            for channel in alerted_on(offer)
        ],
    )
    await rollouts.record(session, prepared, list(offer_ids.values()), now)
    await rollouts.watch(session, lead, now)
    if any(offer.assign_automatically and offer.notify_at <= now for offer in planned.offers):
        await assign_automatically(session, lead.id, now)
        return await lock_lead(session, lead.id)
    return lead
