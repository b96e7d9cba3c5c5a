"""createApiKey, revokeApiKey and apiKeys, and everything that a key with the scope INTAKE alone may not do."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from graphql import GraphQLObjectType, get_introspection_query

from app.domain.api_key_form import is_well_formed
from app.domain.bounds import MOST_API_KEYS
from app.domain.enums import ApiScope
from app.domain.timestamps import format_instant
from app.graphql.schema import schema
from app.graphql.strawberry_internals import core_schema
from app.rest.routes import ROUTES
from tests.support.api import Api, days_are_noted
from tests.support.graphql_ws import connected, url_of
from tests.support.world import NOW, Cast, World

FIELDS = "id name prefix scopes source { id name } createdAt expiresAt revokedAt lastUsedOn"
CREATE = f"mutation ($input: CreateApiKeyInput!) {{ createApiKey(input: $input) {{ key apiKey {{ {FIELDS} }} }} }}"
REVOKE = f"mutation ($id: ID!) {{ revokeApiKey(id: $id) {{ apiKey {{ {FIELDS} }} }} }}"
KEYS = f"""query ($where: ApiKeyWhere, $sort: [ApiKeySort!]) {{
  apiKeys(where: $where, sort: $sort) {{ total data {{ {FIELDS} }} }}
}}"""
ME = "{ me { id } }"
SOON = format_instant(NOW + timedelta(hours=1))

UNAUTHENTICATED_ADDRESSES = {("GET", "/openapi.json")}
INTAKE_ADDRESSES = {("POST", "/leads"), ("POST", "/intake/{key}")}


async def create(client: Api, name: str = "Website", *scopes: str, **more: Any) -> dict[str, Any]:
    new = {"name": name, "scopes": [*scopes] or ["READ", "WRITE"], **more}
    created: dict[str, Any] = (await client.ask(CREATE, input=new))["createApiKey"]
    return created


async def names(client: Api, **arguments: Any) -> list[str]:
    return [key["name"] for key in (await client.ask(KEYS, **arguments))["apiKeys"]["data"]]


async def test_a_key_is_shown_once_and_listed_without_itself(api: Api, world: World, cast: Cast) -> None:
    alice, source = api.user(cast.alice), await world.source(cast.alice)
    created = await create(alice, "  Site ", "INTAKE", sourceId=source.id, expiresAt=SOON)
    key, shown = created["key"], created["apiKey"]
    assert is_well_formed(key)
    assert shown == {
        "id": shown["id"],
        "name": "Site",
        "prefix": key[:11],
        "scopes": ["INTAKE"],
        "source": {"id": str(source.id), "name": "Website"},
        "createdAt": format_instant(NOW),
        "expiresAt": SOON,
        "revokedAt": None,
        "lastUsedOn": None,
    }
    other = await create(alice, "Tool", "WRITE", "READ")
    assert other["apiKey"]["scopes"] == ["READ", "WRITE"]
    assert other["apiKey"]["expiresAt"] is None
    statements = alice.statements()
    listed = await alice.post({"query": KEYS})
    assert len(statements) == 1
    assert listed.json()["data"]["apiKeys"] == {"total": 2, "data": [shown, other["apiKey"]]}
    assert key not in listed.text
    assert await names(api.user(cast.bob)) == []
    assert (await replace(api, token=other["key"]).ask(ME)) == {"me": {"id": str(cast.alice.id)}}


async def test_the_day_of_use_is_listed(api: Api, cast: Cast) -> None:
    key = (await create(api.user(cast.alice)))["key"]
    program = replace(api, token=key)
    await program.ask(ME)
    await days_are_noted()
    (listed,) = (await program.ask(KEYS))["apiKeys"]["data"]
    assert listed["lastUsedOn"] == "2026-03-02"


async def test_lists_of_keys_are_filtered_and_sorted(api: Api, cast: Cast) -> None:
    alice = api.user(cast.alice)
    for name in ("B", "C", "A"):
        created = await create(alice, name)
    await alice.ask(REVOKE, id=created["apiKey"]["id"])
    assert await names(alice) == ["B", "C", "A"]
    assert await names(alice, sort=[{"field": "NAME"}]) == ["A", "B", "C"]
    assert await names(alice, sort=[{"field": "ID", "direction": "DESC"}]) == ["A", "C", "B"]
    assert await names(alice, where={"revokedAt": {"eq": None}}) == ["B", "C"]
    assert await names(alice, where={"revokedAt": {"gte": format_instant(NOW)}}) == ["A"]
    assert await names(alice, where={"or": [{"name": {"eq": "B"}}, {"id": {"eq": created["apiKey"]["id"]}}]}) == [
        "B",
        "A",
    ]


@pytest.mark.parametrize(
    ("new", "field"),
    [
        ({"name": " "}, "input.name"),
        ({"name": "x" * 256}, "input.name"),
        ({"name": "a\nb"}, "input.name"),
        ({"scopes": []}, "input.scopes"),
        ({"scopes": ["READ", "WRITE", "READ"]}, "input.scopes"),
        ({"expiresAt": format_instant(NOW)}, "input.expiresAt"),
        ({"expiresAt": "2026-03-01"}, "input.expiresAt"),
        ({"expiresAt": "2201-01-01"}, "input.expiresAt"),
        ({"scopes": ["READ"], "sourceId": "1"}, "input.sourceId"),
        ({"scopes": ["INTAKE", "WRITE"], "sourceId": "1"}, "input.sourceId"),
        ({"scopes": ["INTAKE"], "sourceId": "2"}, "input.sourceId"),
        ({"scopes": ["INTAKE"], "sourceId": "99"}, "input.sourceId"),
        ({"scopes": ["INTAKE"], "sourceId": "x"}, "input.sourceId"),
    ],
)
async def test_an_invalid_key_is_refused(api: Api, world: World, cast: Cast, new: dict[str, Any], field: str) -> None:
    await world.source(cast.alice)
    await world.source(cast.bob)
    alice = api.user(cast.alice)
    refused = await alice.refusal(CREATE, input={"name": "Site", "scopes": ["READ"], **new})
    assert (refused["code"], refused["field"]) == ("BAD_USER_INPUT", field)
    assert "problems" not in refused
    assert await names(alice) == []


async def test_all_problems_of_a_key_are_listed(api: Api, cast: Cast) -> None:
    refused = await api.user(cast.alice).refusal(
        CREATE, input={"name": "", "scopes": [], "sourceId": "x", "expiresAt": "2020-01-01"}
    )
    assert [problem["field"] for problem in refused["problems"]] == [
        "input.name",
        "input.scopes",
        "input.expiresAt",
        "input.sourceId",
    ]


async def test_the_name_is_unique_among_the_active_keys_of_a_user(api: Api, world: World, cast: Cast) -> None:
    alice = api.user(cast.alice)
    await world.api_key(cast.alice, ApiScope.READ, name="Expired", expires_at=NOW)
    first = await create(alice, "Straße")
    again: dict[str, Any] = {"name": " STRASSE ", "scopes": ["INTAKE"]}
    assert (await alice.refusal(CREATE, input=again))["code"] == "CONFLICT"
    await create(api.user(cast.bob), "STRASSE")
    await create(alice, "expired")
    await alice.ask(REVOKE, id=first["apiKey"]["id"])
    await create(alice, "strasse")


async def test_a_user_has_at_most_so_many_active_keys(api: Api, world: World, cast: Cast) -> None:
    alice = api.user(cast.alice)
    await world.api_key(cast.alice, ApiScope.READ, expires_at=NOW)
    await world.api_key(cast.alice, ApiScope.READ, revoked_at=NOW)
    for number in range(MOST_API_KEYS):
        last = await create(alice, f"Number {number}")
    refused = await alice.refusal(CREATE, input={"name": "One more", "scopes": ["READ"]})
    assert refused == {"code": "CONFLICT"}
    await create(api.user(cast.bob))
    await alice.ask(REVOKE, id=last["apiKey"]["id"])
    await create(alice, "One more")


async def test_revoking_is_idempotent_and_for_ones_own_keys_alone(api: Api, world: World, cast: Cast) -> None:
    row, _ = await world.api_key(cast.alice, ApiScope.READ, revoked_at=NOW - timedelta(days=1))
    _, key = await world.api_key(cast.bob, ApiScope.READ)
    alice, bob = api.user(cast.alice), api.user(cast.bob)
    kept = (await alice.ask(REVOKE, id=row.id))["revokeApiKey"]["apiKey"]
    assert kept["revokedAt"] == format_instant(NOW - timedelta(days=1))
    (listed,) = (await bob.ask(KEYS))["apiKeys"]["data"]
    for client in (alice, api.user(cast.charlie)):
        assert await client.refusal(REVOKE, id=listed["id"]) == {"code": "NOT_FOUND"}
    for wrong in ("99", "x", "0"):
        assert await bob.refusal(REVOKE, id=wrong) == {"code": "NOT_FOUND"}
    await replace(api, token=key).ask(ME)
    await days_are_noted()
    for _ in range(2):
        ended = (await bob.ask(REVOKE, id=listed["id"]))["revokeApiKey"]["apiKey"]
        assert ended == {**listed, "revokedAt": format_instant(NOW), "lastUsedOn": "2026-03-02"}
    assert await replace(api, token=key).refusal(ME) == {"code": "UNAUTHENTICATED"}


async def test_a_key_makes_and_revokes_no_keys(api: Api, world: World, cast: Cast) -> None:
    row, key = await world.api_key(cast.alice, ApiScope.READ, ApiScope.WRITE)
    program = replace(api, token=key)
    new = {"name": "Site", "scopes": ["READ"]}
    assert await program.refusal(CREATE, input=new) == {"code": "FORBIDDEN"}
    assert await program.refusal(CREATE, input={"name": "", "scopes": []}) == {"code": "FORBIDDEN"}
    assert await program.refusal(REVOKE, id=row.id) == {"code": "FORBIDDEN"}
    assert await program.refusal(REVOKE, id="99") == {"code": "FORBIDDEN"}
    assert await names(program) == [row.name]
    reader = api.user(cast.alice, "read")
    assert await reader.refusal(CREATE, input=new) == {"code": "FORBIDDEN"}
    assert await reader.refusal(REVOKE, id=row.id) == {"code": "FORBIDDEN"}


def operations() -> list[str]:
    """Return one operation for each root field of the schema, introspection, and requests that are not valid."""
    core = core_schema(schema)
    found = [
        "{ __typename }",
        "mutation { __typename }",
        get_introspection_query(),
        '{ __type(name: "Lead") { name } }',
    ]
    found += ["{ nonsense }", "{ me { nam } }", "{", "query A { me { id } } query B { me { id } }"]
    for kind, word in (
        (core.query_type, "query"),
        (core.mutation_type, "mutation"),
        (core.subscription_type, "subscription"),
    ):
        assert isinstance(kind, GraphQLObjectType)
        found += [f"{word} {{ {name} {{ __typename }} }}" for name in kind.fields]
    return [*found, ME, CREATE, REVOKE, KEYS, "mutation { clearAway { me { id } } }"]


async def test_with_an_intake_key_every_operation_is_forbidden(api: Api, world: World, cast: Cast) -> None:
    await world.lead(cast.bob)
    _, key = await world.api_key(cast.bob, ApiScope.INTAKE)
    told = set()
    for document in operations():
        body = {"query": document, "variables": {"input": {"name": "x", "scopes": ["READ"]}, "id": "1"}}
        answers = [
            await replace(api, token=key).post(body),
            await replace(api, token=key).post(body, Accept="text/event-stream"),
            await api.http.get("/graphql", params={"query": document}, headers={"Authorization": f"Bearer {key}"}),
        ]
        for answer in answers:
            text = answer.text.removeprefix("event: next\ndata: ").removesuffix("\n\nevent: complete\n\n")
            told.add(text.removesuffix("\n\nevent: complete\ndata:\n\n"))
    assert len(told) == 1, told
    assert '"code":"FORBIDDEN"' in told.pop()


async def test_a_token_with_the_scope_intake_alone_is_refused_as_a_key_is(api: Api, cast: Cast) -> None:
    client = api.user(cast.bob, "intake")
    for document in (ME, "mutation { __typename }", "{ nonsense }"):
        assert await client.refusal(document) == {"code": "FORBIDDEN"}
    assert (await client.rest("GET", "/me")).status_code == 403


async def test_with_an_intake_key_nothing_is_sent_over_a_websocket(live: Api, world: World, cast: Cast) -> None:
    _, key = await world.api_key(cast.bob, ApiScope.INTAKE)
    async with connected(url_of(live)) as client:
        await client.send(type="connection_init", payload={"authorization": f"Bearer {key}"})
        code, reason = await client.end()
    assert code == 4403
    assert "INTAKE" in reason


async def test_with_an_intake_key_every_other_address_is_forbidden(api: Api, world: World, cast: Cast) -> None:
    lead = await world.lead(cast.bob, cast.team)
    offer = await world.offer(lead, cast.bob)
    _, key = await world.api_key(cast.bob, ApiScope.INTAKE)
    others = {(method, path) for path, methods in ROUTES.items() for method in methods}
    others -= UNAUTHENTICATED_ADDRESSES | INTAKE_ADDRESSES
    assert len(others) >= 4
    for method, path in sorted(others):
        address = path.format(lead_id=lead.id, offer_id=offer.id, key=key)
        answer = await replace(api, token=key).rest(method, address)
        assert answer.status_code == 403, (method, path)
        assert answer.json()["data"] == {"code": "FORBIDDEN"}


async def test_an_intake_key_that_has_ended_is_unauthenticated(api: Api, world: World, cast: Cast) -> None:
    row, key = await world.api_key(cast.bob, ApiScope.INTAKE)
    intake = replace(api, token=key)
    assert await intake.refusal(ME) == {"code": "FORBIDDEN"}
    row.revoked_at = NOW
    await world.add(row)
    assert await intake.refusal(ME) == {"code": "UNAUTHENTICATED"}
    assert (await intake.rest("GET", "/me")).status_code == 401
