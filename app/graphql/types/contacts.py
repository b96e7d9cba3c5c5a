"""Contacts: the people who enquire."""

import strawberry

from app.access.field_access import CONTACT_DETAILS
from app.graphql.fields import column, restricted

HIDDEN = (
    "Null if there is none, and null for everyone but the contact's owner and the user who holds a lead of the contact."
)


@strawberry.type(description="The person who enquires. A contact may have several leads.")
class Contact:
    id: strawberry.ID = column("Unique id of the contact.")
    first_name: str | None = column("First name. Null if it is not known.")
    last_name: str | None = column("Last name. Null if it is not known.")
    email: str | None = restricted("email", CONTACT_DETAILS, f"E-mail address. {HIDDEN}")
    mobile_phone: str | None = restricted(
        "mobile_phone", CONTACT_DETAILS, f"Mobile phone number, for example +12025550142. {HIDDEN}"
    )
