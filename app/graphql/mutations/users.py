"""Mutations of the viewer's profile."""

from typing import Any

import strawberry

from app.commands import users
from app.graphql.context import Info
from app.graphql.fields import column, payload, resolved
from app.graphql.inputs.fields import Input
from app.graphql.inputs.users import UpdateMeInput
from app.graphql.inputs.writing import given
from app.graphql.mutations.transaction import write
from app.graphql.types.users import User


@strawberry.type(description="Result of updateMe.")
class UpdateMePayload:
    me: User = column("Your account, as it is now.")


async def _update_me(info: Info, input: Input[UpdateMeInput]) -> Any:  # noqa: A002
    me = await write(
        info,
        lambda session: users.update_user(session, info.context.viewer.id, given(input), info.context.now),
        "input",
    )
    return payload(UpdateMePayload, me=me)


@strawberry.type
class UserMutations:
    update_me: UpdateMePayload | None = resolved(
        _update_me,
        "Changes your own name, phone number and time zone. After a change of the time zone, messages that your quiet "
        "hours held back follow at once, unless the quiet hours last in the new time zone. Idempotent. Errors: "
        "BAD_USER_INPUT.",
    )
