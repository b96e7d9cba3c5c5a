"""API keys, with which programs sign in as the user who made them."""

from datetime import datetime

import strawberry

from app.db import models
from app.graphql.enums import ApiScope
from app.graphql.fields import children, column, reference
from app.graphql.types.routes import LeadSource


@strawberry.type(
    description="A key that signs a program in as you: Authorization: Bearer KEY. The key itself is shown only when it "
    "is created."
)
class ApiKey:
    id: strawberry.ID = column("Unique id of the key.")
    name: str = column("Name of the key, unique among your active keys without regard to case.")
    prefix: str = column("The first characters of the key, by which you can recognize it.")
    scopes: list[ApiScope] = children(
        models.ApiKeyScope, "Permissions of the key.", parent="api_key_id", order=("scope",), column="scope"
    )
    source: LeadSource | None = reference(
        "source_id", models.LeadSource, "The only source whose leads the key may send. Null if it is for any source."
    )
    created_at: datetime = column("Time at which the key was created.")
    expires_at: datetime | None = column("Time from which the key is refused. Null if it does not expire.")
    revoked_at: datetime | None = column("Time at which the key was revoked. Null if it was not.")
    last_used_on: str | None = column("Last day on which the key was used, as YYYY-MM-DD in UTC. Null if never.")
