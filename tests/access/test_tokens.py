"""Access tokens by themselves: what an identity has, what is refused and how, and what an issued token contains."""

import time
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
import pytest

from app.access import tokens
from app.access.tokens import Identity, Tokens, issue_token, signing_key
from app.config import Settings
from app.errors import ApiError, Code
from tests.support.api import SECRET, settings_for

SETTINGS = settings_for("sqlite+aiosqlite:///unused.db")
EXPIRES = int(time.time()) + 3600


def signed(**claims: Any) -> str:
    known = {"sub": "7", "exp": EXPIRES}
    return jwt.encode({name: value for name, value in (known | claims).items() if value is not None}, SECRET, "HS256")


async def identify(token: str, **settings: Any) -> Identity:
    return await Tokens(SETTINGS.model_copy(update=settings)).identify(f"Bearer {token}")


async def refusal(authorization: str | None) -> str:
    with pytest.raises(ApiError) as refused:
        await Tokens(SETTINGS).identify(authorization)
    assert refused.value.code is Code.UNAUTHENTICATED
    return refused.value.message


@pytest.mark.parametrize(
    ("claims", "user_id", "email"),
    [
        ({"sub": "7"}, 7, None),
        ({"sub": 7}, 7, None),
        ({"sub": 7.0}, 7, None),
        ({"sub": 7.5}, None, None),
        ({"sub": "seven"}, None, None),
        ({"sub": "Bob@Example.com"}, None, "bob@example.com"),
        ({"sub": "bob@example.com", "email_verified": True}, None, "bob@example.com"),
        ({"sub": "bob@example.com", "email_verified": "true"}, None, "bob@example.com"),
        ({"sub": "7", "email_verified": False}, 7, None),
    ],
)
async def test_the_user_is_named_by_id_or_address(claims: dict[str, Any], user_id: Any, email: Any) -> None:
    identity = await identify(signed(**claims))
    assert (identity.user_id, identity.email, identity.expires) == (user_id, email, EXPIRES)


@pytest.mark.parametrize(
    ("claims", "scopes"),
    [
        ({}, set()),
        ({"scope": "read write"}, {"read", "write"}),
        ({"scope": ["read", "write"]}, {"read", "write"}),
        ({"scp": "read"}, {"read"}),
        ({"scope": "read", "scp": "write"}, {"read"}),
        ({"scope": ""}, set()),
    ],
)
async def test_scopes_are_a_text_or_a_list(claims: dict[str, Any], scopes: set[str]) -> None:
    assert (await identify(signed(**claims))).scopes == scopes


@pytest.mark.parametrize("value", [False, "false", 0, "True"])
async def test_an_address_that_is_not_verified_is_refused(value: Any) -> None:
    token = signed(sub="bob@example.com", email_verified=value)
    assert await refusal(f"Bearer {token}") == "The access token is not valid."


async def test_each_refusal_says_what_is_wrong() -> None:
    missing = "Send an access token or an API key: Authorization: Bearer <token>."
    for header in (None, "", "Bearer", "Bearer ", f"Basic {signed()}", signed()):
        assert await refusal(header) == missing
    assert await refusal(f"Bearer {signed(exp=int(time.time()) - 1)}") == "The access token has expired."
    assert await refusal(f"Bearer {signed(exp=int(time.time()) - 3600)}") == "The access token has expired."
    for token in ("x", signed(exp=None), signed(sub=None), signed(nbf=EXPIRES)):
        assert await refusal(f"Bearer {token}") == "The access token is not valid."


@pytest.mark.parametrize("scheme", ["Bearer ", "bearer ", "BEARER  "])
async def test_the_scheme_is_read_without_regard_to_case(scheme: str) -> None:
    assert (await Tokens(SETTINGS).identify(f"{scheme}{signed()} ")).user_id == 7


async def test_a_verified_token_expires_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    verifier, token = Tokens(SETTINGS), signed()
    await verifier.identify(f"Bearer {token}")
    monkeypatch.setattr(time, "time", lambda: float(EXPIRES) - 0.5)
    assert (await verifier.identify(f"Bearer {token}")).user_id == 7
    monkeypatch.setattr(time, "time", lambda: float(EXPIRES))
    with pytest.raises(ApiError, match=r"The access token has expired\."):
        await verifier.identify(f"Bearer {token}")


async def test_a_token_is_verified_once(monkeypatch: pytest.MonkeyPatch) -> None:
    verifier, authorization = Tokens(SETTINGS), f"Bearer {signed()}"
    first = await verifier.identify(authorization)
    monkeypatch.setattr(jwt, "decode", None)
    assert await verifier.identify(authorization) == first


async def test_a_token_has_a_maximum_length() -> None:
    fill = tokens.MAX_LENGTH - len(signed(x=""))
    longest = max((signed(x="x" * n) for n in range(fill * 3 // 4 - 3, fill * 3 // 4 + 4)), key=_length_within)
    assert len(longest) in range(tokens.MAX_LENGTH - 3, tokens.MAX_LENGTH + 1)
    assert (await identify(longest)).user_id == 7
    assert await refusal(f"Bearer {signed(x='x' * tokens.MAX_LENGTH)}") == "The access token is not valid."


def _length_within(token: str) -> int:
    return len(token) if len(token) <= tokens.MAX_LENGTH else -1


def decoded(settings: Settings) -> dict[str, Any]:
    now = datetime(2026, 3, 2, 9, tzinfo=UTC)
    token = issue_token(settings, 7, "read write", 1.5, now)
    claims: dict[str, Any] = jwt.decode(token, SECRET, ["HS256"], options={"verify_exp": False, "verify_aud": False})
    assert claims.pop("iat") == now.timestamp()
    assert claims.pop("exp") == (now + timedelta(hours=1.5)).timestamp()
    return claims


def test_an_issued_token() -> None:
    assert decoded(SETTINGS) == {"sub": "7", "scope": "read write"}
    settings = SETTINGS.model_copy(update={"jwt_issuer": "us", "jwt_audience": "them", "jwt_user_claim": "uid"})
    named = {"iss": "us", "aud": "them", "sub": "7", "uid": "7"}
    assert decoded(settings) == named | {"scope": "read write"}


def test_a_missing_secret_is_named() -> None:
    settings = SETTINGS.model_copy(update={"jwt_secret": None})
    for use in (signing_key, Tokens):
        with pytest.raises(
            ValueError, match=r"^LEAD_OFFERS_JWT_SECRET is missing: it signs the access tokens, with at least 32 bytes$"
        ):
            use(settings)
