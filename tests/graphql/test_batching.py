"""Every field is batched: the number of statements depends on the document, never on the number of rows.

The test walks the schema. A new type needs an entry in PLACES, where many objects of it are read.
"""

from datetime import timedelta
from typing import Any

from graphql import GraphQLObjectType, get_named_type, is_object_type

from app.db.models import Delivery, Lead, LeadRollout, RolloutOffer, RolloutSkip, Turn, WaitingInvitation
from app.domain.enums import (
    ApiScope,
    Channel,
    DeliveryStatus,
    OrderMethod,
    RequestStatus,
    SkipReason,
    TeamSelectionMethod,
)
from app.graphql.schema import schema
from tests.support.api import Api
from tests.support.world import NOW, Cast, World

MANY = 10

TEAMS = 'teams(where: {name: {eq: "Chain"}}, limit: $limit) { data { {} } }'
LEADS = "leads(limit: $limit) { data { {} } }"
OFFERS = "leadOffers(limit: $limit) { data { {} } }"

PLACES = {
    "ApiKey": "apiKeys(limit: $limit) { data { {} } }",
    "Claim": LEADS.replace("{}", "claims { {} }"),
    "Contact": "contacts(limit: $limit) { data { {} } }",
    "Delivery": OFFERS.replace("{}", "deliveries { {} }"),
    "DistributionOption": TEAMS.replace("{}", "distributionOptions { data { {} } }"),
    "Lead": LEADS,
    "LeadOffer": OFFERS,
    "LeadRollout": LEADS.replace("{}", "rollouts { {} }"),
    "LeadRoute": "leadRoutes(limit: $limit) { data { {} } }",
    "LeadSource": "leadSources(limit: $limit) { data { {} } }",
    "NextStep": LEADS.replace("{}", "nextStep { {} }"),
    "PlannedOffer": "previewLeadOffers(leadId: $lead) { offers { {} } }",
    "SkippedMember": LEADS.replace("{}", "rollouts { skipped { {} } }"),
    "Team": TEAMS,
    "TeamMember": TEAMS.replace("{}", "members { data { {} } }"),
    "TeamWarning": TEAMS.replace("{}", "warnings { {} }"),
    "Turn": TEAMS.replace("{}", "turns { {} }"),
    "WaitingInvitation": TEAMS.replace("{}", "waitingInvitations { {} }"),
    "User": OFFERS.replace("{}", "user { {} }"),
}

READ_ONE_AT_A_TIME = ("Page", "Payload")
ALONE = {"Query", "Mutation", "Subscription", "LeadOfferChange", "LeadOfferPlan", "QuietHours"}
ALONE |= {"IgnoredField", "SubmitRefusal"}
STEPS = {"PlannedStep", "PassedOverTeam"}
"""At most five of them, each planned by statements of its own."""
FIGURES = {"LeadFigures", "MemberFigures", "Durations"}
"""All of them, with the objects that they show, by one statement, which tests/graphql/test_figures.py counts."""


def types() -> dict[str, GraphQLObjectType]:
    return {
        name: kind
        for name, kind in schema._schema.type_map.items()
        if is_object_type(kind) and not name.startswith("__") and not name.endswith(READ_ONE_AT_A_TIME)
    }


def test_every_type_has_a_place() -> None:
    assert set(types()) - ALONE - STEPS - FIGURES == set(PLACES)


def selection(kind: GraphQLObjectType, field: str) -> str:
    named = get_named_type(kind.fields[field].type)
    if not is_object_type(named):
        return field
    return f"{field} {{ {'total data { __typename }' if named.name.endswith('Page') else '__typename'} }}"


async def furnish(world: World, cast: Cast) -> dict[int, int]:
    """Create ten of everything for Alice, and two leads of Charlie whose previews have one offer and ten."""
    for i in range(MANY):
        following = await world.team(cast.alice)
        chain: dict[str, Any] = {"name": "Chain", "next_team_id": following.id, "mins_until_next_team": 5}
        created_at = NOW + timedelta(minutes=i)
        team = await world.team(cast.alice, OrderMethod.ROUND_ROBIN, zipcodes=["94105"], created_at=created_at, **chain)
        user, holder = await world.user(), await world.user()
        await world.member(team, user, RequestStatus.PENDING, has_email_alert=False)
        await world.option(team, cast.alice)
        await world.add(Turn(team_id=team.id, user_id=cast.alice.id, mark=1, taken=1, last_taken_at=NOW))
        for j in range(MANY):
            await world.add(
                WaitingInvitation(
                    team_id=team.id,
                    inviter_id=cast.alice.id,
                    email=f"{j}@example.com",
                    invited_at=NOW,
                    mail_at=NOW,
                    status=DeliveryStatus.PENDING,
                )
            )
        source = await world.source(cast.alice, f"Source {i}")
        await world.route(source, team)
        await world.api_key(cast.alice, ApiScope.READ, ApiScope.WRITE, source_id=source.id)
        lead = await world.lead(cast.alice, team, source_id=source.id)
        lead.gives_up_at = NOW
        await world.claimed(lead, holder)
        offer = await world.offer(lead, user)
        await world.add(Delivery(offer_id=offer.id, channel=Channel.EMAIL, status=DeliveryStatus.SENT))
        method = TeamSelectionMethod.SPECIFIC_TEAM
        rollout = LeadRollout(lead_id=lead.id, team_id=team.id, team_selection_method=method, submitted_at=NOW)
        await world.add(rollout)
        await world.add(RolloutOffer(rollout_id=rollout.id, offer_id=offer.id))
        await world.add(RolloutSkip(rollout_id=rollout.id, user_id=holder.id, reason=SkipReason.USER_AWAY))
    return {many: (await planned(world, cast, many)).id for many in (1, MANY)}


async def planned(world: World, cast: Cast, many: int) -> Lead:
    team = await world.team(cast.charlie)
    for rank in range(many):
        await world.member(team, await world.user(), rank=rank)
    return await world.lead(cast.charlie, team)


async def test_ten_parents_take_as_many_statements_as_one(api: Api, world: World, cast: Cast) -> None:
    leads = await furnish(world, cast)
    statements, unlike = api.statements(), {}
    for name, place in PLACES.items():
        kind, viewer = types()[name], api.user(cast.charlie if "$lead" in place else cast.alice)
        for field in kind.fields:
            taken = []
            for many in (1, MANY):
                at = place.replace("$limit", str(many)).replace("$lead", str(leads[many]))
                statements.clear()
                selected = at.replace("{}", f"parent: __typename {selection(kind, field)}")
                answer = await viewer.ask(f"{{ {selected} }}")
                assert str(answer).count(f"'parent': '{name}'") >= many
                taken.append(len(statements))
            if taken[0] != taken[1]:
                unlike[f"{name}.{field}"] = taken
    assert unlike == {}
