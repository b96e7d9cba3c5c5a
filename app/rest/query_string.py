"""Parses FeathersJS query strings into the filters, sorts and pages of `app.lists.filters`.

The package qs-codec decodes what the client's npm package qs has encoded. Its own lists are switched off, because it
makes lists of up to 20 numbered keys and mappings of more: here, every mapping with numeric keys is a list.
"""

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import chain
from typing import Any, TypeGuard
from urllib.parse import unquote_plus

import qs_codec
from qs_codec.enums.charset import Charset
from qs_codec.enums.decode_kind import DecodeKind
from qs_codec.utils.decode_utils import DecodeUtils

from app.errors import Problem, bad_input, too_complex
from app.lists import filters
from app.lists.filters import EVERYTHING, LISTS, SEARCHES, AllOf, AnyOf, Condition, Operator, Sort, Where, allow
from app.lists.pagination import DEFAULT_LIMIT, PageRequest, clamp
from app.rest.filter_fields import FILTER_FIELDS, LEAD_FIELDS, ValueType, is_null, quoted, whole_number

MAX_PARAMETERS = 1_500
"""Allows for the longest list, written as one parameter per value, and the largest number of conditions."""

OPERATORS: Mapping[str, Operator] = {f"${each}": each for each in Operator if each not in {Operator.EQ, *SEARCHES}}

_EQUALITY = "="
_EQUATED = re.compile(rf"(?:\$(?:and|or)\[.*\[)?(?:{'|'.join({**FILTER_FIELDS, **LEAD_FIELDS})})\]?", re.DOTALL)


def _decode_text(text: str, charset: Charset, kind: DecodeKind) -> str | None:
    """Decode `rank` in `rank=1` as `rank[=]`, so that qs-codec merges it with `rank[$gt]=0`."""
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
"""A decoded query string: strings, lists for repeated parameters, and mappings for names in brackets."""


@dataclass(frozen=True, slots=True)
class FindQuery:
    """The query of a list. `select` names the fields to return; None means all."""

    page: PageRequest
    select: frozenset[str] | None


def parse_find(query_string: str, fields: Collection[str]) -> FindQuery:
    """Parse the query of a list whose rows have `fields`. BAD_USER_INPUT lists every invalid part."""
    tree = _decode(query_string)
    parser = _Parser()
    limit = parser.count(tree.pop("$limit", ""), "$limit", DEFAULT_LIMIT)
    skip = parser.count(tree.pop("$skip", ""), "$skip", 0)
    sort = parser.sort(tree.pop("$sort", ""))
    select = parser.select(tree.pop("$select", None), fields)
    where = parser.where(tree, "", 1)
    if parser.problems:
        raise bad_input(*parser.problems)
    return FindQuery(PageRequest(where, sort, clamp(limit), skip), select)


def parse_select(query_string: str, fields: Collection[str]) -> frozenset[str] | None:
    """Parse the query of one row with `fields`: `$select` only. BAD_USER_INPUT lists every invalid part."""
    tree = _decode(query_string)
    parser = _Parser()
    select = parser.select(tree.pop("$select", None), fields)
    parser.problems += [Problem(_inside("", name), "is not supported here; only $select is") for name in tree]
    if parser.problems:
        raise bad_input(*parser.problems)
    return select


def parse_figures(
    query_string: str, parameters: Collection[str], fields: Mapping[str, ValueType]
) -> tuple[dict[str, str], Where, list[Problem]]:
    """Parse the query of figures: parameters with one value each, empty if left out, and conditions on the fields.

    Return the problems as well, to which the caller may add.
    """
    tree = _decode(query_string)
    parser = _Parser(fields)
    values = {name: parser.one_value(tree.pop(name, ""), name) for name in parameters}
    if not fields:
        known = ", ".join(parameters)
        parser.problems += [Problem(_inside("", name), f"is not supported here; use {known}") for name in tree]
        return values, EVERYTHING, parser.problems
    return values, parser.where(tree, "", 1), parser.problems


def _decode(query_string: str) -> dict[str, Any]:
    allow(query_string.count("&") + 1, MAX_PARAMETERS, "parameters")
    try:
        return qs_codec.decode(query_string, _OPTIONS)
    except IndexError as error:
        names = (unquote_plus(each.partition("=")[0]) for each in query_string.split("&"))
        counted = max(_DEPTH + 1, *(name.count("[") for name in names))
        message = f"Too many brackets after a name: {counted}. At most {_DEPTH} are allowed."
        raise too_complex(counted, _DEPTH, "brackets after a name", message) from error


def _inside(path: str, name: str) -> str:
    name = name[:40]
    return f"{path}[{name}]" if path else name


def _is_list(tree: object) -> TypeGuard[Mapping[str, Any]]:
    return isinstance(tree, dict) and all(key.isascii() and key.isdigit() for key in tree)


def _leaves(tree: object) -> Iterator[str]:
    """Yield the strings of a list in any notation. One string may hold several values, separated by commas."""
    match tree:
        case str():
            yield tree
        case list():
            yield from chain.from_iterable(map(_leaves, tree))
        case dict() if _is_list(tree):
            yield from chain.from_iterable(map(_leaves, tree.values()))
        case _:
            raise ValueError("must be a list of values separated by commas, such as a,b")


