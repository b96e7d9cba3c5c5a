"""GraphQL over HTTP as scanners and broken clients see it: every answer is JSON with the right status."""

import asyncio
import gzip
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from app.errors import ApiError
from app.http.request_body import MAX_NESTING, MAX_VALUES, parse_json
from app.main import create_app
from tests.support.api import Api, serving, settings_for
from tests.support.live_server import live_server
from tests.support.node import needs_node, node
from tests.support.world import Cast

ME = {"query": "{ me { id } }"}


@contextmanager
def listening(database_url: str, **settings: Any) -> Iterator[str]:
    """The server behind a socket; gives its GraphQL address."""
    with live_server(create_app(settings_for(database_url, **settings))) as url:
        yield f"{url}/graphql"


@needs_node
async def test_the_audits_of_graphql_http_pass(database_url: str, api: Api, cast: Cast) -> None:
    token = api.user(cast.bob).token
    assert token
    with listening(database_url) as url:
        results = await node("graphql_http.mjs", url, token)
    assert len(results) == 61
    assert [result for result in results if result["status"] != "ok"] == []


@pytest.mark.parametrize(
    ("accept", "answered"),
    [
        (None, "application/json"),
        ("*/*", "application/json"),
        ("application/*", "application/json"),
        ("application/graphql-response+json", "application/graphql-response+json"),
        ("application/graphql-response+json, application/json;q=0.9", "application/graphql-response+json"),
        ("application/json;q=0.5, application/graphql-response+json;q=0.9", "application/graphql-response+json"),
        ("application/graphql-response+json, text/event-stream, multipart/mixed", "application/graphql-response+json"),
        ("text/event-stream, application/json", "application/json"),
        ("text/html, */*;q=0.1", "application/json"),
        ("*/*, application/json;q=0", None),
        ("application/json;q=x", None),
        ("text/html", None),
    ],
)
async def test_the_media_type_is_negotiated(api: Api, cast: Cast, accept: str | None, answered: str | None) -> None:
    del api.http.headers["accept"]
    answer = await api.user(cast.bob).post(ME, **({"Accept": accept} if accept is not None else {}))
    assert answer.status_code == (200 if answered else 406)
    assert answer.headers["content-type"] == f"{answered or 'application/json'}; charset=utf-8"
    assert answer.json()


@pytest.mark.parametrize(
    "content_type",
    [
        "",
        "application/jsonx",
        "application/graphql",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "text/plain",
        "text/plain;application/json",
        "application/json; charset=utf-16",
        "application/json; charset=latin-1",
    ],
)
async def test_content_types_that_need_no_preflight_are_refused(api: Api, cast: Cast, content_type: str) -> None:
    answer = await api.user(cast.bob).post(ME, **{"Content-Type": content_type})
    assert answer.status_code == 415
    assert answer.json()["errors"][0]["extensions"] == {"code": "BAD_REQUEST"}


@pytest.mark.parametrize("content_type", ["application/json", 'Application/JSON ; Charset="UTF-8"'])
async def test_json_in_utf_8_is_accepted(api: Api, cast: Cast, content_type: str) -> None:
    assert (await api.user(cast.bob).post(ME, **{"Content-Type": content_type})).status_code == 200


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"12",
        b'"x"',
        b"[]",
        b'[{"query": "{ me { id } }"}]',
        b'{"query": NaN}',
        b'{"query": "{ me { id } }", "variables": {"x": NaN}}',
        b'{"query": "{ me { id } }", "variables": {"x": Infinity}}',
        b'\xff\xfe{"query": "{ me { id } }"}',
        b'{"query": "\xed\xa0\x80"}',
        rb'{"query": "{ me { id } } # \ud800"}',
        rb'{"query": "{ me { id } }", "variables": {"x": "\udfff"}}',
        gzip.compress(b'{"query": "{ me { id } }"}', mtime=0),
        b"[" * 1000 + b"]" * 1000,
        b'{"query": "{ me { id } }", "variables": {"x": ' + b"[" * 1000 + b"]" * 1000 + b"}}",
        b'{"query": "{ me { id } }", "variables": {"x": ' + b"[" * 200_000,
        b'{"query": "{ me { id } }", "variables": {"x": [' + b"1," * 60_000 + b"1]}}",
        b'{"query": {"x": 1}}',
        b'{"query": "{ me { id } }", "variables": []}',
        b'{"query": "{ me { id } }", "operationName": 1}',
        b'{"query": "{ me { id } }", "extensions": "x"}',
    ],
    ids=lambda body: repr(body[:50]),
)
async def test_malformed_bodies_are_refused(api: Api, cast: Cast, body: bytes) -> None:
    headers = {"Authorization": f"Bearer {api.user(cast.bob).token}", "Content-Type": "application/json"}
    answer = await api.http.post("/graphql", content=body, headers=headers)
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["extensions"] == {"code": "BAD_REQUEST"}


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("PUT", "/graphql", 405),
        ("DELETE", "/graphql", 405),
        ("PATCH", "/graphql", 405),
        ("OPTIONS", "/graphql", 405),
        ("POST", "/", 405),
        ("GET", "/graphql/x", 404),
        ("GET", "/.env", 404),
        ("GET", "/static/../config.py", 404),
        ("GET", "/static/%2e%2e/config.py", 404),
        ("POST", "/static/graphiql.js", 405),
    ],
)
async def test_unknown_paths_and_methods_are_refused(api: Api, method: str, path: str, status: int) -> None:
    answer = await api.http.request(method, path)
    assert answer.status_code == status
    assert answer.json()["errors"][0]["extensions"]["code"] == ("NOT_FOUND" if status == 404 else "BAD_REQUEST")
    assert ("allow" in answer.headers) is (status == 405)


