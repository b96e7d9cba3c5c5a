"""Why an open offer's user is not to get the lead any more, and taking such an offer back."""

from collections.abc import Mapping
from datetime import datetime

from sqlalchemy import ColumnElement, and_, case, exists, or_, select, update
from sqlmodel import col
from sqlmodel.ext.asyncio.session import AsyncSession

from app.commands import deliveries
from app.models import EndReason, LeadOffer, LeadOfferStatus, RequestStatus, Team, TeamMember, User, stored


def obstacle(now: datetime) -> ColumnElement[EndReason | None]:
    """What stands between an offer and its user now, null where nothing does: a column for any select of offers.

    It is asked again before each automatic assignment, because whoever was eligible at the submit may have left
    since. An offer without a team, which only imports make, has no team to leave.
    """
    its_user, its_team = col(User.id) == col(LeadOffer.user_id), col(Team.id) == col(LeadOffer.team_id)
    is_off = exists(select(1).where(its_user, col(User.is_active).is_(False)))
    is_away = exists(select(1).where(its_user, col(User.away_until) > now))
    is_deleted = exists(select(1).where(its_team, col(Team.deleted_at).is_not(None)))
    is_creator = exists(select(1).where(its_team, col(Team.creator_id) == col(LeadOffer.user_id)))
    has_left = and_(col(LeadOffer.team_id).is_not(None), ~or_(is_creator, _is_accepted()))
    return case(
        (is_off, stored(EndReason.SWITCHED_OFF)),
        (is_deleted, stored(EndReason.TEAM_DELETED)),
        (has_left, stored(EndReason.LEFT)),
        (is_away, stored(EndReason.AWAY)),
    )


def _is_accepted() -> ColumnElement[bool]:
    return exists(
        select(1).where(
            col(TeamMember.team_id) == col(LeadOffer.team_id),
            col(TeamMember.user_id) == col(LeadOffer.user_id),
            col(TeamMember.request_status) == RequestStatus.ACCEPTED,
        )
    )


async def withdraw_unsent(session: AsyncSession, reasons: Mapping[int, EndReason]) -> None:
    """Cancels these offers, by id, as far as they are still scheduled; nothing more is sent of any of them."""
    if not reasons:
        return
    among_them = col(LeadOffer.id).in_(reasons)
    by_id = case({offer_id: stored(reason) for offer_id, reason in reasons.items()}, value=col(LeadOffer.id))
    await session.exec(
        update(LeadOffer)
        .where(among_them, col(LeadOffer.status) == LeadOfferStatus.SCHEDULED)
        .values(status=LeadOfferStatus.CANCELLED, end_reason=by_id),
        execution_options={"synchronize_session": False},
    )
    await deliveries.cancel(session, among_them)
