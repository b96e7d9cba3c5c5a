"""SMS opt-outs: users who have replied STOP get no texts to that number until they reply START."""

from datetime import datetime

from sqlalchemy import ColumnElement, delete, exists, true
from sqlalchemy.dialects import postgresql
from sqlmodel import SQLModel, col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from app.commands.locks import lock_users_of_phone
from app.db.compiled import Statement
from app.db.functions import rows_parameter
from app.db.models import TextOptOut, User

_OPT_OUTS = SQLModel.metadata.tables["text_stops"]
_NEW = rows_parameter("opt_outs", *_OPT_OUTS.c)
# SQLite accepts PostgreSQL's ON CONFLICT; without a WHERE it would read ON as the start of a join.
_INSERT = postgresql.insert(_OPT_OUTS).from_select([*_OPT_OUTS.c.keys()], select(*_NEW.c).where(true()))
_OPT_OUT = Statement[None](_INSERT.on_conflict_do_nothing())


def has_opted_out() -> ColumnElement[bool]:
    """Return the condition that a user of the enclosing select has opted out of texts to their current number."""
    theirs = (col(TextOptOut.user_id) == col(User.id), col(TextOptOut.phone) == col(User.phone))
    return exists(select(1).where(*theirs).correlate(User))


async def opt_out_of_texts(session: AsyncSession, phone: str, now: datetime) -> None:
    """Send no more texts to this number, for every user who has it now. Idempotent."""
    rows = [(user_id, phone, now) for user_id in await lock_users_of_phone(session, phone)]
    await _OPT_OUT.run(session, opt_outs=rows)


async def opt_in_to_texts(session: AsyncSession, phone: str) -> None:
    """Send texts to this number again. Idempotent."""
    await lock_users_of_phone(session, phone)
    await session.exec(delete(TextOptOut).where(col(TextOptOut.phone) == phone))
