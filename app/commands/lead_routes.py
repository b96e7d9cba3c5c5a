"""Lead routes: who the leads of a source are distributed to."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from sqlalchemy.exc import IntegrityError
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from app.access import visibility
from app.commands.lead_targets import FIELDS, check_source, check_target, target_of
from app.db.models import LeadRoute
from app.domain.validation import checking, fold
from app.errors import ApiError, Code


async def create_lead_route(session: AsyncSession, viewer_id: int, new: Mapping[str, Any]) -> LeadRoute:
    """A route of the viewer's. BAD_USER_INPUT, CONFLICT where the source has one for this type."""
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
    return await _written(session, route)


async def update_lead_route(
    session: AsyncSession, viewer_id: int, route_id: int, changes: Mapping[str, Any]
) -> LeadRoute:
    """Changes what `changes` names. NOT_FOUND, BAD_USER_INPUT, CONFLICT as for a new one."""
    route = await _own_route(session, viewer_id, route_id)
    with checking() as check:
        if "lead_source_id" in changes:
            check.given("lead_source_id", changes["lead_source_id"])
            route.lead_source_id = await check_source(
                session, viewer_id, check, "lead_source_id", changes["lead_source_id"]
            )
        if FIELDS & changes.keys():
            target = await check_target(session, viewer_id, check, changes, target_of(route))
            if target is not None:
                target.give(route)
        if "lead_type" in changes:
            route.lead_type = check.text("lead_type", changes["lead_type"])
            route.lead_type_key = fold(route.lead_type)
    return await _written(session, route)


async def delete_lead_route(session: AsyncSession, viewer_id: int, route_id: int) -> None:
    """NOT_FOUND. Leads that came by the route stay as they are."""
    await session.delete(await _own_route(session, viewer_id, route_id))
    await session.flush()


async def _own_route(session: AsyncSession, viewer_id: int, route_id: int) -> LeadRoute:
    found = select(LeadRoute).where(col(LeadRoute.id) == route_id, visibility.lead_routes(viewer_id))
    route = (await session.exec(found.with_for_update(of=LeadRoute))).one_or_none()
    if route is None:
        raise ApiError(Code.NOT_FOUND, "There is no such lead route.")
    return route


async def _written(session: AsyncSession, route: LeadRoute) -> LeadRoute:
    """The database decides: of two routes for one source and type, entered at once, one is refused."""
    served = "leads of this type" if route.lead_type else "leads of all types"
    try:
        await session.flush()
    except IntegrityError as error:
        raise ApiError(Code.CONFLICT, f"The lead source has a route for {served} already.") from error
    return route
