"""What is written of teams and of how their members are offered leads."""

import strawberry
from strawberry import UNSET

from app.graphql.enums import OrderMethod

PATCH = "A field left out stays as it is; null is BAD_USER_INPUT where the field cannot be empty."


@strawberry.input(description="A new team. Null where a default stands is the default.")
class CreateTeamInput:
    name: str = strawberry.field(description="1 to 255 characters.")
    order_method: OrderMethod | None = OrderMethod.RANK
    mins_until_next_alert: int | None = strawberry.field(
        default=0, description="Minutes between two ranks, up to a year; 0 unless orderMethod is RANK."
    )
    distribution_zipcodes: list[str] | None = strawberry.field(
        default_factory=list, description="ddddd or ddddd-dddd, kept as the first five digits; at most 5,000."
    )


@strawberry.input(
    description=f"Changes of a team. {PATCH} Another orderMethod zeroes what only the old one used: RANK the members' "
    "minsUntilLeadOffer, TIME the team's minsUntilNextAlert."
)
class UpdateTeamInput:
    name: str | None = UNSET
    order_method: OrderMethod | None = UNSET
    mins_until_next_alert: int | None = UNSET
    distribution_zipcodes: list[str] | None = strawberry.field(default=UNSET, description="Replaces all of them.")


@strawberry.input(
    description="How a member, or the team's creator, is offered leads. What is left out or null takes its default, "
    "not its old value."
)
class DistributionOptionInput:
    team_id: strawberry.ID
    user_id: strawberry.ID
    rank: int | None = strawberry.field(
        default=UNSET, description="0 or more, lowest first; members without a rank are offered the lead last."
    )
    mins_until_lead_offer: int | None = strawberry.field(
        default=0, description="Minutes from the submit, up to a year; 0 unless the team's orderMethod is TIME."
    )
    assign_automatically: bool | None = strawberry.field(
        default=False, description="Gives the member an unclaimed lead when their offer is due."
    )
    has_call_alert: bool | None = False
    has_text_alert: bool | None = False
    has_email_alert: bool | None = True
