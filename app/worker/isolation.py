"""Keeps one row that cannot be processed from holding up the others."""

import logging
from collections.abc import Awaitable, Callable, Sequence

from sqlmodel.ext.asyncio.session import AsyncSession

from app.db.engine import Database
from app.errors import ApiError, Code

logger = logging.getLogger(__name__)


async def isolate_failures(
    db: Database, process: Callable[[AsyncSession, Sequence[int]], Awaitable[object]], ids: Sequence[int], kind: str
) -> list[int]:
    """Process all ids in one transaction or, if that fails, each in its own. Return those that failed alone.

    Why they failed is logged; `kind` names the rows there. If the database is unavailable, no row is to blame: the
    exception is raised.
    """
    if not ids:
        return []
    try:
        await db.in_transaction(lambda session: process(session, ids))
    except Exception as error:
        if isinstance(error, ApiError) and error.code is Code.UNAVAILABLE:
            raise
        if len(ids) == 1:
            logger.exception("%s %d failed unexpectedly", kind, ids[0])
            return [*ids]
        return [failed for row_id in ids for failed in await isolate_failures(db, process, [row_id], kind)]
    return []
