"""The limits of a database's connections and statements."""

from dataclasses import dataclass

from app.config import Settings


@dataclass(frozen=True, slots=True)
class Limits:
    """Size of the connection pools and time limits in seconds. SQLite has only the limit of statements."""

    pool_size: int = 10
    pool_seconds: float = 5.0
    statement_seconds: float | None = None
    """None means no limit."""


def limits_of(settings: Settings) -> Limits:
    """Return the limits in the settings, for servers and workers."""
    return Limits(settings.pool_size, settings.pool_seconds, settings.statement_seconds)
