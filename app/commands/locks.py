"""Locks on leads. A command that creates, ends or moves offers first locks their leads, in ascending order of id.

A lock holds until the transaction ends. The order rules out deadlocks. SQLite has no row locks: there every write
transaction locks the whole database, and these statements only read.
"""

from collections.abc import Collection, Sequence
from datetime import datetime

from sqlalchemy import ColumnElement, bindparam, exists
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from app.access import visibility
from app.db.compiled import Statement
from app.db.functions import member_of
from app.db.models import Lead, LeadOffer
from app.db.sqlalchemy_internals import detached
from app.db.types import Id, UTCDateTime
from app.domain.enums import OPEN_STATUSES

_FRESH = {"populate_existing": True}
_VIEWER = bindparam("viewer_id", type_=Id)


async def lock_lead(session: AsyncSession, lead_id: int) -> Lead:
    """Lock a lead and return its current row."""
    one = select(Lead).where(col(Lead.id) == lead_id).with_for_update(of=Lead)
    return (await session.exec(one, execution_options=_FRESH)).one()


async def lock_leads(session: AsyncSession, lead_ids: Collection[int]) -> Sequence[Lead]:
    """Lock leads and return their current rows."""
    among = select(Lead).where(member_of(col(Lead.id), lead_ids)).order_by(col(Lead.id)).with_for_update(of=Lead)
    return (await session.exec(among, execution_options=_FRESH)).all()


async def lock_leads_of_open_offers(session: AsyncSession, offers: ColumnElement[bool]) -> Sequence[int]:
    """Lock the leads of the open offers that the condition matches, and return their ids."""
    is_open = col(LeadOffer.status).in_(OPEN_STATUSES)
    touched = exists(select(1).where(col(LeadOffer.lead_id) == col(Lead.id), offers, is_open))
    return (await session.exec(select(Lead.id).where(touched).order_by(col(Lead.id)).with_for_update(of=Lead))).all()


_IS_VISIBLE = visibility.leads(_VIEWER, bindparam("now", type_=UTCDateTime))
_VISIBLE = Statement(
    select(Lead).where(col(Lead.id) == bindparam("lead_id"), _IS_VISIBLE).with_for_update(of=Lead), detached(Lead)
)


async def lock_visible_lead(session: AsyncSession, viewer_id: int, lead_id: int, now: datetime) -> Lead | None:
    """Lock a lead that the viewer can see, and return its current row, detached from the session."""
    return await _VISIBLE.first(session, lead_id=lead_id, viewer_id=viewer_id, now=now)


_IS_OWN_OFFER = (col(LeadOffer.id) == bindparam("offer_id"), col(LeadOffer.user_id) == _VIEWER)
_OFFERED_LEAD = select(LeadOffer.lead_id).where(*_IS_OWN_OFFER).scalar_subquery()
_OF_OWN_OFFER = Statement(select(Lead).where(col(Lead.id) == _OFFERED_LEAD).with_for_update(of=Lead), detached(Lead))


async def lock_lead_of_own_offer(session: AsyncSession, viewer_id: int, offer_id: int) -> Lead | None:
    """Lock the lead of an offer made to the viewer, and return its current row, detached from the session."""
    return await _OF_OWN_OFFER.first(session, offer_id=offer_id, viewer_id=viewer_id)
