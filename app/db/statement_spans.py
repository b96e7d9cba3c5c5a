"""Spans of the statements that an engine's connections run. Nothing is registered unless tracing is on.

SQLAlchemy reports its own statements. Those that PostgreSQL's driver runs directly (app/db/compiled.py,
app/db/read_pool.py), and the begin and end of transactions, are reported by the driver's connection, which does not
report what SQLAlchemy runs: that uses prepared statements.
"""

from typing import Any

from asyncpg.connection import LoggedQuery
from sqlalchemy import event
from sqlalchemy.engine import Connection, ExceptionContext
from sqlalchemy.ext.asyncio import AsyncEngine

from app.observability.span_recorder import SpanRecorder

_SPAN = "span"
"""Key of a connection's `info`: the span of the statement that it runs."""


def record_statements(engine: AsyncEngine, recorder: SpanRecorder) -> None:
    """Record the statements of the engine from now on."""
    system = engine.dialect.name

    @event.listens_for(engine.sync_engine, "before_cursor_execute")
    def begin(connection: Connection, _cursor: object, statement: str, *_rest: Any) -> None:
        connection.info[_SPAN] = recorder.begin_statement(statement, system)

    @event.listens_for(engine.sync_engine, "after_cursor_execute")
    def end(connection: Connection, *_rest: Any) -> None:
        recorder.end_statement(connection.info.pop(_SPAN, None))

    @event.listens_for(engine.sync_engine, "handle_error")
    def fail(context: ExceptionContext) -> None:
        if context.connection is not None:
            recorder.end_statement(context.connection.info.pop(_SPAN, None), context.original_exception)

    if system != "postgresql":
        return

    def note(query: LoggedQuery) -> None:
        recorder.add_statement(query.query, system, query.elapsed, query.exception)

    @event.listens_for(engine.sync_engine, "connect")
    def watch(connection: Any, _record: object) -> None:
        connection.driver_connection.add_query_logger(note)
