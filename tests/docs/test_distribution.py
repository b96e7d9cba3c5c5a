"""The examples of docs/distribution.md, run in order: a team by turns with a cap, a limit, and a pond after it."""

import re
from typing import Any

from app.db.engine import Database
from app.db.models import Team
from tests.docs.pages import DOCS
from tests.support.api import Api
from tests.support.world import Cast, World

EXAMPLES = re.findall(r"```graphql\n# Alice\n(.*?)```", DOCS["distribution"], re.DOTALL)


async def test_the_examples(api: Api, database: Database, world: World, cast: Cast) -> None:
    alice = api.user(cast.alice)
    known = {"userId": str(cast.bob.id), "creatorId": str(cast.alice.id)}
    answers: dict[str, Any] = {}
    for example in EXAMPLES:
        answer = await alice.ask(example, **{name: known[name] for name in re.findall(r"\$(\w+): ID!", example)})
        if "createTeam" in answer:
            name = "pondId" if "teamId" in known else "teamId"
            known[name] = answer["createTeam"]["team"]["id"]
        if "leadId" not in known:
            async with database.read() as session:
                team = await session.get_one(Team, int(known["teamId"]))
            await world.membership(team, cast.bob)
            known["leadId"] = str((await world.lead(cast.alice, team)).id)
        answers |= answer

    assert [
        turn["weight"] for turn in sorted(answers["team"]["turns"], key=lambda turn: turn["user"]["firstName"])
    ] == [1, 2]
    changed = answers["updateTeam"]["team"]
    assert (changed["nextTeam"], changed["minsUntilNextTeam"]) == ({"name": "Pond"}, 10)
    assert [warning["code"] for warning in changed["warnings"]] == ["NEXT_TEAM_HAS_NOBODY"]
    plan = answers["previewLeadOffers"]
    assert {offer["user"]["firstName"] for offer in plan["offers"]} == {"Alice", "Bob"}
    assert plan["turnOf"] == plan["offers"][0]["user"]
    assert [(step["team"]["name"], [offer["user"] for offer in step["offers"]]) for step in plan["next"]] == [
        ("Pond", [])
    ]
    assert plan["next"][0]["skipped"][0]["reason"] == "ALREADY_OFFERED"
