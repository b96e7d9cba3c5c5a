"""What an import found: mistakes, for which nothing is written, and what whoever runs it should know."""

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

MOST_SHOWN = 20


class NotImported(Exception):
    """The file has mistakes; nothing was written. `mistakes` are the first of them, each one line."""

    def __init__(self, mistakes: Sequence[str], count: int = 1) -> None:
        more = f"\n... and {count - len(mistakes)} more" if count > len(mistakes) else ""
        super().__init__("\n".join(mistakes) + more)
        self.mistakes = tuple(mistakes)


@dataclass(slots=True)
class Findings:
    added: Counter[str] = field(default_factory=Counter)
    """Rows by list."""
    present: Counter[str] = field(default_factory=Counter)
    """Rows by list that were there already and are left as they are."""
    unknown: Counter[tuple[str, str]] = field(default_factory=Counter)
    """Fields by list and name that are left alone."""
    adjusted: Counter[tuple[str, str]] = field(default_factory=Counter)
    """Rows by list and what was changed in them."""
    mistakes: list[str] = field(default_factory=list)
    mistake_count: int = 0

    def mistake(self, where: str, message: str, *value: Any) -> None:
        """`where` is as in `lead_offers[3].rank`, counted from 0; `value`, if there is one, is what stands there."""
        self.mistake_count += 1
        if len(self.mistakes) < MOST_SHOWN:
            self.mistakes.append(" ".join([f"{where}:", *map(shown, value), message]))

    def refuse_mistakes(self) -> None:
        if self.mistakes:
            raise NotImported(self.mistakes, self.mistake_count)

    def lines(self) -> list[str]:
        """The report, for people."""
        return [
            *(
                f"{name}: {self.added[name]} added, {self.present[name]} there already"
                for name in self.added
                if self.added[name] or self.present[name]
            ),
            *(f"{name}: {count} {change}" for (name, change), count in self.adjusted.items()),
            *(
                f"{name}: unknown field {shown(key)} left alone ({count})"
                for (name, key), count in self.unknown.items()
            ),
        ]


def shown(value: Any) -> str:
    """As it stands in the file, cut to a length that a line bears, and fit for every terminal."""
    text = json.dumps(value, ensure_ascii=False, default=str)
    cut = text if len(text) <= 80 else f"{text[:77]}..."
    return "".join(character if character.isprintable() else json.dumps(character)[1:-1] for character in cut)
