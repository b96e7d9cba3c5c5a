"""Fields that Python derives from facts: a statement spells the facts, and their objects take their place in its text.

The facts stand between two marks, with the number of their field in the tree, and the rows that the objects can show.
The mark is a control character, which JSON escapes: no value has it.
"""

from collections.abc import Iterator, Sequence
from enum import Enum
from typing import Any

import orjson

from app.config import Settings
from app.graphql.plans.tree import Constant, Derived, Object, Scalar

MARK = "\x1e"


def fill_in(text: str, fields: Sequence[Derived], settings: Settings) -> str:
    """Return the text of a response with the objects of these fields in the place of their facts."""
    if not fields:
        return text
    pieces = text.split(MARK)
    for place in range(1, len(pieces), 2):
        number, facts, *related = orjson.loads(pieces[place])
        field = fields[number]
        rows = [dict(pairs) for pairs in related]
        objects = [dict(_members(field, each, rows)) for each in field.source.derive(facts, settings)]
        pieces[place] = orjson.dumps(objects).decode()
    return "".join(pieces)


def _members(field: Derived, of: Any, related: Sequence[dict[int, Any]]) -> Iterator[tuple[str, Any]]:
    rows = iter(related)
    for member in field.members:
        match member:
            case Constant(name, text):
                yield name, orjson.loads(text)
            case Scalar(name, column=str() as attribute):
                value = getattr(of, attribute)
                yield name, value.name if isinstance(value, Enum) else value
            case Object(name, reference):
                yield name, next(rows).get(getattr(of, str(reference.key)))
