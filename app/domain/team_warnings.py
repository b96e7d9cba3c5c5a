"""Team warnings: settings of a team that do not do what they seem to. A pure function finds them.

A warning forbids nothing. There is no warning about users who are away or deactivated: a submit lists them as skipped.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from app.domain.enums import Channel
from app.domain.planner import Option, PlannedOffer


class TeamWarningCode(StrEnum):
    NO_USABLE_CHANNEL = "No usable channel"
    CHANNEL_NOT_SET_UP = "Channel not set up"
    NEVER_REACHED = "Never reached"
    ZIPCODE_OF_AN_OLDER_TEAM = "Zipcode of an older team"
    INVITATION_NOT_ACCEPTED = "Invitation not accepted"


@dataclass(frozen=True, slots=True)
class Person:
    """An active user with a distribution option in the team. The team's creator counts as accepted."""

    user_id: int
    name: str
    has_phone: bool
    takes_texts: bool
    """False once they have replied STOP to a text."""
    has_email: bool
    has_quiet_hours: bool
    has_accepted: bool
    option: Option


@dataclass(frozen=True, slots=True)
class TeamWarning:
    code: TeamWarningCode
    message: str
    user_id: int | None = None
    zipcode: str | None = None


def find_warnings(
    people: Collection[Person],
    offers: Sequence[PlannedOffer],
    older_teams: Mapping[str, str],
    unserved: Collection[Channel] = (),
) -> Iterator[TeamWarning]:
    """Yield the warnings of a team.

    `offers` are the offers of a lead submitted while nobody is away, in the planner's order. `older_teams` maps each
    zipcode that an older team of the same creator also has to that team's name. `unserved` are the channels that this
    server cannot send on.
    """
    for person in people:
        if not person.has_accepted:
            message = f"{person.name} gets no offers: they have not accepted an invitation to the team."
            yield TeamWarning(TeamWarningCode.INVITATION_NOT_ACCEPTED, message, person.user_id)
    for person in people:
        if not _is_reachable(person):
            message = f"{person.name} cannot be notified of offers: {_why_unreachable(person)}."
            yield TeamWarning(TeamWarningCode.NO_USABLE_CHANNEL, message, person.user_id)
    for person in people:
        if channels := {*person.option.alerts.channels}.intersection(unserved):
            names = " and ".join(sorted(channel.lower() for channel in channels))
            message = f"{person.name} is alerted by {names}, but this server has no {names} channel configured."
            yield TeamWarning(TeamWarningCode.CHANNEL_NOT_SET_UP, message, person.user_id)
    yield from _never_reached({person.user_id: person for person in people}, offers)
    for zipcode, name in sorted(older_teams.items()):
        message = f"Leads with the zipcode {zipcode} go to the older team {name}, which has this zipcode too."
        yield TeamWarning(TeamWarningCode.ZIPCODE_OF_AN_OLDER_TEAM, message, zipcode=zipcode)


def _is_reachable(person: Person) -> bool:
    reaches = {
        Channel.CALL: person.has_phone,
        Channel.TEXT: person.has_phone and person.takes_texts,
        Channel.EMAIL: person.has_email,
    }
    return any(reaches[channel] for channel in person.option.alerts.channels)


def _why_unreachable(person: Person) -> str:
    alerts = person.option.alerts
    if alerts.text and person.has_phone:
        return "they have opted out of texts to their number"
    if alerts.call or alerts.text:
        return "calls and texts need a phone number, and they have not entered one"
    return "their account has no e-mail address" if alerts.email else "no channel is switched on"


def _never_reached(people: Mapping[int, Person], offers: Sequence[PlannedOffer]) -> Iterator[TeamWarning]:
    """Warn of offers that are due with or after an automatic assignment, which takes the lead before they are sent.

    A user with quiet hours may not get the lead: during quiet hours the assignment waits, and others are notified.
    """
    automatic = (offer for offer in offers if offer.assign_automatically)
    taker = next((offer for offer in automatic if not people[offer.user_id].has_quiet_hours), None)
    if taker is None:
        return
    for offer in offers:
        if offer is not taker and offer.notify_at >= taker.notify_at:
            name, taken_by = people[offer.user_id].name, people[taker.user_id].name
            message = f"{name} never gets a lead: each one is assigned to {taken_by} automatically first."
            yield TeamWarning(TeamWarningCode.NEVER_REACHED, message, offer.user_id)
