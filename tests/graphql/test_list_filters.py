"""Filters by text, by related rows and by questions, compared with a plain Python implementation of the same rules."""

import random
import unicodedata
from collections import Counter
from collections.abc import Sequence
from typing import Any

import pytest
from sqlalchemy import String, literal, text
from sqlmodel import select

from app.db.engine import Database
from app.db.functions import folded
from app.db.models import Contact, Lead, LeadOffer, LeadRollout
from app.domain.case_folding import Folding, fold_text
from app.domain.enums import DistributionTarget, LeadOfferStatus, TeamSelectionMethod
from app.domain.validation import fold_address
from tests.support.api import Api
from tests.support.world import NOW, Cast, World, at

WORDS = """
Ärger ÄRGER ärger A\u0308rger Straße STRASSE strasse STRAẞE İstanbul istanbul Istanbul ISTANBUL \u0131sparta
100% 100_ 100\\ 1000 % _ \\ \\% [a]* * ? ' $1 ᏸ Ᏸ ꭰ Ⓐ ⓐ 日本 Łódź łÓDŹ ѣ Ѣ Ǆ ǆ ﬁsh FISH Kelvin ŉ 'N
ΟΔΟΣ οδος οδο\u03c3 \u212aelvin \u017faint Saint \U00010400 \U00010428
"""
NAMES = [*WORDS.split(), "😀 A", "a", " a ", "", '"', "\t"]
PARTS = "ä Ä SS ß s i I İ i\u0307 \u0307 \u0131 00 0% 0\\ rger %% __ \u03c3 Σ fi K k n tanb 日 😀 x straSSe asse ÓD"
TYPED = [*NAMES, *PARTS.split(), " "]

ALICE_CONTACTS = "query ($where: ContactWhere) { contacts(where: $where, limit: 100) { total data { id } } }"
LEADS = "query ($where: LeadWhere) { leads(where: $where, limit: 100) { total data { id } } }"
COUNTS = "query ($where: LeadOfferWhere) { leadOfferCounts(where: $where) { status count } }"

Fetched = list[tuple[str, Sequence[Any]]]


async def ids(viewer: Api, query: str, where: Any) -> list[int]:
    (page,) = (await viewer.ask(query, where=where)).values()
    found = sorted(int(row["id"]) for row in page["data"])
    assert page["total"] == len(found)
    return found


async def test_text_is_found_without_regard_to_case(api: Api, world: World, cast: Cast) -> None:
    contacts = [await world.contact(cast.alice, first_name=name) for name in [*NAMES, None]]
    alice = api.user(cast.alice)
    for typed in TYPED:
        sought = typed.casefold()
        for operator, holds in (("contains", str.__contains__), ("startsWith", str.startswith)):
            wanted = [c.id for c in contacts if c.first_name is not None and holds(c.first_name.casefold(), sought)]
            assert await ids(alice, ALICE_CONTACTS, {"firstName": {operator: typed}}) == wanted, (operator, typed)
    every = [c.id for c in contacts if c.first_name is not None]
    assert await ids(alice, ALICE_CONTACTS, {"firstName": {"contains": ""}}) == every
    assert await ids(alice, ALICE_CONTACTS, {"not": {"firstName": {"contains": ""}}}) == [contacts[-1].id]


async def test_every_character_is_folded_as_python_does(database: Database) -> None:
    """All characters that have a case, and those beside them, in texts of a few hundred."""
    characters = [chr(code) for code in range(1, 0x20000) if not 0xD800 <= code < 0xE000]
    texts = ["".join(characters[i : i + 300]) for i in range(0, len(characters), 300)]

    for folding in Folding:
        async with database.read() as session:
            for sample in texts:
                (found,) = await session.exec(select(folded(literal(sample, String()), folding)))
                assert found == fold_text(sample, folding)


def test_a_text_is_folded_as_unicode_does() -> None:
    for sample in NAMES:
        assert fold_text(sample, Folding.TEXT) == sample.casefold()
        assert "".join(fold_text(character, Folding.ADDRESS) for character in sample) == fold_text(
            sample, Folding.ADDRESS
        )


ADDRESSES = [
    *("Mary@example.com", "mary@example.com", "JÖRG@example.com", "jörg@example.com", "straße@example.com"),
    *("strasse@example.com", "ΑΣ@example.com", "ας@example.com", "50%@example.com", None),
]


