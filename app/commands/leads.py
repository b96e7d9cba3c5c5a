"""Leads: entered and mended by their creator."""

from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from typing import Any

from sqlalchemy import exists
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from app.access import visibility
from app.commands import contacts
from app.commands.lead_targets import FIELDS, Target, check_source, check_target, target_of
from app.db.models import Contact, Lead, LeadOffer, LeadRoute
from app.domain.enums import OPEN_STATUSES, DistributionTarget
from app.domain.validation import Check, Rules, checking, fold
from app.errors import ApiError, Code

_RULES: Rules = {"type": Check.text, "zipcode": Check.zipcode}


async def create_lead(session: AsyncSession, viewer_id: int, new: Mapping[str, Any], now: datetime) -> Lead:
    """A lead of the viewer's, for a contact of theirs or a new one.

    Without a target it goes where the route of its source says, to the viewer where there is none. BAD_USER_INPUT.
    """
    with checking() as check:
        contact = await _contact(session, viewer_id, check, new)
        source_id = await check_source(session, viewer_id, check, "source_id", new.get("source_id"))
        checked = check.each(_RULES, new)
        target = await _target(session, viewer_id, check, new)
    assert contact is not None
    assert target is not None
    session.add(contact)
    await session.flush()
    lead = Lead(
        contact_id=contact.id,
        creator_id=viewer_id,
        source_id=source_id,
        created_at=now,
        watched_since=now,
        **asdict(target),
        **checked,
    )
    session.add(lead)
    await session.flush()
    return lead


async def _contact(session: AsyncSession, viewer_id: int, check: Check, new: Mapping[str, Any]) -> Contact | None:
    contact_id, sent = new.get("contact_id"), new.get("contact")
    if (contact_id is None) == (sent is None):
        check.refuse("contact_id", "is needed, or else contact: one of the two")
        return None
    if sent is not None:
        return Contact(owner_id=viewer_id, **check.each(contacts.RULES, sent, "contact."))
    found = select(Contact).where(col(Contact.id) == contact_id, visibility.contacts(viewer_id))
    contact = (await session.exec(found)).one_or_none()
    if contact is None:
        check.refuse("contact_id", "is the id of no contact that you entered")
    return contact


async def _target(session: AsyncSession, viewer_id: int, check: Check, new: Mapping[str, Any]) -> Target | None:
    if new.get("distribution_target") is not None:
        return await check_target(session, viewer_id, check, new)
    for field in ("team_selection_method", "team_id"):
        if new.get(field) is not None:
            check.refuse(field, "must not be given without distributionTarget")
    if new.get("source_id") is None:
        return Target(DistributionTarget.MYSELF)
    return await _of_route(session, viewer_id, new["source_id"], new.get("type"))


async def _of_route(session: AsyncSession, viewer_id: int, source_id: int, lead_type: str | None) -> Target:
    """The target of the source's route for this type, else of the one for all types."""
    serving = select(LeadRoute).where(
        visibility.lead_routes(viewer_id),
        col(LeadRoute.lead_source_id) == source_id,
        col(LeadRoute.lead_type_key).in_({fold(lead_type), ""}),
    )
    route = (await session.exec(serving.order_by(col(LeadRoute.lead_type_key).desc()).limit(1))).one_or_none()
    return Target(DistributionTarget.MYSELF) if route is None else target_of(route)


async def update_lead(
    session: AsyncSession, viewer_id: int, lead_id: int, changes: Mapping[str, Any], now: datetime
) -> Lead:
    """Changes what `changes` names; null clears.

    NOT_FOUND, FORBIDDEN, BAD_USER_INPUT. CONFLICT where target, method, team or zipcode would change while somebody
    has the lead or is offered it.
    """
    lead = await _own_lead(session, viewer_id, lead_id, now)
    with checking() as check:
        checked = check.each(_RULES, changes)
        target = target_of(lead)
        if FIELDS & changes.keys():
            target = await check_target(session, viewer_id, check, changes, target) or target
        if "source_id" in changes:
            lead.source_id = await check_source(session, viewer_id, check, "source_id", changes["source_id"])
    if target != target_of(lead) or checked.get("zipcode", lead.zipcode) != lead.zipcode:
        await _require_idle(session, lead)
    target.give(lead)
    for name, value in checked.items():
        setattr(lead, name, value)
    await session.flush()
    return lead


async def _own_lead(session: AsyncSession, viewer_id: int, lead_id: int, now: datetime) -> Lead:
    found = select(Lead).where(col(Lead.id) == lead_id, visibility.leads(viewer_id, now))
    lead = (await session.exec(found.with_for_update(of=Lead))).one_or_none()
    if lead is None:
        raise ApiError(Code.NOT_FOUND, "There is no such lead.")
    if lead.creator_id != viewer_id:
        raise ApiError(Code.FORBIDDEN, "Only the creator of a lead may change it.")
    return lead


async def _require_idle(session: AsyncSession, lead: Lead) -> None:
    is_offered = exists(select(1).where(col(LeadOffer.lead_id) == lead.id, col(LeadOffer.status).in_(OPEN_STATUSES)))
    if lead.claimed_by_id is not None or (await session.exec(select(is_offered))).one():
        raise ApiError(
            Code.CONFLICT, "Target, method, team and zipcode stay as they are while the lead is claimed or offered."
        )
