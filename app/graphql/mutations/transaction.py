"""The transaction of a mutation."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from sqlmodel.ext.asyncio.session import AsyncSession

from app.access.auth import Scope
from app.domain.identifiers import parse_id
from app.errors import ApiError, Code
from app.graphql.context import Info
from app.graphql.inputs.writing import spelled


@asynccontextmanager
async def writing(info: Info, argument: str = "") -> AsyncIterator[AsyncSession]:
    """The transaction of one mutation. What the request has read before is forgotten at its end.

    Mistakes that the commands find are told by their path from `argument`, the mutation's input where it has one.
    """
    info.context.viewer.require(Scope.WRITE)
    with spelled(argument):
        async with info.context.db.write() as session:
            yield session
    info.context.clear()


def known_id(sent: str, what: str) -> int:
    """The number of an id that names what a mutation is about; NOT_FOUND for the id of nothing."""
    number = parse_id(sent)
    if number is None:
        raise ApiError(Code.NOT_FOUND, f"There is no {what} with this id.")
    return number
