"""Filters, sort orders and pages, compared with a plain Python implementation of the same rules."""

from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlmodel import select

from app.access import visibility
from app.db.engine import Database
from app.db.models import LeadOffer
from app.domain.enums import LeadOfferStatus
from app.errors import ApiError, Code
from app.lists.filters import (
    LISTS,
    NO_MATCH,
    RANGES,
    AllOf,
    AnyOf,
    Condition,
    Negation,
    Operator,
    Placeholder,
    Sort,
    Where,
    allow,
    bounded,
    parametrize,
)
from app.lists.pagination import PageRequest, clamp, fetch_page, fetch_pages, scan_limit_for
from tests.support.examples import examples
from tests.support.world import NOW, Cast, World

VALUES: dict[str, list[Any]] = {
    "id": [1, 2, 5, NO_MATCH],
    "lead_id": [1, 2, NO_MATCH],
    "user_id": [1, 2, 3, NO_MATCH],
    "team_id": [1, 7, NO_MATCH],
    "notify_at": [NOW, NOW + timedelta(milliseconds=1), NOW - timedelta(days=1)],
    "rank": [-1, 0, 1, 2],
    "assign_automatically": [True, False],
    "has_call_alert": [True, False],
    "status": list(LeadOfferStatus)[:4],
}
UNORDERED = {"assign_automatically", "has_call_alert", "status"}


@st.composite
def conditions(draw: st.DrawFn) -> Where:
    field = draw(st.sampled_from(sorted(VALUES)))
    operator = draw(st.sampled_from([o for o in COMPARE if o not in RANGES or field not in UNORDERED]))
    values = [v for v in VALUES[field] if operator not in RANGES or v is not NO_MATCH]
    if operator in LISTS:
        return Condition(field, operator, tuple(draw(st.lists(st.sampled_from(values), max_size=3))))
    nullable = [None] if operator in (Operator.EQ, Operator.NE) else []
    return Condition(field, operator, draw(st.sampled_from(values + nullable)))


def _wheres(parts: st.SearchStrategy[Where]) -> st.SearchStrategy[Where]:
    lists = st.lists(parts, max_size=3).map(tuple)
    return st.one_of(st.builds(AllOf, lists), st.builds(AnyOf, lists), st.builds(Negation, parts))


WHERES = st.recursive(conditions(), _wheres, max_leaves=6)
SORTS = st.lists(st.builds(Sort, st.sampled_from(sorted(VALUES)), st.booleans()), max_size=3).map(tuple)
PAGES = st.builds(PageRequest, WHERES, SORTS, st.integers(0, 8), st.integers(0, 8))


COMPARE: dict[Operator, Callable[[Any, Any], bool]] = {
    Operator.EQ: lambda value, sent: value == sent,
    Operator.NE: lambda value, sent: value != sent,
    Operator.IN: lambda value, sent: value is not None and value in sent,
    Operator.NIN: lambda value, sent: value is None or value not in sent,
    Operator.LT: lambda value, sent: value is not None and value < sent,
    Operator.LTE: lambda value, sent: value is not None and value <= sent,
    Operator.GT: lambda value, sent: value is not None and value > sent,
    Operator.GTE: lambda value, sent: value is not None and value >= sent,
}


def _holds(where: Where, row: LeadOffer) -> bool:
    match where:
        case AllOf(parts):
            return all(_holds(part, row) for part in parts)
        case AnyOf(parts):
            return any(_holds(part, row) for part in parts)
        case Negation(part):
            return not _holds(part, row)
    assert isinstance(where, Condition)
    return COMPARE[where.operator](getattr(row, where.field), where.value)


def _sorted(rows: Sequence[LeadOffer], sort: Sequence[Sort]) -> list[LeadOffer]:
    ordered = sorted(rows, key=lambda row: row.id)
    for by in reversed(sort):
        nulls = [row for row in ordered if getattr(row, by.field) is None]
        rest = [row for row in ordered if getattr(row, by.field) is not None]
        ordered = sorted(rest, key=lambda row: _key(getattr(row, by.field)), reverse=by.descending) + nulls
    return ordered


def _key(value: Any) -> Any:
    return value.name if isinstance(value, LeadOfferStatus) else value


