"""Compiled reads answer as the resolvers do, to the byte, by one statement."""

import json
from datetime import timedelta

import orjson
import pytest

from app.access.tokens import Identity
from app.domain.enums import RequestStatus
from app.graphql.document_cache import DocumentCache
from app.graphql.strawberry_internals import core_schema
from app.graphql.plans import Plans
from app.graphql.request import GraphQLRequest as Operation
from app.graphql.schema import schema
from tests.support.api import Api
from tests.support.world import NOW, Cast, World

DOCUMENTS = {
    "me": "{ me { id firstName email phone awayUntil quietHours { start end } __typename } }",
    "board": """{ leads(sort: [{field: CREATED_AT, direction: DESC}], limit: 5) { total data {
      id type zipcode createdAt claimedAt timeToClaim contact { id firstName lastName email mobilePhone } team { id name }
      claimedBy { id firstName }
      rollouts { id submittedAt team { id } createdOffers { id status notifyAt } skipped { reason user { id } } }
      offers(sort: [{field: NOTIFY_AT}], limit: 10) { total limit skip data { id status notifyAt rank viewerCanClaim
        deliveries { id channel status attempts sentAt } user { id firstName phone } } } } } }""",
    "inbox": """{ a: leadOffers { total data { id hasCallAlert lead { id offers(where: {rank: {gte: 1}}) { total } } } }
      b: leadOffers(where: {status: {in: [SENT, SCHEDULED]}}, limit: 1, skip: 1) { total limit skip }
      leadOffer(id: "1") { id lead { contact { email } } } none: lead(id: "999") { id } odd: lead(id: "x") { id } }""",
    "team": """{ teams { total data { id name orderMethod distributionZipcodes creator { id }
      members(limit: 5) { total data { id requestStatus user { firstName } team { name } } }
      distributionOptions { data { id rank assignAutomatically user { id quietHours { start } } } } } }
      team(id: "1") { members { total } distributionOptions { total } } }""",
    "rest": """{ teamMemberships { total data { id team { distributionZipcodes } } } contacts { total data { id email } }
      leadRoutes { data { id leadType leadSource { name } } total } leadSources { total data { id name } } }""",
}


@pytest.fixture
async def offers(world: World, cast: Cast) -> None:
    source = await world.source(cast.alice, 'We"b\\ \x07 é\u2028 \x7f 😀\n')
    nameless = await world.contact(cast.alice, first_name=None, email=None)
    for number in range(6):
        lead = await world.lead(cast.alice, team=cast.team, zipcode=None if number % 2 else "94105")
        await world.offer(lead, cast.bob if number % 2 else cast.alice, cast.team, notify_at=NOW - timedelta(minutes=number))
    _ = source, nameless


@pytest.mark.parametrize("name", DOCUMENTS)
@pytest.mark.parametrize("who", ["alice", "bob", "charlie"])
@pytest.mark.usefixtures("offers")
async def test_compiled_reads_equal_the_resolvers(name: str, who: str, api: Api, cast: Cast) -> None:
    user = getattr(cast, who)
    reads = Plans(schema, api.database, DocumentCache(core_schema(schema), api.settings))
    text = await reads.answer(
        Operation(DOCUMENTS[name], None, None, None),
        Identity(user_id=user.id, email=None, scopes=frozenset({"read", "write"}), expires=4e9),
        NOW,
    )
    expected = await api.user(user).ask(DOCUMENTS[name])
    assert text is not None
    assert json.loads(text) == expected
    assert text.encode() == orjson.dumps(expected)


_ = RequestStatus
