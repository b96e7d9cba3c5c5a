"""An external id is entered once for each creator and source, whatever runs at the same time."""

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from app.commands.leads import create_lead, update_lead, write_lead
from app.db.engine import Database
from app.db.models import Contact, Lead
from app.domain.enums import DistributionTarget
from app.errors import ApiError, Code
from tests.graphql.test_teams import count
from tests.support.world import NOW, Cast, World

MARY = {"first_name": "Mary"}
MANY = 10
STARTS_WITHIN = 0.2
"""Seconds after which the second transaction has got as far as it can before the first one ends."""


async def outcome(database: Database, viewer_id: int, new: Mapping[str, Any]) -> tuple[Code | None, str]:
    """Create a lead. Return None and its id, or the code of the error and the id of the lead that it names."""
    try:
        lead = await database.in_transaction(lambda session: create_lead(session, viewer_id, new, NOW))
    except ApiError as error:
        return error.code, error.extensions["leadId"]
    return None, str(lead.id)


@pytest.mark.parametrize("has_source", [True, False])
async def test_one_of_many_simultaneous_calls_succeeds(
    database: Database, elsewhere: Database, world: World, cast: Cast, has_source: bool
) -> None:
    source_id = (await world.source(cast.alice)).id if has_source else None
    new = {"contact": MARY, "source_id": source_id, "external_id": "4711"}
    calls = [outcome([database, elsewhere][i % 2], cast.alice.id, new) for i in range(MANY)]
    results = await asyncio.gather(*calls)
    assert sorted(code or "" for code, _ in results) == ["", *[Code.CONFLICT] * (MANY - 1)]
    assert len({lead_id for _, lead_id in results}) == 1
    assert (await count(database, Lead), await count(database, Contact)) == (1, 1)


@pytest.mark.parametrize("first_fails", [True, False])
async def test_a_call_waits_for_one_that_has_not_ended(
    database: Database, elsewhere: Database, cast: Cast, first_fails: bool
) -> None:
    new = {"contact": MARY, "external_id": "4711"}
    waiting: asyncio.Task[Any] | None = None
    try:
        async with database.write() as session:
            first = await create_lead(session, cast.alice.id, new, NOW)
            waiting = asyncio.create_task(outcome(elsewhere, cast.alice.id, new))
            await asyncio.sleep(STARTS_WITHIN)
            assert not waiting.done()
            if first_fails:
                raise InterruptedError
    except InterruptedError:
        pass
    assert waiting is not None
    code, lead_id = await waiting
    assert code is (None if first_fails else Code.CONFLICT)
    assert first_fails or lead_id == str(first.id)
    assert (await count(database, Lead), await count(database, Contact)) == (1, 1)


async def test_two_leads_change_places(database: Database, elsewhere: Database, world: World, cast: Cast) -> None:
    """Each moves to the source of the other at the same time: both are refused, or one waits and is refused."""
    sources = [await world.source(cast.alice, name) for name in ("Website", "Portal")]
    leads = [await world.lead(cast.alice, source_id=source.id, external_id="4711") for source in sources]

    async def move(database: Database, lead: Lead, to: int) -> Code | None:
        def work(session: AsyncSession) -> Any:
            return update_lead(session, cast.alice.id, lead.id, {"source_id": to}, NOW)

        try:
            await database.in_transaction(work)
        except ApiError as error:
            return error.code
        return None

    results = await asyncio.gather(move(database, leads[0], sources[1].id), move(elsewhere, leads[1], sources[0].id))
    assert set(results) == {Code.CONFLICT}
    async with database.read() as session:
        kept = (await session.exec(select(Lead.source_id).order_by(col(Lead.id)))).all()
    assert kept == [source.id for source in sources]


async def test_a_transaction_goes_on_after_a_known_id(database: Database, world: World, cast: Cast) -> None:
    """Receiving an enquiry writes other rows beside the lead."""
    known = await world.lead(cast.alice, external_id="4711")
    async with database.write() as session:
        contact = Contact(owner_id=cast.alice.id, first_name="Ann")
        session.add(contact)
        await session.flush()
        again = Lead(
            contact_id=contact.id,
            creator_id=cast.alice.id,
            distribution_target=DistributionTarget.MYSELF,
            created_at=NOW,
            external_id="4711",
        )
        assert await write_lead(session, again) == known.id
        contact.last_name = "Lee"
        again = Lead(**{**again.model_dump(exclude={"id"}), "external_id": "4712"})
        assert await write_lead(session, again) is None
    assert (await count(database, Lead), await count(database, Contact)) == (2, 2)
