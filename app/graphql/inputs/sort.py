"""Sort orders of lists. A list is sorted by the first entry, rows that are equal by the second, and so on."""

from collections.abc import Callable
from enum import Enum
from typing import Any, TypeVar

import strawberry
from strawberry.utils.str_converters import to_camel_case

from app.graphql.enums import SortDirection
from app.graphql.inputs.fields import defaulted, required

F = TypeVar("F", bound=Enum)


FIELD = "The field to sort by. Rows that are equal in it are sorted by the next entry."


def _direction() -> Any:
    return defaulted(SortDirection.ASC, "The direction to sort in. Null values come last in both directions.")


_OTHER_ROWS = {"contact_last_name": "Sort by the last name of the contact."}
"""Descriptions of sort fields that belong to another object."""


def _sort_fields(plural: str) -> Callable[[type[F]], type[F]]:
    """Make an enum of columns the GraphQL enum of the fields to sort by."""

    def decorate(kind: type[F]) -> type[F]:
        strawberry.enum(
            kind, description=f"Fields to sort {plural} by. Enums sort by name, and false sorts before true."
        )
        for value in kind.__strawberry_definition__.values:  # type: ignore[attr-defined]
            value.description = _OTHER_ROWS.get(value.value, f"Sort by {to_camel_case(value.value)}.")
        return kind

    return decorate


@_sort_fields("lead offers")
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


@strawberry.input(description="One sort criterion for lead offers.")
class LeadOfferSort:
    field: LeadOfferSortField = required(FIELD)
    direction: SortDirection | None = _direction()


@_sort_fields("leads")
class LeadSortField(Enum):
    ID = "id"
    CREATED_AT = "created_at"
    CLAIMED_AT = "claimed_at"
    LISTING_PRICE = "listing_price"
    CONTACT_LAST_NAME = "contact_last_name"


@strawberry.input(description="One sort criterion for leads.")
class LeadSort:
    field: LeadSortField = required(FIELD)
    direction: SortDirection | None = _direction()


@_sort_fields("teams")
class TeamSortField(Enum):
    ID = "id"
    NAME = "name"
    CREATED_AT = "created_at"


@strawberry.input(description="One sort criterion for teams.")
class TeamSort:
    field: TeamSortField = required(FIELD)
    direction: SortDirection | None = _direction()


@_sort_fields("team members")
class TeamMemberSortField(Enum):
    ID = "id"
    TEAM_ID = "team_id"
    USER_ID = "user_id"
    REQUEST_STATUS = "request_status"


@strawberry.input(description="One sort criterion for team members.")
class TeamMemberSort:
    field: TeamMemberSortField = required(FIELD)
    direction: SortDirection | None = _direction()


@_sort_fields("distribution options")
class DistributionOptionSortField(Enum):
    ID = "id"
    USER_ID = "user_id"
    RANK = "rank"
    MINS_UNTIL_LEAD_OFFER = "mins_until_lead_offer"


@strawberry.input(description="One sort criterion for distribution options.")
class DistributionOptionSort:
    field: DistributionOptionSortField = required(FIELD)
    direction: SortDirection | None = _direction()


@_sort_fields("contacts")
class ContactSortField(Enum):
    ID = "id"
    FIRST_NAME = "first_name"
    LAST_NAME = "last_name"


@strawberry.input(description="One sort criterion for contacts.")
class ContactSort:
    field: ContactSortField = required(FIELD)
    direction: SortDirection | None = _direction()


@_sort_fields("lead routes")
class LeadRouteSortField(Enum):
    ID = "id"
    LEAD_SOURCE_ID = "lead_source_id"
    LEAD_TYPE = "lead_type"


@strawberry.input(description="One sort criterion for lead routes.")
class LeadRouteSort:
    field: LeadRouteSortField = required(FIELD)
    direction: SortDirection | None = _direction()


@_sort_fields("lead sources")
class LeadSourceSortField(Enum):
    ID = "id"
    NAME = "name"


@strawberry.input(description="One sort criterion for lead sources.")
class LeadSourceSort:
    field: LeadSourceSortField = required(FIELD)
    direction: SortDirection | None = _direction()


@_sort_fields("API keys")
class ApiKeySortField(Enum):
    ID = "id"
    NAME = "name"


@strawberry.input(description="One sort criterion for API keys.")
class ApiKeySort:
    field: ApiKeySortField = required(FIELD)
    direction: SortDirection | None = _direction()
