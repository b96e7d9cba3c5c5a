"""Submitting a lead over REST: the same checks and offers as over GraphQL, in FeathersJS' format."""

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import httpx2
import pytest

from app.domain.enums import RequestStatus
from tests.support.api import Api
from tests.support.world import NOW, Cast, World


async def _submit(client: Api, lead_id: int, query: str = "", **options: Any) -> httpx2.Response:
    return await client.rest("POST", f"/leads/{lead_id}/offers{query}", **({"json": {}} | options))


async def test_a_submit_returns_all_offers(api: Api, world: World, cast: Cast) -> None:
    """More than a page of them. The status is 201 if offers were created, else 200."""
    for rank in range(2, 13):
        await world.member(cast.team, await world.user(), rank=rank)
    lead = await world.lead(cast.alice, cast.team)
    answer = await _submit(api.user(cast.alice), lead.id)
    page = answer.json()
    assert (answer.status_code, page["total"], page["limit"], page["skip"]) == (201, 12, 12, 0)
    assert [offer["rank"] for offer in page["data"]] == list(range(1, 13))
    assert page["data"][0]["user"]["first_name"] == "Bob"
    assert page["data"][1]["notify_at"] == "2026-03-02T09:15:00.000Z"
    again = await _submit(api.user(cast.alice), lead.id)
    assert (again.status_code, again.json()) == (200, page)
    found = await api.user(cast.alice).rest("GET", f"/leads/{lead.id}/offers?$limit=100&$sort[notify_at]=1")
    assert found.json()["data"] == page["data"]


async def test_a_second_submit_creates_missing_offers(api: Api, world: World, cast: Cast) -> None:
    lead = await world.lead(cast.alice, cast.team)
    await _submit(api.user(cast.alice), lead.id)
    await world.member(cast.team, cast.charlie, rank=1)
    answer = await _submit(api.user(cast.alice), lead.id, "?$select=user")
    assert (answer.status_code, answer.json()["total"]) == (201, 2)
    assert [set(offer) for offer in answer.json()["data"]] == [{"id", "user"}] * 2


async def _chunks() -> AsyncIterator[bytes]:
    yield b"{"
    yield b"}"


@pytest.mark.parametrize("content", [b"{}", b" {} ", b"", None, _chunks()])
async def test_the_body_may_be_empty_or_missing(api: Api, world: World, cast: Cast, content: Any) -> None:
    lead = await world.lead(cast.alice, cast.team)
    headers = {"Authorization": f"Bearer {api.user(cast.alice).token}", "Content-Type": "application/json"}
    answer = await api.http.post(f"/leads/{lead.id}/offers", headers=headers, content=content)
    assert answer.status_code == 201


@pytest.mark.parametrize(
    ("options", "status", "field"),
    [
        ({"json": {"rank": 1, "x": None}}, 400, "rank"),
        ({"json": []}, 400, None),
        ({"content": b"null"}, 400, None),
        ({"content": b"{"}, 400, None),
        ({"data": {"a": "b"}}, 415, None),
        ({"content": b" " * 2_000_000}, 413, None),
    ],
)
async def test_any_other_body_is_rejected(
    api: Api, world: World, cast: Cast, options: Any, status: int, field: str | None
) -> None:
    lead = await world.lead(cast.alice, cast.team)
    token = {"Authorization": f"Bearer {api.user(cast.alice).token}"}
    headers = token if "data" in options else token | {"Content-Type": "application/json"}
    answer = await api.http.post(f"/leads/{lead.id}/offers", **(options | {"headers": headers}))
    error = answer.json()
    assert (answer.status_code, error["code"], error["data"].get("field")) == (status, status, field), error
    assert (await api.user(cast.alice).rest("GET", f"/leads/{lead.id}/offers")).json()["total"] == 0


async def test_checks_run_in_the_documented_order(api: Api, world: World, cast: Cast) -> None:
    """The order of the rules for submitting a lead, each with its HTTP status."""
    empty, strangers = await world.team(cast.alice), await world.team(cast.charlie)
    pending = await world.team(cast.alice)
    await world.member(pending, cast.bob, RequestStatus.PENDING)
    claimed = await world.lead(cast.alice, cast.team)
    await world.claimed(claimed, cast.bob)
    offered = await world.lead(cast.alice, cast.team)
    await world.offer(offered, cast.bob)
    leads = [
        (offered, cast.charlie, 404, "NotFound", "NOT_FOUND"),
        (offered, cast.bob, 403, "Forbidden", "FORBIDDEN"),
        (await world.lead(cast.alice), cast.alice, 422, "Unprocessable", "NOT_TEAM_ROLLOUT"),
        (claimed, cast.alice, 409, "Conflict", "ALREADY_CLAIMED"),
        (await world.lead(cast.alice, strangers), cast.alice, 422, "Unprocessable", "TEAM_NOT_USABLE"),
        (await world.zipcode_lead(cast.alice, None), cast.alice, 422, "Unprocessable", "ZIPCODE_MISSING"),
        (await world.zipcode_lead(cast.alice, "10001"), cast.alice, 422, "Unprocessable", "NO_TEAM_FOR_ZIPCODE"),
        (await world.lead(cast.alice, empty), cast.alice, 422, "Unprocessable", "NO_DISTRIBUTION_OPTIONS"),
        (await world.lead(cast.alice, pending), cast.alice, 422, "Unprocessable", "NO_ELIGIBLE_MEMBERS"),
    ]
    for lead, user, status, name, code in leads:
        answer = await _submit(api.user(user), lead.id)
        error = answer.json()
        assert (answer.status_code, error["code"], error["name"], error["data"]["code"]) == (status, status, name, code)
    assert (await _submit(api, offered.id)).status_code == 401
    assert (await _submit(api.user(cast.charlie, "read"), offered.id)).status_code == 403


async def test_the_details_of_an_error(api: Api, world: World, cast: Cast) -> None:
    lead, claimed = await world.lead(cast.alice, cast.team), await world.lead(cast.alice, cast.team)
    cast.bob.away_until = NOW + timedelta(hours=1)
    await world.add(cast.bob)
    await world.claimed(claimed, cast.bob)
    error = (await _submit(api.user(cast.alice), lead.id)).json()
    skipped = [{"user_id": cast.bob.id, "reason": "User away"}]
    assert error["data"] == {"code": "NO_ELIGIBLE_MEMBERS", "skipped": skipped}
    error = (await _submit(api.user(cast.alice), claimed.id)).json()
    assert error["data"] == {
        "code": "ALREADY_CLAIMED",
        "claimed_by": {"id": cast.bob.id, "first_name": "Bob", "last_name": "Example"},
        "claimed_at": "2026-03-02T09:00:00.000Z",
    }
    assert error["errors"] == {}
