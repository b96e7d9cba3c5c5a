"""The queries: lookups and lists of the objects that a viewer can see."""

from datetime import datetime
from typing import Annotated, Any

import strawberry
from sqlalchemy import ColumnElement, and_, false, type_coerce
from sqlmodel import col
from strawberry import UNSET, argument

from app.access import visibility
from app.access.field_access import AccessContext
from app.access.list_fields import contact_fields, lead_fields, offer_fields
from app.commands import preview
from app.db import models
from app.db.types import UTCDateTime
from app.domain.alert_channels import unserved
from app.domain.bounds import LONGEST_FIGURES_IN_DAYS, MOST_GROUPS
from app.domain.figures import Span, problems_of
from app.domain.identifiers import NO_ID, parse_id
from app.domain.time_zones import known_zone
from app.errors import Problem, bad_input
from app.figures import lead_figures, member_figures
from app.graphql.context import Info
from app.graphql.declarations import Computed, RootPage, Viewer
from app.graphql.enums import FigureGroup
from app.graphql.fields import lookup, resolved, root_counts, root_page
from app.graphql.inputs.fields import ContactId, LeadId, LeadOfferId, TeamId
from app.graphql.inputs.pagination import LimitArgument, SkipArgument, SortArgument, WhereArgument, parse_page
from app.graphql.inputs.sort import (
    ApiKeySort,
    ContactSort,
    LeadOfferSort,
    LeadRouteSort,
    LeadSort,
    LeadSourceSort,
    TeamMemberSort,
    TeamSort,
)
from app.graphql.inputs.where import (
    ApiKeyWhere,
    ContactWhere,
    LeadOfferWhere,
    LeadRouteWhere,
    LeadSourceWhere,
    LeadWhere,
    TeamMemberWhere,
    TeamWhere,
    parse_where,
)
from app.graphql.types.api_keys import ApiKey
from app.graphql.types.contacts import Contact
from app.graphql.types.figures import LeadFigures, MemberFigures
from app.graphql.types.leads import Lead
from app.graphql.types.offers import LeadOffer, LeadOfferCount
from app.graphql.types.page import Page
from app.graphql.types.preview import LeadOfferPlan
from app.graphql.types.routes import LeadRoute, LeadSource
from app.graphql.types.teams import Team, TeamMember
from app.graphql.types.users import User
from app.lists import pagination
from app.lists.pagination import DEFAULT_LIMIT, Visible, fetch_page


def _me(info: Info) -> models.User:
    return info.context.viewer.user


def _now(info: Info) -> datetime:
    return info.context.now


async def _lead_offers(
    info: Info,
    lead_id: Annotated[
        strawberry.ID | None, argument(description="Lists only the offers of this lead. Null counts as left out.")
    ] = UNSET,
    where: WhereArgument[LeadOfferWhere] = UNSET,
    sort: SortArgument[LeadOfferSort] = UNSET,
    limit: LimitArgument = DEFAULT_LIMIT,
    skip: SkipArgument = 0,
) -> pagination.Page[models.LeadOffer]:
    visible: Visible = visibility.offer_parts(info.context.viewer.id)
    if lead_id is not None and lead_id is not UNSET:
        visible = and_(visibility.offers(info.context.viewer.id), _is(col(models.LeadOffer.lead_id), lead_id))
    page, with_total = parse_page(where, sort, limit, skip), info.selects("total")
    fields = offer_fields(info.context.access)
    return await info.context.db.read_page(
        "lead_offers",
        lambda session: fetch_page(session, models.LeadOffer, visible, page, with_total=with_total, fields=fields),
    )


async def _preview_lead_offers(
    info: Info,
    lead_id: Annotated[strawberry.ID, argument(description="Id of a lead that you created.")],
    at: Annotated[
        datetime | None, argument(description="Time of the imagined submit, not before now. Left out or null, now.")
    ] = UNSET,
) -> preview.Preview | None:
    moment, context = at or None, info.context
    async with context.db.read() as session:
        return await preview.preview_lead_offers(
            session, context.viewer.id, parse_id(lead_id) or NO_ID, moment, context.now, unserved(context.settings)
        )


FromArgument = Annotated[datetime, argument(name="from", description="The begin of the span, included.")]
ToArgument = Annotated[
    datetime,
    argument(
        description=f"The end of the span, excluded: at most {LONGEST_FIGURES_IN_DAYS} days after from, or "
        "BAD_USER_INPUT."
    ),
]


async def _lead_figures(
    info: Info,
    from_: FromArgument,
    to: ToArgument,
    by: Annotated[
        FigureGroup | None, argument(description="Groups the leads. Left out or null, they are one group.")
    ] = UNSET,
    timezone: Annotated[
        str | None,
        argument(
            description="IANA time zone, such as America/Los_Angeles, in which days begin at midnight. Left out or "
            "null, yours."
        ),
    ] = UNSET,
    where: Annotated[
        LeadWhere | None,
        argument(description="Selects the leads to count. Left out or null, all leads that you created."),
    ] = UNSET,
) -> Any:
    context, problems = info.context, list[Problem]()
    zone_name = None if timezone is UNSET else timezone
    matching = parse_where(where, "where", problems.append)
    problems += problems_of(from_, to, zone_name)
    if problems:
        raise bad_input(*problems)
    zone, group = known_zone(zone_name or context.viewer.user.timezone), by or None
    return await context.db.read_page(
        "leads",
        lambda session: lead_figures(
            session, context.viewer.id, Span(from_, to), group, zone, matching, fields=lead_fields(context.access)
        ),
    )


