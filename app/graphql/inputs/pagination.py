"""The arguments of every list (where, sort, limit and skip), and their translation to `app.lists`."""

import dataclasses
from collections.abc import Callable, Iterable, Sequence
from typing import Annotated, Any, TypeVar

from strawberry import UNSET, argument
from strawberry.utils.str_converters import to_camel_case

from app.domain.identifiers import parse_id
from app.errors import Problem, bad_input
from app.graphql.enums import SortDirection
from app.graphql.inputs.filters import IDFilter, StringFilter
from app.lists import filters
from app.lists.filters import LISTS, NO_MATCH, RANGES, AllOf, AnyOf, Condition, Negation, Operator, Where
from app.lists.pagination import DEFAULT_LIMIT, PageRequest, clamp

T = TypeVar("T")

WhereArgument = Annotated[
    T | None,
    argument(
        description="Selects the rows to list. Left out or null, all rows that you can see. All lists of a request "
        "together have at most 250 conditions, with at most 5,000 values in lists, and 10 levels of nesting."
    ),
]
SortArgument = Annotated[
    list[T] | None,
    argument(
        description="Sort order: by the first entry, then by the second, and so on, at most 5. Null values come last "
        "in both directions, and equal rows are ordered by id, ascending. Left out or null, by id."
    ),
]
LimitArgument = Annotated[
    int | None,
    argument(
        description="Maximum number of items to return, from 0 to 100; a larger value means 100. 0 returns only the "
        "total. A negative value is BAD_USER_INPUT."
    ),
]
SkipArgument = Annotated[
    int | None,
    argument(description="Number of matching items to skip. A negative value is BAD_USER_INPUT."),
]

Report = Callable[[Problem], None]


def parse_page(where: object, sort: Sequence[Any] | None, limit: int | None, skip: int | None) -> PageRequest:
    """Translate the arguments of a list. Null counts as left out. Raise BAD_USER_INPUT with every invalid value."""
    problems: list[Problem] = []
    page = PageRequest(
        _where(where, "where", problems.append),
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


def _where(where: Any, path: str, report: Report) -> Where:
    """Translate a …Where input; a row must match all of its fields."""
    return AllOf(tuple(_part(name, value, path, report) for name, value in _given(where)))


def _part(name: str, value: Any, path: str, report: Report) -> Where:
    match name:
        case "and_":
            return AllOf(_each(value, f"{path}.and", report))
        case "or_":
            return AnyOf(_each(value, f"{path}.or", report))
        case "not_":
            return Negation(_where(value, f"{path}.not", report))
    return AllOf(tuple(_conditions(name, value, f"{path}.{to_camel_case(name)}", report)))


def _each(wheres: Sequence[Any], path: str, report: Report) -> tuple[Where, ...]:
    return tuple(_where(where, f"{path}.{i}", report) for i, where in enumerate(wheres))


def _given(item: Any) -> list[tuple[str, Any]]:
    """Return the fields of an input that are neither left out nor null."""
    if item is None or item is UNSET:
        return []
    pairs = [(field.name, getattr(item, field.name)) for field in dataclasses.fields(item)]
    return [(name, value) for name, value in pairs if value is not UNSET and value is not None]


def _conditions(field: str, operators: Any, path: str, report: Report) -> Iterable[Condition]:
    for attribute in dataclasses.fields(operators):
        value = getattr(operators, attribute.name)
        if value is UNSET:
            continue
        operator = Operator(attribute.name.rstrip("_"))
        yield Condition(field, operator, _value(operators, operator, value, f"{path}.{operator}", report))


def _value(operators: Any, operator: Operator, value: Any, path: str, report: Report) -> Any:
    if value is None:
        if operator not in (Operator.EQ, Operator.NE):
            report(Problem(path, "must not be null; only eq and ne accept null"))
        return None
    if operator in LISTS:
        return tuple(_scalar(operators, item, operator, f"{path}.{i}", report) for i, item in enumerate(value))
    return _scalar(operators, value, operator, path, report)


def _scalar(operators: Any, value: Any, operator: Operator, path: str, report: Report) -> Any:
    if isinstance(operators, IDFilter):
        number = parse_id(value)
        if number is None and operator in RANGES:
            report(Problem(path, f"must be a whole number from 1 to 2⁶³-1, not {value[:40]!r}"))
        return NO_MATCH if number is None else number
    if isinstance(operators, StringFilter) and "\0" in value:
        report(Problem(path, "must not contain the character NUL"))
    return value
