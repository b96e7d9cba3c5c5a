"""The steps of a rollout over the API: what follows, what was done, and who may see it."""

from datetime import timedelta
from typing import Any

from app.commands.passing_on import StepEnd, end_step
from app.db.engine import Database
from app.domain.enums import OrderMethod
from tests.support.api import Api
from tests.support.world import NOW, Cast, World

MINUTE = timedelta(minutes=1)

STEPS = """query ($lead: ID!) {
  lead(id: $lead) {
    nextStep { at team { name } }
    rollouts { cause team { name } turnOf { firstName } createdOffers { user { firstName } } skipped { reason } }
  }
}"""

PLAN = """query ($lead: ID!) {
  previewLeadOffers(leadId: $lead) {
    team { name }
    turnOf { firstName }
    offers { user { firstName } rank keepsContact }
    passedOver { team { name } skipped { user { firstName } reason } }
    next { team { name } startsAt offers { user { firstName } notifyAt } skipped { user { firstName } reason } }
  }
}"""

SUBMIT = """mutation ($lead: ID!) {
  submitLeadOffers(leadId: $lead) {
    team { name } createdCount passedOver { team { name } skipped { user { firstName } reason } }
  }
}"""


async def test_a_chain_is_seen_beforehand_and_afterwards(
    api: Api, database: Database, world: World, cast: Cast
) -> None:
    pond = await world.team(cast.alice, OrderMethod.TIME, name="Pond")
    await world.member(pond, cast.bob, has_email_alert=False)
    await world.member_user(pond, "Dora", has_email_alert=False)
    onward: dict[str, Any] = {"next_team_id": pond.id, "mins_until_next_team": 20}
    line = await world.team(cast.alice, OrderMethod.ROUND_ROBIN, name="Line", mins_until_next_alert=5, **onward)
    await world.member(line, cast.bob)
    onward = {"next_team_id": line.id, "mins_until_next_team": 10}
    empty = await world.team(cast.alice, name="Empty", **onward)
    away = NOW + 24 * 60 * MINUTE
    await world.member_user(empty, "Eve", away_until=away)
    lead = await world.lead(cast.alice, empty, watched_since=NOW)

    alice, variables = api.user(cast.alice), {"lead": str(lead.id)}
    nobody = [{"team": {"name": "Empty"}, "skipped": [{"user": {"firstName": "Eve"}, "reason": "USER_AWAY"}]}]
    plan = (await alice.ask(PLAN, **variables))["previewLeadOffers"]
    assert plan == {
        "team": {"name": "Line"},
        "turnOf": {"firstName": "Bob"},
        "offers": [{"user": {"firstName": "Bob"}, "rank": 1, "keepsContact": False}],
        "passedOver": nobody,
        "next": [
            {
                "team": {"name": "Pond"},
                "startsAt": "2026-03-02T09:20:00.000Z",
                "offers": [{"user": {"firstName": "Dora"}, "notifyAt": "2026-03-02T09:20:00.000Z"}],
                "skipped": [{"user": {"firstName": "Bob"}, "reason": "ALREADY_OFFERED"}],
            }
        ],
    }
    submitted = (await alice.ask(SUBMIT, **variables))["submitLeadOffers"]
    assert submitted == {"team": {"name": "Line"}, "createdCount": 1, "passedOver": nobody}

    waiting = (await alice.ask(STEPS, **variables))["lead"]
    assert waiting["nextStep"] == {"at": "2026-03-02T09:20:00.000Z", "team": {"name": "Pond"}}
    assert waiting["rollouts"] == [
        {
            "cause": "SUBMITTED",
            "team": {"name": "Empty"},
            "turnOf": None,
            "createdOffers": [],
            "skipped": [{"reason": "USER_AWAY"}],
        },
        {
            "cause": "PASSED_ON",
            "team": {"name": "Line"},
            "turnOf": {"firstName": "Bob"},
            "createdOffers": [{"user": {"firstName": "Bob"}}],
            "skipped": [],
        },
    ]
    assert await database.in_transaction(lambda session: end_step(session, lead.id, NOW + 20 * MINUTE)) is (
        StepEnd.PASSED_ON
    )
    last = (await alice.ask(STEPS, **variables))["lead"]["nextStep"]
    assert last == {"at": "2026-03-02T10:20:00.000Z", "team": None}

    bob = api.user(cast.bob)
    assert (await bob.ask(STEPS, **variables))["lead"] == {"nextStep": None, "rollouts": None}
    ((offer,),) = (page["data"] for page in (await bob.ask("{ leadOffers { data { id } } }")).values())
    await bob.ask("mutation ($id: ID!) { claimLeadOffer(id: $id) { leadOffer { id } } }", **offer)
    assert (await alice.ask(STEPS, **variables))["lead"]["nextStep"] is None
