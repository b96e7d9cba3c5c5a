"""Commands for the data: migrations, imports, sample data, and the leads that nobody claims."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from app import importer
from app.cli.running import expected_errors, full_name, in_transaction, print_row, settings_or_exit, with_database
from app.commands.exhaustion import unclaimed_leads
from app.config import PREFIX
from app.db import migrations
from app.db.engine import Database
from app.domain.printable import printable
from app.domain.timestamps import format_instant, utc_now
from app.observability.progress import progress_bar
from app.sample_data import Size, fill

leads = typer.Typer(help="Inspect leads.", no_args_is_help=True)


def migrate() -> None:
    """Create the tables, or upgrade them to this version.

    All or nothing. If the tables are up to date, nothing changes.
    """
    settings = settings_or_exit()
    with expected_errors(f"Check {PREFIX}DATABASE_URL, and that this user can reach the database and write to it."):
        migrations.upgrade(settings.database_url, unclaimed_minutes=settings.unclaimed_minutes)


@leads.command("unclaimed")
def unclaimed(
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON array of objects.")] = False,
) -> None:
    """Print the leads that nobody has claimed and nobody else will be offered, oldest first.

    One lead per line: id, time of creation, e-mail address of the creator, name of the contact. A lead is listed once
    no team follows and all its offers have ended, or LEAD_OFFERS_UNCLAIMED_MINUTES after its last offer. The values are
    separated by tabs, and control characters in names are escaped as in JSON.
    """
    settings = settings_or_exit()
    with expected_errors():
        found = in_transaction(settings, lambda session: unclaimed_leads(session, utc_now()))
    rows: list[dict[str, Any]] = [
        {
            "id": str(lead.id),
            "created_at": format_instant(lead.created_at),
            "creator": creator.email,
            "contact": full_name(contact),
        }
        for lead, creator, contact in found
    ]
    if as_json:
        typer.echo(json.dumps(rows, indent=2))
        return
    for row in rows:
        print_row(row["id"], row["created_at"], row["creator"] or "-", row["contact"])


def import_(
    file: Annotated[Path, typer.Argument(help="JSON file in UTF-8.", exists=True, dir_okay=False, readable=True)],
    list_all: Annotated[
        bool, typer.Option("--all", help="List all problems, not only the first of each kind.")
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the report, with all problems, as one JSON object.")
    ] = False,
    lenient: Annotated[
        bool,
        typer.Option(
            "--lenient",
            help="Leave out names, e-mail addresses, phone numbers, zipcodes and details of listings that are invalid, "
            "and count them.",
        ),
    ] = False,
) -> None:
    """Import data of the REST API that this server is modelled on, from a JSON file.

    The file is one object of lists, each of them optional: users, teams, team_members,
    team_member_distribution_options, contacts, lead_sources, lead_routes, leads, lead_offers. Their rows have the
    fields of that API and keep their ids. A row refers to another as `"team_id": 8` or `"team": {"id": 8}`. Times are
    ISO 8601; a missing time, such as a lead's created_at, becomes the time of the import. Unknown fields are reported
    and ignored.

    All or nothing: if the file has problems, nothing is imported. They are counted by list and kind, and then printed
    with the list, the position in the list (from 0), the field and the value. A row whose id exists is skipped, so that
    importing a file again changes nothing. Users are notified of the offers that are due after the import, and of no
    others.
    """
    settings, now = settings_or_exit(), datetime.now(UTC)
    report = importer.Report(keeps_all=list_all or as_json, is_lenient=lenient)
    with expected_errors():
        try:
            document = importer.parse(file.read_bytes(), report)
            with progress_bar("Importing", importer.STEPS * importer.count(document)) as advance:
                in_transaction(settings, lambda session: importer.import_lists(session, document, now, advance, report))
        except importer.NotImported:
            if not as_json:
                raise
    if as_json:
        typer.echo(json.dumps(report.as_json(), indent=2))
        raise typer.Exit(1 if report.problem_count else 0)
    for line in report.lines():
        typer.echo(printable(line))


def sample(
    teams: Annotated[
        int,
        typer.Option(min=1, max=10_000, help="Number of teams: of four, two by rank, one by time, one round robin."),
    ] = 100,
    members: Annotated[int, typer.Option(min=1, max=200, help="Members of each team, besides its leader.")] = 10,
    leads: Annotated[
        int, typer.Option(min=1, max=10_000_000, help="Number of leads. Each is offered to all members of a team.")
    ] = 20_000,
) -> None:
    """Fill an empty database with generated teams, leads and offers, for load tests.

    The same numbers produce the same data. Leaders are leader-1@example.com, leader-2@example.com and so on; members
    are agent-1@example.com and so on. All leads were submitted in the year before 2026-01-01, and some offers of the
    newest are due after it: a worker notifies their users.
    """
    size = Size(teams, members, leads)

    async def run(database: Database) -> None:
        with progress_bar("Offers", size.offers) as advance:
            await fill(database, size, advance)

    with expected_errors():
        with_database(settings_or_exit(), run)
    typer.echo(f"{teams} teams, {teams * (members + 1)} users, {leads} leads, {size.offers} offers")