def _split_list(tree: object) -> list[str]:
    leaves = list(_leaves(tree))
    allow(sum(leaf.count(",") + 1 for leaf in leaves), filters.MAX_VALUES, "values in a list")
    return [text for leaf in leaves for text in leaf.split(",")]


def _parse_operand(type_: ValueType, operator: Operator, tree: object) -> Any:
    if operator in LISTS:
        return tuple(_parse_value(type_, operator, text) for text in _split_list(tree))
    if not isinstance(tree, str):
        raise ValueError("must be one value; use $in or $nin for several")
    nullable = operator in (Operator.EQ, Operator.NE)
    return None if nullable and is_null(tree) else _parse_value(type_, operator, tree)


def _parse_value(type_: ValueType, operator: Operator, text: str) -> Any:
    if is_null(text):
        raise ValueError("must not be null; only equality and $ne compare with null")
    return type_.parse(text, operator)


@dataclass(slots=True)
class _Parser:
    """Parses the parts of one query and collects their problems."""

    fields: Mapping[str, ValueType] = field(default_factory=lambda: FILTER_FIELDS)
    problems: list[Problem] = field(default_factory=list)
    conditions: int = 0
    values: int = 0

    def report(self, path: str, message: object) -> None:
        self.problems.append(Problem(path, str(message)))

    def one_value(self, tree: object, path: str) -> str:
        """Return the value of a parameter, without the mark of an equality."""
        value = tree[_EQUALITY] if isinstance(tree, dict) and tree.keys() == {_EQUALITY} else tree
        if isinstance(value, str):
            return "" if is_null(value) else value
        self.report(path, "must have one value")
        return ""

    def where(self, tree: Tree, path: str, level: int) -> Where:
        allow(level, filters.MAX_LEVELS, "levels of $and and $or")
        return AllOf(tuple(self.entry(name, value, _inside(path, name), level) for name, value in tree.items()))

    def entry(self, name: str, tree: object, path: str, level: int) -> Where:
        if name == "$and":
            return AllOf(self.branches(tree, path, level))
        if name == "$or":
            return AnyOf(self.branches(tree, path, level)) if not is_null(tree) else EVERYTHING
        if name in self.fields:
            return AllOf(tuple(self.comparisons(name, tree, path)))
        self.report(path, f"is not a field; use {', '.join(self.fields)}, $and or $or")
        return EVERYTHING

    def branches(self, tree: object, path: str, level: int) -> tuple[Where, ...]:
        """Parse the conditions that `$and` or `$or` combines; none for null."""
        if is_null(tree):
            return ()
        branches = tree if _is_list(tree) else {}
        if not branches or not all(isinstance(branch, dict) for branch in branches.values()):
            self.report(path, f"must be a list of conditions, such as {path}[0][rank]=1")
            return ()
        return tuple(self.where(branch, f"{path}[{i}]", level + 1) for i, branch in branches.items())

    def comparisons(self, name: str, tree: object, path: str) -> Iterator[Where]:
        if not isinstance(tree, dict):
            self.report(path, f"must be written as {name}=1, or with an operator as {name}[$ne]=1")
            return
        known = [symbol for symbol, operator in OPERATORS.items() if operator in self.fields[name].operators]
        for symbol, operand in tree.items():
            if symbol == _EQUALITY:
                yield self.comparison(name, Operator.EQ, operand, path)
            elif symbol in known:
                yield self.comparison(name, OPERATORS[symbol], operand, _inside(path, symbol))
            else:
                self.report(_inside(path, symbol), f"is not an operator of {name}; use {', '.join(known)}")

    def comparison(self, name: str, operator: Operator, operand: object, path: str) -> Where:
        self.conditions += 1
        allow(self.conditions, filters.MAX_CONDITIONS, "conditions", filters.IN_REQUEST)
        try:
            value = _parse_operand(self.fields[name], operator, operand)
        except ValueError as error:
            self.report(path, error)
            return EVERYTHING
        self.values += len(value) if operator in LISTS else 0
        allow(self.values, filters.MAX_VALUES_IN_REQUEST, "values in lists", filters.IN_REQUEST)
        return Condition(name, operator, value)

    def count(self, tree: object, path: str, default: int) -> int:
        if is_null(tree):
            return default
        if not isinstance(tree, str):
            self.report(path, "must have one value")
            return default
        try:
            return whole_number(tree, low=0)
        except ValueError as error:
            self.report(path, error)
            return default

    def sort(self, tree: object) -> tuple[Sort, ...]:
        if is_null(tree):
            return ()
        if not isinstance(tree, dict):
            self.report("$sort", "must name a field, as $sort[notify_at]=1, or -1 for descending")
            return ()
        allow(len(tree), filters.MAX_SORTS, "sorts")
        for name, direction in tree.items():
            if name not in self.fields:
                self.report(_inside("$sort", name), f"is not a field; use {', '.join(self.fields)}")
            elif direction not in ("1", "-1"):
                self.report(_inside("$sort", name), "must be 1 (ascending) or -1 (descending)")
        return tuple(Sort(name, direction == "-1") for name, direction in tree.items())

    def select(self, tree: object, fields: Collection[str]) -> frozenset[str] | None:
        if tree is None:
            return None
        try:
            names = _split_list(tree)
        except ValueError as error:
            self.report("$select", error)
            return None
        for name in names:
            if name not in fields:
                self.report("$select", f"{quoted(name)} is not a field; use {', '.join(fields)}")
        return frozenset(names)
