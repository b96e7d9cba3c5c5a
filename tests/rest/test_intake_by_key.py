"""`POST /intake/{key}` as pages use it: every origin, no cookies, a limit per key, and no key in any log."""

from typing import Any

import httpx2
import orjson
import pytest
from websockets.asyncio.client import connect as open_websocket
from websockets.exceptions import InvalidStatus

from app.access.api_keys import new_key
from app.commands import receive
from app.config import LogFormat
from app.domain.api_key_form import SHOWN_LENGTH
from app.domain.enums import ApiScope
from app.errors import Code
from app.main import create_app
from app.observability.logs import configure_logging
from app.observability.metrics import exposition
from tests.support.api import Api, serving, settings_for
from tests.support.live_server import live_server
from tests.support.world import Cast, World, change

ORIGIN = "https://www.example.org"
FORM = {"email": "mary@example.com"}


@pytest.fixture
async def key(world: World, cast: Cast) -> str:
    _row, key = await world.api_key(cast.alice, ApiScope.INTAKE)
    return key


@pytest.mark.parametrize("origins", [(), ("https://app.example.com",)])
@pytest.mark.parametrize("origin", [ORIGIN, "null", "https://app.example.com"])
async def test_every_origin_is_allowed(database_url: str, key: str, origins: tuple[str, ...], origin: str) -> None:
    """Whatever the setting of allowed origins says, which is for all other addresses."""
    async with serving(settings_for(database_url, cors_origins=origins)) as api:
        headers = {"Origin": origin, "Cookie": "session=1"}
        asked = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "content-type,x-custom"}
        for path in (f"/intake/{key}", f"http://test//intake/{key}"):
            preflight = await api.http.request("OPTIONS", path, headers=headers | asked)
            assert (preflight.status_code, preflight.content) == (204, b"")
            assert preflight.headers["access-control-allow-headers"] == "content-type,x-custom"
            assert preflight.headers["access-control-allow-methods"] == "POST"
            responses = [
                preflight,
                await api.http.post(path, data=FORM, headers=headers),
                await api.http.post(path, json={}, headers=headers),
                await api.http.post("/intake/lo_unknown", data=FORM, headers=headers),
                await api.http.post(f"/intake/{key}/more", data=FORM, headers=headers),
                await api.http.get(path, headers=headers),
            ]
            assert [response.status_code for response in responses] == [204, 201, 400, 401, 404, 405]
            for response in responses:
                assert response.headers["access-control-allow-origin"] == "*"
                assert "access-control-allow-credentials" not in response.headers
                assert "set-cookie" not in response.headers
            assert {each.headers["cross-origin-resource-policy"] for each in responses[1:]} == {"cross-origin"}
        other = await api.http.post("/leads", data=FORM, headers={"Origin": ORIGIN})
        assert "access-control-allow-origin" not in other.headers
        assert other.headers["cross-origin-resource-policy"] == "same-origin"


async def test_errors_have_the_format_of_the_api(api: Api, key: str) -> None:
    for method, path, status, name in [
        ("GET", f"/intake/{key}", 405, "MethodNotAllowed"),
        ("HEAD", f"/intake/{key}", 405, None),
        ("DELETE", f"/intake/{key}", 405, "MethodNotAllowed"),
        ("POST", f"/intake/{key}x", 401, "NotAuthenticated"),
        ("POST", f"/intake/{new_key()}", 401, "NotAuthenticated"),
        ("POST", f"/intake/{key}/", 404, "NotFound"),
        ("POST", "/intake/", 404, "NotFound"),
        ("POST", "/intake", 404, "NotFound"),
        ("GET", "/leads", 405, "MethodNotAllowed"),
    ]:
        response = await api.http.request(method, path)
        assert response.status_code == status, path
        assert key not in response.text
        if name:
            assert response.json()["name"] == name
        if status == 405:
            assert response.headers["allow"] == "OPTIONS, POST"


@pytest.mark.parametrize("scopes", [(ApiScope.READ, ApiScope.WRITE), (ApiScope.INTAKE, ApiScope.READ)])
async def test_keys_with_other_scopes_must_not_stand_in_an_address(
    api: Api, world: World, cast: Cast, scopes: tuple[ApiScope, ...]
) -> None:
    _row, key = await world.api_key(cast.alice, *scopes)
    assert (await api.http.post(f"/intake/{key}", data=FORM)).status_code == 403


async def test_headers_do_not_sign_in_here(api: Api, cast: Cast, key: str) -> None:
    """A page that sends a token by mistake gets no more than others."""
    signed_in = {"Authorization": f"Bearer {api.user(cast.alice).token}"}
    assert set((await api.http.post(f"/intake/{key}", data=FORM, headers=signed_in)).json()) == {
        "id",
        "is_new",
        "ignored",
    }
    assert (await api.http.post(f"/intake/{new_key()}", data=FORM, headers=signed_in)).status_code == 401


