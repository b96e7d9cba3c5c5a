"""Figures of the members of a team: who was offered leads, and who took them.

One statement. Each of its three parts reads the rows of the team within the span by an index: offers by `notify_at`,
claims by the time of the claim, and steps by the time of the submit.
"""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Integer,
    Select,
    and_,
    case,
    cast,
    exists,
    func,
    literal_column,
    null,
    or_,
    union_all,
)
from sqlalchemy import select as select_columns
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from app.access import visibility
from app.db.functions import gathered
from app.db.models import Claim, Delivery, Lead, LeadOffer, LeadRollout, Team, User
from app.domain.enums import ClaimEnd, LeadOfferStatus
from app.domain.figures import Durations, Span, summarize
from app.figures.time_to_claim import time_to_claim
from app.lists.pagination import table_of

MEMBER_COUNTS = ("turns", "offers", "claims", "declines", "missed", "released")

_OFFER, _CLAIM, _STEP, _LEAD = (table_of(model).c for model in (LeadOffer, Claim, LeadRollout, Lead))


@dataclass(frozen=True, slots=True)
class MemberFigures:
    """The work of one user on the leads of a team. docs/figures.md defines the numbers."""

    user: User
    turns: int
    offers: int
    claims: int
    declines: int
    missed: int
    released: int
    time_to_claim: Durations


async def member_figures(session: AsyncSession, viewer_id: int, team_id: int, span: Span) -> list[MemberFigures]:
    """Return the figures of everybody who was offered a lead of the team in the span or got one, ordered by user id.

    Empty unless the viewer created the team and it is not deleted.
    """
    is_mine = exists(select(1).where(col(Team.id) == team_id, visibility.usable_teams(viewer_id)))
    of_team = (viewer_id, team_id, span)
    row = union_all(
        *(part.where(is_mine) for part in (_turns(*of_team), _offers(*of_team), _claims(*of_team)))
    ).subquery()
    sums = (func.sum(row.c[name]).label(name) for name in MEMBER_COUNTS)
    member = (
        select_columns(row.c.user_id, *sums, gathered(row.c.seconds).label("seconds"))
        .group_by(row.c.user_id)
        .subquery()
    )
    found: Any = (
        select_columns(User, *(member.c[name] for name in MEMBER_COUNTS), member.c.seconds)
        .join(member, member.c.user_id == col(User.id))
        .order_by(col(User.id))
    )
    return [
        MemberFigures(user, turns, offers, claims, declines, missed, released, summarize(seconds))
        for user, turns, offers, claims, declines, missed, released, seconds in await session.exec(found)
    ]


def _counts(user_id: ColumnElement[Any], seconds: ColumnElement[Any] | None = None, **counts: Any) -> Select[Any]:
    """Select a user, what a row counts for them, and the time to claim. A count is 0 unless it is given."""
    columns = (counts.get(name, _ZERO).label(name) for name in MEMBER_COUNTS)
    times = cast(null(), Integer) if seconds is None else seconds
    return select_columns(user_id.label("user_id"), *columns, times.label("seconds"))


def _one_if(condition: ColumnElement[bool]) -> ColumnElement[int]:
    return case((condition, _ONE), else_=_ZERO)


_ZERO, _ONE = literal_column("0", Integer), literal_column("1", Integer)


def _within(time: ColumnElement[Any], span: Span) -> ColumnElement[bool]:
    return and_(time >= span.begins, time < span.ends)


def _turns(viewer_id: int, team_id: int, span: Span) -> Select[Any]:
    """The steps that used somebody's turn."""
    return (
        _counts(_STEP.turn_user_id, turns=_ONE)
        .join(Lead, _LEAD.id == _STEP.lead_id)
        .where(
            _STEP.team_id == team_id,
            _STEP.turn_user_id.is_not(None),
            _within(_STEP.submitted_at, span),
            _LEAD.creator_id == viewer_id,
        )
    )


def _offers(viewer_id: int, team_id: int, span: Span) -> Select[Any]:
    """The offers, by the time at which their users are notified.

    Others may have made offers of the team, in an import.
    """
    claims = select(Claim.end_reason).where(_CLAIM.lead_id == _OFFER.lead_id, _CLAIM.user_id == _OFFER.user_id)
    last_end = claims.order_by(_CLAIM.id.desc()).limit(1).scalar_subquery()
    was_sent = exists(
        select(1).where(col(Delivery.offer_id) == _OFFER.id, col(Delivery.sent_at).is_not(None)),
    )
    was_told = or_(_OFFER.status == LeadOfferStatus.EXPIRED, and_(_OFFER.status == LeadOfferStatus.CANCELLED, was_sent))
    # A release makes the offer DECLINED, too.
    declined = and_(_OFFER.status == LeadOfferStatus.DECLINED, last_end.is_distinct_from(ClaimEnd.RELEASED))
    return _counts(
        _OFFER.user_id, offers=_ONE, declines=_one_if(declined), missed=_one_if(and_(was_told, ~claims.exists()))
    ).where(
        _OFFER.team_id == team_id,
        _OFFER.user_id.is_not(None),
        _within(_OFFER.notify_at, span),
        _OFFER.offered_by_id == viewer_id,
    )


def _claims(viewer_id: int, team_id: int, span: Span) -> Select[Any]:
    """The rows of the ledger. A claim that was imported without its time counts at the time of the lead."""
    was_told = and_(_OFFER.id == _CLAIM.offer_id, _OFFER.notify_at <= _CLAIM.claimed_at)
    seconds = time_to_claim(_OFFER.notify_at, _CLAIM.via, _CLAIM.claimed_at)
    return (
        _counts(_CLAIM.user_id, seconds, claims=_ONE, released=_one_if(_CLAIM.end_reason == ClaimEnd.RELEASED))
        .join(Lead, _LEAD.id == _CLAIM.lead_id)
        .outerjoin(LeadOffer, was_told)
        .where(
            _CLAIM.team_id == team_id,
            or_(_within(_CLAIM.claimed_at, span), and_(_CLAIM.claimed_at.is_(None), _within(_LEAD.created_at, span))),
            _LEAD.creator_id == viewer_id,
        )
    )
