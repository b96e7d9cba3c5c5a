"""Compiles GraphQL queries into one SQL statement per query, which spells the JSON text of the response itself.

Every field that the schema declares with one of the functions of `app.graphql.fields` can be compiled. There are three
passes:

1. **Tree** (`tree`): the document becomes the tree of everything it reads, with `operation` and `arguments`.
2. **SQL** (`sql`, `spelling`): the tree, the access rules, and the shape of filters and sorts become one statement.
3. **Answer**: the database runs the statement; the only value of its only row is `data`. Python fills in the fields
   that it derives from what was read (`derived`).

For example, `{ leads(limit: 2) { total data { id zipcode contact { firstName } } } }` becomes, in essence,

    SELECT '{"leads":{"total":' || (SELECT count(*) FROM leads WHERE …) || ',"data":' || (
        SELECT '[' || coalesce(string_agg(item, ','), '') || ']' FROM (
            SELECT '{"id":"' || page.id || '","zipcode":' || coalesce(to_json(page.zipcode)::text, 'null')
                || ',"contact":{"firstName":' || coalesce(to_json(contacts.first_name)::text, 'null') || '}}' AS item
            FROM (SELECT id, zipcode, contact_id FROM leads WHERE … ORDER BY id LIMIT $2 OFFSET $3) AS page
            JOIN contacts ON contacts.id = page.contact_id ORDER BY page.id) AS items) || '}}'
    FROM users AS me WHERE me.id = $1 AND me.is_active

Trees are cached by operation and statements by tree and shape: the values of filters, limits and the viewer are
parameters. Requests with an API key have statements of their own, which also check the key. An object that a mutation
or subscription answers with is read in the same way, by the ids of its row.

The resolvers define the meaning of every query, and a plan gives the same response to the byte, which
tests/graphql/test_plans.py checks with random documents. They answer whatever cannot be compiled, and every request
with an error, because they know its location in the document.
"""

from collections.abc import Sequence
from datetime import datetime
from functools import lru_cache, partial
from typing import Any

import orjson
import strawberry
from cachetools import LRUCache
from graphql import FieldNode, GraphQLError, GraphQLObjectType, GraphQLSchema
from graphql.execution.collect_fields import FieldDetails
from graphql.execution.values import VariableValues
from sqlalchemy import Dialect
from sqlmodel import SQLModel

from app.access.auth import find_viewer
from app.access.tokens import Identity
from app.config import Settings
from app.db.compiled import CompiledQuery
from app.db.day_starts import DAY_STARTS
from app.db.driver_errors import DRIVER_ERRORS, is_too_deep
from app.db.engine import Database
from app.domain.enums import ApiScope
from app.errors import ApiError
from app.graphql.context import Context
from app.graphql.document_cache import CachedDocument, DocumentCache
from app.graphql.plans.arguments import Shape
from app.graphql.plans.derived import fill_in
from app.graphql.plans.operation import QueryOperation, Scope
from app.graphql.plans.sql import ADDRESS, IDS, KEY, MAY_WRITE, NOW, VIEWER, compile_objects, compile_query
from app.graphql.plans.tree import NotPlannable, ObjectTree, QueryTree, object_tree, query_tree
from app.graphql.request import GraphQLRequest
from app.graphql.strawberry_internals import core_schema

TREES = 1_000
"""Trees of queries that are cached, and as many of objects. A tree is as large as its document, which has a limit."""
STATEMENTS = 1_000
"""Statements of all trees: filters that differ in more than their values need one each."""
ADDRESSES = 10_000
"""E-mail addresses whose user ids are cached."""