async def test_a_document_with_several_operations_needs_operation_name(api: Api, cast: Cast) -> None:
    bob = api.user(cast.bob)
    several = "query A { me { id } } query B { me { email } }"
    chosen = await bob.post({"query": several, "operationName": "B"})
    assert chosen.json()["data"] == {"me": {"email": cast.bob.email}}
    for name in (None, "", "C"):
        refused = await bob.post({"query": several, "operationName": name}, Accept="application/graphql-response+json")
        assert refused.status_code == 400
        assert refused.json()["errors"][0]["extensions"]["code"] == "GRAPHQL_VALIDATION_FAILED"


async def test_a_mutation_by_get_is_refused_before_it_runs(api: Api, cast: Cast) -> None:
    headers = {"Authorization": f"Bearer {api.user(cast.bob).token}"}
    params = {"query": "query A { me { id } } mutation B { __typename }", "operationName": "B"}
    answer = await api.http.get("/graphql", params=params, headers=headers)
    assert (answer.status_code, answer.headers["allow"]) == (405, "POST")


@pytest.mark.parametrize("variables", [" ", "{", "[]", "NaN", '"x"'])
async def test_parameters_of_a_get_are_json(api: Api, cast: Cast, variables: str) -> None:
    headers = {"Authorization": f"Bearer {api.user(cast.bob).token}"}
    answer = await api.http.get("/graphql", params=ME | {"variables": variables}, headers=headers)
    assert answer.status_code == 400


async def test_every_response_has_the_security_headers(api: Api, cast: Cast) -> None:
    for answer in (await api.user(cast.bob).post(ME), await api.post(ME), await api.http.get("/nothing")):
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["x-frame-options"] == "DENY"
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["content-security-policy"] == "default-src 'none'; frame-ancestors 'none'"
        assert "strict-transport-security" not in answer.headers
    secure = await api.http.get("https://test/nothing")
    assert secure.headers["strict-transport-security"] == "max-age=31536000"


async def test_pages_may_send_the_headers_of_monitoring_and_clients(database_url: str) -> None:
    usual = (
        "traceparent, tracestate, baggage, sentry-trace, apollographql-client-name, apollographql-client-version, "
        "x-datadog-trace-id, b3, x-b3-traceid, newrelic, x-apollo-operation-name, last-event-id, cache-control"
    )
    preflight = {"Access-Control-Request-Method": "POST", "Origin": "https://app.example.com"}
    origins = ("https://app.example.com",)
    for settings, names, status in (
        ({}, f"authorization, content-type, {usual}", 204),
        ({}, "x-tenant", 400),
        ({"cors_headers": ("X-Tenant",)}, f"x-tenant, {usual}", 204),
    ):
        async with serving(settings_for(database_url, cors_origins=origins, **settings)) as api:
            headers = preflight | {"Access-Control-Request-Headers": names}
            assert (await api.http.options("/graphql", headers=headers)).status_code == status


