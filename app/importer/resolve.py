"""The rows of an import against each other and the database: references, what is left out, what may be there once."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlmodel import SQLModel
from sqlmodel.ext.asyncio.session import AsyncSession

from app.db.bulk import Advance
from app.db.functions import member_of
from app.importer.duplicates import without_repetitions
from app.importer.normalize import COMPLETE, Context, RouteKey
from app.importer.parse import Row, Rows
from app.importer.report import Findings
from app.importer.spec import LISTS, ImportList

Known = Mapping[str, Mapping[int, Mapping[str, Any]]]
"""By list and id, the rows that may be named."""


async def resolve(session: AsyncSession, rows: Rows, findings: Findings, now: datetime, advance: Advance) -> Rows:
    """The rows that are new, complete and in the order of LISTS; mistakes are noted."""
    there = {kind.name: await _there(session, kind, _wanted(kind, rows)) for kind in LISTS}
    known = {
        kind.name: {row.values["id"]: row.values for row in rows[kind.name] if row.values["id"]} | there[kind.name]
        for kind in LISTS
    }
    context = Context(known, await _routes(session, rows), now, findings)
    new: Rows = {}
    for kind in LISTS:
        absent = [row for row in rows[kind.name] if row.values["id"] not in there[kind.name]]
        findings.present[kind.name] += len(rows[kind.name]) - len(absent)
        complete = COMPLETE.get(kind.name)
        kept = []
        for row in absent:
            _check_references(kind, row, known, findings)
            if complete is None or complete(row, context):
                kept.append(row)
        new[kind.name] = await without_repetitions(session, kind, kept, findings)
        advance(len(rows[kind.name]))
    return new


def _wanted(kind: ImportList, rows: Rows) -> set[int]:
    """The ids of this list that the file names anywhere."""
    wanted = {row.values["id"] for row in rows[kind.name]}
    for other in LISTS:
        for field in other.references:
            if field.to == kind.name:
                wanted |= {row.values[field.column] for row in rows[other.name]}
    return wanted - {None}


async def _there(session: AsyncSession, kind: ImportList, ids: set[int]) -> dict[int, Mapping[str, Any]]:
    table = SQLModel.metadata.tables[kind.table]
    query = select(table.c.id, *(table.c[name] for name in kind.facts)).where(member_of(table.c.id, ids))
    connection = await session.connection()
    return {row.id: row._asdict() for row in await connection.execute(query)}


async def _routes(session: AsyncSession, rows: Rows) -> dict[RouteKey, Mapping[str, Any]]:
    """The routes in the database of the sources that leads without a target came from."""
    sources = {row.values["source_id"] for row in rows["leads"] if row.values["distribution_target"] is None}
    table = SQLModel.metadata.tables["lead_routes"]
    query = select(table).where(member_of(table.c.lead_source_id, sources - {None}))
    connection = await session.connection()
    found = await connection.execute(query)
    return {(row.creator_id, row.lead_source_id, row.lead_type_key): row._asdict() for row in found}


def _check_references(kind: ImportList, row: Row, known: Known, findings: Findings) -> None:
    for field in kind.references:
        number = row.values[field.column]
        if field.to and number is not None and number not in known[field.to]:
            findings.mistake(f"{row.where}.{field.name}", f"is the id of none of {field.to}", number)
