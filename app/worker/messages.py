"""The texts of every message to users, and of every response to a reply.

Messages contain the lead's type, city, zipcode and price and the contact's first name. They never contain the contact's
e-mail address or phone number, nor what the contact wrote: only the lead's holder sees these, in the app. Values that
users have typed go through `presentable` (`app/worker/typed_text.py`), whichever field they are from. Spoken texts
never begin with such a value. Subjects contain the lead's number, so that mail programs do not show two leads as one
conversation.
"""

from collections.abc import Sequence
from datetime import UTC, datetime

from app.commands.replies import Choice
from app.db.models import Contact, Lead, Team, User
from app.domain.time_zones import find_zone
from app.worker.typed_text import presentable

Words = tuple[str, str]
"""A subject and a text. Texts and calls have no subject; only the console shows it."""


def offered(user: User, lead: Lead, contact: Contact, link: str | None = None) -> Words:
    """Return the e-mail that offers the lead to the user, with a link to claim it if there is one."""
    how = f"Claim it here: {link}" if link else "Claim or decline it in the app."
    return _title("Lead offer", lead, contact), (
        f"{_greeting(user, contact)},\n\n"
        f"{_enquiry(user, lead, contact)}\n\n"
        f"The lead goes to whoever claims it first. {how}\n"
    )


def offered_by_text(
    user: User, lead: Lead, contact: Contact, link: str | None = None, *, accepts_replies: bool = False
) -> Words:
    """Return the text that offers the lead to the user. It ends with the link, which no full stop may follow."""
    subject = _title("Lead offer", lead, contact)
    replies = f"Reply 1 {lead.id} to claim it, STOP to get no more texts. " if accepts_replies else ""
    how = f"Claim it here: {link}" if link else "Claim it in the app."
    return subject, f"{subject}. {_enquiry(user, lead, contact)} It goes to whoever claims it first. {replies}{how}"


def offered_by_call(user: User, lead: Lead, contact: Contact, *, accepts_replies: bool = False) -> Words:
    """Return the spoken text of a call that offers the lead to the user."""
    how = "To claim it now, press 1." if accepts_replies else "Claim it in the app."
    hello = f"{_greeting(user, contact)}. You are offered a lead."
    enquiry = _enquiry(user, lead, contact, spoken=True)
    return _title("Lead offer", lead, contact), f"{hello} {enquiry} It goes to whoever claims it first. {how}"


def assigned(user: User, lead: Lead, contact: Contact) -> Words:
    """Return the e-mail about a lead that was assigned to the user, automatically or by its creator."""
    return _title("Your new lead", lead, contact), (
        f"{_greeting(user, contact)},\n\n"
        f"{_enquiry(user, lead, contact)}\n\n"
        "The lead is yours. The app shows how to reach the contact.\n"
    )


def assigned_in_short(user: User, lead: Lead, contact: Contact) -> Words:
    """Return the text message or the spoken text of a call about such a lead."""
    enquiry = _enquiry(user, lead, contact, spoken=True)
    text = f"You have a new lead. {enquiry} The app shows how to reach the contact."
    return _title("Your new lead", lead, contact), text


def exhausted(creator: User, lead: Lead, contact: Contact) -> Words:
    """Return the e-mail to the lead's creator that nobody has claimed it."""
    return _title("Nobody has claimed lead", lead, contact), (
        f"{_greeting(creator, contact)},\n\n"
        f"{_enquiry(creator, lead, contact)}\n\n"
        "Nobody has claimed this lead, and nobody else is left to offer it to. Submit it again to offer it to members "
        "who have joined or returned since, or assign it to someone.\n"
    )


