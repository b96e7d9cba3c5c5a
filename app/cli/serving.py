"""Commands that run until they are stopped: the server and the worker."""

import asyncio
import logging
import os
import signal
import sys
import time
from tempfile import TemporaryDirectory
from threading import Thread
from types import FrameType
from typing import Annotated, Any

import typer
import uvicorn
import uvloop
from prometheus_client import start_http_server
from uvicorn.supervisors import Multiprocess

from app.cli.running import expected_errors, fail, in_transaction, settings_or_exit
from app.config import PREFIX, Settings
from app.db.clock import DatabaseClock
from app.db.driver_errors import DRIVER_ERRORS
from app.db.engine import connect_as_configured
from app.db.limits import Limits, limits_of
from app.db.pooler import SharedConnectionError
from app.errors import ApiError
from app.http.draining import let_no_connection_in
from app.http.shutdown import SIGNALS, on_shutdown_signal
from app.main import create_app, from_environment, from_environment_with_worker, tune_gc
from app.observability import metrics, tracing
from app.observability.logs import configure_logging
from app.worker.channels.base import Channels
from app.worker.channels.registry import check_channels, make_channels, make_webhook
from app.worker.worker import Worker

logger = logging.getLogger(__name__)

CONNECT_SECONDS = 2.0
"""How long a server or a worker waits for the database before it starts without this test."""

UVICORN: dict[str, Any] = {
    "loop": "uvloop",
    "http": "httptools",
    "ws": "websockets-sansio",
    "log_config": None,
    "access_log": False,
    "server_header": False,
    "timeout_keep_alive": 620,  # seconds; longer than proxies, Google's too (600), so that they end idle connections
    "timeout_worker_healthcheck": 300,  # seconds; a process does not answer while it loads its modules
    "timeout_graceful_shutdown": 6,  # seconds, after a second of draining; service managers kill a process after 10
}


def serve(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on.", min=0, max=65535)] = 8000,
    dispatch: Annotated[
        bool, typer.Option("--dispatch", help="Also run a worker, as `lead-offers dispatch` does.")
    ] = False,
    workers: Annotated[
        int, typer.Option(help="Number of server processes that share the port. PostgreSQL only.", min=1, max=64)
    ] = 1,
) -> None:
    """Serve the API at /graphql until it is stopped.

    Needs LEAD_OFFERS_JWT_SECRET or LEAD_OFFERS_JWKS_URL, and a database that `lead-offers migrate` was run on. After
    SIGTERM the server accepts no new requests, finishes the running ones, and exits within ten seconds.
    """
    settings = settings_or_exit()
    configure_logging(settings)
    _start_tracing(settings)
    channels = _configured_channels(settings) if dispatch else None
    if workers > 1 and settings.has_sqlite:
        fail(
            f"--workers needs PostgreSQL, but {PREFIX}DATABASE_URL is SQLite: "
            "with it, a process is not notified of the changes that other processes make"
        )
    try:
        server = create_app(settings, channels=channels)
    except ValueError as error:
        fail(str(error))

    _refuse_shared_connections(settings)
    signal.signal(signal.SIGTERM, lambda *_signal: sys.exit())  # uvicorn raises the signal again after its shutdown
    options = {"host": host, "port": port, "ws_max_size": settings.max_body_bytes, **UVICORN}
    if workers == 1:
        tune_gc()
        uvicorn.run(server, **options)
        return

    factory = from_environment_with_worker if dispatch else from_environment
    with TemporaryDirectory(prefix="lead-offers-metrics-") as folder:
        os.environ[metrics.FOLDER_VARIABLE] = folder
        config = uvicorn.Config(f"{factory.__module__}:{factory.__name__}", factory=True, workers=workers, **options)
        Supervisor(config, settings.drain_seconds).run()


class Supervisor(Multiprocess):
    """Starts server processes that share a port, and replaces those that die. Ends them without a reset connection."""

    def __init__(self, config: uvicorn.Config, drain_seconds: float) -> None:
        super().__init__(config, [config.bind_socket()])
        self._drain_seconds = drain_seconds
        self._drained = 0.0
        """When the processes close the port, by the monotonic clock."""
        for number in SIGNALS:
            signal.signal(number, self._begin)

    def _begin(self, _number: int, _frame: FrameType | None) -> None:
        """Leave the loop at once: uvicorn looks for signals only twice a second."""
        self._drained = time.monotonic() + self._drain_seconds
        if not self._drain_seconds:
            let_no_connection_in(listening.fileno() for listening in self.sockets)
        Thread(target=self.should_exit.set).start()  # this thread may hold the lock of the event

    def terminate_all(self) -> None:
        """Make the processes drain, and give up the port when they do."""
        super().terminate_all()
        time.sleep(max(0, self._drained - time.monotonic()))
        let_no_connection_in(listening.fileno() for listening in self.sockets)
        for listening in self.sockets:
            listening.close()


def dispatch(
    once: Annotated[
        bool, typer.Option("--once", help="Process the work that is due now, print a summary, and exit.")
    ] = False,
    metrics_port: Annotated[
        int | None, typer.Option(help="Port on 127.0.0.1 for the worker's /metrics.", min=1, max=65535)
    ] = None,
) -> None:
    """Run a worker, which notifies users of offers that are due, until it is stopped.

    Several workers can run at the same time, on any number of machines. Work that became due while no worker was
    running is done when one starts. After SIGTERM the worker starts no new work and exits within ten seconds; other
    workers retry the messages that it could not hand to a provider.

    The worker refuses to start while a distribution option uses a channel that is not configured.
    """
    settings = settings_or_exit()
    configure_logging(settings)
    _start_tracing(settings)
    _refuse_shared_connections(settings)
    channels = _configured_channels(settings)

    if metrics_port is not None:
        with expected_errors():
            start_http_server(metrics_port, "127.0.0.1", metrics.registry)

    async def run() -> None:
        db = connect_as_configured(settings, limits_of(settings))
        clock = DatabaseClock(db)
        worker = Worker(db, settings, channels, clock, make_webhook(settings), clock.synchronize)
        try:
            with on_shutdown_signal(worker.stop):
                if once:
                    typer.echo(await worker.run_once())
                else:
                    await worker.run()
        finally:
            await db.close()
            tracing.stop()

    with expected_errors():
        uvloop.run(run())


def _refuse_shared_connections(settings: Settings) -> None:
    """End the command if a pooler shares its connections and the URL does not say so.

    Does nothing while the database is unavailable: a server starts without it, and tests its first connection later.
    """

    async def try_to_connect() -> None:
        db = connect_as_configured(settings, Limits(pool_size=2, pool_seconds=CONNECT_SECONDS))
        try:
            async with db.read() as session:
                await session.connection()
        finally:
            await db.close()

    try:
        asyncio.run(try_to_connect())
    except (ApiError, *DRIVER_ERRORS) as error:
        if isinstance(error.__cause__, SharedConnectionError):
            fail(str(error.__cause__))


def _start_tracing(settings: Settings) -> None:
    """Start tracing if it is on, before the channels and the database are made. Ends the command if it cannot."""
    try:
        tracing.start(settings)
    except ValueError as error:
        fail(str(error))


def _configured_channels(settings: Settings) -> Channels:
    """Return the channels. Ends the command if a distribution option uses one that is not configured."""
    channels = make_channels(settings)
    with expected_errors():
        try:
            in_transaction(settings, lambda session: check_channels(session, channels))
        except ValueError as error:
            fail(str(error))
    if settings.public_url is None:
        logger.warning("%sPUBLIC_URL is not set: users cannot claim leads from their messages", PREFIX)
    return channels
