"""Assigning: the lead's creator gives it to somebody in a team of theirs."""

from datetime import datetime
from typing import Any

from sqlalchemy import and_, case, exists, or_, update
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from app.access import visibility
from app.commands import deliveries, events
from app.commands.claim import end_offers
from app.commands.leads import lock_own_lead
from app.db.alert_columns import alerts_of
from app.db.models import DistributionOption, Lead, LeadOffer, Team, User
from app.domain.alert_channels import Alerts
from app.domain.enums import ClaimedVia, LeadOfferStatus
from app.errors import ApiError, Code
from app.observability import metrics


async def assign_lead(session: AsyncSession, viewer_id: int, lead_id: int, user_id: int, now: datetime) -> Lead:
    """Gives the lead, claimed or not, to the viewer or to an active, accepted member of a team that they created.

    Raises a ApiError: NOT_FOUND for the lead or the user, FORBIDDEN for who did not create the lead.
    """
    lead = await lock_own_lead(session, viewer_id, lead_id, now, to="assign")
    if not await _may_be_given(session, viewer_id, user_id):
        raise ApiError(Code.NOT_FOUND, "There is no such user in a team of yours.")
    if lead.claimed_by_id == user_id:
        return lead
    lead.claimed_by_id, lead.claimed_at, lead.claimed_via = user_id, now, ClaimedVia.ASSIGNED
    metrics.lead_taken(session, ClaimedVia.ASSIGNED.name, (now - lead.created_at).total_seconds())
    await session.flush()
    await end_offers(session, lead_id, user_id)
    offer = await _offer_due(session, lead, user_id, now)
    await events.offer_claimed(session, lead_id, user_id, ClaimedVia.ASSIGNED, lead.created_at, now)
    if user_id != viewer_id:
        await deliveries.schedule(session, [(offer.id, channel, now) for channel in alerts_of(offer).channels])
    return lead


async def _may_be_given(session: AsyncSession, viewer_id: int, user_id: int) -> bool:
    in_my_team = exists(
        select(Team.id).where(visibility.usable_teams(viewer_id), visibility.has_accepted(col(Team.id), user_id))
    )
    found = select(User.id).where(
        col(User.id) == user_id, col(User.is_active), or_(col(User.id) == viewer_id, in_my_team)
    )
    return (await session.exec(found)).one_or_none() is not None


async def _offer_due(session: AsyncSession, lead: Lead, user_id: int, now: datetime) -> LeadOffer:
    """The user's claimed offer of the lead, due now where its moment had not come; a new one where there is none."""
    mine = and_(col(LeadOffer.lead_id) == lead.id, col(LeadOffer.user_id) == user_id)
    due = case((col(LeadOffer.notify_at) > now, now), else_=col(LeadOffer.notify_at))
    await session.exec(
        update(LeadOffer).where(mine).values(notify_at=due), execution_options={"synchronize_session": False}
    )
    found = select(LeadOffer).where(mine)
    offer = (await session.exec(found, execution_options={"populate_existing": True})).one_or_none()
    if offer is None:
        offer = await _new_offer(session, lead, user_id, now)
        session.add(offer)
        await session.flush()
    return offer


async def _new_offer(session: AsyncSession, lead: Lead, user_id: int, now: datetime) -> LeadOffer:
    """By the channels of the user's option in the lead's team, else by e-mail."""
    found = select(DistributionOption).where(
        col(DistributionOption.team_id) == lead.team_id, col(DistributionOption.user_id) == user_id
    )
    option = (await session.exec(found)).one_or_none()
    flags: dict[str, Any] = (Alerts(email=True) if option is None else alerts_of(option)).fields()
    return LeadOffer(
        lead_id=lead.id,
        user_id=user_id,
        team_id=await _team_of_both(session, lead, user_id),
        offered_by_id=lead.creator_id,
        notify_at=now,
        **flags,
        status=LeadOfferStatus.CLAIMED,
    )


async def _team_of_both(session: AsyncSession, lead: Lead, user_id: int) -> int | None:
    """The lead's team, if the user is in it: an offer counts as withdrawn once its user is not in its team."""
    found = select(Team.id).where(col(Team.id) == lead.team_id, visibility.teams(user_id))
    return (await session.exec(found)).one_or_none()
