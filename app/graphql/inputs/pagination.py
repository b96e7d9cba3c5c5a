"""The arguments of every list (where, sort, limit and skip), and their translation to a `PageRequest`."""

from collections.abc import Sequence
from typing import Annotated, Any, TypeVar

from strawberry import argument

from app.errors import Problem, bad_input
from app.graphql.enums import SortDirection
from app.graphql.inputs.where import Report, parse_where
from app.lists import filters
from app.lists.filters import MAX_CONDITIONS, MAX_LEVELS, MAX_SORTS, MAX_VALUES_IN_REQUEST
from app.lists.pagination import DEFAULT_LIMIT, MAX_LIMIT, PageRequest, clamp

T = TypeVar("T")

WhereArgument = Annotated[
    T | None,
    argument(
        description="Selects the rows to list. Left out or null, all rows that you can see. All lists of a request "
        f"together have at most {MAX_CONDITIONS} conditions, with at most {MAX_VALUES_IN_REQUEST:,} values in lists, "
        f"and {MAX_LEVELS} levels of nesting."
    ),
]
SortArgument = Annotated[
    list[T] | None,
    argument(
        description=f"Sort order: by the first entry, then by the second, and so on, at most {MAX_SORTS}. Null values "
        "come last in both directions, and equal rows are ordered by id, ascending. Left out or null, by id."
    ),
]
LimitArgument = Annotated[
    int | None,
    argument(
        description=f"Maximum number of items to return, from 0 to {MAX_LIMIT}; a larger value means {MAX_LIMIT}. 0 "
        "returns only the total. A negative value is BAD_USER_INPUT."
    ),
]
SkipArgument = Annotated[
    int | None,
    argument(description="Number of matching items to skip. A negative value is BAD_USER_INPUT."),
]


def parse_page(where: object, sort: Sequence[Any] | None, limit: int | None, skip: int | None) -> PageRequest:
    """Translate the arguments of a list. Null counts as left out. Raise BAD_USER_INPUT with every invalid value."""
    problems: list[Problem] = []
    page = PageRequest(
        parse_where(where, "where", problems.append),
        tuple(filters.Sort(s.field.value, s.direction is SortDirection.DESC) for s in sort or ()),
        *parse_limits(limit, skip, problems.append),
    )
    if problems:
        raise bad_input(*problems)
    return page


def parse_limits(limit: int | None, skip: int | None, report: Report) -> tuple[int, int]:
    """Return the limit that applies and the number of rows to skip; report negative numbers."""
    limit = DEFAULT_LIMIT if limit is None else limit
    skip = skip or 0
    if limit < 0:
        report(Problem("limit", "must not be negative"))
    if skip < 0:
        report(Problem("skip", "must not be negative"))
    return clamp(limit), skip
