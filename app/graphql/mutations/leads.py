"""Mutations of contacts and of what they enquired."""

from typing import Any

import strawberry

from app.commands import contacts, leads
from app.graphql.context import Info
from app.graphql.fields import payload, resolved
from app.graphql.inputs.leads import ContactInput, CreateLeadInput, UpdateLeadInput
from app.graphql.inputs.writing import filled, given
from app.graphql.mutations.transaction import known_id, writing
from app.graphql.types.contacts import Contact
from app.graphql.types.leads import Lead


@strawberry.type(description="The new contact.")
class CreateContactPayload:
    contact: Contact


@strawberry.type(description="The contact as it is now.")
class UpdateContactPayload:
    contact: Contact


@strawberry.type(description="The new lead.")
class CreateLeadPayload:
    lead: Lead


@strawberry.type(description="The lead as it is now.")
class UpdateLeadPayload:
    lead: Lead


async def _create_contact(info: Info, input: ContactInput) -> Any:  # noqa: A002
    async with writing(info, "input") as session:
        contact = await contacts.create_contact(session, info.context.viewer.id, given(input))
    return payload(CreateContactPayload, contact=contact)


async def _update_contact(info: Info, id: strawberry.ID, input: ContactInput) -> Any:  # noqa: A002
    async with writing(info, "input") as session:
        contact_id = known_id(id, "contact")
        contact = await contacts.update_contact(session, info.context.viewer.id, contact_id, given(input))
    return payload(UpdateContactPayload, contact=contact)


async def _create_lead(info: Info, input: CreateLeadInput) -> Any:  # noqa: A002
    async with writing(info, "input") as session:
        lead = await leads.create_lead(session, info.context.viewer.id, filled(input), info.context.now)
    return payload(CreateLeadPayload, lead=lead)


async def _update_lead(info: Info, id: strawberry.ID, input: UpdateLeadInput) -> Any:  # noqa: A002
    async with writing(info, "input") as session:
        context = info.context
        lead = await leads.update_lead(session, context.viewer.id, known_id(id, "lead"), given(input), context.now)
    return payload(UpdateLeadPayload, lead=lead)


@strawberry.type
class LeadMutations:
    create_contact: CreateContactPayload | None = resolved(_create_contact, "Enters a person who enquires.")
    update_contact: UpdateContactPayload | None = resolved(
        _update_contact, "Of a contact that you entered. A field left out stays as it is."
    )
    create_lead: CreateLeadPayload | None = resolved(
        _create_lead, "Enters an enquiry of a contact. Nobody is offered it before submitLeadOffers."
    )
    update_lead: UpdateLeadPayload | None = resolved(
        _update_lead,
        "Only the lead's creator. Target, method, team and zipcode change only while nobody has the lead and no offer "
        "of it is scheduled or sent.",
    )
