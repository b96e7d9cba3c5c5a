"""Functions that all commands share: read the settings, run a transaction, and end a command that fails."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import NoReturn, TypeVar

import typer
from sqlalchemy.exc import DBAPIError
from sqlmodel.ext.asyncio.session import AsyncSession

from app import importer
from app.access.tokens import signing_key
from app.config import PREFIX, Settings, read_settings
from app.db.engine import Database, connect_as_configured
from app.db.models import Contact
from app.domain.printable import printable
from app.domain.timestamps import parse_instant
from app.errors import DATABASE_FAILURES, ApiError

T = TypeVar("T")


def settings_or_exit(*, signing: bool = False) -> Settings:
    """Read the settings. Ends the command if one is invalid, or if `signing` needs the secret and it is missing."""
    try:
        settings = read_settings()
        if signing:
            signing_key(settings)
    except ValueError as error:
        fail(str(error))
    return settings


def in_transaction(settings: Settings, work: Callable[[AsyncSession], Awaitable[T]]) -> T:
    """Run `work` in one transaction and return its result."""

    return with_database(settings, lambda database: database.in_transaction(work))


def with_database(settings: Settings, work: Callable[[Database], Awaitable[T]]) -> T:
    """Run `work` with a database that is closed afterwards, and return its result."""

    async def run() -> T:
        database = connect_as_configured(settings)
        try:
            return await work(database)
        finally:
            await database.close()

    return asyncio.run(run())


CHECK_DATABASE = f"Check {PREFIX}DATABASE_URL, and that `lead-offers migrate` was run."


@contextmanager
def expected_errors(database_hint: str = CHECK_DATABASE) -> Iterator[None]:
    """End the command with the reason instead of a traceback, for errors that the operator can fix.

    The hint says what to do when the database fails.
    """
    try:
        yield
    except (importer.NotImported, OSError) as error:
        fail(str(error))
    except (ApiError, DBAPIError) as error:
        if isinstance(error, ApiError) and error.code not in DATABASE_FAILURES:
            fail(str(error))
        fail(f"The database reported an error: {database_failure(error)}\n{database_hint}")


def database_failure(error: BaseException) -> str:
    """Return what the driver says of a failure, in the words that are for the operator only."""
    cause = error.__cause__ if isinstance(error, ApiError) and error.__cause__ else error
    failure = getattr(cause, "orig", None) or cause
    return str(failure) or type(failure).__name__


def fail(reason: str) -> NoReturn:
    """Print the reason on standard error and end the command with status 1."""
    typer.echo(printable(reason, "\n"), err=True)
    raise typer.Exit(1)


def instant(text: str) -> datetime:
    """Return the time of an option. Ends the command if it is not a time."""
    try:
        return parse_instant(text)
    except ValueError as error:
        raise typer.BadParameter(f"{text} {error}") from error


def known_scopes(allowed: Collection[str]) -> Callable[[str], str]:
    """Return a callback for an option with scopes, separated by spaces. It ends the command if one is not allowed."""

    def check(scopes: str) -> str:
        if unknown := set(scopes.split()) - set(allowed):
            raise typer.BadParameter(f"{min(unknown)} is not one of {', '.join(allowed)}")
        return scopes

    return check


def print_row(*values: str) -> None:
    """Print one line of values that are separated by tabs. Tabs and line breaks in a value are escaped."""
    typer.echo("\t".join(map(printable, values)))


def full_name(contact: Contact) -> str:
    """Return the names of a contact that are known, separated by a space."""
    return " ".join(filter(None, (contact.first_name, contact.last_name)))
