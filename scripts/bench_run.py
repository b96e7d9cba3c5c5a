"""Measure the server on sample data in a PostgreSQL of its own, and compare it with hand-written SQL.

Compare the ratios within one run: absolute figures depend on the machine. All sections take about five minutes.
"""

import argparse
import shutil
import statistics
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from itertools import repeat
from pathlib import Path
from tempfile import TemporaryDirectory

from bench_data import VIEWER, Data, make_data, make_due, new_leads, postgresql, turn_teams
from bench_load import Load, load, request
from bench_servers import Server, serving, serving_limit
from bench_workloads import BOARD, DESCRIPTIONS, LEADS, OFFERS, PAGE, workloads

SUBMIT = "mutation Submit($lead: ID!) { submitLeadOffers(leadId: $lead) { createdCount } }"
CLAIM = "mutation Claim($id: ID!) { claimLeadOffer(id: $id) { leadOffer { id } } }"

SIZES = (20_000, 200_000, 2_000_000)
"""Numbers of offers for which the section `growth` measures a page. The viewer has access to a tenth of them."""
FAR_BACK = 0.9
"""The share of the viewer's offers that are newer than the page far back."""
WRITES, WRITE_ROUNDS = 2_000, 5
"""Submits of each kind, and in how many turns they alternate."""
TURN_TEAMS = 50
"""The teams that share the submits to many teams."""
DELIVERIES = 5_000
MEMORY = (10_000, 100_000)
"""Numbers of requests after which memory is measured."""
NEW_DOCUMENTS = 100

RESULTS = Path(__file__).parents[1] / "docs" / "performance.md"
BEGIN, END = "<!-- scripts/bench writes these tables. -->\n", "<!-- End of the tables. -->\n"


@dataclass
class Bench:
    """The options of a run, its PostgreSQL server, and a folder for files of SQLite."""

    server: str
    folder: Path
    rounds: int
    seconds: float
    sizes: Sequence[int]
    tables: list[str] = field(default_factory=list)
    """The results of the sections, as Markdown."""

    @cached_property
    def data(self) -> Data:
        """The sample data that most sections share."""
        return make_data(self.server, "sample", 100, 20_000)

    @cached_property
    def sqlite(self) -> Data:
        """The same in a file of SQLite."""
        return make_data(f"sqlite:///{self.folder}/{{}}.db", "sample", 100, 20_000)

    def table(self, *columns: str) -> None:
        self.tables += ["", "| " + " | ".join(columns) + " |", "|" + "---|" * len(columns)]
        print("\n" + "  ".join(columns))

    def row(self, *cells: str) -> None:
        self.tables.append("| " + " | ".join(cells) + " |")
        print("  ".join(cells), flush=True)


def speed(bench: Bench) -> None:
    """Each workload on both databases, in turns with hand-written SQL."""
    data = {"PostgreSQL": bench.data, "SQLite": bench.sqlite}
    with ExitStack() as stack:
        servers: dict[str, Server] = {}
        for name, each in data.items():
            servers[name] = stack.enter_context(serving(each))
            servers[f"{name}, by hand"] = stack.enter_context(serving_limit(each))
        bench.table(
            "workload",
            "PostgreSQL",
            "p50, p99",
            "to hand-written SQL",
            "SQLite",
            "p50, p99",
            "to hand-written SQL",
            "SQLite to PostgreSQL",
        )
        for name, body in workloads(bench.data).items():
            bench.row(f"{name}: {DESCRIPTIONS[name]}", *_speed(bench, servers, body))


def _speed(bench: Bench, servers: dict[str, Server], body: object) -> Iterator[str]:
    token = bench.data.token(VIEWER)
    sent = {
        which: (server, request(server.port, body, None if "hand" in which else token))
        for which, server in servers.items()
    }
    loads = in_turns(sent, bench)
    for which in ("PostgreSQL", "SQLite"):
        yield f"{median(loads[which], 'rate'):.0f}"
        yield f"{median(loads[which], 'p50'):.1f}, {median(loads[which], 'p99'):.1f} ms"
        yield _ratio(loads[which], loads[f"{which}, by hand"])
    yield _ratio(loads["SQLite"], loads["PostgreSQL"])


def _ratio(ours: list[Load], theirs: list[Load]) -> str:
    return f"{statistics.median(a.rate / b.rate for a, b in zip(ours, theirs, strict=True)):.2f}"


def cold(bench: Bench) -> None:
    """CPU time of documents that are new, beside their second request."""
    bench.table("board20", "first request of a document", "second")
    for name, data in {"PostgreSQL": bench.data, "SQLite": bench.sqlite}.items():
        with serving(data) as server:
            token = data.token(VIEWER)
            bodies = [{"query": BOARD.replace("total", f"t{i}: total"), "variables": {"limit": 20}} for i in range(300)]
            requests = [request(server.port, body, token) for body in bodies]
            load(server.port, requests[:100])
            costs = [_cpu_of(server, requests[i : i + 100]) for i in (100, 200, 100, 200)]
        first, second = min(costs[:2]), min(costs[2:])
        bench.row(name, f"{first:.1f} ms of CPU", f"{second:.1f} ms")


