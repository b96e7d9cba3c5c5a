"""Engines of PostgreSQL: the settings of their connections, and connections that broke."""

from collections.abc import Mapping
from typing import Any

import orjson
from sqlalchemy import event
from sqlalchemy.engine import Connection, Dialect, ExceptionContext
from sqlalchemy.exc import DisconnectionError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from app.config import shares_connections
from app.db.driver_errors import DRIVER_ERRORS, is_broken, to_api_error, translate_errors
from app.db.hosts import connect_to_a_host
from app.db.limits import Limits
from app.db.pooler import require_own_session
from app.db.read_pool import is_open
from app.errors import ApiError

GRACE_SECONDS = 2.0
"""How long after the time limit of a statement a PostgreSQL that has not cancelled it counts as lost."""

PLANNING_READS = {
    "plan_cache_mode": "force_generic_plan",
    "random_page_cost": "1.1",
    "enable_hashjoin": "off",
    "enable_mergejoin": "off",
    "max_parallel_workers_per_gather": "0",
}
"""Settings of read connections. Each statement is planned once for all values, as planning a page of offers takes
longer than running it. The page cost is that of SSDs: PostgreSQL then prefers an index in the right order. Reads find
few rows of large tables; a hash or merge join would read the rows of all users. A statement runs on one processor: one
that reads much takes longer, but other requests do not wait for it."""

PLANNING_WRITES = {"enable_seqscan": "off"}
"""Settings of write connections. Writes find their few rows by an index; without statistics of a table that has just
grown, PostgreSQL would scan all deliveries for each claim."""

KEEPS_LEDGER = {"lead_offers.keeps_ledger": "on"}
"""A setting of write connections by which a trigger knows that the process writes the ledger of claims itself. Those of
an earlier version do not; see app/db/migrations/versions/0015_claims.py."""


def make_engine(url: str, limits: Limits, *, writes: bool) -> AsyncEngine:
    shared = shares_connections(url)
    session = PLANNING_WRITES | KEEPS_LEDGER if writes else PLANNING_READS
    driver: dict[str, Any] = {"timeout": limits.pool_seconds}
    if limits.statement_seconds is not None:
        session = {"statement_timeout": str(max(1, int(limits.statement_seconds * 1000))), **session}
        driver["command_timeout"] = limits.statement_seconds + GRACE_SECONDS
    elif shared:
        session = {"statement_timeout": "0", **session}  # not that of the pooler
    if shared:
        driver["statement_cache_size"] = 0
    options: dict[str, Any] = {} if writes else {"isolation_level": "AUTOCOMMIT"}
    engine = create_async_engine(
        url,
        connect_args=driver,
        hide_parameters=True,
        json_serializer=orjson.dumps,
        max_overflow=0,
        pool_size=limits.pool_size,
        pool_timeout=limits.pool_seconds,
        **options,
    )
    _open_connections(engine, None if shared else session)
    if shared and writes:
        _set_for_transactions(engine, session)

    @event.listens_for(engine.sync_engine, "checkout")
    def require_open(connection: Any, *_rest: Any) -> None:
        if not is_open(connection.driver_connection):
            raise DisconnectionError

    @event.listens_for(engine.sync_engine, "handle_error")
    def drop_connection(context: ExceptionContext) -> ApiError | None:
        """Drop a connection that broke or does not respond.

        Its OSError is translated here, because `read` and `write` could not tell it from one of the caller's own.
        """
        if not isinstance(context.original_exception, OSError) and not is_broken(context.original_exception):
            return None
        context.is_disconnect = True
        return to_api_error(context.original_exception)

    return engine


def _open_connections(engine: AsyncEngine, settings: Mapping[str, str] | None) -> None:
    """Set parameters of PostgreSQL on each new connection, and test the first one. None: a pooler shares connections.

    The parameters are not sent as start-up parameters, because poolers refuse most of these.
    """
    statements = "; ".join(f"SET {name} = '{value}'" for name, value in (settings or {}).items())
    is_tested = settings is None

    @event.listens_for(engine.sync_engine, "do_connect")
    def open_connection(dialect: Dialect, _record: object, arguments: tuple[Any, ...], options: dict[str, Any]) -> Any:
        nonlocal is_tested
        with translate_errors(*DRIVER_ERRORS, OSError):
            connection: Any = connect_to_a_host(dialect, arguments, options)
            try:
                if not is_tested:
                    require_own_session(connection, lambda: connect_to_a_host(dialect, arguments, options))
                    is_tested = True
                if statements:
                    connection.run_async(lambda driver: driver.execute(statements))
            except BaseException:
                connection.terminate()
                raise
            return connection


def _set_for_transactions(engine: AsyncEngine, settings: Mapping[str, str]) -> None:
    """Set parameters of PostgreSQL in each transaction, for a pooler that shares its connections.

    Reads run in autocommit and have those of the pooler's `connect_query`; see docs/deploying.md.
    """
    values = ", ".join(f"set_config('{name}', '{value}', true)" for name, value in settings.items())

    @event.listens_for(engine.sync_engine, "begin")
    def begin(connection: Connection) -> None:
        connection.exec_driver_sql(f"SELECT {values}")
