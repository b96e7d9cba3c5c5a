"""`lead-offers`, the command line of operators and scripts. The help of each command is its manual."""

import asyncio
import logging
import os
import signal
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any, NoReturn, TypeVar

import typer
import uvicorn
import uvloop
from prometheus_client import start_http_server
from sqlalchemy import make_url
from sqlalchemy.exc import DBAPIError
from sqlmodel.ext.asyncio.session import AsyncSession

from app import importer
from app.access.auth import Scope, issue_token
from app.access.tokens import signing_key
from app.commands.exhaustion import unclaimed_leads
from app.commands.release import release_leads
from app.commands.users import activate_user, create_user, deactivate_user, find_user
from app.config import PREFIX, Settings, read_settings
from app.db import migrations
from app.db.engine import Database, connect, limits_of
from app.db.models import User
from app.domain.timestamps import format_instant, utc_now
from app.errors import DATABASE_FAILURES, ApiError, Code
from app.graphql.schema import sdl
from app.main import create_app, from_environment, from_environment_with_worker, tune_gc
from app.observability import metrics
from app.observability.logs import configure_logging
from app.observability.progress import progress_bar
from app.sample_data import Size, fill
from app.web.shutdown import on_shutdown_signal
from app.worker.channels.base import Senders
from app.worker.channels.registry import check_channels, make_senders, make_webhook
from app.worker.worker import Worker

app = typer.Typer(
    help="Distributes leads to the agents of a team. Settings come from the environment, as LEAD_OFFERS_DATABASE_URL.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
)
user_commands = typer.Typer(help="Accounts.", no_args_is_help=True)
app.add_typer(user_commands, name="user")
lead_commands = typer.Typer(help="Leads.", no_args_is_help=True)
app.add_typer(lead_commands, name="leads")

T = TypeVar("T")

logger = logging.getLogger(__name__)

ALL_SCOPES = " ".join(Scope)
DEFAULT_HOURS = 12

UVICORN: dict[str, Any] = {
    "loop": "uvloop",
    "http": "httptools",
    "ws": "websockets-sansio",
    "log_config": None,
    "access_log": False,
    "server_header": False,
    "timeout_graceful_shutdown": 7,
}
"""Running requests have 7 seconds to end, so that nobody has to kill a server after 10."""


@app.command()
def serve(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on.", min=0, max=65535)] = 8000,
    dispatch: Annotated[
        bool, typer.Option("--dispatch", help="Run a worker inside, as `lead-offers dispatch`.")
    ] = False,
    workers: Annotated[int, typer.Option(help="Processes that share the port; PostgreSQL only.", min=1, max=64)] = 1,
) -> None:
    """Serve the API at /graphql until it is interrupted.

    Needs LEAD_OFFERS_JWT_SECRET or LEAD_OFFERS_JWKS_URL, and a database that `lead-offers migrate` was run on. At
    SIGTERM it takes no new requests, lets those that run end, and has ended within ten seconds.
    """
    settings = _settings()
    configure_logging(settings)
    senders = _senders(settings) if dispatch else None
    if workers > 1 and make_url(settings.database_url).get_backend_name() == "sqlite":
        _fail(f"--workers takes PostgreSQL: {PREFIX}DATABASE_URL is SQLite, where a process sees only its own changes")
    try:
        server = create_app(settings, senders=senders)
    except ValueError as error:
        _fail(str(error))
    signal.signal(signal.SIGTERM, lambda *_signal: sys.exit())  # uvicorn raises it again once it has ended
    if workers == 1:
        tune_gc()
        uvicorn.run(server, host=host, port=port, ws_max_size=settings.max_body_bytes, **UVICORN)
        return
    factory = from_environment_with_worker if dispatch else from_environment
    with TemporaryDirectory(prefix="lead-offers-metrics-") as folder:
        os.environ[metrics.FOLDER_VARIABLE] = folder
        name = f"{factory.__module__}:{factory.__name__}"
        messages = settings.max_body_bytes
        uvicorn.run(name, factory=True, workers=workers, host=host, port=port, ws_max_size=messages, **UVICORN)


