"""Commands for API keys."""

from datetime import datetime
from typing import Annotated

import typer
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from app.cli.running import expected_errors, in_transaction, instant, known_scopes, print_row, settings_or_exit
from app.commands.api_keys import NewApiKey, create_api_key, find_api_key, keys_of_user, revoke_api_key
from app.commands.lead_sources import find_source
from app.commands.users import get_active_user
from app.db.models import ApiKey, User
from app.domain.enums import ApiScope
from app.domain.printable import printable
from app.domain.timestamps import format_instant, utc_now

app = typer.Typer(help="Manage API keys, with which programs sign in as a user.", no_args_is_help=True)

Email = Annotated[str, typer.Argument(help="E-mail address of the key's user.")]


@app.command("create")
def create(
    email: Email,
    name: Annotated[str, typer.Option(help="Name of the key, unique among the user's active keys.")],
    scope: Annotated[
        str,
        typer.Option(
            help="Scopes of the key: read, write, intake, separated by a space.", callback=known_scopes(ApiScope)
        ),
    ],
    source: Annotated[
        str | None,
        typer.Option(help="Name or id of the only lead source that the key is for. Needs the scope intake alone."),
    ] = None,
    expires: Annotated[
        datetime | None,
        typer.Option(
            parser=instant,
            metavar="TIME",
            help="Time from which the key is refused: 2027-01-31 or 2027-01-31T09:15:00Z.",
        ),
    ] = None,
) -> None:
    """Create an API key and print it, and nothing else, on standard output. It cannot be shown again.

    Programs send it in the header `Authorization: Bearer KEY`. Fails if no active user has the address.
    """
    now = utc_now()

    async def run(session: AsyncSession) -> NewApiKey:
        user = await get_active_user(session, email)
        values = {
            "name": name,
            "scopes": [ApiScope(each) for each in scope.split()],
            "source_id": None if source is None else await find_source(session, user.id, source),
            "expires_at": expires,
        }
        return await create_api_key(session, user.id, values, now)

    with expected_errors():
        new = in_transaction(settings_or_exit(), run)
    row = new.row
    until = f"expires at {format_instant(row.expires_at)}" if row.expires_at else "does not expire"
    about = f"Created the API key {row.name}, id {row.id}. It {until}, and it cannot be shown again."
    typer.echo(printable(about), err=True)
    typer.echo(new.key)


@app.command("list")
def list_(email: Email) -> None:
    """Print the API keys of a user, oldest first, revoked and expired ones too.

    One key per line, separated by tabs: id, first characters, name, scopes, id of its lead source, time of creation,
    last day of use in UTC, and its state: active, expired or revoked, and since or until when. Control characters in
    names are escaped as in JSON.
    """
    now = utc_now()
    with expected_errors():
        found = in_transaction(settings_or_exit(), lambda session: keys_of_user(session, email))
    for row, scopes in found:
        print_row(
            str(row.id),
            row.prefix,
            row.name,
            " ".join(scopes),
            str(row.source_id or "-"),
            format_instant(row.created_at),
            row.last_used_on or "-",
            _state(row, now),
        )


@app.command("revoke")
def revoke(
    key: Annotated[str, typer.Argument(help="Id of the key, its first characters as `key list` prints them, or all.")],
) -> None:
    """Revoke an API key: it is refused from the next request on. Revoking it again changes nothing."""
    now = utc_now()

    async def run(session: AsyncSession) -> tuple[ApiKey, User]:
        found = await find_api_key(session, key)
        row = await revoke_api_key(session, found.user_id, found.id, now)
        return row, (await session.exec(select(User).where(col(User.id) == row.user_id))).one()

    with expected_errors():
        row, user = in_transaction(settings_or_exit(), run)
    typer.echo(printable(f"Revoked the API key {row.name}, id {row.id}, of {user.email}."), err=True)


def _state(row: ApiKey, now: datetime) -> str:
    if row.revoked_at is not None:
        return f"revoked {format_instant(row.revoked_at)}"
    if row.expires_at is None:
        return "active"
    return f"{'active until' if row.expires_at > now else 'expired'} {format_instant(row.expires_at)}"
