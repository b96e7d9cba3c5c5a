"""Leads: created and changed by their creator."""

from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, and_, exists, func, literal_column
from sqlalchemy.exc import IntegrityError
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from app.access import visibility
from app.commands import contacts
from app.commands.distribution_targets import check_target, set_target, target_of
from app.commands.lead_routes import find_routed_target
from app.commands.lead_sources import check_source
from app.commands.locks import lock_own_lead
from app.commands.offer_standing import IS_OPEN
from app.commands.step_end import set_gives_up_at
from app.db.driver_errors import TransactionConflict
from app.db.models import Contact, Lead, LeadOffer, LeadRollout
from app.domain.distribution_targets import MYSELF, TARGET_FIELDS, Target
from app.domain.identifiers import NO_ID
from app.domain.validation import Check, Rules, checking
from app.errors import ApiError, Code

RULES: Rules = {
    "type": Check.text,
    "zipcode": Check.zipcode,
    "message": Check.message,
    "listing_price": Check.price,
    "mls_id": Check.text,
    "listing_status": Check.text,
    "street_address": Check.text,
    "city": Check.text,
    "state": Check.text,
    "language": Check.text,
    "external_id": Check.text,
}
"""The method of Check that validates each column of a lead in which an enquiry says something."""


async def create_lead(session: AsyncSession, viewer_id: int, new: Mapping[str, Any], now: datetime) -> Lead:
    """Create a lead for one of the viewer's contacts, or for a new contact.

    If `new` has no distribution target, the routes of its source decide. Raises BAD_USER_INPUT, and CONFLICT if the
    viewer has a lead with this external id from the source.
    """
    with checking() as check:
        contact = await _contact(session, viewer_id, check, new)
        source_id = await check_source(session, viewer_id, check, "source_id", new.get("source_id"))
        checked = check.each(RULES, new)
        target = await _target(session, viewer_id, check, new)
    assert contact is not None
    assert target is not None

    lead = Lead(
        contact_id=contact.id,
        creator_id=viewer_id,
        source_id=source_id,
        created_at=now,
        watched_since=now,
        **asdict(target),
        **checked,
    )
    if (known_id := await write_lead(session, lead)) is not None:
        raise _is_known(known_id)
    await set_gives_up_at(session, [lead.id], now)
    return lead


async def write_lead(session: AsyncSession, lead: Lead, **changes: Any) -> int | None:
    """Write a new lead, or changes of one. Return the id of the lead that its creator already has from the source.

    That is a lead with the same external id: then nothing is written, and the transaction can go on. The unique index
    decides, so that exactly one of simultaneous requests succeeds. Otherwise, and without an external id, return None.
    """
    if lead.external_id is None:
        await _write(session, lead, changes)
        return None
    source_id = changes.get("source_id", lead.source_id) or NO_ID
    same = select(Lead.id).where(has_external_id(lead.creator_id, lead.external_id, source_id))
    try:
        async with session.begin_nested():
            await _write(session, lead, changes)
    except IntegrityError as error:
        known_id = (await session.exec(same)).one_or_none()
        if known_id is None:
            raise TransactionConflict("the lead with this external id has got another source") from error
        return known_id
    return None


def has_external_id(creator_id: Any, external_id: Any, source_id: Any) -> ColumnElement[bool]:
    """The creator has the lead from this source, NO_ID for none, with this external id. A unique index serves it."""
    from_source = func.coalesce(Lead.source_id, literal_column("0")) == source_id
    return and_(col(Lead.creator_id) == creator_id, col(Lead.external_id) == external_id, from_source)


async def _write(session: AsyncSession, lead: Lead, changes: Mapping[str, Any]) -> None:
    session.add(lead)
    for name, value in changes.items():
        setattr(lead, name, value)
    await session.flush()


def _is_known(lead_id: int) -> ApiError:
    message = f"Lead {lead_id} already has this external id from the source."
    return ApiError(Code.CONFLICT, message, {"leadId": str(lead_id)})


async def _contact(session: AsyncSession, viewer_id: int, check: Check, new: Mapping[str, Any]) -> Contact | None:
    contact_id, sent = new.get("contact_id"), new.get("contact")
    if (contact_id is None) == (sent is None):
        check.refuse("contact_id", "is required unless contact is given, and only one of them may be given")
        return None
    if sent is not None:
        checked = check.each(contacts.RULES, sent, "contact.")
        # Written before the target is checked, because the locks of teams come after those of keys.
        return None if check.problems else await contacts.add_contact(session, viewer_id, checked)
    found = select(Contact).where(col(Contact.id) == contact_id, visibility.contacts(viewer_id))
    contact = (await session.exec(found)).one_or_none()
    if contact is None:
        check.refuse("contact_id", "is not the id of a contact that you entered")
    return contact


async def _target(session: AsyncSession, viewer_id: int, check: Check, new: Mapping[str, Any]) -> Target | None:
    if new.get("distribution_target") is not None:
        return await check_target(session, viewer_id, check, new)
    for field in ("team_selection_method", "team_id"):
        if new.get(field) is not None:
            check.refuse(field, "must not be given without distributionTarget")
    if new.get("source_id") is None:
        return MYSELF

    return await find_routed_target(session, viewer_id, new["source_id"], new.get("type")) or MYSELF


async def update_lead(
    session: AsyncSession, viewer_id: int, lead_id: int, changes: Mapping[str, Any], now: datetime
) -> Lead:
    """Change the fields that `changes` names; null clears a field.

    Raises NOT_FOUND, FORBIDDEN, BAD_USER_INPUT, and CONFLICT if the target, method, team or zipcode of a lead would
    change while it is claimed or has a SCHEDULED or SENT offer, or if another lead from the new source has its external
    id.
    """
    lead = await lock_own_lead(session, viewer_id, lead_id, now, to="change")
    with checking() as check:
        checked = check.each(RULES, changes)
        target = target_of(lead)
        if changes.keys() & set(TARGET_FIELDS):
            target = await check_target(session, viewer_id, check, changes, target) or target
        if "source_id" in changes:
            checked["source_id"] = await check_source(session, viewer_id, check, "source_id", changes["source_id"])

    if target != target_of(lead) or checked.get("zipcode", lead.zipcode) != lead.zipcode:
        await _refuse_while_offered(session, lead)
        last_step = select(func.max(LeadRollout.id)).where(col(LeadRollout.lead_id) == lead.id)
        lead.ended_step_id = (await session.exec(last_step)).one()
    set_target(lead, target)
    if (known_id := await write_lead(session, lead, **checked)) is not None:
        raise _is_known(known_id)
    await set_gives_up_at(session, [lead.id], now)
    return lead


async def _refuse_while_offered(session: AsyncSession, lead: Lead) -> None:
    is_offered = exists(select(1).where(col(LeadOffer.lead_id) == lead.id, IS_OPEN))
    if lead.claimed_by_id is not None or (await session.exec(select(is_offered))).one():
        raise ApiError(
            Code.CONFLICT,
            "The target, method, team and zipcode cannot change while the lead is claimed or has an open offer.",
        )
