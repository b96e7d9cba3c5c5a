"""The ends of the number line in every parameter of the REST API."""

import logging
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.rest.filter_fields import FILTER_FIELDS
from app.rest.query_string import OPERATORS
from tests.support.api import Api
from tests.support.ends import IDS, INSTANTS, NUMBERS, TEXTS
from tests.support.examples import examples
from tests.support.world import Cast, World

ENDS = st.sampled_from([*IDS, *INSTANTS, *TEXTS])
OPERATED = [f"{name}{operator}" for name in FILTER_FIELDS for operator in ("", *(f"[{o}]" for o in OPERATORS))]
PARAMETERS = st.tuples(st.sampled_from([*OPERATED, "$limit", "$skip", "$select", "$sort[id]", "$or[0][id][$gt]"]), ENDS)
SEGMENTS = st.just("1") | st.sampled_from(NUMBERS)


@examples(200)
@given(
    lead=SEGMENTS,
    offer=st.just("") | SEGMENTS.map("/{}".format),
    parameters=st.lists(PARAMETERS, max_size=2),
    method=st.sampled_from(["GET", "GET", "GET", "POST"]),
)
async def test_no_value_breaks_a_request(
    *,
    api: Api,
    world: World,
    cast: Cast,
    caplog: pytest.LogCaptureFixture,
    lead: str,
    offer: str,
    parameters: list[tuple[str, str]],
    method: str,
) -> None:
    await world.offer(await world.lead(cast.alice, cast.team), cast.bob, rank=2**31 - 1)
    query = "&".join(f"{name}={quote(value, safe='')}" for name, value in parameters)
    response = await api.user(cast.alice).rest(method, f"/leads/{lead}{offer}?{query}")
    assert response.status_code < 500, response.text
    assert response.json()
    assert [record.getMessage() for record in caplog.records if record.levelno >= logging.ERROR] == []


@pytest.mark.parametrize("field", FILTER_FIELDS)
async def test_each_end_is_an_answer_or_a_bad_request(api: Api, cast: Cast, world: World, field: str) -> None:
    await world.offer(await world.lead(cast.alice, cast.team), cast.bob)
    alice = api.user(cast.alice)
    for operator in ("", "[$gt]", "[$in]"):
        for value in [*IDS, *INSTANTS]:
            response = await alice.rest("GET", f"/leads/1/offers?{field}{operator}={quote(value, safe='')}")
            assert response.status_code in (200, 400), (operator, value, response.text)
