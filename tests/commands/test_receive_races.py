"""Enquiries that come at the same time: one lead for each external id, and one contact for each person.

The first transaction has done everything but its commit while the others run, and then it is committed or rolled back.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from random import Random
from typing import Any

import pytest
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from app.commands.contacts import create_contact, update_contact
from app.commands.receive import Received, receive_lead
from app.db.engine import Database
from app.db.models import Contact, Delivery, Lead, LeadOffer
from app.errors import ApiError, Code
from tests.commands.test_contact_keys import check_keys, create
from tests.commands.test_receive import MARY, PHONE, Desk, desk
from tests.support.world import NOW, Cast

__all__ = ["desk"]

CALLS = 8
OVERLAP = 0.3
"""Seconds in which the others get as far as they can before the first transaction ends."""

Work = Callable[[AsyncSession], Awaitable[Any]]

FIRST_ENDS = pytest.mark.parametrize("first_is_kept", [True, False])


class Failed(Exception):
    """The first transaction fails after all of its statements."""


def receiving(desk: Desk, contact: Any = MARY, **fields: Any) -> Work:
    enquiry = {"contact": contact, "source_id": desk.source.id} | fields
    return lambda session: receive_lead(session, desk.cast.alice.id, enquiry, NOW)


async def beside(
    desk: Desk, elsewhere: Database, first: Work, others: Sequence[Work], *, first_is_kept: bool = True
) -> list[Any]:
    """Run the others while the first has not been committed. Return all results; an error is its code."""
    tasks: list[asyncio.Task[Any]] = []
    results: list[Any] = []
    try:
        async with desk.database.write() as session:
            results.append(await first(session))
            databases = (elsewhere, desk.database) if desk.database.is_postgresql else (elsewhere,)
            tasks = [
                asyncio.create_task(_outcome(databases[n % len(databases)].in_transaction(work)))
                for n, work in enumerate(others)
            ]
            await asyncio.sleep(OVERLAP)
            if not first_is_kept:
                raise Failed
    except Failed:
        results.clear()
    return [*results, *await asyncio.gather(*tasks)]


async def _outcome(work: Awaitable[Any]) -> Any:
    try:
        return await work
    except ApiError as error:
        return error.code


async def all_rows(database: Database, model: Any) -> Sequence[Any]:
    async with database.read() as session:
        return (await session.exec(select(model).order_by(col(model.id)))).all()


@FIRST_ENDS
async def test_calls_with_one_external_id_bring_one_lead(
    desk: Desk, elsewhere: Database, *, first_is_kept: bool
) -> None:
    calls = [receiving(desk, external_id="e1")] * CALLS
    results: list[Received] = await beside(desk, elsewhere, calls[0], calls[1:], first_is_kept=first_is_kept)
    (lead,) = await all_rows(desk.database, Lead)
    (contact,) = await all_rows(desk.database, Contact)
    (offer,) = await all_rows(desk.database, LeadOffer)
    (delivery,) = await all_rows(desk.database, Delivery)
    assert (offer.lead_id, delivery.offer_id) == (lead.id, offer.id)
    assert {(each.lead.id, each.lead.contact_id) for each in results} == {(lead.id, contact.id)}
    assert [each.is_new for each in results].count(True) == 1
    assert [each.contact_is_new for each in results].count(True) == 1


@FIRST_ENDS
async def test_enquiries_of_one_new_person_meet_in_one_contact(
    desk: Desk, elsewhere: Database, *, first_is_kept: bool
) -> None:
    by_mail, by_phone = {"email": MARY["email"].upper()}, {"mobile_phone": PHONE}
    calls = [receiving(desk, contact) for contact in (MARY, MARY, by_mail, by_phone, MARY, by_mail, by_phone, MARY)]
    results: list[Received] = await beside(desk, elsewhere, calls[0], calls[1:], first_is_kept=first_is_kept)
    leads = await all_rows(desk.database, Lead)
    assert {lead.id for lead in leads} == {each.lead.id for each in results}
    assert len(leads) == CALLS - (not first_is_kept)
    if first_is_kept:  # else an enquiry by address alone, and one by number alone, may come first
        (contact,) = await all_rows(desk.database, Contact)
        assert {lead.contact_id for lead in leads} == {contact.id}


async def test_people_who_share_a_number_stay_apart(desk: Desk, elsewhere: Database) -> None:
    people = [{"email": f"m{n}@example.com", "mobile_phone": PHONE} for n in range(CALLS)]
    calls = [receiving(desk, people[n // 2]) for n in range(CALLS)]
    await beside(desk, elsewhere, calls[0], calls[1:])
    contacts = await all_rows(desk.database, Contact)
    assert sorted(contact.email for contact in contacts) == [person["email"] for person in people[: CALLS // 2]]
    leads = await all_rows(desk.database, Lead)
    assert sorted(lead.contact_id for lead in leads) == sorted(2 * [contact.id for contact in contacts])


async def test_the_later_of_two_persons_with_one_external_id_is_refused(desk: Desk, elsewhere: Database) -> None:
    ann = {"email": "ann@example.com"}
    first, second = await beside(
        desk, elsewhere, receiving(desk, external_id="website"), [receiving(desk, ann, external_id="website")]
    )
    assert first.is_new
    assert second is Code.CONFLICT
    assert [contact.email for contact in await all_rows(desk.database, Contact)] == [MARY["email"]]


@FIRST_ENDS
async def test_a_known_contact_is_filled_in_once(desk: Desk, elsewhere: Database, *, first_is_kept: bool) -> None:
    contact = await desk.world.contact(desk.cast.alice, first_name=None, mobile_phone=None)
    names = [{"email": contact.email, "first_name": name, "mobile_phone": PHONE} for name in ("Ann", "Bea", "Cleo")]
    await beside(
        desk,
        elsewhere,
        receiving(desk, names[0]),
        [receiving(desk, name) for name in names[1:]],
        first_is_kept=first_is_kept,
    )
    (filled,) = await all_rows(desk.database, Contact)
    assert filled.mobile_phone == PHONE
    assert filled.first_name == "Ann" if first_is_kept else filled.first_name in ("Bea", "Cleo")


@FIRST_ENDS
async def test_a_contact_that_loses_its_address_meanwhile_is_not_filled_in(
    desk: Desk, elsewhere: Database, *, first_is_kept: bool
) -> None:
    contact = await desk.world.contact(desk.cast.alice, mobile_phone=None)
    changes = {"email": "new@example.com"}
    change: Work = lambda session: update_contact(session, desk.cast.alice.id, contact.id, changes)  # noqa: E731
    results = await beside(desk, elsewhere, change, [receiving(desk)], first_is_kept=first_is_kept)
    assert results[-1].contact_is_new is first_is_kept
    stored = (await all_rows(desk.database, Contact))[0]
    assert (stored.email, stored.mobile_phone) == (
        ("new@example.com", None) if first_is_kept else (contact.email, PHONE)
    )


@FIRST_ENDS
async def test_a_contact_that_gets_the_address_meanwhile_is_found(
    desk: Desk, elsewhere: Database, *, first_is_kept: bool
) -> None:
    contact = await desk.world.contact(desk.cast.alice, email=None, mobile_phone=None)
    changes = {"email": MARY["email"]}
    change: Work = lambda session: update_contact(session, desk.cast.alice.id, contact.id, changes)  # noqa: E731
    results = await beside(desk, elsewhere, change, [receiving(desk)] * 2, first_is_kept=first_is_kept)
    contacts = {each.lead.contact_id for each in results[-2:]}
    assert len(contacts) == 1
    assert (contacts == {contact.id}) is first_is_kept
    await check_keys(desk.database)


async def test_simultaneous_changes_leave_one_contact_found_by_each_key(
    database: Database, elsewhere: Database, cast: Cast, caplog: pytest.LogCaptureFixture
) -> None:
    """Few addresses and numbers are given to, and taken from, few contacts, and enquiries come from these people."""
    mails, phones = [f"m{n}@example.com" for n in range(3)], [f"+1202555010{n}" for n in range(3)]
    contacts = [await create(database, cast.alice) for _ in range(4)]

    async def one(number: int) -> None:
        chance = Random(number)
        for _ in range(15):
            fields = {"email": chance.choice([None, *mails]), "mobile_phone": chance.choice([None, *phones])}
            contact_id = chance.choice(contacts)
            kind = chance.random()

            async def work(session: AsyncSession) -> Any:
                if kind < 0.5:  # noqa: B023  it runs at once
                    return await update_contact(session, cast.alice.id, contact_id, fields)  # noqa: B023
                if kind < 0.6 or not any(fields.values()):  # noqa: B023
                    return await create_contact(session, cast.alice.id, fields)  # noqa: B023
                return await receive_lead(session, cast.alice.id, {"contact": fields}, NOW)  # noqa: B023

            await (database if chance.random() < 0.5 else elsewhere).in_transaction(work)

    await asyncio.gather(*map(one, range(8)))
    assert [record.message for record in caplog.records if "deadlock" in record.message] == []
    await check_keys(database)
