"""The objects that each user of the cast can see, and the statements that it takes."""

from datetime import timedelta

import pytest

from app.db.engine import Database
from app.domain.enums import LeadOfferStatus
from tests.support.api import Api
from tests.support.world import NOW, Cast, World

OFFERS = "query ($lead: ID) { leadOffers(leadId: $lead) { total data { id } } }"
OFFER = "query ($id: ID!) { leadOffer(id: $id) { id } }"
LEAD = "query ($id: ID!) { lead(id: $id) { id } }"
EVERYTHING = """{
  leadOffers(limit: 100) {
    total limit skip
    data {
      id notifyAt rank status
      lead { id distributionTarget contact { id firstName lastName } }
      user { id firstName lastName email }
      team { id name }
    }
  }
}"""


async def test_offers_are_visible_to_their_user_and_to_the_creator_of_the_team(
    api: Api, world: World, cast: Cast
) -> None:
    lead = await world.lead(cast.alice, cast.team)
    offer = await world.offer(lead, cast.bob, status=LeadOfferStatus.SCHEDULED, notify_at=NOW + timedelta(hours=1))
    for user, found in ((cast.alice, True), (cast.bob, True), (cast.charlie, False)):
        viewer = api.user(user)
        page = {"total": 1, "data": [{"id": str(offer.id)}]} if found else {"total": 0, "data": []}
        assert await viewer.ask(OFFERS) == {"leadOffers": page}
        assert await viewer.ask(OFFERS, lead=str(lead.id)) == {"leadOffers": page}
        assert await viewer.ask(OFFER, id=str(offer.id)) == {"leadOffer": {"id": str(offer.id)} if found else None}


async def test_a_lead_is_visible_once_its_offer_is_due(api: Api, world: World, cast: Cast) -> None:
    second, millisecond = timedelta(seconds=1), timedelta(milliseconds=1)
    for offered, found in (
        ({"notify_at": NOW}, True),
        ({"notify_at": NOW + millisecond}, False),
        ({"notify_at": None}, True),
        ({"notify_at": NOW - second, "status": LeadOfferStatus.CANCELLED}, False),
        ({"notify_at": NOW - second, "status": LeadOfferStatus.DECLINED}, True),
    ):
        lead = await world.lead(cast.alice, cast.team)
        await world.offer(lead, cast.bob, **offered)
        for user, sees in ((cast.alice, True), (cast.bob, found), (cast.charlie, False)):
            assert await api.user(user).ask(LEAD, id=str(lead.id)) == {"lead": {"id": str(lead.id)} if sees else None}


async def test_the_holder_sees_the_lead(api: Api, world: World, cast: Cast) -> None:
    lead = await world.lead(cast.alice)
    assert await api.user(cast.bob).ask(LEAD, id=str(lead.id)) == {"lead": None}
    await world.claimed(lead, cast.bob)
    assert await api.user(cast.bob).ask(LEAD, id=str(lead.id)) == {"lead": {"id": str(lead.id)}}


@pytest.mark.parametrize("sent", ["0", "-1", "x", "", "9223372036854775808", "1 ", "+1", "\uff11", "1" * 5000])
async def test_an_invalid_id_finds_nothing(api: Api, world: World, cast: Cast, sent: str) -> None:
    lead = await world.lead(cast.alice, cast.team)
    await world.offer(lead, cast.bob)
    alice = api.user(cast.alice)
    assert await alice.ask(OFFER, id=sent) == {"leadOffer": None}
    assert await alice.ask(LEAD, id=sent) == {"lead": None}
    assert await alice.ask(OFFERS, lead=sent) == {"leadOffers": {"total": 0, "data": []}}


async def test_a_nested_lead_shows_only_the_visible_offers(api: Api, world: World, cast: Cast) -> None:
    lead = await world.lead(cast.alice, cast.team)
    dorothy = await world.user("Dorothy")
    mine, other = await world.offer(lead, cast.bob), await world.offer(lead, dorothy)
    query = "{ leadOffers { data { lead { offers { total data { id } } } } } }"
    bob = await api.user(cast.bob).ask(query)
    assert [o["lead"]["offers"] for o in bob["leadOffers"]["data"]] == [{"total": 1, "data": [{"id": str(mine.id)}]}]
    alice = await api.user(cast.alice).ask(query)
    ids = [{"id": str(mine.id)}, {"id": str(other.id)}]
    assert [o["lead"]["offers"] for o in alice["leadOffers"]["data"]] == [{"total": 2, "data": ids}] * 2


async def test_an_invisible_lead_has_no_offers(api: Api, world: World, cast: Cast) -> None:
    lead = await world.lead(cast.alice, cast.team)
    await world.offer(lead, cast.bob)
    assert await api.user(cast.charlie).ask(OFFERS, lead=str(lead.id)) == {"leadOffers": {"total": 0, "data": []}}


async def _hundred_offers(world: World, cast: Cast) -> None:
    for i in range(50):
        contact = await world.contact(cast.alice, first_name=f"Contact {i}")
        lead = await world.lead(cast.alice, cast.team, contact=contact)
        await world.offer(lead, cast.bob)
        await world.offer(lead, cast.alice)


async def test_a_page_of_a_hundred_takes_few_statements(api: Api, database: Database, world: World, cast: Cast) -> None:
    await _hundred_offers(world, cast)
    statements = api.statements()
    answer = await api.user(cast.alice).ask(EVERYTHING)
    assert len(answer["leadOffers"]["data"]) == 100
    assert len(statements) <= 6


async def test_a_total_that_is_not_selected_is_not_counted(api: Api, world: World, cast: Cast) -> None:
    await world.offer(await world.lead(cast.alice, cast.team), cast.bob)
    statements = api.statements()
    await api.user(cast.alice).ask("{ leadOffers { data { id } } }")
    assert not any("count(" in statement for statement in statements)
    await api.user(cast.alice).ask("{ leadOffers { ...P } } fragment P on LeadOfferPage { ... { total } }")
    assert any("count(" in statement for statement in statements)
