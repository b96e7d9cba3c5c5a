"""Tokens: ours and an identity provider's are accepted, every forgery is rejected."""

import base64
import json
import logging
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from app.access.jwks import MAX_AGE, PAUSE, KeySet
from app.access.tokens import issue_token
from app.config import Settings
from app.db.compiled import CompiledQuery
from app.db.models import User
from tests.support.api import SECRET, Api, serving, settings_for
from tests.support.identity_provider import EC, OTHER_RSA, RSA, Provider, as_jwk
from tests.support.world import Cast, World

ISSUER, AUDIENCE = "https://login.example.com/", "lead-offers"
ME = {"query": "{ me { id } }"}


@pytest.fixture
async def api(database_url: str, provider: Provider) -> AsyncIterator[Api]:
    settings = settings_for(database_url, jwks_url=provider.url, jwt_issuer=ISSUER, jwt_audience=AUDIENCE)
    async with serving(settings) as api:
        yield api


def claims(user: User, **more: Any) -> dict[str, Any]:
    made: dict[str, Any] = {
        "sub": str(user.id),
        "scope": "read write",
        "iss": ISSUER,
        "aud": AUDIENCE,
        "exp": datetime.now(UTC) + timedelta(hours=1),
    }
    return {name: value for name, value in (made | more).items() if value is not None}


def signed(user: User, key: Any = RSA, algorithm: str = "RS256", kid: str | None = "r1", **more: Any) -> str:
    return jwt.encode(claims(user, **more), key, algorithm, {"kid": kid} if kid else None)


async def status(api: Api, token: str) -> int:
    answer = await api.post(ME, Authorization=f"Bearer {token}")
    if answer.status_code == 401:
        assert answer.json()["errors"][0]["extensions"]["code"] == "UNAUTHENTICATED"
        assert token not in answer.text
    return answer.status_code


@pytest.mark.parametrize(
    "token",
    [
        pytest.param(signed, id="RS256"),
        pytest.param(lambda user: signed(user, EC, "ES256", "e1"), id="ES256"),
        pytest.param(lambda user: signed(user, kid=None), id="the only key"),
        pytest.param(lambda user: signed(user, SECRET, "HS256", None), id="HS256"),
        pytest.param(lambda user: signed(user, aud=["another", AUDIENCE]), id="one of several audiences"),
        pytest.param(lambda user: signed(user, scope=None, scp=["read"]), id="scopes as a list"),
        pytest.param(lambda user: signed(user, iat=datetime.now(UTC) + timedelta(minutes=1)), id="a clock ahead"),
    ],
)
async def test_valid_tokens_are_accepted(api: Api, cast: Cast, token: Callable[[User], str]) -> None:
    assert await status(api, token(cast.bob)) == 200


def public_pem(key: Any) -> str:
    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()  # type: ignore[no-any-return]


def forged(header: Any, payload: Any, key: str = "") -> str:
    """Return a token that jwt.encode would refuse to make."""
    parts = [base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in (header, payload)]
    signature = jwt.algorithms.HMACAlgorithm(jwt.algorithms.HMACAlgorithm.SHA256).sign(
        ".".join(parts).encode(), key.encode()
    )
    return ".".join([*parts, base64.urlsafe_b64encode(signature).decode().rstrip("=") if key else ""])


def by_hand(user: User) -> dict[str, Any]:
    return claims(user, exp=4102444800)


