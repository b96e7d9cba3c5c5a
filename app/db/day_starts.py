"""Day starts: when the day began in the time zone that a column names, as an expression.

The databases cannot tell: SQLite knows no time zones, and PostgreSQL fails for a name that its own machine does not
know. Statements take the day starts of all time zones as one parameter, made by the rule of `app/domain/time_zones.py`.
"""

from collections.abc import Sequence
from datetime import datetime
from functools import cache, lru_cache
from typing import Any
from zoneinfo import ZoneInfo, available_timezones

import orjson
from sqlalchemy import BindParameter, ColumnElement, Dialect, String, bindparam
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.orm import Mapped
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.types import TypeDecorator

from app.db.types import UTCDateTime
from app.domain.time_zones import day_start, find_zone

DAY_STARTS = "day_starts"
"""The parameter of compiled statements. Its value is the current time."""


def day_start_in(
    timezone: ColumnElement[str] | Mapped[str], now: datetime | BindParameter[datetime]
) -> ColumnElement[datetime]:
    """Return when the day of `now` began in the time zone, as `day_start` does.

    In a compiled statement, where `now` is a parameter, the value of the parameter DAY_STARTS must be the same time.
    """
    given = None if isinstance(now, BindParameter) else now
    zone: Any = timezone  # a mapped attribute is an element as well
    if given is None:
        return _DayStart(zone, bindparam(DAY_STARTS, type_=_DayStarts()))
    return _DayStart(zone, bindparam(None, given, type_=_DayStarts()))


class _DayStarts(TypeDecorator[datetime]):
    """The day starts of all time zones as the text of a JSON object, for the current time as the value."""

    impl = String
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> str | None:
        return None if value is None else _text(value.replace(second=0, microsecond=0), dialect.name)


@lru_cache(4)
def _text(minute: datetime, dialect_name: str) -> str:
    """Return the text for a minute: days begin at the full minute. It takes about 10 ms."""
    # SQLite compares timestamps as texts.
    form = "%Y-%m-%d %H:%M:%S.%f" if dialect_name == "sqlite" else "%Y-%m-%d %H:%M:%S+00"
    return orjson.dumps({zone.key: f"{day_start(zone.key, minute):{form}}" for zone in _zones()}).decode()


@cache
def _zones() -> Sequence[ZoneInfo]:
    """Return all time zones. While somebody keeps them, `ZoneInfo` finds them without reading their files again."""
    return [zone for name in sorted(available_timezones()) if (zone := find_zone(name))]


class _DayStart(FunctionElement[datetime]):
    inherit_cache = True
    type = UTCDateTime()


@compiles(_DayStart, "postgresql")
def _postgresql_day_start(element: _DayStart, compiler: SQLCompiler, **options: Any) -> str:
    """PostgreSQL parses the text once, because the subquery depends on no row."""
    zone, starts = (compiler.process(clause, **options) for clause in element.clauses)
    starts = f"(SELECT CAST({starts} AS JSONB))"
    return f"CAST(coalesce({starts} ->> {zone}, {starts} ->> 'UTC') AS TIMESTAMP WITH TIME ZONE)"


@compiles(_DayStart, "sqlite")
def _sqlite_day_start(element: _DayStart, compiler: SQLCompiler, **options: Any) -> str:
    """SQLite keeps the parsed text of the last few JSON values. A name in the path is quoted."""
    zone, starts = (compiler.process(clause, **options) for clause in element.clauses)
    path = f"""'$."' || replace({zone}, '"', '') || '"'"""
    return f"coalesce(json_extract({starts}, {path}), json_extract({starts}, '$.UTC'))"
