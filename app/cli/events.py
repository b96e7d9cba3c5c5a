"""Commands for webhook events that could not be delivered."""

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any

import typer

from app.cli.running import expected_errors, in_transaction, instant, print_row, settings_or_exit
from app.db.models import Event
from app.domain.timestamps import format_instant, utc_now
from app.worker import failed_events

app = typer.Typer(help="Inspect webhook events that have failed, and send them again.", no_args_is_help=True)

AS_JSON = typer.Option("--json", help="Print one JSON array of objects.")


@app.command("failed")
def failed(as_json: Annotated[bool, AS_JSON] = False) -> None:
    """Print the events that have failed for good, oldest first.

    One event per line: id (the `webhook-id` of its requests), kind, time, number of attempts, and why the last one
    failed. The values are separated by tabs. Events are kept for 30 days.
    """
    with expected_errors():
        _print(in_transaction(settings_or_exit(), failed_events.failed_events), as_json=as_json)


@app.command("replay")
def replay(
    since: Annotated[
        datetime,
        typer.Option(
            parser=instant,
            metavar="TIME",
            help="Send events that happened then or later: 2026-03-02T09:00:00Z, or 2026-03-02 for midnight in UTC.",
        ),
    ],
    event_ids: Annotated[
        list[str] | None, typer.Option("--id", help="Send only the event with this id. Can be repeated.")
    ] = None,
    as_json: Annotated[bool, AS_JSON] = False,
) -> None:
    """Send the events again that have failed for good and happened at a time or later, and print them.

    They are printed as `events failed` does, and the workers send them at once, each with the same id and body as
    before. If an `--id` is not that of such an event, nothing is sent.
    """
    now = utc_now()
    with expected_errors():
        events = in_transaction(
            settings_or_exit(), lambda session: failed_events.replay_events(session, since, event_ids or (), now)
        )
        _print(events, as_json=as_json)


def _print(events: Sequence[Event], *, as_json: bool) -> None:
    rows: list[dict[str, Any]] = [
        {
            "id": event.key,
            "kind": event.kind.value,
            "happened_at": format_instant(event.happened_at),
            "attempts": event.attempts,
            "error": event.error,
        }
        for event in events
    ]
    if as_json:
        typer.echo(json.dumps(rows, indent=2))
        return
    for row in rows:
        print_row(row["id"], row["kind"], row["happened_at"], str(row["attempts"]), row["error"] or "-")
