"""What machines ask of a server: does it live, can it work, and its numbers."""

import asyncio
from collections.abc import Callable, Iterable
from datetime import datetime

import orjson
from prometheus_client import CONTENT_TYPE_LATEST
from prometheus_client.core import GaugeMetricFamily
from sqlalchemy import bindparam, func
from sqlmodel import col, select
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from app.db.driver_errors import DRIVER_ERRORS
from app.db.engine import Database
from app.db.migrations import is_up_to_date
from app.db.models import Delivery
from app.domain.enums import DeliveryStatus
from app.errors import ApiError
from app.observability.metrics import exposition
from app.observability.requests import current

PATIENCE = 2.0
"""Seconds that the database has to answer a probe. Who asks, asks again."""


def probes(db: Database, clock: Callable[[], datetime]) -> list[BaseRoute]:
    """`/healthz` (this process), `/readyz` (database and migrations), `/metrics` (for Prometheus)."""

    async def live(_request: Request) -> Response:
        return _json(200, {"status": "ok"})

    async def ready(_request: Request) -> Response:
        hindrance = await _hindrance(db)
        return _json(503, {"status": "unavailable", "reason": hindrance}) if hindrance else _json(200, {"status": "ok"})

    async def metrics(_request: Request) -> Response:
        return Response(exposition(await _found(db, clock())), media_type=CONTENT_TYPE_LATEST)

    return [Route("/healthz", live), Route("/readyz", ready), Route("/metrics", metrics)]


def _json(status: int, body: dict[str, str]) -> Response:
    return Response(orjson.dumps(body), status, media_type="application/json")


async def _hindrance(db: Database) -> str | None:
    """Why no request would be answered; the cause is for the log."""
    try:
        async with asyncio.timeout(PATIENCE), db.read() as session:
            return None if await is_up_to_date(session) else "The database needs `lead-offers migrate`."
    except (ApiError, *DRIVER_ERRORS, TimeoutError) as error:
        if not isinstance(error, ApiError):
            current().reason = type(error).__name__
        return "The database does not answer, or has no tables."


_DUE = select(func.count(), func.min(col(Delivery.next_attempt_at))).where(
    col(Delivery.status) == DeliveryStatus.PENDING, col(Delivery.next_attempt_at) <= bindparam("now")
)


async def _found(db: Database, now: datetime) -> Iterable[GaugeMetricFamily]:
    """What the database knows, whichever processes run: whether it answers, and what is due and was not sent."""
    up = "lead_offers_database_up", "Whether the database answers."
    try:
        async with asyncio.timeout(PATIENCE), db.read() as session:
            count, oldest = (await session.exec(_DUE, params={"now": now})).one()
    except (ApiError, *DRIVER_ERRORS, TimeoutError):
        return [GaugeMetricFamily(*up, value=0)]
    late = (now - oldest).total_seconds() if oldest else 0
    return [
        GaugeMetricFamily(*up, value=1),
        GaugeMetricFamily("lead_offers_deliveries_due", "Deliveries that are due and not sent.", value=count),
        GaugeMetricFamily("lead_offers_deliveries_overdue_seconds", "How late the latest of them is.", value=late),
    ]