@pytest.mark.parametrize(
    "token",
    [
        pytest.param(lambda user: forged({"alg": "none"}, by_hand(user)), id="none"),
        pytest.param(lambda user: forged({"alg": "None"}, by_hand(user)), id="None"),
        pytest.param(lambda user: forged({}, by_hand(user), SECRET), id="no algorithm"),
        pytest.param(lambda user: forged({"alg": ["HS256"]}, by_hand(user), SECRET), id="a list of algorithms"),
        pytest.param(lambda user: forged({"alg": "HS256"}, by_hand(user), public_pem(RSA)), id="public key as secret"),
        pytest.param(
            lambda user: forged({"alg": "HS256", "kid": "r1"}, by_hand(user), public_pem(RSA)), id="and its id"
        ),
        pytest.param(
            lambda user: forged({"alg": "HS256", "kid": "r1"}, by_hand(user), json.dumps(as_jwk(RSA, "r1"))),
            id="the JWK",
        ),
        pytest.param(
            lambda user: forged({"alg": "HS256", "kid": 7}, by_hand(user), SECRET), id="a kid that is not a text"
        ),
        pytest.param(lambda user: signed(user, OTHER_RSA), id="another key under that id"),
        pytest.param(lambda user: signed(user, OTHER_RSA, kid="unknown"), id="another key under an unknown id"),
        pytest.param(lambda user: signed(user, RSA, kid="enc"), id="a key for encryption"),
        pytest.param(lambda user: signed(user, RSA, "RS512"), id="RS512"),
        pytest.param(lambda user: signed(user, RSA, "PS256"), id="PS256"),
        pytest.param(lambda user: signed(user, SECRET, "HS512", None), id="HS512"),
        pytest.param(lambda user: signed(user, EC, "ES256", "r1"), id="a key of another kind"),
        pytest.param(lambda user: signed(user, exp=None), id="no exp"),
        pytest.param(lambda user: signed(user, exp=datetime.now(UTC) - timedelta(seconds=1)), id="expired"),
        pytest.param(
            lambda user: forged({"alg": "HS256"}, by_hand(user) | {"exp": "soon"}, SECRET), id="exp is not a number"
        ),
        pytest.param(
            lambda user: forged({"alg": "HS256"}, by_hand(user) | {"exp": float("inf")}, SECRET), id="exp is infinite"
        ),
        pytest.param(lambda user: signed(user, nbf=datetime.now(UTC) + timedelta(hours=1)), id="not yet"),
        pytest.param(lambda user: signed(user, iss=None), id="no issuer"),
        pytest.param(lambda user: signed(user, iss=ISSUER + "x"), id="wrong issuer"),
        pytest.param(lambda user: signed(user, aud=None), id="no audience"),
        pytest.param(lambda user: signed(user, aud="another"), id="wrong audience"),
        pytest.param(lambda user: signed(user, SECRET, "HS256", None, aud="another"), id="wrong audience, our secret"),
        pytest.param(lambda user: signed(user, sub=None), id="nobody"),
        pytest.param(lambda user: signed(user, sub="nobody@example.com"), id="an unknown address"),
        pytest.param(lambda user: signed(user, sub=user.email, email_verified=False), id="an unverified address"),
        pytest.param(lambda user: signed(user, sub=f"{user.email},al@example.com"), id="two addresses"),
        pytest.param(lambda user: signed(user, sub=f"mailto:{user.email}"), id="mailto:"),
        pytest.param(lambda user: signed(user, sub=f"{user.email}."), id="a dot after the address"),
        pytest.param(lambda user: signed(user, sub=f"{user.email}\u200b"), id="an invisible character"),
        pytest.param(lambda user: signed(user)[:-4] + "AAAA", id="another signature"),
        pytest.param(lambda user: signed(user) + "A" * 9000, id="too long"),
        pytest.param(lambda _: base64.b64encode(b"[" * 4000).decode() + ".e30.", id="a deep header"),
        pytest.param(lambda _: "....", id="dots"),
        pytest.param(lambda _: "\x00", id="a null character"),
    ],
)
async def test_every_forgery_is_rejected(api: Api, cast: Cast, token: Callable[[User], str]) -> None:
    assert await status(api, token(cast.bob)) == 401
    assert await status(api, signed(cast.bob)) == 200


