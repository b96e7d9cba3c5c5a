"""Conditions, sorting and paging of lists: what GraphQL and REST clients may ask, and the SQL for it.

A transport parses its own dialect into `Condition`, `AllOf`, `AnyOf` and `Negation`, whose values are already of the
column's type. Null rules: `eq` and `ne` null ask for null and not null; `ne` and `nin` keep rows whose value is null;
ranges never match null; a negation matches exactly the rows that its condition does not.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from sqlalchemy import ColumnElement, UnaryExpression, and_, false, not_, or_, true

from app.errors import Code, Refusal
from app.sets import member_of

DEFAULT_LIMIT = 10
MAX_LIMIT = 100
LARGEST_SKIP = 2**31 - 1
MAX_CONDITIONS = 250
MAX_LEVELS = 10
MAX_VALUES = 1_000
MAX_SORTS = 5

Columns = Mapping[str, ColumnElement[Any]]
"""The columns of a list by the names that its filters and sorts use."""


class Operator(StrEnum):
    EQ = "eq"
    NE = "ne"
    IN = "in"
    NIN = "nin"
    LT = "lt"
    LTE = "lte"
    GT = "gt"
    GTE = "gte"


RANGES = frozenset({Operator.LT, Operator.LTE, Operator.GT, Operator.GTE})
LISTS = frozenset({Operator.IN, Operator.NIN})


class Nothing:
    """The value of an id that is no number from 1 to 2⁶³-1: no row has it."""


NOTHING = Nothing()


@dataclass(frozen=True, slots=True)
class Condition:
    """One operator on one field. `value` is a tuple for `in` and `nin`."""

    field: str
    operator: Operator
    value: Any


@dataclass(frozen=True, slots=True)
class AllOf:
    """Every part holds; of no parts, true."""

    parts: tuple["Where", ...] = ()


@dataclass(frozen=True, slots=True)
class AnyOf:
    """One part at least holds; of no parts, false."""

    parts: tuple["Where", ...] = ()


@dataclass(frozen=True, slots=True)
class Negation:
    part: "Where"


Where = Condition | AllOf | AnyOf | Negation
EVERYTHING = AllOf()


@dataclass(frozen=True, slots=True)
class Sort:
    field: str
    descending: bool = False


@dataclass(frozen=True, slots=True)
class Page:
    """What part of which list is asked for. `limit` is the one in force: 0 to 100."""

    where: Where = EVERYTHING
    sort: tuple[Sort, ...] = ()
    limit: int = DEFAULT_LIMIT
    skip: int = 0


def allow(counted: int, allowed: int, what: str) -> None:
    """QUERY_TOO_COMPLEX where a client asks for more than is allowed."""
    if counted > allowed:
        raise Refusal(Code.QUERY_TOO_COMPLEX, f"Too many {what}: {counted}, where {allowed} are allowed.")


def clamp(limit: int) -> int:
    """The limit in force where a client asks for `limit`, which is not negative."""
    return min(limit, MAX_LIMIT)


def matches(where: Where, columns: Columns) -> ColumnElement[bool]:
    """The SQL of a condition."""
    match where:
        case Condition(field, operator, value):
            return _SQL[operator](columns[field], value)
        case AllOf(parts):
            return and_(true(), *(matches(part, columns) for part in parts))
        case AnyOf(parts):
            return or_(false(), *(matches(part, columns) for part in parts))
        case Negation(part):
            return matches(part, columns).is_not(true())


def ordering(sort: Iterable[Sort], columns: Columns) -> list[UnaryExpression[Any]]:
    """ORDER BY: nulls last in both directions, ties by id, so that pages never overlap."""
    return [_direction(columns[s.field], s.descending) for s in sort] + [columns["id"].asc()]


def _direction(column: ColumnElement[Any], descending: bool) -> UnaryExpression[Any]:
    return (column.desc() if descending else column.asc()).nulls_last()


def _eq(column: ColumnElement[Any], value: Any) -> ColumnElement[bool]:
    return false() if value is NOTHING else column == value


def _ne(column: ColumnElement[Any], value: Any) -> ColumnElement[bool]:
    return true() if value is NOTHING else column.is_distinct_from(value)


def _in(column: ColumnElement[Any], values: tuple[Any, ...]) -> ColumnElement[bool]:
    return member_of(column, [v for v in values if v is not NOTHING])


def _nin(column: ColumnElement[Any], values: tuple[Any, ...]) -> ColumnElement[bool]:
    return or_(not_(member_of(column, [v for v in values if v is not NOTHING])), column.is_(None))


_SQL: Mapping[Operator, Callable[[Any, Any], ColumnElement[bool]]] = {
    Operator.EQ: _eq,
    Operator.NE: _ne,
    Operator.IN: _in,
    Operator.NIN: _nin,
    Operator.LT: lambda column, value: column < value,
    Operator.LTE: lambda column, value: column <= value,
    Operator.GT: lambda column, value: column > value,
    Operator.GTE: lambda column, value: column >= value,
}
