"""The server and the worker through PgBouncer, with the configurations in docs/deploying.md."""

import asyncio
import os
import re
import shutil
import tempfile
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import httpx2
import pytest
from sqlalchemy import URL, make_url
from typer.testing import CliRunner, Result

from app.access.tokens import issue_token
from app.cli import app
from app.config import Settings
from app.db.engine import Database
from app.db.models import User
from app.db.pooler import SharedConnectionError
from app.db.postgresql import PLANNING_READS
from tests.docs.pages import DOCS, blocks
from tests.process.test_workers import due_mails
from tests.support.api import SECRET, serving, settings_for
from tests.support.databases import administrator, shown
from tests.support.processes import FULL, free_port, server
from tests.support.programs import owner, program, running
from tests.support.smtp_server import mailbox
from tests.support.waiting import until
from tests.support.world import Cast, World

SESSION, TRANSACTION = blocks(DOCS["deploying"], "### PgBouncer", "ini")
(VARIABLES,) = blocks(DOCS["deploying"], "### PgBouncer", "sh")
OPTION = "prepared_statement_cache_size=0"
"""The option in the documented URL for transaction mode."""

CONFIGURATIONS = {"session": SESSION, "transaction": TRANSACTION}
MODES = pytest.mark.parametrize("mode", CONFIGURATIONS)

CLIENTS = 24
REQUESTS = 20 if FULL else 8
"""How many requests each client sends, one after the other."""

MAILS = 100

INBOX = "{ me { id } leadOffers(limit: 20) { total data { id status lead { id contact { firstName } } } } }"
CREATE = 'mutation { createContact(input: { firstName: "Mary" }) { contact { id } } }'
AWAY = "mutation { clearAway { me { id } } }"
CLAIM = "mutation ($offer: ID!) { claimLeadOffer(id: $offer) { leadOffer { id } } }"


@contextmanager
def pgbouncer(configuration: str, database: URL) -> Iterator[URL]:
    """Run PgBouncer with a documented configuration in front of a database. Gives the URL through it.

    The configuration stays as it is but for the addresses, the names and the paths.
    """
    host, port = database.host or str(database.query["host"]), free_port()
    server_address = f"host={host} dbname={database.database}" + (f" port={database.port}" if database.port else "")
    with tempfile.TemporaryDirectory(prefix="lead-offers-pgbouncer-") as folder:
        users, file = Path(folder, "userlist.txt"), Path(folder, "pgbouncer.ini")
        users.write_text(f'"{database.username}" "secret"\n')
        documented = {
            "host=127.0.0.1 port=5432 dbname=lead_offers": server_address,
            "listen_port = 6432": f"listen_port = {port}\nunix_socket_dir = {folder}",
            "/etc/pgbouncer/userlist.txt": str(users),
        }
        for text, here in documented.items():
            assert text in configuration
            configuration = configuration.replace(text, here)
        file.write_text(configuration)
        command: list[str | Path] = [program("pgbouncer"), "-q", file]
        if os.geteuid() == 0:  # PgBouncer refuses to run as root
            user = owner(host) if host.startswith("/") else "nobody"
            command[1:1] = ["-u", user]
            for path in (Path(folder), users, file):
                shutil.chown(path, user)
        with running(command, port):
            yield URL.create(
                "postgresql+asyncpg",
                *(database.username, "secret", "127.0.0.1", port, "lead_offers"),
            )


def as_documented(mode: str, pooled: URL, direct: str) -> tuple[str, dict[str, str]]:
    """Return the URL and the settings that the documentation gives for the mode."""
    if mode == "session":
        return shown(pooled), {}
    return f"{shown(pooled)}?{OPTION}", {"listen_url": direct}


@asynccontextmanager
async def empty(database_url: str) -> AsyncIterator[URL]:
    """Create a database without tables. Gives its URL."""
    database = make_url(database_url).set(database=f"lead_offers_{uuid4().hex}")
    with administrator(database.set(database="postgres")) as run:
        await run(f"CREATE DATABASE {database.database}")
        yield database
        await run(f"DROP DATABASE {database.database} WITH (FORCE)")


async def command(url: str, *arguments: str, **settings: str) -> Result:
    """Run a command of the operator in this process."""
    given = {"database_url": url, "jwt_secret": SECRET, "fallback": "console"} | settings
    environment = {f"LEAD_OFFERS_{name.upper()}": value for name, value in given.items()}
    return await asyncio.to_thread(CliRunner().invoke, app, arguments, env=environment)


