"""Automatic assignment: a due offer with `assign_automatically` gives the unclaimed lead to its user."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import and_, case
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from app.commands import outbox
from app.commands.candidates import IS_CONTACTS_AGENT, count_leads
from app.commands.claim import take_lead
from app.commands.escalation import escalate
from app.commands.locks import lock_counted_teams
from app.commands.offer_standing import IS_OPEN, ineligibility
from app.commands.withdrawal import withdraw_unsent
from app.db.alert_columns import alerts_of
from app.db.models import DistributionOption, LeadOffer, User
from app.domain.enums import ClaimedVia, EndReason
from app.domain.quiet_hours import quiet_until
from app.domain.time_zones import day_start


async def auto_assign(session: AsyncSession, lead_id: int, now: datetime) -> bool:
    """Give an unclaimed lead to the user of its first due automatic offer, and return whether it was given.

    The user is notified on the offer's channels. Before that offer, offers of users in quiet hours are held, and unsent
    offers of users who are no longer eligible, or have reached their cap, are withdrawn; the lead then escalates, and
    the next tier may have an automatic offer too. The caller has locked the lead.
    """
    withdrawn: dict[int, EndReason] = {}
    taker: LeadOffer | None = None
    for due in await _due_offers(session, lead_id, now):
        offer, user = due.offer, due.user
        if due.ineligibility is not None:
            withdrawn[offer.id] = due.ineligibility
        elif due.cap is not None and await _has_reached(session, due, due.cap, now):
            withdrawn[offer.id] = EndReason.CAP
        elif (held_until := quiet_until(user.quiet_hours_start, user.quiet_hours_end, user.timezone, now)) is not None:
            offer.held_until = held_until
        else:
            taker = offer
            break
    await session.flush()
    await withdraw_unsent(session, withdrawn)

    if taker is None:
        escalated = bool(withdrawn) and await escalate(session, lead_id, now)
        return escalated and await auto_assign(session, lead_id, now)
    if taker.user_id is None or not await take_lead(session, lead_id, taker.user_id, ClaimedVia.AUTO, now):
        return False
    await outbox.schedule_deliveries(session, [outbox.Announcement(taker.id, alerts_of(taker), now)])
    return True


class _AutomaticOffer(NamedTuple):
    offer: LeadOffer
    ineligibility: EndReason | None
    user: User
    cap: int | None
    """The user's cap in the team of the offer. Null for none, and for the contact's agent, who has none."""

    def is_due(self, now: datetime) -> bool:
        return self.offer.notify_at is not None and self.offer.notify_at <= now


async def _due_offers(session: AsyncSession, lead_id: int, now: datetime) -> Sequence[_AutomaticOffer]:
    """Return the lead's open, due, automatic offers in order of precedence.

    If a cap decides, the teams of users with a cap are locked, so that other assignments under the same cap wait. Those
    of offers that are not due yet are locked as well: an escalation makes them due, when the order of locks is over.
    """
    is_its_option = and_(
        col(DistributionOption.team_id) == col(LeadOffer.team_id),
        col(DistributionOption.user_id) == col(LeadOffer.user_id),
    )
    statement: Any = (
        select(
            LeadOffer,
            ineligibility(now),
            User,
            case((IS_CONTACTS_AGENT, None), else_=DistributionOption.max_leads_per_day),
        )
        .join(User, col(User.id) == col(LeadOffer.user_id))
        .outerjoin(DistributionOption, is_its_option)
        .where(
            col(LeadOffer.lead_id) == lead_id,
            col(LeadOffer.assign_automatically).is_(True),
            IS_OPEN,
        )
        .order_by(
            col(LeadOffer.notify_at),
            case((IS_CONTACTS_AGENT, 0), else_=1),
            col(LeadOffer.rank).nulls_last(),
            col(LeadOffer.id),
        )
    )
    fresh = {"populate_existing": True}
    found = [_AutomaticOffer(*row) for row in await session.exec(statement, execution_options=fresh)]
    if any(each.is_due(now) and each.cap is not None for each in found):
        capped = [each.offer.team_id for each in found if each.cap is not None and each.offer.team_id is not None]
        await lock_counted_teams(session, capped)
        found = [_AutomaticOffer(*row) for row in await session.exec(statement, execution_options=fresh)]
    return [each for each in found if each.is_due(now)]


async def _has_reached(session: AsyncSession, due: _AutomaticOffer, cap: int, now: datetime) -> bool:
    assert due.offer.team_id is not None
    since = [(due.user.id, day_start(due.user.timezone, now))]
    return (await count_leads(session, due.offer.team_id, since)).get(due.user.id, 0) >= cap
