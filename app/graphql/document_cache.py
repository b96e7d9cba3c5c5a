"""The cache of documents. A document is parsed, measured and validated once."""

from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property, partial
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

from app.config import Settings
from app.errors import ApiError, Code, too_complex
from app.graphql.complexity import MAX_CHARACTERS, MAX_ERRORS, MAX_TOKENS, ComplexityCalculator, ListArguments
from app.graphql.core_internals import is_validation_aborted, parser_limit, parser_limit_message
from app.graphql.validation_rules import RULES
from app.lists.filters import allow

MAX_CACHED_CHARACTERS = 1024 * 1024
"""Characters of all cached documents. A parsed document takes about a hundred times the memory of its text."""

MAX_CHECKED = 100
"""Sets of variables of one document that are remembered to be within the limits."""


@dataclass(frozen=True)
class CachedDocument:
    """A document within the limits that do not depend on its variables."""

    ast: DocumentNode
    characters: int
    validate: Callable[[], tuple[GraphQLError, ...]]
    list_arguments: ListArguments
    plans: dict[str | None, Any]
    """The compiled plans of the document's operations by name, or why there is none; see `app.graphql.plans`."""
    limit_variables: frozenset[str]
    """The variables on which the cost depends."""
    checked: set[Hashable] = field(default_factory=set)
    """The values of these variables for which the cost is known to be within the limit."""

    @cached_property
    def errors(self) -> tuple[GraphQLError, ...]:
        """The validation errors. They are computed once, when the document is within all limits for the first time."""
        return self.validate()


class DocumentCache:
    """The documents that were requested last, by their text.

    If `trusted` is given, which maps names to documents, every other document is refused.
    """

    def __init__(self, schema: GraphQLSchema, settings: Settings, trusted: Mapping[str, str] | None = None) -> None:
        self._schema = schema
        self._settings = settings
        self._trusted = None if trusted is None else frozenset(trusted.values())
        self._documents: LRUCache[str, CachedDocument] = LRUCache(
            MAX_CACHED_CHARACTERS, getsizeof=lambda document: document.characters
        )

    def get(self, query: str) -> CachedDocument | None:
        """Return the document if it is cached. It is not checked with any variables."""
        return self._documents.get(query)

    def load(self, query: str, variables: Mapping[str, Any]) -> CachedDocument:
        """Return the document, checked with these variables; its `errors` say whether it is valid.

        Raises DOCUMENT_NOT_TRUSTED, QUERY_TOO_COMPLEX or GraphQLSyntaxError.
        """
        if document := self._documents.get(query):
            self.check(document, variables)
            return document

        if self._trusted is not None and query not in self._trusted:
            message = (
                "This server runs trusted documents only, and this document is not one of them. Send the id of a "
                "trusted document as documentId, or ask the operator to add this one."
            )
            raise ApiError(Code.DOCUMENT_NOT_TRUSTED, message)

        allow(len(query), MAX_CHARACTERS, "characters")
        ast = _parse(query)
        calculator = ComplexityCalculator(self._schema, self._settings, variables)
        calculator.check(ast)
        limit_variables = frozenset(calculator.limit_variables)
        validate_once = partial(self._validate, ast)
        document = CachedDocument(ast, len(query), validate_once, calculator.list_arguments(), {}, limit_variables)
        document.checked.add(_values_of(limit_variables, variables))
        self._documents[query] = document  # before the next check, so that a refusal that is repeated takes no time
        document.list_arguments.check(variables)
        return document

    def check(self, document: CachedDocument, variables: Mapping[str, Any]) -> None:
        """Raise QUERY_TOO_COMPLEX if the document exceeds a limit with these variables.

        The cost depends on few variables, and mostly on none: it is computed once for each set of their values.
        """
        document.list_arguments.check(variables)
        values = _values_of(document.limit_variables, variables)
        if values not in document.checked:
            ComplexityCalculator(self._schema, self._settings, variables).check(document.ast)
            if len(document.checked) < MAX_CHECKED:
                document.checked.add(values)

    def _validate(self, document: DocumentNode) -> tuple[GraphQLError, ...]:
        rules = RULES if self._settings.introspection else (*RULES, NoSchemaIntrospectionCustomRule)
        errors = validate(
            self._schema,
            document,
            rules,
            MAX_ERRORS,
            hide_suggestions=not self._settings.suggestions,
            allow_empty_selection_sets=False,
        )
        for error in filter(is_validation_aborted, errors):
            stopped = _why_stopped(error, len(errors))
            error.message, error.extensions = stopped.message, {"code": stopped.code, **stopped.extensions}
        return tuple(_merged(errors))


def _merged(errors: Iterable[GraphQLError]) -> Iterator[GraphQLError]:
    """Yield errors that say the same once, with all their locations: those of a variable that is used several times."""
    alike: dict[str, list[GraphQLError]] = {}
    for error in errors:
        alike.setdefault(f"{error.message} {error.extensions}", []).append(error)
    for first, *others in alike.values():
        nodes = dict.fromkeys(node for error in (first, *others) for node in error.nodes or ())
        yield GraphQLError(first.message, [*nodes], extensions=first.extensions) if others else first


def _why_stopped(error: GraphQLError, counted: int) -> ApiError:
    """Return why validation stopped at its last error. `counted` are all errors, this one included."""
    if isinstance(error.original_error, ApiError):
        return error.original_error
    if counted > MAX_ERRORS:
        message = f"Validation stopped early: the document has more than {MAX_ERRORS} errors. Correct the first ones."
        return too_complex(counted, MAX_ERRORS, "errors", message)
    return ApiError(Code.QUERY_TOO_COMPLEX, "Validation stopped early: the document is too complex. Split it.")


def _parse(query: str) -> DocumentNode:
    try:
        return parse(query, max_tokens=MAX_TOKENS, allow_empty_selection_sets=False)
    except GraphQLSyntaxError as error:
        if message := parser_limit_message(error):
            limit = parser_limit(message)
            message = f"{message} Split the document."
            if limit is None:
                raise ApiError(Code.QUERY_TOO_COMPLEX, message) from error
            allowed, what = limit
            raise too_complex(allowed + 1, allowed, what, message) from error
        raise


def _values_of(names: Iterable[str], variables: Mapping[str, Any]) -> Hashable:
    """Return the values of these variables as a key. It includes their types: in Python true equals 1."""
    return frozenset((name, type(variables[name]), str(variables[name])) for name in names if name in variables)