@app.command("dispatch")
def dispatch_(
    once: Annotated[bool, typer.Option("--once", help="Do what is due now, say what that was, and end.")] = False,
    metrics_port: Annotated[
        int | None, typer.Option(help="Port on 127.0.0.1 for the worker's own /metrics.", min=1, max=65535)
    ] = None,
) -> None:
    """Tell people of the leads they are offered, when that is due, until it is interrupted.

    Any number of workers may run at once, here or elsewhere. What was due while none ran is sent when one runs again.
    At SIGTERM it takes nothing up any more, and has ended within ten seconds: what providers have not taken over by
    then is left to other workers.
    Refuses to start while a distribution option alerts by a channel that is not set up.
    """
    settings = _settings()
    configure_logging(settings)
    senders = _senders(settings)

    if metrics_port is not None:
        with _failures_in_a_line():
            start_http_server(metrics_port, "127.0.0.1", metrics.registry)

    async def run() -> None:
        db = connect(settings.database_url, limits_of(settings), has_webhook=settings.has_webhook)
        worker = Worker(db, settings, senders, utc_now, make_webhook(settings))
        try:
            with on_shutdown_signal(worker.stop):
                if once:
                    typer.echo(await worker.run_once())
                else:
                    await worker.run()
        finally:
            await db.close()

    with _failures_in_a_line():
        uvloop.run(run())


@lead_commands.command("unclaimed")
def leads_unclaimed() -> None:
    """Print the leads that nobody takes, oldest first: id, when it came in, its creator, the contact's name.

    A lead is among them once all its offers have ended, or LEAD_OFFERS_UNCLAIMED_MINUTES after the last of them.
    """
    settings = _settings()
    patience = timedelta(minutes=settings.unclaimed_minutes)
    with _failures_in_a_line():
        found = _transaction(settings, lambda session: unclaimed_leads(session, patience, utc_now()))
    for lead, creator, contact in found:
        names = " ".join(filter(None, (contact.first_name, contact.last_name)))
        typer.echo("\t".join([str(lead.id), format_instant(lead.created_at), creator.email or "-", names]))


@app.command()
def migrate() -> None:
    """Bring the database up to date, or make its tables. All or nothing; where it is up to date, nothing changes."""
    settings = _settings()
    with _failures_in_a_line():
        migrations.upgrade(settings.database_url)


@app.command()
def token(
    email: Annotated[str, typer.Argument(help="Address of an active user.")],
    scope: Annotated[str, typer.Option(help="What it allows: read, write or both, parted by a space.")] = ALL_SCOPES,
    hours: Annotated[float, typer.Option(help="For how many hours it is valid.", min=0)] = DEFAULT_HOURS,
) -> None:
    """Print an access token of a user, and nothing else.

    Clients send it as `Authorization: Bearer TOKEN`. Exits 1 where nobody active has the address.
    """
    if unknown := set(scope.split()) - set(Scope):
        raise typer.BadParameter(f"{min(unknown)} is not one of {', '.join(Scope)}", param_hint="--scope")
    settings = _settings(signing=True)

    async def find(session: AsyncSession) -> User:
        user = await find_user(session, email)
        if user is None or not user.is_active:
            raise ApiError(Code.NOT_FOUND, f"No active user has the address {email}.")
        return user

    with _failures_in_a_line():
        user = _transaction(settings, find)
        typer.echo(issue_token(settings, user.id, scope, hours, datetime.now(UTC)))


@app.command()
def schema() -> None:
    """Print the GraphQL schema, sorted and described: the contents of schema.graphql."""
    typer.echo(sdl(), nl=False)


@user_commands.command("create")
def user_create(
    email: Annotated[str, typer.Argument(help="Their address, by which they are told of leads and invited to teams.")],
    first_name: Annotated[str, typer.Option()],
    last_name: Annotated[str, typer.Option()],
    timezone: Annotated[str, typer.Option(help="IANA name, e.g. America/Los_Angeles.")] = "UTC",
    phone: Annotated[str | None, typer.Option(help="Where calls and texts go.")] = None,
) -> None:
    """Make an account and print its id. It signs in with `lead-offers token EMAIL`."""

    async def create(session: AsyncSession) -> User:
        return await create_user(
            session, email=email, first_name=first_name, last_name=last_name, timezone=timezone, phone=phone
        )

    with _failures_in_a_line():
        typer.echo(_transaction(_settings(), create).id)


@user_commands.command("deactivate")
def user_deactivate(
    email: Annotated[str, typer.Argument(help="Address of the user.")],
    release: Annotated[bool, typer.Option("--release", help="Offer the leads that they hold to others again.")] = False,
) -> None:
    """Switch an account off: its tokens open nothing any more, and its open offers are withdrawn.

    Leads that the user holds stay with them unless they are released; either way they are printed, one a line: id, when
    it was claimed, the contact's name.
    """
    settings, now = _settings(), utc_now()
    with _failures_in_a_line():
        held = _transaction(settings, lambda session: deactivate_user(session, email, now))
        if release and held:
            ids = [one.lead.id for one in held]
            holder_id = held[0].lead.claimed_by_id or 0
            _transaction(settings, lambda session: release_leads(session, holder_id, ids, now))
    for one in held:
        since = format_instant(one.lead.claimed_at) if one.lead.claimed_at else "-"
        names = filter(None, (one.contact.first_name, one.contact.last_name))
        typer.echo("\t".join([str(one.lead.id), since, " ".join(names)]))


