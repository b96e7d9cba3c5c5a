"""Figures as rows of a table, for CSV and the terminal, and as JSON."""

import csv
import io
import unicodedata
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from app.db.models import LeadSource, Team
from app.domain.figures import FigureGroup
from app.figures.lead_figures import LeadFigures
from app.figures.member_figures import MEMBER_COUNTS, MemberFigures

_FORMULA_STARTS = "=+-@"

_GROUP_COLUMNS: dict[FigureGroup | None, tuple[str, ...]] = {
    None: (),
    FigureGroup.DAY: ("day",),
    FigureGroup.WEEK: ("day",),
    FigureGroup.SOURCE: ("source_id", "source_name"),
    FigureGroup.TEAM: ("team_id", "team_name"),
    FigureGroup.TYPE: ("type",),
}
_USER_COLUMNS = ("user_id", "user_first_name", "user_last_name")
LEAD_COUNTS = ("received", "offered", "claimed", "released", "exhausted")
_DURATIONS = (
    "time_to_claim_count",
    "time_to_claim_median",
    "time_to_claim_p90",
    "time_to_claim_within_5_minutes",
)

Value = str | int | None


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of values in the order of the columns."""

    columns: tuple[str, ...]
    rows: Sequence[tuple[Value, ...]]


def lead_table(figures: Sequence[LeadFigures], by: FigureGroup | None) -> Table:
    """Return a row for each group, with the columns that name it."""
    return _table((*_GROUP_COLUMNS[by], *LEAD_COUNTS, *_DURATIONS), lead_records(figures))


def member_table(figures: Sequence[MemberFigures]) -> Table:
    """Return a row for each user."""
    return _table((*_USER_COLUMNS, *MEMBER_COUNTS, *_DURATIONS), member_records(figures))


def lead_records(figures: Sequence[LeadFigures]) -> list[dict[str, Any]]:
    """Return the figures as JSON objects."""
    return [
        {
            "day": each.day,
            "source": _named(each.source),
            "team": _named(each.team),
            "type": each.type,
            **{name: getattr(each, name) for name in LEAD_COUNTS},
            "time_to_claim": asdict(each.time_to_claim),
        }
        for each in figures
    ]


def member_records(figures: Sequence[MemberFigures]) -> list[dict[str, Any]]:
    """Return the figures as JSON objects."""
    return [
        {
            "user": {name: getattr(each.user, name) for name in ("id", "first_name", "last_name")},
            **{name: getattr(each, name) for name in MEMBER_COUNTS},
            "time_to_claim": asdict(each.time_to_claim),
        }
        for each in figures
    ]


def _named(row: LeadSource | Team | None) -> dict[str, Any] | None:
    return None if row is None else {"id": row.id, "name": row.name}


def _table(columns: tuple[str, ...], records: Sequence[dict[str, Any]]) -> Table:
    flat = [
        {
            f"{name}_{inner}" if isinstance(value, dict) else name: part
            for name, value in record.items()
            for inner, part in (value.items() if isinstance(value, dict) else (("", value),))
        }
        for record in records
    ]
    return Table(columns, [tuple(record.get(name) for name in columns) for record in flat])


def csv_text(table: Table) -> str:
    """Return the table as CSV (RFC 4180) with a header line. Null is an empty value."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(table.columns)
    writer.writerows([as_text(value) for value in row] for row in table.rows)
    return text.getvalue()


def as_text(value: Value) -> Value:
    """Return a value that no spreadsheet runs as a formula: a text that begins like one gets a leading apostrophe.

    Spaces and control characters before the sign do not protect, and neither does its full-width form.
    """
    if not isinstance(value, str):
        return value
    begin = next((each for each in value if not each.isspace() and each.isprintable()), "")
    return f"'{value}" if unicodedata.normalize("NFKC", begin)[:1] in tuple(_FORMULA_STARTS) else value