async def test_another_clock_may_be_a_minute_ahead(api: Api, cast: Cast, database_url: str) -> None:
    def ahead(seconds: float) -> str:
        return signed(cast.bob, nbf=datetime.now(UTC) + timedelta(seconds=seconds))

    assert [await status(api, ahead(seconds)) for seconds in (2, 50, 75)] == [200, 200, 401]
    assert await status(api, signed(cast.bob, exp=datetime.now(UTC) - timedelta(seconds=2))) == 401
    async with serving(settings_for(database_url, jwt_leeway_seconds=0)) as strict:
        token = jwt.encode(
            {"sub": str(cast.bob.id), "exp": datetime.now(UTC) + timedelta(hours=1)}
            | {"nbf": datetime.now(UTC) + timedelta(seconds=20)},
            SECRET,
            "HS256",
        )
        assert await status(strict, token) == 401


async def test_the_subject_may_be_a_number(api: Api, cast: Cast) -> None:
    for number in (cast.bob.id, float(cast.bob.id)):
        token = forged({"alg": "HS256"}, by_hand(cast.bob) | {"sub": number}, SECRET)
        answer = await api.post(ME, Authorization=f"Bearer {token}")
        assert answer.json() == {"data": {"me": {"id": str(cast.bob.id)}}}
    for strange in (True, 1.5, [cast.bob.id], {"id": cast.bob.id}, -1):
        assert await status(api, forged({"alg": "HS256"}, by_hand(cast.bob) | {"sub": strange}, SECRET)) == 401


async def test_an_address_that_looks_like_another_is_nobody(api: Api, world: World) -> None:
    kate = await world.user("Kate", email="kate.smith@example.com")
    assert await status(api, signed(kate, sub="KATE.Smith@Example.COM")) == 200
    for twin in (
        "\u212aate.smith@example.com",
        "kate.\u017fmith@example.com",
        "kate\uff0esmith@example.com",
        "kate.smith@\uff45xample.com",
        "kate.smith@example\u3002com",
        "kate.smith\uff20example.com",
    ):
        assert await status(api, signed(kate, sub=twin)) == 401


async def test_tokens_are_read_from_the_header_only(api: Api, cast: Cast) -> None:
    token = signed(cast.bob)
    for name in ("access_token", "token", "authorization", "Authorization"):
        assert (await api.http.get("/graphql", params={"query": "{ me { id } }", name: token})).status_code == 401
        assert (await api.http.post("/graphql", params={name: token}, json=ME)).status_code == 401
    assert (await api.http.post("/graphql", json=ME, headers={"Cookie": f"authorization={token}"})).status_code == 401


async def test_without_a_secret_only_the_provider_is_trusted(database_url: str, provider: Provider, cast: Cast) -> None:
    settings = Settings(database_url=database_url, jwks_url=provider.url)
    async with serving(settings) as api:
        assert await status(api, signed(cast.bob)) == 200
        for key in ("", "None", SECRET):
            assert await status(api, forged({"alg": "HS256"}, by_hand(cast.bob), key)) == 401


async def test_the_claim_that_identifies_the_user_is_a_setting(
    database_url: str, provider: Provider, cast: Cast, world: World
) -> None:
    settings = settings_for(database_url, jwks_url=provider.url, jwt_user_claim="email")
    async with serving(settings) as api:
        bobs = signed(cast.bob, sub="auth0|7", email=cast.bob.email and cast.bob.email.upper())
        assert (await api.post(ME, Authorization=f"Bearer {bobs}")).json() == {"data": {"me": {"id": str(cast.bob.id)}}}
        assert (await api.user(cast.alice).ask("{ me { id } }")) == {"me": {"id": str(cast.alice.id)}}
        assert await status(api, signed(cast.bob, email=None)) == 401
        cast.bob.is_active = False
        await world.add(cast.bob)
        assert await status(api, bobs) == 401


async def test_our_tokens_name_the_issuer_and_audience(api: Api, cast: Cast) -> None:
    token = issue_token(api.settings, cast.bob.id, "read", 1, datetime.now(UTC))
    assert await status(api, token) == 200
    assert jwt.decode(token, SECRET, ["HS256"], audience=AUDIENCE, issuer=ISSUER)["sub"] == str(cast.bob.id)