async def _member_figures(
    info: Info,
    from_: FromArgument,
    to: ToArgument,
    team_id: Annotated[strawberry.ID, argument(description="Id of a team that you created.")],
) -> Any:
    context, number = info.context, parse_id(team_id) or NO_ID
    if problems := [*problems_of(from_, to)]:
        raise bad_input(*problems)
    return await context.db.read_page(
        "lead_offers", lambda session: member_figures(session, context.viewer.id, number, Span(from_, to))
    )


def _visible_offers(access: AccessContext) -> Visible:
    return visibility.offer_parts(access.viewer_id)


def _is(column: Any, sent_id: str) -> ColumnElement[bool]:
    number = parse_id(sent_id)
    return false() if number is None else col(column) == number


@strawberry.type(
    description="Queries need a token or API key with the scope read. Objects you cannot access behave as if they did "
    "not exist: lists omit them, and lookups by id return null."
)
class Query:
    me: User = resolved(_me, "The user whose access token or API key is used.", Viewer(models.User))
    now: datetime = resolved(
        _now,
        "The server's time at the beginning of this request. Pass it to replaySince when you subscribe to changes of "
        "what the query shows.",
        Computed(lambda _me, access: type_coerce(access.now, UTCDateTime)),
    )
    lead_offers: Page[LeadOffer] = resolved(
        _lead_offers,
        "The offers made to you, and the offers made to members of teams that you created, due or not. Empty if you "
        "cannot access the lead of leadId.",
        RootPage(models.LeadOffer, _visible_offers, within="lead_id", fields=offer_fields),
    )
    lead_offer_counts: list[LeadOfferCount] = root_counts(
        models.LeadOffer,
        "status",
        _visible_offers,
        LeadOfferWhere,
        LeadOfferCount,
        "How many of the lead offers that you can see have each status; statuses without any are left out. In the "
        "order of LeadOfferStatus.",
        fields=offer_fields,
    )
    lead_offer: LeadOffer | None = lookup(
        models.LeadOffer,
        lambda access: visibility.offers(access.viewer_id),
        LeadOfferId,
        "An offer made to you, or to a member of a team that you created. Null if there is no such offer.",
    )
    lead: Lead | None = lookup(
        models.Lead,
        lambda access: visibility.leads(access.viewer_id, access.now),
        LeadId,
        "A lead that you created, hold, or have a due offer of. Null if there is no such lead.",
    )
    preview_lead_offers: LeadOfferPlan | None = resolved(
        _preview_lead_offers,
        "Previews submitLeadOffers now, or at a later time: who would be notified, when and how, and who would "
        "not and why. Nothing is written. Fails with the errors of submitLeadOffers, except that nobody being eligible "
        "is a result. A time in the past is BAD_USER_INPUT.",
    )
    leads: Page[Lead] = root_page(
        models.Lead,
        lambda access: visibility.lead_parts(access.viewer_id, access.now),
        LeadWhere,
        LeadSort,
        "The leads that you created, hold, or have a due offer of that is not CANCELLED.",
        fields=lead_fields,
    )
    team: Team | None = lookup(
        models.Team,
        lambda access: visibility.teams(access.viewer_id),
        TeamId,
        "A team that you created or whose invitation you accepted. Null if there is no such team.",
    )
    teams: Page[Team] = root_page(
        models.Team,
        lambda access: visibility.team_parts(access.viewer_id),
        TeamWhere,
        TeamSort,
        "The teams that you created or whose invitation you accepted, without deleted teams.",
    )
    team_memberships: Page[TeamMember] = root_page(
        models.TeamMember,
        lambda access: visibility.membership_parts(access.viewer_id),
        TeamMemberWhere,
        TeamMemberSort,
        "Your own memberships, whatever their status. One that is PENDING is an invitation, which you answer with "
        "respondToInvitation.",
    )
    contact: Contact | None = lookup(
        models.Contact,
        lambda access: visibility.contacts(access.viewer_id),
        ContactId,
        "A contact that you created. Null if there is no such contact.",
    )
    contacts: Page[Contact] = root_page(
        models.Contact,
        lambda access: visibility.contact_parts(access.viewer_id),
        ContactWhere,
        ContactSort,
        "The contacts that you created.",
        fields=contact_fields,
    )
    lead_routes: Page[LeadRoute] = root_page(
        models.LeadRoute,
        lambda access: visibility.lead_route_parts(access.viewer_id),
        LeadRouteWhere,
        LeadRouteSort,
        "The lead routes that you created.",
    )
    lead_sources: Page[LeadSource] = root_page(
        models.LeadSource,
        lambda access: visibility.lead_source_parts(access.viewer_id),
        LeadSourceWhere,
        LeadSourceSort,
        "The lead sources that you created.",
    )
    api_keys: Page[ApiKey] = root_page(
        models.ApiKey,
        lambda access: visibility.api_key_parts(access.viewer_id),
        ApiKeyWhere,
        ApiKeySort,
        "Your API keys, revoked and expired ones too.",
    )
    lead_figures: list[LeadFigures] = resolved(
        _lead_figures,
        "Figures of the leads that you created in a span, whose distributionTarget is TEAM_ROLLOUT: what has become of "
        f"them until now. A span of more than {LONGEST_FIGURES_IN_DAYS} days is BAD_USER_INPUT, and more than "
        f"{MOST_GROUPS:,} groups are QUERY_TOO_COMPLEX.",
    )
    member_figures: list[MemberFigures] = resolved(
        _member_figures,
        "Figures of everybody who was offered a lead of your team in a span, or got one, ordered by id. Empty unless "
        f"you created the team, and if it was deleted. A span of more than {LONGEST_FIGURES_IN_DAYS} days is "
        "BAD_USER_INPUT.",
    )
