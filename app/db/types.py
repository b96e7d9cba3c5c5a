"""Types of columns, the same on both databases.

Ids are 64-bit. Times are UTC, kept to the millisecond. Text sorts and compares by code point, so that a page has the
same order wherever it is read. Enums are stored by name.
"""

from datetime import UTC, datetime
from enum import StrEnum
from typing import TypeVar

from sqlalchemy import BigInteger, ColumnElement, DateTime, Dialect, Integer, String, literal
from sqlalchemy import Enum as SQLEnum
from sqlalchemy.types import TypeDecorator, TypeEngine

E = TypeVar("E", bound=StrEnum)

Id = BigInteger().with_variant(Integer, "sqlite")
"""SQLite numbers rows by itself only in a column of type INTEGER."""

Text = String().with_variant(String(collation="C"), "postgresql")


class UTCDateTime(TypeDecorator[datetime]):
    """An aware datetime in UTC, cut to the millisecond; SQLite, which has no type for it, keeps the UTC wall clock."""

    impl = DateTime
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[datetime]:
        return dialect.type_descriptor(DateTime(timezone=dialect.name != "sqlite"))

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        value = value.astimezone(UTC)
        value = value.replace(microsecond=value.microsecond // 1000 * 1000)
        return value.replace(tzinfo=None) if dialect.name == "sqlite" else value

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        return value.replace(tzinfo=UTC) if value is not None and value.tzinfo is None else value


def enum_type(kind: type[StrEnum]) -> SQLEnum:
    return SQLEnum(kind, native_enum=False, length=32, create_constraint=False)


def stored(member: E) -> ColumnElement[E]:
    """A member of an enum as SQL has it, for places where no column tells its type, as in a CASE.

    SQLAlchemy would take it for an enum type of PostgreSQL's own.
    """
    return literal(member, enum_type(type(member)))