@pytest.fixture
async def offers(database: Database, world: World, cast: Cast) -> list[LeadOffer]:
    """Offers of three leads with all kinds of values that filters compare, including nulls and ties."""
    dorothy = await world.user("Dorothy")
    people = [cast.alice, cast.bob, cast.charlie, dorothy, None]
    for i in range(3):
        lead = await world.lead(cast.alice, cast.team if i else None)
        for j, user in enumerate(people):
            await world.offer(
                lead,
                user,
                rank=[None, 0, 1, 1, 2][(i + j) % 5],
                notify_at=[NOW, None, NOW + timedelta(milliseconds=1)][(i * 2 + j) % 3],
                status=list(LeadOfferStatus)[(i + j) % 4],
                assign_automatically=j % 2 == 0,
                has_call_alert=[None, True, False][(i + j) % 3],
            )
    async with database.read() as session:
        return list((await session.exec(select(LeadOffer))).all())


SHARED = settings(examples(150), derandomize=True)


@SHARED
@given(page=PAGES)
async def test_a_page_follows_the_rules(
    database: Database, cast: Cast, offers: list[LeadOffer], page: PageRequest
) -> None:
    mine = [o for o in offers if cast.bob.id in (o.user_id, o.offered_by_id)]
    wanted = _sorted([row for row in mine if _holds(page.where, row)], page.sort)

    async with database.read() as session:
        answer = await fetch_page(session, LeadOffer, visibility.offers(cast.bob.id), page, with_total=True)

    assert [row.id for row in answer.data] == [row.id for row in wanted[page.skip :][: page.limit]]
    assert answer.total == len(wanted)


@SHARED
@given(page=PAGES)
async def test_an_inbox_read_in_halves_equals_the_inbox_read_whole(
    database: Database, cast: Cast, offers: list[LeadOffer], page: PageRequest
) -> None:
    for viewer in (cast.alice, cast.bob, cast.charlie):
        async with database.read() as session:
            whole = await fetch_page(session, LeadOffer, visibility.offers(viewer.id), page, with_total=True)
            halves = await fetch_page(session, LeadOffer, visibility.offer_parts(viewer.id), page, with_total=True)
        assert halves == whole


@pytest.mark.parametrize("descending", [False, True])
@pytest.mark.parametrize("field", sorted(VALUES))
async def test_a_short_page_in_each_order_begins_with_the_first_rows(
    database: Database, cast: Cast, offers: list[LeadOffer], field: str, descending: bool
) -> None:
    """Also where the order of the index has the nulls at the other end."""
    for sort in ((Sort(field, descending),), (Sort(field, descending), Sort("rank", descending=True))):
        for limit, skip in ((1, 0), (2, 1), (4, 3), (3, 9)):
            page = PageRequest(sort=sort, limit=limit, skip=skip)
            for viewer in (cast.alice, cast.bob):
                mine = _sorted([o for o in offers if viewer.id in (o.user_id, o.offered_by_id)], sort)
                async with database.read() as session:
                    parts = visibility.offer_parts(viewer.id)
                    answer = await fetch_page(session, LeadOffer, parts, page, with_total=True)
                assert [row.id for row in answer.data] == [row.id for row in mine[skip:][:limit]]
                assert answer.total == len(mine)


@SHARED
@given(page=PAGES)
async def test_nested_pages_equal_separate_pages(
    database: Database, cast: Cast, offers: list[LeadOffer], page: PageRequest
) -> None:
    found = visibility.offers(cast.alice.id)
    leads = sorted({offer.lead_id for offer in offers})
    async with database.read() as session:
        nested = await fetch_pages(session, LeadOffer, "lead_id", [*leads, 999], found, page)
        for lead_id in [*leads, 999]:
            of_lead = PageRequest(
                AllOf((Condition("lead_id", Operator.EQ, lead_id), page.where)), page.sort, page.limit, page.skip
            )
            alone = await fetch_page(session, LeadOffer, found, of_lead, with_total=True)
            assert [row.id for row in nested[lead_id].data] == [row.id for row in alone.data]
            assert nested[lead_id].total == alone.total


async def test_a_huge_list_is_one_parameter(database: Database, cast: Cast, offers: list[LeadOffer]) -> None:
    every = AllOf(tuple(Condition("id", Operator.IN, tuple(range(1, 100_000, 2))) for _ in range(3)))
    async with database.read() as session:
        answer = await fetch_page(
            session, LeadOffer, visibility.offers(cast.alice.id), PageRequest(every), with_total=True
        )
    assert answer.total == sum(1 for offer in offers if offer.id % 2)


@pytest.mark.parametrize("allowed", [0, 1, 250])
def test_exactly_as_many_as_allowed_are_allowed(allowed: int) -> None:
    for counted in range(max(0, allowed - 1), allowed + 1):
        allow(counted, allowed, "conditions")
    for counted in (allowed + 1, allowed + 1_000):
        with pytest.raises(ApiError) as error:
            allow(counted, allowed, "conditions")
        message = f"Too many conditions: {counted}. At most {allowed} are allowed."
        assert (error.value.code, error.value.message) == (Code.QUERY_TOO_COMPLEX, message)


