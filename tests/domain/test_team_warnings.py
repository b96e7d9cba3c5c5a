"""Team warnings: one case per rule, without a database."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from app.domain.alert_channels import Alerts
from app.domain.enums import Channel
from app.domain.planner import Option, PlannedOffer
from app.domain.team_warnings import Person, TeamWarning, TeamWarningCode, find_warnings

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
TEXT, CALL, EMAIL = Alerts(text=True), Alerts(call=True), Alerts(email=True)


def person(user_id: int = 1, alerts: Alerts = EMAIL, **facts: bool) -> Person:
    """An accepted member without a phone, who is alerted by e-mail."""
    known = {"has_phone": False, "takes_texts": True, "has_email": True, "has_quiet_hours": False, "has_accepted": True}
    option = Option(rank=user_id, minutes=0, assign_automatically=False, alerts=alerts)
    return Person(user_id=user_id, name=f"User {user_id}", option=option, **(known | facts))


def codes(*people: Person, **known: Any) -> list[TeamWarningCode]:
    return [warning.code for warning in find_warnings(people, (), {}, **known)]


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
    assert codes(person(alerts=alerts, **facts)) == ([] if is_reachable else [TeamWarningCode.NO_USABLE_CHANNEL])


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
    (warning,) = find_warnings([person(alerts=alerts, **facts)], (), {})
    words = f"User 1 cannot be notified of offers: {reason}."
    assert warning == TeamWarning(TeamWarningCode.NO_USABLE_CHANNEL, words, 1)


def test_only_channels_that_an_option_uses_are_not_set_up() -> None:
    texted = person(alerts=Alerts(text=True, email=True))
    assert codes(texted, unserved=[Channel.TEXT, Channel.CALL]) == [TeamWarningCode.CHANNEL_NOT_SET_UP]
    assert codes(texted, unserved=[Channel.CALL]) == []
    unserved = list(find_warnings([texted], (), {}, [Channel.TEXT, Channel.EMAIL]))
    words = "User 1 is alerted by email and text, but this server has no email and text channel configured."
    assert unserved == [TeamWarning(TeamWarningCode.CHANNEL_NOT_SET_UP, words, 1)]


def test_a_member_who_has_not_accepted_is_a_warning() -> None:
    words = "User 1 gets no offers: they have not accepted an invitation to the team."
    assert list(find_warnings([person(has_accepted=False)], (), {})) == [
        TeamWarning(TeamWarningCode.INVITATION_NOT_ACCEPTED, words, 1)
    ]


@pytest.mark.parametrize(("quiet", "unreached"), [(False, [2, 3]), (True, [])])
def test_offers_with_or_after_an_automatic_one_are_never_reached(quiet: bool, unreached: list[int]) -> None:
    """An automatic assignment to a user with quiet hours may wait, so that others are notified first."""
    first, second, third = (
        PlannedOffer(rank, NOW + timedelta(minutes=minutes), rank, assign_automatically=False, alerts=EMAIL)
        for rank, minutes in ((1, 0), (2, 0), (3, 15))
    )
    people = [person(1, has_quiet_hours=quiet), person(2), person(3)]
    found = list(find_warnings(people, [replace(first, assign_automatically=True), second, third], {}))
    assert {warning.code for warning in found} <= {TeamWarningCode.NEVER_REACHED}
    assert [warning.user_id for warning in found] == unreached
    words = "never gets a lead: each one is assigned to User 1 automatically first."
    assert [warning.message for warning in found] == [f"User {user_id} {words}" for user_id in unreached]


def test_zipcodes_of_older_teams_are_named_in_order() -> None:
    found = list(find_warnings([], (), {"94106": "Older", "02138": "Oldest"}))
    assert [(warning.code, warning.zipcode) for warning in found] == [
        (TeamWarningCode.ZIPCODE_OF_AN_OLDER_TEAM, "02138"),
        (TeamWarningCode.ZIPCODE_OF_AN_OLDER_TEAM, "94106"),
    ]
    assert "Oldest" in found[0].message
