"""Profiles over HTTP: users change their own name, phone number and time zone."""

from dataclasses import replace
from typing import Any

import pytest

from app.domain.enums import ApiScope
from tests.support.api import Api
from tests.support.world import Cast, World, change

PROFILE = "id firstName lastName phone timezone email"
UPDATE = f"mutation ($input: UpdateMeInput!) {{ updateMe(input: $input) {{ me {{ {PROFILE} }} }} }}"
ME = f"{{ me {{ {PROFILE} }} }}"


async def test_a_field_that_is_left_out_keeps_its_value(api: Api, world: World, cast: Cast) -> None:
    await change(world, cast.bob, phone="+12025550142")
    bob = api.user(cast.bob)
    expected = (await bob.ask(ME))["me"]
    for sent, stored in (
        ({}, {}),
        ({"firstName": "  Robert "}, {"firstName": "Robert"}),
        ({"lastName": "O'Neil"}, {"lastName": "O'Neil"}),
        ({"phone": "(202) 555-0123"}, {"phone": "+12025550123"}),
        ({"phone": "+49 30 901820"}, {"phone": "+4930901820"}),
        ({"timezone": "Asia/Tokyo"}, {"timezone": "Asia/Tokyo"}),
        ({"phone": None}, {"phone": None}),
        ({"firstName": "A", "lastName": "B", "phone": "2025550142", "timezone": "UTC"},) * 2,
    ):
        expected |= stored | ({"phone": "+12025550142"} if stored.get("phone") == "2025550142" else {})
        for _ in range(2):
            assert (await bob.ask(UPDATE, input=sent))["updateMe"]["me"] == expected
        assert (await bob.ask(ME))["me"] == expected
    assert (await api.user(cast.alice).ask(ME))["me"]["firstName"] == "Alice"


@pytest.mark.parametrize(
    ("field", "values"),
    [
        ("firstName", [None, "", "  ", "a\nb", "x" * 256, "\u200b"]),
        ("lastName", [None, "", "\0", "x" * 256]),
        ("phone", ["", "12", "555-0142", "+12025550142 ext. 5", "call me"]),
        ("timezone", [None, "", "Mars/Olympus", "Factory", "utc+1", "america/new_york ", "x" * 300]),
    ],
)
async def test_bad_values_are_refused(api: Api, cast: Cast, field: str, values: list[Any]) -> None:
    bob = api.user(cast.bob)
    before = (await bob.ask(ME))["me"]
    for value in values:
        told = await bob.refusal(UPDATE, input={field: value, "lastName": "New"} | {field: value})
        assert (told["code"], told["field"]) == ("BAD_USER_INPUT", f"input.{field}")
    assert (await bob.ask(ME))["me"] == before


async def test_every_bad_value_is_named(api: Api, cast: Cast) -> None:
    bad = {"firstName": "", "lastName": None, "phone": "1", "timezone": "Mars"}
    told = await api.user(cast.bob).refusal(UPDATE, input=bad)
    assert [problem["field"] for problem in told["problems"]] == [f"input.{field}" for field in bad]


async def test_an_api_key_needs_the_scope_write(api: Api, world: World, cast: Cast) -> None:
    for scopes, code in (
        ([ApiScope.READ, ApiScope.WRITE], None),
        ([ApiScope.WRITE], None),
        ([ApiScope.READ], "FORBIDDEN"),
        ([ApiScope.INTAKE], "FORBIDDEN"),
    ):
        _, key = await world.api_key(cast.bob, *scopes)
        response = await replace(api, token=key).send(UPDATE, input={"firstName": "Key"})
        assert [error["extensions"]["code"] for error in response.get("errors", ())] == ([code] if code else [])
