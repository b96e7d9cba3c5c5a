"""receiveLead over HTTP: its payload, errors and scope."""

from typing import Any

from app.commands.receive import REFUSALS
from app.db.engine import Database
from app.db.models import Contact, Lead
from app.domain.enums import DistributionTarget, TeamSelectionMethod
from app.graphql.enums import SubmitRefusalCode
from tests.graphql.test_teams import count, refused
from tests.support.api import Api
from tests.support.world import NOW, Cast, World

RECEIVE = """mutation ($input: ReceiveLeadInput!) { receiveLead(input: $input) {
  isNew contactIsNew ignored { field message }
  lead { id contact { id firstName email mobilePhone } source { id } team { id } zipcode type
    externalId message city offers { total } }
  submitted {
    lead { id } team { id } createdCount skipped { user { id } reason } passedOver { team { id } }
    offers { id status user { id } }
  }
  refusal { code message skipped { user { id firstName } reason } }
} }"""
SUBMITTED = """mutation ($lead: ID!) { submitLeadOffers(leadId: $lead) {
  lead { id } team { id } createdCount skipped { user { id } reason } passedOver { team { id } }
  offers { id status user { id } }
} }"""
MARY = {"firstName": "Mary", "email": "mary@example.com", "mobilePhone": "(202) 555-0123"}


async def receive(api: Api, **fields: Any) -> dict[str, Any]:
    payload: dict[str, Any] = (await api.ask(RECEIVE, input={"contact": MARY} | fields))["receiveLead"]
    return payload


def test_every_refusal_has_a_code_of_the_schema() -> None:
    assert [code.name for code in SubmitRefusalCode] == [code.name for code in REFUSALS]


async def test_a_lead_is_received_offered_and_received_again(api: Api, world: World, cast: Cast) -> None:
    source = await world.source(cast.alice)
    await world.route(source, cast.team)
    pending = await world.user("Pia")
    await world.option(cast.team, pending)
    alice = api.user(cast.alice)
    enquiry: dict[str, Any] = {"sourceId": str(source.id), "externalId": "e1", "type": "Buyer", "zipcode": "021 38"}
    enquiry |= {"message": "Hello,\nI am Mary.", "city": "Cambridge"}

    first = await receive(alice, **enquiry)
    lead = first["lead"]
    assert (first["isNew"], first["contactIsNew"], first["refusal"]) == (True, True, None)
    assert [each["field"] for each in first["ignored"]] == ["input.zipcode"]
    assert "021 38" in first["ignored"][0]["message"]
    assert lead == {
        "id": lead["id"],
        "contact": {"id": lead["contact"]["id"], "firstName": "Mary", "email": MARY["email"]}
        | {"mobilePhone": "+12025550123"},
        "source": {"id": str(source.id)},
        "team": {"id": str(cast.team.id)},
        "zipcode": None,
        "type": "Buyer",
        "externalId": "e1",
        "message": enquiry["message"],
        "city": "Cambridge",
        "offers": {"total": 1},
    }
    assert first["submitted"]["createdCount"] == 1
    assert first["submitted"]["skipped"] == [{"user": {"id": str(pending.id)}, "reason": "NOT_A_MEMBER"}]
    submitted = (await alice.ask(SUBMITTED, lead=lead["id"]))["submitLeadOffers"]
    assert {**first["submitted"], "createdCount": 0} | {"skipped": submitted["skipped"]} == submitted

    again = await receive(alice, **enquiry)
    assert again == {**first, "isNew": False, "contactIsNew": False, "submitted": None, "refusal": None}


async def test_a_refusal_names_its_code_and_who_was_skipped(api: Api, world: World, cast: Cast) -> None:
    source, team = await world.source(cast.alice), await world.team(cast.alice)
    away = await world.member_user(team, "Ada", away_until=NOW.replace(year=2027))
    await world.route(source, team)
    zipcode: dict[str, Any] = {"distribution_target": DistributionTarget.TEAM_ROLLOUT}
    zipcode |= {"team_selection_method": TeamSelectionMethod.ZIPCODE, "team_id": None}
    await world.route(source, None, "Zip", **zipcode)
    alice = api.user(cast.alice)
    received = await receive(alice, sourceId=str(source.id))
    assert received["submitted"] is None
    assert received["refusal"] == {
        "code": "NO_ELIGIBLE_MEMBERS",
        "message": received["refusal"]["message"],
        "skipped": [{"user": {"id": str(away.id), "firstName": "Ada"}, "reason": "USER_AWAY"}],
    }
    missing = await receive(alice, sourceId=str(source.id), type="zip")
    assert (missing["refusal"]["code"], missing["refusal"]["skipped"]) == ("ZIPCODE_MISSING", [])
    assert missing["isNew"]


async def test_a_lead_without_a_source_stays_with_its_receiver(api: Api, cast: Cast) -> None:
    received = await receive(api.user(cast.alice))
    assert (received["isNew"], received["submitted"], received["refusal"]) == (True, None, None)
    assert received["lead"]["offers"] == {"total": 0}


async def test_errors_name_the_fields_of_the_input(api: Api, world: World, cast: Cast, database: Database) -> None:
    foreign = await world.source(cast.charlie)
    alice = api.user(cast.alice)
    for field, sent in (
        ("contact", {"contact": {}}),
        ("contact.email", {"contact": {"email": "?"}}),
        ("contact.mobilePhone", {"contact": {"mobilePhone": "555-01"}}),
        ("externalId", {"externalId": "x" * 256}),
        ("sourceId", {"sourceId": str(foreign.id)}),
        ("sourceId", {"sourceId": "abc"}),
        ("contact", {"contact": None}),
    ):
        told = await refused(alice, RECEIVE, input={"contact": MARY} | sent)
        assert told == f"BAD_USER_INPUT input.{field}"
    assert await count(database, Contact) == await count(database, Lead) == 0


async def test_another_person_with_the_same_external_id_is_a_conflict(api: Api, cast: Cast) -> None:
    alice = api.user(cast.alice)
    first = await receive(alice, externalId="website")
    refusal = await alice.refusal(RECEIVE, input={"contact": {"email": "ann@example.com"}, "externalId": "website"})
    assert (refusal["code"], refusal["leadId"]) == ("CONFLICT", first["lead"]["id"])


async def test_reading_scope_is_not_enough(api: Api, cast: Cast, database: Database) -> None:
    reader = api.user(cast.alice, "read")
    assert await refused(reader, RECEIVE, input={"contact": MARY}) == "FORBIDDEN"
    assert await count(database, Lead) == 0
