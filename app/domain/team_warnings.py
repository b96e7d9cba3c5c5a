"""What in a team's settings will not do what it seems to: pure, as the planner is whose answer it reads.

A warning forbids nothing. Whoever is only away says nothing of the settings, and nobody who is switched off is looked
at: a submit names both.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from app.domain.alert_channels import alerted_on
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
    """Unless they have replied STOP."""
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


def warnings(
    people: Collection[Person],
    offers: Sequence[PlannedOffer],
    older_teams: Mapping[str, str],
    unserved: Collection[Channel] = (),
) -> Iterator[TeamWarning]:
    """What is wrong with a team.

    `offers` are what a lead would be planned as if all were there, in the order of a plan; `older_teams` has the name
    of the older team of the same creator by each zipcode that both have; `unserved` are channels that this server is
    not set up for.
    """
    yield from map(_not_accepted, (person for person in people if not person.has_accepted))
    yield from map(_unreachable, (person for person in people if not _can_be_told(person)))
    yield from (_not_set_up(person, used) for person in people if (used := {*alerted_on(person.option)} & {*unserved}))
    yield from _never_reached({person.user_id: person for person in people}, offers)
    for zipcode, name in sorted(older_teams.items()):
        message = f"Leads of {zipcode} go to the older team {name}, which has this zipcode, too."
        yield TeamWarning(TeamWarningCode.ZIPCODE_OF_AN_OLDER_TEAM, message, zipcode=zipcode)


def _not_accepted(person: Person) -> TeamWarning:
    message = f"{person.name} has an option, but has not accepted an invitation to the team, and is offered no leads."
    return TeamWarning(TeamWarningCode.INVITATION_NOT_ACCEPTED, message, person.user_id)


def _can_be_told(person: Person) -> bool:
    leads_to_them = {
        Channel.CALL: person.has_phone,
        Channel.TEXT: person.has_phone and person.takes_texts,
        Channel.EMAIL: person.has_email,
    }
    return any(leads_to_them[channel] for channel in alerted_on(person.option))


def _unreachable(person: Person) -> TeamWarning:
    option = person.option
    if option.has_text_alert and person.has_phone:
        why = "they have asked for no texts to their number"
    elif option.has_call_alert or option.has_text_alert:
        why = "a call or a text needs a phone number, which they have not entered"
    else:
        why = "their account has no address" if option.has_email_alert else "no channel is switched on"
    message = f"Nothing tells {person.name} of an offer: {why}. It shows in their list alone."
    return TeamWarning(TeamWarningCode.NO_USABLE_CHANNEL, message, person.user_id)


def _not_set_up(person: Person, channels: Collection[Channel]) -> TeamWarning:
    names = " and ".join(sorted(channel.lower() for channel in channels))
    message = f"{person.name} is to be alerted by {names}, which this server is not set up for."
    return TeamWarning(TeamWarningCode.CHANNEL_NOT_SET_UP, message, person.user_id)


def _never_reached(people: Mapping[int, Person], offers: Sequence[PlannedOffer]) -> Iterator[TeamWarning]:
    """Those whose turn comes with or after an automatic assignment: the lead is given away before they are told.

    Quiet hours hold an assignment back, so that others are reached meanwhile.
    """
    taker = _first_taker(people, offers)
    for offer in offers:
        if taker is not None and offer is not taker and offer.notify_at >= taker.notify_at:
            name, taken_by = people[offer.user_id].name, people[taker.user_id].name
            message = f"{name} is never told of a lead: it is assigned to {taken_by} automatically before."
            yield TeamWarning(TeamWarningCode.NEVER_REACHED, message, offer.user_id)


def _first_taker(people: Mapping[int, Person], offers: Iterable[PlannedOffer]) -> PlannedOffer | None:
    return next(
        (offer for offer in offers if offer.assign_automatically and not people[offer.user_id].has_quiet_hours), None
    )
