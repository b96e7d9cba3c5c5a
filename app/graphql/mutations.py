"""The mutations. Each is one transaction; a refusal has the field's own name as its path and wrote nothing."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import strawberry
from sqlmodel.ext.asyncio.session import AsyncSession

from app.auth import Scope
from app.commands.submit import Submitted, submit_lead_offers
from app.errors import Code, Refusal
from app.graphql.context import Info
from app.graphql.fields import resolved
from app.graphql.types.leads import Lead, SkippedMember
from app.graphql.types.offers import LeadOffer
from app.graphql.types.teams import Team
from app.ids import parse_id


@asynccontextmanager
async def writing(info: Info) -> AsyncIterator[AsyncSession]:
    """The transaction of one mutation. What the request has read before is forgotten at its end."""
    info.context.viewer.require(Scope.WRITE)
    async with info.context.db.write() as session:
        yield session
    info.context.forget()


def known_id(sent: str, what: str) -> int:
    """The number of an id that names what a mutation is about; NOT_FOUND for the id of nothing."""
    number = parse_id(sent)
    if number is None:
        raise Refusal(Code.NOT_FOUND, f"There is no {what} with this id.")
    return number


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
class Mutation:
    submit_lead_offers: SubmitLeadOffersPayload | None = resolved(
        _submit_lead_offers,
        "Offers a lead that you created to the members of its team: plans for each the moment at which they are told. "
        "Submitting again offers it to those who have joined, or are back, since.",
    )
