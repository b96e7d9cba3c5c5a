"""The mutation that receives an enquiry."""

from typing import Any

import strawberry

from app.commands.receive import receive_lead
from app.domain.enums import SkipReason
from app.domain.planner import Skipped
from app.errors import ApiError
from app.graphql.context import Info
from app.graphql.enums import SubmitRefusalCode
from app.graphql.fields import column, payload, resolved
from app.graphql.inputs.fields import Input
from app.graphql.inputs.leads import ReceiveLeadInput
from app.graphql.inputs.writing import client_path, given
from app.graphql.mutations.offers import SubmitLeadOffersPayload
from app.graphql.mutations.transaction import write
from app.graphql.types.leads import Lead, SkippedMember


@strawberry.type(description="An optional value of an enquiry that could not be read, and was left out.")
class IgnoredField:
    field: str = column("Path of the field from the argument, for example input.zipcode.")
    message: str = column("Why the value could not be read.")


@strawberry.type(description="Why a lead that was received is offered to nobody yet.")
class SubmitRefusal:
    code: SubmitRefusalCode = column("The error code that submitLeadOffers would return.")
    message: str = column("The reason, in words.")
    skipped: list[SkippedMember] = column(
        "The members who were not offered the lead, with the reason. Empty unless the code is NO_ELIGIBLE_MEMBERS."
    )


@strawberry.type(description="Result of receiveLead: the lead, whether or not it could be offered to anybody.")
class ReceiveLeadPayload:
    lead: Lead = column("The lead, as it is now.")
    is_new: bool = column("False if this externalId had been received from the source before: nothing was written.")
    contact_is_new: bool = column("Whether a new contact was created. False if the lead is not new.")
    ignored: list[IgnoredField] = column("The optional values that could not be read, and were left out.")
    submitted: SubmitLeadOffersPayload | None = column(
        "Result of the submit, as submitLeadOffers returns it. Null if the lead is not new, stays with you, or could "
        "not be submitted."
    )
    refusal: SubmitRefusal | None = column(
        "Why the lead could not be submitted. It is kept, you are notified if nobody takes it, and submitLeadOffers "
        "can be called later. Null if it was submitted, stays with you, or is not new."
    )


async def _receive_lead(info: Info, input: Input[ReceiveLeadInput]) -> Any:  # noqa: A002
    received = await write(
        info,
        lambda session: receive_lead(session, info.context.viewer.id, given(input), info.context.now),
        "input",
    )
    return payload(
        ReceiveLeadPayload,
        lead=received.lead,
        is_new=received.is_new,
        contact_is_new=received.contact_is_new,
        ignored=[IgnoredField(field=client_path("input", p.field), message=p.message) for p in received.ignored],
        submitted=received.submitted,
        refusal=received.refusal and _refusal(received.refusal),
    )


def _refusal(error: ApiError) -> SubmitRefusal:
    skipped: Any = [  # Strawberry reads attributes
        Skipped(int(each["userId"]), SkipReason[each["reason"]]) for each in error.extensions.get("skipped", ())
    ]
    return SubmitRefusal(code=SubmitRefusalCode[error.code.name], message=error.message, skipped=skipped)


@strawberry.type
class ReceiveMutations:
    receive_lead: ReceiveLeadPayload | None = resolved(
        _receive_lead,
        "Receives an enquiry: finds or creates its contact, creates the lead, routes it by its source, and offers it "
        "to the team, all in one transaction. The lead is kept even if it cannot be offered: see refusal. Idempotent "
        "if it has an externalId. Errors: BAD_USER_INPUT (the contact has no valid e-mail address and no valid phone "
        "number, the source is not yours, or the externalId is too long), and CONFLICT with leadId in the extensions "
        "if the externalId is that of a lead whose contact has another e-mail address and phone number.",
    )