def _cpu_of(server: Server, requests: list[bytes]) -> float:
    before = server.cpu()
    load(server.port, requests)
    return (server.cpu() - before) * 1000 / len(requests)


def in_turns(requests: dict[str, tuple[Server, bytes]], bench: Bench) -> dict[str, list[Load]]:
    """Send each request for some seconds, A B A B …, after a warm-up of one second."""
    for server, sent in requests.values():
        load(server.port, repeat(sent), 1)
    loads: dict[str, list[Load]] = {name: [] for name in requests}
    for _ in range(bench.rounds):
        for name, (server, sent) in requests.items():
            loads[name].append(load(server.port, repeat(sent), bench.seconds))
    return loads


def median(loads: list[Load], figure: str) -> float:
    return float(statistics.median(getattr(each, figure) for each in loads))


def writes(bench: Bench) -> None:
    """Submits of leads to teams of ten, by rank and by turns in alternation, and claims of the first offer of each."""
    data = bench.data
    token, teams = data.token(VIEWER), turn_teams(data, TURN_TEAMS)
    kinds = {"by rank": (), "by turns, to many teams": teams, "by turns, to one team": teams[:1]}
    submits: dict[str, list[Load]] = {kind: [] for kind in kinds}
    ranked: list[int] = []
    with serving(data) as server:
        for _ in range(WRITE_ROUNDS):
            for kind, to in kinds.items():
                leads = new_leads(data, WRITES // WRITE_ROUNDS, to)
                bodies = ({"query": SUBMIT, "variables": {"lead": str(lead)}} for lead in leads)
                submits[kind].append(load(server.port, [request(server.port, body, token) for body in bodies]))
                ranked += [] if to else leads
        due = data.ask(
            """SELECT DISTINCT ON (o.lead_id) o.id, o.user_id FROM lead_offers o JOIN leads l ON l.id = o.lead_id
            WHERE o.lead_id = ANY($1) AND o.notify_at <= now() AND l.claimed_by_id IS NULL
            ORDER BY o.lead_id, o.rank, o.id""",
            ranked,
        )
        tokens = {user: data.token(user) for _, user in due}
        asked = (({"query": CLAIM, "variables": {"id": str(offer)}}, tokens[user]) for offer, user in due)
        claims = load(server.port, [request(server.port, *each) for each in asked])
    bench.table("write", "a second", "beside submits by rank", "p50, p99")
    by_rank = median(submits["by rank"], "rate")
    for kind, loads in submits.items():
        rate, p50, p99 = (median(loads, figure) for figure in ("rate", "p50", "p99"))
        bench.row(f"submits {kind}", f"{rate:.0f}", f"{rate / by_rank:.2f}", f"{p50:.1f}, {p99:.1f} ms")
    bench.row("claims", f"{claims.rate:.0f}", "", f"{claims.p50:.1f}, {claims.p99:.1f} ms")


def deliveries(bench: Bench) -> None:
    """E-mails that are due at the same time, written to the console by one worker."""
    data = make_data(bench.server, "deliveries", 10, 100)
    data.run("dispatch", "--once")  # the sample data contains overdue messages
    make_due(data, DELIVERIES)
    data.run("dispatch", "--once")
    ((sent, seconds, middle, longest),) = data.ask(
        """SELECT count(*), extract(epoch FROM max(d.sent_at) - min(d.sent_at)),
        percentile_cont(0.5) WITHIN GROUP (ORDER BY extract(epoch FROM d.sent_at - o.notify_at)),
        extract(epoch FROM max(d.sent_at - o.notify_at))
        FROM deliveries d JOIN lead_offers o ON o.id = d.offer_id
        WHERE d.status = 'SENT' AND o.offered_by_id = $1 AND o.notify_at > now() - interval '1 day'""",
        VIEWER,
    )
    bench.table("deliveries that are due at once", "a second", "time sent minus time due: median, longest")
    bench.row(f"{sent:,}", f"{sent / float(seconds):.0f}", f"{middle:.1f}, {longest:.1f} s")


def memory(bench: Bench) -> None:
    """Start-up time, and memory after some requests."""
    sent = {"query": OFFERS, "variables": {"limit": 10}}
    with serving(bench.data) as server:
        once, done, cells = request(server.port, sent, bench.data.token(VIEWER)), 0, [f"{server.memory():.0f} MB"]
        for requests in MEMORY:
            load(server.port, repeat(once, requests - done))
            done = requests
            cells.append(f"{server.memory():.0f} MB")
        bench.table("start-up", "memory then", *(f"after {requests:,} requests" for requests in MEMORY))
        bench.row(f"{server.start_up:.2f} s", *cells)


def growth(bench: Bench) -> None:
    """CPU time of pages as the data grows, the server and PostgreSQL together."""
    data = make_data(bench.server, "growth", 10, bench.sizes[0] // 10)
    bench.table(
        "offers", *(f"{name}: ms of CPU, to the smallest" for name in ("inbox", "far back", "board20", "leads100"))
    )
    costs: list[list[float]] = []
    for i, size in enumerate(bench.sizes):
        if i:
            data.grow(size // bench.sizes[i - 1])
        bodies: list[object] = [
            {"query": PAGE},
            {"query": PAGE, "variables": {"where": _far_back(data, size)}},
            {"query": BOARD, "variables": {"limit": 20}},
            {"query": LEADS, "variables": {"limit": 100}},
        ]
        with serving(data) as server:
            costs.append([_cost(bench, server, body) for body in bodies])
        cells = [f"{cost:.2f}, {cost / first:.2f}" for cost, first in zip(costs[-1], costs[0], strict=True)]
        bench.row(f"{size:,}", *cells)


def _far_back(data: Data, size: int) -> object:
    """Return the condition with which a client requests the page after an old offer."""
    (at, offer_id) = data.ask(
        """SELECT notify_at, id FROM lead_offers WHERE offered_by_id = $1
        ORDER BY notify_at DESC NULLS LAST, id LIMIT 1 OFFSET $2""",
        VIEWER,
        int(size / 10 * FAR_BACK),
    )[0]
    time = at.isoformat()
    return {"or": [{"notifyAt": {"lt": time}}, {"notifyAt": {"eq": time}, "id": {"gt": str(offer_id)}}]}


def _cost(bench: Bench, server: Server, body: object) -> float:
    """Return the CPU milliseconds of a request: the lowest of many short rounds, the one least disturbed by others."""
    sent = request(server.port, body, server.data.token(VIEWER))
    load(server.port, repeat(sent), 1)
    costs = []
    for _ in range(bench.rounds * 3):
        before = server.cpu()
        requests = load(server.port, repeat(sent), bench.seconds / 3).requests
        costs.append((server.cpu() - before) * 1000 / requests)
    return min(costs)


SECTIONS: dict[str, Callable[[Bench], None]] = {
    section.__name__: section for section in (speed, cold, writes, deliveries, memory, growth)
}


def profile(data: Data, file: str) -> None:
    """Write a flame graph of the server under requests for pages of the inbox."""
    spy = shutil.which("py-spy")
    if spy is None:
        sys.exit("--profile needs py-spy on the PATH: pip install py-spy")
    with serving(data) as server:
        sent = request(server.port, {"query": OFFERS, "variables": {"limit": 10}}, data.token(VIEWER))
        load(server.port, repeat(sent), 1)
        watching = subprocess.Popen([spy, "record", "--pid", str(server.pid), "--duration", "8", "--output", file])
        load(server.port, repeat(sent), 10)
        if watching.wait():
            sys.exit("py-spy failed. It needs permission to trace other processes.")


def _sections(text: str) -> list[str]:
    names = text.split(",")
    if unknown := set(names) - set(SECTIONS):
        raise argparse.ArgumentTypeError(f"{min(unknown)} is not one of {', '.join(SECTIONS)}")
    return names


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, prog="scripts/bench")
    parser.add_argument(
        "--only",
        type=_sections,
        default=list(SECTIONS),
        metavar="SECTION,…",
        help=f"sections to run: {','.join(SECTIONS)}",
    )
    parser.add_argument("--rounds", type=int, default=3, help="rounds of each measurement")
    parser.add_argument("--seconds", type=float, default=3, help="length of a round")
    parser.add_argument(
        "--sizes",
        type=lambda text: [int(size) for size in text.split(",")],
        default=SIZES,
        metavar="OFFERS,…",
        help=f"numbers of offers for the section growth, by default {','.join(map(str, SIZES))}",
    )
    parser.add_argument("--markdown", action="store_true", help="write the tables into docs/performance.md")
    parser.add_argument("--profile", metavar="FILE.svg", help="write a flame graph and measure nothing")
    asked = parser.parse_args()
    with postgresql() as server, TemporaryDirectory(prefix="lead-offers-bench-") as folder:
        bench = Bench(server, Path(folder), asked.rounds, asked.seconds, asked.sizes)
        if asked.profile:
            profile(bench.data, asked.profile)
            return
        for name in asked.only:
            SECTIONS[name](bench)
    if asked.markdown:
        page = RESULTS.read_text(encoding="utf-8")
        head, _, rest = page.partition(BEGIN)
        date, tables = f"{datetime.now(UTC):%Y-%m-%d}", "\n".join(bench.tables)
        text = f"{head}{BEGIN}\nMeasured on {date} by `scripts/bench`.\n{tables}\n\n{END}{rest.partition(END)[2]}"
        RESULTS.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
