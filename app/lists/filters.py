"""Filters and sort orders of lists: the conditions that clients can send, their limits, and their SQL.

GraphQL and REST each parse their own syntax into `Condition`, `AllOf`, `AnyOf` and `Negation`. Values already have the
type of their column. Rules for null:

- `eq` null matches null, and `ne` null matches everything else.
- `ne` and `nin` match rows whose value is null. `lt`, `lte`, `gt` and `gte` never do.
- `contains` and `startsWith` never match null. An empty text is in every text.
- A negation matches exactly the rows that its condition does not match.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum, StrEnum
from typing import Any, Protocol

from sqlalchemy import ColumnElement, UnaryExpression, and_, bindparam, exists, false, literal_column, or_, select, true

from app.db.functions import folded, member_of, position_in, set_parameter
from app.db.list_fields import FilteredRow, Flag, RelatedRow
from app.errors import too_complex

MAX_CONDITIONS = 250
"""Conditions of all lists that one request reads."""
MAX_LEVELS = 10
MAX_VALUES = 1_000
"""Values in the list of one condition."""
MAX_VALUES_IN_REQUEST = 5_000
"""Values in the lists of all conditions of one request: five full lists."""
MAX_SORTS = 5

IN_REQUEST = " in one request"
"""Ends the message of a limit that counts over all lists of a request."""


class Columns(Protocol):
    """The values that filters and sorts use, by name: a mapping, the columns of a table, or a FilteredRow."""

    def __getitem__(self, name: str, /) -> Any: ...


class Operator(StrEnum):
    EQ = "eq"
    NE = "ne"
    IN = "in"
    NIN = "nin"
    LT = "lt"
    LTE = "lte"
    GT = "gt"
    GTE = "gte"
    CONTAINS = "contains"
    STARTS_WITH = "startsWith"


RANGES = frozenset({Operator.LT, Operator.LTE, Operator.GT, Operator.GTE})
LISTS = frozenset({Operator.IN, Operator.NIN})
SEARCHES = frozenset({Operator.CONTAINS, Operator.STARTS_WITH})
"""Operators for text alone, which they compare without regard to case."""


class NoMatch:
    """Stands for an id that is not a whole number from 1 to 2⁶³-1, so that no row has it."""


NO_MATCH = NoMatch()


@dataclass(frozen=True, slots=True)
class Placeholder:
    """Names the parameter that takes the place of a value in a statement compiled once for all values."""

    name: str


@dataclass(frozen=True, slots=True)
class Condition:
    """An operator applied to a field. `value` is a tuple for `in` and `nin`."""

    field: str
    operator: Operator
    value: Any


@dataclass(frozen=True, slots=True)
class AllOf:
    """Matches rows that match every part; without parts, all rows."""

    parts: tuple["Where", ...] = ()


@dataclass(frozen=True, slots=True)
class AnyOf:
    """Matches rows that match at least one part; without parts, no rows."""

    parts: tuple["Where", ...] = ()


@dataclass(frozen=True, slots=True)
class Negation:
    part: "Where"


@dataclass(frozen=True, slots=True)
class FlagCondition:
    """Matches rows that answer a question this way. The value is part of the statement's text, for partial indexes."""

    field: str
    value: bool


@dataclass(frozen=True, slots=True)
class RelatedCondition:
    """Matches rows that refer to a row of another table, by the field, that matches the part."""

    field: str
    part: "Where"


Where = Condition | AllOf | AnyOf | Negation | FlagCondition | RelatedCondition
EVERYTHING = AllOf()


@dataclass(frozen=True, slots=True)
class Sort:
    field: str
    descending: bool = False


def allow(counted: int, allowed: int, what: str, within: str = "") -> None:
    """Raise QUERY_TOO_COMPLEX if a request has more than `allowed` of something. `within` says where it is counted."""
    if counted > allowed:
        message = f"Too many {what}: {counted}. At most {allowed} are allowed{within}."
        raise too_complex(counted, allowed, what, message)


def matches(where: Where, columns: Columns) -> ColumnElement[bool]:
    """Return the SQL of a condition."""
    match where:
        case Condition(field, operator, value):
            column = folded(columns[field]) if operator in SEARCHES else columns[field]
            return _SQL[operator](column, _operand(column, operator, value))
        case AllOf(parts):
            return and_(true(), *(matches(part, columns) for part in parts))
        case AnyOf(parts):
            return or_(false(), *(matches(part, columns) for part in parts))
        case Negation(part):
            return matches(part, columns).is_not(true())
        case FlagCondition(field, value):
            flag: Flag = columns[field]
            return flag.yes if value else flag.no
        case RelatedCondition(field, part):
            return _matches_related(columns[field], part)


