"""Contacts: the people who enquire."""

import strawberry

from app.access.field_access import CONTACT_DETAILS
from app.graphql.fields import restricted


@strawberry.type(description="The person who enquires. A contact may have several leads.")
class Contact:
    id: strawberry.ID
    first_name: str | None
    last_name: str | None
    email: str | None = restricted(
        "email",
        CONTACT_DETAILS,
        "Null to everyone but the contact's owner and whoever holds a lead of this contact.",
    )
    mobile_phone: str | None = restricted(
        "mobile_phone",
        CONTACT_DETAILS,
        "Null to everyone but the contact's owner and whoever holds a lead of this contact.",
    )


@strawberry.type(description="A page of a list: total counts every match, before limit and skip.")
class ContactPage:
    total: int
    limit: int = strawberry.field(description="The limit in force: 100 at most.")
    skip: int
    data: list[Contact]
