"""The rows that PostgreSQL reads for a statement, from EXPLAIN ANALYZE of its generic plan."""

from collections.abc import Iterator, Sequence
from typing import Any

from app.db.engine import Database


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the nodes of a plan."""
    yield plan
    for below in plan.get("Plans", ()):
        yield from nodes(below)


async def explain(database: Database, statement: str, values: Sequence[Any], *, analyze: bool) -> dict[str, Any]:
    """Return the root of the plan of a statement; with `analyze`, it is executed."""
    options = "ANALYZE, BUFFERS OFF, FORMAT JSON" if analyze else "FORMAT JSON"
    (row,) = await database.fetch(f"EXPLAIN ({options}) {statement}", values)
    root: dict[str, Any] = row[0][0]["Plan"]
    return root


async def rows_read(database: Database, statement: str, values: Sequence[Any]) -> dict[str, float]:
    """Return the number of rows that the statement reads, by table."""
    read: dict[str, float] = {}
    for node in nodes(await explain(database, statement, values, analyze=True)):
        if table := node.get("Relation Name"):
            looked_at = node["Actual Rows"] + sum(node.get(f"Rows Removed by {what}", 0) for what in REMOVED)
            read[table] = read.get(table, 0) + looked_at * node["Actual Loops"]
    return read


REMOVED = ("Filter", "Index Recheck", "Join Filter")