class Plans:
    """Answers queries by compiled statements. Keeps the most recently used trees and statements."""

    def __init__(self, schema: strawberry.Schema, db: Database, documents: DocumentCache, settings: Settings) -> None:
        self._schema, self._db, self._documents, self._settings = core_schema(schema), db, documents, settings
        self._tree = lru_cache(TREES)(partial(_query_tree, self._schema))
        self._objects: LRUCache[Any, tuple[Sequence[FieldNode], ObjectTree | None]] = LRUCache(TREES)
        self._statement = lru_cache(STATEMENTS)(partial(_compile, db.read_engine.dialect))
        self._ids: LRUCache[str, int] = LRUCache(ADDRESSES)

    async def answer(self, request: GraphQLRequest, identity: Identity, now: datetime) -> str | None:
        """Return the JSON text of `data`, or None if the resolvers have to answer.

        Raises ApiError if the document is refused, an address has no active user, or the database fails or takes too
        long.
        """
        if ApiScope.READ not in identity.scopes or (operation := self._operation(request)) is None:
            return None
        variables = operation.variables.coerce(request.variables or {})
        if variables is None:
            return None
        values = {
            VIEWER: identity.user_id if identity.email is None else await self._id_of(identity, identity.email, now),
            ADDRESS: identity.email,
            KEY: identity.key and identity.key.id,
            NOW: now,
            DAY_STARTS: now,
            MAY_WRITE: ApiScope.WRITE in identity.scopes,
        }
        try:
            tree = self._tree(operation, *map(variables.coerced.get, operation.switches))
            if tree is None:
                return None
            statement = self._evaluate(tree, variables, values, by_key=identity.key is not None)
        except (ApiError, GraphQLError):
            return None  # the resolvers report it with its location in the document
        rows = await self._rows(statement, values)
        return fill_in(rows[0][0], tree.derived, self._settings) if rows else None

    def _operation(self, request: GraphQLRequest) -> QueryOperation | None:
        """Return the requested query; None if it is something else, or not valid. Raises as `DocumentCache.load`."""
        try:
            document: CachedDocument = self._documents.load(request.query, request.variables or {})
        except GraphQLError:
            return None
        name = request.operation_name
        if document.errors:
            return None
        if name not in document.plans:
            document.plans[name] = QueryOperation.find(self._schema, document.ast, name)
        found: QueryOperation | None = document.plans[name]
        return found

    async def _id_of(self, identity: Identity, address: str, now: datetime) -> int:
        """Return the id of the user with an e-mail address. Each statement checks that it still has that address."""
        if address not in self._ids:
            self._ids[address] = (await find_viewer(self._db, identity, now)).id
        return self._ids[address]

    def object_tree(
        self, scope: Scope, type_: GraphQLObjectType, model: type[SQLModel], details: list[FieldDetails]
    ) -> ObjectTree | None:
        """Return the tree of a field that shows a row of `model`; None if its resolvers have to answer."""
        nodes = [found.node for found in details]
        switches = tuple((name, value) for name, value in scope.values.coerced.items() if isinstance(value, bool))
        key = (type_.name, tuple(map(id, nodes)), switches)
        known = self._objects.get(key)
        if known is None:
            try:
                tree: ObjectTree | None = object_tree(scope, type_, model, details)
            except NotPlannable:
                tree = None
            known = self._objects[key] = nodes, tree  # the nodes are kept, so that no other gets one of their ids
        return known[1]

    async def objects(
        self, tree: ObjectTree, variables: VariableValues, context: Context, ids: list[int]
    ) -> list[orjson.Fragment | None]:
        """Return the JSON texts of the objects of rows, by the rows' ids; None if the resolvers have to answer."""
        scopes = context.viewer.scopes
        values = {
            VIEWER: context.viewer.id,
            NOW: context.now,
            DAY_STARTS: context.now,
            MAY_WRITE: ApiScope.WRITE in scopes,
            IDS: ids,
        }
        statement = self._evaluate(tree, variables, values)
        rows = await self._rows(statement, values)
        texts = {row[0]: orjson.Fragment(fill_in(row[1], tree.derived, self._settings)) for row in rows}
        return [texts.get(row_id) for row_id in ids]

    def _evaluate(
        self, tree: QueryTree | ObjectTree, variables: VariableValues, values: dict[str, Any], *, by_key: bool = False
    ) -> CompiledQuery:
        """Return the statement for these arguments of pages and lookups. Add those of its parameters to `values`."""
        shapes = []
        for arguments in tree.arguments:
            shape, given = arguments.evaluate(variables)
            shapes.append(shape)
            values |= given
        return self._statement(tree, by_key, *shapes)

    async def _rows(self, statement: CompiledQuery, values: dict[str, Any]) -> Sequence[Any]:
        """Return the rows, or none if the database cannot parse the statement: the resolvers then answer."""
        try:
            return await statement.fetch(self._db, values)
        except DRIVER_ERRORS as error:
            if not is_too_deep(error):
                raise
            return ()


def _query_tree(schema: GraphQLSchema, operation: QueryOperation, *switches: Any) -> QueryTree | None:
    """Return the tree of a query with these values of its switches; None if its resolvers have to answer."""
    values = VariableValues({}, dict(zip(operation.switches, switches, strict=True)))
    assert schema.query_type is not None
    try:
        return query_tree(Scope(schema, operation.node, operation.fragments, values), schema.query_type)
    except NotPlannable:
        return None


def _compile(dialect: Dialect, tree: QueryTree | ObjectTree, by_key: bool, *shapes: Shape) -> CompiledQuery:
    if isinstance(tree, QueryTree):
        return compile_query(tree, shapes, dialect, by_key=by_key)
    return compile_objects(tree, shapes, dialect)
