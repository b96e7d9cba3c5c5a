"""Parses an import file: from JSON text to rows of parsed values. Problems are reported, and parsing goes on."""

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

from app.db.bulk import Advance
from app.domain.coercion import is_blank
from app.importer.parsers import Parser, identifier
from app.importer.report import Report, shown
from app.importer.spec import LISTS, Field, ImportList

STEP = 1_000
"""Rows between two calls of `advance`."""


@dataclass(slots=True)
class Row:
    list_name: str
    position: int
    """The position in the list, from 0."""
    values: dict[str, Any]
    """By column. The id is None if the file does not give one."""

    @property
    def where(self) -> str:
        return f"{self.list_name}[{self.position}]"


Rows = dict[str, list[Row]]
"""Rows by list."""


def parse(content: bytes, report: Report | None = None) -> dict[str, Any]:
    """Return a file's lists by name. Raises NotImported unless the file is one JSON object of known lists."""
    report, known = report or Report(), [kind.name for kind in LISTS]
    document: Any = {}
    try:
        text = content.decode("utf-8-sig")
        document = json.loads(text, parse_constant=_refuse_constant, object_pairs_hook=_unique)
    except UnicodeDecodeError as error:
        report.problem("", f"The file is not UTF-8 at byte {error.start}.")
    except (ValueError, RecursionError) as error:
        report.problem("", f"The file is not JSON: {error}.")
    if not isinstance(document, dict):
        report.problem("", "The file must be one JSON object of lists.")
    report.raise_problems()

    for name, rows in document.items():
        if name not in known:
            report.problem(shown(name), f"is not a known list; the lists are {', '.join(known)}")
        elif not isinstance(rows, list):
            report.problem(name, "is not a list", rows)
    report.raise_problems()
    lists: dict[str, Any] = document
    return lists


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return an object of JSON. Raises ValueError if it has a key twice: JSON would drop the first list or value."""
    members = dict(pairs)
    if len(members) < len(pairs):
        key = Counter(key for key, _value in pairs).most_common(1)[0][0]
        raise ValueError(f"an object has the key {shown(key)} twice")
    return members


def _refuse_constant(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not a JSON value")


def count(document: Mapping[str, Any]) -> int:
    """Return the number of rows in all lists."""
    return sum(len(rows) for rows in document.values())


def read(document: Mapping[str, Any], report: Report, advance: Advance) -> Rows:
    """Return the rows of every list. A value with a problem is read as if it were left out."""
    return {kind.name: _read_list(kind, document.get(kind.name, []), report, advance) for kind in LISTS}


def _read_list(kind: ImportList, items: list[Any], report: Report, advance: Advance) -> list[Row]:
    rows = []
    known = kind.known
    first: dict[int, str] = {}
    for position, item in enumerate(items):
        row = Row(kind.name, position, {})
        if isinstance(item, dict):
            row.values = _read_values(kind, row.where, item, report)
            rows.append(row)
            number = row.values["id"]
            if number is not None and (before := first.setdefault(number, row.where)) != row.where:
                reason = "is also the id of an earlier row"
                report.problem(f"{row.where}.id", f"is also the id of {before}", item["id"], reason=reason)
            for name in item.keys() - known:
                report.unknown[kind.name, name] += 1
        else:
            report.problem(row.where, "is not an object", item)
        if position % STEP == STEP - 1:
            advance(STEP)
    advance(len(items) % STEP)
    return rows


def _read_values(kind: ImportList, where: str, item: Mapping[str, Any], report: Report) -> dict[str, Any]:
    values = {field.column: _read_field(field, where, item, report) for field in kind.fields}
    values["id"] = _read_value(identifier, item.get("id"), f"{where}.id", report, required=kind.numbered)
    return values


def _read_field(field: Field, where: str, item: Mapping[str, Any], report: Report) -> Any:
    value, path = item.get(field.name), f"{where}.{field.name}"
    if field.to and (nested := item.get(field.nested)) is not None:
        if not isinstance(nested, dict):
            report.problem(f"{where}.{field.nested}", "is not an object with an id", nested)
            return None
        if not is_blank(value) and not _is_same_id(value, nested.get("id")):
            report.problem(path, f"differs from the id in {field.nested}", value)
        value, path = nested.get("id"), f"{where}.{field.nested}.id"
    parsed = _read_value(
        field.parse,
        value,
        path,
        report,
        required=field.required,
        may_be_left_out=field.may_be_left_out,
        is_private=field.is_private,
    )
    return field.default if parsed is None else parsed


def _read_value(
    parser: Parser,
    value: Any,
    path: str,
    report: Report,
    *,
    required: bool,
    may_be_left_out: bool = False,
    is_private: bool = False,
) -> Any:
    """Return the parsed value, or None if it is not given or has a problem. Blank text counts as not given."""
    if is_blank(value):
        if required:
            report.problem(path, "is missing" if value is None else "is blank", *([] if value is None else [value]))
        return None
    try:
        return parser(value)
    except ValueError as error:
        quoted = () if is_private else (value,)
        if may_be_left_out and report.is_lenient:
            report.leave_out(path, str(error), *quoted)
        else:
            report.problem(path, str(error), *quoted)
        return None


def _is_same_id(one: Any, other: Any) -> bool:
    try:
        return identifier(one) == identifier(other)
    except ValueError:
        return False
