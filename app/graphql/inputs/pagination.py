"""The GraphQL dialect of lists: where, sort, limit and skip into `app.filters`."""

import dataclasses
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from strawberry import UNSET
from strawberry.utils.str_converters import to_camel_case

from app.domain.identifiers import parse_id
from app.errors import Problem, bad_input
from app.graphql.enums import SortDirection
from app.graphql.inputs.filters import IDFilter, StringFilter
from app.lists import filters
from app.lists.filters import LISTS, NO_MATCH, RANGES, AllOf, AnyOf, Condition, Negation, Operator, Where

Report = Callable[[Problem], None]


def parse_page(where: object, sort: Sequence[Any] | None, limit: int | None, skip: int | None) -> filters.PageRequest:
    """What a list is asked for. What is null counts as left out. BAD_USER_INPUT names every mistake."""
    problems: list[Problem] = []
    page = filters.PageRequest(
        _where(where, "where", problems.append),
        tuple(filters.Sort(s.field.value, s.direction is SortDirection.DESC) for s in sort or ()),
        *parse_limits(limit, skip, problems.append),
    )
    if problems:
        raise bad_input(*problems)
    return page


def parse_limits(limit: int | None, skip: int | None, report: Report) -> tuple[int, int]:
    """The limit in force, and how much is skipped."""
    limit = filters.DEFAULT_LIMIT if limit is None else limit
    skip = skip or 0
    if limit < 0:
        report(Problem("limit", "must not be negative"))
    if skip < 0:
        report(Problem("skip", "must not be negative"))
    return filters.clamp(limit), skip


def _where(where: Any, path: str, report: Report) -> Where:
    """The condition that a …Where input states; its fields are joined by and."""
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
    """The fields of an input that are neither left out nor null."""
    if item is None or item is UNSET:
        return []
    pairs = [(field.name, getattr(item, field.name)) for field in dataclasses.fields(item)]
    return [(name, value) for name, value in pairs if value is not UNSET and value is not None]


def _conditions(field: str, of: Any, path: str, report: Report) -> Iterable[Condition]:
    for attribute in dataclasses.fields(of):
        value = getattr(of, attribute.name)
        if value is UNSET:
            continue
        operator = Operator(attribute.name.rstrip("_"))
        yield Condition(field, operator, _value(of, operator, value, f"{path}.{operator}", report))


def _value(of: Any, operator: Operator, value: Any, path: str, report: Report) -> Any:
    if value is None:
        if operator not in (Operator.EQ, Operator.NE):
            report(Problem(path, "must not be null; eq and ne ask for null"))
        return None
    if operator in LISTS:
        return tuple(_one(of, item, operator, f"{path}.{i}", report) for i, item in enumerate(value))
    return _one(of, value, operator, path, report)


def _one(of: Any, value: Any, operator: Operator, path: str, report: Report) -> Any:
    if isinstance(of, IDFilter):
        number = parse_id(value)
        if number is None and operator in RANGES:
            report(Problem(path, f"must be a whole number from 1 to 2⁶³-1, not {value[:40]!r}"))
        return NO_MATCH if number is None else number
    if isinstance(of, StringFilter) and "\0" in value:
        report(Problem(path, "must not contain the character NUL"))
    return value
