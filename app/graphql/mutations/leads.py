"""Mutations of contacts and leads."""

from typing import Any

import strawberry

from app.commands import contacts, leads
from app.graphql.context import Info
from app.graphql.fields import column, payload, resolved
from app.graphql.inputs.fields import ContactId, Input, LeadId
from app.graphql.inputs.leads import ContactInput, CreateLeadInput, UpdateLeadInput
from app.graphql.inputs.writing import filled, given
from app.graphql.mutations.transaction import known_id, write
from app.graphql.types.contacts import Contact
from app.graphql.types.leads import Lead


@strawberry.type(description="Result of createContact.")
class CreateContactPayload:
    contact: Contact = column("The contact, as it is now.")


@strawberry.type(description="Result of updateContact.")
class UpdateContactPayload:
    contact: Contact = column("The contact, as it is now.")


@strawberry.type(description="Result of createLead.")
class CreateLeadPayload:
    lead: Lead = column("The lead, as it is now.")


@strawberry.type(description="Result of updateLead.")
class UpdateLeadPayload:
    lead: Lead = column("The lead, as it is now.")


async def _create_contact(info: Info, input: Input[ContactInput]) -> Any:  # noqa: A002
    contact = await write(
        info, lambda session: contacts.create_contact(session, info.context.viewer.id, given(input)), "input"
    )
    return payload(CreateContactPayload, contact=contact)


async def _update_contact(info: Info, id: ContactId, input: Input[ContactInput]) -> Any:  # noqa: A002
    contact = await write(
        info,
        lambda session: contacts.update_contact(session, info.context.viewer.id, known_id(id, "contact"), given(input)),
        "input",
    )
    return payload(UpdateContactPayload, contact=contact)


async def _create_lead(info: Info, input: Input[CreateLeadInput]) -> Any:  # noqa: A002
    lead = await write(
        info,
        lambda session: leads.create_lead(session, info.context.viewer.id, filled(input), info.context.now),
        "input",
    )
    return payload(CreateLeadPayload, lead=lead)


async def _update_lead(info: Info, id: LeadId, input: Input[UpdateLeadInput]) -> Any:  # noqa: A002
    lead = await write(
        info,
        lambda session: leads.update_lead(
            session, info.context.viewer.id, known_id(id, "lead"), given(input), info.context.now
        ),
        "input",
    )
    return payload(UpdateLeadPayload, lead=lead)


@strawberry.type
class LeadMutations:
    create_contact: CreateContactPayload | None = resolved(
        _create_contact, "Creates a contact that belongs to you. Not idempotent: each call creates another contact."
    )
    update_contact: UpdateContactPayload | None = resolved(
        _update_contact, "Changes a contact that you created. Idempotent. Errors: NOT_FOUND, BAD_USER_INPUT."
    )
    create_lead: CreateLeadPayload | None = resolved(
        _create_lead,
        "Creates a lead for one of your contacts, or for a new one. Nobody is offered it until you call "
        "submitLeadOffers. Not idempotent: each call creates another lead, unless the input has an externalId. Errors: "
        "BAD_USER_INPUT, and CONFLICT with leadId if you have a lead with this externalId from the source.",
    )
    update_lead: UpdateLeadPayload | None = resolved(
        _update_lead,
        "Changes a lead that you created. Idempotent. Errors: NOT_FOUND, FORBIDDEN (you did not create it), "
        "BAD_USER_INPUT, and CONFLICT if target, method, team or zipcode would change while the lead is claimed or has "
        "a SCHEDULED or SENT offer, or (with leadId) if you have another lead with its externalId from the new source.",
    )
