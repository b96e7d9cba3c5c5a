"""Filters: the operators that a condition can apply to one field."""

from datetime import datetime
from typing import Generic, TypeVar

import strawberry
from strawberry import ID, UNSET

from app.graphql.enums import LeadOfferStatus, RequestStatus
from app.graphql.inputs.fields import optional

T = TypeVar("T")

NOT_NULL = "Passing null is BAD_USER_INPUT."


@strawberry.input
class EqualityFilter(Generic[T]):
    eq: T | None = optional("Matches this value. Null matches null.")
    ne: T | None = optional("Matches every other value, including null. Null matches every value that is not null.")
    in_: list[T] | None = strawberry.field(
        name="in",
        default=UNSET,
        description=f"Matches the values in this list of at most 1,000. An empty list matches nothing. {NOT_NULL}",
    )
    nin: list[T] | None = optional(
        "Matches every value that is not in this list of at most 1,000, including null. An empty list matches "
        f"everything. {NOT_NULL}"
    )


@strawberry.input
class RangeFilter(EqualityFilter[T]):
    lt: T | None = optional(f"Matches values less than this one; never null. {NOT_NULL}")
    lte: T | None = optional(f"Matches values less than or equal to this one; never null. {NOT_NULL}")
    gt: T | None = optional(f"Matches values greater than this one; never null. {NOT_NULL}")
    gte: T | None = optional(f"Matches values greater than or equal to this one; never null. {NOT_NULL}")


@strawberry.input(
    description="Conditions on an id. A row must satisfy all of them. Ids compare as numbers. An id that is not a "
    "whole number from 1 to 2⁶³-1 matches no row; for lt, lte, gt and gte it is BAD_USER_INPUT."
)
class IDFilter(RangeFilter[ID]): ...


@strawberry.input(description="Conditions on a number. A row must satisfy all of them.")
class IntFilter(RangeFilter[int]): ...


@strawberry.input(
    description="Conditions on text. A row must satisfy all of them. Text compares by Unicode code point, so it is "
    "case-sensitive. The character NUL is BAD_USER_INPUT."
)
class StringFilter(RangeFilter[str]): ...


@strawberry.input(description="Conditions on a Boolean. A row must satisfy all of them.")
class BooleanFilter(EqualityFilter[bool]): ...


@strawberry.input(description="Conditions on a time. A row must satisfy all of them. Times compare by millisecond.")
class DateTimeFilter(RangeFilter[datetime]): ...


@strawberry.input(description="Conditions on the status of a lead offer. A row must satisfy all of them.")
class LeadOfferStatusFilter(EqualityFilter[LeadOfferStatus]): ...


@strawberry.input(description="Conditions on the status of a membership. A row must satisfy all of them.")
class RequestStatusFilter(EqualityFilter[RequestStatus]): ...
