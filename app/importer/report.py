"""Reports an import: the problems that prevent it, and what it added, changed, left out or ignored."""

import json
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from math import isfinite
from typing import Any

from app.domain.printable import printable

MOST_SHOWN = 20
"""How many problems are listed one by one, unless all of them are asked for."""

MOST_LEVELS = 20
"""The levels of a value that are shown."""

_PATH = re.compile(r"(?P<list>\w+)\[(?P<position>[0-9]+)\](\.(?P<field>.+))?")
_VARYING = re.compile(r"""U\+[0-9A-F]+|[0-9][0-9,]*|"[^"]*"|'[^']*'""")


class NotImported(Exception):
    """The file has problems, and nothing was written. The message counts them by list and kind, and lists them."""

    def __init__(self, report: "Report") -> None:
        super().__init__("\n".join(report.problem_lines()))
        self.problems = tuple(map(str, report.problems))


@dataclass(frozen=True, slots=True)
class Problem:
    """A value, row or file that cannot be imported. The message follows the value."""

    path: str
    """Such as `leads[3].zipcode`, counted from 0. Empty for a problem of the whole file."""
    message: str
    value: tuple[Any, ...] = ()
    """The value at the path, if the message is about one."""

    def __str__(self) -> str:
        path = [f"{self.path}:"] if self.path else []
        return " ".join([*path, *map(shown, self.value), self.message])

    @property
    def place(self) -> dict[str, Any]:
        """The list, the position in it and the field. They are None where the problem is about more."""
        match = _PATH.fullmatch(self.path)
        if match is None:
            return {"list": self.path or None, "position": None, "field": None}
        return {"list": match["list"], "position": int(match["position"]), "field": match["field"]}

    def as_json(self) -> dict[str, Any]:
        return {**self.place, "problem": self.message, **({"value": self.value[0]} if self.value else {})}


@dataclass(slots=True)
class Kind:
    """Problems of one field with one reason, or values that were left out for it."""

    first: Problem
    reason: str
    count: int = 0

    def as_json(self) -> dict[str, Any]:
        place = self.first.place
        return {"list": place["list"], "field": place["field"], "problem": self.reason, "count": self.count}


class Kinds(dict[tuple[str | None, str | None, str], Kind]):
    """Counts problems by list, field and reason. Messages that differ in numbers and quoted text are one reason."""

    def add(self, problem: Problem, reason: str | None) -> None:
        place = problem.place
        key = _VARYING.sub("#", reason or problem.message)
        kind = self.setdefault((place["list"], place["field"], key), Kind(problem, reason or problem.message))
        kind.count += 1

    def by_list(self) -> dict[str | None, list[Kind]]:
        """Return the kinds of each list, the most frequent ones first."""
        lists: dict[str | None, list[Kind]] = {}
        for (name, _field, _reason), kind in self.items():
            lists.setdefault(name, []).append(kind)
        for kinds in lists.values():
            kinds.sort(key=lambda kind: -kind.count)
        return lists