async def test_empty_parameters_count_as_not_given(api: Api, cast: Cast) -> None:
    bob, me = api.user(cast.bob), {"data": {"me": {"id": str(cast.bob.id)}}}
    empty = {"query": "{ me { id } }", "operationName": "", "variables": "", "extensions": ""}
    answer = await api.http.get("/graphql", params=empty, headers={"Authorization": f"Bearer {bob.token}"})
    assert (answer.status_code, answer.json()) == (200, me)
    assert (await bob.post({"query": "{ me { id } }", "operationName": ""})).json() == me


async def test_an_unlisted_origin_is_never_echoed(database_url: str, cast: Cast) -> None:
    preflight = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization"}
    async with serving(settings_for(database_url, cors_origins=("https://app.example.com",))) as api:
        for origin in ("https://evil.example.com", "null", "https://app.example.com.evil.example.com"):
            asked = await api.http.options("/graphql", headers=preflight | {"Origin": origin})
            assert asked.status_code == 400
            assert asked.json()["errors"][0]["message"] == "Disallowed CORS origin"
            answer = await api.user(cast.bob).post(ME, Origin=origin)
            for sent in (asked, answer):
                assert "access-control-allow-origin" not in sent.headers
        listed = await api.http.options("/graphql", headers=preflight | {"Origin": "https://app.example.com"})
        assert (listed.status_code, listed.content) == (204, b"")
        assert "access-control-allow-credentials" not in listed.headers


@pytest.mark.parametrize("origin", [None, "https://evil.example.com", "https://app.example.com"])
async def test_vary_names_the_origin_once(database_url: str, cast: Cast, origin: str | None) -> None:
    async with serving(settings_for(database_url, cors_origins=("https://app.example.com",))) as api:
        answer = await api.user(cast.bob).post(ME, **({"Origin": origin} if origin else {}))
    assert answer.headers.get_list("vary") == ["Origin"]


@pytest.mark.parametrize("as_bytes", [True, False])
def test_the_size_of_a_json_value_is_checked_where_it_may_be_too_large(as_bytes: bool) -> None:
    def parse(text: str) -> Any:
        return parse_json(text.encode() if as_bytes else text, "It")

    assert parse('"' + "[" * 200 + '"') == "[" * 200
    parse("[" * MAX_NESTING + "]" * MAX_NESTING)
    parse(f"[{','.join('1' * (MAX_VALUES - 1))}]")
    for text in ("[" * 101 + "]" * 101, '{"a":' * 101 + "1" + "}" * 101, f"[{','.join('1' * MAX_VALUES)}]"):
        with pytest.raises(ApiError):
            parse(text)


async def send(url: str, head: str, body: bytes) -> bytes:
    """The raw answer to a raw request, and to whatever follows it, until the server closes."""
    found = re.fullmatch(r"http://([\d.]+):(\d+)(/.*)", url)
    assert found
    reader, writer = await asyncio.open_connection(found[1], int(found[2]))
    writer.write(f"POST {found[3]} HTTP/1.1\r\nHost: {found[1]}\r\n{head}\r\n\r\n".encode() + body)
    try:
        return await asyncio.wait_for(reader.read(), 20)
    finally:
        writer.close()


async def test_a_body_that_does_not_arrive_in_time_is_refused(database_url: str, api: Api, cast: Cast) -> None:
    head = f"Authorization: Bearer {api.user(cast.bob).token}\r\nContent-Type: application/json\r\nContent-Length: 100"
    with listening(database_url, body_seconds=0.2) as url:
        answer = await send(url, head, b'{"query":')
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert b'"code":"BAD_REQUEST"' in answer


async def test_a_body_that_is_too_large_is_not_read_to_its_end(database_url: str, api: Api, cast: Cast) -> None:
    head = f"Authorization: Bearer {api.user(cast.bob).token}\r\nContent-Type: application/json\r\n"
    with listening(database_url, max_body_bytes=2000) as url:
        declared = await send(url, f"{head}Content-Length: 2001", b"")
        grown = await send(url, f"{head}Transfer-Encoding: chunked", b"7d1\r\n" + b" " * 2001 + b"\r\n")
    for answer in (declared, grown):
        assert answer.startswith(b"HTTP/1.1 413 ")
        assert b"The body is too large: at most 2000 bytes are allowed." in answer
