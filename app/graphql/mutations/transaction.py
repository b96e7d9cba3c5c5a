"""The transaction of a mutation."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from sqlmodel.ext.asyncio.session import AsyncSession

from app.access.auth import Scope
from app.domain.identifiers import parse_id
from app.errors import ApiError, Code
from app.graphql.context import Info
from app.graphql.inputs.writing import client_field_names


@asynccontextmanager
async def writing(info: Info, argument: str = "") -> AsyncIterator[AsyncSession]:
    """Open the transaction of a mutation, and clear the request's loaders after it.

    Raise FORBIDDEN without the scope `write`. The fields that a BAD_USER_INPUT names become paths from `argument`.
    """
    info.context.viewer.require(Scope.WRITE)
    with client_field_names(argument):
        async with info.context.db.write() as session:
            yield session
    info.context.clear()


def known_id(sent: str, what: str) -> int:
    """Return an id as a number. Raise NOT_FOUND if it is not a valid id, so that nothing has it."""
    number = parse_id(sent)
    if number is None:
        raise ApiError(Code.NOT_FOUND, f"No {what} has the id {sent[:40]!r}.")
    return number
