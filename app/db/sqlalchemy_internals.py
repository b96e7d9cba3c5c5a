"""Undocumented parts of SQLAlchemy that compiled statements need. No other module touches them.

tests/db/test_sqlalchemy_internals.py has a test per function, so that a new version of SQLAlchemy that changes one of
them fails there, by name.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from sqlalchemy import ClauseElement, Dialect, Select, inspect
from sqlalchemy.util import EMPTY_DICT
from sqlmodel import SQLModel

M = TypeVar("M", bound=SQLModel)

Convert = Callable[[Any], Any] | None
"""Converts a value between Python and the driver. None if the driver takes the value as it is."""


def as_core(query: Select[Any]) -> Select[Any]:
    """Return a query of columns that SQLAlchemy compiles without its ORM, which takes as long again."""
    core = query._generate()
    core._propagate_attrs = EMPTY_DICT
    return core


def compile_text(
    statement: ClauseElement, dialect: Dialect
) -> tuple[str, Sequence[tuple[str, Convert]], Mapping[str, Any]]:
    """Compile a statement to a text that stays the same for all values.

    Returns the text; the name of each parameter and the conversion of its value, in the order of the placeholders; and
    the values that were written into the statement, which SQLAlchemy turned into parameters, as the driver takes them.
    Its public way to run a statement looks all of this up on every execution.
    """
    compiled: Any = statement.compile(dialect=dialect)
    assert not compiled.post_compile_params, "a statement whose text depends on its values cannot be compiled once"
    parameters = [
        (name, compiled.binds[name].type.dialect_impl(dialect).bind_processor(dialect)) for name in compiled.positiontup
    ]
    convert = dict(parameters)
    written = {name: bind.effective_value for bind, name in compiled.bind_names.items() if not bind.required}
    literals = {name: to_driver(value) if (to_driver := convert[name]) else value for name, value in written.items()}
    return compiled.string, parameters, literals


def column_readers(statement: Any, dialect: Dialect) -> list[Convert]:
    """Return the conversions of the statement's columns from the driver's values to Python's.

    SQLAlchemy applies them only to rows that it has fetched itself.
    """
    return [column.type.dialect_impl(dialect).result_processor(dialect, None) for column in statement.exported_columns]


def detached(model: type[M]) -> Callable[..., M]:
    """Return a function that makes a row of the model from its columns' values, in the order of the table.

    The row belongs to no session, so that changes of it are not written. The model's own constructor would validate
    the values and record each of them as a change.
    """
    mapper = inspect(model)
    columns = mapper.local_table.columns.keys()

    def make(*values: Any) -> M:
        row: M = mapper.class_manager.new_instance()
        row.__dict__.update(zip(columns, values, strict=True))
        return row

    return make