@user_commands.command("activate")
def user_activate(email: Annotated[str, typer.Argument(help="Address of the user.")]) -> None:
    """Switch an account on again. Leads are offered to it by the next submits; nothing comes back by itself."""
    with _failures_in_a_line():
        _transaction(_settings(), lambda session: activate_user(session, email))


@app.command("import")
def import_(
    file: Annotated[Path, typer.Argument(help="JSON, UTF-8.", exists=True, dir_okay=False, readable=True)],
) -> None:
    """Bring in the data of the REST API that this server takes after, from a JSON file.

    The file is one object of lists, each of which may be missing: users, teams, team_members,
    team_member_distribution_options, contacts, lead_sources, lead_routes, leads, lead_offers. Their rows have that
    API's fields and keep their ids; one names another as `"team_id": 8` or `"team": {"id": 8}`. Times are ISO 8601,
    and what has no time yet, as a lead's created_at, takes that of this command. Unknown fields are named and left
    alone.

    All or nothing: of a file with mistakes nothing is read, each is told with its list, its position there (from 0),
    field and value, and the command exits 1. A row whose id is there already is left as it is, so that reading a file
    again changes nothing. Nobody is told of offers that were due before now.
    """
    settings, now = _settings(), datetime.now(UTC)
    with _failures_in_a_line():
        document = importer.parse(file.read_bytes())
        with progress_bar("Importing", importer.STEPS * importer.count(document)) as advance:
            findings = _transaction(settings, lambda session: importer.import_lists(session, document, now, advance))
    for line in findings.lines():
        typer.echo(line)


@app.command()
def sample(
    teams: Annotated[int, typer.Option(min=1, max=10_000, help="Half by rank, half by time.")] = 100,
    members: Annotated[int, typer.Option(min=1, max=200, help="Of each team, beside its leader.")] = 10,
    leads: Annotated[
        int, typer.Option(min=1, max=10_000_000, help="Each is offered to all members of a team.")
    ] = 20_000,
) -> None:
    """Fill an empty database with made-up teams, leads and offers, for load tests: the same for the same numbers.

    Leaders are leader-1@example.com, leader-2@example.com and so on, members agent-1@example.com and so on. Leads were
    submitted in the year before 2026-01-01, the newest of them with offers still to come at that moment.
    """
    size = Size(teams, members, leads)

    async def run(database: Database) -> None:
        with progress_bar("Offers", size.offers) as advance:
            await fill(database, size, advance)

    with _failures_in_a_line():
        _with_database(_settings(), run)
    typer.echo(f"{teams} teams, {teams * (members + 1)} users, {leads} leads, {size.offers} offers")


def _senders(settings: Settings) -> Senders:
    """The channels; an option that uses one which is not set up ends the command."""
    senders = make_senders(settings)
    with _failures_in_a_line():
        try:
            _transaction(settings, lambda session: check_channels(session, senders))
        except ValueError as error:
            _fail(str(error))
    if settings.public_url is None:
        logger.warning("%sPUBLIC_URL is not set: messages go out without a link, a key or a reply to claim", PREFIX)
    return senders


def _settings(*, signing: bool = False) -> Settings:
    """The settings; what is wrong or, for `signing` tokens, missing ends the command with its name."""
    try:
        settings = read_settings()
        if signing:
            signing_key(settings)
    except ValueError as error:
        _fail(str(error))
    return settings


def _transaction(settings: Settings, work: Callable[[AsyncSession], Awaitable[T]]) -> T:
    async def run(database: Database) -> T:
        async with database.write() as session:
            return await work(session)

    return _with_database(settings, run)


def _with_database(settings: Settings, work: Callable[[Database], Awaitable[T]]) -> T:
    async def run() -> T:
        database = connect(settings.database_url, has_webhook=settings.has_webhook)
        try:
            return await work(database)
        finally:
            await database.close()

    return asyncio.run(run())


@contextmanager
def _failures_in_a_line() -> Iterator[None]:
    """What an operator can mend is told without a traceback."""
    try:
        yield
    except (importer.NotImported, OSError) as error:
        _fail(str(error))
    except (ApiError, DBAPIError) as error:
        failure = error.__cause__ if isinstance(error, ApiError) and error.code in DATABASE_FAILURES else error
        if isinstance(failure, ApiError):
            _fail(str(failure))
        hint = f"Is {PREFIX}DATABASE_URL right, and was `lead-offers migrate` run?"
        _fail(f"The database refused: {getattr(failure, 'orig', failure)}\n{hint}")


def _fail(message: str) -> NoReturn:
    typer.echo(message, err=True)
    raise typer.Exit(1)
