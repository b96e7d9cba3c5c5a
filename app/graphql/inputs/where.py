"""Conditions of lists: a field a condition, joined by and; `and`, `or` and `not` combine further."""

import strawberry
from strawberry import UNSET

from app.graphql.inputs.filters import (
    BooleanFilter,
    DateTimeFilter,
    IDFilter,
    IntFilter,
    LeadOfferStatusFilter,
    RequestStatusFilter,
    StringFilter,
)

JOINED = "Conditions are joined by and; what is left out does not constrain."


@strawberry.input(description=f"Which lead offers a list has. {JOINED}")
class LeadOfferWhere:
    id: IDFilter | None = UNSET
    lead_id: IDFilter | None = UNSET
    user_id: IDFilter | None = UNSET
    team_id: IDFilter | None = UNSET
    notify_at: DateTimeFilter | None = UNSET
    rank: IntFilter | None = UNSET
    assign_automatically: BooleanFilter | None = UNSET
    has_call_alert: BooleanFilter | None = UNSET
    has_text_alert: BooleanFilter | None = UNSET
    has_email_alert: BooleanFilter | None = UNSET
    status: LeadOfferStatusFilter | None = UNSET
    and_: list["LeadOfferWhere"] | None = strawberry.field(name="and", default=UNSET)
    or_: list["LeadOfferWhere"] | None = strawberry.field(name="or", default=UNSET)
    not_: "LeadOfferWhere | None" = strawberry.field(name="not", default=UNSET)


@strawberry.input(description=f"Which leads a list has. {JOINED}")
class LeadWhere:
    id: IDFilter | None = UNSET
    creator_id: IDFilter | None = UNSET
    claimed_by_id: IDFilter | None = UNSET
    team_id: IDFilter | None = UNSET
    zipcode: StringFilter | None = UNSET
    type: StringFilter | None = UNSET
    created_at: DateTimeFilter | None = UNSET
    claimed_at: DateTimeFilter | None = UNSET
    and_: list["LeadWhere"] | None = strawberry.field(name="and", default=UNSET)
    or_: list["LeadWhere"] | None = strawberry.field(name="or", default=UNSET)
    not_: "LeadWhere | None" = strawberry.field(name="not", default=UNSET)


@strawberry.input(description=f"Which teams a list has. {JOINED}")
class TeamWhere:
    id: IDFilter | None = UNSET
    name: StringFilter | None = UNSET
    creator_id: IDFilter | None = UNSET
    created_at: DateTimeFilter | None = UNSET
    and_: list["TeamWhere"] | None = strawberry.field(name="and", default=UNSET)
    or_: list["TeamWhere"] | None = strawberry.field(name="or", default=UNSET)
    not_: "TeamWhere | None" = strawberry.field(name="not", default=UNSET)


@strawberry.input(description=f"Which team members a list has. {JOINED}")
class TeamMemberWhere:
    id: IDFilter | None = UNSET
    team_id: IDFilter | None = UNSET
    user_id: IDFilter | None = UNSET
    request_status: RequestStatusFilter | None = UNSET
    and_: list["TeamMemberWhere"] | None = strawberry.field(name="and", default=UNSET)
    or_: list["TeamMemberWhere"] | None = strawberry.field(name="or", default=UNSET)
    not_: "TeamMemberWhere | None" = strawberry.field(name="not", default=UNSET)


@strawberry.input(description=f"Which distribution options a list has. {JOINED}")
class DistributionOptionWhere:
    id: IDFilter | None = UNSET
    user_id: IDFilter | None = UNSET
    rank: IntFilter | None = UNSET
    assign_automatically: BooleanFilter | None = UNSET
    and_: list["DistributionOptionWhere"] | None = strawberry.field(name="and", default=UNSET)
    or_: list["DistributionOptionWhere"] | None = strawberry.field(name="or", default=UNSET)
    not_: "DistributionOptionWhere | None" = strawberry.field(name="not", default=UNSET)


@strawberry.input(description=f"Which contacts a list has. {JOINED}")
class ContactWhere:
    id: IDFilter | None = UNSET
    first_name: StringFilter | None = UNSET
    last_name: StringFilter | None = UNSET
    email: StringFilter | None = UNSET
    mobile_phone: StringFilter | None = UNSET
    and_: list["ContactWhere"] | None = strawberry.field(name="and", default=UNSET)
    or_: list["ContactWhere"] | None = strawberry.field(name="or", default=UNSET)
    not_: "ContactWhere | None" = strawberry.field(name="not", default=UNSET)


@strawberry.input(description=f"Which lead routes a list has. {JOINED}")
class LeadRouteWhere:
    id: IDFilter | None = UNSET
    lead_source_id: IDFilter | None = UNSET
    team_id: IDFilter | None = UNSET
    lead_type: StringFilter | None = UNSET
    and_: list["LeadRouteWhere"] | None = strawberry.field(name="and", default=UNSET)
    or_: list["LeadRouteWhere"] | None = strawberry.field(name="or", default=UNSET)
    not_: "LeadRouteWhere | None" = strawberry.field(name="not", default=UNSET)


@strawberry.input(description=f"Which lead sources a list has. {JOINED}")
class LeadSourceWhere:
    id: IDFilter | None = UNSET
    name: StringFilter | None = UNSET
    and_: list["LeadSourceWhere"] | None = strawberry.field(name="and", default=UNSET)
    or_: list["LeadSourceWhere"] | None = strawberry.field(name="or", default=UNSET)
    not_: "LeadSourceWhere | None" = strawberry.field(name="not", default=UNSET)
