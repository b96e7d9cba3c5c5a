"""How lists are sorted: by the first of a list, then by its second, and so on."""

from enum import Enum

import strawberry

from app.graphql.enums import SortDirection

NULLS = "Nulls come last in both directions; ties go by id, ascending."


@strawberry.enum(description="What lead offers can be sorted by.")
class LeadOfferSortField(Enum):
    ID = "id"
    LEAD_ID = "lead_id"
    USER_ID = "user_id"
    TEAM_ID = "team_id"
    NOTIFY_AT = "notify_at"
    RANK = "rank"
    ASSIGN_AUTOMATICALLY = "assign_automatically"
    HAS_CALL_ALERT = "has_call_alert"
    HAS_TEXT_ALERT = "has_text_alert"
    HAS_EMAIL_ALERT = "has_email_alert"
    STATUS = "status"


@strawberry.input(description=f"How to sort lead offers. {NULLS}")
class LeadOfferSort:
    field: LeadOfferSortField
    direction: SortDirection | None = SortDirection.ASC


@strawberry.enum(description="What leads can be sorted by.")
class LeadSortField(Enum):
    ID = "id"
    CREATED_AT = "created_at"
    CLAIMED_AT = "claimed_at"


@strawberry.input(description=f"How to sort leads. {NULLS}")
class LeadSort:
    field: LeadSortField
    direction: SortDirection | None = SortDirection.ASC


@strawberry.enum(description="What teams can be sorted by.")
class TeamSortField(Enum):
    ID = "id"
    NAME = "name"
    CREATED_AT = "created_at"


@strawberry.input(description=f"How to sort teams. {NULLS}")
class TeamSort:
    field: TeamSortField
    direction: SortDirection | None = SortDirection.ASC


@strawberry.enum(description="What team members can be sorted by.")
class TeamMemberSortField(Enum):
    ID = "id"
    TEAM_ID = "team_id"
    USER_ID = "user_id"
    REQUEST_STATUS = "request_status"


@strawberry.input(description=f"How to sort team members. {NULLS}")
class TeamMemberSort:
    field: TeamMemberSortField
    direction: SortDirection | None = SortDirection.ASC


@strawberry.enum(description="What distribution options can be sorted by.")
class DistributionOptionSortField(Enum):
    ID = "id"
    USER_ID = "user_id"
    RANK = "rank"
    MINS_UNTIL_LEAD_OFFER = "mins_until_lead_offer"


@strawberry.input(description=f"How to sort distribution options. {NULLS}")
class DistributionOptionSort:
    field: DistributionOptionSortField
    direction: SortDirection | None = SortDirection.ASC


@strawberry.enum(description="What contacts can be sorted by.")
class ContactSortField(Enum):
    ID = "id"
    FIRST_NAME = "first_name"
    LAST_NAME = "last_name"


@strawberry.input(description=f"How to sort contacts. {NULLS}")
class ContactSort:
    field: ContactSortField
    direction: SortDirection | None = SortDirection.ASC


@strawberry.enum(description="What lead routes can be sorted by.")
class LeadRouteSortField(Enum):
    ID = "id"
    LEAD_SOURCE_ID = "lead_source_id"
    LEAD_TYPE = "lead_type"


@strawberry.input(description=f"How to sort lead routes. {NULLS}")
class LeadRouteSort:
    field: LeadRouteSortField
    direction: SortDirection | None = SortDirection.ASC


@strawberry.enum(description="What lead sources can be sorted by.")
class LeadSourceSortField(Enum):
    ID = "id"
    NAME = "name"


@strawberry.input(description=f"How to sort lead sources. {NULLS}")
class LeadSourceSort:
    field: LeadSourceSortField
    direction: SortDirection | None = SortDirection.ASC
