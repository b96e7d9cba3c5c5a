"""From a file to rows: JSON, the lists, each field's value."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

from app.db.bulk import Advance
from app.importer.parsers import identifier
from app.importer.report import Findings, NotImported, shown
from app.importer.spec import LISTS, Field, ImportList

STEP = 1_000


@dataclass(slots=True)
class Row:
    where: str
    """The list and the position in it, from 0: `lead_offers[3]`."""
    values: dict[str, Any]
    """By column; `id` is None where the row brought none."""


Rows = dict[str, list[Row]]


def parse(content: bytes) -> dict[str, Any]:
    """The lists of a file's content by name. NotImported if it is not one object of lists that are known."""
    try:
        document = json.loads(content.decode("utf-8-sig"), parse_constant=_refuse_constant)
    except UnicodeDecodeError as error:
        raise NotImported([f"The file is not UTF-8 at byte {error.start}."]) from error
    except (ValueError, RecursionError) as error:
        raise NotImported([f"The file is not JSON: {error}."]) from error
    if not isinstance(document, dict):
        raise NotImported(["The file must be one JSON object that holds lists."])
    findings = Findings()
    for name, rows in document.items():
        if name not in {kind.name for kind in LISTS}:
            findings.mistake(shown(name), f"is no known list; they are {', '.join(kind.name for kind in LISTS)}")
        elif not isinstance(rows, list):
            findings.mistake(name, "is no list", rows)
    findings.refuse_mistakes()
    return document


def _refuse_constant(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no JSON value")


def count(document: Mapping[str, Any]) -> int:
    return sum(len(rows) for rows in document.values())


def read(document: Mapping[str, Any], findings: Findings, advance: Advance) -> Rows:
    """The rows of every list; a value that is a mistake is noted and reads as left out."""
    return {kind.name: _read_list(kind, document.get(kind.name, []), findings, advance) for kind in LISTS}


def _read_list(kind: ImportList, items: list[Any], findings: Findings, advance: Advance) -> list[Row]:
    rows = []
    known = kind.known
    first: dict[int, str] = {}
    for position, item in enumerate(items):
        where = f"{kind.name}[{position}]"
        if isinstance(item, dict):
            row = Row(where, _read_row(kind, where, item, findings))
            rows.append(row)
            _note_repetition(row, item, first, findings)
            for name in item.keys() - known:
                findings.unknown[kind.name, name] += 1
        else:
            findings.mistake(where, "is no object", item)
        if position % STEP == STEP - 1:
            advance(STEP)
    advance(len(items) % STEP)
    return rows


def _read_row(kind: ImportList, where: str, item: Mapping[str, Any], findings: Findings) -> dict[str, Any]:
    values = {field.column: _read_field(field, where, item, findings) for field in kind.fields}
    values["id"] = None
    if item.get("id") is not None:
        values["id"] = _parsed(identifier, item["id"], f"{where}.id", findings)
    elif kind.numbered:
        findings.mistake(f"{where}.id", "is missing")
    return values


def _read_field(field: Field, where: str, item: Mapping[str, Any], findings: Findings) -> Any:
    value, path = item.get(field.name), f"{where}.{field.name}"
    if field.to and (nested := item.get(field.nested)) is not None:
        if not isinstance(nested, dict):
            findings.mistake(f"{where}.{field.nested}", "is no object with an id", nested)
            return None
        if value is not None and str(value) != str(nested.get("id")):
            findings.mistake(path, f"differs from the id in {field.nested}", value)
        value, path = nested.get("id"), f"{where}.{field.nested}.id"
    if value is None:
        if field.required:
            findings.mistake(path, "is missing")
        return field.default
    parsed = _parsed(field.read, value, path, findings)
    return field.default if parsed is None else parsed


def _parsed(read: Callable[[Any], Any], value: Any, path: str, findings: Findings) -> Any:
    try:
        return read(value)
    except ValueError as error:
        findings.mistake(path, str(error), value)
        return None


def _note_repetition(row: Row, item: Mapping[str, Any], first: dict[int, str], findings: Findings) -> None:
    number = row.values["id"]
    if number is not None and (before := first.setdefault(number, row.where)) != row.where:
        findings.mistake(f"{row.where}.id", f"is the id of {before} too", item["id"])
