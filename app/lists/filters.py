"""Conditions, sorting and paging of lists: what GraphQL and REST clients may ask, and the SQL for it.

A transport parses its own dialect into `Condition`, `AllOf`, `AnyOf` and `Negation`, whose values are already of the
column's type. Null rules: `eq` and `ne` null ask for null and not null; `ne` and `nin` keep rows whose value is null;
ranges never match null; a negation matches exactly the rows that its condition does not.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum, StrEnum
from typing import Any

from sqlalchemy import ColumnElement, UnaryExpression, and_, bindparam, false, or_, true

from app.db.functions import member_of, set_parameter
from app.errors import ApiError, Code

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
class Place:
    """Stands for a value in a statement that is prepared once for all values: the parameter's name."""

    name: str


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
        raise ApiError(Code.QUERY_TOO_COMPLEX, f"Too many {what}: {counted}, where {allowed} are allowed.")


def clamp(limit: int) -> int:
    """The limit in force where a client asks for `limit`, which is not negative."""
    return min(limit, MAX_LIMIT)


def matches(where: Where, columns: Columns) -> ColumnElement[bool]:
    """The SQL of a condition."""
    match where:
        case Condition(field, operator, value):
            return _SQL[operator](columns[field], _operand(columns[field], operator, value))
        case AllOf(parts):
            return and_(true(), *(matches(part, columns) for part in parts))
        case AnyOf(parts):
            return or_(false(), *(matches(part, columns) for part in parts))
        case Negation(part):
            return matches(part, columns).is_not(true())


def bounded(where: Where, sort: Sequence[Sort]) -> Where:
    """The same condition, saying besides where a list sorted like this begins, if that follows from it.

    A client that pages by `or: [{notifyAt: {lt: t}}, {notifyAt: {eq: t}, id: {gt: i}}]` means an index to be read
    from t onwards, which no database finds out: it reads all rows before t and throws them away.
    """
    first = sort[0] if sort else Sort("id")
    bound = _bound(where, first)
    if bound is None:
        return where
    operator = Operator.LTE if first.descending else Operator.GTE
    return AllOf((where, Condition(first.field, operator, bound)))


def _bound(where: Where, sort: Sort) -> Any:
    """The value that no match comes before when sorted, None if there is no such value."""
    match where:
        case Condition(sort.field, operator, value) if operator in _BOUNDING[sort.descending]:
            return value if isinstance(value, int | str | datetime) and not isinstance(value, bool | Enum) else None
        case AllOf(parts):
            bounds = [bound for part in parts if (bound := _bound(part, sort)) is not None]
            return (min if sort.descending else max)(bounds, default=None)
        case AnyOf(parts):
            bounds = [_bound(part, sort) for part in parts]
            return (max if sort.descending else min)(bounds, default=None) if None not in bounds else None
    return None


_BOUNDING: Mapping[bool, frozenset[Operator]] = {
    True: frozenset({Operator.EQ, Operator.LT, Operator.LTE}),
    False: frozenset({Operator.EQ, Operator.GT, Operator.GTE}),
}
"""Operators whose value bounds a descending list, or else an ascending one."""


def parametrize(where: Where) -> tuple[Where, dict[str, Any]]:
    """The condition with places instead of its values, and the values by the names of their places.

    Conditions that differ by their values alone become the same. Null and the id of nothing stay: their SQL is another.
    """
    values: dict[str, Any] = {}
    return _parametrize(where, values), values


def _parametrize(where: Where, values: dict[str, Any]) -> Where:
    match where:
        case Condition(_, _, None | Nothing()):
            return where
        case Condition(field, operator, value):
            name = f"value_{len(values)}"
            values[name] = _known(value) if operator in LISTS else value
            return Condition(field, operator, Place(name))
        case AllOf(parts):
            return AllOf(tuple(_parametrize(part, values) for part in parts))
        case AnyOf(parts):
            return AnyOf(tuple(_parametrize(part, values) for part in parts))
        case Negation(part):
            return Negation(_parametrize(part, values))


def ordering(sort: Iterable[Sort], columns: Columns) -> list[UnaryExpression[Any]]:
    """ORDER BY: nulls last in both directions, ties by id, so that pages never overlap."""
    return [_direction(columns[s.field], s.descending) for s in sort] + [columns["id"].asc()]


def _direction(column: ColumnElement[Any], descending: bool) -> UnaryExpression[Any]:
    return (column.desc() if descending else column.asc()).nulls_last()


def _operand(column: ColumnElement[Any], operator: Operator, value: Any) -> Any:
    match value:
        case Place(name):
            return set_parameter(name, column) if operator in LISTS else bindparam(name, type_=column.type)
        case tuple():
            return _known(value)
    return value


def _known(values: tuple[Any, ...]) -> list[Any]:
    return [value for value in values if value is not NOTHING]


def _eq(column: ColumnElement[Any], value: Any) -> ColumnElement[bool]:
    return false() if value is NOTHING else column == value


def _ne(column: ColumnElement[Any], value: Any) -> ColumnElement[bool]:
    return true() if value is NOTHING else column.is_distinct_from(value)


def _in(column: ColumnElement[Any], values: Any) -> ColumnElement[bool]:
    return member_of(column, values)


def _nin(column: ColumnElement[Any], values: Any) -> ColumnElement[bool]:
    # One term, not two: SQLite takes no expression deeper than 1000, and 250 conditions may stand beside each other.
    return member_of(column, values).is_not(true())


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
