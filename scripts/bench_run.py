"""Measure the server on sample data in a PostgreSQL of its own, and compare it with hand-written SQL.

Compare the ratios within one run: absolute figures depend on the machine. All sections take about five minutes.
"""

import argparse
import shutil
import statistics
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from itertools import repeat

from bench_data import VIEWER, Data, make_data, make_due, new_leads, postgresql
from bench_load import Load, load, request
from bench_servers import Server, serving, serving_limit

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

SIZES = (20_000, 200_000, 2_000_000)
"""Numbers of offers for which the section `growth` measures a page. The viewer has access to a tenth of them."""
FAR_BACK = 0.9
"""The share of the viewer's offers that are newer than the page far back."""
WRITES = 2_000
DELIVERIES = 5_000
MEMORY = (10_000, 100_000)
"""Numbers of requests after which memory is measured."""


@dataclass
class Bench:
    """The options of a run, and its PostgreSQL server."""

    server: str
    rounds: int
    seconds: float

    @cached_property
    def data(self) -> Data:
        """The sample data that most sections share."""
        return make_data(self.server, "sample", 100, 20_000)


def speed(bench: Bench) -> None:
    """Pages of offers, in turns with the hand-written limit."""
    data = bench.data
    (lead,) = data.ask("SELECT min(lead_id) FROM lead_offers WHERE offered_by_id = $1", VIEWER)[0]
    print("\nrequests a second, 8 connections     ours    limit   ours/limit   p50 ms   p99 ms   statements")
    with serving(data) as server, serving_limit(data) as limit:
        for name, variables in {
            "lead": {"lead": str(lead), "limit": 10},
            "inbox10": {"limit": 10},
            "inbox100": {"limit": 100},
        }.items():
            print(f"{name:33s}{_speed(bench, server, limit, {'query': OFFERS, 'variables': variables})}")


def _speed(bench: Bench, server: Server, limit: Server, body: object) -> str:
    sent = {
        "ours": (server, request(server.port, body, bench.data.token(VIEWER))),
        "limit": (limit, request(limit.port, body)),
    }
    before = [server.counted(f"lead_offers_{what}_total") for what in ("statements", "requests")]
    loads = in_turns(sent, bench)
    after = [server.counted(f"lead_offers_{what}_total") for what in ("statements", "requests")]
    statements, requests = (b - a for a, b in zip(before, after, strict=True))
    ratio = statistics.median(a.rate / b.rate for a, b in zip(loads["ours"], loads["limit"], strict=True))
    ours, theirs = median(loads["ours"], "rate"), median(loads["limit"], "rate")
    p50, p99 = median(loads["ours"], "p50"), median(loads["ours"], "p99")
    return f"{ours:8.0f} {theirs:8.0f} {ratio:12.2f} {p50:8.2f} {p99:8.2f} {statements / requests:12.2f}"


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
    """Submits of leads to a team of ten, and claims of the first offer of each."""
    data = bench.data
    leads, token = new_leads(data, WRITES), data.token(VIEWER)
    with serving(data) as server:
        bodies = ({"query": SUBMIT, "variables": {"lead": str(lead)}} for lead in leads)
        submits = load(server.port, [request(server.port, body, token) for body in bodies])
        due = data.ask(
            """SELECT DISTINCT ON (o.lead_id) o.id, o.user_id FROM lead_offers o JOIN leads l ON l.id = o.lead_id
            WHERE o.lead_id = ANY($1) AND o.notify_at <= now() AND l.claimed_by_id IS NULL
            ORDER BY o.lead_id, o.rank, o.id""",
            leads,
        )
        tokens = {user: data.token(user) for _, user in due}
        asked = (({"query": CLAIM, "variables": {"id": str(offer)}}, tokens[user]) for offer, user in due)
        claims = load(server.port, [request(server.port, *each) for each in asked])
    print()
    for what, done in (("submits a second to a team of ten", submits), ("claims a second", claims)):
        print(f"{done.rate:.0f} {what}   p50 {done.p50:.1f} ms   p99 {done.p99:.1f} ms")


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
    print(f"\n{sent / float(seconds):.0f} deliveries a second by one worker, {sent:,} due at once: ", end="")
    print(f"sent minus due {middle:.1f} s at the median, {longest:.1f} s at most, its start included")


def memory(bench: Bench) -> None:
    """Start-up time, and memory after some requests."""
    sent = {"query": OFFERS, "variables": {"limit": 10}}
    with serving(bench.data) as server:
        print(f"\nstart-up {server.start_up:.2f} s, then {server.memory():.0f} MB", end="")
        once, done = request(server.port, sent, bench.data.token(VIEWER)), 0
        for requests in MEMORY:
            load(server.port, repeat(once, requests - done))
            done = requests
            print(f"; after {requests:,} requests {server.memory():.0f} MB", end="", flush=True)
    print()


def growth(bench: Bench) -> None:
    """CPU time of a page of the inbox as the data grows, the server and PostgreSQL together."""
    data = make_data(bench.server, "growth", 10, SIZES[0] // 10)
    print("\npage of an inbox, without total   newest: ms CPU   of smallest   far back: ms CPU   of smallest")
    costs: list[tuple[float, float]] = []
    for i, size in enumerate(SIZES):
        if i:
            data.grow(size // SIZES[i - 1])
        with serving(data) as server:
            costs.append((_cost(bench, server, None), _cost(bench, server, _far_back(data, size))))
        newest, back = (f"{cost:16.3f} {cost / first:13.2f}" for cost, first in zip(costs[-1], costs[0], strict=True))
        print(f"{size:26,d} offers {newest} {back}", flush=True)


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


def _cost(bench: Bench, server: Server, where: object) -> float:
    """Return the CPU milliseconds of a request: the lowest of many short rounds, the one least disturbed by others."""
    body = {"query": PAGE, "variables": {"where": where}}
    sent = request(server.port, body, server.data.token(VIEWER))
    load(server.port, repeat(sent), 1)
    costs = []
    for _ in range(bench.rounds * 3):
        before = server.cpu()
        requests = load(server.port, repeat(sent), bench.seconds / 3).requests
        costs.append((server.cpu() - before) * 1000 / requests)
    return min(costs)


SECTIONS: dict[str, Callable[[Bench], None]] = {
    section.__name__: section for section in (speed, writes, deliveries, memory, growth)
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
    parser.add_argument("--profile", metavar="FILE.svg", help="write a flame graph and measure nothing")
    asked = parser.parse_args()
    with postgresql() as server:
        bench = Bench(server, asked.rounds, asked.seconds)
        if asked.profile:
            profile(bench.data, asked.profile)
            return
        for name in asked.only:
            SECTIONS[name](bench)


if __name__ == "__main__":
    main()
