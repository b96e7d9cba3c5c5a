"""Filters: the operators that a condition can apply to one field.

The classes repeat their operators, instead of being generic, on purpose: Strawberry resolves a type variable that an
input inherits each time it converts a value, which took three times as long.
"""

from datetime import datetime
from typing import Any

import strawberry
from strawberry import ID, UNSET

from app.graphql.enums import DistributionTarget, LeadOfferStatus, RequestStatus
from app.graphql.inputs.fields import optional
from app.lists.filters import MAX_VALUES

NOT_NULL = "Passing null is BAD_USER_INPUT."
EQ = "Matches this value. Null matches null."
NE = "Matches every other value, including null. Null matches every value that is not null."
IN = f"Matches the values in this list of at most {MAX_VALUES:,}. An empty list matches nothing. {NOT_NULL}"
NIN = (
    f"Matches every value that is not in this list of at most {MAX_VALUES:,}, including null. An empty list matches "
    f"everything. {NOT_NULL}"
)
LT = f"Matches values less than this one; never null. {NOT_NULL}"
LTE = f"Matches values less than or equal to this one; never null. {NOT_NULL}"
GT = f"Matches values greater than this one; never null. {NOT_NULL}"
GTE = f"Matches values greater than or equal to this one; never null. {NOT_NULL}"

SEARCH = (
    "Every character stands for itself, also %, _ and \\. Never matches null; an empty text matches every other value. "
    f"{NOT_NULL}"
)


def _in() -> Any:
    return strawberry.field(name="in", default=UNSET, description=IN)


@strawberry.input(
    description="Conditions on an id. A row must satisfy all of them. Ids compare as numbers. An id that is not a "
    "whole number from 1 to 2⁶³-1 matches no row; for lt, lte, gt and gte it is BAD_USER_INPUT."
)
class IDFilter:
    eq: ID | None = optional(EQ)
    ne: ID | None = optional(NE)
    in_: list[ID] | None = _in()
    nin: list[ID] | None = optional(NIN)
    lt: ID | None = optional(LT)
    lte: ID | None = optional(LTE)
    gt: ID | None = optional(GT)
    gte: ID | None = optional(GTE)


@strawberry.input(description="Conditions on a number. A row must satisfy all of them.")
class IntFilter:
    eq: int | None = optional(EQ)
    ne: int | None = optional(NE)
    in_: list[int] | None = _in()
    nin: list[int] | None = optional(NIN)
    lt: int | None = optional(LT)
    lte: int | None = optional(LTE)
    gt: int | None = optional(GT)
    gte: int | None = optional(GTE)


@strawberry.input(
    description="Conditions on text. A row must satisfy all of them. Text compares by Unicode code point, so it is "
    "case-sensitive, except in contains and startsWith and in e-mail addresses. The character NUL is BAD_USER_INPUT."
)
class StringFilter:
    eq: str | None = optional(EQ)
    ne: str | None = optional(NE)
    in_: list[str] | None = _in()
    nin: list[str] | None = optional(NIN)
    lt: str | None = optional(LT)
    lte: str | None = optional(LTE)
    gt: str | None = optional(GT)
    gte: str | None = optional(GTE)
    contains: str | None = optional(f"Anywhere in the text, without regard to case. {SEARCH}")
    starts_with: str | None = optional(f"At the beginning of the text, without regard to case. {SEARCH}")


@strawberry.input(description="Conditions on a Boolean. A row must satisfy all of them.")
class BooleanFilter:
    eq: bool | None = optional(EQ)
    ne: bool | None = optional(NE)
    in_: list[bool] | None = _in()
    nin: list[bool] | None = optional(NIN)


@strawberry.input(description="Conditions on a time. A row must satisfy all of them. Times compare by millisecond.")
class DateTimeFilter:
    eq: datetime | None = optional(EQ)
    ne: datetime | None = optional(NE)
    in_: list[datetime] | None = _in()
    nin: list[datetime] | None = optional(NIN)
    lt: datetime | None = optional(LT)
    lte: datetime | None = optional(LTE)
    gt: datetime | None = optional(GT)
    gte: datetime | None = optional(GTE)


@strawberry.input(description="Conditions on the status of a lead offer. A row must satisfy all of them.")
class LeadOfferStatusFilter:
    eq: LeadOfferStatus | None = optional(EQ)
    ne: LeadOfferStatus | None = optional(NE)
    in_: list[LeadOfferStatus] | None = _in()
    nin: list[LeadOfferStatus] | None = optional(NIN)


@strawberry.input(description="Conditions on a distribution target. A row must satisfy all of them.")
class DistributionTargetFilter:
    eq: DistributionTarget | None = optional(EQ)
    ne: DistributionTarget | None = optional(NE)
    in_: list[DistributionTarget] | None = _in()
    nin: list[DistributionTarget] | None = optional(NIN)


@strawberry.input(description="Conditions on the status of a membership. A row must satisfy all of them.")
class RequestStatusFilter:
    eq: RequestStatus | None = optional(EQ)
    ne: RequestStatus | None = optional(NE)
    in_: list[RequestStatus] | None = _in()
    nin: list[RequestStatus] | None = optional(NIN)
