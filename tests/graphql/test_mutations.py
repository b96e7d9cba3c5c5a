"""Mutations over HTTP: payloads, errors with their path, and documents with several mutations."""

from pathlib import Path

from tests.support.api import Api
from tests.support.world import Cast, World

SUBMIT = (Path(__file__).parents[1] / "documents/submit.graphql").read_text()


async def test_a_submit_answers_with_all_offers(api: Api, world: World, cast: Cast) -> None:
    dorothy = await world.user("Dorothy")
    await world.member(cast.team, dorothy, rank=2)
    await world.membership(cast.team, cast.charlie)
    lead = await world.lead(cast.alice, cast.team)

    first = (await api.user(cast.alice).ask(SUBMIT, leadId=lead.id))["submitLeadOffers"]

    assert first["createdCount"] == 2
    assert first["team"]["id"] == str(cast.team.id)
    assert [(o["user"]["firstName"], o["notifyAt"], o["rank"], o["status"]) for o in first["offers"]] == [
        ("Bob", "2026-03-02T09:00:00.000Z", 1, "SCHEDULED"),
        ("Dorothy", "2026-03-02T09:15:00.000Z", 2, "SCHEDULED"),
    ]
    charlie = {"id": str(cast.charlie.id), "firstName": "Charlie"}
    assert first["skipped"] == [{"reason": "NO_DISTRIBUTION_OPTION", "user": charlie}]

    again = (await api.user(cast.alice).ask(SUBMIT, leadId=lead.id))["submitLeadOffers"]
    assert again["createdCount"] == 0
    assert again["offers"] == first["offers"]
    assert [s["reason"] for s in again["skipped"]] == ["ALREADY_OFFERED", "NO_DISTRIBUTION_OPTION", "ALREADY_OFFERED"]


async def test_an_error_has_the_fields_name_as_its_path(api: Api, world: World, cast: Cast) -> None:
    lead = await world.lead(cast.alice, cast.team)
    for viewer, code in (
        (api.user(cast.alice, "read"), "FORBIDDEN"),
        (api.user(cast.charlie), "NOT_FOUND"),
        (api.user(cast.bob), "NOT_FOUND"),
    ):
        response = await viewer.post({"query": SUBMIT, "variables": {"leadId": lead.id}})
        assert response.status_code == 200
        answer = response.json()
        assert answer["data"] == {"submitLeadOffers": None}
        assert answer["errors"][0]["path"] == ["submitLeadOffers"]
        assert answer["errors"][0]["extensions"]["code"] == code
    assert (await api.user(cast.alice, "write").ask(SUBMIT, leadId=lead.id))["submitLeadOffers"]["createdCount"] == 1


async def test_a_failed_mutation_leaves_the_others_written(api: Api, world: World, cast: Cast) -> None:
    lead = await world.lead(cast.alice, cast.team)
    query = f"""mutation {{
      first: submitLeadOffers(leadId: {lead.id}) {{ createdCount lead {{ offers {{ total }} }} }}
      nothing: submitLeadOffers(leadId: "no id") {{ createdCount }}
      second: submitLeadOffers(leadId: {lead.id}) {{ createdCount lead {{ offers {{ total }} }} }}
    }}"""
    answer = await api.user(cast.alice).send(query)
    assert answer["data"] == {
        "first": {"createdCount": 1, "lead": {"offers": {"total": 1}}},
        "nothing": None,
        "second": {"createdCount": 0, "lead": {"offers": {"total": 1}}},
    }
    assert [(e["path"], e["extensions"]["code"]) for e in answer["errors"]] == [(["nothing"], "NOT_FOUND")]


async def test_a_later_mutation_reads_its_own_writes(api: Api, world: World, cast: Cast) -> None:
    """The rows that the first mutation loaded are not reused by the second."""
    await world.option(cast.team, cast.alice, assign_automatically=True, rank=0)
    lead, other = await world.lead(cast.alice, cast.team), await world.lead(cast.alice, cast.team)
    both = "lead { contact { email } offers { data { lead { claimedBy { id } } } } }"
    query = f"""mutation {{
      a: submitLeadOffers(leadId: {lead.id}) {{ {both} }}
      b: submitLeadOffers(leadId: {other.id}) {{ {both} }}
    }}"""
    answer = await api.user(cast.alice).ask(query)
    for name in ("a", "b"):
        for offer in answer[name]["lead"]["offers"]["data"]:
            assert offer["lead"]["claimedBy"] == {"id": str(cast.alice.id)}
