"""The transaction of a mutation."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

from sqlmodel.ext.asyncio.session import AsyncSession

from app.domain.enums import ApiScope
from app.domain.identifiers import parse_id
from app.errors import ApiError, Code
from app.graphql.context import Info
from app.graphql.inputs.writing import client_field_names

T = TypeVar("T")


async def write(info: Info, command: Callable[[AsyncSession], Awaitable[T]], argument: str = "") -> T:
    """Run the command of a mutation in a transaction, clear the request's loaders, and return the command's result.

    After a conflict with another transaction the command is run again. Raise FORBIDDEN without the scope `write`. The
    fields that a BAD_USER_INPUT names become paths from `argument`.
    """
    info.context.viewer.require(ApiScope.WRITE)
    with client_field_names(argument):
        result = await info.context.db.in_transaction(command)
    info.context.clear()
    return result


def known_id(sent: str, what: str) -> int:
    """Return an id as a number. Raise NOT_FOUND if it is not a valid id, so that nothing has it."""
    number = parse_id(sent)
    if number is None:
        raise ApiError(Code.NOT_FOUND, f"No {what} has the id {sent[:40]!r}.")
    return number
