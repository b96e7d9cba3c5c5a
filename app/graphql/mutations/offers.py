"""Mutations of lead offers."""

import strawberry

from app.commands.submit import Submitted, submit_lead_offers
from app.graphql.context import Info
from app.graphql.fields import resolved
from app.graphql.mutations.transaction import known_id, writing
from app.graphql.types.leads import Lead, SkippedMember
from app.graphql.types.offers import LeadOffer
from app.graphql.types.teams import Team


@strawberry.type(description="What a submit did.")
class SubmitLeadOffersPayload:
    lead: Lead
    team: Team = strawberry.field(description="The team that was chosen.")
    offers: list[LeadOffer] = strawberry.field(
        description="Every offer of the lead by this team, created now or before, in the order of notifyAt, then id."
    )
    created_count: int = strawberry.field(description="How many of the offers this submit made.")
    skipped: list[SkippedMember] = strawberry.field(
        description="Members, and others with a distribution option, who got no new offer, and why."
    )


async def _submit_lead_offers(info: Info, lead_id: strawberry.ID) -> Submitted:
    async with writing(info) as session:
        context = info.context
        return await submit_lead_offers(session, context.viewer.id, known_id(lead_id, "lead"), context.now)


@strawberry.type
class OfferMutations:
    submit_lead_offers: SubmitLeadOffersPayload | None = resolved(
        _submit_lead_offers,
        "Offers a lead that you created to the members of its team: plans for each the moment at which they are told. "
        "Submitting again offers it to those who have joined, or are back, since.",
    )
