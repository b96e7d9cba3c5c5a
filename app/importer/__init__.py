"""Imports data of the REST API from a JSON file, for users who move to this server.

The stages are modules: `spec` lists what may be imported, `parse` reads the file with the `parsers` of single values,
`resolve` checks rows against each other and the database, with `normalize` and `duplicates`, and `write` inserts them.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlmodel.ext.asyncio.session import AsyncSession

from app.db.bulk import Advance
from app.importer.parse import count, parse, read
from app.importer.report import NotImported, Report
from app.importer.resolve import resolve
from app.importer.write import lock, write

__all__ = ["STEPS", "NotImported", "Report", "count", "import_lists", "parse"]

STEPS = 3
"""How often `advance` counts each row: when it is read, checked and written."""


async def import_lists(
    session: AsyncSession,
    document: Mapping[str, Any],
    now: datetime,
    advance: Advance = lambda _rows: None,
    report: Report | None = None,
) -> Report:
    """Insert the rows that the database does not have yet, from the lists that `parse` returns.

    Offers whose `notify_at` is after `now` are scheduled, and their users will be notified. Raises NotImported, and
    writes nothing, if the file has problems. `report` is filled and returned.
    """
    report = report or Report()
    rows = read(document, report, advance)
    await lock(await session.connection())
    new = await resolve(session, rows, report, now, advance)
    report.raise_problems()
    await write(session, new, advance)
    report.added.update({name: len(added) for name, added in new.items()})
    return report
