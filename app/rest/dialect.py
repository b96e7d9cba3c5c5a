"""The query strings of FeathersJS into `app.filters`.

The package qs-codec undoes what the client's qs has done. It is told to make no lists of numbered keys: qs makes
some of up to 20 and mappings of longer ones; here a list is whatever its keys are numbers.
"""

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import chain
from typing import Any, TypeGuard

import qs_codec
from qs_codec.enums.charset import Charset
from qs_codec.enums.decode_kind import DecodeKind
from qs_codec.utils.decode_utils import DecodeUtils

from app.errors import ApiError, Code, Problem, bad_input
from app.lists import filters
from app.lists.filters import EVERYTHING, LISTS, AllOf, AnyOf, Condition, Operator, Sort, Where, allow
from app.rest.fields import FIELDS, Kind, is_null, quoted, whole_number

MAX_PARAMETERS = 1_500
"""Enough for one list of the longest, a pair a value, and as many conditions as there may be."""

OPERATORS: Mapping[str, Operator] = {f"${operator}": operator for operator in Operator if operator != Operator.EQ}

_EQUALITY = "="
_EQUATED = re.compile(rf"(?:\$(?:and|or)\[.*\[)?(?:{'|'.join(FIELDS)})\]?", re.DOTALL)


def _decode_text(text: str, charset: Charset, kind: DecodeKind) -> str | None:
    """`rank=1` becomes `rank[=]=1`, so that qs-codec finds it in one place with `rank[$gt]=0`."""
    decoded = DecodeUtils.decode(text, charset)
    is_equated = kind is DecodeKind.KEY and decoded is not None and _EQUATED.fullmatch(decoded)
    return f"{decoded}[{_EQUALITY}]" if is_equated else decoded


_DEPTH = 2 * filters.MAX_LEVELS + 2
_OPTIONS = qs_codec.DecodeOptions(
    parse_lists=False,
    list_limit=MAX_PARAMETERS,
    parameter_limit=MAX_PARAMETERS,
    depth=_DEPTH,
    strict_depth=True,
    raise_on_limit_exceeded=True,
    decoder=_decode_text,
)

Tree = Mapping[str, Any]
"""A decoded query string: texts, lists of what was sent several times, and mappings of what stood in brackets."""


@dataclass(frozen=True, slots=True)
class Query:
    """What a list is asked for. `select` names the fields to be answered; None is all."""

    page: filters.PageRequest
    select: frozenset[str] | None


def parse_find(query_string: str, fields: Collection[str]) -> Query:
    """The query of a list whose rows have `fields`. BAD_USER_INPUT names every mistake."""
    sent = _decode(query_string)
    reader = _Reader()
    limit = reader.count(sent.pop("$limit", ""), "$limit", filters.DEFAULT_LIMIT)
    skip = reader.count(sent.pop("$skip", ""), "$skip", 0)
    sort = reader.sort(sent.pop("$sort", ""))
    select = reader.select(sent.pop("$select", None), fields)
    where = reader.where(sent, "", 1)
    if reader.problems:
        raise bad_input(*reader.problems)
    return Query(filters.PageRequest(where, sort, filters.clamp(limit), skip), select)


def parse_select(query_string: str, fields: Collection[str]) -> frozenset[str] | None:
    """The query of one row that has `fields`, which takes `$select` alone. BAD_USER_INPUT names every mistake."""
    sent = _decode(query_string)
    reader = _Reader()
    select = reader.select(sent.pop("$select", None), fields)
    reader.problems += [Problem(_inside("", name), "is not taken here; $select is") for name in sent]
    if reader.problems:
        raise bad_input(*reader.problems)
    return select


def _decode(query_string: str) -> dict[str, Any]:
    allow(query_string.count("&") + 1, MAX_PARAMETERS, "parameters")
    try:
        return qs_codec.decode(query_string, _OPTIONS)
    except IndexError as error:
        raise ApiError(Code.QUERY_TOO_COMPLEX, f"Too many brackets: {_DEPTH} behind a name are allowed.") from error


def _inside(path: str, name: str) -> str:
    name = name[:40]
    return f"{path}[{name}]" if path else name


def _is_list(sent: object) -> TypeGuard[Mapping[str, Any]]:
    return isinstance(sent, dict) and all(key.isascii() and key.isdigit() for key in sent)


def _leaves(sent: object) -> Iterator[str]:
    """The texts of a list, however it was written; one text may hold several, parted by commas."""
    match sent:
        case str():
            yield sent
        case list():
            yield from chain.from_iterable(map(_leaves, sent))
        case dict() if _is_list(sent):
            yield from chain.from_iterable(map(_leaves, sent.values()))
        case _:
            raise ValueError("takes a list of values, as in a,b")


