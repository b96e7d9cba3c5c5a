"""Resolves imported rows against each other and the database: new rows, references, defaults and duplicates."""

from collections import defaultdict
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlmodel import SQLModel
from sqlmodel.ext.asyncio.session import AsyncSession

from app.db.bulk import Advance
from app.db.functions import member_of
from app.domain.distribution_targets import TARGET_FIELDS, Target
from app.importer.duplicates import without_duplicates
from app.importer.normalize import NORMALIZERS, Context, Known, RoutesOfSource, is_superfluous
from app.importer.parse import Row, Rows
from app.importer.report import Report
from app.importer.spec import LISTS, ImportList


async def resolve(session: AsyncSession, rows: Rows, report: Report, now: datetime, advance: Advance) -> Rows:
    """Return the rows that the database does not have yet, normalized and by list in the order of LISTS."""
    stored = {kind.name: await _stored(session, kind, _referenced_ids(kind, rows)) for kind in LISTS}
    known = {
        kind.name: {row.values["id"]: row.values for row in rows[kind.name] if row.values["id"]} | stored[kind.name]
        for kind in LISTS
    }
    next_of = {team_id: values["next_team_id"] for team_id, values in known["teams"].items()}
    context = Context(known, await _routes(session, rows), now, report, next_of)

    resolved: Rows = {}
    for kind in LISTS:
        new = [row for row in rows[kind.name] if row.values["id"] not in stored[kind.name]]
        report.present[kind.name] += len(rows[kind.name]) - len(new)
        kept = []
        for row in new:
            _check_references(kind, row, known, report)
            if kind.name in NORMALIZERS:
                NORMALIZERS[kind.name](row, context)
            if not is_superfluous(row, context):
                kept.append(row)
        resolved[kind.name] = await without_duplicates(session, kind, kept, report)
        advance(len(rows[kind.name]))
    return resolved


def _referenced_ids(kind: ImportList, rows: Rows) -> set[int]:
    """Return the ids of this list that the file has as rows or as references."""
    ids = {row.values["id"] for row in rows[kind.name]}
    for other in LISTS:
        for field in other.references:
            if field.to == kind.name:
                ids |= {row.values[field.column] for row in rows[other.name]}
    return ids - {None}


async def _stored(session: AsyncSession, kind: ImportList, ids: set[int]) -> dict[int, dict[str, Any]]:
    """Return the facts of the rows with these ids that the database has, and of rows of the list that they refer to."""
    table = SQLModel.metadata.tables[kind.table]
    facts = select(table.c.id, *(table.c[name] for name in kind.facts))
    following = [field.column for field in kind.references if field.to == kind.name and field.column in kind.facts]
    connection = await session.connection()
    stored: dict[int, dict[str, Any]] = {}
    while ids:
        found = {row.id: row._asdict() for row in await connection.execute(facts.where(member_of(table.c.id, ids)))}
        stored |= found
        ids = {row[column] for row in found.values() for column in following} - {None} - stored.keys()
    return stored


async def _routes(session: AsyncSession, rows: Rows) -> dict[tuple[int | None, int | None], RoutesOfSource]:
    """Return the database's routes for the leads without a target, by creator and source."""
    sources = {row.values["source_id"] for row in rows["leads"] if row.values["distribution_target"] is None}
    table = SQLModel.metadata.tables["lead_routes"]
    query = select(table).where(member_of(table.c.lead_source_id, sources - {None}))
    connection = await session.connection()

    routes: dict[tuple[int | None, int | None], RoutesOfSource] = defaultdict(dict)
    for row in await connection.execute(query):
        target = Target(*(getattr(row, column) for column in TARGET_FIELDS))
        routes[row.creator_id, row.lead_source_id][row.lead_type_key] = target
    return routes


def _check_references(kind: ImportList, row: Row, known: Known, report: Report) -> None:
    for field in kind.references:
        number = row.values[field.column]
        if field.to and number is not None and number not in known[field.to]:
            report.problem(f"{row.where}.{field.name}", f"is not an id in {field.to}", number)