async def test_the_keys_are_fetched_once(api: Api, provider: Provider, cast: Cast) -> None:
    assert await status(api, signed(cast.bob)) == 200
    for i in range(5):
        assert await status(api, signed(cast.bob, OTHER_RSA, kid=f"unknown{i}")) == 401
        assert await status(api, signed(cast.alice, iat=i)) == 200
    assert provider.fetched == 1


async def test_changed_keys_are_fetched_after_a_pause_or_an_hour(provider: Provider) -> None:
    seconds = 0.0
    keys = KeySet(provider.url, clock=lambda: seconds)
    assert await keys.find("r1", "RS256")
    assert await keys.find("r2", "RS256") is None
    provider.keys.append(as_jwk(OTHER_RSA, "r2"))
    assert await keys.find("r2", "RS256") is None
    seconds = PAUSE
    assert await keys.find("r2", "RS256")
    assert await keys.find(None, "RS256") is None, "which of two"
    assert (provider.fetched, keys.version) == (2, 2)

    provider.keys = [as_jwk(OTHER_RSA, "r2")]
    seconds = PAUSE + MAX_AGE - 1
    assert await keys.find("r1", "RS256")
    seconds += 1
    assert await keys.find("r1", "RS256") is None
    assert provider.fetched == 3


async def test_tokens_of_a_withdrawn_key_are_no_longer_accepted(
    api: Api, provider: Provider, cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = signed(cast.bob)
    assert await status(api, token) == 200
    monkeypatch.setattr("app.access.jwks.PAUSE", 0.0)
    provider.keys = [as_jwk(EC, "e1")]
    assert await status(api, signed(cast.bob, EC, "ES256", "e2")) == 401
    assert await status(api, token) == 401


async def test_keys_are_kept_while_the_provider_is_down(provider: Provider, caplog: pytest.LogCaptureFixture) -> None:
    seconds = 0.0
    keys = KeySet(provider.url, clock=lambda: seconds)
    assert await keys.find("r1", "RS256")
    provider.status, seconds = 500, MAX_AGE
    with caplog.at_level(logging.WARNING):
        assert await keys.find("r1", "RS256")
    assert "keeping the previous ones" in caplog.text


async def test_without_any_keys_the_providers_tokens_get_unavailable(
    database_url: str, provider: Provider, cast: Cast
) -> None:
    provider.status = 503
    async with serving(settings_for(database_url, jwks_url=provider.url)) as api:
        answer = await api.post(ME, Authorization=f"Bearer {signed(cast.bob)}")
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "60")
        assert answer.json()["errors"][0]["extensions"] == {"code": "UNAVAILABLE", "retryAfter": 60}
        assert (await api.user(cast.bob).post(ME)).status_code == 200, "our own tokens need no provider"


@pytest.mark.parametrize(
    "published", [[{"kty": "oct", "k": "c2VjcmV0", "kid": "r1"}], [{"kty": "RSA"}], [{}], [{"kty": "x", "kid": "r1"}]]
)
async def test_keys_of_other_types_are_ignored(provider: Provider, published: list[dict[str, str]]) -> None:
    provider.keys = [*published, as_jwk(EC, "e1")]
    keys = KeySet(provider.url)
    assert await keys.find("r1", "RS256") is None
    assert await keys.find("e1", "ES256")


async def test_secrets_appear_in_no_log_and_no_response(
    api: Api, cast: Cast, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(*_arguments: object, **_options: object) -> None:
        raise RuntimeError("broken")

    token = signed(cast.bob)
    monkeypatch.setattr(CompiledQuery, "fetch", fail)
    with caplog.at_level(logging.DEBUG):
        answer = await api.post({"query": "{ leadOffers { total } }"}, Authorization=f"Bearer {token}")
        await status(api, token + "x")
    assert answer.json()["errors"][0]["extensions"]["code"] == "INTERNAL_SERVER_ERROR"
    for text in (answer.text, caplog.text):
        assert token not in text
        assert SECRET not in text
    assert SECRET not in repr(api.settings)
