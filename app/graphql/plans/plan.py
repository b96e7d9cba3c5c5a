"""A plan: how one selection of `leadOffers` is answered."""

from collections.abc import Mapping
from typing import Any

from cachetools import LRUCache
from graphql.execution.values import VariableValues

from app.db.engine import Database
from app.db.prepared import Prepared
from app.domain.identifiers import parse_id
from app.graphql.plans.arguments import Arguments
from app.graphql.plans.selection import Query, Selection
from app.graphql.plans.statement import LEAD, LIMIT, SKIP, prepare
from app.graphql.schema import Schema
from app.lists.pagination import scan_limit_for


class Plan:
    """A selection, its arguments, and the function that makes an answer of the rows."""

    def __init__(self, schema: Schema, query: Query, variables: VariableValues, *, postgresql: bool) -> None:
        """Raises Declined where only the resolvers know what is selected."""
        self._selection = Selection(query, variables, postgresql)
        self._arguments = Arguments(schema, self._selection.field, self._selection.node)

    async def answer(
        self, db: Database, statements: LRUCache[Any, Prepared], asker: Mapping[str, Any], variables: VariableValues
    ) -> dict[str, Any] | None:
        """The `data`; None where no active user has the viewer's id and address, or nothing has the lead's."""
        asked = self._arguments.understand(variables)
        listing, lead_id = asked.listing, None
        if asked.lead_id is not None:
            lead_id = parse_id(asked.lead_id)
            if lead_id is None:
                return None
        key = (self, listing.where, listing.sort, scan_limit_for(asked.limit + asked.skip), lead_id is not None)
        statement = statements.get(key)
        if statement is None:
            statement = statements[key] = self._prepare(db, *key[1:])
        place = {LEAD: lead_id, LIMIT: asked.limit, SKIP: asked.skip}
        rows = await statement.fetch(db, {**listing.values, **asker, **place})
        if not rows:
            return None
        total, first = rows[0][0], rows[0][1]
        return self._selection.answer([] if first is None else rows, rows[0], total, asked.limit, asked.skip)

    def _prepare(self, db: Database, *asked: Any) -> Prepared:
        return prepare(self._selection, db.read_engine.dialect, *asked)