class Clients:
    """Clients that send requests to a server, each one after the other, and the outcomes."""

    def __init__(self, url: str, settings: Settings) -> None:
        self.url, self.settings = url, settings
        self.outcomes: Counter[str] = Counter()

    async def send(self, http: httpx2.AsyncClient, user: User, query: str, **variables: str) -> None:
        token = issue_token(self.settings, user.id, "read write", 1, datetime.now(UTC))
        headers = {"Authorization": f"Bearer {token}"}
        answer = (await http.post("/graphql", json={"query": query, "variables": variables}, headers=headers)).json()
        outcome = answer["errors"][0]["extensions"]["code"] if "errors" in answer else "OK"
        self.outcomes[outcome] += 1

    async def one(self, user: User, offers: list[int]) -> None:
        async with httpx2.AsyncClient(base_url=self.url, timeout=60) as http:
            for number in range(REQUESTS):
                await self.send(http, user, INBOX)
                await self.send(http, user, (CREATE, AWAY)[number % 2])
                if offers:
                    await self.send(http, user, CLAIM, offer=str(offers.pop()))
            assert (await http.get("/readyz")).status_code == 200


async def claimable(world: World, cast: Cast, number: int) -> list[int]:
    """Return the ids of offers to Bob that he can claim."""
    leads = [await world.lead(cast.alice, team=cast.team) for _ in range(number)]
    return [(await world.offer(lead, cast.bob)).id for lead in leads]


@MODES
async def test_every_command_works(mode: str, database_url: str) -> None:
    async with empty(database_url) as database:
        with pgbouncer(CONFIGURATIONS[mode], database) as pooled:
            url, settings = as_documented(mode, pooled, shown(database))
            for arguments in (
                ("migrate",),
                ("check",),
                ("sample", "--teams", "1", "--members", "2", "--leads", "20"),
                ("prune", "--older-than", "1d"),
                ("leads", "unclaimed"),
            ):
                result = await command(url, *arguments, **settings)
                assert result.exit_code == 0, (arguments, result.output)


@MODES
async def test_a_server_and_its_worker_work_under_load(
    mode: str, database_url: str, database: Database, world: World, cast: Cast
) -> None:
    await due_mails(world, cast, MAILS)
    offers = await claimable(world, cast, 50)
    with (
        pgbouncer({"session": SESSION, "transaction": TRANSACTION}[mode], make_url(database_url)) as pooled,
        mailbox() as box,
    ):
        url, settings = as_documented(mode, pooled, database_url)
        settings |= {"smtp_url": box.url, "email_from": "leads@example.org"}
        with server(url, "--dispatch", **settings) as address:
            clients = Clients(address, settings_for(database_url))
            await asyncio.gather(*(clients.one(cast.bob, offers) for _ in range(CLIENTS)))

            async def all_sent() -> bool:
                return len(box.mails) >= MAILS

            await until(all_sent)
    assert set(clients.outcomes) == {"OK"}, clients.outcomes
    assert clients.outcomes["OK"] >= 2 * CLIENTS * REQUESTS + 50
    assert len(set(box.ids())) == len(box.mails)


@pytest.mark.parametrize("arguments", [("migrate",), ("serve", "--port", "0"), ("dispatch",), ("check",)])
async def test_transaction_mode_without_its_option_is_refused(arguments: tuple[str, ...], database_url: str) -> None:
    with pgbouncer(TRANSACTION, make_url(database_url)) as pooled:
        result = await command(shown(pooled), *arguments)
    assert result.exit_code == 1
    assert str(SharedConnectionError()) in result.output


async def test_a_server_that_started_before_the_pooler_refuses_requests(
    database_url: str, cast: Cast, capsys: pytest.CaptureFixture[str]
) -> None:
    with pgbouncer(TRANSACTION, make_url(database_url)) as pooled:
        async with serving(settings_for(shown(pooled))) as api:
            answer = await api.user(cast.bob).post({"query": INBOX})
            ready = await api.http.get("/readyz")
    assert (answer.status_code, ready.status_code) == (503, 503)
    assert answer.json()["errors"][0]["extensions"] == {"code": "UNAVAILABLE", "retryAfter": 2}
    assert OPTION not in answer.text
    assert OPTION in capsys.readouterr().err


def test_the_documented_parameters_are_those_that_the_server_sets_itself() -> None:
    (query,) = re.findall(r"connect_query='(.*)'", TRANSACTION)
    documented = dict(statement.removeprefix("SET ").split(" = ") for statement in query.split("; "))
    milliseconds = str(int(Settings.model_fields["statement_seconds"].default * 1000))
    assert documented == PLANNING_READS | {"statement_timeout": milliseconds}


def test_the_documented_settings_have_the_option() -> None:
    documented = dict(line.split("=", maxsplit=1) for line in VARIABLES.splitlines())
    assert documented["LEAD_OFFERS_DATABASE_URL"].endswith(f"?{OPTION}")
    assert OPTION not in documented["LEAD_OFFERS_LISTEN_URL"]
