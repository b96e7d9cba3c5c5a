"""Users, as they and as others see them."""

from datetime import datetime

import strawberry

from app.access.field_access import ABSENCE, PRIVATE_SETTINGS
from app.graphql.fields import column, embedded, restricted

ONLY_SELF = "Null for everyone but the user."


@strawberry.type(
    description="A daily period during which the server sends the user no messages and assigns them no leads "
    "automatically. It ends on the next day if end is earlier than start."
)
class QuietHours:
    start: str = column("Start, as HH:MM in the user's time zone.")
    end: str = column("End, as HH:MM in the user's time zone.")


@strawberry.type(description="A person with an account: an agent, or the leader of a team.")
class User:
    id: strawberry.ID = column("Unique id of the user.")
    first_name: str = column("First name.")
    last_name: str = column("Last name.")
    email: str | None = column("E-mail address. Null if the account has been erased.")
    phone: str | None = restricted(
        "phone",
        PRIVATE_SETTINGS,
        f"Phone number for calls and text messages, for example +12025550142. Null if there is none. {ONLY_SELF}",
    )
    timezone: str = column("IANA name of the user's time zone, for example America/Los_Angeles.")
    away_until: datetime | None = restricted(
        "away_until",
        ABSENCE,
        f"Until this time the user is away and gets no new offers. Null if the user is not away. {ONLY_SELF}",
    )
    quiet_hours: QuietHours | None = embedded(
        QuietHours,
        {"start": "quiet_hours_start", "end": "quiet_hours_end"},
        PRIVATE_SETTINGS,
        f"The user's quiet hours. Null if none are set. {ONLY_SELF}",
    )
