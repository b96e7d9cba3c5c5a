"""The README's tour, as it stands there: from two users with tokens to a lead that is offered, by HTTP calls alone."""

import re
from pathlib import Path
from typing import Any

from tests.api import Api
from tests.world import World

README = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
TOUR = README[README.index("## A tour") : README.index("## Running it")]
STEPS = re.findall(r"```graphql\n# (Alice|Bob)\n(.*?)```", TOUR, re.DOTALL)


def ids(answer: Any) -> dict[str, str]:
    """What the answer names, as the tour calls it: the `id` of a `team` is `teamId`."""
    if isinstance(answer, list):
        answer = dict(enumerate(answer))
    if not isinstance(answer, dict):
        return {}
    found = {f"{name}Id": value["id"] for name, value in answer.items() if isinstance(value, dict) and "id" in value}
    for value in answer.values():
        found |= ids(value)
    return found


async def test_the_tour(api: Api, world: World) -> None:
    viewers = {
        "Alice": api.user(await world.user("Alice", email="alice@example.com")),
        "Bob": api.user(await world.user("Bob", email="bob@example.com")),
    }
    known: dict[str, str] = {}
    answers: dict[str, Any] = {}
    for name, document in STEPS:
        variables = {variable: known[variable] for variable in re.findall(r"\$(\w+): ID!", document)}
        answer = await viewers[name].ask(document, **variables)
        known |= ids(answer)
        answers |= answer

    invitation = answers["teamMemberships"]["data"][0]
    assert invitation["team"] == {"name": "Bay Area", "creator": {"firstName": "Alice"}}
    assert answers["respondToInvitation"]["teamMember"]["requestStatus"] == "ACCEPTED"
    assert answers["createLead"]["lead"]["team"] == {"name": "Bay Area"}
    planned = [{"user": {"firstName": "Bob"}, "notifyAt": "2026-03-02T09:00:00.000Z"}]
    assert answers["previewLeadOffers"] == {"offers": planned, "skipped": [], "warnings": []}
    assert answers["submitLeadOffers"] == {"createdCount": 1, "offers": planned}
    (offer,) = answers["leadOffers"]["data"]
    assert offer["lead"] == {"id": known["leadId"], "contact": {"firstName": "Mary", "lastName": "Jackson"}}
    assert len(STEPS) == 11
