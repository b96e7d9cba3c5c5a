"""Commands that print figures."""

import json
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Annotated, TypeVar

import typer
from rich.console import Console
from rich.table import Table as Drawing
from rich.text import Text
from sqlmodel.ext.asyncio.session import AsyncSession

from app.cli.running import expected_errors, instant, print_row, settings_or_exit, with_database
from app.commands.users import get_user
from app.db.engine import Database
from app.db.models import User
from app.domain.bounds import LONGEST_FIGURES_IN_DAYS
from app.domain.figures import FigureGroup, Span, problems_of
from app.domain.printable import printable
from app.domain.time_zones import known_zone
from app.errors import bad_input
from app.figures import lead_figures, member_figures
from app.figures.tables import Table, csv_text, lead_records, lead_table, member_records, member_table

T = TypeVar("T")

app = typer.Typer(help="Print figures of leads and of the members of a team.", no_args_is_help=True)


Email = Annotated[str, typer.Argument(help="E-mail address of the user whose figures they are.")]
Begin = Annotated[
    datetime,
    typer.Option("--from", parser=instant, metavar="TIME", help="The begin, as 2026-01-01 or 2026-01-01T00:00:00Z."),
]
End = Annotated[
    datetime,
    typer.Option(
        "--to",
        parser=instant,
        metavar="TIME",
        help=f"The end, excluded, at most {LONGEST_FIGURES_IN_DAYS} days later.",
    ),
]
AsCsv = Annotated[bool, typer.Option("--csv", help="Print CSV.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON array of objects.")]


@app.command("leads")
def leads(
    email: Email,
    *,
    begin: Begin,
    end: End,
    by: Annotated[FigureGroup | None, typer.Option(help="Groups the leads.")] = None,
    timezone: Annotated[
        str | None, typer.Option(help="IANA time zone in which days begin. By default, the user's.")
    ] = None,
    as_csv: AsCsv = False,
    as_json: AsJson = False,
) -> None:
    """Print what has become of the leads that a user created in a span.

    A table in a terminal, and otherwise one group per line with its values separated by tabs. docs/figures.md defines
    the columns.
    """
    with expected_errors():
        if problems := [*problems_of(begin, end, timezone)]:
            raise bad_input(*problems)
        span = Span(begin, end)
        found = _read(
            email,
            lambda session, user: lead_figures(session, user.id, span, by, known_zone(timezone or user.timezone)),
        )
    _show(lead_table(found, by), as_csv, lead_records(found) if as_json else None)


@app.command("members")
def members(
    email: Email,
    team: Annotated[int, typer.Argument(help="Id of a team that the user created.")],
    *,
    begin: Begin,
    end: End,
    as_csv: AsCsv = False,
    as_json: AsJson = False,
) -> None:
    """Print what the members of a team did with the leads that it offered them in a span.

    A table in a terminal, and otherwise one user per line with the values separated by tabs. docs/figures.md defines
    the columns.
    """
    with expected_errors():
        if problems := [*problems_of(begin, end)]:
            raise bad_input(*problems)
        found = _read(email, lambda session, user: member_figures(session, user.id, team, Span(begin, end)))
    _show(member_table(found), as_csv, member_records(found) if as_json else None)


def _read(email: str, read: Callable[[AsyncSession, User], Awaitable[T]]) -> T:
    """Return what `read` reads for the user with this address."""

    async def run(database: Database) -> T:
        async with database.read() as session:
            return await read(session, await get_user(session, email))

    return with_database(settings_or_exit(), run)


def _show(table: Table, as_csv: bool, records: list[dict[str, object]] | None) -> None:
    console = Console()
    if records is not None:
        typer.echo(json.dumps(records, indent=2))
    elif as_csv:
        typer.echo(csv_text(table), nl=False)
    elif console.is_terminal:
        console.print(_drawing(table))
    else:
        print_row(*table.columns)
        for row in table.rows:
            print_row(*("-" if value is None else str(value) for value in row))


def _drawing(table: Table) -> Drawing:
    drawing = Drawing()
    numbers = [all(not isinstance(row[place], str) for row in table.rows) for place in range(len(table.columns))]
    for name, is_number in zip(table.columns, numbers, strict=True):
        drawing.add_column(name.replace("_", " "), justify="right" if is_number else "left", overflow="fold")
    for row in table.rows:
        drawing.add_row(*(Text("-" if value is None else printable(str(value))) for value in row))
    return drawing
