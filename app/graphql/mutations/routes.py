"""Mutations of lead sources and lead routes."""

from typing import Annotated, Any

import strawberry
from strawberry import argument

from app.commands import lead_routes, lead_sources
from app.domain.bounds import LONGEST_TEXT
from app.graphql.context import Info
from app.graphql.fields import column, payload, resolved
from app.graphql.inputs.fields import Input, LeadRouteId
from app.graphql.inputs.leads import CreateLeadRouteInput, UpdateLeadRouteInput
from app.graphql.inputs.writing import filled, given
from app.graphql.mutations.transaction import known_id, write
from app.graphql.types.routes import LeadRoute, LeadSource

Name = Annotated[
    str,
    argument(description=f"Name of the source, 1 to {LONGEST_TEXT} characters. Surrounding spaces are removed."),
]


@strawberry.type(description="Result of createLeadSource.")
class CreateLeadSourcePayload:
    lead_source: LeadSource = column("The new or existing source.")


@strawberry.type(description="Result of createLeadRoute.")
class CreateLeadRoutePayload:
    lead_route: LeadRoute = column("The route, as it is now.")


@strawberry.type(description="Result of updateLeadRoute.")
class UpdateLeadRoutePayload:
    lead_route: LeadRoute = column("The route, as it is now.")


@strawberry.type(description="Result of deleteLeadRoute.")
class DeleteLeadRoutePayload:
    deleted_lead_route_id: strawberry.ID = column("Id of the deleted route.")


async def _create_lead_source(info: Info, name: Name) -> Any:
    source = await write(info, lambda session: lead_sources.create_lead_source(session, info.context.viewer.id, name))
    return payload(CreateLeadSourcePayload, lead_source=source)


async def _create_lead_route(info: Info, input: Input[CreateLeadRouteInput]) -> Any:  # noqa: A002
    route = await write(
        info, lambda session: lead_routes.create_lead_route(session, info.context.viewer.id, filled(input)), "input"
    )
    return payload(CreateLeadRoutePayload, lead_route=route)


async def _update_lead_route(info: Info, id: LeadRouteId, input: Input[UpdateLeadRouteInput]) -> Any:  # noqa: A002
    route = await write(
        info,
        lambda session: lead_routes.update_lead_route(
            session, info.context.viewer.id, known_id(id, "lead route"), given(input)
        ),
        "input",
    )
    return payload(UpdateLeadRoutePayload, lead_route=route)


async def _delete_lead_route(info: Info, id: LeadRouteId) -> Any:  # noqa: A002
    await write(
        info, lambda session: lead_routes.delete_lead_route(session, info.context.viewer.id, known_id(id, "lead route"))
    )
    return payload(DeleteLeadRoutePayload, deleted_lead_route_id=known_id(id, "lead route"))


@strawberry.type
class RouteMutations:
    create_lead_source: CreateLeadSourcePayload | None = resolved(
        _create_lead_source,
        "Creates a lead source that belongs to you, or returns the one that you already have by this name. Names "
        "compare without regard to case and surrounding spaces. Idempotent. Errors: BAD_USER_INPUT.",
    )
    create_lead_route: CreateLeadRoutePayload | None = resolved(
        _create_lead_route,
        "Creates a route: it says who new leads of a source, or of one type from it, are distributed to. Errors: "
        "BAD_USER_INPUT, and CONFLICT if the source already has a route for this type, also when repeated.",
    )
    update_lead_route: UpdateLeadRoutePayload | None = resolved(
        _update_lead_route,
        "Changes a route that you created. Existing leads stay as they are. Idempotent. Errors: NOT_FOUND, "
        "BAD_USER_INPUT, and CONFLICT if the source already has another route for this type.",
    )
    delete_lead_route: DeleteLeadRoutePayload | None = resolved(
        _delete_lead_route,
        "Deletes a route that you created. Existing leads stay as they are. Errors: NOT_FOUND, also when repeated.",
    )
