"""Fields whose resolvers answer with the tables' rows."""

from collections.abc import Callable
from typing import Any

import strawberry


def resolved(resolver: Callable[..., Any], description: str | None = None) -> Any:
    """A field of the annotated GraphQL type, whose resolver returns the row (or page of rows) that it shows.

    Strawberry resolves by attribute, so that rows need not be copied into GraphQL types; only the type checker cannot
    know that a `models.Lead` will do where a `Lead` is declared, hence Any.
    """
    return strawberry.field(resolver=resolver, description=description)


def payload(kind: Any, **rows: Any) -> Any:
    """An instance of a payload type whose fields are rows, as `resolved` has it."""
    return kind(**rows)
