"""Plans: documents that ask for pages of offers, answered by one statement and one function each.

The resolvers are the meaning. They answer a document first; when it comes again, and asks for nothing but columns and
what SQL computes of them, it gets a plan that gives the same answer to the byte (tests/test_plans.py): what it selects
becomes columns and joins of one statement (`statement`), whose rows become the answer by a function made for it
(`selection`). Whatever a plan does not cover, and whatever is wrong with a request, is left to the resolvers.
"""

import logging
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from cachetools import LRUCache
from graphql import GraphQLError

from app.access.auth import Scope
from app.access.tokens import Identity
from app.db.engine import FAILURES, Database, refusal_of
from app.db.prepared import Prepared
from app.errors import ApiError, Code
from app.graphql.document_cache import CachedDocument, DocumentCache
from app.graphql.plans.plan import Plan
from app.graphql.plans.selection import Declined, Query
from app.graphql.plans.statement import ADDRESS, MAY_WRITE, NOW, VIEWER
from app.graphql.request import GraphQLRequest
from app.graphql.schema import Schema
from app.graphql.strawberry_internals import core_schema

logger = logging.getLogger(__name__)

LONGEST_DOCUMENT = 8_000
"""Characters. Longer ones are left to the resolvers: what plans remember of documents is counted, not weighed."""
PLANS = 200
STATEMENTS = 1_000
"""Of all plans: conditions that differ by more than their values need one each."""
ADDRESSES = 10_000
"""Whose ids are remembered."""

ANSWERED = "answered"
DECLINED = "declined"


class Plans:
    """The plans that were used last."""

    def __init__(self, schema: Schema, db: Database, documents: DocumentCache) -> None:
        self._schema, self._db, self._documents = schema, db, documents
        self._plans: LRUCache[tuple[Query, tuple[Any, ...]], Plan] = LRUCache(PLANS)
        self._statements: LRUCache[Any, Prepared] = LRUCache(STATEMENTS)
        self._ids: LRUCache[str, int] = LRUCache(ADDRESSES)

    def admit(self, operation: GraphQLRequest, identity: Identity, viewer_id: int) -> None:
        """Has an operation planned when it comes again. The resolvers have just answered it without an error.

        So it is valid, and who sends a new document with every request has nothing planned. A token that says who its
        user is by an address has an id from now on; whether it is still theirs is asked with each statement.
        """
        if identity.email is not None:
            self._ids[identity.email] = viewer_id
        document = self._documents.get(operation.query)
        if document is not None and len(operation.query) <= LONGEST_DOCUMENT:
            document.plans.setdefault(operation.operation_name, ANSWERED)

    async def answer(self, operation: GraphQLRequest, identity: Identity, now: datetime) -> dict[str, Any] | None:
        """The `data` of an answer without errors; None where the resolvers have to answer."""
        document = self._documents.get(operation.query)
        known: Any = document and document.plans.get(operation.operation_name, DECLINED)
        viewer_id = identity.user_id if identity.email is None else self._ids.get(identity.email)
        if document is None or known == DECLINED or viewer_id is None or Scope.READ not in identity.scopes:
            return None
        try:
            if known == ANSWERED:
                known = Query.of(core_schema(self._schema), document.ast, operation.operation_name)
                document.plans[operation.operation_name] = known
            may_write = Scope.WRITE in identity.scopes
            asker = {VIEWER: viewer_id, ADDRESS: identity.email, NOW: now, MAY_WRITE: may_write}
            return await self._answer(document, known, operation.variables or {}, asker)
        except Declined:
            document.plans[operation.operation_name] = DECLINED
        except (ApiError, GraphQLError):
            pass  # the resolvers' way says it with its place in the document
        except FAILURES as error:
            if (known := refusal_of(error)) and known.code is Code.UNAVAILABLE:
                raise
            logger.warning("The database failed a plan; the resolvers are asked", exc_info=True)
        return None

    async def _answer(
        self, document: CachedDocument, query: Query, sent: dict[str, Any], asker: Mapping[str, Any]
    ) -> dict[str, Any] | None:
        self._documents.check(document, sent)
        variables = query.variables.coerce(sent)
        if variables is None:
            return None
        key = (query, tuple(variables.coerced.get(name) for name in query.switches))
        plan = self._plans.get(key)
        if plan is None:
            plan = Plan(self._schema, query, variables, postgresql=self._db.is_postgresql)
            self._plans[key] = plan
        return await plan.answer(self._db, self._statements, asker, variables)
