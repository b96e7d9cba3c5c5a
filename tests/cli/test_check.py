"""`lead-offers check`: tries every service that is configured, says what it found, and sends nothing."""

import asyncio
import gc
import re
import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import make_url
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from typer.testing import CliRunner, Result

from app.cli import app
from tests.docs.pages import DOCS, blocks, replaced
from tests.support.api import SECRET
from tests.support.certificates import Certificate, make_certificate
from tests.support.identity_provider import EC, RSA, as_jwk
from tests.support.live_server import live_server
from tests.support.processes import free_port
from tests.support.smtp_server import mailbox
from tests.support.twilio_api import SID, TOKEN, TWILIO, answering, provider
from tests.support.webhook_endpoint import receiving
from tests.support.world import Cast, World

Run = Callable[..., Result]

SENDER = {"email_from": "Leads <leads@example.com>"}


@pytest.fixture
def run(database_url: str) -> Run:
    def run(**settings: Any) -> Result:
        """Run the command with these settings. A connection that it leaves open fails the test."""
        given = {"database_url": database_url, "jwt_secret": SECRET} | settings
        environment = {f"LEAD_OFFERS_{name.upper()}": value for name, value in given.items()}
        result = CliRunner().invoke(app, ["check"], env=environment)
        gc.collect()
        return result

    return run


@pytest.fixture
def certificate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Certificate:
    certificate = make_certificate(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate.file))
    return certificate


