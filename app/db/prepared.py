"""Statements that are made once and run many times, by the driver alone.

Building a SQLAlchemy statement, looking up its text and unpacking its result takes 0.5 to 1 ms, the driver's own call
0.06 ms. So what is asked often is compiled once, and gives the rows as the driver has them.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sqlalchemy import Dialect
from sqlalchemy.sql.selectable import ReturnsRows

from app.db.engine import Database


class Prepared:
    """A statement whose values are all named parameters."""

    def __init__(self, statement: ReturnsRows, dialect: Dialect) -> None:
        compiled: Any = statement.compile(dialect=dialect)
        assert not compiled.post_compile_params, "a statement whose text depends on its values cannot be prepared"
        self.text: str = compiled.string
        self._own = {name: bind.effective_value for bind, name in compiled.bind_names.items() if not bind.required}
        self._parameters: list[tuple[str, Callable[[Any], Any] | None]] = [
            (name, compiled.binds[name].type.dialect_impl(dialect).bind_processor(dialect))
            for name in compiled.positiontup
        ]

    async def fetch(self, db: Database, values: Mapping[str, Any]) -> Sequence[Any]:
        """What it reads: rows, their columns by position and of the driver's types."""
        return await db.fetch(self.text, self.bind(values))

    def bind(self, values: Mapping[str, Any]) -> list[Any]:
        """The values in the order of their places in the text, as the driver has them. KeyError if one is missing."""
        given = self._own | dict(values)
        return [convert(given[name]) if convert else given[name] for name, convert in self._parameters]
