"""The words of every message.

They name the lead's type and zipcode and the contact's first name: never how to reach the contact, whom only the
holder of the lead is told. What people have typed stands in no header with a line break of its own.
"""

import re
from datetime import datetime
from zoneinfo import ZoneInfo

from app.models import Contact, Lead, User

Words = tuple[str, str]
"""Subject and text."""


def offered(user: User, lead: Lead, contact: Contact, link: str | None = None) -> Words:
    """The lead is offered to the user, who may claim it; by the link, where there is one."""
    how = f"Claim it here: {link}" if link else "Claim or decline it in the app."
    return f"Lead offer: {about(lead, contact)}", (
        f"Hello {_plain(user.first_name)},\n\n"
        f"{_sentence(user, lead, contact)}\n\n"
        f"The lead goes to whoever claims it first. {how}\n"
    )


def assigned(user: User, lead: Lead, contact: Contact) -> Words:
    """The user has the lead without having claimed it: by an automatic offer, or given by its creator."""
    return f"Your new lead: {about(lead, contact)}", (
        f"Hello {_plain(user.first_name)},\n\n"
        f"{_sentence(user, lead, contact)}\n\n"
        "The lead is yours: you find how to reach them in the app.\n"
    )


def exhausted(creator: User, lead: Lead, contact: Contact) -> Words:
    """To the lead's creator: nobody has taken it."""
    return f"Nobody has taken the lead: {about(lead, contact)}", (
        f"Hello {_plain(creator.first_name)},\n\n"
        f"{_sentence(creator, lead, contact)}\n\n"
        "Nobody has claimed the lead, and everybody it was offered to has had their time. Submit it again to offer it "
        "to who has joined or is back, or assign it to somebody.\n"
    )


def about(lead: Lead, contact: Contact) -> str:
    """The lead in a few words: its type, else the contact's first name, and where."""
    kind = _plain(lead.type) or _plain(contact.first_name) or f"number {lead.id}"
    return f"{kind} in {lead.zipcode}" if lead.zipcode else kind


def _sentence(user: User, lead: Lead, contact: Contact) -> str:
    name = _plain(contact.first_name) or "Somebody"
    details = [_plain(lead.type), f"zipcode {lead.zipcode}" if lead.zipcode else ""]
    about = ", ".join(filter(None, details))
    enquired = f"{name} enquired{f' ({about})' if about else ''}"
    return f"{enquired} on {_local(lead.created_at, user)}."


def _local(instant: datetime, user: User) -> str:
    return f"{instant.astimezone(ZoneInfo(user.timezone)):%A, %d %B %Y at %H:%M} ({user.timezone})"


def _plain(text: str | None) -> str:
    """One line of at most 80 characters, whatever was typed."""
    return " ".join(re.sub(r"[\x00-\x1f\x7f\u2028\u2029]", " ", text or "").split())[:80]
