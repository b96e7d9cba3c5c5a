"""Team warnings: settings of a team that do not do what they seem to. A pure function finds them.

A warning forbids nothing. There is no warning about users who are away or deactivated: a submit lists them as skipped.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from app.domain.enums import Channel, OrderMethod
from app.domain.planner import Option, PlannedOffer, RolloutSettings


class TeamWarningCode(StrEnum):
    NO_USABLE_CHANNEL = "No usable channel"
    CHANNEL_NOT_SET_UP = "Channel not set up"
    NEVER_REACHED = "Never reached"
    ZIPCODE_OF_AN_OLDER_TEAM = "Zipcode of an older team"
    INVITATION_NOT_ACCEPTED = "Invitation not accepted"
    LIMIT_WITHOUT_NEXT_TEAM = "Limit without next team"
    NEXT_TEAM_HAS_NOBODY = "Next team has nobody"


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
class NextTeam:
    """The team to which an unclaimed lead goes on."""

    name: str
    people: Collection[Person]


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
    settings: RolloutSettings,
    next_team: NextTeam | None,
    unserved: Collection[Channel] = (),
) -> Iterator[TeamWarning]:
    """Yield the warnings of a team.

    `offers` are the offers of a lead submitted while nobody is away, in the planner's order and without a limit.
    `older_teams` maps each zipcode that an older team of the same creator also has to that team's name. `unserved` are
    the channels that this server cannot send on.
    """
    for person in people:
        if not person.has_accepted:
            message = f"{person.name} gets no offers: they have not accepted an invitation to the team."
            yield TeamWarning(TeamWarningCode.INVITATION_NOT_ACCEPTED, message, person.user_id)
    # In a team without any channel, a pond, the lead shows in everybody's list, and nobody is meant to be notified.
    is_pond = not any(person.option.alerts.channels for person in people)
    for person in people:
        if not is_pond and not _is_reachable(person):
            message = f"{person.name} cannot be notified of offers: {_why_unreachable(person)}."
            yield TeamWarning(TeamWarningCode.NO_USABLE_CHANNEL, message, person.user_id)
    for person in people:
        if channels := {*person.option.alerts.channels}.intersection(unserved):
            names = " and ".join(sorted(channel.lower() for channel in channels))
            message = f"{person.name} is alerted by {names}, but this server has no {names} channel configured."
            yield TeamWarning(TeamWarningCode.CHANNEL_NOT_SET_UP, message, person.user_id)
    if settings.order_method is not OrderMethod.ROUND_ROBIN:
        yield from _never_reached({person.user_id: person for person in people}, offers)
    for zipcode, name in sorted(older_teams.items()):
        message = f"Leads with the zipcode {zipcode} go to the older team {name}, which has this zipcode too."
        yield TeamWarning(TeamWarningCode.ZIPCODE_OF_AN_OLDER_TEAM, message, zipcode=zipcode)
    yield from _what_follows(settings.members_per_lead, next_team)


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

    A user with quiet hours may not get the lead: during quiet hours the assignment waits, and others are notified. Nor
    may a user with a cap, who is skipped for the rest of the day once it is reached.
    """
    automatic = (offer for offer in offers if offer.assign_automatically)
    taker = next((offer for offer in automatic if _takes_each(people[offer.user_id])), None)
    if taker is None:
        return
    for offer in offers:
        if offer is not taker and offer.notify_at >= taker.notify_at:
            name, taken_by = people[offer.user_id].name, people[taker.user_id].name
            message = f"{name} never gets a lead: each one is assigned to {taken_by} automatically first."
            yield TeamWarning(TeamWarningCode.NEVER_REACHED, message, offer.user_id)


def _takes_each(person: Person) -> bool:
    """Whether each lead that is offered to the person with an automatic assignment becomes theirs."""
    return not person.has_quiet_hours and person.option.max_leads_per_day is None


def _what_follows(limit: int | None, next_team: NextTeam | None) -> Iterator[TeamWarning]:
    """Warn of an unclaimed lead that goes on to nobody."""
    if limit is not None and next_team is None:
        members = "one member" if limit == 1 else f"{limit} members"
        message = f"A lead is offered to at most {members}, and no next team follows if nobody claims it."
        yield TeamWarning(TeamWarningCode.LIMIT_WITHOUT_NEXT_TEAM, message)
    if next_team is not None and not any(_can_be_offered(person) for person in next_team.people):
        message = f"An unclaimed lead goes on to the team {next_team.name}, but nobody there can be offered leads."
        yield TeamWarning(TeamWarningCode.NEXT_TEAM_HAS_NOBODY, message)


def _can_be_offered(person: Person) -> bool:
    """Whether a team can plan an offer to the person on a day on which nobody is away and no cap is reached."""
    return person.has_accepted and person.option.max_leads_per_day != 0
