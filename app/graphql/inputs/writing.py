"""Translates the inputs of mutations for the commands: fields by their column names, ids as numbers."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import MISSING, Field, fields, is_dataclass
from functools import cache
from typing import Any, get_args, get_type_hints

from strawberry import ID, UNSET
from strawberry.utils.str_converters import to_camel_case

from app.domain.identifiers import NO_ID, parse_id
from app.errors import ApiError, Code, Problem, bad_input


def given(item: Any) -> dict[str, Any]:
    """Return the fields that the client sent, null included: an update leaves the others as they are."""
    pairs, ids = ((field.name, getattr(item, field.name)) for field in fields(item)), _ids(item.__class__)
    return {name: _value(value, is_id=name in ids) for name, value in pairs if value is not UNSET}


def filled(item: Any) -> dict[str, Any]:
    """Return all fields. One that was left out or is null takes its default, or null if it has none."""
    pairs, ids = ((field, getattr(item, field.name)) for field in fields(item)), _ids(item.__class__)
    return {
        field.name: _value(_default(field) if value is None or value is UNSET else value, is_id=field.name in ids)
        for field, value in pairs
    }


def _default(field: Field[Any]) -> Any:
    if field.default_factory is not MISSING:
        return field.default_factory()
    return None if field.default in (MISSING, UNSET) else field.default


@cache
def _ids(kind: type) -> frozenset[str]:
    """Return the names of the fields of an input type that are ids of ours. An MLS id, for example, is a text."""
    return frozenset(name for name, hint in get_type_hints(kind).items() if ID in (hint, *get_args(hint)))


def _value(value: Any, *, is_id: bool) -> Any:
    if isinstance(value, str) and is_id:
        return parse_id(value) or NO_ID
    return given(value) if is_dataclass(value) else value


@contextmanager
def client_field_names(argument: str) -> Iterator[None]:
    """Translate the fields in a command's BAD_USER_INPUT to the client's names: `team_id` becomes `input.teamId`."""
    try:
        yield
    except ApiError as error:
        if error.code is not Code.BAD_USER_INPUT:
            raise
        raise bad_input(*(Problem(_path(argument, p.field), p.message) for p in error.problems)) from error


def _path(argument: str, field: str) -> str:
    return ".".join(filter(None, [argument, *map(to_camel_case, field.split("."))]))