def _listed(sent: object) -> list[str]:
    leaves = list(_leaves(sent))
    allow(sum(leaf.count(",") + 1 for leaf in leaves), filters.MAX_VALUES, "values in a list")
    return [text for leaf in leaves for text in leaf.split(",")]


def _value(kind: Kind, operator: Operator, sent: object) -> Any:
    if operator in LISTS:
        return tuple(_one(kind, operator, text) for text in _listed(sent))
    if not isinstance(sent, str):
        raise ValueError("takes one value; several go with $in and $nin")
    nullable = operator in (Operator.EQ, Operator.NE)
    return None if nullable and is_null(sent) else _one(kind, operator, sent)


def _one(kind: Kind, operator: Operator, text: str) -> Any:
    if is_null(text):
        raise ValueError("must not be null; equality and $ne ask for null")
    return kind.read(text, operator)


@dataclass(slots=True)
class _Reader:
    """Reads the parts of one query, and keeps what is wrong with them."""

    problems: list[Problem] = field(default_factory=list)
    conditions: int = 0

    def wrong(self, path: str, message: object) -> None:
        self.problems.append(Problem(path, str(message)))

    def where(self, sent: Tree, path: str, level: int) -> Where:
        allow(level, filters.MAX_LEVELS, "levels of $and and $or")
        return AllOf(tuple(self.part(name, value, _inside(path, name), level) for name, value in sent.items()))

    def part(self, name: str, sent: object, path: str, level: int) -> Where:
        if name == "$and":
            return AllOf(self.branches(sent, path, level))
        if name == "$or":
            return AnyOf(self.branches(sent, path, level)) if not is_null(sent) else EVERYTHING
        if name in FIELDS:
            return AllOf(tuple(self.comparisons(name, sent, path)))
        self.wrong(path, f"is no field; there are {', '.join(FIELDS)}, and $and and $or")
        return EVERYTHING

    def branches(self, sent: object, path: str, level: int) -> tuple[Where, ...]:
        """The conditions that `$and` or `$or` combines; null is none."""
        if is_null(sent):
            return ()
        branches = sent if _is_list(sent) else {}
        if not branches or not all(isinstance(branch, dict) for branch in branches.values()):
            self.wrong(path, f"takes a list of conditions, as in {path}[0][rank]=1")
            return ()
        return tuple(self.where(branch, f"{path}[{i}]", level + 1) for i, branch in branches.items())

    def comparisons(self, name: str, sent: object, path: str) -> Iterator[Where]:
        if not isinstance(sent, dict):
            self.wrong(path, f"is written {name}=1, or {name}[$ne]=1 and its like")
            return
        for written, value in sent.items():
            if written == _EQUALITY:
                yield self.comparison(name, Operator.EQ, value, path)
            else:
                yield self.operation(name, written, value, _inside(path, written))

    def operation(self, name: str, written: str, sent: object, path: str) -> Where:
        known = [w for w, operator in OPERATORS.items() if operator in FIELDS[name].operators]
        if written in known:
            return self.comparison(name, OPERATORS[written], sent, path)
        self.wrong(path, f"is no operator of {name}; there are {', '.join(known)}")
        return EVERYTHING

    def comparison(self, name: str, operator: Operator, sent: object, path: str) -> Where:
        self.conditions += 1
        allow(self.conditions, filters.MAX_CONDITIONS, "conditions")
        try:
            return Condition(name, operator, _value(FIELDS[name], operator, sent))
        except ValueError as error:
            self.wrong(path, error)
            return EVERYTHING

    def count(self, sent: object, path: str, default: int) -> int:
        if is_null(sent):
            return default
        try:
            return whole_number(str(sent), low=0)
        except ValueError as error:
            self.wrong(path, error)
            return default

    def sort(self, sent: object) -> tuple[Sort, ...]:
        if is_null(sent):
            return ()
        if not isinstance(sent, dict):
            self.wrong("$sort", "is written $sort[notify_at]=1, or -1 for descending")
            return ()
        allow(len(sent), filters.MAX_SORTS, "sorts")
        for name, direction in sent.items():
            if name not in FIELDS:
                self.wrong(_inside("$sort", name), f"is no field; there are {', '.join(FIELDS)}")
            elif direction not in ("1", "-1"):
                self.wrong(_inside("$sort", name), "must be 1 or -1")
        return tuple(Sort(name, direction == "-1") for name, direction in sent.items())

    def select(self, sent: object, fields: Collection[str]) -> frozenset[str] | None:
        if sent is None:
            return None
        try:
            names = _listed(sent)
        except ValueError as error:
            self.wrong("$select", error)
            return None
        for name in names:
            if name not in fields:
                self.wrong("$select", f"there is no field {quoted(name)}; there are {', '.join(fields)}")
        return frozenset(names)
