"""A plan: the selection, statement and response builder of one query."""

from collections.abc import Mapping
from typing import Any

from cachetools import LRUCache
from graphql.execution.values import VariableValues

from app.db.compiled import CompiledQuery
from app.db.engine import Database
from app.domain.identifiers import parse_id
from app.graphql.plans.arguments import Arguments
from app.graphql.plans.selection import QueryOperation, Selection
from app.graphql.plans.statement import LEAD, LIMIT, SKIP, prepare
from app.graphql.schema import Schema
from app.lists.pagination import scan_limit_for


class QueryPlan:
    """Answers one query with one selection of fields, whatever its arguments."""

    def __init__(self, schema: Schema, query: QueryOperation, variables: VariableValues, *, postgresql: bool) -> None:
        """Raise NotPlannable if the query selects a field that only its resolver can answer."""
        self._selection = Selection(query, variables, postgresql)
        self._arguments = Arguments(schema, self._selection.field, self._selection.node)

    async def answer(
        self,
        db: Database,
        statements: LRUCache[Any, CompiledQuery],
        asker: Mapping[str, Any],
        variables: VariableValues,
    ) -> dict[str, Any] | None:
        """Return the `data`, or None if the viewer is no active user, or no lead has the id that was sent."""
        arguments = self._arguments.evaluate(variables)
        listing, lead_id = arguments.listing, None
        if arguments.lead_id is not None:
            lead_id = parse_id(arguments.lead_id)
            if lead_id is None:
                return None
        key = (self, listing.where, listing.sort, scan_limit_for(arguments.limit + arguments.skip), lead_id is not None)
        statement = statements.get(key)
        if statement is None:
            statement = statements[key] = self._prepare(db, *key[1:])
        place = {LEAD: lead_id, LIMIT: arguments.limit, SKIP: arguments.skip}
        rows = await statement.fetch(db, {**listing.values, **asker, **place})
        if not rows:
            return None
        total, first = rows[0][0], rows[0][1]
        return self._selection.answer([] if first is None else rows, rows[0], total, arguments.limit, arguments.skip)

    def _prepare(self, db: Database, *key: Any) -> CompiledQuery:
        return prepare(self._selection, db.read_engine.dialect, *key)
