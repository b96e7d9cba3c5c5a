"""What Prometheus is told, of this process or, under `serve --workers`, of all.

The metrics are the process's own, as prometheus-client has them. Where PROMETHEUS_MULTIPROC_DIR is set before this
module is imported, each process keeps its numbers in a file there, and whoever is asked adds them up.
"""

import os
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Metric, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead
from prometheus_client.registry import Collector
from sqlmodel.ext.asyncio.session import AsyncSession

from app.observability.requests import OK, RequestNote

FOLDER_VARIABLE = "PROMETHEUS_MULTIPROC_DIR"

NAMES = 100
"""Names of operations that are told apart. Clients choose them, and each costs Prometheus a score of series."""

_MINUTE, _HOUR = 60, 3600

registry = CollectorRegistry()

REQUESTS = Counter(
    "lead_offers_requests",
    "Requests, by the operation's name and OK or the code of the first error.",
    ["operation", "outcome"],
    registry=registry,
)
SECONDS = Histogram(
    "lead_offers_request_seconds",
    "How long requests took.",
    ["operation"],
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30),
    registry=registry,
)
STATEMENTS = Counter("lead_offers_statements", "SQL statements that requests ran.", ["operation"], registry=registry)
POOL = Gauge(
    "lead_offers_pool_connections_in_use",
    "Connections to the database that are in use.",
    ["pool"],
    multiprocess_mode="livesum",
    registry=registry,
)
POOL_LIMIT = Gauge(
    "lead_offers_pool_connections_limit",
    "Connections to the database that may be in use.",
    ["pool"],
    multiprocess_mode="livesum",
    registry=registry,
)
OFFERS_SCHEDULED = Counter("lead_offers_offers_scheduled", "Offers that were made.", registry=registry)
DELIVERY_LAG = Histogram(
    "lead_offers_delivery_lag_seconds",
    "How late deliveries were sent.",
    buckets=(0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, _MINUTE, 5 * _MINUTE, 30 * _MINUTE, _HOUR),
    registry=registry,
)
DELIVERY_FAILURES = Counter(
    "lead_offers_delivery_failures", "Attempts to send that failed, tried again or not.", registry=registry
)
CLAIMS = Counter("lead_offers_claims", "Leads that somebody took, by the way they did.", ["via"], registry=registry)
SPEED_TO_LEAD = Histogram(
    "lead_offers_speed_to_lead_seconds",
    "From the creation of a lead to its claim.",
    buckets=(15, 30, _MINUTE, 2 * _MINUTE, 5 * _MINUTE, 15 * _MINUTE, 30 * _MINUTE, _HOUR, 4 * _HOUR, 24 * _HOUR),
    registry=registry,
)


def observe(note: RequestNote, seconds: float) -> None:
    """Counts a request that has been answered."""
    operation = _label(note)
    _requests(operation, note.outcome).inc()
    _seconds(operation).observe(seconds)
    _statements(operation).inc(note.statements)


def after_commit(session: AsyncSession, record: Callable[[float], None], value: float = 1) -> None:
    """Calls `record` with the value as soon as the transaction is committed, or never."""
    session.info.setdefault(after_commit, []).append((record, value))


def lead_taken(session: AsyncSession, via: str, seconds: float) -> None:
    """Counts a claim, once it is committed, that came so many seconds after the lead."""
    after_commit(session, CLAIMS.labels(via).inc)
    after_commit(session, SPEED_TO_LEAD.observe, seconds)


def committed(session: AsyncSession) -> None:
    """Records what was left for after the commit."""
    for record, value in session.info.pop(after_commit, ()):
        record(value)


def exposition(found: Iterable[Metric]) -> bytes:
    """All of it, and what was found out just now, in Prometheus' text format."""
    everything = CollectorRegistry()
    everything.register(_Found(found))
    if folder := os.environ.get(FOLDER_VARIABLE):
        _forget_the_dead(Path(folder))
        MultiProcessCollector(everything, path=folder)  # type: ignore[no-untyped-call]
    else:
        everything.register(registry)
    return generate_latest(everything)


@dataclass(eq=False)
class _Found(Collector):
    metrics: Iterable[Metric]

    def collect(self) -> Iterable[Metric]:
        return self.metrics


def _forget_the_dead(folder: Path) -> None:
    """What a process that is gone had in use, it has no more; what it had counted, still happened."""
    for file in folder.glob("gauge_live*.db"):
        found = re.search(r"_(\d+)\.db$", file.name)
        if found and not Path(f"/proc/{found[1]}").exists():
            mark_process_dead(int(found[1]), path=str(folder))  # type: ignore[no-untyped-call]


_known = {"none", "anonymous"}


def _label(note: RequestNote) -> str:
    """The name of a request's operation. What nobody was let in to run or did not run gets none of its own."""
    name = note.operation or "none"
    if name in _known:
        return name
    if note.outcome != OK or len(_known) >= NAMES:
        return "other"
    _known.add(name)
    return name


# A child of a metric is looked up by its labels each time, which costs more than counting.
_requests = cache(REQUESTS.labels)
_seconds = cache(SECONDS.labels)
_statements = cache(STATEMENTS.labels)
