"""Reports an import: the problems that prevent it, and what it added, changed or ignored."""

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from app.domain.printable import printable

MOST_SHOWN = 20


class NotImported(Exception):
    """The file has problems, and nothing was written. `problems` are the first of them, one line each."""

    def __init__(self, problems: Sequence[str], count: int = 1) -> None:
        more = f"\n... and {count - len(problems)} more" if count > len(problems) else ""
        super().__init__("\n".join(problems) + more)
        self.problems = tuple(problems)


@dataclass(slots=True)
class Report:
    added: Counter[str] = field(default_factory=Counter)
    """Inserted rows by list."""
    present: Counter[str] = field(default_factory=Counter)
    """Rows by list that the database already had."""
    unknown: Counter[tuple[str, str]] = field(default_factory=Counter)
    """Ignored fields by list and name."""
    adjusted: Counter[tuple[str, str]] = field(default_factory=Counter)
    """Changed rows by list and description of the change."""
    problems: list[str] = field(default_factory=list)
    """The first MOST_SHOWN problems, one line each."""
    problem_count: int = 0

    def problem(self, where: str, message: str, *value: Any) -> None:
        """Note a problem at a path such as `lead_offers[3].rank`, counted from 0, with the value there if any."""
        self.problem_count += 1
        if len(self.problems) < MOST_SHOWN:
            self.problems.append(" ".join([f"{where}:", *map(shown, value), message]))

    def raise_problems(self) -> None:
        """Raise NotImported if there are problems."""
        if self.problems:
            raise NotImported(self.problems, self.problem_count)

    def lines(self) -> list[str]:
        """Return the report as lines of text."""
        return [
            *(
                f"{name}: {self.added[name]} added, {self.present[name]} already present"
                for name in self.added
                if self.added[name] or self.present[name]
            ),
            *(f"{name}: {count} {change}" for (name, change), count in self.adjusted.items()),
            *(f"{name}: unknown field {shown(key)} ignored ({count})" for (name, key), count in self.unknown.items()),
        ]


def shown(value: Any) -> str:
    """Return the value as JSON, cut to 80 characters and without characters that a terminal would interpret."""
    text = json.dumps(value, ensure_ascii=False, default=str)
    cut = text if len(text) <= 80 else f"{text[:77]}..."
    return printable(cut)
