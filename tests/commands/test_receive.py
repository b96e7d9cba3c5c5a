"""Receiving an enquiry: what is read, its contact, its lead, and what becomes of the submit."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import event
from sqlmodel import SQLModel, select
from sqlmodel.ext.asyncio.session import AsyncSession

from app.commands.contacts import RULES as CONTACT_RULES
from app.commands.contacts import create_contact
from app.commands.leads import RULES, create_lead
from app.commands.receive import REFUSALS, Received, receive_lead
from app.commands.step_end import leads_to_end
from app.commands.submit import submit_lead_offers
from app.db import compiled
from app.db.engine import Database, connect
from app.db.models import Contact, Lead, LeadOffer, LeadSource, TeamZipcode
from app.domain.enums import DistributionTarget, RequestStatus, TeamSelectionMethod
from app.errors import ApiError, Code
from tests.commands.test_contact_keys import check_keys
from tests.support.databases import Clone
from tests.support.world import NOW, Cast, World, change

MAIL, PHONE = "mary@example.com", "+12025550123"
MARY = {"first_name": "Mary", "last_name": "Jackson", "email": MAIL, "mobile_phone": PHONE}
BY_ZIPCODE = {"team_selection_method": TeamSelectionMethod.ZIPCODE, "team_id": None}


async def rows_of(database: Database) -> dict[str, list[Any]]:
    """Return all rows of all tables."""
    async with database.read() as session:
        connection = await session.connection()
        return {
            table.name: [tuple(row) for row in await connection.execute(table.select().order_by(*table.primary_key))]
            for table in SQLModel.metadata.sorted_tables
        }


@dataclass
class Desk:
    """Alice, and her source whose leads go to her team, in which Bob is."""

    database: Database
    world: World
    cast: Cast
    source: LeadSource

    async def receive(self, contact: Any = MARY, *, only_source_id: int | None = None, **fields: Any) -> Received:
        """Receive an enquiry from the source, unless `source_id` is given."""
        enquiry = {"contact": contact, "source_id": self.source.id} | fields
        async with self.database.write() as session:
            return await receive_lead(session, self.cast.alice.id, enquiry, NOW, only_source_id=only_source_id)

    async def error(self, contact: Any = MARY, **fields: Any) -> ApiError:
        """Receive an enquiry that is refused, and check that nothing is written. Return the error."""
        before = await rows_of(self.database)
        with pytest.raises(ApiError) as caught:
            await self.receive(contact, **fields)
        assert await rows_of(self.database) == before
        return caught.value

    async def contact(self, received: Received) -> dict[str, Any]:
        async with self.database.read() as session:
            contact = await session.get_one(Contact, received.lead.contact_id)
        return {field: getattr(contact, field) for field in CONTACT_RULES}

    async def count(self, model: type[Any]) -> int:
        async with self.database.read() as session:
            return len((await session.exec(select(model))).all())


@pytest.fixture
async def desk(database: Database, world: World, cast: Cast) -> AsyncIterator[Desk]:
    source = await world.source(cast.alice)
    await world.route(source, cast.team)
    yield Desk(database, world, cast, source)
    await check_keys(database)


# A new enquiry


async def test_a_new_person_gets_a_contact_a_lead_and_the_offers_of_the_route(desk: Desk) -> None:
    received = await desk.receive(type=" Buyer ", zipcode="02138-1234", external_id="e1")
    assert (received.is_new, received.contact_is_new, received.ignored) == (True, True, ())
    assert received.refusal is None
    assert received.submitted is not None
    assert [offer.user_id for offer in received.submitted.offers] == [desk.cast.bob.id]
    assert received.submitted.created_count == 1
    assert await desk.contact(received) == MARY
    lead = received.lead
    assert (lead.creator_id, lead.source_id, lead.team_id) == (desk.cast.alice.id, desk.source.id, desk.cast.team.id)
    assert (lead.type, lead.zipcode, lead.external_id, lead.created_at) == ("Buyer", "02138", "e1", NOW)


async def test_without_a_source_or_a_route_the_lead_stays_with_its_receiver(desk: Desk) -> None:
    other = await desk.world.source(desk.cast.alice, "Fair")
    for source_id in (None, other.id):
        received = await desk.receive(source_id=source_id)
        assert (received.submitted, received.refusal) == (None, None)
        assert received.lead.distribution_target is DistributionTarget.MYSELF
    assert await desk.count(LeadOffer) == 0


async def test_the_route_for_the_type_comes_first(desk: Desk) -> None:
    villas = await desk.world.team(desk.cast.alice)
    await desk.world.member(villas, desk.cast.charlie)
    await desk.world.route(desk.source, villas, "Villa")
    for lead_type, team in (("VILLA ", villas), ("flat", desk.cast.team), (None, desk.cast.team)):
        received = await desk.receive(type=lead_type)
        assert received.submitted is not None
        assert received.submitted.team.id == team.id


async def test_it_equals_create_contact_create_lead_and_submit(desk: Desk, clone: Clone) -> None:
    """Compare all rows of two databases."""

    async def build(database: Database) -> tuple[Desk, Any]:
        world = World(database)
        cast = await world.cast()
        await world.member_user(cast.team, "Dora", rank=2, assign_automatically=True)
        await world.membership(cast.team, cast.charlie, RequestStatus.PENDING)
        source = await world.source(cast.alice)
        await world.route(source, cast.team, "Buyer")
        await world.route(source, None, "Seller")
        await world.route(source, None, "Flat", distribution_target=DistributionTarget.TEAM_ROLLOUT, **BY_ZIPCODE)
        await world.add(TeamZipcode(team_id=cast.team.id, zipcode="02138"))
        return Desk(database, world, cast, source), source

    enquiries: list[dict[str, Any]] = [
        {
            "type": "Buyer",
            "external_id": "e1",
            "message": "Hello,\nI am Mary.",
            "listing_price": 350_000,
            "city": "Cambridge",
        }
        | {
            "mls_id": "4711",
            "listing_status": "For Sale",
            "street_address": "1 Main St",
            "state": "MA",
            "language": "es",
        },
        {"type": "Seller"},
        {"type": "Flat", "zipcode": "02138"},
        {"type": "Flat", "zipcode": "99999"},
        {"type": "Flat"},
        {"type": "Other", "zipcode": "02138"},
    ]
    people = [
        {"email": "m1@example.com"},
        {"mobile_phone": "(202) 555-0101"},
        {"first_name": " Ann "} | {"email": "M3@example.com"},
        {"email": "m4@example.com"},
        {"email": "m5@example.com", "mobile_phone": "+442079460958"},
        {"email": "m6@example.com"},
    ]
    async with clone() as one_url, clone() as other_url:
        one, other = connect(one_url), connect(other_url)
        receiving, source = await build(one)
        writing, _ = await build(other)
        for contact, fields in zip(people, enquiries, strict=True):
            received = await receiving.receive(contact, **fields)
            enquiry = {"source_id": source.id} | fields
            async with other.write() as session:
                created = await create_contact(session, writing.cast.alice.id, contact)
            async with other.write() as session:
                values = enquiry | {"contact_id": created.id}
                lead = await create_lead(session, writing.cast.alice.id, values, NOW)
            code: Code | None = None
            try:
                async with other.write() as session:
                    await submit_lead_offers(session, writing.cast.alice.id, lead.id, NOW)
            except ApiError as error:
                code = error.code
            if code is Code.NOT_TEAM_ROLLOUT:
                code = None
            assert (received.refusal and received.refusal.code) == code
        rows = await rows_of(one), await rows_of(other)
        await one.close()
        await other.close()
    assert rows[0] == rows[1]


async def test_the_number_of_statements(desk: Desk, statements: list[str]) -> None:
    await desk.receive(external_id="first")  # a route is read, and statements are compiled
    counts = {}
    cases: dict[str, tuple[Any, dict[str, Any]]] = {
        "known": (MARY, {"external_id": "first"}),
        "new": ({"email": "ann@example.com", "mobile_phone": "+12025550199"}, {"external_id": "second"}),
        "new enquiry of a known person": (MARY, {}),
        "stays": (MARY, {"source_id": None}),
    }
    for name, (contact, fields) in cases.items():
        statements.clear()
        await desk.receive(contact, **fields)
        counts[name] = len([each for each in statements if "SAVEPOINT" not in each.upper()])
    assert counts == {"known": 2, "new": 14, "new enquiry of a known person": 11, "stays": 2}


# Once


@pytest.mark.parametrize(
    "again",
    [
        {},
        {"contact": {"email": MAIL.upper()}},
        {"contact": {"email": "else@example.com", "mobile_phone": "(202) 555-0123"}},
        {"contact": {"email": "?", "mobile_phone": PHONE, "first_name": "x" * 300}},
        {"type": "Seller", "zipcode": "?"},
    ],
)
async def test_a_known_enquiry_is_answered_by_its_first_lead_and_writes_nothing(
    desk: Desk, again: dict[str, Any]
) -> None:
    first = await desk.receive(external_id="e1")
    await desk.world.member_user(desk.cast.team)  # whom a submit would offer the lead
    before = await rows_of(desk.database)
    received = await desk.receive(**({"external_id": " e1 "} | again))
    assert (received.lead.id, received.lead.contact_id) == (first.lead.id, first.lead.contact_id)
    assert (received.is_new, received.contact_is_new) == (False, False)
    assert (received.submitted, received.refusal) == (None, None)
    assert await rows_of(desk.database) == before


@pytest.mark.parametrize("external_id", [None, "", "  "])
async def test_without_an_external_id_each_call_is_an_enquiry(desk: Desk, external_id: Any) -> None:
    first, second = [await desk.receive(external_id=external_id) for _ in range(2)]
    assert first.lead.id != second.lead.id
    assert first.lead.contact_id == second.lead.contact_id
    assert (first.contact_is_new, second.contact_is_new) == (True, False)
    assert second.lead.external_id is None


async def test_an_external_id_is_of_one_source_and_one_receiver(desk: Desk) -> None:
    other = await desk.world.source(desk.cast.alice, "Fair")
    received = [
        await desk.receive(external_id="17"),
        await desk.receive(external_id="17", source_id=other.id),
        await desk.receive(external_id=17, source_id=None),
    ]
    async with desk.database.write() as session:
        enquiry = {"contact": MARY, "external_id": 17}
        received.append(await receive_lead(session, desk.cast.bob.id, enquiry, NOW))
    assert len({each.lead.id for each in received}) == 4
    assert all(each.is_new for each in received)
    again = [
        await desk.receive(external_id=17.0),
        await desk.receive(external_id=17, source_id=str(other.id)),
        await desk.receive(external_id="17", source_id=None),
    ]
    assert [each.lead.id for each in again] == [each.lead.id for each in received[:3]]
    assert not any(each.is_new for each in again)


async def test_the_external_id_of_another_persons_lead_is_a_conflict(desk: Desk) -> None:
    first = await desk.receive(external_id="website")
    error = await desk.error({"email": "ann@example.com", "mobile_phone": "+12025550199"}, external_id="website")
    assert error.code is Code.CONFLICT
    assert error.extensions == {"leadId": str(first.lead.id)}
    shared = await desk.receive({"email": "ann@example.com", "mobile_phone": PHONE}, external_id="website")
    assert shared.lead.id == first.lead.id


# What is refused


@pytest.mark.parametrize(
    ("contact", "field"),
    [
        (None, "contact"),
        ({}, "contact"),
        ({"first_name": "Mary"}, "contact"),
        ({"email": " ", "mobile_phone": None}, "contact"),
        ("mary@example.com", "contact"),
        ([MARY], "contact"),
        ({"email": "mary at home"}, "contact.email"),
        ({"mobile_phone": "call me"}, "contact.mobile_phone"),
        ({"email": "mary at home", "mobile_phone": "call me"}, "contact.email"),
        ({"email": {"address": MAIL}}, "contact.email"),
        ({"email": MAIL + "," + MAIL}, "contact.email"),
    ],
)
async def test_nobody_can_answer_an_enquiry_without_an_address_or_a_number(
    desk: Desk, contact: Any, field: str
) -> None:
    error = await desk.error(contact)
    assert (error.code, error.problems[0].field) == (Code.BAD_USER_INPUT, field)


@pytest.mark.parametrize("value", ["x" * 256, "a\nb", {"id": 1}, [1], True, 1.5])
async def test_an_external_id_that_cannot_be_kept_is_refused(desk: Desk, value: Any) -> None:
    """Without it, each repetition would be an enquiry of its own."""
    error = await desk.error(external_id=value)
    assert (error.code, error.problems[0].field) == (Code.BAD_USER_INPUT, "external_id")
    assert (await desk.receive(external_id="x" * 255)).is_new


async def test_the_source_is_ones_own(desk: Desk) -> None:
    strangers = await desk.world.source(desk.cast.charlie)
    unknown: list[Any] = [strangers.id, 0, 10**30, "?", "1.5", [], True]
    for source_id in unknown:
        error = await desk.error(source_id=source_id)
        assert (error.code, error.problems[0].field) == (Code.BAD_USER_INPUT, "source_id")
    for known in (desk.source.id, f" {desk.source.id} ", float(desk.source.id)):
        assert (await desk.receive(source_id=known)).lead.source_id == desk.source.id


async def test_a_key_of_one_source_brings_its_leads_only(desk: Desk) -> None:
    other = await desk.world.source(desk.cast.alice, "Fair")
    messages = set()
    for source_id in (other.id, 10**6, "?"):
        error = await desk.error(source_id=source_id, only_source_id=desk.source.id)
        assert (error.code, error.problems[0].field) == (Code.BAD_USER_INPUT, "source_id")
        messages.add(error.message)
    assert len(messages) == 1  # which sources there are is not told
    for given in (None, "", " ", desk.source.id):
        assert (await desk.receive(source_id=given, only_source_id=desk.source.id)).lead.source_id == desk.source.id


async def test_all_problems_are_named_at_once(desk: Desk) -> None:
    error = await desk.error({"email": "?"}, source_id=10**6, external_id="x" * 256)
    assert {problem.field for problem in error.problems} == {"contact.email", "source_id", "external_id"}


async def test_a_known_external_id_is_checked_like_a_new_one(desk: Desk) -> None:
    await desk.receive(external_id="e1")
    assert (await desk.error({}, external_id="e1")).code is Code.BAD_USER_INPUT


# What is left out


UNREADABLE: list[tuple[str, Any, tuple[Any, Any]]] = [
    ("zipcode", "?", ("02138", "02138")),
    ("zipcode", ["02138"], (2138, "02138")),
    ("type", "x" * 256, ("x" * 255, "x" * 255)),
    ("type", {"name": "Buyer"}, (7, "7")),
    ("type", "a\0b", ("a b", "a b")),
    ("message", "x" * 10_001, (" a\nb\n", "a\nb")),
    ("message", ["Hello"], ("x" * 10_000, "x" * 10_000)),
    ("listing_price", "350k", ("$350,000", 350_000)),
    ("listing_price", -1, (350_000.0, 350_000)),
    ("listing_price", 2**31, (2**31 - 1, 2**31 - 1)),
    ("listing_price", 0.5, ("0", 0)),
    ("mls_id", {}, (4711, "4711")),
    ("listing_status", "For\nSale", ("For Sale", "For Sale")),
    ("street_address", "x" * 256, ("1 Main St", "1 Main St")),
    ("city", False, ("Cambridge", "Cambridge")),
    ("state", "\u200b", ("MA", "MA")),
    ("language", [], ("es", "es")),
]
"""Fields with a value that cannot be read, and a good one: as it is sent, and as it is stored."""


@pytest.mark.parametrize(("field", "value", "good"), UNREADABLE)
async def test_what_cannot_be_read_is_left_out_and_named(desk: Desk, field: str, value: Any, good: Any) -> None:
    received = await desk.receive(**{field: value})
    assert [problem.field for problem in received.ignored] == [field]
    assert received.ignored[0].message
    assert getattr(received.lead, field) is None
    sent, stored = good
    received = await desk.receive(**{field: sent})
    assert received.ignored == ()
    assert getattr(received.lead, field) == stored


async def test_blank_values_are_left_out_without_a_word(desk: Desk) -> None:
    """A form sends every field."""
    received = await desk.receive(
        {"first_name": "", "last_name": " ", "email": MAIL, "mobile_phone": ""}, zipcode="", type=" "
    )
    assert received.ignored == ()
    assert await desk.contact(received) == {**dict.fromkeys(CONTACT_RULES), "email": MAIL}


@pytest.mark.parametrize(
    ("contact", "ignored", "stored"),
    [
        ({"email": "?", "mobile_phone": PHONE}, ["contact.email"], {"mobile_phone": PHONE}),
        ({"email": MAIL, "mobile_phone": "555-01"}, ["contact.mobile_phone"], {"email": MAIL}),
        ({"email": MAIL, "mobile_phone": 2025550123}, [], {"email": MAIL, "mobile_phone": PHONE}),
        ({"email": MAIL, "first_name": "x" * 256}, ["contact.first_name"], {"email": MAIL}),
        ({"email": MAIL, "last_name": 7}, [], {"email": MAIL, "last_name": "7"}),
    ],
)
async def test_one_way_to_answer_is_enough(desk: Desk, contact: Any, ignored: list[str], stored: Any) -> None:
    received = await desk.receive(contact)
    assert [problem.field for problem in received.ignored] == ignored
    assert await desk.contact(received) == dict.fromkeys(CONTACT_RULES) | stored


# The contact

ANNS = "+12025550199"


@pytest.mark.parametrize(
    ("known", "sent", "is_same"),
    [
        ({"email": MAIL}, {"email": "MARY@Example.com"}, True),
        ({"email": MAIL}, {"email": "mia@example.org", "mobile_phone": PHONE}, False),
        ({"email": MAIL, "mobile_phone": PHONE}, {"email": MAIL, "mobile_phone": ANNS}, True),
        ({"email": MAIL, "mobile_phone": PHONE}, {"mobile_phone": "202-555-0123"}, True),
        ({"email": MAIL, "mobile_phone": PHONE}, {"email": "ann@example.com", "mobile_phone": PHONE}, False),
        ({"mobile_phone": PHONE}, {"email": "ann@example.com", "mobile_phone": PHONE}, True),
        ({"mobile_phone": PHONE}, {"email": "ann@example.com"}, False),
        ({"email": MAIL}, {"mobile_phone": PHONE}, False),
    ],
)
async def test_a_contact_is_found_by_its_address_else_its_number(
    desk: Desk, known: dict[str, Any], sent: dict[str, Any], *, is_same: bool
) -> None:
    fields = dict.fromkeys(CONTACT_RULES) | known
    contact = await desk.world.contact(desk.cast.alice, **fields)
    stranger = await desk.world.contact(desk.cast.charlie, **fields)
    received = await desk.receive(sent)
    assert received.contact_is_new is not is_same
    assert (received.lead.contact_id == contact.id) is is_same
    assert received.lead.contact_id != stranger.id


async def test_the_address_comes_before_the_number(desk: Desk) -> None:
    by_number = await desk.world.contact(desk.cast.alice, email=None)
    by_address = await desk.world.contact(desk.cast.alice, mobile_phone=None)
    received = await desk.receive(MARY)
    assert received.lead.contact_id == by_address.id
    assert (await desk.contact(received))["mobile_phone"] == PHONE
    assert (await desk.receive({"mobile_phone": PHONE})).lead.contact_id == by_number.id


async def test_what_a_known_contact_lacks_is_filled_in_and_nothing_is_changed(desk: Desk) -> None:
    await desk.world.contact(desk.cast.alice, first_name=None, last_name="Jackson", email=MAIL, mobile_phone=None)
    sent = {"first_name": "Mia", "last_name": "Other", "email": MAIL.upper(), "mobile_phone": ANNS}
    received = await desk.receive(sent)
    assert not received.contact_is_new
    expected = {"first_name": "Mia", "last_name": "Jackson", "email": MAIL, "mobile_phone": ANNS}
    assert await desk.contact(received) == expected
    assert (
        await desk.contact(await desk.receive({"email": MAIL, "first_name": "Eve", "mobile_phone": PHONE})) == expected
    )
    assert (await desk.receive({"mobile_phone": ANNS})).lead.contact_id == received.lead.contact_id


async def test_an_imported_value_that_is_no_number_stays(desk: Desk) -> None:
    await desk.world.contact(desk.cast.alice, mobile_phone="call me")
    assert (await desk.contact(await desk.receive(MARY)))["mobile_phone"] == "call me"


# The submit


async def _by_zipcode(desk: Desk) -> None:
    await desk.world.route(
        desk.source, None, "Zip", **({"distribution_target": DistributionTarget.TEAM_ROLLOUT} | BY_ZIPCODE)
    )


async def _serve_zipcode(desk: Desk) -> None:
    await desk.world.add(TeamZipcode(team_id=desk.cast.team.id, zipcode="02138"))


@pytest.mark.parametrize(
    ("code", "fields"),
    [
        (Code.ZIPCODE_MISSING, {"type": "Zip", "zipcode": "?"}),
        (Code.NO_TEAM_FOR_ZIPCODE, {"type": "Zip", "zipcode": "99999"}),
        (Code.NO_DISTRIBUTION_OPTIONS, {"type": "Empty"}),
        (Code.NO_ELIGIBLE_MEMBERS, {"type": "Nobody"}),
        (Code.TEAM_NOT_USABLE, {"type": "Gone"}),
        (None, {"type": "Zip", "zipcode": "02138"}),
        (None, {"type": "Any"}),
    ],
)
async def test_a_lead_that_cannot_be_offered_is_kept(desk: Desk, code: Code | None, fields: dict[str, Any]) -> None:
    world, cast = desk.world, desk.cast
    await _by_zipcode(desk)
    await _serve_zipcode(desk)
    await world.route(desk.source, await world.team(cast.alice), "Empty")
    nobody = await world.team(cast.alice)
    away = await world.member_user(nobody, away_until=NOW + timedelta(hours=1))
    await world.route(desk.source, nobody, "Nobody")
    gone = await world.team(cast.alice)
    await world.route(desk.source, gone, "Gone")
    await change(world, gone, deleted_at=NOW)

    received = await desk.receive(external_id="e1", **fields)
    assert received.is_new
    assert (received.refusal and received.refusal.code) == code
    assert (received.submitted is None) is (code is not None)
    async with desk.database.read() as session:
        lead = await session.get_one(Lead, received.lead.id)
        assert await leads_to_end(session, NOW + timedelta(minutes=59)) == []
        assert await leads_to_end(session, NOW + timedelta(minutes=60)) == [lead.id]
    assert await desk.count(LeadOffer) == (code is None)
    if code is Code.NO_ELIGIBLE_MEMBERS:
        assert received.refusal is not None
        assert received.refusal.extensions["skipped"] == [{"userId": str(away.id), "reason": "USER_AWAY"}]
    again = await desk.receive(external_id="e1", **fields)
    assert (again.lead.id, again.is_new, again.refusal) == (lead.id, False, None)


def test_every_field_of_an_enquiry_is_tried() -> None:
    assert {field for field, *_ in UNREADABLE} == {*RULES} - {"external_id"}


def test_every_refusal_is_one_of_a_submit() -> None:
    assert [code.value for code in REFUSALS] == [
        "TEAM_NOT_USABLE",
        "ZIPCODE_MISSING",
        "NO_TEAM_FOR_ZIPCODE",
        "NO_DISTRIBUTION_OPTIONS",
        "NO_ELIGIBLE_MEMBERS",
    ]


async def test_a_lead_is_assigned_at_once_if_the_team_says_so(desk: Desk) -> None:
    quick = await desk.world.team(desk.cast.alice)
    await desk.world.member(quick, desk.cast.bob, assign_automatically=True)
    await desk.world.route(desk.source, quick, "Quick")
    received = await desk.receive(type="Quick")
    assert received.lead.claimed_by_id == desk.cast.bob.id


# Nothing is kept of what fails


class Broken(Exception):
    pass


async def test_whatever_fails_before_the_commit_nothing_is_kept(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """The transaction breaks off before each of its statements, and the last time before its commit."""
    await desk.receive({"email": "else@example.com", "mobile_phone": PHONE})  # compiles statements
    before, left = await rows_of(desk.database), 0
    fetch: Any = compiled._fetch

    def count_down(*_details: Any) -> None:
        nonlocal left
        left -= 1
        if left < 0:
            raise Broken

    async def fetch_counted(*arguments: Any) -> Any:
        count_down()
        return await fetch(*arguments)

    monkeypatch.setattr(compiled, "_fetch", fetch_counted)
    event.listen(desk.database.write_engine.sync_engine, "before_cursor_execute", count_down)

    async def work(session: AsyncSession) -> None:
        enquiry = {"contact": MARY, "source_id": desk.source.id, "external_id": "e1"}
        await receive_lead(session, desk.cast.alice.id, enquiry, NOW)
        raise Broken

    for statements in range(100):
        left = statements
        with pytest.raises(Broken):
            await desk.database.in_transaction(work)
        is_complete = left >= 0
        left = 100
        assert await rows_of(desk.database) == before
        if is_complete:
            break
    assert statements > 10
    assert (await desk.receive(external_id="e1")).is_new
