"""What a mutation's input says, as the commands take it: by the names of the tables, ids as numbers."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import MISSING, Field, fields, is_dataclass
from typing import Any

from strawberry import UNSET
from strawberry.utils.str_converters import to_camel_case

from app.domain.identifiers import parse_id
from app.errors import ApiError, Code, Problem, bad_input

ID_OF_NOTHING = 0


def given(item: Any) -> dict[str, Any]:
    """The fields that were sent, null or not: an update leaves the others as they are."""
    pairs = ((field.name, getattr(item, field.name)) for field in fields(item))
    return {name: _value(name, value) for name, value in pairs if value is not UNSET}


def filled(item: Any) -> dict[str, Any]:
    """All fields; one that was left out or sent as null has its default, else null."""
    pairs = ((field, getattr(item, field.name)) for field in fields(item))
    return {
        field.name: _value(field.name, _default(field) if value is None or value is UNSET else value)
        for field, value in pairs
    }


def _default(field: Field[Any]) -> Any:
    if field.default_factory is not MISSING:
        return field.default_factory()
    return None if field.default in (MISSING, UNSET) else field.default


def _value(name: str, value: Any) -> Any:
    if isinstance(value, str) and name.endswith("_id"):
        return parse_id(value) or ID_OF_NOTHING
    return given(value) if is_dataclass(value) else value


@contextmanager
def spelled(argument: str) -> Iterator[None]:
    """Tells the mistakes that a command finds in the client's spelling: `team_id` of an `input` is `input.teamId`."""
    try:
        yield
    except ApiError as refusal:
        if refusal.code is not Code.BAD_USER_INPUT:
            raise
        raise bad_input(*(Problem(_path(argument, p.field), p.message) for p in refusal.problems)) from refusal


def _path(argument: str, field: str) -> str:
    return ".".join(filter(None, [argument, *map(to_camel_case, field.split("."))]))
