"""previewLeadOffers compared with submitLeadOffers, the warnings of teams, and the record of every submit."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.db.models import LeadOffer, LeadRollout
from app.domain.alert_channels import served
from app.domain.enums import DistributionTarget, LeadOfferStatus, OrderMethod, RequestStatus
from app.domain.timestamps import format_instant
from app.worker.channels.base import UnconfiguredChannel
from app.worker.channels.registry import make_channels
from tests.graphql.test_teams import count, refused
from tests.support.api import Api, serving, settings_for
from tests.support.examples import examples
from tests.support.world import NOW, Cast, World

OFFER = "user { id } notifyAt rank assignAutomatically hasCallAlert hasTextAlert hasEmailAlert"
PREVIEW = f"""query ($id: ID!, $at: DateTime) {{
  previewLeadOffers(leadId: $id, at: $at) {{
    lead {{ id }} team {{ id }} offers {{ {OFFER} }} skipped {{ user {{ id }} reason }}
    warnings {{ code message user {{ firstName }} zipcode }}
  }}
}}"""
SUBMIT = f"""mutation ($id: ID!) {{
  submitLeadOffers(leadId: $id) {{
    lead {{ id }} team {{ id }} createdCount offers {{ {OFFER} }} skipped {{ user {{ id }} reason }}
  }}
}}"""
WARNINGS = """query ($id: ID!) { team(id: $id) { warnings { code message user { firstName } zipcode } } }"""
ROLLOUTS = """query ($id: ID!) {
  lead(id: $id) {
    rollouts {
      id submittedAt team { id } teamSelectionMethod createdOffers { user { id } } skipped { reason user { id } }
    }
  }
}"""


async def test_a_preview_writes_nothing_and_needs_only_the_scope_read(api: Api, world: World, cast: Cast) -> None:
    await world.member(cast.team, cast.charlie, RequestStatus.PENDING)
    lead = await world.lead(cast.alice, cast.team)
    plan = (await api.user(cast.alice, "read").ask(PREVIEW, id=lead.id))["previewLeadOffers"]
    assert (plan["lead"], plan["team"]) == ({"id": str(lead.id)}, {"id": str(cast.team.id)})
    assert plan["offers"] == [
        {
            "user": {"id": str(cast.bob.id)},
            "notifyAt": "2026-03-02T09:00:00.000Z",
            "rank": 1,
            "assignAutomatically": False,
            "hasCallAlert": False,
            "hasTextAlert": False,
            "hasEmailAlert": True,
        }
    ]
    assert plan["skipped"] == [{"user": {"id": str(cast.charlie.id)}, "reason": "INVITATION_PENDING"}]
    assert [(w["code"], w["user"]) for w in plan["warnings"]] == [("INVITATION_NOT_ACCEPTED", {"firstName": "Charlie"})]
    assert (await count(world.database, LeadOffer), await count(world.database, LeadRollout)) == (0, 0)


async def test_a_preview_of_a_later_time(api: Api, world: World, cast: Cast) -> None:
    cast.bob.away_until = NOW + timedelta(hours=1)
    await world.add(cast.bob)
    lead, alice = await world.lead(cast.alice, cast.team), api.user(cast.alice)
    away = (await alice.ask(PREVIEW, id=lead.id))["previewLeadOffers"]
    assert away["skipped"] == [{"user": {"id": str(cast.bob.id)}, "reason": "USER_AWAY"}]
    assert away["offers"] == []
    back = (await alice.ask(PREVIEW, id=lead.id, at="2026-03-02T11:00:00+01:00"))["previewLeadOffers"]
    assert [offer["notifyAt"] for offer in back["offers"]] == ["2026-03-02T10:00:00.000Z"]
    assert await refused(alice, PREVIEW, id=lead.id, at=format_instant(NOW - timedelta(milliseconds=1))) == (
        "BAD_USER_INPUT at"
    )
    assert await alice.ask(PREVIEW, id=lead.id, at=format_instant(NOW))
    assert await alice.ask(PREVIEW, id=lead.id, at=None)


async def test_a_preview_is_planned_until_the_year_2200(api: Api, world: World, cast: Cast) -> None:
    await world.member(cast.team, cast.charlie, rank=2)
    lead, alice = await world.lead(cast.alice, cast.team), api.user(cast.alice)
    for at in ("2201-01-01", "9999-12-31T23:59:59.999Z", "1899-12-31", "0001-01-01"):
        assert await refused(alice, PREVIEW, id=lead.id, at=at) == "BAD_USER_INPUT at"
    offers = (await alice.ask(PREVIEW, id=lead.id, at="2200-12-31T23:45:00Z"))["previewLeadOffers"]["offers"]
    assert [offer["notifyAt"] for offer in offers] == ["2200-12-31T23:45:00.000Z", "2200-12-31T23:59:59.999Z"]


@pytest.mark.parametrize("year", [2200, 9999])
async def test_a_lead_with_an_offer_at_the_end_of_time_is_previewed_and_submitted(
    api: Api, world: World, cast: Cast, year: int
) -> None:
    """An import may have brought an offer in the year 9999 before timestamps had bounds."""
    await world.member(cast.team, cast.charlie, rank=2)
    lead, alice = await world.lead(cast.alice, cast.team), api.user(cast.alice)
    last = datetime(year, 12, 31, 23, 59, 59, tzinfo=UTC)
    await world.offer(lead, cast.bob, status=LeadOfferStatus.SCHEDULED, notify_at=last)
    (planned,) = (await alice.ask(PREVIEW, id=lead.id))["previewLeadOffers"]["offers"]
    assert planned["notifyAt"] == "2200-12-31T23:59:59.999Z"
    submitted = (await alice.ask(SUBMIT, id=lead.id))["submitLeadOffers"]
    assert submitted["createdCount"] == 1
    assert planned["notifyAt"] in [offer["notifyAt"] for offer in submitted["offers"]]


async def test_a_preview_refuses_what_a_submit_refuses(api: Api, world: World, cast: Cast) -> None:
    offered, held = await world.lead(cast.alice, cast.team), await world.lead(cast.alice, cast.team)
    await world.offer(offered, cast.bob)
    await world.offer(await world.lead(cast.alice, cast.team), cast.bob, notify_at=NOW + timedelta(hours=1))
    await world.claimed(held, cast.bob)
    ahead = await world.lead(cast.alice, cast.team)
    await world.offer(ahead, cast.bob, notify_at=NOW + timedelta(hours=1), status=LeadOfferStatus.SCHEDULED)
    empty, other = await world.team(cast.alice), await world.team(cast.bob)
    myself = await world.lead(cast.alice)
    rollout = DistributionTarget.TEAM_ROLLOUT
    for viewer, lead, code in (
        (cast.charlie, offered, "NOT_FOUND"),
        (cast.bob, ahead, "NOT_FOUND"),
        (cast.bob, offered, "FORBIDDEN"),
        (cast.alice, myself, "NOT_TEAM_ROLLOUT"),
        (cast.alice, held, "ALREADY_CLAIMED"),
        (cast.alice, await world.lead(cast.alice, other), "TEAM_NOT_USABLE"),
        (cast.alice, await world.lead(cast.alice, distribution_target=rollout), "TEAM_NOT_USABLE"),
        (cast.alice, await world.zipcode_lead(cast.alice, None), "ZIPCODE_MISSING"),
        (cast.alice, await world.zipcode_lead(cast.alice, "94105"), "NO_TEAM_FOR_ZIPCODE"),
        (cast.alice, await world.lead(cast.alice, empty), "NO_DISTRIBUTION_OPTIONS"),
    ):
        assert await refused(api.user(viewer), PREVIEW, id=lead.id) == code
        assert await refused(api.user(viewer), SUBMIT, id=lead.id) == code
    # Another moment does not show what is hidden now.
    later = format_instant(NOW + timedelta(days=1))
    assert await refused(api.user(cast.bob), PREVIEW, id=ahead.id, at=later) == "NOT_FOUND"
    assert await refused(api.user(cast.alice), PREVIEW, id="x") == "NOT_FOUND"
    assert await refused(api.user(cast.alice, "write"), PREVIEW, id=offered.id) == "FORBIDDEN"


async def test_nobody_eligible_is_a_result_of_a_preview_only(api: Api, world: World, cast: Cast) -> None:
    team = await world.team(cast.alice)
    await world.option(team, cast.bob)
    lead = await world.lead(cast.alice, team)
    plan = (await api.user(cast.alice).ask(PREVIEW, id=lead.id))["previewLeadOffers"]
    assert (plan["offers"], [skip["reason"] for skip in plan["skipped"]]) == ([], ["NOT_A_MEMBER"])
    assert await refused(api.user(cast.alice), SUBMIT, id=lead.id) == "NO_ELIGIBLE_MEMBERS"


people = st.lists(
    st.fixed_dictionaries(
        {
            "membership": st.sampled_from([None, *RequestStatus]),
            "is_active": st.booleans() | st.just(True),
            "away": st.sampled_from([None, -1, 0, 60]),
            "offer": st.sampled_from([None, None, *LeadOfferStatus]),
            "option": st.none()
            | st.fixed_dictionaries(
                {
                    "rank": st.sampled_from([None, 0, 1, 5]),
                    "mins_until_lead_offer": st.sampled_from([0, 1, 90]),
                    "assign_automatically": st.sampled_from([False, False, False, True]),
                    "has_call_alert": st.booleans(),
                    "has_email_alert": st.booleans(),
                }
            ),
        }
    ),
    min_size=1,
    max_size=5,
)


@examples(25)
@given(st.sampled_from(OrderMethod), st.sampled_from([0, 15]), people)
async def test_a_preview_and_a_submit_at_the_same_time_agree(
    api: Api, world: World, cast: Cast, method: OrderMethod, gap: int, drawn: list[dict[str, Any]]
) -> None:
    team = await world.team(cast.alice, method, mins_until_next_alert=gap if method is OrderMethod.RANK else 0)
    lead = await world.lead(cast.alice, team)
    for one in drawn:
        away = None if one["away"] is None else NOW + timedelta(minutes=one["away"])
        user = await world.user(is_active=one["is_active"], away_until=away)
        if one["membership"]:
            await world.membership(team, user, one["membership"])
        if one["option"]:
            await world.option(team, user, **one["option"])
        if one["offer"] not in (None, LeadOfferStatus.CLAIMED):
            await world.offer(lead, user, team, one["offer"], notify_at=NOW - timedelta(minutes=5))
    alice = api.user(cast.alice)
    preview = await alice.send(PREVIEW, id=lead.id, at=format_instant(NOW))
    submit = await alice.send(SUBMIT, id=lead.id)
    if "errors" in preview:
        assert _extensions(submit) == _extensions(preview)
        return
    planned = preview["data"]["previewLeadOffers"]
    if "errors" in submit:
        assert planned["offers"] == []
        told = [{"user": {"id": s["userId"]}, "reason": s["reason"]} for s in _extensions(submit)["skipped"]]
        assert planned["skipped"] == told
        return
    submitted = submit["data"]["submitLeadOffers"]
    assert (submitted["createdCount"], submitted["skipped"]) == (len(planned["offers"]), planned["skipped"])
    ids = {offer["user"]["id"] for offer in planned["offers"]}
    made = [offer for offer in submitted["offers"] if offer["user"]["id"] in ids]
    assert sorted(made, key=_user) == sorted(planned["offers"], key=_user)


def _user(offer: dict[str, Any]) -> int:
    return int(offer["user"]["id"])


def _extensions(answer: dict[str, Any]) -> dict[str, Any]:
    extensions: dict[str, Any] = answer["errors"][0]["extensions"]
    return extensions


async def test_every_submit_is_explained_to_the_leads_creator(api: Api, world: World, cast: Cast) -> None:
    await world.membership(cast.team, cast.charlie)
    lead, alice = await world.lead(cast.alice, cast.team), api.user(cast.alice)
    assert (await alice.ask(ROLLOUTS, id=lead.id))["lead"]["rollouts"] == []
    await alice.ask(SUBMIT, id=lead.id)
    await alice.ask(SUBMIT, id=lead.id)
    await world.option(cast.team, cast.charlie)
    await alice.ask(SUBMIT, id=lead.id)
    first, second = (await alice.ask(ROLLOUTS, id=lead.id))["lead"]["rollouts"]
    bob, charlie = {"id": str(cast.bob.id)}, {"id": str(cast.charlie.id)}
    assert first == {
        "id": first["id"],
        "submittedAt": "2026-03-02T09:00:00.000Z",
        "team": {"id": str(cast.team.id)},
        "teamSelectionMethod": "SPECIFIC_TEAM",
        "createdOffers": [{"user": bob}],
        "skipped": [{"reason": "NO_DISTRIBUTION_OPTION", "user": charlie}],
    }
    assert second["createdOffers"] == [{"user": charlie}]
    assert second["skipped"] == [{"reason": "ALREADY_OFFERED", "user": bob}]
    assert (await api.user(cast.bob).ask(ROLLOUTS, id=lead.id))["lead"] == {"rollouts": None}


async def test_only_the_creator_sees_the_warnings_of_a_team(api: Api, cast: Cast) -> None:
    assert (await api.user(cast.alice).ask(WARNINGS, id=cast.team.id))["team"] == {"warnings": []}
    assert (await api.user(cast.bob).ask(WARNINGS, id=cast.team.id))["team"] == {"warnings": None}


async def test_a_team_has_warnings(api: Api, world: World, cast: Cast) -> None:
    older = await world.team(cast.alice, zipcodes=["94105", "94106"], name="Older", created_at=NOW - timedelta(days=1))
    await world.team(cast.bob, zipcodes=["94107"], created_at=NOW - timedelta(days=1))
    await world.team(cast.alice, zipcodes=["94106"], created_at=NOW - timedelta(days=2), deleted_at=NOW)
    team = await world.team(cast.alice, zipcodes=["94105", "94107"])
    taker = await world.user("Tina")
    await world.member(team, taker, rank=1, assign_automatically=True)
    await world.member(team, cast.bob, rank=2, has_text_alert=True, has_email_alert=False)
    await world.member(team, cast.charlie, RequestStatus.DECLINED, rank=0)
    await world.member(team, await world.user("Sam", is_active=False), rank=3, has_email_alert=False)
    found = (await api.user(cast.alice).ask(WARNINGS, id=team.id))["team"]["warnings"]
    assert [(w["code"], (w["user"] or {}).get("firstName"), w["zipcode"]) for w in found] == [
        ("INVITATION_NOT_ACCEPTED", "Charlie", None),
        ("NO_USABLE_CHANNEL", "Bob", None),
        ("NEVER_REACHED", "Bob", None),
        ("ZIPCODE_OF_AN_OLDER_TEAM", None, "94105"),
    ]
    assert (await api.user(cast.alice).ask(WARNINGS, id=older.id))["team"]["warnings"] == []
    lead = await world.lead(cast.alice, team, zipcode="94105")
    plan = (await api.user(cast.alice).ask(PREVIEW, id=lead.id))["previewLeadOffers"]
    assert plan["warnings"] == found[:3]


async def test_a_channel_that_the_server_is_not_set_up_for_is_a_warning(
    database_url: str, world: World, cast: Cast
) -> None:
    """A server without any channel leaves sending to others, and does not know which they have."""
    await world.member(cast.team, cast.charlie, rank=2, has_text_alert=True, has_call_alert=True)
    lead = await world.lead(cast.alice, cast.team)
    mail = {"smtp_url": "smtp://127.0.0.1", "email_from": "leads@example.org"}
    tried: tuple[tuple[dict[str, Any], bool], ...] = (({}, False), (mail, True), ({"fallback": "console"}, False))
    for set_up, warned in tried:
        async with serving(settings_for(database_url, **set_up)) as api:
            alice = api.user(cast.alice)
            found = (await alice.ask(WARNINGS, id=cast.team.id))["team"]["warnings"]
            assert [(w["code"], w["user"]["firstName"]) for w in found if w["code"] == "CHANNEL_NOT_SET_UP"] == (
                [("CHANNEL_NOT_SET_UP", "Charlie")] if warned else []
            )
            plan = (await alice.ask(PREVIEW, id=lead.id))["previewLeadOffers"]
            assert ("CHANNEL_NOT_SET_UP" in [w["code"] for w in plan["warnings"]]) == warned


@pytest.mark.parametrize(
    "set_up",
    [
        {},
        {"fallback": "console"},
        {"smtp_url": "smtp://127.0.0.1", "email_from": "leads@example.org"},
        {"twilio_account_sid": "AC", "twilio_auth_token": "token", "twilio_from": "+12025550100"},
    ],
)
def test_the_configured_channels_are_those_that_send(database_url: str, set_up: dict[str, Any]) -> None:
    known = settings_for(database_url, **set_up)
    channels = make_channels(known)
    assert {c for c, channel in channels.items() if not isinstance(channel, UnconfiguredChannel)} == served(known)


@pytest.mark.parametrize(
    ("gap", "takers", "unreached"),
    [
        (15, {}, []),
        (15, {1: {}}, [2, 3]),
        (15, {2: {}}, [3]),
        (15, {3: {}}, []),
        (0, {3: {}}, [1, 2]),
        (15, {1: {"has_quiet_hours": True}}, []),
        (15, {1: {"has_quiet_hours": True}, 2: {}}, [3]),
        (15, {1: {"has_accepted": False}}, []),
    ],
)
async def test_members_after_an_automatic_assignment_are_never_reached(
    api: Api, world: World, cast: Cast, gap: int, takers: dict[int, dict[str, bool]], unreached: list[int]
) -> None:
    team = await world.team(cast.alice, mins_until_next_alert=gap)
    for rank in (1, 2, 3):
        facts = takers.get(rank, {})
        quiet = {"quiet_hours_start": "22:00", "quiet_hours_end": "07:00"} if facts.get("has_quiet_hours") else {}
        user = await world.user(f"Rank {rank}", email=f"{rank}@example.com", **quiet)
        status = RequestStatus.ACCEPTED if facts.get("has_accepted", True) else RequestStatus.PENDING
        await world.member(team, user, status, rank=rank, assign_automatically=rank in takers)
    found = (await api.user(cast.alice).ask(WARNINGS, id=team.id))["team"]["warnings"]
    named = [w["user"]["firstName"] for w in found if w["code"] == "NEVER_REACHED"]
    assert named == [f"Rank {rank}" for rank in unreached]
