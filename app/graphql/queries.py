"""The queries: what a viewer may find."""

from typing import Any

import strawberry
from sqlalchemy import ColumnElement, and_, false
from sqlmodel import col, select
from strawberry import UNSET

from app import models, visibility
from app.graphql.context import Info
from app.graphql.fields import resolved
from app.graphql.inputs.paging import parse_page
from app.graphql.inputs.sort import LeadOfferSort
from app.graphql.inputs.where import LeadOfferWhere
from app.graphql.types.leads import Lead
from app.graphql.types.offers import LeadOffer, LeadOfferPage
from app.graphql.types.users import User
from app.ids import parse_id
from app.pages import PageOf, T, columns_of, fetch_page


def _me(info: Info) -> models.User:
    return info.context.viewer.user


async def _lead_offers(
    info: Info,
    lead_id: strawberry.ID | None = UNSET,
    where: LeadOfferWhere | None = UNSET,
    sort: list[LeadOfferSort] | None = UNSET,
    limit: int | None = 10,
    skip: int | None = 0,
) -> PageOf[models.LeadOffer]:
    found = visibility.offers(info.context.viewer.id)
    if lead_id is not None and lead_id is not UNSET:
        found = and_(found, _is(col(models.LeadOffer.lead_id), lead_id))
    return await _page(info, models.LeadOffer, found, where, sort, limit, skip)


async def _lead_offer(info: Info, id: strawberry.ID) -> models.LeadOffer | None:  # noqa: A002
    return await _one(info, models.LeadOffer, id, visibility.offers(info.context.viewer.id))


async def _lead(info: Info, id: strawberry.ID) -> models.Lead | None:  # noqa: A002
    return await _one(info, models.Lead, id, visibility.leads(info.context.viewer.id, info.context.now))


async def _page(info: Info, model: type[T], found: ColumnElement[bool], *asked: Any) -> PageOf[T]:
    page = parse_page(*asked)
    async with info.context.db.read() as session:
        return await fetch_page(session, model, found, page, with_total=info.selects("total"))


async def _one(info: Info, model: type[T], sent_id: str, found: ColumnElement[bool]) -> T | None:
    async with info.context.db.read() as session:
        return (await session.exec(select(model).where(_is(columns_of(model)["id"], sent_id), found))).one_or_none()


def _is(column: Any, sent_id: str) -> ColumnElement[bool]:
    number = parse_id(sent_id)
    return false() if number is None else col(column) == number


@strawberry.type
class Query:
    me: User = resolved(_me, "The user the access token stands for.")
    lead_offers: LeadOfferPage = resolved(
        _lead_offers,
        "Offers made to you and offers made to members of teams that you created, due or not; of one lead when leadId "
        "is given. Without sort they come by id.",
    )
    lead_offer: LeadOffer | None = resolved(_lead_offer, "Null where there is none that you may see.")
    lead: Lead | None = resolved(
        _lead, "A lead that you created, hold, or were offered; null where there is none that you may see."
    )
