"""The REST API's operations that take enquiries in: `POST /leads` and `POST /intake/{key}`.

A key with the scope INTAKE alone may stand in a public page. Its responses say whether the external id was known, and
nothing else: neither of the lead, nor of the contact, nor of the team.
"""

from collections.abc import Sequence
from typing import Any

from sqlmodel.ext.asyncio.session import AsyncSession

from app.commands.receive import Received, receive_lead
from app.db.models import Contact, Lead
from app.domain.enums import ApiScope
from app.domain.timestamps import format_instant
from app.errors import ApiError, Code
from app.rest.enquiry_body import EnquiryBody, read_enquiry
from app.rest.error_body import convert_extensions
from app.rest.handlers import AuthenticatedRequest, StatusAndBody
from app.rest.serialization import serialize_lead

INTAKE_PATH = "/intake/"
"""The path of enquiries with an API key in their address. The key is secret: paths below it are not logged."""


async def receive(request: AuthenticatedRequest) -> StatusAndBody:
    """Take in the enquiry in the body. The status is 201 for a new lead and 200 for a known one.

    FORBIDDEN without one of the scopes INTAKE and WRITE, and otherwise the errors of `read_enquiry` and `receive_lead`.
    """
    viewer = request.viewer
    if ApiScope.INTAKE not in viewer.scopes:
        viewer.require(ApiScope.WRITE)
    body = await read_enquiry(request.request, request.settings)
    source_id = viewer.key.source_id if viewer.key else None

    async def run(session: AsyncSession) -> tuple[Received, Contact | None]:
        received = await receive_lead(session, viewer.id, body.enquiry, request.now, only_source_id=source_id)
        return received, await session.get(Contact, received.lead.contact_id) if _may_read(request) else None

    try:
        with body.field_names():
            received, contact = await request.db.in_transaction(run)
    except ApiError as error:
        if error.code is Code.CONFLICT and not _may_read(request):
            raise ApiError(Code.CONFLICT, "Another enquiry has this external_id.") from error
        raise

    ignored = _ignored(body, received)
    status = 201 if received.is_new else 200
    if contact is None:
        return status, {"id": received.lead.id, "is_new": received.is_new, "ignored": ignored}
    return status, {
        "lead": _lead(received.lead, contact),
        "is_new": received.is_new,
        "contact_is_new": received.contact_is_new,
        "ignored": ignored,
        "refusal": received.refusal and _refusal(received.refusal),
        "created_count": received.submitted.created_count if received.submitted else 0,
    }


def _lead(lead: Lead, contact: Contact) -> dict[str, Any]:
    """Return the lead with what its route depends on."""
    return {
        **serialize_lead(lead, contact, may_read_message=True),  # to its creator
        "source_id": lead.source_id,
        "type": lead.type,
        "zipcode": lead.zipcode,
        "created_at": format_instant(lead.created_at),
    }


def _may_read(request: AuthenticatedRequest) -> bool:
    """Return whether the response has the lead: for access tokens that write, and for keys that read and write."""
    viewer = request.viewer
    needed = {ApiScope.WRITE} if viewer.key is None else {ApiScope.READ, ApiScope.WRITE}
    return needed <= viewer.scopes


def _ignored(body: EnquiryBody, received: Received) -> Sequence[dict[str, str]]:
    problems = [*map(body.spell, received.ignored), *body.unknown]
    return [{"field": problem.field, "message": problem.message} for problem in problems]


def _refusal(error: ApiError) -> dict[str, Any]:
    """Return why a submit would be refused, in the conventions of this API's errors."""
    return {"code": error.code, "message": error.message, "skipped": [], **convert_extensions(error.extensions)}
