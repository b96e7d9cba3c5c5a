"""Team warnings: one case per rule, without a database."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from app.domain.alert_channels import Alerts
from app.domain.enums import Channel, OrderMethod
from app.domain.planner import Option, PlannedOffer, RolloutSettings
from app.domain.team_warnings import NextTeam, Person, TeamWarning, TeamWarningCode, find_warnings

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
BY_RANK = RolloutSettings(OrderMethod.RANK, 15)
TEXT, CALL, EMAIL = Alerts(text=True), Alerts(call=True), Alerts(email=True)


def person(user_id: int = 1, alerts: Alerts = EMAIL, **facts: bool) -> Person:
    """An accepted member without a phone, who is alerted by e-mail."""
    known = {"has_phone": False, "takes_texts": True, "has_email": True, "has_quiet_hours": False, "has_accepted": True}
    option = Option(rank=user_id, minutes=0, assign_automatically=False, alerts=alerts)
    return Person(user_id=user_id, name=f"User {user_id}", option=option, **(known | facts))


def warnings(
    people: Sequence[Person],
    offers: Sequence[PlannedOffer] = (),
    older_teams: Mapping[str, str] | None = None,
    settings: RolloutSettings = BY_RANK,
    next_team: NextTeam | None = None,
    unserved: Sequence[Channel] = (),
) -> list[TeamWarning]:
    return list(find_warnings(people, offers, older_teams or {}, settings, next_team, unserved))


def codes(*people: Person, **known: Any) -> list[TeamWarningCode]:
    return [warning.code for warning in warnings(people, **known)]


COLLEAGUE = person(9)
"""A member who is alerted by e-mail, so that the team is no pond."""


@pytest.mark.parametrize(
    ("alerts", "facts", "is_reachable"),
    [
        (EMAIL, {}, True),
        (EMAIL, {"has_email": False}, False),
        (Alerts(), {}, False),
        (TEXT, {}, False),
        (CALL, {"has_phone": True}, True),
        (Alerts(text=True, email=True), {}, True),
        (Alerts(), {"has_phone": True}, False),
        (TEXT, {"has_phone": True}, True),
        (TEXT, {"has_phone": True, "takes_texts": False}, False),
        (CALL, {"has_phone": True, "takes_texts": False}, True),
    ],
)
def test_a_channel_is_usable_if_it_is_on_and_reaches_the_user(
    alerts: Alerts, facts: dict[str, bool], is_reachable: bool
) -> None:
    assert codes(person(alerts=alerts, **facts), COLLEAGUE) == (
        [] if is_reachable else [TeamWarningCode.NO_USABLE_CHANNEL]
    )


@pytest.mark.parametrize(
    ("alerts", "facts", "reason"),
    [
        (TEXT, {"has_phone": True, "takes_texts": False}, "they have opted out of texts to their number"),
        (TEXT, {}, "calls and texts need a phone number, and they have not entered one"),
        (CALL, {}, "calls and texts need a phone number, and they have not entered one"),
        (EMAIL, {"has_email": False}, "their account has no e-mail address"),
        (Alerts(), {}, "no channel is switched on"),
    ],
)
def test_the_message_says_why_a_user_is_unreachable(alerts: Alerts, facts: dict[str, bool], reason: str) -> None:
    (warning,) = warnings([person(alerts=alerts, **facts), COLLEAGUE])
    words = f"User 1 cannot be notified of offers: {reason}."
    assert warning == TeamWarning(TeamWarningCode.NO_USABLE_CHANNEL, words, 1)


def test_only_channels_that_an_option_uses_are_not_set_up() -> None:
    texted = person(alerts=Alerts(text=True, email=True))
    assert codes(texted, unserved=[Channel.TEXT, Channel.CALL]) == [TeamWarningCode.CHANNEL_NOT_SET_UP]
    assert codes(texted, unserved=[Channel.CALL]) == []
    unserved = warnings([texted], unserved=[Channel.TEXT, Channel.EMAIL])
    words = "User 1 is alerted by email and text, but this server has no email and text channel configured."
    assert unserved == [TeamWarning(TeamWarningCode.CHANNEL_NOT_SET_UP, words, 1)]


def test_a_member_who_has_not_accepted_is_a_warning() -> None:
    words = "User 1 gets no offers: they have not accepted an invitation to the team."
    assert warnings([person(has_accepted=False)]) == [TeamWarning(TeamWarningCode.INVITATION_NOT_ACCEPTED, words, 1)]


@pytest.mark.parametrize(("quiet", "unreached"), [(False, [2, 3]), (True, [])])
def test_offers_with_or_after_an_automatic_one_are_never_reached(quiet: bool, unreached: list[int]) -> None:
    """An automatic assignment to a user with quiet hours may wait, so that others are notified first."""
    people = [person(1, has_quiet_hours=quiet), person(2), person(3)]
    found = warnings(people, FIRST_IS_AUTOMATIC)
    assert {warning.code for warning in found} <= {TeamWarningCode.NEVER_REACHED}
    assert [warning.user_id for warning in found] == unreached
    words = "never gets a lead: each one is assigned to User 1 automatically first."
    assert [warning.message for warning in found] == [f"User {user_id} {words}" for user_id in unreached]


FIRST_IS_AUTOMATIC = [
    PlannedOffer(rank, NOW + timedelta(minutes=minutes), rank, assign_automatically=rank == 1, alerts=EMAIL)
    for rank, minutes in ((1, 0), (2, 0), (3, 15))
]


@pytest.mark.parametrize(("cap", "unreached"), [(None, [2, 3]), (1, []), (1000, [])])
def test_members_after_an_automatic_one_with_a_cap_are_reached(cap: int | None, unreached: list[int]) -> None:
    taker = person(1)
    capped = replace(taker, option=replace(taker.option, max_leads_per_day=cap))
    found = warnings([capped, person(2), person(3)], FIRST_IS_AUTOMATIC)
    assert [warning.user_id for warning in found] == unreached


@pytest.mark.parametrize(("method", "unreached"), [*zip(OrderMethod, ([2, 3], [2, 3], []), strict=True)])
def test_in_turn_everybody_is_reached(method: OrderMethod, unreached: list[int]) -> None:
    people = [person(1), person(2), person(3)]
    found = warnings(people, FIRST_IS_AUTOMATIC, settings=RolloutSettings(method, 0))
    assert [warning.user_id for warning in found] == unreached


def test_no_member_of_a_pond_needs_a_channel() -> None:
    silent = [person(1, Alerts()), person(2, Alerts(), has_email=False)]
    assert codes(*silent) == []
    assert codes(*silent, COLLEAGUE) == [TeamWarningCode.NO_USABLE_CHANNEL] * 2
    assert codes(*silent, person(3, TEXT)) == [TeamWarningCode.NO_USABLE_CHANNEL] * 3


@pytest.mark.parametrize(("limit", "members"), [(1, "one member"), (3, "3 members")])
def test_a_limit_without_a_next_team_is_a_warning(limit: int, members: str) -> None:
    limited = replace(BY_RANK, members_per_lead=limit)
    words = f"A lead is offered to at most {members}, and no next team follows if nobody claims it."
    assert warnings([COLLEAGUE], settings=limited) == [TeamWarning(TeamWarningCode.LIMIT_WITHOUT_NEXT_TEAM, words)]
    assert warnings([COLLEAGUE], settings=limited, next_team=NextTeam("West", [COLLEAGUE])) == []


@pytest.mark.parametrize(
    ("people", "has_somebody"),
    [
        ([], False),
        ([person(1, has_accepted=False)], False),
        ([replace(COLLEAGUE, option=replace(COLLEAGUE.option, max_leads_per_day=0))], False),
        ([replace(COLLEAGUE, option=replace(COLLEAGUE.option, max_leads_per_day=1))], True),
        ([person(1, has_accepted=False), person(2, Alerts())], True),
    ],
)
def test_a_next_team_needs_somebody_who_can_be_offered_leads(people: list[Person], has_somebody: bool) -> None:
    words = "An unclaimed lead goes on to the team West, but nobody there can be offered leads."
    expected = [] if has_somebody else [TeamWarning(TeamWarningCode.NEXT_TEAM_HAS_NOBODY, words)]
    assert warnings([COLLEAGUE], next_team=NextTeam("West", people)) == expected


def test_zipcodes_of_older_teams_are_named_in_order() -> None:
    found = warnings([], older_teams={"94106": "Older", "02138": "Oldest"})
    assert [(warning.code, warning.zipcode) for warning in found] == [
        (TeamWarningCode.ZIPCODE_OF_AN_OLDER_TEAM, "02138"),
        (TeamWarningCode.ZIPCODE_OF_AN_OLDER_TEAM, "94106"),
    ]
    assert "Oldest" in found[0].message
