"""The page type of every list. Strawberry names each `Page[Lead]` by its item: LeadPage."""

from typing import Generic, TypeVar

import strawberry

from app.graphql.fields import column

T = TypeVar("T")


@strawberry.type(description="One page of a list.")
class Page(Generic[T]):
    total: int = column("Number of all matching items, before limit and skip, as of the time of this page.")
    limit: int = column("The limit that was applied, 0 to 100: the requested one, or 100 if that was larger.")
    skip: int = column("The number of matching items that were skipped before this page.")
    data: list[T] = column("The items of this page, in the requested order.")
