"""Assigns leads: the creator of a lead gives it to a member of one of their teams, or to themself."""

from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, and_, union
from sqlalchemy.orm import aliased
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from app.access import visibility
from app.commands import outbox
from app.commands.claim import end_offers
from app.commands.claim_ledger import end_claim, open_claim
from app.commands.locks import lock_own_lead
from app.db.alert_columns import alerts_of
from app.db.models import DistributionOption, Lead, LeadOffer, Team, TeamMember, User
from app.domain.alert_channels import Alerts
from app.domain.enums import ClaimedVia, ClaimEnd, LeadOfferStatus
from app.domain.timestamps import seconds_between
from app.errors import ApiError, Code
from app.observability import metrics


async def assign_lead(session: AsyncSession, viewer_id: int, lead_id: int, user_id: int, now: datetime) -> Lead:
    """Give a lead, claimed or not, to the viewer or to an active, accepted member of one of the viewer's teams.

    The user gets a CLAIMED offer that is due, and is notified unless they are the viewer. Idempotent. Raises NOT_FOUND
    for the lead and for the user, and FORBIDDEN if somebody else created the lead.
    """
    lead = await lock_own_lead(session, viewer_id, lead_id, now, to="assign")
    await _check_assignee(session, viewer_id, user_id)
    if lead.claimed_by_id == user_id:
        return lead

    if lead.claimed_by_id is not None:
        await end_claim(session, lead_id, ClaimEnd.REASSIGNED, now)
    lead.claimed_by_id, lead.claimed_at, lead.claimed_via = user_id, now, ClaimedVia.ASSIGNED
    if lead.first_claimed_via is None:
        lead.first_claimed_at, lead.first_claimed_via = now, ClaimedVia.ASSIGNED
    lead.gives_up_at = None
    metrics.lead_taken(session, ClaimedVia.ASSIGNED.name, seconds_between(lead.created_at, now))
    await session.flush()
    await end_offers(session, lead_id, user_id)
    offer = await _due_offer(session, lead, user_id, now)
    await open_claim(session, lead_id)

    await outbox.emit_offer_claimed(session, lead_id, user_id, ClaimedVia.ASSIGNED, lead.created_at, now)
    if user_id != viewer_id:
        await outbox.schedule_deliveries(session, [outbox.Announcement(offer.id, alerts_of(offer), now)])
    return lead


def assignable_users(viewer_id: visibility.ViewerId) -> ColumnElement[bool]:
    """The users to whom the viewer may assign leads: active, accepted members of the viewer's teams, and the viewer."""
    me = aliased(User)
    members = (
        select(TeamMember.user_id)
        .join(Team, col(Team.id) == col(TeamMember.team_id))
        .where(visibility.usable_teams(viewer_id), visibility.is_accepted())
    )
    either = union(select(me.id).where(col(me.id) == viewer_id), members)
    return and_(col(User.is_active), col(User.id).in_(either))


async def _check_assignee(session: AsyncSession, viewer_id: int, user_id: int) -> None:
    found = select(User.id).where(col(User.id) == user_id, assignable_users(viewer_id))
    if (await session.exec(found)).one_or_none() is None:
        raise ApiError(Code.NOT_FOUND, "There is no active member with this id in any of your teams.")


async def _due_offer(session: AsyncSession, lead: Lead, user_id: int, now: datetime) -> LeadOffer:
    """Return the user's offer of the lead, made due if it was ahead, or a new one."""
    found = select(LeadOffer).where(col(LeadOffer.lead_id) == lead.id, col(LeadOffer.user_id) == user_id)
    offer = (await session.exec(found, execution_options={"populate_existing": True})).one_or_none()
    if offer is None:
        offer = await _new_offer(session, lead, user_id, now)
        session.add(offer)
    elif offer.notify_at is not None:
        offer.notify_at = min(offer.notify_at, now)
    await session.flush()
    return offer


async def _new_offer(session: AsyncSession, lead: Lead, user_id: int, now: datetime) -> LeadOffer:
    """Return a CLAIMED offer with the alerts of the user's option in the lead's team, or else by e-mail."""
    found = select(DistributionOption).where(
        col(DistributionOption.team_id) == lead.team_id, col(DistributionOption.user_id) == user_id
    )
    option = (await session.exec(found)).one_or_none()
    flags: dict[str, Any] = (Alerts(email=True) if option is None else alerts_of(option)).fields()

    # The offer has no team if the user is not in the lead's team: it would count as withdrawn.
    shared_team = select(Team.id).where(col(Team.id) == lead.team_id, visibility.teams(user_id))
    return LeadOffer(
        lead_id=lead.id,
        user_id=user_id,
        team_id=(await session.exec(shared_team)).one_or_none(),
        offered_by_id=lead.creator_id,
        notify_at=now,
        **flags,
        status=LeadOfferStatus.CLAIMED,
    )
