"""Inputs of mutations that write users."""

import strawberry

from app.domain.bounds import LONGEST_TEXT
from app.graphql.inputs.fields import NOT_NULL, PATCH, optional


@strawberry.input(description=f"Changes to your profile. {PATCH}")
class UpdateMeInput:
    first_name: str | None = optional(f"New first name, 1 to {LONGEST_TEXT} characters. {NOT_NULL}")
    last_name: str | None = optional(f"New last name, 1 to {LONGEST_TEXT} characters. {NOT_NULL}")
    phone: str | None = optional(
        "New phone number for calls and text messages, for example +12025550142. A number without a country code is of "
        "the US. Null removes it."
    )
    timezone: str | None = optional(
        "IANA name of your new time zone, for example America/Los_Angeles. Your quiet hours, and the days for which a "
        f"team limits your leads, follow it. {NOT_NULL}"
    )
