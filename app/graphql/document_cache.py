"""Documents, each parsed, measured and validated once and kept while there is room."""

from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from cachetools import LRUCache
from graphql import (
    DocumentNode,
    GraphQLError,
    GraphQLSchema,
    GraphQLSyntaxError,
    NoSchemaIntrospectionCustomRule,
    parse,
    validate,
)
from graphql.validation.validate import ValidationAbortedError

from app.config import Settings
from app.errors import ApiError, Code
from app.graphql.complexity import MAX_CHARACTERS, MAX_ERRORS, MAX_TOKENS, ComplexityCalculator, ListArguments
from app.graphql.validation_rules import RULES
from app.lists.filters import allow

MAX_KEPT = 1024 * 1024
"""Characters of documents that are kept. A parsed one takes some hundred times the memory of its text."""

MAX_CHECKED = 100
"""Sets of variables of one document that are remembered to be cheap enough."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """A document that is not too large, and what is wrong with it."""

    document: DocumentNode
    characters: int
    errors: tuple[GraphQLError, ...]
    lists: ListArguments
    plans: dict[str | None, Any]
    """What `app.graphql.plans` knows of its operations, by their names."""
    _limits: frozenset[str]
    _checked: set[Hashable] = field(default_factory=set)

    def check(self, schema: GraphQLSchema, settings: Settings, variables: Mapping[str, Any]) -> None:
        """QUERY_TOO_COMPLEX if it is more than it may be with these variables.

        What its cost depends on is little, mostly nothing: the same variables are measured once.
        """
        self.lists.check(variables)
        limits = _sent(self._limits, variables)
        if limits not in self._checked:
            ComplexityCalculator(schema, settings, variables).check(self.document)
            if len(self._checked) < MAX_CHECKED:
                self._checked.add(limits)


class Documents:
    """The documents that were asked for last, by their text. A very large one pushes out many.

    Of `trusted` ones, names and texts, no other is taken.
    """

    def __init__(self, settings: Settings, trusted: Mapping[str, str] | None = None) -> None:
        self._settings = settings
        self._trusted = None if trusted is None else frozenset(trusted.values())
        self._kept: LRUCache[str, Prepared] = LRUCache(MAX_KEPT, getsizeof=lambda kept: kept.characters)

    def recall(self, query: str) -> Prepared | None:
        """The document if it is kept, not checked with any variables."""
        return self._kept.get(query)

    def prepare(self, schema: GraphQLSchema, query: str, variables: Mapping[str, Any]) -> Prepared:
        """The document, checked with these variables.

        Raises DOCUMENT_NOT_TRUSTED, QUERY_TOO_COMPLEX and GraphQLSyntaxError.
        """
        if prepared := self._kept.get(query):
            prepared.check(schema, self._settings, variables)
            return prepared
        if self._trusted is not None and query not in self._trusted:
            raise ApiError(Code.DOCUMENT_NOT_TRUSTED, "Only trusted documents are run here, and this is none.")
        prepared = _prepare(schema, self._settings, query, variables)
        self._kept[query] = prepared
        return prepared


def _prepare(schema: GraphQLSchema, settings: Settings, query: str, variables: Mapping[str, Any]) -> Prepared:
    allow(len(query), MAX_CHARACTERS, "characters")
    document = _parse(query)
    measuring = ComplexityCalculator(schema, settings, variables)
    measuring.check(document)
    lists = measuring.list_arguments()
    lists.check(variables)
    limits = frozenset(measuring.limit_variables)
    return Prepared(
        document, len(query), _errors(schema, settings, document), lists, {}, limits, {_sent(limits, variables)}
    )


def _errors(schema: GraphQLSchema, settings: Settings, document: DocumentNode) -> tuple[GraphQLError, ...]:
    rules = RULES if settings.introspection else (*RULES, NoSchemaIntrospectionCustomRule)
    errors = validate(
        schema,
        document,
        rules,
        MAX_ERRORS,
        hide_suggestions=not settings.suggestions,
        allow_empty_selection_sets=False,
    )
    for error in errors:
        if isinstance(error, ValidationAbortedError):
            error.message = "The document is too complex, or has too many mistakes, to be validated to its end."
            error.extensions = {"code": Code.QUERY_TOO_COMPLEX}
    return tuple(errors)


def _parse(query: str) -> DocumentNode:
    try:
        return parse(query, max_tokens=MAX_TOKENS, allow_empty_selection_sets=False)
    except GraphQLSyntaxError as error:
        if not error.message.endswith("Parsing aborted."):
            raise
        # The parser counts no further than it may: one token too many, or one level.
        message = error.message.removeprefix("Syntax Error: ").removesuffix(" Parsing aborted.")
        raise ApiError(Code.QUERY_TOO_COMPLEX, message) from error


def _sent(names: Iterable[str], variables: Mapping[str, Any]) -> Hashable:
    """What was sent for these variables. By its type too: true is no 1, though they are equal."""
    return frozenset((name, type(variables[name]), str(variables[name])) for name in names if name in variables)
