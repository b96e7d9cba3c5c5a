"""Mutations of API keys."""

from typing import Any

import strawberry

from app.commands import api_keys
from app.domain.bounds import MOST_API_KEYS
from app.graphql.context import Info
from app.graphql.fields import column, payload, resolved
from app.graphql.inputs.api_keys import CreateApiKeyInput
from app.graphql.inputs.fields import ApiKeyId, Input
from app.graphql.inputs.writing import filled
from app.graphql.mutations.transaction import known_id, write
from app.graphql.types.api_keys import ApiKey


@strawberry.type(description="Result of createApiKey.")
class CreateApiKeyPayload:
    api_key: ApiKey = column("The key as apiKeys lists it.")
    key: str = column(
        "The key itself, for the header Authorization: Bearer KEY. It is shown this once, because only its hash is "
        "stored."
    )


@strawberry.type(description="Result of revokeApiKey.")
class RevokeApiKeyPayload:
    api_key: ApiKey = column("The key, as it is now.")


async def _create_api_key(info: Info, input: Input[CreateApiKeyInput]) -> Any:  # noqa: A002
    viewer, now = info.context.viewer, info.context.now
    viewer.refuse_key()
    new = await write(info, lambda session: api_keys.create_api_key(session, viewer.id, filled(input), now), "input")
    return payload(CreateApiKeyPayload, api_key=new.row, key=new.key)


async def _revoke_api_key(info: Info, id: ApiKeyId) -> Any:  # noqa: A002
    viewer, now = info.context.viewer, info.context.now
    viewer.refuse_key()
    row = await write(info, lambda session: api_keys.revoke_api_key(session, viewer.id, known_id(id, "API key"), now))
    return payload(RevokeApiKeyPayload, api_key=row)


@strawberry.type
class ApiKeyMutations:
    create_api_key: CreateApiKeyPayload | None = resolved(
        _create_api_key,
        "Creates an API key, with which a program signs in as you. Errors: FORBIDDEN if you are signed in by an API "
        f"key, BAD_USER_INPUT, and CONFLICT if one of your active keys has the name, also when repeated, or you have "
        f"{MOST_API_KEYS} active keys.",
    )
    revoke_api_key: RevokeApiKeyPayload | None = resolved(
        _revoke_api_key,
        "Revokes an API key of yours: it is refused from the next request on. Idempotent. Errors: FORBIDDEN if you are "
        "signed in by an API key, and NOT_FOUND.",
    )
