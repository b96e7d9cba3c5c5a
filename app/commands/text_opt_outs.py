"""SMS opt-outs: users who have replied STOP get no texts to that number until they reply START."""

from datetime import datetime

from sqlalchemy import ColumnElement, Insert, delete, exists
from sqlalchemy.dialects import postgresql, sqlite
from sqlmodel import SQLModel, col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from app.db.models import TextOptOut, User

_OPT_OUTS = SQLModel.metadata.tables["text_stops"]
_INSERT: dict[str, Insert] = {
    "postgresql": postgresql.insert(_OPT_OUTS).on_conflict_do_nothing(),
    "sqlite": sqlite.insert(_OPT_OUTS).on_conflict_do_nothing(),
}


def has_opted_out() -> ColumnElement[bool]:
    """Return the condition that a user of the enclosing select has opted out of texts to their current number."""
    theirs = (col(TextOptOut.user_id) == col(User.id), col(TextOptOut.phone) == col(User.phone))
    return exists(select(1).where(*theirs).correlate(User))


async def opt_out_of_texts(session: AsyncSession, phone: str, now: datetime) -> None:
    """Send no more texts to this number, for every user who has it now. Idempotent."""
    for user_id in (await session.exec(select(User.id).where(col(User.phone) == phone))).all():
        new = {"user_id": user_id, "phone": phone, "stopped_at": now}
        await session.exec(_INSERT[session.get_bind().dialect.name], params=new)


async def opt_in_to_texts(session: AsyncSession, phone: str) -> None:
    """Send texts to this number again. Idempotent."""
    await session.exec(delete(TextOptOut).where(col(TextOptOut.phone) == phone))
