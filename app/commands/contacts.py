"""Contacts: the people whose enquiries are leads. A contact belongs to the user who entered it."""

from collections.abc import Mapping
from typing import Any

from sqlmodel.ext.asyncio.session import AsyncSession

from app.commands.contact_keys import add_keys, change_keys, keys_of
from app.commands.locks import lock_contact
from app.db.models import Contact
from app.domain.validation import Check, Rules, checking
from app.errors import ApiError, Code

RULES: Rules = {
    "first_name": Check.text,
    "last_name": Check.text,
    "email": Check.email,
    "mobile_phone": Check.phone,
}


async def create_contact(session: AsyncSession, viewer_id: int, new: Mapping[str, Any]) -> Contact:
    """Create a contact that belongs to the viewer. Raises BAD_USER_INPUT."""
    with checking() as check:
        checked = check.each(RULES, new)
    return await add_contact(session, viewer_id, checked)


async def add_contact(session: AsyncSession, owner_id: int, checked: Mapping[str, Any]) -> Contact:
    """Write a new contact, whose fields have been checked by RULES, and its keys."""
    contact = Contact(owner_id=owner_id, **checked)
    session.add(contact)
    await session.flush()
    await add_keys(session, owner_id, contact.id, keys_of(contact.email, contact.mobile_phone))
    return contact


async def update_contact(session: AsyncSession, viewer_id: int, contact_id: int, changes: Mapping[str, Any]) -> Contact:
    """Change the fields that `changes` names; null clears a field. Raises NOT_FOUND and BAD_USER_INPUT."""
    contact = await lock_contact(session, viewer_id, contact_id)
    if contact is None:
        raise ApiError(Code.NOT_FOUND, "There is no contact with this id.")
    with checking() as check:
        checked = check.each(RULES, changes)
    for name, value in checked.items():
        setattr(contact, name, value)
    await session.flush()
    await change_keys(session, contact)
    return contact
