"""Lead routes: the user or team that the leads of a source are distributed to."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from sqlalchemy import and_, bindparam
from sqlalchemy.exc import IntegrityError
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from app.access import visibility
from app.commands.distribution_targets import check_target, set_target, target_of
from app.commands.lead_sources import check_source
from app.commands.locks import lock_routes
from app.db.compiled import Statement
from app.db.models import LeadRoute, LeadSource
from app.db.types import Id, Text
from app.domain.distribution_targets import TARGET_FIELDS, Target, routed_target
from app.domain.validation import checking, fold
from app.errors import ApiError, Code


async def create_lead_route(session: AsyncSession, viewer_id: int, new: Mapping[str, Any]) -> LeadRoute:
    """Create a route for one of the viewer's lead sources.

    Raises BAD_USER_INPUT, and CONFLICT if the source already has a route for this lead type.
    """
    with checking() as check:
        check.given("lead_source_id", new["lead_source_id"])
        source_id = await check_source(session, viewer_id, check, "lead_source_id", new["lead_source_id"])
        target = await check_target(session, viewer_id, check, new)
        lead_type = check.text("lead_type", new.get("lead_type"))
    assert target is not None
    route = LeadRoute(
        creator_id=viewer_id,
        lead_source_id=source_id,
        lead_type=lead_type,
        lead_type_key=fold(lead_type),
        **asdict(target),
    )
    session.add(route)
    await _flush(session, route)
    return route


async def update_lead_route(
    session: AsyncSession, viewer_id: int, route_id: int, changes: Mapping[str, Any]
) -> LeadRoute:
    """Change the fields that `changes` names. Raises NOT_FOUND, BAD_USER_INPUT, and CONFLICT as for a new route."""
    route = await _own_route(session, viewer_id, route_id)
    with checking() as check:
        if "lead_source_id" in changes:
            source_id = check.given("lead_source_id", changes["lead_source_id"])
            route.lead_source_id = await check_source(session, viewer_id, check, "lead_source_id", source_id)
        if changes.keys() & set(TARGET_FIELDS):
            target = await check_target(session, viewer_id, check, changes, target_of(route))
            if target is not None:
                set_target(route, target)
        if "lead_type" in changes:
            route.lead_type = check.text("lead_type", changes["lead_type"])
            route.lead_type_key = fold(route.lead_type)
    await _flush(session, route)
    return route


async def delete_lead_route(session: AsyncSession, viewer_id: int, route_id: int) -> None:
    """Delete one of the viewer's routes. Leads that it has already routed do not change. Raises NOT_FOUND."""
    await session.delete(await _own_route(session, viewer_id, route_id))
    await session.flush()


async def _own_route(session: AsyncSession, viewer_id: int, route_id: int) -> LeadRoute:
    route = next((route for route in await lock_routes(session, viewer_id) if route.id == route_id), None)
    if route is None:
        raise ApiError(Code.NOT_FOUND, "There is no lead route with this id.")
    return route


async def _flush(session: AsyncSession, route: LeadRoute) -> None:
    """Write the route. The database refuses a second route for one source and type, even a simultaneous one."""
    served = "leads of this type" if route.lead_type else "leads of all types"
    try:
        await session.flush()
    except IntegrityError as error:
        raise ApiError(Code.CONFLICT, f"The lead source already has a route for {served}.") from error


async def find_routed_target(
    session: AsyncSession, viewer_id: int, source_id: int, lead_type: str | None
) -> Target | None:
    """Return where the viewer's routes send a lead of this source and type. None if it is not the viewer's source."""
    rows = await _SERVING.all(session, viewer_id=viewer_id, source_id=source_id, type_key=fold(lead_type))
    return routed_target({key: target for key, target in rows if target is not None}, lead_type) if rows else None


_VIEWER = bindparam("viewer_id", type_=Id)
_IS_SERVING = and_(
    visibility.lead_routes(_VIEWER),
    col(LeadRoute.lead_source_id) == col(LeadSource.id),
    col(LeadRoute.lead_type_key).in_(["", bindparam("type_key", type_=Text)]),
)
_SERVING = Statement(
    select(LeadRoute.lead_type_key, *(getattr(LeadRoute, field) for field in TARGET_FIELDS))
    .select_from(LeadSource)
    .outerjoin(LeadRoute, _IS_SERVING)
    .where(col(LeadSource.id) == bindparam("source_id", type_=Id), visibility.lead_sources(_VIEWER)),
    lambda key, *target: (key or "", Target(*target) if target[0] else None),
)
"""The routes of a source for leads of a type. Without a route there is one empty row, without the source none."""