@pytest.mark.parametrize("typed", [*[a for a in ADDRESSES if a], "MARY@EXAMPLE.COM", "JO\u0308RG@example.com", "x@y.z"])
async def test_addresses_are_compared_without_regard_to_case(api: Api, world: World, cast: Cast, typed: str) -> None:
    contacts = [await world.contact(cast.alice, email=address) for address in ADDRESSES]
    alice, key = api.user(cast.alice), fold_address(unicodedata.normalize("NFC", typed))
    equal = [c.id for c in contacts if c.email is not None and fold_address(c.email) == key]
    others = [c.id for c in contacts if c.id not in equal]
    for operator, value, wanted in (
        ("eq", typed, equal),
        ("ne", typed, others),
        ("in", [typed, "x@example.com"], equal),
        ("nin", [typed], others),
        ("contains", typed, equal),
        ("startsWith", typed.partition("@")[0] + "@", [i for i in equal if not typed.endswith(".z")]),
    ):
        assert await ids(alice, ALICE_CONTACTS, {"email": {operator: value}}) == wanted, operator


async def test_a_filter_tells_nothing_of_a_contact_that_the_viewer_may_not_see(
    api: Api, world: World, cast: Cast
) -> None:
    """Bob has an offer of Alice's lead: he sees the contact's name, and the address once he holds the lead."""
    contact = await world.contact(cast.alice, email="secret@example.com", mobile_phone="+12025550199")
    lead = await world.lead(cast.alice, cast.team, contact)
    await world.offer(lead, cast.bob, cast.team)
    alice, bob, charlie = map(api.user, (cast.alice, cast.bob, cast.charlie))
    hidden: list[Any] = [
        *(
            {"email": {operator: value}}
            for operator, value in (
                ("contains", "secret"),
                ("contains", ""),
                ("startsWith", "s"),
                ("eq", "secret@example.com"),
                ("in", ["SECRET@example.com"]),
                ("gte", "a"),
                ("lt", "z"),
                ("ne", None),
            )
        ),
        *(
            {"mobilePhone": {operator: value}}
            for operator, value in (
                ("contains", "0199"),
                ("startsWith", "+1"),
                ("eq", "+12025550199"),
                ("ne", None),
            )
        ),
        {"not": {"email": {"eq": None}}},
    ]
    for where in hidden:
        assert await ids(alice, LEADS, {"contact": where}) == [lead.id], where
        assert await ids(bob, LEADS, {"contact": where}) == [], where
        assert await ids(bob, LEADS, {"not": {"contact": where}}) == [lead.id], where
        assert await ids(charlie, LEADS, {"contact": where}) == []
    assert await ids(bob, LEADS, {"contact": {"email": {"ne": "secret@example.com"}}}) == [lead.id]
    assert await ids(bob, LEADS, {"contact": {"lastName": {"contains": "JACK"}}}) == [lead.id]

    await world.claimed(lead, cast.bob)
    for where in hidden:
        assert await ids(bob, LEADS, {"contact": where}) == [lead.id], where


async def test_only_the_creator_learns_of_the_rollout(api: Api, world: World, cast: Cast) -> None:
    other = await world.team(cast.alice)
    lead = await world.zipcode_lead(cast.alice, "94105", first_team_id=cast.team.id, exhausted_at=NOW)
    await world.offer(lead, cast.bob, cast.team)
    for team in (cast.team, other):
        await world.add(
            LeadRollout(
                lead_id=lead.id,
                team_id=team.id,
                team_selection_method=TeamSelectionMethod.ZIPCODE,
                submitted_at=NOW,
            )
        )
    fresh = await world.lead(cast.alice, cast.team)
    alice, bob = api.user(cast.alice), api.user(cast.bob)
    assert await ids(alice, LEADS, {"rolloutTeamId": {"eq": str(other.id)}}) == [lead.id]
    assert await ids(alice, LEADS, {"rolloutTeamId": {"eq": str(cast.team.id)}}) == []
    assert await ids(alice, LEADS, {"rolloutTeamId": {"eq": None}}) == [fresh.id]
    assert await ids(alice, LEADS, {"not": {"rolloutTeamId": {"eq": str(other.id)}}}) == [fresh.id]
    assert await ids(alice, LEADS, {"submitted": True}) == [lead.id]
    assert await ids(alice, LEADS, {"submitted": False}) == [fresh.id]
    assert await ids(alice, LEADS, {"exhausted": True}) == [lead.id]
    assert await ids(alice, LEADS, {"exhausted": False}) == [fresh.id]
    for where in ({"submitted": True}, {"submitted": False}, {"exhausted": True}, {"exhausted": False}):
        assert await ids(bob, LEADS, where) == []
        assert await ids(bob, LEADS, {"or": [where]}) == []
    assert await ids(bob, LEADS, {"rolloutTeamId": {"eq": str(other.id)}}) == []
    assert await ids(bob, LEADS, {"rolloutTeamId": {"in": [str(other.id), str(cast.team.id)]}}) == []
    assert await ids(bob, LEADS, {"not": {"rolloutTeamId": {"eq": str(other.id)}}}) == [lead.id]

    shown = "{ leads(sort: {field: ID}) { data { rolloutTeam { id } } } }"
    assert await alice.ask(shown) == {
        "leads": {"data": [{"rolloutTeam": {"id": str(other.id)}}, {"rolloutTeam": None}]}
    }
    assert await bob.ask(shown) == {"leads": {"data": [{"rolloutTeam": None}]}}