def invited(inviter: User, team: Team, url: str | None) -> Words:
    """Return the e-mail to somebody without an account who is invited to a team. `url` is that of the application."""
    names = filter(None, (presentable(inviter.first_name, None), presentable(inviter.last_name, None)))
    who, named = " ".join(names) or "Somebody", presentable(team.name, None)
    what = f"the team {named}" if named else "a team"
    where = f" here: {url}" if url else " to the app."
    return f"Invitation to {what}", (
        "Hello,\n\n"
        f"{who} has invited you to {what}, which shares leads.\n\n"
        "You have no account yet. It is created when you first sign in. Accept or decline the invitation there. Sign "
        f"in with this e-mail address{where}\n\n"
        "If you do not expect an invitation, ignore this e-mail.\n"
    )


def claimed(lead: Lead, contact: Contact) -> str:
    """Return the response to a reply or key that has claimed the lead."""
    return f"{_title('You have claimed lead', lead, contact)}. The app shows how to reach the contact."


TAKEN = "Somebody else already has this lead."
NOT_OPEN = "This offer is no longer open."
NOTHING_OPEN = "You have no open lead offers."
NOTHING_DONE = "Nothing was changed. Goodbye."
SHARED_NUMBER = "More than one person uses this number. Claim the lead by the link that you were sent, or in the app."
HOW_TO_REPLY = (
    "Reply 1 to claim your latest lead offer, 1 and a lead's number to claim that lead, STOP to get no more texts, "
    "START to get texts again."
)
TEXTS_AGAIN = "You will get texts about leads again."


def which_lead(choices: Sequence[Choice]) -> str:
    """Return the question that answers a reply from a number of several people, with at most three ways to go on."""
    named = [(each.lead_id, name) for each in choices if (name := presentable(each.first_name, each.contact))]
    asked = [f"1 {lead_id} {name} to claim lead {lead_id} as {name}" for lead_id, name in named]
    if len(set(asked)) < len(choices):  # a name is missing, or two people have the same
        return SHARED_NUMBER
    return f"More than one person uses this number. Which of you claims a lead? Reply {', or '.join(asked[:3])}."


def about(lead: Lead, contact: Contact) -> str:
    """Return a short name for the lead: its type or the contact's first name, and its city, else its zipcode."""
    kind = presentable(lead.type, contact) or presentable(contact.first_name, contact) or "Enquiry"
    place = presentable(lead.city, contact) or presentable(lead.zipcode, contact)
    return f"{kind} in {place}" if place else kind


def _title(what: str, lead: Lead, contact: Contact) -> str:
    return f"{what} {lead.id}: {about(lead, contact)}"


def _enquiry(user: User, lead: Lead, contact: Contact, *, spoken: bool = False) -> str:
    """Return a sentence that says who enquired about what and when, in the user's time zone."""
    name = presentable(contact.first_name, contact) or "Somebody"
    zipcode = presentable(lead.zipcode, contact)
    spelled = " ".join(zipcode) if spoken else zipcode
    price = "" if lead.listing_price is None else presentable(f"{lead.listing_price:,}", contact)
    known = [
        presentable(lead.type, contact),
        presentable(lead.city, contact),
        f"zipcode {spelled}" if spelled else "",
        f"price {price}" if price else "",
    ]
    details = ", ".join(filter(None, known))
    when, zone = _local_time(lead.created_at, user.timezone)
    return f"{name} enquired{f' ({details})' if details else ''} on {when}{'' if spoken else f' ({zone})'}."


def _greeting(user: User, contact: Contact) -> str:
    return f"Hello {presentable(user.first_name, contact)}".rstrip()


def _local_time(at: datetime, timezone: str) -> tuple[str, str]:
    """Return the time in words, and the name of its zone.

    The zone is UTC if this machine does not know the given one, or if the time leaves the years 1 to 9999 there: a lead
    of an import from before the bounds of timestamps.
    """
    try:
        local = at.astimezone(find_zone(timezone) or UTC)
    except OverflowError:
        local = at.astimezone(UTC)
    return f"{local:%A, %d %B %Y at %H:%M}", str(local.tzinfo)
