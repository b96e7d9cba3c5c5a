"""Visible rows in parts that an index has in order each, so that a page of them reads no further than it reaches."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from sqlalchemy import BindParameter, ColumnElement, Table, UniqueConstraint, and_, true


@dataclass(frozen=True, slots=True)
class IndexedPart:
    """The rows that match a condition; those that also belong to an earlier part are left out of the list.

    `owner` names the column that holds `user_id` in all of these rows and with which the indexes of their orders begin.
    Without it, an index of another table has the rows' ids.

    A row is in an earlier part if one of the columns `earlier` holds the id `user_id`. Pages apply `is_new` to the rows
    that they have read in the order of an index; as a condition of the read, it would make them skip any number of
    rows. No row gets lost: a row of the page is among the first rows of each part that it belongs to.

    `flags` has the answers that all rows of the part give, unless they belong to an earlier part; None if they give
    none. A list with a filter that requires another answer leaves the part out.
    """

    rows: ColumnElement[bool]
    user_id: int | BindParameter[int]
    owner: str | None = None
    earlier: tuple[str, ...] = ()
    flags: tuple[tuple[str, bool | None], ...] = ()

    def is_new(self, columns: Any) -> ColumnElement[bool]:
        """The row belongs to no earlier part. `columns` are those of the table, or of rows read from it."""
        return and_(true(), *(columns[name].is_distinct_from(self.user_id) for name in self.earlier))

    def is_descending_in_index(self, table: Table, field: str) -> bool | None:
        """Return the direction in which an index has the part by this column; None if no index has that order."""
        if self.owner is None:
            return False if field == "id" else None
        for owner, *order in _indexes(table):
            if owner == self.owner and order and order[0].split(" ")[0] == field:
                return "DESC" in order[0]
        return None


def _indexes(table: Table) -> Iterator[list[str]]:
    """Yield the columns of each index, perhaps followed by their direction."""
    for index in table.indexes:
        yield [str(expression).removeprefix(f"{table.name}.") for expression in index.expressions]
    for constraint in table.constraints:
        if isinstance(constraint, UniqueConstraint):
            yield [column.name for column in constraint.columns]
