"""Sign-up: who gets an account by a valid token, and who does not, on every transport."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2
import jwt
import pytest
from sqlmodel import col, func, select

from app.access.sign_up import lock_address
from app.config import Settings
from app.db.engine import Database
from app.db.models import User
from app.main import create_app
from tests.support.api import SECRET, Api, serving, settings_for
from tests.support.graphql_ws import signed_in
from tests.support.identity_provider import OTHER_RSA, RSA, Provider
from tests.support.live_server import live_server
from tests.support.world import Cast, World

ME = {"query": "{ me { id email firstName lastName timezone } }"}
NEW = "dorothy@example.com"


@pytest.fixture
def settings(database_url: str, provider: Provider) -> Settings:
    return settings_for(
        database_url, jwks_url=provider.url, jwt_audience="lead-offers", jwt_user_claim="email", sign_up=True
    )


@pytest.fixture
async def api(settings: Settings) -> AsyncIterator[Api]:
    async with serving(settings) as api:
        yield api


def token(key: Any = RSA, algorithm: str = "RS256", **more: Any) -> str:
    claims = {
        "sub": "auth0|7",
        "email": NEW,
        "email_verified": True,
        "scope": "read write",
        "aud": "lead-offers",
        "exp": datetime.now(UTC) + timedelta(hours=1),
    }
    sent = {name: value for name, value in (claims | more).items() if value is not None}
    return jwt.encode(sent, key, algorithm, {"kid": "r1"} if algorithm == "RS256" else None)


async def me(api: Api, **more: Any) -> Any:
    answer = await api.post(ME, Authorization=f"Bearer {token(**more)}")
    assert answer.status_code == 200, answer.text
    return answer.json()["data"]["me"]


async def count(database: Database) -> int:
    async with database.read() as session:
        return (await session.exec(select(func.count()).select_from(User))).one()


async def test_an_unknown_verified_address_gets_an_account(api: Api, database: Database, cast: Cast) -> None:
    before = await count(database)
    names = {"given_name": " Dorothy ", "family_name": "Gale", "name": "D. Gale", "zoneinfo": "America/Chicago"}
    found = await me(api, **names)
    assert found == {
        "id": found["id"],
        "email": NEW,
        "firstName": "Dorothy",
        "lastName": "Gale",
        "timezone": "America/Chicago",
    }
    assert (await me(api, email="DOROTHY@Example.COM", given_name="Another"))["id"] == found["id"]
    assert await me(api, zoneinfo="UTC") == found, "a later token changes nothing"
    assert await count(database) == before + 1


@pytest.mark.parametrize(
    ("claims", "named"),
    [
        ({"name": "Dorothy Mae Gale"}, ("Dorothy", "Mae Gale", "UTC")),
        ({"name": "Dorothy"}, ("Dorothy", "", "UTC")),
        ({"given_name": "Dorothy", "name": "D Gale"}, ("Dorothy", "Gale", "UTC")),
        ({}, ("dorothy", "", "UTC")),
        ({"given_name": "", "family_name": " ", "name": "\u200b"}, ("dorothy", "", "UTC")),
        ({"given_name": "x" * 256, "family_name": "a\nb", "zoneinfo": "Mars/Base"}, ("dorothy", "", "UTC")),
        ({"given_name": ["D"], "family_name": 7, "name": {"a": 1}, "zoneinfo": 5}, ("dorothy", "", "UTC")),
        ({"given_name": "a\0b", "family_name": "\ud800", "zoneinfo": "../etc/passwd"}, ("dorothy", "", "UTC")),
        ({"given_name": "<b>Do</b>", "family_name": "O'Neil"}, ("<b>Do</b>", "O'Neil", "UTC")),
    ],
)
async def test_names_and_time_zone_come_from_the_claims(api: Api, claims: Any, named: tuple[str, str, str]) -> None:
    found = await me(api, **claims)
    assert (found["firstName"], found["lastName"], found["timezone"]) == named


@pytest.mark.parametrize(
    "wrong",
    [
        pytest.param({"email_verified": None}, id="says nothing of verification"),
        pytest.param({"email_verified": False}, id="not verified"),
        pytest.param({"email_verified": "false"}, id="not verified, as text"),
        pytest.param({"email_verified": 1}, id="a number"),
        pytest.param({"email_verified": [True]}, id="a list"),
        pytest.param({"key": OTHER_RSA}, id="forged"),
        pytest.param({"key": SECRET, "algorithm": "HS256"}, id="our own, which no provider vouches for"),
        pytest.param({"exp": datetime.now(UTC) - timedelta(seconds=1)}, id="expired"),
        pytest.param({"exp": None}, id="never expires"),
        pytest.param({"aud": "another"}, id="for another application"),
        pytest.param({"email": "dorothy"}, id="no address"),
        pytest.param({"email": "a@b@example.com"}, id="two addresses"),
        pytest.param({"email": "1"}, id="the id of a user"),
        pytest.param({"email": 1}, id="the id of a user, as a number"),
        pytest.param({"email": None}, id="without the claim"),
        pytest.param({"email": ""}, id="empty"),
    ],
)
async def test_other_tokens_make_no_account(api: Api, database: Database, cast: Cast, wrong: dict[str, Any]) -> None:
    before = await count(database)
    answer = await api.post(ME, Authorization=f"Bearer {token(**wrong)}")
    assert answer.status_code == 401
    assert answer.json()["errors"][0]["extensions"]["code"] == "UNAUTHENTICATED"
    assert await count(database) == before


async def test_a_deactivated_user_stays_so(api: Api, database: Database, world: World) -> None:
    """Nor do their requests write, which others would wait for."""
    await world.user(email=NEW, is_active=False)
    statements = api.statements()
    for email in (NEW, NEW.upper()):
        assert (await api.post(ME, Authorization=f"Bearer {token(email=email)}")).status_code == 401
    assert [statement for statement in statements if not statement.startswith(("SELECT", "BEGIN"))] == []
    async with database.read() as session:
        assert (await session.exec(select(User.is_active))).all() == [False]


async def test_an_account_is_found_and_not_changed(api: Api, cast: Cast) -> None:
    found = await me(api, email=cast.bob.email, given_name="Mallory")
    assert (found["id"], found["firstName"]) == (str(cast.bob.id), "Bob")


async def test_without_the_setting_the_token_is_refused(settings: Settings, database: Database) -> None:
    async with serving(settings.model_copy(update={"sign_up": False})) as api:
        assert (await api.post(ME, Authorization=f"Bearer {token()}")).status_code == 401
    assert await count(database) == 0


async def test_the_address_may_be_the_subject(settings: Settings, database: Database) -> None:
    async with serving(settings.model_copy(update={"jwt_user_claim": "sub"})) as api:
        assert (await me(api, sub=NEW))["email"] == NEW
        other = token(sub="victim@example.com")  # it is another address that the provider has verified
        assert (await api.post(ME, Authorization=f"Bearer {other}")).status_code == 401
        assert (await api.post(ME, Authorization=f"Bearer {token()}")).status_code == 401, "auth0|7 is nobody's id"
    assert await count(database) == 1


async def test_simultaneous_requests_make_one_account(api: Api, database: Database) -> None:
    async with database.write() as session:
        await session.connection()  # begins the transaction, which is the lock on SQLite
        await lock_address(session, NEW)
        asked = [asyncio.create_task(me(api, email=email)) for email in (NEW, NEW.title(), NEW.upper(), NEW)]
        await asyncio.sleep(0.3)
        assert not any(task.done() for task in asked)
    assert len({each["id"] for each in await asyncio.gather(*asked)}) == 1
    assert await count(database) == 1


async def test_servers_race_for_one_account(settings: Settings, database: Database) -> None:
    async with serving(settings) as one, serving(settings) as other:
        found = await asyncio.gather(*(me(api, given_name=f"N{i}") for i in range(5) for api in (one, other)))
    assert len({each["id"] for each in found}) == 1
    assert await count(database) == 1


async def test_every_transport_creates_the_account(settings: Settings, database: Database) -> None:
    app = create_app(settings)
    with live_server(app) as url:
        async with httpx2.AsyncClient(base_url=url) as http:
            rest = {"Authorization": f"Bearer {token(email='rest@example.com')}"}
            assert (await http.get("/me", headers=rest)).json()["email"] == "rest@example.com"
            stream = {"Authorization": f"Bearer {token(email='sse@example.com')}", "Accept": "text/event-stream"}
            query = {"query": "subscription { leadOfferChanged { change } }"}
            async with http.stream("POST", "/graphql", json=query, headers=stream) as response:
                assert response.status_code == 200
        async with signed_in(url, token(email="ws@example.com")):
            pass
    async with database.read() as session:
        emails = (await session.exec(select(User.email).order_by(col(User.id)))).all()
    assert emails == ["rest@example.com", "sse@example.com", "ws@example.com"]


def test_the_setting_needs_an_identity_provider(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ValueError, match="LEAD_OFFERS_JWKS_URL is missing: LEAD_OFFERS_SIGN_UP needs the keys"):
        settings_for("sqlite+aiosqlite:///x.db", sign_up=True)
