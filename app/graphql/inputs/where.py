"""Filters of lists: one condition per field, and `and`, `or` and `not` to combine them."""

from typing import Any

import strawberry
from strawberry import UNSET

from app.graphql.inputs.fields import optional
from app.graphql.inputs.filters import (
    BooleanFilter,
    DateTimeFilter,
    IDFilter,
    IntFilter,
    LeadOfferStatusFilter,
    RequestStatusFilter,
    StringFilter,
)

COMBINED = "A row must match every field that is given; a field that is left out or null matches all rows."


def _and() -> Any:
    return strawberry.field(
        name="and", default=UNSET, description="Matches rows that match every filter in this list; if empty, all rows."
    )


def _or() -> Any:
    return strawberry.field(
        name="or",
        default=UNSET,
        description="Matches rows that match at least one filter in this list; if empty, no rows.",
    )


def _not() -> Any:
    return strawberry.field(
        name="not", default=UNSET, description="Matches exactly the rows that do not match this filter."
    )


@strawberry.input(description=f"Filters lead offers. {COMBINED}")
class LeadOfferWhere:
    id: IDFilter | None = optional("Condition on the offer's id.")
    lead_id: IDFilter | None = optional("Condition on the id of the offered lead.")
    user_id: IDFilter | None = optional("Condition on the id of the user to whom the lead is offered.")
    team_id: IDFilter | None = optional("Condition on the id of the team whose rollout made the offer.")
    notify_at: DateTimeFilter | None = optional("Condition on the time at which the user is notified.")
    rank: IntFilter | None = optional("Condition on the user's rank when the offer was made.")
    assign_automatically: BooleanFilter | None = optional(
        "Condition on whether the lead is assigned automatically when the offer is due."
    )
    has_call_alert: BooleanFilter | None = optional("Condition on whether the user is notified by a phone call.")
    has_text_alert: BooleanFilter | None = optional("Condition on whether the user is notified by text message.")
    has_email_alert: BooleanFilter | None = optional("Condition on whether the user is notified by e-mail.")
    status: LeadOfferStatusFilter | None = optional("Condition on the offer's status.")
    and_: list["LeadOfferWhere"] | None = _and()
    or_: list["LeadOfferWhere"] | None = _or()
    not_: "LeadOfferWhere | None" = _not()


@strawberry.input(description=f"Filters leads. {COMBINED}")
class LeadWhere:
    id: IDFilter | None = optional("Condition on the lead's id.")
    creator_id: IDFilter | None = optional("Condition on the id of the user who created the lead.")
    claimed_by_id: IDFilter | None = optional(
        "Condition on the id of the user who holds the lead; null while nobody holds it."
    )
    team_id: IDFilter | None = optional("Condition on the id of the team that the lead names.")
    zipcode: StringFilter | None = optional("Condition on the lead's five-digit ZIP code.")
    type: StringFilter | None = optional("Condition on the lead's type, for example Buyer.")
    created_at: DateTimeFilter | None = optional("Condition on the time at which the lead was created.")
    claimed_at: DateTimeFilter | None = optional(
        "Condition on the time at which the lead was claimed; null while nobody holds it."
    )
    and_: list["LeadWhere"] | None = _and()
    or_: list["LeadWhere"] | None = _or()
    not_: "LeadWhere | None" = _not()


@strawberry.input(description=f"Filters teams. {COMBINED}")
class TeamWhere:
    id: IDFilter | None = optional("Condition on the team's id.")
    name: StringFilter | None = optional("Condition on the team's name.")
    creator_id: IDFilter | None = optional("Condition on the id of the user who created the team.")
    created_at: DateTimeFilter | None = optional("Condition on the time at which the team was created.")
    and_: list["TeamWhere"] | None = _and()
    or_: list["TeamWhere"] | None = _or()
    not_: "TeamWhere | None" = _not()


@strawberry.input(description=f"Filters team members. {COMBINED}")
class TeamMemberWhere:
    id: IDFilter | None = optional("Condition on the membership's id.")
    team_id: IDFilter | None = optional("Condition on the id of the team.")
    user_id: IDFilter | None = optional("Condition on the id of the invited user.")
    request_status: RequestStatusFilter | None = optional("Condition on the status of the invitation.")
    and_: list["TeamMemberWhere"] | None = _and()
    or_: list["TeamMemberWhere"] | None = _or()
    not_: "TeamMemberWhere | None" = _not()


@strawberry.input(description=f"Filters distribution options. {COMBINED}")
class DistributionOptionWhere:
    id: IDFilter | None = optional("Condition on the option's id.")
    user_id: IDFilter | None = optional("Condition on the id of the user to whom the option applies.")
    rank: IntFilter | None = optional("Condition on the user's rank.")
    assign_automatically: BooleanFilter | None = optional(
        "Condition on whether leads are assigned to the user automatically."
    )
    and_: list["DistributionOptionWhere"] | None = _and()
    or_: list["DistributionOptionWhere"] | None = _or()
    not_: "DistributionOptionWhere | None" = _not()


@strawberry.input(description=f"Filters contacts. {COMBINED}")
class ContactWhere:
    id: IDFilter | None = optional("Condition on the contact's id.")
    first_name: StringFilter | None = optional("Condition on the contact's first name.")
    last_name: StringFilter | None = optional("Condition on the contact's last name.")
    email: StringFilter | None = optional("Condition on the contact's e-mail address.")
    mobile_phone: StringFilter | None = optional("Condition on the contact's phone number, in the format +12025550142.")
    and_: list["ContactWhere"] | None = _and()
    or_: list["ContactWhere"] | None = _or()
    not_: "ContactWhere | None" = _not()


@strawberry.input(description=f"Filters lead routes. {COMBINED}")
class LeadRouteWhere:
    id: IDFilter | None = optional("Condition on the route's id.")
    lead_source_id: IDFilter | None = optional("Condition on the id of the route's lead source.")
    team_id: IDFilter | None = optional("Condition on the id of the team that the route names.")
    lead_type: StringFilter | None = optional(
        "Condition on the type of leads that the route serves; null for a route that serves all types."
    )
    and_: list["LeadRouteWhere"] | None = _and()
    or_: list["LeadRouteWhere"] | None = _or()
    not_: "LeadRouteWhere | None" = _not()


@strawberry.input(description=f"Filters lead sources. {COMBINED}")
class LeadSourceWhere:
    id: IDFilter | None = optional("Condition on the source's id.")
    name: StringFilter | None = optional("Condition on the source's name.")
    and_: list["LeadSourceWhere"] | None = _and()
    or_: list["LeadSourceWhere"] | None = _or()
    not_: "LeadSourceWhere | None" = _not()