# Leads with all kinds of values, and filters made at random


async def board(world: World, cast: Cast) -> tuple[list[Lead], dict[int, Contact]]:
    """Add forty leads by two creators; return what Alice sees of them."""
    rng = random.Random(18)
    teams = [cast.team, await world.team(cast.alice)]
    bobs_team = await world.team(cast.bob)
    await world.member(bobs_team, cast.alice)
    sources = [await world.source(cast.alice, name) for name in ("Straße", "Web_Site", "100%")]
    sources.append(await world.source(cast.bob, "Strasse_100%"))
    leads, contacts = [], {}
    for i in range(40):
        creator = cast.alice if i % 4 else cast.bob
        contact = await world.contact(creator, last_name=rng.choice([*NAMES[:12], None]), email=rng.choice(ADDRESSES))
        target = rng.choice([*DistributionTarget])
        lead = await world.lead(
            creator,
            contact=contact,
            distribution_target=target,
            source_id=rng.choice([None, *(source.id for source in sources if source.creator_id == creator.id)]),
            first_team_id=cast.team.id if i % 3 else None,
            exhausted_at=NOW if i % 5 == 0 else None,
            created_at=at(-rng.randrange(5)),
        )
        if i % 3:
            for team in rng.choices(teams, k=rng.randrange(1, 3)):
                step = LeadRollout(
                    lead_id=lead.id,
                    team_id=team.id,
                    team_selection_method=TeamSelectionMethod.ZIPCODE,
                    submitted_at=NOW,
                )
                await world.add(step)
        if i % 8 == 0:
            await world.offer(lead, cast.alice, bobs_team)
        if i % 7 == 0:
            await world.claimed(lead, cast.bob if i % 2 else cast.alice)
        leads.append(lead)
        contacts[contact.id] = contact
    mine = [lead for i, lead in enumerate(leads) if i % 4 or i % 8 == 0 or i % 7 == 0]
    return mine, contacts


def random_where(rng: random.Random, depth: int) -> dict[str, Any]:
    made: list[Any] = [
        {"claimed": rng.random() < 0.5},
        {"submitted": rng.random() < 0.5},
        {"exhausted": rng.random() < 0.5},
        {
            "contact": {
                "lastName": {rng.choice(["contains", "startsWith"]): rng.choice(["ä", "S", "ss", "is", "%", ""])}
            }
        },
        {"contact": {"email": {"eq": rng.choice(["MARY@example.com", None])}}},
        {"contact": {}},
        {"source": {"name": {"contains": rng.choice(["SS", "_", "%"])}}},
        {"source": {}},
        {"rolloutTeamId": {rng.choice(["eq", "ne"]): rng.choice(["1", "2", None])}},
        {"distributionTarget": {rng.choice(["eq", "ne"]): rng.choice([*DistributionTarget]).name}},
    ]
    if depth:
        parts = [random_where(rng, depth - 1) for _ in range(2)]
        made += [{"and": parts}, {"or": parts}, {"not": parts[0]}] * 3
    chosen = rng.sample(made, rng.randrange(1, 3))
    return {name: value for part in chosen for name, value in part.items()}


