"""Commands for user accounts and access tokens."""

from datetime import UTC, datetime
from typing import Annotated

import typer
from sqlmodel.ext.asyncio.session import AsyncSession

from app.access.tokens import TOKEN_SCOPES, issue_token
from app.cli.running import expected_errors, full_name, in_transaction, known_scopes, print_row, settings_or_exit
from app.commands.release import release_leads
from app.commands.users import activate_user, create_user, deactivate_user, get_active_user
from app.db.models import User
from app.domain.bounds import LONGEST_TOKEN
from app.domain.timestamps import format_instant, utc_now
from app.domain.validation import parse_hours

app = typer.Typer(help="Manage user accounts.", no_args_is_help=True)

ALL_SCOPES = " ".join(TOKEN_SCOPES)


def _hours(number: float) -> float:
    try:
        return parse_hours(number)
    except ValueError as error:
        raise typer.BadParameter(f"{number:g} {error}") from error


def token(
    email: Annotated[str, typer.Argument(help="E-mail address of an active user.")],
    scope: Annotated[
        str, typer.Option(help="Scopes of the token, separated by a space.", callback=known_scopes(TOKEN_SCOPES))
    ] = ALL_SCOPES,
    hours: Annotated[
        float,
        typer.Option(help=f"Hours until the token expires, at most {LONGEST_TOKEN:,} (ten years).", callback=_hours),
    ] = 12,
) -> None:
    """Print an access token for a user, and nothing else.

    Clients send it in the header `Authorization: Bearer TOKEN`. Fails if no active user has the address.
    """
    settings = settings_or_exit(signing=True)
    with expected_errors():
        user = in_transaction(settings, lambda session: get_active_user(session, email))
        typer.echo(issue_token(settings, user.id, scope, hours, datetime.now(UTC)))


@app.command("create")
def create(
    email: Annotated[str, typer.Argument(help="The user's e-mail address, for invitations and notifications.")],
    first_name: Annotated[str, typer.Option()],
    last_name: Annotated[str, typer.Option()],
    timezone: Annotated[str, typer.Option(help="IANA time zone, such as America/Los_Angeles.")] = "UTC",
    phone: Annotated[str | None, typer.Option(help="Phone number for calls and text messages.")] = None,
) -> None:
    """Create an account and print its id. `lead-offers token EMAIL` prints an access token for it."""

    async def run(session: AsyncSession) -> User:
        return await create_user(
            session, email=email, first_name=first_name, last_name=last_name, timezone=timezone, phone=phone
        )

    with expected_errors():
        typer.echo(in_transaction(settings_or_exit(), run).id)


@app.command("deactivate")
def deactivate(
    email: Annotated[str, typer.Argument(help="E-mail address of the user.")],
    release: Annotated[bool, typer.Option("--release", help="Offer the leads that the user holds to others.")] = False,
) -> None:
    """Deactivate an account: its tokens and API keys stop working and its open offers are withdrawn.

    The user keeps the leads that they hold, unless `--release` is given. Either way the leads are printed, one per
    line: id, time of the claim, name of the contact.
    """
    settings, now = settings_or_exit(), utc_now()
    with expected_errors():
        held = in_transaction(settings, lambda session: deactivate_user(session, email, now))
        if release and held:
            lead_ids = [one.lead.id for one in held]
            holder_id = held[0].lead.claimed_by_id
            assert holder_id is not None
            in_transaction(settings, lambda session: release_leads(session, holder_id, lead_ids, now))
    for one in held:
        claimed_at = format_instant(one.lead.claimed_at) if one.lead.claimed_at else "-"
        print_row(str(one.lead.id), claimed_at, full_name(one.contact))


@app.command("activate")
def activate(email: Annotated[str, typer.Argument(help="E-mail address of the user.")]) -> None:
    """Activate an account again. Later submits offer leads to it; withdrawn offers are not restored."""
    with expected_errors():
        in_transaction(settings_or_exit(), lambda session: activate_user(session, email))
