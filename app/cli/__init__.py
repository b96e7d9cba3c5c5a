"""The command line, `lead-offers`. Each module has the commands of one subject; `running` has what they share."""

from importlib.metadata import version
from typing import Annotated

import typer

from app.cli import api_keys, checks, data, events, figures, retention, serving, users
from app.graphql.schema import sdl

app = typer.Typer(
    help="""Distributes leads to the agents of a team.

    Settings are read from environment variables, such as LEAD_OFFERS_DATABASE_URL. A command that fails prints the
    reason and exits with status 1.
    """,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
)
app.add_typer(users.app, name="user")
app.add_typer(api_keys.app, name="key")
app.add_typer(data.leads, name="leads")
app.add_typer(figures.app, name="figures")
app.add_typer(events.app, name="events")
app.command("serve")(serving.serve)
app.command("dispatch")(serving.dispatch)
app.command("check")(checks.check)
app.command("migrate")(data.migrate)
app.command("import")(data.import_)
app.command("sample")(data.sample)
app.command("prune")(retention.prune_)
app.command("token")(users.token)


@app.command()
def schema() -> None:
    """Print the GraphQL schema with its descriptions, sorted: the contents of schema.graphql."""
    typer.echo(sdl(), nl=False)


def _print_version(requested: bool) -> None:
    if requested:
        typer.echo(version("lead-offers"))
        raise typer.Exit


@app.callback()
def main(
    _version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Options that come before a command."""
