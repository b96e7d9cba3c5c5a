"""Input of the mutation that creates API keys."""

from datetime import datetime

import strawberry

from app.domain.bounds import LONGEST_TEXT
from app.graphql.enums import ApiScope
from app.graphql.inputs.fields import optional, required


@strawberry.input(description="A new API key.")
class CreateApiKeyInput:
    name: str = required(
        f"Name of the key, 1 to {LONGEST_TEXT} characters, unique among your active keys. Names compare without regard "
        "to case and surrounding spaces."
    )
    scopes: list[ApiScope] = required("Permissions of the key: at least one, each once.")
    source_id: strawberry.ID | None = optional(
        "Id of a lead source that you created: the key is for leads of this source alone. Only allowed if INTAKE is "
        "the only scope."
    )
    expires_at: datetime | None = optional(
        "Time from which the key is refused, in the future. Left out or null, the key does not expire."
    )
