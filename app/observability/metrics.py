"""Prometheus metrics of this process or, under `serve --workers`, of all server processes together.

If PROMETHEUS_MULTIPROC_DIR is set before this module is imported, prometheus-client keeps the values of each process in
a file there, and the process that is scraped adds them up.
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

from app.observability.requests import OK, RequestRecord

FOLDER_VARIABLE = "PROMETHEUS_MULTIPROC_DIR"

MAX_OPERATIONS = 100
"""Operation names with series of their own. Clients choose the names, and each costs Prometheus about 20 series."""

_MINUTE, _HOUR = 60, 3600

registry = CollectorRegistry()

REQUESTS = Counter(
    "lead_offers_requests",
    "Requests, by operation name and outcome: OK or the code of the first error.",
    ["operation", "outcome"],
    registry=registry,
)
SECONDS = Histogram(
    "lead_offers_request_seconds",
    "Duration of requests.",
    ["operation"],
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30),
    registry=registry,
)
STATEMENTS = Counter("lead_offers_statements", "SQL statements run by requests.", ["operation"], registry=registry)
POOL = Gauge(
    "lead_offers_pool_connections_in_use",
    "Database connections in use.",
    ["pool"],
    multiprocess_mode="livesum",
    registry=registry,
)
POOL_LIMIT = Gauge(
    "lead_offers_pool_connections_limit",
    "Size of the database connection pool.",
    ["pool"],
    multiprocess_mode="livesum",
    registry=registry,
)
OFFERS_SCHEDULED = Counter("lead_offers_offers_scheduled", "Offers created.", registry=registry)
_LAGS = (0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, _MINUTE, 5 * _MINUTE, 30 * _MINUTE, _HOUR)
DELIVERY_LAG = Histogram(
    "lead_offers_delivery_lag_seconds",
    "Delay between the due time of deliveries and their sending.",
    buckets=_LAGS,
    registry=registry,
)
DELIVERY_FAILURES = Counter(
    "lead_offers_delivery_failures", "Failed attempts to send, whether retried or not.", registry=registry
)
EVENT_LAG = Histogram(
    "lead_offers_event_lag_seconds",
    "Delay between the due time of webhook events and their sending.",
    buckets=_LAGS,
    registry=registry,
)
EVENT_FAILURES = Counter(
    "lead_offers_event_failures", "Failed attempts to send events, whether retried or not.", registry=registry
)
EVENTS_FAILED = Counter("lead_offers_events_failed", "Events that have failed for good.", registry=registry)
RATE_LIMITS_SKIPPED = Counter(
    "lead_offers_rate_limits_skipped",
    "Rate limits that were not applied to a request because Redis failed or was too slow.",
    registry=registry,
)
CLAIMS = Counter("lead_offers_claims", "Claimed leads, by the way they were claimed.", ["via"], registry=registry)
SPEED_TO_LEAD = Histogram(
    "lead_offers_speed_to_lead_seconds",
    "Time from the creation of a lead to its claim.",
    buckets=(15, 30, _MINUTE, 2 * _MINUTE, 5 * _MINUTE, 15 * _MINUTE, 30 * _MINUTE, _HOUR, 4 * _HOUR, 24 * _HOUR),
    registry=registry,
)


def observe(record: RequestRecord, seconds: float) -> None:
    """Count a finished request and its duration in seconds."""
    operation = _label(record)
    _requests(operation, record.outcome).inc()
    _seconds(operation).observe(seconds)
    _statements(operation).inc(record.statements)


def after_commit(session: AsyncSession, record: Callable[[float], None], value: float = 1) -> None:
    """Call `record` with the value once the session's transaction is committed; never if it is rolled back."""
    session.info.setdefault(after_commit, []).append((record, value))


def lead_taken(session: AsyncSession, via: str, seconds: float) -> None:
    """Count a claim once it is committed. `seconds` is the age of the lead."""
    after_commit(session, CLAIMS.labels(via).inc)
    after_commit(session, SPEED_TO_LEAD.observe, seconds)


def run_after_commit(session: AsyncSession) -> None:
    """Call what `after_commit` has collected. For `Database.write`, after its commit."""
    for record, value in session.info.pop(after_commit, ()):
        record(value)


def exposition(extra: Iterable[Metric]) -> bytes:
    """Return all metrics, and the extra ones, in Prometheus' text format."""
    combined = CollectorRegistry()
    combined.register(_ExtraMetrics(extra))
    if folder := os.environ.get(FOLDER_VARIABLE):
        _remove_dead_processes(Path(folder))
        MultiProcessCollector(combined, path=folder)  # type: ignore[no-untyped-call]
    else:
        combined.register(registry)
    return generate_latest(combined)


@dataclass(eq=False)
class _ExtraMetrics(Collector):
    metrics: Iterable[Metric]

    def collect(self) -> Iterable[Metric]:
        return self.metrics


def _remove_dead_processes(folder: Path) -> None:
    """Remove the gauges of processes that have ended. Their counters stay: what they counted did happen."""
    for file in folder.glob("gauge_live*.db"):
        match = re.search(r"_(\d+)\.db$", file.name)
        if match and not Path(f"/proc/{match[1]}").exists():
            mark_process_dead(int(match[1]), path=str(folder))  # type: ignore[no-untyped-call]


_known = {"none", "anonymous"}


def _label(record: RequestRecord) -> str:
    """Return the operation's name, or "other" if it was rejected or there are too many names already."""
    name = record.operation or "none"
    if name in _known:
        return name
    if record.outcome != OK or len(_known) >= MAX_OPERATIONS:
        return "other"
    _known.add(name)
    return name


# Looking up a metric's child by its labels costs more than counting.
_requests = cache(REQUESTS.labels)
_seconds = cache(SECONDS.labels)
_statements = cache(STATEMENTS.labels)
