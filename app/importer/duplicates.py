"""What may be there once: in the file, and beside what the database holds."""

from collections import Counter
from typing import Any

from sqlalchemy import select
from sqlmodel import SQLModel
from sqlmodel.ext.asyncio.session import AsyncSession

from app.db.functions import member_of
from app.importer.parse import Row
from app.importer.report import Findings, shown
from app.importer.spec import ImportList

MOST_OPTIONS = 200
"""Of one team."""

Key = tuple[Any, ...]

_KEYS_OF = {"name_key": "name", "lead_type_key": "filter"}
"""Columns made from fields of other names."""


async def without_repetitions(
    session: AsyncSession, kind: ImportList, rows: list[Row], findings: Findings
) -> list[Row]:
    """The rows but those that brought no id and are in the database; any other repetition is a mistake."""
    if not kind.unique:
        return rows
    stored = await _stored(session, kind, rows)
    kept = [row for row in rows if row.values["id"] is not None or _key(kind, row) not in stored]
    findings.present[kind.name] += len(rows) - len(kept)
    first = dict(stored)
    for row in kept:
        key = _key(kind, row)
        if None not in key and (before := first.setdefault(key, row.where)) != row.where:
            findings.mistake(row.where, f"{_described(kind, key)} stands in {before} too")
    if kind.table == "distribution_options":
        _limit_options(kept, stored, findings)
    return kept


async def _stored(session: AsyncSession, kind: ImportList, rows: list[Row]) -> dict[Key, str]:
    table = SQLModel.metadata.tables[kind.table]
    first = kind.unique[0]
    values = {row.values[first] for row in rows} - {None}
    query = select(table.c.id, *(table.c[name] for name in kind.unique)).where(member_of(table.c[first], values))
    connection = await session.connection()
    return {tuple(key): f"the database (id {number})" for number, *key in await connection.execute(query)}


def _key(kind: ImportList, row: Row) -> Key:
    return tuple(row.values[column] for column in kind.unique)


def _described(kind: ImportList, key: Key) -> str:
    return ", ".join(
        f"{_KEYS_OF.get(column, column)} {shown(value)}" for column, value in zip(kind.unique, key, strict=True)
    )


def _limit_options(rows: list[Row], stored: dict[Key, str], findings: Findings) -> None:
    counts = Counter(team for team, _user in stored)
    for row in rows:
        team = row.values["team_id"]
        counts[team] += 1
        if counts[team] > MOST_OPTIONS:
            findings.mistake(f"{row.where}.team_id", f"has more than {MOST_OPTIONS} options", team)