def hang_up(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """End a connection as soon as it is made."""
    writer.transport.abort()


def lines(result: Result, *beginnings: str) -> list[str]:
    """Return the lines about these services, whose names begin so, without the marks at the begin."""
    return [line for line in result.stdout.splitlines() if line[8:].startswith(beginnings)]


def test_only_the_database_is_needed(run: Run, database_url: str) -> None:
    result = run()
    assert (result.exit_code, result.stderr) == (0, "")
    url = make_url(database_url)
    if url.drivername == "sqlite+aiosqlite":
        assert result.stdout.startswith(f"ok      database in {url.database}: SQLite 3.")
    else:
        assert "ok      notifications of the database: a notification has arrived\n" in result.stdout
    assert ", tables up to date\n" in result.stdout
    assert lines(result, "channels", "e-mail", "texts", "webhook", "tokens", "identity", "sign-up", "rate") == [
        "ok      channels in use: no distribution option alerts by call, text, email",
        "-       e-mail: not configured",
        "-       texts and calls: not configured",
        "-       webhook: not configured",
        "ok      tokens: the signing key is set",
        "-       identity provider: not configured",
        "-       sign-up: not configured",
        "-       rate limits: not configured",
    ]


async def test_the_documented_output(run: Run, database_url: str, certificate: Certificate) -> None:
    (documented,) = blocks(DOCS["deploying"], "## Before you go live", "text")
    hook = await asyncio.start_server(hang_up, "127.0.0.1", 0, ssl=certificate.context)
    with mailbox(tls=certificate.context, account=(b"user", b"other")) as box:
        async with receiving() as receiver:
            mail, hooks = box.url.removeprefix("smtp://"), f"127.0.0.1:{hook.sockets[0].getsockname()[1]}"
            settings = SENDER | {"smtp_url": f"smtp://user:password@{mail}"}
            settings |= receiver.settings | {"webhook_url": f"https://{hooks}/hook"}
            result = await asyncio.to_thread(run, **settings)
    hook.close()
    output = replaced(result.stdout, (mail, "mail.example.com:587"), (hooks, "hooks.example.com"))
    if database_url.startswith("sqlite"):
        assert output.splitlines()[1:] == documented.splitlines()[2:]
    else:
        assert (
            re.sub(r"database.*: PostgreSQL [0-9.]+", "database at db.example.com: PostgreSQL 18.0", output)
            == documented
        )
    assert result.exit_code == 1


async def test_a_channel_that_is_in_use_and_not_configured(run: Run, world: World, cast: Cast) -> None:
    result = await asyncio.to_thread(run)
    assert result.exit_code == 1
    (line,) = lines(result, "channels")
    assert line.startswith("FAILED  channels in use: Distribution options alert by email, and there is no channel")
    result = await asyncio.to_thread(run, fallback="console")
    assert result.exit_code == 0


def test_a_database_that_is_down(run: Run) -> None:
    port = free_port()
    result = run(database_url=f"postgresql+asyncpg://user:hunter2@127.0.0.1:{port}/leads")
    assert result.exit_code == 1
    (line,) = lines(result, "database")
    assert line.startswith(f"FAILED  database at 127.0.0.1:{port}: ")
    assert line.endswith(". Check LEAD_OFFERS_DATABASE_URL.")
    assert lines(result, "channels", "notifications") == []
    assert "hunter2" not in result.stdout


def test_a_database_without_tables(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "new.db"
    result = run(database_url=f"sqlite+aiosqlite:///{file}")
    assert result.exit_code == 1
    assert lines(result, "database") == [
        f"FAILED  database in {file}: the file does not exist. Run `lead-offers migrate`."
    ]
    assert not file.exists()
    file.touch()
    assert "has no tables yet. Run `lead-offers migrate`." in run(database_url=f"sqlite+aiosqlite:///{file}").stdout


def test_a_secret_that_is_missing(run: Run) -> None:
    result = run(jwt_secret=None)
    assert result.exit_code == 1
    assert lines(result, "tokens")[0].startswith("FAILED  tokens: LEAD_OFFERS_JWT_SECRET is missing")


def test_an_invalid_setting_ends_the_command(run: Run) -> None:
    result = run(smtp_url="smtp://mail.example.com:99999", **SENDER)
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith("LEAD_OFFERS_SMTP_URL: must have a port")


@pytest.mark.parametrize(
    ("password", "works", "found"),
    [
        ("p%23ss", True, "connected with TLS, signed in, sender accepted"),
        ("hunter2", False, "The mail server rejected this server's login. (535"),
    ],
)
def test_a_mail_server_that_needs_a_login(
    run: Run, certificate: Certificate, password: str, works: bool, found: str
) -> None:
    with mailbox(tls=certificate.context, account=(b"user@example.com", b"p#ss")) as box:
        host = box.url.removeprefix("smtp://")
        result = run(smtp_url=f"smtp://user%40example.com:{password}@{host}", **SENDER)
    assert result.exit_code == (0 if works else 1)
    (line,) = lines(result, "e-mail")
    assert line.startswith(f"{'ok      ' if works else 'FAILED  '}e-mail at {host}: {found}")
    assert "hunter2" not in result.stdout
    assert box.begun == 0


def test_mail_servers_without_a_login(run: Run, certificate: Certificate) -> None:
    with mailbox() as box:
        assert lines(run(smtp_url=box.url, **SENDER), "e-mail")[0].endswith(": connected without TLS, sender accepted")
    assert box.begun == 0
    with mailbox(tls=certificate.context, account=(b"user", b"password")) as box:
        assert "The mail server rejected the sender (530)" in lines(run(smtp_url=box.url, **SENDER), "e-mail")[0]
    assert "The connection to the mail server failed." in lines(run(smtp_url=box.url, **SENDER), "e-mail")[0]


def test_a_mail_server_that_is_not_trusted(run: Run, tmp_path: Path) -> None:
    with mailbox(tls=make_certificate(tmp_path).context) as box:
        result = run(smtp_url=box.url, **SENDER)
    assert result.exit_code == 1
    assert "certificate verify failed" in lines(result, "e-mail")[0]


@pytest.mark.parametrize(
    ("status", "body", "works", "found"),
    [
        (200, {"sid": SID, "status": "active", "type": "Full"}, True, "signed in, account active"),
        (200, {"status": "active", "type": "Trial"}, True, "a trial account, which reaches verified numbers only"),
        (200, {"status": "suspended"}, False, "The status of the Twilio account is 'suspended' and not 'active'."),
        (200, [], False, "The status of the Twilio account is None and not 'active'."),
        (401, {"code": 20003}, False, "Twilio rejected the request for now (20003)."),
    ],
)
async def test_a_twilio_account(run: Run, status: int, body: object, works: bool, found: str) -> None:
    async with provider() as twilio:
        twilio.answer = lambda _asked: answering(status, body)
        result = await asyncio.to_thread(run, **TWILIO, twilio_url=twilio.url)
    assert result.exit_code == (0 if works else 1)
    (line,) = lines(result, "texts")
    assert line.startswith("ok" if works else "FAILED")
    assert line.endswith(found)
    assert TOKEN not in result.stdout
    assert [asked.path for asked in twilio.asked] == [f"/2010-04-01/Accounts/{SID}.json"]


async def test_a_webhook_gets_a_connection_and_no_request(run: Run) -> None:
    async with receiving() as receiver:
        settings, host = receiver.settings, receiver.origin.removeprefix("http://")
        result = await asyncio.to_thread(run, **settings)
        assert lines(result, "webhook") == [
            f"ok      webhook at {host}: connected without TLS; whether it accepts events was not tried"
        ]
        assert receiver.posts == []
        refused = await asyncio.to_thread(run, **settings | {"webhook_allow_private": "off"})
        (line,) = lines(refused, "webhook")
        assert line.startswith(f"FAILED  webhook at {host}: The webhook endpoint has an internal address (loopback), ")
    result = await asyncio.to_thread(run, **settings)
    assert result.exit_code == 1
    (line,) = lines(result, "webhook")
    assert line.startswith(f"FAILED  webhook at {host}: The connection to the webhook endpoint failed. (")
    assert "secret" not in line


async def test_a_webhook_over_tls(run: Run, certificate: Certificate, tmp_path: Path) -> None:
    async def serve(context: ssl.SSLContext) -> Result:
        server = await asyncio.start_server(hang_up, "127.0.0.1", 0, ssl=context)
        url = f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}/hook"
        async with receiving() as receiver:
            settings = receiver.settings | {"webhook_url": url}
        result = await asyncio.to_thread(run, **settings)
        server.close()
        return result

    assert "connected with TLS" in lines(await serve(certificate.context), "webhook")[0]
    other = tmp_path / "other"
    other.mkdir()
    assert "certificate verify failed" in lines(await serve(make_certificate(other).context), "webhook")[0]


@pytest.mark.parametrize(
    ("status", "keys", "works", "found"),
    [
        (200, {"keys": [as_jwk(RSA, "r1", alg="RS256"), as_jwk(EC, "e1")]}, True, "2 keys, for ES256 and RS256"),
        (200, {"keys": [as_jwk(RSA, "enc", use="enc")]}, False, "it publishes no key for RS256 or ES256"),
        (200, {"error": "gone"}, False, "the keys cannot be fetched: KeyError: 'keys'"),
        (404, {"error": "gone"}, False, "the keys cannot be fetched: it responded with status 404"),
    ],
)
def test_an_identity_provider(run: Run, status: int, keys: dict[str, Any], works: bool, found: str) -> None:
    async def answer(_request: Request) -> Response:
        return JSONResponse(keys, status)

    with live_server(Starlette(routes=[Route("/jwks", answer)])) as url:
        result = run(jwks_url=f"{url}/jwks")
    assert result.exit_code == (0 if works else 1)
    host = url.removeprefix("http://")
    assert lines(result, "identity") == [f"{'ok      ' if works else 'FAILED  '}identity provider at {host}: {found}"]
