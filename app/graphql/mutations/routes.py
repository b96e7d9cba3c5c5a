"""Mutations of lead sources and lead routes."""

from typing import Any

import strawberry

from app.commands import lead_routes
from app.graphql.context import Info
from app.graphql.fields import payload, resolved
from app.graphql.inputs.leads import CreateLeadRouteInput, UpdateLeadRouteInput
from app.graphql.inputs.writing import filled, given
from app.graphql.mutations.transaction import known_id, writing
from app.graphql.types.routes import LeadRoute, LeadSource


@strawberry.type(description="The source of this name.")
class CreateLeadSourcePayload:
    lead_source: LeadSource


@strawberry.type(description="The new route.")
class CreateLeadRoutePayload:
    lead_route: LeadRoute


@strawberry.type(description="The route as it is now.")
class UpdateLeadRoutePayload:
    lead_route: LeadRoute


@strawberry.type(description="What was deleted.")
class DeleteLeadRoutePayload:
    deleted_lead_route_id: strawberry.ID


async def _create_lead_source(info: Info, name: str) -> Any:
    async with writing(info) as session:
        source = await lead_routes.create_lead_source(session, info.context.viewer.id, name)
    return payload(CreateLeadSourcePayload, lead_source=source)


async def _create_lead_route(info: Info, input: CreateLeadRouteInput) -> Any:  # noqa: A002
    async with writing(info, "input") as session:
        route = await lead_routes.create_lead_route(session, info.context.viewer.id, filled(input))
    return payload(CreateLeadRoutePayload, lead_route=route)


async def _update_lead_route(info: Info, id: strawberry.ID, input: UpdateLeadRouteInput) -> Any:  # noqa: A002
    async with writing(info, "input") as session:
        route_id = known_id(id, "lead route")
        route = await lead_routes.update_lead_route(session, info.context.viewer.id, route_id, given(input))
    return payload(UpdateLeadRoutePayload, lead_route=route)


async def _delete_lead_route(info: Info, id: strawberry.ID) -> Any:  # noqa: A002
    async with writing(info) as session:
        route_id = known_id(id, "lead route")
        await lead_routes.delete_lead_route(session, info.context.viewer.id, route_id)
    return payload(DeleteLeadRoutePayload, deleted_lead_route_id=route_id)


@strawberry.type
class RouteMutations:
    create_lead_source: CreateLeadSourcePayload | None = resolved(
        _create_lead_source, "Your source of this name, trimmed and without regard to case: made where there is none."
    )
    create_lead_route: CreateLeadRoutePayload | None = resolved(
        _create_lead_route,
        "Says who the leads of a source, or those of one type, are distributed to. CONFLICT where it has a route for "
        "that already.",
    )
    update_lead_route: UpdateLeadRoutePayload | None = resolved(
        _update_lead_route, "Leads that came by the route before stay as they are."
    )
    delete_lead_route: DeleteLeadRoutePayload | None = resolved(
        _delete_lead_route, "Leads that came by the route stay as they are."
    )