async def test_a_key_ends_at_once(api: Api, world: World, cast: Cast) -> None:
    row, key = await world.api_key(cast.alice, ApiScope.INTAKE)
    assert (await api.http.post(f"/intake/{key}", data=FORM)).status_code == 201
    await change(world, row, revoked_at=row.created_at)
    assert (await api.http.post(f"/intake/{key}", data=FORM)).status_code == 401


async def test_requests_are_limited_per_key(database_url: str, world: World, cast: Cast, key: str) -> None:
    _row, other = await world.api_key(cast.alice, ApiScope.INTAKE)
    async with serving(settings_for(database_url, rate_limit_per_intake_key="2/minute")) as api:
        headers = {"Origin": ORIGIN}
        statuses = [
            (await api.http.post(f"/intake/{each}", data=FORM, headers=headers)).status_code
            for each in (key, key, key, other)
        ]
        assert statuses == [201, 201, 429, 201]
        limited = await api.http.post(f"/intake/{key}", data=FORM, headers=headers)
        assert limited.json()["name"] == "TooManyRequests"
        assert int(limited.headers["retry-after"]) <= 60
        assert "Retry-After" in limited.headers["access-control-expose-headers"]
        signed_in = {"Authorization": f"Bearer {key}"}
        assert (await api.http.post("/leads", data=FORM, headers=signed_in)).status_code == 201


# Logs


@pytest.mark.parametrize("log_format", list(LogFormat))
async def test_no_log_has_the_key(
    database_url: str,
    key: str,
    log_format: LogFormat,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Whatever happens: success, errors of every status, an unexpected exception, a WebSocket, a malformed request."""
    settings = settings_for(database_url, log_format=log_format, max_body_bytes=2_000)
    configure_logging(settings)
    unknown = new_key()

    def fail(*_arguments: Any) -> None:
        raise RuntimeError("on purpose")

    with live_server(create_app(settings)) as url:
        async with httpx2.AsyncClient(base_url=url) as http:
            with monkeypatch.context() as patch:
                patch.setattr(receive, "keys_of", fail)
                statuses = [(await http.post(f"/intake/{key}", data=FORM)).status_code]
            for each in (key, unknown):
                attempts: list[tuple[str, str, dict[str, Any]]] = [
                    ("POST", f"/intake/{each}", {"data": FORM}),
                    ("POST", f"/intake/{each}", {"data": {"x": "x" * 3_000}}),
                    (
                        "POST",
                        f"/intake/{each}",
                        {"content": b"x", "headers": {"Content-Type": "multipart/form-data; boundary=x"}},
                    ),
                    ("GET", f"/intake/{each}?a=b", {}),
                    ("PUT", f"/intake/{each}", {}),
                    ("POST", f"/intake/{each}/more", {}),
                    ("POST", f"{http.base_url}/intake/{each}", {"data": {"x": "y"}}),
                    ("POST", f"/INTAKE/{each}", {}),
                    ("POST", f"/leads/{each}/offers", {"data": FORM}),
                    ("TRACE", f"/intake/{each}/x", {}),
                    (
                        "OPTIONS",
                        f"/intake/{each}",
                        {"headers": {"Origin": ORIGIN, "Access-Control-Request-Method": "POST"}},
                    ),
                ]
                for method, path, options in attempts:
                    statuses.append((await http.request(method, path, **options)).status_code)
                for path in (f"/intake/{each}", f"//intake/{each}"):
                    with pytest.raises(InvalidStatus):
                        await open_websocket(f"{http.base_url}".replace("http", "ws").rstrip("/") + path)
    assert set(statuses) == {500, 201, 413, 400, 405, 404, 401, 204}

    written = capsys.readouterr().err
    assert "on purpose" in written
    assert "WebSocket" in written
    assert key not in written
    assert unknown not in written
    assert key[SHOWN_LENGTH:] not in written + exposition([]).decode()
    if log_format is LogFormat.JSON:
        lines = [line for line in map(orjson.loads, written.splitlines()) if line["event"] == "request"]
        received = [line for line in lines if line.get("operation") == "POST /intake/{key}" and line["status"] == 201]
        assert [line["key"] for line in received] == [key[:SHOWN_LENGTH]]
        shown = {f"/leads/{each[:SHOWN_LENGTH]}…/offers" for each in (key, unknown)}
        assert {line.get("path") for line in lines} == {None, *shown}
        failed = [line for line in lines if line.get("key") == unknown[:SHOWN_LENGTH]]
        assert {line["outcome"] for line in failed} == {Code.UNAUTHENTICATED}
