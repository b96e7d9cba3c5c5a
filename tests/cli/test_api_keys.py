"""The commands `lead-offers key …`: what scripts read from them, and their answers to wrong input."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from typer.testing import CliRunner, Result

from app.access.api_keys import new_key
from app.cli import app
from app.db.models import User
from app.domain.api_key_form import is_well_formed
from app.domain.enums import ApiScope
from tests.support.api import SECRET
from tests.support.world import NOW, Cast, World

Run = Callable[..., Awaitable[Result]]


@pytest.fixture
def run(database_url: str) -> Run:
    """Run a command in a thread, with an event loop of its own."""
    environment = {"LEAD_OFFERS_DATABASE_URL": database_url, "LEAD_OFFERS_JWT_SECRET": SECRET}
    return lambda *arguments: asyncio.to_thread(CliRunner().invoke, app, arguments, env=environment)


async def create(run: Run, user: User, *more: str, name: str = "Site", scope: str = "read write") -> Result:
    return await run("key", "create", str(user.email), "--name", name, "--scope", scope, *more)


async def listed(run: Run, user: User) -> list[list[str]]:
    result = await run("key", "list", str(user.email))
    assert (result.exit_code, result.stderr) == (0, "")
    return [line.split("\t") for line in result.stdout.splitlines()]


async def test_create_prints_the_key_alone_on_standard_output(run: Run, cast: Cast) -> None:
    result = await create(run, cast.alice)
    key = result.stdout.removesuffix("\n")
    assert result.exit_code == 0
    assert is_well_formed(key)
    assert result.stderr == "Created the API key Site, id 1. It does not expire, and it cannot be shown again.\n"
    ((row_id, prefix, name, scopes, source, created_at, used_on, state),) = await listed(run, cast.alice)
    assert (row_id, prefix, name, scopes, source, used_on) == ("1", key[:11], "Site", "read write", "-", "-")
    assert created_at.endswith("Z")
    assert state == "active"
    assert await listed(run, cast.bob) == []


async def test_create_takes_a_source_by_its_name_or_id_and_an_end(run: Run, world: World, cast: Cast) -> None:
    fair, numbered = await two_sources(world, cast)
    for name, source in (("a", " FAIR"), ("b", "1"), ("c", "2")):
        result = await create(run, cast.alice, "--source", source, "--expires", "2199-12-31", name=name, scope="intake")
        assert result.exit_code == 0, result.stderr
        assert "It expires at 2199-12-31T00:00:00.000Z" in result.stderr
    keys = await listed(run, cast.alice)
    assert [key[4] for key in keys] == [str(fair), str(numbered), str(numbered)], "a name comes before an id"
    assert {key[-1] for key in keys} == {"active until 2199-12-31T00:00:00.000Z"}


async def two_sources(world: World, cast: Cast) -> tuple[int, int]:
    fair = await world.source(cast.alice, "Fair")
    numbered = await world.source(cast.alice, "1")
    await world.source(cast.bob, "Bob's")
    return fair.id, numbered.id


@pytest.mark.parametrize(
    ("options", "status", "told"),
    [
        (["--name", " ", "--scope", "read"], 1, "name: must not be empty"),
        (["--name", "x", "--scope", ""], 1, "scopes: must name at least one scope"),
        (["--name", "x", "--scope", "read read"], 1, "scopes: must not name READ more than once"),
        (["--name", "x", "--scope", "read admin"], 2, "admin is not one of read, write, intake"),
        (["--name", "x", "--scope", "read", "--expires", "soon"], 2, "soon is not an ISO 8601 date"),
        (["--name", "x", "--scope", "read", "--expires", "2020-01-01"], 1, "expires_at: must be after"),
        (
            ["--name", "x", "--scope", "intake", "--source", "9"],
            1,
            "The user has no lead source with the name or id '9'",
        ),
        (["--scope", "read"], 2, "Missing option '--name'"),
        (["--name", "x"], 2, "Missing option '--scope'"),
    ],
)
async def test_create_refuses_wrong_input(run: Run, cast: Cast, options: list[str], status: int, told: str) -> None:
    result = await run("key", "create", str(cast.alice.email), *options)
    assert (result.exit_code, result.stdout) == (status, "")
    assert told in " ".join(result.stderr.replace("│", " ").split())
    assert await listed(run, cast.alice) == []


async def test_a_key_for_a_source_needs_the_scope_intake_alone(run: Run, world: World, cast: Cast) -> None:
    await two_sources(world, cast)
    result = await create(run, cast.alice, "--source", "Fair")
    told = "source_id: is only allowed for a key with the scope INTAKE alone\n"
    assert (result.exit_code, result.stdout, result.stderr) == (1, "", told)


async def test_keys_belong_to_active_users(run: Run, cast: Cast) -> None:
    cast.bob.email = "nobody@example.com"
    result = await create(run, cast.bob)
    assert (result.exit_code, result.stderr) == (1, "No active user has the address nobody@example.com.\n")
    assert (await run("user", "deactivate", str(cast.alice.email))).exit_code == 0
    result = await create(run, cast.alice)
    assert (result.exit_code, result.stderr) == (1, f"No active user has the address {cast.alice.email}.\n")
    assert await listed(run, cast.alice) == []
    result = await run("key", "list", "nobody@example.com")
    assert (result.exit_code, result.stderr) == (1, "No user has the e-mail address nobody@example.com.\n")


async def test_a_name_is_unique_until_its_key_is_revoked(run: Run, cast: Cast) -> None:
    assert (await create(run, cast.alice)).exit_code == 0
    result = await create(run, cast.alice, name="SITE")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "You already have an active API key named SITE" in result.stderr
    assert (await run("key", "revoke", "1")).exit_code == 0
    assert (await create(run, cast.alice, name="SITE")).exit_code == 0


async def test_a_key_is_revoked_by_its_id_its_first_characters_or_itself(run: Run, cast: Cast) -> None:
    keys = [(await create(run, cast.alice, name=name)).stdout.strip() for name in "abc"]
    for number, wanted in enumerate(("1", keys[1][:11], keys[2]), 1):
        for _ in range(2):
            result = await run("key", "revoke", wanted)
            told = f"Revoked the API key {'abc'[number - 1]}, id {number}, of {cast.alice.email}.\n"
            assert (result.exit_code, result.stdout, result.stderr) == (0, "", told)
    states = [key[-1].split()[0] for key in await listed(run, cast.alice)]
    assert states == ["revoked"] * 3


@pytest.mark.parametrize("wanted", ["4", "x", "lo_", "an unknown key", "0", ""])
async def test_revoke_names_a_key_that_does_not_exist(run: Run, cast: Cast, wanted: str) -> None:
    await create(run, cast.alice)
    result = await run("key", "revoke", new_key() if wanted == "an unknown key" else wanted)
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith("There is no such API key.")
    assert [key[-1] for key in await listed(run, cast.alice)] == ["active"]


async def test_list_escapes_names_and_tells_the_states_apart(run: Run, world: World, cast: Cast) -> None:
    await world.api_key(cast.alice, ApiScope.READ, name="odd\tname", last_used_on="2026-03-02")
    await world.api_key(cast.alice, ApiScope.INTAKE, name="over", expires_at=NOW)
    await world.api_key(cast.alice, ApiScope.WRITE, name="ended", revoked_at=NOW, expires_at=NOW)
    keys = await listed(run, cast.alice)
    assert [(key[2], key[-2], key[-1]) for key in keys] == [
        ("odd\\tname", "2026-03-02", "active"),
        ("over", "-", "expired 2026-03-02T09:00:00.000Z"),
        ("ended", "-", "revoked 2026-03-02T09:00:00.000Z"),
    ]