EARLIER, LATER = NOW, NOW + timedelta(days=1)


def at(operator: Operator, value: Any = EARLIER, field: str = "notify_at") -> Condition:
    return Condition(field, operator, value)


@pytest.mark.parametrize(
    ("where", "upwards", "downwards"),
    [
        (at(Operator.EQ), EARLIER, EARLIER),
        (at(Operator.GT), EARLIER, None),
        (at(Operator.GTE), EARLIER, None),
        (at(Operator.LT), None, EARLIER),
        (at(Operator.LTE), None, EARLIER),
        (at(Operator.NE), None, None),
        (at(Operator.IN, (EARLIER,)), None, None),
        (at(Operator.NIN, (EARLIER,)), None, None),
        (at(Operator.EQ, None), None, None),
        (at(Operator.EQ, 7, "rank"), None, None),
        (Negation(at(Operator.EQ)), None, None),
        (AllOf(), None, None),
        (AllOf((at(Operator.EQ, 7, "rank"), at(Operator.EQ))), EARLIER, EARLIER),
        (AllOf((at(Operator.EQ), at(Operator.EQ, LATER))), LATER, EARLIER),
        (AnyOf((at(Operator.EQ), at(Operator.EQ, LATER))), EARLIER, LATER),
        (AnyOf((at(Operator.EQ), at(Operator.EQ, 7, "rank"))), None, None),
        (AnyOf((at(Operator.GT, LATER), AllOf((at(Operator.EQ), at(Operator.GT, 7, "id"))))), EARLIER, None),
        (AnyOf((at(Operator.LT), AllOf((at(Operator.EQ, LATER), at(Operator.GT, 7, "id"))))), None, LATER),
    ],
)
def test_a_condition_implies_a_bound_of_the_first_sort(where: Where, upwards: Any, downwards: Any) -> None:
    """A bound is the first value, in the direction of the sort, that a matching row can have."""
    for descending, operator, bound in ((False, Operator.GTE, upwards), (True, Operator.LTE, downwards)):
        sort = (Sort("notify_at", descending), Sort("rank"))
        expected = where if bound is None else AllOf((where, Condition("notify_at", operator, bound)))
        assert bounded(where, sort) == expected


def test_a_list_without_a_sort_is_bounded_by_id() -> None:
    after = Condition("id", Operator.GT, 7)
    assert bounded(after, ()) == AllOf((after, Condition("id", Operator.GTE, 7)))
    before = Condition("id", Operator.LT, 7)
    assert bounded(before, ()) == before


@pytest.mark.parametrize("value", [True, LeadOfferStatus.SENT, NO_MATCH])
def test_values_without_an_order_are_no_bound(value: Any) -> None:
    condition = Condition("status", Operator.EQ, value)
    assert bounded(condition, (Sort("status"),)) == condition


def test_conditions_that_differ_only_in_their_values_become_equal() -> None:
    def where(rank: int, ids: tuple[Any, ...]) -> Where:
        ranks = AnyOf((at(Operator.GT, rank, "rank"), Negation(at(Operator.EQ, None, "rank"))))
        return AllOf((ranks, at(Operator.IN, ids, "id"), at(Operator.NE, NO_MATCH, "id")))

    first, values = parametrize(where(1, (2, NO_MATCH, 3)), "offers_")
    second, others = parametrize(where(4, (5,)), "offers_")
    assert first == second
    assert values == {"offers_value_0": 1, "offers_value_1": [2, 3]}
    assert others == {"offers_value_0": 4, "offers_value_1": [5]}
    assert first == AllOf(
        (
            AnyOf(
                (
                    at(Operator.GT, Placeholder("offers_value_0"), "rank"),
                    Negation(at(Operator.EQ, None, "rank")),
                )
            ),
            at(Operator.IN, Placeholder("offers_value_1"), "id"),
            at(Operator.NE, NO_MATCH, "id"),
        )
    )


@pytest.mark.parametrize(
    ("end", "limit"), [(0, 100), (1, 100), (100, 100), (101, 1_000), (1_000, 1_000), (1_001, 10_000)]
)
def test_a_page_scans_up_to_the_next_power_of_ten(end: int, limit: int) -> None:
    assert scan_limit_for(end) == limit


@pytest.mark.parametrize(("asked", "applied"), [(0, 0), (99, 99), (100, 100), (101, 100), (2**31, 100)])
def test_a_limit_is_clamped(asked: int, applied: int) -> None:
    assert clamp(asked) == applied
