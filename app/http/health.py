"""Health checks and metrics for orchestrators and Prometheus."""

import asyncio
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from typing import Any

import orjson
from prometheus_client import CONTENT_TYPE_LATEST
from prometheus_client.core import GaugeMetricFamily
from sqlalchemy import bindparam, func
from sqlmodel import col, select
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from app.commands.outbox import count_silent_offers
from app.commands.step_end import count_lost_leads
from app.db.driver_errors import DRIVER_ERRORS
from app.db.engine import Database
from app.db.migrations import is_up_to_date
from app.db.models import Delivery, Event
from app.domain.enums import DeliveryStatus
from app.domain.timestamps import seconds_between
from app.errors import ApiError
from app.http.draining import Draining
from app.observability.metrics import exposition
from app.observability.requests import current

DATABASE_SECONDS = 2.0
"""How long the database may take for a health check, which is soon repeated anyway."""

FAILURES = (ApiError, *DRIVER_ERRORS, TimeoutError)


def health_routes(db: Database, clock: Callable[[], datetime], draining: Draining) -> list[BaseRoute]:
    """Return `/healthz` (this process), `/readyz` (shutdown, database, migrations) and `/metrics` (Prometheus)."""

    async def live(_request: Request) -> Response:
        return _json(200, {"status": "ok"})

    async def ready(_request: Request) -> Response:
        reason = "The server is shutting down." if draining.has_begun else await _not_ready_reason(db)
        return _json(503, {"status": "unavailable", "reason": reason}) if reason else _json(200, {"status": "ok"})

    async def metrics(_request: Request) -> Response:
        return Response(exposition(await _database_metrics(db, clock())), media_type=CONTENT_TYPE_LATEST)

    return [Route("/healthz", live), Route("/readyz", ready), Route("/metrics", metrics)]


def _json(status: int, body: dict[str, str]) -> Response:
    return Response(orjson.dumps(body), status, media_type="application/json")


async def _not_ready_reason(db: Database) -> str | None:
    """Return why the server cannot serve requests, or None. The cause of a failure goes into the log only."""
    try:
        async with asyncio.timeout(DATABASE_SECONDS), db.read() as session:
            return None if await is_up_to_date(session) else "The database is outdated: run `lead-offers migrate`."
    except FAILURES as error:
        if not isinstance(error, ApiError):
            current().reason = type(error).__name__
        return "The database does not respond, or has no tables yet: run `lead-offers migrate`."


def _due(table: type[Delivery] | type[Event]) -> Any:
    """Return a statement that counts the rows that are due at `now`, and says since when the first one is."""
    return select(func.count(), func.min(col(table.next_attempt_at))).where(
        col(table.status) == DeliveryStatus.PENDING, col(table.next_attempt_at) <= bindparam("now")
    )


_DUE, _DUE_EVENTS = _due(Delivery), _due(Event)
_SILENT, _LOST = count_silent_offers(), count_lost_leads()


async def _database_metrics(db: Database, now: datetime) -> Iterable[GaugeMetricFamily]:
    """Return what only the database knows, whichever processes run: whether it responds, and what is not sent."""
    up = "lead_offers_database_up", "Whether the database responds (1) or not (0)."
    try:
        async with asyncio.timeout(DATABASE_SECONDS), db.read() as session:
            count, oldest = (await session.exec(_DUE, params={"now": now})).one()
            events, oldest_event = (await session.exec(_DUE_EVENTS, params={"now": now})).one()
            silent = (await session.exec(_SILENT)).one()
            lost = (await session.exec(_LOST, params={"a_minute_ago": now - timedelta(minutes=1)})).one()
    except FAILURES:
        return [GaugeMetricFamily(*up, value=0)]
    return [
        GaugeMetricFamily(*up, value=1),
        GaugeMetricFamily("lead_offers_deliveries_due", "Deliveries that are due and not sent yet.", value=count),
        GaugeMetricFamily(
            "lead_offers_deliveries_overdue_seconds",
            "How long the oldest due delivery has waited.",
            value=_overdue(oldest, now),
        ),
        GaugeMetricFamily("lead_offers_events_due", "Webhook events that are due and not sent yet.", value=events),
        GaugeMetricFamily(
            "lead_offers_events_overdue_seconds",
            "How long the oldest due webhook event has waited.",
            value=_overdue(oldest_event, now),
        ),
        GaugeMetricFamily(
            "lead_offers_silent_offers",
            "Scheduled offers with a channel and without a pending delivery, which nobody will be notified of.",
            value=silent,
        ),
        GaugeMetricFamily(
            "lead_offers_lost_leads",
            "Unclaimed leads that should have gone on to the next team or back to their creators over a minute ago.",
            value=lost,
        ),
    ]


def _overdue(oldest: datetime | None, now: datetime) -> float:
    return seconds_between(oldest, now) if oldest else 0
