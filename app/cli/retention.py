"""The command `prune`: deletes what is stored about leads that ended long ago."""

import re
from collections import Counter
from datetime import timedelta
from typing import Annotated

import typer

from app.cli.running import expected_errors, print_row, settings_or_exit, with_database
from app.commands.retention import PRUNABLE, TABLES, prune, size
from app.db.engine import Database
from app.domain.timestamps import utc_now
from app.observability.progress import progress_bar

MOST_DAYS = 36_500


def _days(text: str) -> timedelta:
    match = re.fullmatch(r"([0-9]{1,6})d", text, re.ASCII)
    if match is None or not 1 <= int(match[1]) <= MOST_DAYS:
        raise typer.BadParameter(f"{text} is not a number of days from 1 to {MOST_DAYS}, such as 400d")
    return timedelta(days=int(match[1]))


def prune_(
    older_than: Annotated[
        timedelta, typer.Option(parser=_days, metavar="DAYS", help="How long ago a lead must have ended: 400d.")
    ],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Delete nothing; print what would be deleted.")] = False,
) -> None:
    """Delete the messages and the steps of leads that ended long ago, and print how many rows of each table.

    A lead has ended if somebody has had it, or it was reported to its creator as unclaimed, for that long, and none of
    its offers is scheduled or was due since. The lead, its contact and its offers stay, and it can still be released
    and submitted. Older webhook events that are not still to be sent are deleted, too, and so are invitations that were
    removed before their address had an account.

    Servers and workers can run in the meantime. The rows are deleted in small transactions: the command can be stopped
    at any time, and run again.
    """
    settings, before = settings_or_exit(), utc_now() - older_than

    async def run(database: Database) -> Counter[str]:
        counts: Counter[str] = Counter()
        for prunable in PRUNABLE:
            with progress_bar(prunable.name, await size(database, prunable)) as advance:
                counts += await prune(database, prunable, before, advance, is_dry_run=dry_run)
        return counts

    with expected_errors():
        counts = with_database(settings, run)
    for table in TABLES:
        print_row(table, str(counts[table]))
