"""The queries: what a viewer may find."""

from datetime import datetime
from typing import Any

import strawberry
from sqlalchemy import ColumnElement, and_, false
from sqlmodel import col, select
from strawberry import UNSET

from app.access import visibility
from app.commands import preview
from app.db import models
from app.domain.alert_channels import unserved
from app.domain.identifiers import parse_id
from app.graphql.context import Info
from app.graphql.fields import resolved
from app.graphql.inputs.pagination import parse_page
from app.graphql.inputs.sort import (
    ContactSort,
    LeadOfferSort,
    LeadRouteSort,
    LeadSort,
    LeadSourceSort,
    TeamMemberSort,
    TeamSort,
)
from app.graphql.inputs.where import (
    ContactWhere,
    LeadOfferWhere,
    LeadRouteWhere,
    LeadSourceWhere,
    LeadWhere,
    TeamMemberWhere,
    TeamWhere,
)
from app.graphql.types.contacts import Contact, ContactPage
from app.graphql.types.leads import Lead, LeadPage
from app.graphql.types.offers import LeadOffer, LeadOfferPage
from app.graphql.types.preview import LeadOfferPlan
from app.graphql.types.routes import LeadRoutePage, LeadSourcePage
from app.graphql.types.teams import Team, TeamMemberPage, TeamPage
from app.graphql.types.users import User
from app.lists.pagination import Page, T, Visible, columns_of, fetch_page


def _me(info: Info) -> models.User:
    return info.context.viewer.user


async def _lead_offers(
    info: Info,
    lead_id: strawberry.ID | None = UNSET,
    where: LeadOfferWhere | None = UNSET,
    sort: list[LeadOfferSort] | None = UNSET,
    limit: int | None = 10,
    skip: int | None = 0,
) -> Page[models.LeadOffer]:
    visible: Visible = visibility.offer_halves(info.context.viewer.id)
    if lead_id is not None and lead_id is not UNSET:
        visible = and_(visibility.offers(info.context.viewer.id), _is(col(models.LeadOffer.lead_id), lead_id))
    return await _page(info, models.LeadOffer, visible, where, sort, limit, skip)


async def _lead_offer(info: Info, id: strawberry.ID) -> models.LeadOffer | None:  # noqa: A002
    return await _one(info, models.LeadOffer, id, visibility.offers(info.context.viewer.id))


async def _lead(info: Info, id: strawberry.ID) -> models.Lead | None:  # noqa: A002
    return await _one(info, models.Lead, id, visibility.leads(info.context.viewer.id, info.context.now))


async def _preview_lead_offers(
    info: Info, lead_id: strawberry.ID, at: datetime | None = UNSET
) -> preview.Preview | None:
    moment, context = at or None, info.context
    async with context.db.read() as session:
        return await preview.preview_lead_offers(
            session, context.viewer.id, parse_id(lead_id) or 0, moment, context.now, unserved(context.settings)
        )


async def _leads(
    info: Info,
    where: LeadWhere | None = UNSET,
    sort: list[LeadSort] | None = UNSET,
    limit: int | None = 10,
    skip: int | None = 0,
) -> Page[models.Lead]:
    return await _page(
        info, models.Lead, visibility.leads(info.context.viewer.id, info.context.now), where, sort, limit, skip
    )


async def _team(info: Info, id: strawberry.ID) -> models.Team | None:  # noqa: A002
    return await _one(info, models.Team, id, visibility.teams(info.context.viewer.id))


async def _teams(
    info: Info,
    where: TeamWhere | None = UNSET,
    sort: list[TeamSort] | None = UNSET,
    limit: int | None = 10,
    skip: int | None = 0,
) -> Page[models.Team]:
    return await _page(info, models.Team, visibility.teams(info.context.viewer.id), where, sort, limit, skip)


async def _team_memberships(
    info: Info,
    where: TeamMemberWhere | None = UNSET,
    sort: list[TeamMemberSort] | None = UNSET,
    limit: int | None = 10,
    skip: int | None = 0,
) -> Page[models.TeamMember]:
    return await _page(
        info, models.TeamMember, visibility.memberships(info.context.viewer.id), where, sort, limit, skip
    )


async def _contact(info: Info, id: strawberry.ID) -> models.Contact | None:  # noqa: A002
    return await _one(info, models.Contact, id, visibility.contacts(info.context.viewer.id))


async def _contacts(
    info: Info,
    where: ContactWhere | None = UNSET,
    sort: list[ContactSort] | None = UNSET,
    limit: int | None = 10,
    skip: int | None = 0,
) -> Page[models.Contact]:
    return await _page(info, models.Contact, visibility.contacts(info.context.viewer.id), where, sort, limit, skip)


async def _lead_routes(
    info: Info,
    where: LeadRouteWhere | None = UNSET,
    sort: list[LeadRouteSort] | None = UNSET,
    limit: int | None = 10,
    skip: int | None = 0,
) -> Page[models.LeadRoute]:
    return await _page(info, models.LeadRoute, visibility.lead_routes(info.context.viewer.id), where, sort, limit, skip)


async def _lead_sources(
    info: Info,
    where: LeadSourceWhere | None = UNSET,
    sort: list[LeadSourceSort] | None = UNSET,
    limit: int | None = 10,
    skip: int | None = 0,
) -> Page[models.LeadSource]:
    return await _page(
        info, models.LeadSource, visibility.lead_sources(info.context.viewer.id), where, sort, limit, skip
    )


async def _page(info: Info, model: type[T], visible: Visible, *asked: Any) -> Page[T]:
    page = parse_page(*asked)
    async with info.context.db.read() as session:
        return await fetch_page(session, model, visible, page, with_total=info.selects("total"))


async def _one(info: Info, model: type[T], sent_id: str, visible: ColumnElement[bool]) -> T | None:
    async with info.context.db.read() as session:
        return (await session.exec(select(model).where(_is(columns_of(model)["id"], sent_id), visible))).one_or_none()


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
    preview_lead_offers: LeadOfferPlan | None = resolved(
        _preview_lead_offers,
        "What submitLeadOffers would do now, or at another moment that lies ahead: who would be told when and how, who "
        "would not and why. It refuses what a submit would refuse, and writes nothing.",
    )
    leads: LeadPage = resolved(_leads, "Leads that you created, hold, or were offered once the offer is due.")
    team: Team | None = resolved(_team, "Null where there is none that you may see.")
    teams: TeamPage = resolved(_teams, "Teams that you created or accepted an invitation to.")
    team_memberships: TeamMemberPage = resolved(
        _team_memberships, "Your own memberships; one that is PENDING is an invitation that you can answer."
    )
    contact: Contact | None = resolved(_contact, "A contact that you entered; null where there is none.")
    contacts: ContactPage = resolved(_contacts, "Contacts that you entered.")
    lead_routes: LeadRoutePage = resolved(_lead_routes, "Lead routes that you entered.")
    lead_sources: LeadSourcePage = resolved(_lead_sources, "Lead sources that you entered.")
