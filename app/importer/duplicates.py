"""Finds imported rows whose unique columns repeat those of another row of the file or of the database."""

from collections import Counter
from typing import Any

from sqlalchemy import select
from sqlmodel import SQLModel
from sqlmodel.ext.asyncio.session import AsyncSession

from app.db.functions import member_of
from app.domain.bounds import MOST_OPTIONS
from app.importer.parse import Row
from app.importer.report import Report, shown
from app.importer.spec import ImportList

Key = tuple[Any, ...]
"""The values of a list's unique columns."""

_FIELD_OF = {"name_key": "name", "lead_type_key": "filter"}
"""The field from which a unique column is made, if its name differs."""


async def without_duplicates(session: AsyncSession, kind: ImportList, rows: list[Row], report: Report) -> list[Row]:
    """Return the rows that are new.

    A row without an id that the database has already is counted as present. Any other repetition is a problem.
    """
    if not kind.unique:
        return rows
    stored = await _stored(session, kind, rows)
    kept = [row for row in rows if row.values["id"] is not None or _key(kind, row) not in stored]
    report.present[kind.name] += len(rows) - len(kept)

    first = dict(stored)
    for row in kept:
        key = _key(kind, row)
        if _identifies(kind, key) and (before := first.setdefault(key, row.where)) != row.where:
            named = zip((_FIELD_OF.get(column, column) for column in kind.unique), map(shown, key), strict=True)
            reason = f"{', '.join(_FIELD_OF.get(column, column) for column in kind.unique)} repeated"
            report.problem(row.where, f"{', '.join(map(' '.join, named))} is already in {before}", reason=reason)
    if kind.table == "distribution_options":
        _check_option_counts(kept, stored, report)
    return kept


async def _stored(session: AsyncSession, kind: ImportList, rows: list[Row]) -> dict[Key, str]:
    """Return the database's keys that the rows may repeat, each with its row for a message."""
    table = SQLModel.metadata.tables[kind.table]
    query = select(table.c.id, *(table.c[name] for name in kind.unique))
    for name in kind.found_by or kind.unique[:1]:
        query = query.where(member_of(table.c[name], {row.values[name] for row in rows} - {None}))
    connection = await session.connection()
    return {tuple(key): f"the database (id {number})" for number, *key in await connection.execute(query)}


def _identifies(kind: ImportList, key: Key) -> bool:
    """Return whether no other row may have the key."""
    return all(value is not None or name in kind.null_identifies for name, value in zip(kind.unique, key, strict=True))


def _key(kind: ImportList, row: Row) -> Key:
    return tuple(row.values[column] for column in kind.unique)


def _check_option_counts(rows: list[Row], stored: dict[Key, str], report: Report) -> None:
    counts = Counter(team_id for team_id, _user_id in stored)
    for row in rows:
        team_id = row.values["team_id"]
        counts[team_id] += 1
        if counts[team_id] > MOST_OPTIONS:
            report.problem(f"{row.where}.team_id", f"has more than {MOST_OPTIONS} distribution options", team_id)
