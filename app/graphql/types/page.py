"""The page type of every list. Strawberry names each `Page[Lead]` by its item: LeadPage."""

from typing import Generic, TypeVar

import strawberry

from app.graphql.fields import column
from app.lists.pagination import MAX_LIMIT

T = TypeVar("T")


@strawberry.type(description="One page of a list.")
class Page(Generic[T]):
    total: int = column("Number of all matching items, before limit and skip, as of the time of this page.")
    limit: int = column(
        f"The limit that was applied, 0 to {MAX_LIMIT}: the requested one, or {MAX_LIMIT} if that was larger."
    )
    skip: int = column("The number of matching items that were skipped before this page.")
    data: list[T] = column("The items of this page, in the requested order.")
