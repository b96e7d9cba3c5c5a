"""What is written of leads, their contacts, and the routes by which they are distributed."""

import strawberry
from strawberry import UNSET

from app.graphql.enums import DistributionTarget, TeamSelectionMethod
from app.graphql.inputs.teams import PATCH

TYPE = "E.g. Buyer. Types compare without regard to case and surrounding blanks."


@strawberry.input(
    description="A new route. MYSELF has neither method nor team; SPECIFIC_TEAM needs a team that you created; ZIPCODE "
    "names none."
)
class CreateLeadRouteInput:
    lead_source_id: strawberry.ID
    distribution_target: DistributionTarget
    team_selection_method: TeamSelectionMethod | None = UNSET
    team_id: strawberry.ID | None = UNSET
    lead_type: str | None = strawberry.field(default=UNSET, description=f"The route serves this type alone. {TYPE}")


@strawberry.input(
    description="Changes of a route. A field left out stays as it is; null clears teamSelectionMethod, teamId and "
    "leadType, and is BAD_USER_INPUT elsewhere."
)
class UpdateLeadRouteInput:
    lead_source_id: strawberry.ID | None = UNSET
    distribution_target: DistributionTarget | None = UNSET
    team_selection_method: TeamSelectionMethod | None = UNSET
    team_id: strawberry.ID | None = UNSET
    lead_type: str | None = UNSET


@strawberry.input(description="The person who enquires. In an update a field left out stays as it is, and null clears.")
class ContactInput:
    first_name: str | None = UNSET
    last_name: str | None = UNSET
    email: str | None = UNSET
    mobile_phone: str | None = strawberry.field(
        default=UNSET, description="Kept as +12025550142; without + and country it is a number of the US."
    )


@strawberry.input(
    description="A new lead: either contactId or contact. The target, method and team come from the route of its "
    "source for its type, else from the source's route for all types, else it is yours; unless distributionTarget is "
    "given."
)
class CreateLeadInput:
    contact_id: strawberry.ID | None = strawberry.field(default=UNSET, description="A contact that you entered.")
    contact: ContactInput | None = strawberry.field(default=UNSET, description="A new contact.")
    source_id: strawberry.ID | None = UNSET
    type: str | None = strawberry.field(default=UNSET, description=TYPE)
    zipcode: str | None = strawberry.field(
        default=UNSET, description="ddddd or ddddd-dddd, kept as the first five digits."
    )
    distribution_target: DistributionTarget | None = UNSET
    team_selection_method: TeamSelectionMethod | None = strawberry.field(
        default=UNSET, description="Not without distributionTarget."
    )
    team_id: strawberry.ID | None = strawberry.field(default=UNSET, description="Not without distributionTarget.")


@strawberry.input(
    description=f"Changes of a lead. {PATCH} Target, method, team and zipcode change only while nobody has the lead "
    "and no offer of it is scheduled or sent."
)
class UpdateLeadInput:
    source_id: strawberry.ID | None = UNSET
    type: str | None = UNSET
    zipcode: str | None = UNSET
    distribution_target: DistributionTarget | None = UNSET
    team_selection_method: TeamSelectionMethod | None = UNSET
    team_id: strawberry.ID | None = UNSET
