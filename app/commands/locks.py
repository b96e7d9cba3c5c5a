"""The one lock: whatever makes, ends or moves offers locks their leads first, in the order of their ids."""

from collections.abc import Collection, Sequence

from sqlalchemy import bindparam
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from app.db.functions import member_of
from app.db.models import Lead

_ONE = select(Lead).where(col(Lead.id) == bindparam("lead_id")).with_for_update(of=Lead)
_FRESH = {"populate_existing": True}


async def lock_lead(session: AsyncSession, lead_id: int) -> Lead:
    """The lead as it is now, and stays until the transaction ends. SQLite locks the whole database instead."""
    return (await session.exec(_ONE, params={"lead_id": lead_id}, execution_options=_FRESH)).one()


async def lock_leads(session: AsyncSession, lead_ids: Collection[int]) -> Sequence[Lead]:
    """The leads by id. Who locks several locks them in this order, so that no two wait for each other."""
    among = select(Lead).where(member_of(col(Lead.id), lead_ids)).order_by(col(Lead.id)).with_for_update(of=Lead)
    return (await session.exec(among, execution_options=_FRESH)).all()
