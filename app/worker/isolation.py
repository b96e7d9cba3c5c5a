"""Keeps one row that cannot be processed from holding up the others."""

import logging
from collections.abc import Awaitable, Callable, Sequence

from app.errors import ApiError, Code

logger = logging.getLogger(__name__)


async def isolate_failures(
    process: Callable[[Sequence[int]], Awaitable[object]], ids: Sequence[int], kind: str
) -> list[int]:
    """Process all ids together or, if that fails, each alone. Return the ids that failed alone, after logging why.

    `process` runs one transaction of its own; `kind` names the rows in the log. If the database is unavailable, no row
    is to blame: the exception is raised.
    """
    if not ids:
        return []
    try:
        await process(ids)
    except Exception as error:
        if isinstance(error, ApiError) and error.code is Code.UNAVAILABLE:
            raise
        if len(ids) == 1:
            logger.exception("%s %d failed unexpectedly", kind, ids[0])
            return [*ids]
        return [failed for row_id in ids for failed in await isolate_failures(process, [row_id], kind)]
    return []
