"""Mutations of offers and of who has a lead: submit, claim, decline, assign, release."""

from typing import Any

import strawberry

from app.commands.assign import assign_lead
from app.commands.claim import claim_lead_offer, decline_lead_offer
from app.commands.release import release_lead
from app.commands.submit import Submitted, submit_lead_offers
from app.domain.enums import ClaimedVia
from app.graphql.context import Info
from app.graphql.fields import payload, resolved
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


@strawberry.type(description="The offer, with which you have the lead now.")
class ClaimLeadOfferPayload:
    lead_offer: LeadOffer


@strawberry.type(description="The offer, declined.")
class DeclineLeadOfferPayload:
    lead_offer: LeadOffer


@strawberry.type(description="The lead with its new holder.")
class AssignLeadPayload:
    lead: Lead


@strawberry.type(description="The lead, free again, or given on to whom an automatic offer of it was due.")
class ReleaseLeadPayload:
    lead: Lead


async def _claim_lead_offer(info: Info, id: strawberry.ID) -> Any:  # noqa: A002
    async with writing(info) as session:
        viewer_id, now = info.context.viewer.id, info.context.now
        offer = await claim_lead_offer(session, viewer_id, known_id(id, "offer"), ClaimedVia.APP, now)
    return payload(ClaimLeadOfferPayload, lead_offer=offer)


async def _decline_lead_offer(info: Info, id: strawberry.ID) -> Any:  # noqa: A002
    async with writing(info) as session:
        offer = await decline_lead_offer(session, info.context.viewer.id, known_id(id, "offer"), info.context.now)
    return payload(DeclineLeadOfferPayload, lead_offer=offer)


async def _assign_lead(info: Info, id: strawberry.ID, user_id: strawberry.ID) -> Any:  # noqa: A002
    async with writing(info) as session:
        viewer_id, now = info.context.viewer.id, info.context.now
        lead = await assign_lead(session, viewer_id, known_id(id, "lead"), known_id(user_id, "user"), now)
    return payload(AssignLeadPayload, lead=lead)


async def _release_lead(info: Info, id: strawberry.ID) -> Any:  # noqa: A002
    async with writing(info) as session:
        lead = await release_lead(session, info.context.viewer.id, known_id(id, "lead"), info.context.now)
    return payload(ReleaseLeadPayload, lead=lead)


@strawberry.type
class OfferMutations:
    submit_lead_offers: SubmitLeadOffersPayload | None = resolved(
        _submit_lead_offers,
        "Offers a lead that you created to the members of its team: plans for each the moment at which they are told. "
        "Submitting again offers it to those who have joined, or are back, since.",
    )
    claim_lead_offer: ClaimLeadOfferPayload | None = resolved(
        _claim_lead_offer,
        "Takes the lead of an offer made to you that is SCHEDULED or SENT and due. Of all who try one gets it, the "
        "others ALREADY_CLAIMED; claiming again answers the same.",
    )
    decline_lead_offer: DeclineLeadOfferPayload | None = resolved(
        _decline_lead_offer,
        "Turns down an offer made to you that is SCHEDULED or SENT. Where nobody else can claim the lead now, those "
        "who come next by rank are offered it at once.",
    )
    assign_lead: AssignLeadPayload | None = resolved(
        _assign_lead,
        "Gives a lead that you created, claimed or not, to yourself or to an active, accepted member of a team that "
        "you created. Who is given it by another is told.",
    )
    release_lead: ReleaseLeadPayload | None = resolved(
        _release_lead,
        "Gives back a lead that you have, or takes one that you created from its holder, whose offer becomes DECLINED. "
        "Members who have not declined may claim it again, and are told again.",
    )
