"""Inputs of mutations that write teams and distribution options."""

import strawberry

from app.domain.bounds import HIGHEST_RANK, LONGEST_TEXT, MOST_ZIPCODES, YEAR_IN_MINUTES
from app.graphql.enums import OrderMethod
from app.graphql.inputs.fields import defaulted, optional, required

PATCH = "A field that is left out keeps its value."
NOT_NULL = "Null is BAD_USER_INPUT."
ZIPCODES = (
    f"US ZIP codes, each as ddddd or ddddd-dddd; only the first five digits are stored. At most {MOST_ZIPCODES:,}."
)
GAP = (
    f"Minutes between the offers to one rank and to the next, from 0 to {YEAR_IN_MINUTES:,} (one year). Must be 0 "
    "unless orderMethod is RANK."
)


@strawberry.input(description="A new team. A field that is left out or null takes its default.")
class CreateTeamInput:
    name: str = required(f"Name of the team, 1 to {LONGEST_TEXT} characters.")
    order_method: OrderMethod | None = defaulted(OrderMethod.RANK, "Order in which members are offered a lead.")
    mins_until_next_alert: int | None = defaulted(0, GAP)
    distribution_zipcodes: list[str] | None = strawberry.field(
        default_factory=list, description=f"{ZIPCODES} Leads with one of them can be distributed to this team."
    )


@strawberry.input(
    description=f"Changes to a team. {PATCH} Changing orderMethod to RANK sets minsUntilLeadOffer of all members to 0; "
    "changing it to TIME sets the team's minsUntilNextAlert to 0."
)
class UpdateTeamInput:
    name: str | None = optional(f"New name, 1 to {LONGEST_TEXT} characters. {NOT_NULL}")
    order_method: OrderMethod | None = optional(f"New order in which members are offered a lead. {NOT_NULL}")
    mins_until_next_alert: int | None = optional(f"{GAP} {NOT_NULL}")
    distribution_zipcodes: list[str] | None = optional(f"Replaces the whole list. {ZIPCODES} {NOT_NULL}")


@strawberry.input(
    description="How a team offers leads to a member, or to its creator. The input replaces the whole option: a field "
    "that is left out or null takes its default, not its previous value."
)
class DistributionOptionInput:
    team_id: strawberry.ID = required("Id of a team that you created.")
    user_id: strawberry.ID = required("Id of a member of the team, whatever their status, or of its creator.")
    rank: int | None = optional(
        f"Rank from 0 to {HIGHEST_RANK:,}. Lower ranks are offered leads first, and equal ranks at the same time. "
        "Members without a rank (null, the default) come last. Has no effect unless the team's orderMethod is RANK."
    )
    mins_until_lead_offer: int | None = defaulted(
        0,
        f"Minutes from the submit until the member is offered a lead, from 0 to {YEAR_IN_MINUTES:,} (one year). Must "
        "be 0 unless the team's orderMethod is TIME.",
    )
    assign_automatically: bool | None = defaulted(
        False, "Whether the lead, if still unclaimed, is assigned to the member when their offer is due."
    )
    has_call_alert: bool | None = defaulted(False, "Whether to notify the member by a phone call.")
    has_text_alert: bool | None = defaulted(False, "Whether to notify the member by text message.")
    has_email_alert: bool | None = defaulted(True, "Whether to notify the member by e-mail.")
