"""The words of every message and of every answer to one.

They name the lead's type and zipcode and the contact's first name: never how to reach the contact, whom only the
holder of the lead is told. What people have typed stands in no header with a line break of its own, and begins nothing
that is spoken.
"""

import re
from datetime import datetime
from zoneinfo import ZoneInfo

from app.db.models import Contact, Lead, User

Words = tuple[str, str]
"""Subject and text. Texts and calls have no subject; the console shows it."""


def offered(user: User, lead: Lead, contact: Contact, link: str | None = None) -> Words:
    """By e-mail: the lead is offered to the user, who may claim it; by the link, where there is one."""
    how = f"Claim it here: {link}" if link else "Claim or decline it in the app."
    return f"Lead offer: {about(lead, contact)}", (
        f"Hello {_plain(user.first_name)},\n\n"
        f"{_sentence(user, lead, contact)}\n\n"
        f"The lead goes to whoever claims it first. {how}\n"
    )


def offered_by_text(
    user: User, lead: Lead, contact: Contact, link: str | None = None, *, answers: bool = False
) -> Words:
    """The same in a text, which can be replied to where it `answers`. It ends with the link: no full stop joins it."""
    subject = f"Lead offer: {about(lead, contact)}"
    replies = "Reply 1 to claim it, STOP for no more texts. " if answers else ""
    how = f"Claim it here: {link}" if link else "Claim it in the app."
    return subject, f"{subject}. {_sentence(user, lead, contact)} It goes to who claims first. {replies}{how}"


def offered_by_call(user: User, lead: Lead, contact: Contact, *, answers: bool = False) -> Words:
    """The same to be spoken, with a key to press where the call `answers`."""
    how = "To claim it now, press 1." if answers else "Claim it in the app."
    said = f"Hello {_plain(user.first_name)}. You are offered a lead. {_sentence(user, lead, contact, spoken=True)}"
    return f"Lead offer: {about(lead, contact)}", f"{said} It goes to whoever claims it first. {how}"


def assigned(user: User, lead: Lead, contact: Contact) -> Words:
    """By e-mail: the user has the lead without having claimed it, by an automatic offer or given by its creator."""
    return f"Your new lead: {about(lead, contact)}", (
        f"Hello {_plain(user.first_name)},\n\n"
        f"{_sentence(user, lead, contact)}\n\n"
        "The lead is yours: you find how to reach them in the app.\n"
    )


def assigned_in_short(user: User, lead: Lead, contact: Contact) -> Words:
    """The same by text or call."""
    subject = f"Your new lead: {about(lead, contact)}"
    spoken = _sentence(user, lead, contact, spoken=True)
    return subject, f"You have a new lead. {spoken} You find how to reach them in the app."


def exhausted(creator: User, lead: Lead, contact: Contact) -> Words:
    """To the lead's creator: nobody has taken it."""
    return f"Nobody has taken the lead: {about(lead, contact)}", (
        f"Hello {_plain(creator.first_name)},\n\n"
        f"{_sentence(creator, lead, contact)}\n\n"
        "Nobody has claimed the lead, and everybody it was offered to has had their time. Submit it again to offer it "
        "to who has joined or is back, or assign it to somebody.\n"
    )


def claimed(lead: Lead, contact: Contact) -> str:
    """Answers who has claimed by a reply or a key."""
    return f"The lead is yours: {about(lead, contact)}. You find how to reach them in the app."


TAKEN = "Somebody else has this lead already."
NOT_OPEN = "This lead is not open for you any more."
NOTHING_OPEN = "No lead is open for you now."
NOTHING_DONE = "Nothing was changed. Goodbye."
HOW_TO_REPLY = "Reply 1 to claim the lead that you were offered last, STOP for no more texts, START for texts again."
TEXTS_AGAIN = "You get texts of leads again."


def about(lead: Lead, contact: Contact) -> str:
    """The lead in a few words: its type, else the contact's first name, and where."""
    kind = _plain(lead.type) or _plain(contact.first_name) or f"number {lead.id}"
    return f"{kind} in {lead.zipcode}" if lead.zipcode else kind


def _sentence(user: User, lead: Lead, contact: Contact, *, spoken: bool = False) -> str:
    name = _plain(contact.first_name) or "Somebody"
    zipcode = (" ".join(lead.zipcode) if spoken else lead.zipcode) if lead.zipcode else ""
    details = [_plain(lead.type), f"zipcode {zipcode}" if zipcode else ""]
    about = ", ".join(filter(None, details))
    zone = "" if spoken else f" ({user.timezone})"
    return f"{name} enquired{f' ({about})' if about else ''} on {_local(lead.created_at, user)}{zone}."


def _local(instant: datetime, user: User) -> str:
    return f"{instant.astimezone(ZoneInfo(user.timezone)):%A, %d %B %Y at %H:%M}"


def _plain(text: str | None) -> str:
    """One line of at most 80 characters that XML can hold, whatever was typed."""
    return " ".join(re.sub(r"[\x00-\x1f\x7f\u2028\u2029\ufffe\uffff]", " ", text or "").split())[:80]