class Recount:
    """The rules of the filters in plain Python, for Alice."""

    def __init__(
        self, cast: Cast, contacts: dict[int, Contact], sources: dict[int, str], teams: dict[int, int]
    ) -> None:
        self.alice, self.contacts, self.sources, self.teams = cast.alice.id, contacts, sources, teams

    def holds(self, where: dict[str, Any], lead: Lead) -> bool:
        return all(self.part(name, value, lead) for name, value in where.items())

    def part(self, name: str, value: Any, lead: Lead) -> bool:  # noqa: PLR0911  one kind of part a line
        mine = lead.creator_id == self.alice
        exhausted = (
            lead.exhausted_at is not None
            and lead.claimed_by_id is None
            and lead.distribution_target is DistributionTarget.TEAM_ROLLOUT
        )
        match name:
            case "and":
                return all(self.holds(part, lead) for part in value)
            case "or":
                return any(self.holds(part, lead) for part in value)
            case "not":
                return not self.holds(value, lead)
            case "claimed":
                return (lead.claimed_by_id is not None) is value
            case "submitted":
                return mine and (lead.first_team_id is not None) is value
            case "exhausted":
                return mine and exhausted is value
            case "contact":
                contact = self.contacts[lead.contact_id]
                is_shown = mine or lead.claimed_by_id == self.alice
                email = fold_address(contact.email) if contact.email and is_shown else None
                return all(self.text(contact.last_name if f == "lastName" else email, c) for f, c in value.items())
            case "source":
                source = self.sources.get(lead.source_id or 0)
                return source is not None and all(self.text(source, c) for c in value.values())
            case "rolloutTeamId":
                return self.text(str(self.teams[lead.id]) if mine and lead.id in self.teams else None, value)
        return self.text(lead.distribution_target.name, value)

    @staticmethod
    def text(value: str | None, condition: dict[str, str | None]) -> bool:
        ((operator, sent),) = condition.items()
        match operator:
            case "eq":
                return value == (sent.lower() if sent and "@" in sent else sent)
            case "ne":
                return value != sent
        assert sent is not None
        if operator == "contains":
            return value is not None and sent.casefold() in value.casefold()
        return value is not None and value.casefold().startswith(sent.casefold())


async def test_filters_made_at_random_equal_a_recount(
    api: Api, world: World, cast: Cast, database: Database, fetched: Fetched
) -> None:
    leads, contacts = await board(world, cast)
    async with database.read() as session:
        steps = (await session.exec(select(LeadRollout).order_by(LeadRollout.id))).all()  # type: ignore[arg-type]
        names = dict((await session.exec(text("SELECT id, name FROM lead_sources"))).all())  # type: ignore[call-overload]
    recount = Recount(cast, contacts, names, {step.lead_id: step.team_id for step in steps})
    alice, rng = api.user(cast.alice), random.Random(7)
    sizes = []
    for _ in range(150):
        where = random_where(rng, 2)
        fetched.clear()
        wanted = sorted(lead.id for lead in leads if recount.holds(where, lead))
        assert await ids(alice, LEADS, where) == wanted, where
        assert len(fetched) == 1
        sizes.append(len(wanted))
    assert len(set(sizes)) > 10


@pytest.mark.parametrize("direction", ["ASC", "DESC"])
async def test_leads_are_sorted_by_the_last_name_of_the_contact(
    api: Api, world: World, cast: Cast, direction: str
) -> None:
    leads, contacts = await board(world, cast)
    names = {lead.id: contacts[lead.contact_id].last_name for lead in leads}
    named = sorted((i for i in names if names[i] is not None), key=lambda i: (names[i], i))
    if direction == "DESC":
        named = sorted(named, key=lambda i: names[i] or "", reverse=True)
    wanted = [*named, *sorted(i for i in names if names[i] is None)]
    query = f"""query ($skip: Int) {{
        leads(sort: [{{field: CONTACT_LAST_NAME, direction: {direction}}}], limit: 7, skip: $skip) {{ data {{ id }} }}
    }}"""
    shown = []
    for skip in range(0, len(wanted), 7):
        shown += [int(row["id"]) for row in (await api.user(cast.alice).ask(query, skip=skip))["leads"]["data"]]
    assert shown == wanted


# Offers


async def offers(world: World, cast: Cast) -> list[LeadOffer]:
    """Offers of all statuses, due or not: to Alice by herself and Bob, to Bob, and to nobody. Bob sees no SENT one."""
    made = []
    bobs = await world.team(cast.bob)
    for i, status in enumerate([*LeadOfferStatus] * 3):
        lead, notify_at = await world.lead(cast.alice, cast.team), at(60 if i < len(LeadOfferStatus) else 0)
        user = cast.alice if i % 4 else cast.bob
        made.append(await world.offer(lead, user, cast.team, status, notify_at=notify_at))
        if i % 5 == 1:
            made.append(await world.offer(lead, None, cast.team, status))
        if i % 5 == 0:
            made.append(await world.offer(await world.lead(cast.bob, bobs), cast.alice, bobs, status))
    return made


