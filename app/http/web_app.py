"""The web application: its page, and the files that scripts/web builds from app/web."""

import re
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import orjson
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import BaseRoute, Route
from starlette.staticfiles import StaticFiles

from app.config import Settings
from app.db.engine import Database
from app.errors import Code
from app.http.accept_header import media_ranges
from app.http.demo_people import demo_people
from app.http.error_responses import http_exception
from app.http.loopback import is_local
from app.observability import requests

BUILD = Path(__file__).parents[1] / "static" / "web"
"""The output of scripts/web."""

PAGES = (
    "/",
    "/inbox",
    "/board",
    "/board/{lead_id}",
    "/teams",
    "/teams/{team_id}",
    "/figures",
    "/settings",
    "/sign-in",
    "/signed-in",
)
"""The addresses of the application's screens, as in app/web/src/app/router.tsx."""

PLACEHOLDER = "{{configuration}}"

DEMO_HOURS = 12
"""How long the tokens in the demo's page are valid."""

ASSET = re.compile(r"[\w-][\w.-]*\.(js|css|svg)", re.ASCII)

CONTENT_TYPES = {"js": "text/javascript; charset=utf-8", "css": "text/css; charset=utf-8", "svg": "image/svg+xml"}

ENCODINGS = {"br": ".br", "gzip": ".gz"}
"""The encodings of files that are compressed at build time, the smallest first, with the endings of their names."""

FOREVER = "public, max-age=31536000, immutable"
"""For files whose names contain a hash of their content."""

NOT_BUILT = """\
<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Lead Offers</title>
<h1>The web application is not built</h1>
<p>Install Node 20.19 or newer with npm, run <code>scripts/web</code> in the server's folder,
and load this page again.</p>
{graphiql}"""

NOT_FOUND = """\
<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>No such page · Lead Offers</title>
<h1>There is no such page</h1>
<p>The address may be misspelled, or the page has moved. <a href="/">Go to the start page</a>.</p>
"""
"""For browsers at an unknown address, where the application is not built."""

GRAPHIQL = '<p>The API works without it: <a href="/graphql">open GraphiQL</a>.</p>\n'


def web_app_routes(settings: Settings, db: Database, clock: Callable[[], datetime]) -> list[BaseRoute]:
    """Return the routes of the page and its files. `clock` returns the current time in UTC."""
    files = StaticFiles(directory=BUILD, check_dir=False)

    async def page(request: Request) -> Response:
        requests.current().operation = f"{request.method} page"
        return await _page(request, settings, db, clock())

    async def asset(request: Request) -> Response:
        requests.current().operation = f"{request.method} asset"
        return await _file(request, files, f"assets/{request.path_params['name']}", FOREVER)

    async def icon(request: Request) -> Response:
        requests.current().operation = f"{request.method} asset"
        return await _file(request, files, "icon.svg", "public, max-age=86400")

    return [
        *(Route(path, page) for path in PAGES),
        Route("/assets/{name}", asset),
        Route("/icon.svg", icon),
    ]


def make_not_found(
    settings: Settings, db: Database, clock: Callable[[], datetime]
) -> Callable[[Request, Exception], Awaitable[Response]]:
    """Return the handler of addresses that do not exist: a browser gets the page, which says so; others get JSON."""

    async def not_found(request: Request, error: Exception) -> Response:
        accepted = dict(media_ranges(request.headers.get("accept", "")))
        if request.method in ("GET", "HEAD") and accepted.get("text/html", 0) > 0:
            requests.current().outcome = Code.NOT_FOUND
            return await _page(request, settings, db, clock(), status=404)
        return http_exception(request, error)

    return not_found


async def _page(request: Request, settings: Settings, db: Database, now: datetime, status: int = 200) -> Response:
    """Return the page, or one that says how to build it; at an unknown address, one that says so.

    It is not cached: the nonce differs each time, and a 304 would bring a new one for the old page.
    """
    headers = {"Cache-Control": "no-store", "Referrer-Policy": "no-referrer"}
    template = BUILD / "index.html"
    if not template.is_file() and status == 404:
        return HTMLResponse(NOT_FOUND, status, headers)
    if not template.is_file():
        return HTMLResponse(NOT_BUILT.format(graphiql=GRAPHIQL if settings.graphiql else ""), 503, headers)
    nonce = secrets.token_urlsafe(16)
    configuration: dict[str, Any] = {
        "version": version("lead-offers"),
        "styleNonce": nonce,
        "graphiql": settings.graphiql,
        "signIn": await _sign_in(request, settings, db, now),
    }
    # The JSON stands in a script element, which only a `<` could end.
    text = orjson.dumps(configuration).decode().replace("<", "\\u003c")
    html = template.read_text(encoding="utf-8").replace(PLACEHOLDER, text)
    return HTMLResponse(html, status, headers | {"Content-Security-Policy": _policy(settings, nonce)})


async def _sign_in(request: Request, settings: Settings, db: Database, now: datetime) -> dict[str, Any]:
    """Return how people sign in. Tokens of the demo are only for browsers on this machine."""
    if settings.demo and settings.jwt_secret and is_local(request):
        people = await demo_people(settings, db, DEMO_HOURS, now)
        return {"kind": "demo", "people": [asdict(person) for person in people]}
    if settings.oidc_client_id:
        return {
            "kind": "openid",
            "authority": settings.jwt_issuer,
            "clientId": settings.oidc_client_id,
            "scope": settings.oidc_scope,
            "audience": settings.jwt_audience,
        }
    return {"kind": "token"}


def _policy(settings: Settings, nonce: str) -> str:
    provider = ""
    if settings.oidc_client_id and settings.jwt_issuer:
        scheme, host, *_rest = urlsplit(settings.jwt_issuer)
        provider = f" {scheme}://{host}"
    return "; ".join(
        (
            "default-src 'none'",
            "script-src 'self'",
            f"style-src 'self' 'nonce-{nonce}'",
            "img-src 'self' data:",
            "font-src 'self'",
            f"connect-src 'self'{provider}",
            "form-action 'self'",
            "frame-ancestors 'none'",
            "base-uri 'none'",
        )
    )


async def _file(request: Request, files: StaticFiles, path: str, caching: str) -> Response:
    """Return a file in the best encoding that the client accepts. Raises a 404 if there is none."""
    match = ASSET.fullmatch(path.rpartition("/")[2])
    if match is None:
        raise HTTPException(404)
    encoding = _best_encoding(request.headers.get("Accept-Encoding", ""), path)
    response = await files.get_response(path + ENCODINGS.get(encoding, ""), request.scope)
    response.headers["Cache-Control"] = caching
    response.headers["Vary"] = "Accept-Encoding, Origin"
    if response.status_code != 304:
        response.headers["Content-Type"] = CONTENT_TYPES[match[1]]
        if encoding:
            response.headers["Content-Encoding"] = encoding
    return response


def _best_encoding(accepted: str, path: str) -> str:
    """Return the encoding; empty for none."""
    qualities = dict(media_ranges(accepted))
    others = qualities.get("*", 0.0)
    for encoding, ending in ENCODINGS.items():
        if qualities.get(encoding, others) > 0 and (BUILD / (path + ending)).is_file():
            return encoding
    return ""