def _matches_related(related: RelatedRow, part: Where) -> ColumnElement[bool]:
    row = related.table.alias()
    is_found = matches(part, FilteredRow(row.c, related.fields))
    found: Any = select(literal_column("1")).where(row.c.id == related.id, is_found)
    return exists(found.correlate_except(row))


def required_flags(where: Where) -> Iterator[FlagCondition]:
    """Yield the questions that every matching row answers in the given way."""
    match where:
        case FlagCondition():
            yield where
        case AllOf(parts):
            for part in parts:
                yield from required_flags(part)


def bounded(where: Where, sort: Sequence[Sort]) -> Where:
    """Add a bound on the first sort field to a condition, if the condition implies one.

    Clients page by key with `or: [{notifyAt: {lt: t}}, {notifyAt: {eq: t}, id: {gt: i}}]`. Neither database derives
    from it that an index can be read from t onwards: both read all rows before t and discard them.
    """
    first = sort[0] if sort else Sort("id")
    bound = _bound(where, first)
    if bound is None:
        return where
    operator = Operator.LTE if first.descending else Operator.GTE
    return AllOf((where, Condition(first.field, operator, bound)))


def _bound(where: Where, sort: Sort) -> Any:
    """Return a value that no matching row sorts before, or None if the condition implies no such value."""
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
"""Operators whose value bounds a descending list (True) or an ascending list (False)."""


def parametrize(where: Where, prefix: str = "") -> tuple[Where, dict[str, Any]]:
    """Replace the values of a condition with placeholders; return both, the values by the names of their placeholders.

    The names begin with `prefix`. Conditions that differ only in their values become equal. Null and NO_MATCH stay,
    because their SQL differs.
    """
    values: dict[str, Any] = {}
    return _parametrize(where, values, prefix), values


def _parametrize(where: Where, values: dict[str, Any], prefix: str) -> Where:  # noqa: PLR0911  one kind a line
    match where:
        case Condition(_, _, None | NoMatch()):
            return where
        case Condition(field, operator, value):
            name = f"{prefix}value_{len(values)}"
            values[name] = _without_no_match(value) if operator in LISTS else value
            return Condition(field, operator, Placeholder(name))
        case AllOf(parts):
            return AllOf(tuple(_parametrize(part, values, prefix) for part in parts))
        case AnyOf(parts):
            return AnyOf(tuple(_parametrize(part, values, prefix) for part in parts))
        case Negation(part):
            return Negation(_parametrize(part, values, prefix))
        case FlagCondition():
            return where
        case RelatedCondition(field, part):
            return RelatedCondition(field, _parametrize(part, values, prefix))


def ordering(sort: Iterable[Sort], columns: Columns) -> list[UnaryExpression[Any]]:
    """Return the ORDER BY of a list: nulls last in both directions, ties by id, so that pages never overlap."""
    return [_direction(columns[s.field], s.descending) for s in sort] + [columns["id"].asc()]


def _direction(column: ColumnElement[Any], descending: bool) -> UnaryExpression[Any]:
    """Leave NULLS LAST out where there are no nulls, so that an index serves both directions."""
    direction = column.desc() if descending else column.asc()
    return direction.nulls_last() if getattr(column, "nullable", True) else direction


def _operand(column: ColumnElement[Any], operator: Operator, value: Any) -> Any:
    match value:
        case Placeholder(name):
            return set_parameter(name, column) if operator in LISTS else bindparam(name, type_=column.type)
        case tuple():
            return _without_no_match(value)
    return bindparam(None, value, type_=column.type) if operator in SEARCHES else value


def _without_no_match(values: tuple[Any, ...]) -> list[Any]:
    return [value for value in values if value is not NO_MATCH]


def _eq(column: ColumnElement[Any], value: Any) -> ColumnElement[bool]:
    return false() if value is NO_MATCH else column == value


def _ne(column: ColumnElement[Any], value: Any) -> ColumnElement[bool]:
    return true() if value is NO_MATCH else column.is_distinct_from(value)


def _in(column: ColumnElement[Any], values: Any) -> ColumnElement[bool]:
    return member_of(column, values)


def _nin(column: ColumnElement[Any], values: Any) -> ColumnElement[bool]:
    # One term, not two: SQLite limits an expression to a depth of 1,000, and a filter may have 250 conditions.
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
    Operator.CONTAINS: lambda column, value: position_in(column, value) > 0,
    Operator.STARTS_WITH: lambda column, value: position_in(column, value) == 1,
}
