"""Compiles GraphQL queries into one SQL statement and one generated function per query.

A plan covers queries for one page of `leadOffers` (beside it `me`) that read only columns, references and fields with
an SQL expression (`app.graphql.fields`). It is made in three passes:

1. **Selection** (`selection`): the document becomes the columns and joins that it reads.
2. **Statement** (`statement`): columns, joins, access rules, filter and sort order become one SQL statement.
3. **Response** (`selection`): a generated function turns the rows of that statement into the `data` of the response.

For example, `{ leadOffers { total data { id lead { zipcode } } } }` selects two columns and one join. In essence, its
statement and its function are

    SELECT (SELECT count(*) …), CAST(page.id AS VARCHAR), lead.zipcode FROM viewer LEFT JOIN (page JOIN lead …) ON true

    lambda rows, me, total, limit, skip: {"leadOffers": {"total": total, "data": [
        {"id": c0, "lead": {"zipcode": c1}} for (_, c0, c1) in rows]}}

The resolvers define the meaning of every query, and a plan gives the same response to the byte, which
tests/graphql/test_plans.py checks with random documents. The resolvers answer a document first, and a plan when it
comes again. They also answer whatever a plan does not cover, and every request with an error.
"""

import logging
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from cachetools import LRUCache
from graphql import GraphQLError

from app.access.auth import Scope
from app.access.tokens import Identity
from app.db.compiled import CompiledQuery
from app.db.driver_errors import DRIVER_ERRORS
from app.db.engine import Database
from app.errors import ApiError, Code
from app.graphql.document_cache import CachedDocument, DocumentCache
from app.graphql.plans.plan import QueryPlan
from app.graphql.plans.selection import NotPlannable, QueryOperation
from app.graphql.plans.statement import ADDRESS, MAY_WRITE, NOW, VIEWER
from app.graphql.request import GraphQLRequest
from app.graphql.schema import Schema
from app.graphql.strawberry_internals import core_schema

logger = logging.getLogger(__name__)

LONGEST_DOCUMENT = 8_000
"""In characters. Resolvers answer longer documents, because the caches of plans are bounded by count, not by size."""
PLANS = 200
STATEMENTS = 1_000
"""Statements of all plans: filters that differ in more than their values need one each."""
ADDRESSES = 10_000
"""E-mail addresses whose user ids are cached."""

SEEN = "seen"
NOT_PLANNABLE = "not plannable"


class Plans:
    """The most recently used plans."""

    def __init__(self, schema: Schema, db: Database, documents: DocumentCache) -> None:
        self._schema, self._db, self._documents = schema, db, documents
        self._plans: LRUCache[tuple[QueryOperation, tuple[Any, ...]], QueryPlan] = LRUCache(PLANS)
        self._statements: LRUCache[Any, CompiledQuery] = LRUCache(STATEMENTS)
        self._ids: LRUCache[str, int] = LRUCache(ADDRESSES)

    def admit(self, operation: GraphQLRequest, identity: Identity, viewer_id: int) -> None:
        """Allow an operation to be planned when it comes again, after the resolvers answered it without an error.

        So every planned document is valid, and a client that sends a new document with each request plans nothing. For
        a token that names its user by e-mail address, cache the user's id; each statement checks that it still holds.
        """
        if identity.email is not None:
            self._ids[identity.email] = viewer_id
        document = self._documents.get(operation.query)
        if document is not None and len(operation.query) <= LONGEST_DOCUMENT:
            document.plans.setdefault(operation.operation_name, SEEN)

    async def answer(self, operation: GraphQLRequest, identity: Identity, now: datetime) -> dict[str, Any] | None:
        """Return the `data` of a response without errors, or None if the resolvers have to answer."""
        document = self._documents.get(operation.query)
        known: Any = document and document.plans.get(operation.operation_name, NOT_PLANNABLE)
        viewer_id = identity.user_id if identity.email is None else self._ids.get(identity.email)
        if document is None or known == NOT_PLANNABLE or viewer_id is None or Scope.READ not in identity.scopes:
            return None
        try:
            if known == SEEN:
                known = QueryOperation.of(core_schema(self._schema), document.ast, operation.operation_name)
                document.plans[operation.operation_name] = known
            may_write = Scope.WRITE in identity.scopes
            asker = {VIEWER: viewer_id, ADDRESS: identity.email, NOW: now, MAY_WRITE: may_write}
            return await self._answer(document, known, operation.variables or {}, asker)
        except NotPlannable:
            document.plans[operation.operation_name] = NOT_PLANNABLE
        except ApiError as error:
            if error.code is Code.UNAVAILABLE:
                raise
        except GraphQLError:
            pass  # the resolvers report it with its location in the document
        except DRIVER_ERRORS:
            logger.warning("The statement of a plan failed; falling back to the resolvers", exc_info=True)
        return None

    async def _answer(
        self, document: CachedDocument, query: QueryOperation, sent: dict[str, Any], asker: Mapping[str, Any]
    ) -> dict[str, Any] | None:
        self._documents.check(document, sent)
        variables = query.variables.coerce(sent)
        if variables is None:
            return None
        key = (query, tuple(variables.coerced.get(name) for name in query.directive_variables))
        plan = self._plans.get(key)
        if plan is None:
            plan = QueryPlan(self._schema, query, variables, postgresql=self._db.is_postgresql)
            self._plans[key] = plan
        return await plan.answer(self._db, self._statements, asker, variables)
