"""The page of the web application and its files, as the server sends them."""

import gzip
import json
import re
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from httpx2 import ASGITransport, AsyncClient, Response
from pydantic import ValidationError

from app.config import Settings
from app.domain.enums import LeadOfferStatus
from app.errors import Code
from app.http import web_app
from app.http.web_app import BUILD, PAGES
from app.main import create_app
from tests.support.api import settings_for
from tests.support.world import NOW, Cast, World

WEB = Path(__file__).parents[2] / "app" / "web"
SCRIPT = "console.log('an asset of the application');\n" * 40
FIRST_LOAD = 185_000
"""The bytes that a browser may load, compressed, to show the inbox. Ten thousand more are 50 ms on slow mobile data."""

CONNECTIONS = 6
"""How many files browsers load at once from a server that speaks HTTP/1.1."""

LARGEST_STEP = 275_000
"""The bytes of a script of the first load, uncompressed: each runs as one task, in which the page does not react."""

PROVIDER: dict[str, Any] = {
    "oidc_client_id": "web",
    "jwks_url": "https://id.example.com/keys",
    "jwt_issuer": "https://id.example.com/realm",
}

Get = Callable[..., Awaitable[Response]]


@pytest.fixture
def build(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A folder with a page and a script, as Vite makes them."""
    (tmp_path / "assets").mkdir()
    configuration = '<script type="application/json" id="configuration">{{configuration}}</script>'
    (tmp_path / "index.html").write_text(f"<!doctype html>{configuration}")
    script = tmp_path / "assets" / "index-Ab_1-x.js"
    script.write_text(SCRIPT)
    script.with_name(f"{script.name}.gz").write_bytes(gzip.compress(SCRIPT.encode()))
    script.with_name(f"{script.name}.br").write_bytes(b"as Brotli")
    (tmp_path / "assets" / "only-2.css").write_text("a { color: red }")
    (tmp_path / "secret.js").write_text("outside of assets")
    monkeypatch.setattr(web_app, "BUILD", tmp_path)
    return tmp_path


@pytest.fixture
def get(database_url: str) -> Get:
    """Send a request to a new server, from the address `client` and under the name `host`."""

    async def get(
        path: str = "/",
        headers: dict[str, str] | None = None,
        client: str = "127.0.0.1",
        host: str = "127.0.0.1",
        method: str = "GET",
        **others: Any,
    ) -> Response:
        app = create_app(settings_for(database_url, **others), clock=lambda: NOW)
        transport = ASGITransport(app=app, client=(client, 50000))
        async with (
            app.router.lifespan_context(app),
            AsyncClient(transport=transport, base_url=f"http://{host}:8000") as http,
        ):
            return await http.request(method, path, headers=headers)

    return get


def configuration(page: Response) -> Any:
    found = re.search(r'<script type="application/json" id="configuration">(.*?)</script>', page.text, re.DOTALL)
    assert found
    return json.loads(found[1])


def policy(page: Response) -> dict[str, str]:
    parts = (directive.partition(" ") for directive in page.headers["content-security-policy"].split("; "))
    return {name: sources for name, _, sources in parts}


@pytest.mark.usefixtures("build")
async def test_the_page_is_at_the_address_of_each_screen(get: Get) -> None:
    for path in PAGES:
        for method in ("GET", "HEAD"):
            page = await get(re.sub(r"\{\w+\}", "12", path), method=method)
            assert (page.status_code, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
            assert page.headers["cache-control"] == "no-store"


@pytest.mark.usefixtures("build")
async def test_other_addresses_and_methods_are_errors_in_json(get: Get) -> None:
    for path in ("/nothing", "/inbox/1", "/assets", "/assets/", "/board/1/2", "/index.html"):
        answer = await get(path)
        assert (answer.status_code, answer.json()["errors"][0]["extensions"]["code"]) == (404, "NOT_FOUND")
    assert (await get("/", method="POST")).status_code == 405


@pytest.mark.usefixtures("build")
async def test_a_browser_gets_the_page_at_an_address_that_does_not_exist(get: Get) -> None:
    """The router of the application says there that there is no such page."""
    for path in ("/nowhere", "/board/1/2", "/assets/gone-1.js"):
        answer = await get(path, {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"})
        assert (answer.status_code, answer.headers["content-type"]) == (404, "text/html; charset=utf-8")
        assert "content-security-policy" in answer.headers
        assert 'id="configuration"' in answer.text
    for accept in ("*/*", "application/json", "text/html;q=0"):
        answer = await get("/nowhere", {"Accept": accept})
        assert (answer.status_code, answer.json()["errors"][0]["extensions"]["code"]) == (404, "NOT_FOUND")


async def test_the_policy_has_a_new_nonce_each_time_and_nothing_unsafe(get: Get) -> None:
    first, second = await get(), await get()
    nonce = configuration(first)["styleNonce"]
    assert policy(first) == {
        "default-src": "'none'",
        "script-src": "'self'",
        "style-src": f"'self' 'nonce-{nonce}'",
        "img-src": "'self' data:",
        "font-src": "'self'",
        "connect-src": "'self'",
        "form-action": "'self'",
        "frame-ancestors": "'none'",
        "base-uri": "'none'",
    }
    assert nonce != configuration(second)["styleNonce"]


@pytest.mark.usefixtures("build")
async def test_without_an_identity_provider_a_token_is_pasted(get: Get, cast: Cast) -> None:
    assert configuration(await get())["signIn"] == {"kind": "token"}


@pytest.mark.usefixtures("build")
async def test_the_identity_provider_of_the_settings(get: Get) -> None:
    page = await get(**PROVIDER, jwt_audience="leads")
    assert configuration(page)["signIn"] == {
        "kind": "openid",
        "authority": "https://id.example.com/realm",
        "clientId": "web",
        "scope": "openid email offline_access read write",
        "audience": "leads",
    }
    assert policy(page)["connect-src"] == "'self' https://id.example.com"


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({"jwks_url": None}, "JWKS_URL"),
        ({"jwt_issuer": None}, "JWT_ISSUER"),
        ({"jwt_issuer": "our provider"}, "JWT_ISSUER"),
        ({"jwt_issuer": "https://id.example.com/; script-src *"}, "JWT_ISSUER"),
    ],
)
def test_a_client_id_needs_a_provider_that_browsers_can_reach(changed: dict[str, Any], named: str) -> None:
    with pytest.raises(ValidationError, match=f"LEAD_OFFERS_{named}"):
        Settings(**PROVIDER | changed)


@pytest.mark.usefixtures("build")
async def test_people_of_the_demo(get: Get, world: World, cast: Cast) -> None:
    """Listed by group and name. Names are text, whatever they contain, and inactive users are left out."""
    await world.user("</script><script>alert(1)", last_name="& Co")
    await world.user("Gone", is_active=False)
    await world.offer(await world.lead(cast.alice, cast.team), cast.bob, status=LeadOfferStatus.SENT)
    page = await get(demo=True)
    people = configuration(page)["signIn"]["people"]
    team = cast.team.name
    assert [(person["group"], person["name"], person["description"]) for person in people] == [
        ("agents", "Bob Example", f"Can claim 1 lead now. Member of {team}"),
        ("leaders", "Alice Example", f"Leader of {team}"),
        ("others", "</script><script>alert(1) & Co", "In no team"),
        ("others", "Charlie Example", "In no team"),
    ]
    assert page.text.count("<script") == 1
    assert all(person["token"].startswith("eyJ") for person in people)


@pytest.mark.usefixtures("build")
@pytest.mark.parametrize(
    ("client", "host"), [("192.0.2.7", "127.0.0.1"), ("127.0.0.1", "rebound.example"), ("127.0.0.1", "192.0.2.7")]
)
async def test_the_demo_hides_its_people_from_other_machines(get: Get, cast: Cast, client: str, host: str) -> None:
    page = await get(demo=True, client=client, host=host)
    assert configuration(page)["signIn"] == {"kind": "token"}
    assert "eyJ" not in page.text
    assert "alice" not in page.text.lower()


@pytest.mark.parametrize("graphiql", [True, False])
async def test_without_a_build_the_page_says_how_to_make_one(
    get: Get, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, graphiql: bool
) -> None:
    monkeypatch.setattr(web_app, "BUILD", tmp_path)
    page = await get(graphiql=graphiql)
    assert (page.status_code, page.headers["content-type"]) == (503, "text/html; charset=utf-8")
    assert "scripts/web" in page.text
    assert ('href="/graphql"' in page.text) is graphiql

    nowhere = await get("/nowhere", {"Accept": "text/html"}, graphiql=graphiql)
    assert (nowhere.status_code, nowhere.headers["content-type"]) == (404, "text/html; charset=utf-8")
    assert "There is no such page" in nowhere.text


@pytest.mark.usefixtures("build")
@pytest.mark.parametrize(
    ("accepted", "encoding"),
    [
        ("gzip, deflate, br, zstd", "br"),
        ("gzip", "gzip"),
        ("*", "br"),
        ("br;q=0, *", "gzip"),
        ("gzip;q=0, br;q=0", None),
        ("identity", None),
        ("", None),
    ],
)
async def test_assets_are_sent_as_they_were_compressed(get: Get, accepted: str, encoding: str | None) -> None:
    for method in ("GET", "HEAD"):
        asset = await get("/assets/index-Ab_1-x.js", {"Accept-Encoding": accepted}, method=method)
        assert (asset.status_code, asset.headers.get("content-encoding")) == (200, encoding)
        assert asset.headers["content-type"] == "text/javascript; charset=utf-8"
        assert asset.headers["cache-control"] == "public, max-age=31536000, immutable"
        assert "Accept-Encoding" in asset.headers["vary"]


@pytest.mark.usefixtures("build")
async def test_the_content_of_an_asset_and_its_etag(get: Get) -> None:
    asset = await get("/assets/index-Ab_1-x.js", {"Accept-Encoding": "gzip"})
    assert asset.text == SCRIPT
    again = await get("/assets/index-Ab_1-x.js", {"Accept-Encoding": "gzip", "If-None-Match": asset.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    plain = await get("/assets/only-2.css", {"Accept-Encoding": "br"})
    assert (plain.headers.get("content-encoding"), plain.headers["content-type"]) == (None, "text/css; charset=utf-8")


@pytest.mark.usefixtures("build")
@pytest.mark.parametrize(
    "name",
    ["missing.js", "../secret.js", "%2e%2e%2fsecret.js", "..%5csecret.js", "index-Ab_1-x.js.br", "a%00.js"],
)
async def test_assets_that_do_not_exist(get: Get, name: str) -> None:
    answer = await get(f"/assets/{name}")
    assert answer.status_code == 404
    assert "outside" not in answer.text


def test_every_error_code_has_words() -> None:
    text = (WEB / "src" / "api" / "errors.ts").read_text(encoding="utf-8")
    words = text[text.index("export const WORDS") : text.index("} satisfies Record")]
    codes = re.findall(r"^  ([A-Z_]+):", words, re.MULTILINE)
    assert codes == [*Code]
    docs = (WEB.parents[1] / "docs" / "graphql.md").read_text(encoding="utf-8")
    table = docs[docs.index("| code | meaning |") :].partition("\n\n")[0]
    assert codes == re.findall(r"^\| `([A-Z_]+)` \|", table, re.MULTILINE)


def test_the_pages_are_those_of_the_router() -> None:
    text = (WEB / "src" / "app" / "router.tsx").read_text(encoding="utf-8")
    paths = {f"/{path}" for path in re.findall(r'path: "([^"*]+)"', text)}
    assert {re.sub(r":(\w+)Id", r"{\1_id}", path) for path in paths} | {"/"} == set(PAGES)


@pytest.fixture
def first_load() -> list[Path]:
    """The files of the entry and of the steps that it starts, as Vite's manifest has them."""
    manifest_file = BUILD / "manifest.json"
    if not manifest_file.exists():
        pytest.skip("the web application is not built: run scripts/web")
    manifest = json.loads(manifest_file.read_text(encoding="utf-8"))
    files: set[str] = set()
    waiting = ["index.html", *manifest["index.html"]["dynamicImports"]]
    while waiting:
        chunk = manifest[waiting.pop()]
        if chunk["file"] not in files:
            files |= {chunk["file"], *chunk.get("css", [])}
            waiting += chunk.get("imports", [])
    return [BUILD / file for file in sorted(files)]


def test_the_first_load_is_small(first_load: list[Path]) -> None:
    sizes = {file.name: _sent_size(file) for file in first_load}
    assert sum(sizes.values()) <= FIRST_LOAD, sizes


def test_the_first_load_is_a_few_scripts_that_run_one_after_the_other(first_load: list[Path]) -> None:
    """A long task is one that a script starts, so its length is held by the size of the script, on any machine."""
    scripts = {file.name: file.stat().st_size for file in first_load if file.suffix == ".js"}
    assert len(scripts) <= CONNECTIONS, scripts
    assert max(scripts.values()) <= LARGEST_STEP, scripts


def test_the_page_loads_the_first_load_at_once(first_load: list[Path]) -> None:
    """Without waiting for one script to ask for the next. The styles, which the first paint needs, go first."""
    page = (BUILD / "index.html").read_text(encoding="utf-8")
    preloaded = re.findall(r'<link rel="modulepreload" crossorigin href="/assets/([^"]+)" fetchpriority="low">', page)
    others = re.findall(r'(?:src|href)="/assets/([^"]+)"', page)
    assert sorted(others) == sorted(file.name for file in first_load)
    assert len(preloaded) == len(set(preloaded)) == len(first_load) - 3  # the entry, its helper and the styles


def _sent_size(file: Path) -> int:
    compressed = file.with_name(f"{file.name}.br")
    return (compressed if compressed.exists() else file).stat().st_size