async def test_offers_are_counted_by_status(
    api: Api, world: World, cast: Cast, database: Database, fetched: Fetched
) -> None:
    made = await offers(world, cast)
    for user in (cast.alice, cast.bob, cast.charlie):
        visible = [o for o in made if user.id in (o.user_id, o.offered_by_id)]
        mine, others = [o for o in visible if o.user_id == user.id], [o for o in visible if o.user_id != user.id]
        wheres: list[tuple[Any, list[LeadOffer]]] = [
            (None, visible),
            ({}, visible),
            ({"mine": True}, mine),
            ({"mine": False}, others),
            ({"mine": None}, visible),
            ({"not": {"mine": True}}, others),
            (
                {"or": [{"mine": True}, {"status": {"eq": "SENT"}}]},
                [o for o in visible if o in mine or o.status is LeadOfferStatus.SENT],
            ),
            ({"and": [{"mine": True}, {"mine": False}]}, []),
            ({"status": {"in": ["SENT", "CLAIMED"]}}, [o for o in visible if o.status.name in ("SENT", "CLAIMED")]),
        ]
        for where, rows in wheres:
            fetched.clear()
            counted = (await api.user(user).ask(COUNTS, where=where))["leadOfferCounts"]
            assert len(fetched) == 1
            numbers = Counter(offer.status for offer in rows)
            wanted = [{"status": s.name, "count": numbers[s]} for s in LeadOfferStatus if numbers[s]]
            assert counted == wanted, where
            query = "query ($where: LeadOfferWhere) { leadOffers(where: $where, limit: 100) { total data { id } } }"
            assert await ids(api.user(user), query, where) == sorted(o.id for o in rows)
            nested = "query ($where: LeadOfferWhere) { lead(id: 1) { offers(where: $where) { data { id } } } }"
            lead = (await api.user(user).ask(nested, where=where))["lead"]
            if lead is not None:
                assert [int(o["id"]) for o in lead["offers"]["data"]] == [o.id for o in rows if o.lead_id == 1]


async def test_the_inbox_and_its_counts_are_one_statement(api: Api, world: World, cast: Cast, fetched: Fetched) -> None:
    await offers(world, cast)
    query = """{ all: leadOfferCounts { n: count status __typename }
      mine: leadOfferCounts(where: {mine: true}) { count }
      leadOffers(where: {mine: true}) { data { id } } leads(where: {claimed: false}) { total } }"""
    found = await api.user(cast.bob).ask(query)
    assert len(fetched) == 1
    assert sum(row["count"] for row in found["mine"]) == len(found["leadOffers"]["data"]) > 0
    assert {row["__typename"] for row in found["all"]} == {"LeadOfferCount"}


# Limits and errors


@pytest.mark.parametrize(
    "where",
    [
        {"or": [{"claimed": True}] * 251},
        {"contact": {"or": [{"email": {"contains": "a"}}] * 251}},
        {"or": [{"contact": {}}] * 251},
        {"or": [{"source": {"name": {"eq": "a"}}}] * 251},
    ],
)
async def test_conditions_of_related_rows_and_questions_count(api: Api, cast: Cast, where: Any) -> None:
    refused = await api.user(cast.alice).refusal(LEADS, where=where)
    assert refused["code"] == "QUERY_TOO_COMPLEX"
    where = {name: {"or": value["or"][1:]} if isinstance(value, dict) else value[1:] for name, value in where.items()}
    assert (await api.user(cast.alice).ask(LEADS, where=where))["leads"]["data"] == []


async def test_invalid_searches_are_refused_by_name(api: Api, cast: Cast) -> None:
    alice = api.user(cast.alice)
    for where, field in (
        ({"city": {"contains": None}}, "where.city.contains"),
        ({"contact": {"email": {"startsWith": None}}}, "where.contact.email.startsWith"),
        ({"not": {"contact": {"lastName": {"contains": "a\0"}}}}, "where.not.contact.lastName.contains"),
        ({"claimed": "yes"}, "where.claimed"),
        ({"source": {"title": {"eq": "a"}}}, "where.source"),
        ({"distributionTarget": {"eq": "NOBODY"}}, "where.distributionTarget.eq"),
    ):
        refused = await alice.refusal(LEADS, where=where)
        assert (refused["code"], refused["field"]) == ("BAD_USER_INPUT", field)
    assert (await alice.ask(LEADS, where={"claimed": None, "contact": None, "source": None}))["leads"]["total"] == 0
