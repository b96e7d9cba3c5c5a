"""Mutations of offers and claims: submit, claim, decline, assign, release."""

from typing import Any

import strawberry

from app.commands.assign import assign_lead
from app.commands.claim import claim_lead_offer, decline_lead_offer
from app.commands.release import release_lead
from app.commands.submit import Submitted, submit_lead_offers
from app.domain.enums import ClaimedVia
from app.graphql.context import Info
from app.graphql.fields import column, payload, resolved
from app.graphql.inputs.fields import LeadId, LeadOfferId, UserId
from app.graphql.mutations.transaction import known_id, write
from app.graphql.types.leads import Lead, SkippedMember
from app.graphql.types.offers import LeadOffer
from app.graphql.types.preview import PassedOverTeam
from app.graphql.types.teams import Team


@strawberry.type(description="Result of submitLeadOffers.")
class SubmitLeadOffersPayload:
    lead: Lead = column("The lead, as it is now.")
    team: Team = column("The team that was chosen: the first of the chain with somebody to offer the lead to.")
    offers: list[LeadOffer] = column(
        "Every offer of the lead by this team, whether made now or earlier, ordered by notifyAt, then id."
    )
    created_count: int = column("Number of offers that this submit made.")
    skipped: list[SkippedMember] = column(
        "The members, and other users with a distribution option, who got no new offer, with the reason."
    )
    passed_over: list[PassedOverTeam] = column("The teams before the chosen one that had nobody, in order.")


async def _submit_lead_offers(info: Info, lead_id: LeadId) -> Submitted:
    return await write(
        info,
        lambda session: submit_lead_offers(
            session, info.context.viewer.id, known_id(lead_id, "lead"), info.context.now
        ),
    )


@strawberry.type(description="Result of claimLeadOffer.")
class ClaimLeadOfferPayload:
    lead_offer: LeadOffer = column("Your offer, now CLAIMED.")


@strawberry.type(description="Result of declineLeadOffer.")
class DeclineLeadOfferPayload:
    lead_offer: LeadOffer = column("Your offer, now DECLINED.")


@strawberry.type(description="Result of assignLead.")
class AssignLeadPayload:
    lead: Lead = column("The lead, now held by the user.")


@strawberry.type(description="Result of releaseLead.")
class ReleaseLeadPayload:
    lead: Lead = column(
        "The lead, as it is now: without a holder, unless an offer that assigns automatically was due and took it."
    )


async def _claim_lead_offer(info: Info, id: LeadOfferId) -> Any:  # noqa: A002
    offer = await write(
        info,
        lambda session: claim_lead_offer(
            session, info.context.viewer.id, known_id(id, "offer"), ClaimedVia.APP, info.context.now
        ),
    )
    return payload(ClaimLeadOfferPayload, lead_offer=offer)


async def _decline_lead_offer(info: Info, id: LeadOfferId) -> Any:  # noqa: A002
    offer = await write(
        info,
        lambda session: decline_lead_offer(session, info.context.viewer.id, known_id(id, "offer"), info.context.now),
    )
    return payload(DeclineLeadOfferPayload, lead_offer=offer)


async def _assign_lead(info: Info, id: LeadId, user_id: UserId) -> Any:  # noqa: A002
    lead = await write(
        info,
        lambda session: assign_lead(
            session, info.context.viewer.id, known_id(id, "lead"), known_id(user_id, "user"), info.context.now
        ),
    )
    return payload(AssignLeadPayload, lead=lead)


async def _release_lead(info: Info, id: LeadId) -> Any:  # noqa: A002
    lead = await write(
        info, lambda session: release_lead(session, info.context.viewer.id, known_id(id, "lead"), info.context.now)
    )
    return payload(ReleaseLeadPayload, lead=lead)


@strawberry.type
class OfferMutations:
    submit_lead_offers: SubmitLeadOffersPayload | None = resolved(
        _submit_lead_offers,
        "Offers a lead that you created to the members of its team, and schedules when each of them is notified. "
        "If the team has nobody, its nextTeam is asked, and so on. "
        "Repeating it keeps the open and declined offers and adds offers for members who have become eligible since, "
        "so createdCount may be 0. Errors, in this order: NOT_FOUND, FORBIDDEN (you did not create the lead), "
        "NOT_TEAM_ROLLOUT, ALREADY_CLAIMED, TEAM_NOT_USABLE, ZIPCODE_MISSING, NO_TEAM_FOR_ZIPCODE, "
        "NO_DISTRIBUTION_OPTIONS, NO_ELIGIBLE_MEMBERS (the error's extensions.skipped says why).",
    )
    claim_lead_offer: ClaimLeadOfferPayload | None = resolved(
        _claim_lead_offer,
        "Claims the lead of one of your offers. The offer must be due and SCHEDULED or SENT, else the error is "
        "OFFER_NOT_OPEN. Exactly one user can claim a lead; everyone else gets ALREADY_CLAIMED, with claimedBy and "
        "claimedAt in the error's extensions. Idempotent. Other errors: NOT_FOUND, FORBIDDEN (the offer is made to "
        "another user).",
    )
    decline_lead_offer: DeclineLeadOfferPayload | None = resolved(
        _decline_lead_offer,
        "Declines one of your offers. The offer must be SCHEDULED or SENT, else the error is OFFER_NOT_OPEN. If nobody "
        "else can claim the lead now, the next rank is notified at once. Idempotent. Other errors: NOT_FOUND, "
        "FORBIDDEN (the offer is made to another user).",
    )
    assign_lead: AssignLeadPayload | None = resolved(
        _assign_lead,
        "Assigns a lead that you created to yourself, or to an active, accepted member of a team that you created. A "
        "lead that is already claimed is taken from its holder, whose offer becomes EXPIRED. The new holder is "
        "notified, unless it is you. Idempotent. Errors: NOT_FOUND (no such lead, or no such user in your teams), "
        "FORBIDDEN (you did not create the lead).",
    )
    release_lead: ReleaseLeadPayload | None = resolved(
        _release_lead,
        "Releases a claimed lead: the holder gives it back, or its creator takes it from the holder. The holder's "
        "offer becomes DECLINED. Offers that the claim had ended open again, and their users are notified again. "
        "Errors: NOT_FOUND, FORBIDDEN (you neither hold nor created the lead), and CONFLICT if nobody holds it, also "
        "when repeated.",
    )
