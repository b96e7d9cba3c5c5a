"""Filters of one value: eq, ne, in, nin on all; lt, lte, gt, gte where the value has an order."""

from datetime import datetime

import strawberry
from strawberry import ID, UNSET

from app.graphql.enums import LeadOfferStatus, RequestStatus

NULLS = "eq: null asks for null, ne: null for not null; ne and nin keep rows whose value is null."


@strawberry.input(description=f"Ids compare as numbers. {NULLS}")
class IDFilter:
    eq: ID | None = UNSET
    ne: ID | None = UNSET
    in_: list[ID] | None = strawberry.field(name="in", default=UNSET)
    nin: list[ID] | None = UNSET
    lt: ID | None = UNSET
    lte: ID | None = UNSET
    gt: ID | None = UNSET
    gte: ID | None = UNSET


@strawberry.input(description=NULLS)
class IntFilter:
    eq: int | None = UNSET
    ne: int | None = UNSET
    in_: list[int] | None = strawberry.field(name="in", default=UNSET)
    nin: list[int] | None = UNSET
    lt: int | None = UNSET
    lte: int | None = UNSET
    gt: int | None = UNSET
    gte: int | None = UNSET


@strawberry.input(description=f"Text compares by code point, case included. {NULLS}")
class StringFilter:
    eq: str | None = UNSET
    ne: str | None = UNSET
    in_: list[str] | None = strawberry.field(name="in", default=UNSET)
    nin: list[str] | None = UNSET
    lt: str | None = UNSET
    lte: str | None = UNSET
    gt: str | None = UNSET
    gte: str | None = UNSET


@strawberry.input(description=NULLS)
class BooleanFilter:
    eq: bool | None = UNSET
    ne: bool | None = UNSET
    in_: list[bool] | None = strawberry.field(name="in", default=UNSET)
    nin: list[bool] | None = UNSET


@strawberry.input(description=NULLS)
class DateTimeFilter:
    eq: datetime | None = UNSET
    ne: datetime | None = UNSET
    in_: list[datetime] | None = strawberry.field(name="in", default=UNSET)
    nin: list[datetime] | None = UNSET
    lt: datetime | None = UNSET
    lte: datetime | None = UNSET
    gt: datetime | None = UNSET
    gte: datetime | None = UNSET


@strawberry.input(description=NULLS)
class LeadOfferStatusFilter:
    eq: LeadOfferStatus | None = UNSET
    ne: LeadOfferStatus | None = UNSET
    in_: list[LeadOfferStatus] | None = strawberry.field(name="in", default=UNSET)
    nin: list[LeadOfferStatus] | None = UNSET


@strawberry.input(description=NULLS)
class RequestStatusFilter:
    eq: RequestStatus | None = UNSET
    ne: RequestStatus | None = UNSET
    in_: list[RequestStatus] | None = strawberry.field(name="in", default=UNSET)
    nin: list[RequestStatus] | None = UNSET
