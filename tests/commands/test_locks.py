"""The results of the locking functions. That they lock, and in which order, needs PostgreSQL: test_lock_order.py."""

from collections.abc import Sequence

from sqlmodel import col

from app.commands import locks
from app.commands.text_opt_outs import opt_out_of_texts
from app.db.engine import Database
from app.db.models import LeadOffer, Team
from tests.support.world import NOW, Cast, World


async def test_the_leads_of_some_offers(database: Database, world: World, cast: Cast) -> None:
    """Those that were locked before come with those that have got such an offer since, by id."""
    leads = [await world.lead(cast.alice, cast.team) for _ in range(4)]
    ids = [lead.id for lead in leads]
    for lead in reversed(leads[:3]):
        await world.offer(lead, cast.bob)
    await world.offer(leads[1], cast.charlie)
    await world.offer(leads[3], cast.charlie)
    of_bob = col(LeadOffer.user_id) == cast.bob.id
    async with database.write() as session:
        assert await locks.lock_leads_of_offers(session, of_bob) == ids[:3]
        late: Sequence[int]
        for known in ([], ids[:1], ids[1:2], ids[2:3], ids[:3], ids[3:]):
            late = await locks.lock_late_leads(session, of_bob, known)
            assert late == sorted({*known, *ids[:3]})
        assert [lead.id for lead in await locks.lock_leads(session, [ids[3], ids[0]])] == [ids[0], ids[3]]
        assert (await locks.lock_lead(session, ids[2])).id == ids[2]


async def test_teams(database: Database, world: World, cast: Cast) -> None:
    other = await world.team(cast.charlie)
    is_alices = col(Team.creator_id) == cast.alice.id
    async with database.write() as session:
        for team, found in ((cast.team, cast.team.id), (other, None)):
            locked = await locks.lock_team(session, team.id, is_alices)
            assert (locked and locked.id) == found
        assert await locks.share_teams(session, [cast.team.id, other.id, 999]) == {cast.team.id, other.id}
        assert await locks.share_teams(session, [cast.team.id, other.id], is_alices) == {cast.team.id}
        assert await locks.share_teams(session, []) == set()


async def test_the_lead_of_an_own_offer(database: Database, world: World, cast: Cast) -> None:
    lead = await world.lead(cast.alice, cast.team)
    offer = await world.offer(lead, cast.bob)
    async with database.write() as session:
        found = await locks.lock_lead_of_own_offer(session, cast.bob.id, offer.id)
        assert found is not None
        assert found.id == lead.id
        assert await locks.lock_lead_of_own_offer(session, cast.alice.id, offer.id) is None
        assert await locks.lock_lead_of_own_offer(session, cast.bob.id, 999) is None


async def test_a_visible_lead(database: Database, world: World, cast: Cast) -> None:
    lead = await world.lead(cast.alice, cast.team)
    async with database.write() as session:
        found = await locks.lock_visible_lead(session, cast.alice.id, lead.id, NOW)
        assert found is not None
        assert found.id == lead.id
        assert await locks.lock_visible_lead(session, cast.bob.id, lead.id, NOW) is None


async def test_the_users_of_a_number(database: Database, world: World) -> None:
    """A user who had the number when they opted out is locked, and does not have it any more."""
    number, another = "+12025550142", "+12025550143"
    dora, emil = [await world.user(name, phone=number) for name in ("Dora", "Emil")]
    await world.user("Fred", phone=another)
    async with database.write() as session:
        await opt_out_of_texts(session, number, NOW)
    emil.phone = another
    await world.add(emil)
    async with database.write() as session:
        assert await locks.lock_users_of_phone(session, number) == [dora.id]


async def test_the_routes_of_a_user(database: Database, world: World, cast: Cast) -> None:
    for user in (cast.bob, cast.alice):
        source = await world.source(user)
        for kind in ("Seller", "Buyer"):
            await world.route(source, lead_type=kind)
    async with database.write() as session:
        found = await locks.lock_routes(session, cast.alice.id)
    assert [(route.creator_id, route.lead_type) for route in found] == [
        (cast.alice.id, "Seller"),
        (cast.alice.id, "Buyer"),
    ]


async def test_a_contact_of_ones_own(database: Database, world: World, cast: Cast) -> None:
    contact = await world.contact(cast.alice)
    async with database.write() as session:
        found = await locks.lock_contact(session, cast.alice.id, contact.id)
        assert found is not None
        assert found.id == contact.id
        assert await locks.lock_contact(session, cast.bob.id, contact.id) is None
