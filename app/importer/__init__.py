"""Data of the REST API that this server takes after, from a JSON file: whoever leaves that service brings it in."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlmodel.ext.asyncio.session import AsyncSession

from app.db.bulk import Advance
from app.importer.parse import count, parse, read
from app.importer.report import Findings, NotImported
from app.importer.resolve import resolve
from app.importer.write import lock, write

__all__ = ["STEPS", "Findings", "NotImported", "count", "import_lists", "parse"]

STEPS = 3
"""How often each row is counted by `advance`: when it is read, checked and written."""


async def import_lists(
    session: AsyncSession, document: Mapping[str, Any], now: datetime, advance: Advance = lambda _rows: None
) -> Findings:
    """Write the rows that are not there yet, of lists as `parse` gives them; what is due after `now` is still to come.

    NotImported, with nothing written, if the file has mistakes.
    """
    findings = Findings()
    rows = read(document, findings, advance)
    await lock(await session.connection())
    new = await resolve(session, rows, findings, now, advance)
    findings.refuse_mistakes()
    await write(await session.connection(), new, advance)
    findings.added.update({name: len(added) for name, added in new.items()})
    return findings