@dataclass(slots=True)
class Report:
    keeps_all: bool = False
    """Whether all problems are kept and listed, and not only the first of each kind."""
    is_lenient: bool = False
    """Whether invalid values of some optional fields are left out instead of being problems."""
    added: Counter[str] = field(default_factory=Counter)
    """Inserted rows by list."""
    present: Counter[str] = field(default_factory=Counter)
    """Rows by list that the database already had."""
    unknown: Counter[tuple[str, str]] = field(default_factory=Counter)
    """Ignored fields by list and name."""
    adjusted: Counter[tuple[str, str]] = field(default_factory=Counter)
    """Changed rows by list and description of the change."""
    left_out: Kinds = field(default_factory=Kinds)
    problems: list[Problem] = field(default_factory=list)
    """All problems, or the first MOST_SHOWN."""
    problem_count: int = 0
    kinds: Kinds = field(default_factory=Kinds)
    """All problems by kind."""

    def problem(self, path: str, message: str, *value: Any, reason: str | None = None) -> None:
        """Note a problem at a path such as `lead_offers[3].rank`, counted from 0, with the value there if any.

        `reason` is what the problem is counted as, if the message names something that differs from row to row.
        """
        problem = Problem(path, message, tuple(map(_printable_json, value)))
        self.problem_count += 1
        self.kinds.add(problem, reason)
        if self.keeps_all or len(self.problems) < MOST_SHOWN:
            self.problems.append(problem)

    def leave_out(self, path: str, message: str, *value: Any) -> None:
        """Note an invalid value that is read as if it were not given."""
        self.left_out.add(Problem(path, message, tuple(map(_printable_json, value))), None)

    def raise_problems(self) -> None:
        """Raise NotImported if there are problems."""
        if self.problem_count:
            raise NotImported(self)

    def problem_lines(self) -> list[str]:
        """Return the problems as lines of text: first their number by list and kind, then the problems themselves."""
        if self.problem_count == 1:
            return [str(self.problems[0])]
        lists = self.kinds.by_list()
        lines = [f"Nothing was imported: the file has {self.problem_count:,} problems."]
        for name, kinds in lists.items():
            lines.append(f"{name or 'file'}: {sum(kind.count for kind in kinds):,}")
            for kind in kinds:
                where = [f"{kind.first.place['field']}:"] if kind.first.place["field"] else []
                lines.append(" ".join([f"  {kind.count:,} x", *where, kind.reason]))
        if len(self.problems) == self.problem_count:
            return [*lines, "", *map(str, self.problems)]
        first = [str(kind.first) for kinds in lists.values() for kind in kinds]
        return [*lines, "", "The first of each kind:", *first, "", "See all of them with --all, or with --json."]

    def lines(self) -> list[str]:
        """Return the report as lines of text."""
        return [
            *(
                f"{name}: {self.added[name]} added, {self.present[name]} already present"
                for name in self.added
                if self.added[name] or self.present[name]
            ),
            *(f"{name}: {count} {change}" for (name, change), count in self.adjusted.items()),
            *(
                f"{name}: {kind.count} x {kind.first.place['field']} left out: {kind.reason}"
                for name, kinds in self.left_out.by_list().items()
                for kind in kinds
            ),
            *(f"{name}: unknown field {shown(key)} ignored ({count})" for (name, key), count in self.unknown.items()),
        ]

    def as_json(self) -> dict[str, Any]:
        """Return the report as one JSON object: the result, what was changed, and the problems."""
        return {
            "imported": not self.problem_count,
            "lists": {name: {"added": self.added[name], "present": self.present[name]} for name in self.added},
            "adjusted": [{"list": name, "change": change, "count": n} for (name, change), n in self.adjusted.items()],
            "left_out": list(_counted(self.left_out)),
            "unknown_fields": [{"list": name, "field": key, "count": n} for (name, key), n in self.unknown.items()],
            "problem_count": self.problem_count,
            "problem_counts": list(_counted(self.kinds)),
            "problems": [problem.as_json() for problem in self.problems],
        }


def _counted(kinds: Kinds) -> Iterator[dict[str, Any]]:
    return (kind.as_json() for of_list in kinds.by_list().values() for kind in of_list)


def _printable_json(value: Any, levels: int = MOST_LEVELS) -> Any:
    """Return the value as JSON can be written: without infinite numbers, and cut below so many levels."""
    match value:
        case float() if not isfinite(value):
            return str(value)
        case list() | dict() if levels == 0:
            return "..."
        case list():
            return [_printable_json(each, levels - 1) for each in value]
        case dict():
            return {key: _printable_json(each, levels - 1) for key, each in value.items()}
    return value


def shown(value: Any) -> str:
    """Return the value as JSON, cut to 80 characters and without characters that a terminal would interpret."""
    text = json.dumps(value, ensure_ascii=False, default=str)
    cut = text if len(text) <= 80 else f"{text[:77]}..."
    return printable(cut)
