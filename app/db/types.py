"""Column types that behave the same on both databases.

Ids have 64 bits. Timestamps are UTC with millisecond precision. Text is sorted and compared by code point, so that
pages have the same order on both. Enums are stored by name.
"""

from datetime import UTC, datetime
from enum import StrEnum
from typing import TypeVar

from sqlalchemy import BigInteger, ColumnElement, DateTime, Dialect, Integer, String, literal
from sqlalchemy import Enum as SQLEnum
from sqlalchemy.types import TypeDecorator, TypeEngine

from app.domain.timestamps import cut_to_millisecond

E = TypeVar("E", bound=StrEnum)

Id = BigInteger().with_variant(Integer, "sqlite")
"""SQLite generates ids only for columns of type INTEGER."""

Text = String().with_variant(String(collation="C"), "postgresql")


class UTCDateTime(TypeDecorator[datetime]):
    """An aware datetime in UTC, truncated to milliseconds. SQLite has no such type and stores it without its offset."""

    impl = DateTime
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[datetime]:
        return dialect.type_descriptor(DateTime(timezone=dialect.name != "sqlite"))

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        value = cut_to_millisecond(value.astimezone(UTC))
        return value.replace(tzinfo=None) if dialect.name == "sqlite" else value

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        return value.replace(tzinfo=UTC) if value is not None and value.tzinfo is None else value


def enum_type(kind: type[StrEnum]) -> SQLEnum:
    """Return the type of a column with an enum, stored as text without a constraint."""
    return SQLEnum(kind, native_enum=False, length=32, create_constraint=False)


def stored(member: E) -> ColumnElement[E]:
    """Return an enum member as a SQL literal, for expressions such as CASE in which no column determines its type.

    Without it, SQLAlchemy would use a native enum type of PostgreSQL.
    """
    return literal(member, enum_type(type(member)))
