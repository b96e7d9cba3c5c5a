"""The command line: its output, standard error and exit status."""

import asyncio
import sys
import tomllib
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import jwt
import pytest
from typer.testing import CliRunner, Result

from app.cli import app
from app.config import read_settings
from app.db.engine import Database
from app.db.models import Lead, LeadOffer
from app.domain.enums import LeadOfferStatus
from tests.support.api import SECRET
from tests.support.world import Cast, World

Run = Callable[..., Result]


@pytest.fixture
def run(database_url: str, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.setenv("LEAD_OFFERS_DATABASE_URL", database_url)
    monkeypatch.setenv("LEAD_OFFERS_JWT_SECRET", SECRET)
    return lambda *arguments: CliRunner().invoke(app, arguments)


def create_dorothy(run: Run) -> str:
    result = run("user", "create", "Dot@Example.com", "--first-name", "Dorothy", "--last-name", "Vaughan")
    assert result.exit_code == 0, result.stderr
    return result.stdout.strip()


def test_version_is_that_of_the_package(run: Run) -> None:
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    result = run("--version")
    assert (result.exit_code, result.stdout) == (0, f"{project['version']}\n")


def test_token_prints_only_the_token(run: Run) -> None:
    dorothy = create_dorothy(run)
    result = run("token", "dot@example.com")
    claims = jwt.decode(result.stdout.removesuffix("\n"), SECRET, algorithms=["HS256"])
    assert (claims["sub"], claims["scope"]) == (dorothy, "read write")
    assert timedelta(seconds=claims["exp"] - claims["iat"]) == timedelta(hours=12)
    assert result.stderr == ""


def test_token_takes_scope_and_hours(run: Run) -> None:
    create_dorothy(run)
    result = run("token", "DOT@example.com", "--scope", "read", "--hours", "0.5")
    claims = jwt.decode(result.stdout.strip(), SECRET, algorithms=["HS256"])
    assert claims["scope"] == "read"
    assert claims["exp"] - claims["iat"] == 1800


def test_token_rejects_an_unknown_scope(run: Run) -> None:
    create_dorothy(run)
    result = run("token", "dot@example.com", "--scope", "read admin")
    assert result.exit_code == 2
    assert "admin is not one of read, write" in result.stderr


def test_token_of_an_unknown_address_exits_1(run: Run) -> None:
    result = run("token", "nobody@example.com")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == "No active user has the address nobody@example.com.\n"


def test_an_address_belongs_to_one_user(run: Run) -> None:
    create_dorothy(run)
    result = run("user", "create", "DOT@example.com", "--first-name", "Dorothy", "--last-name", "Again")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == "A user with the e-mail address dot@example.com already exists.\n"


@pytest.mark.parametrize(
    "timezone", ["Mars/Olympus", "America", "../etc/passwd", "/etc/localtime", "Factory", "localtime", ""]
)
def test_user_create_rejects_an_invalid_time_zone(run: Run, timezone: str) -> None:
    result = run("user", "create", "a@b.c", "--first-name", "A", "--last-name", "B", "--timezone", timezone)
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == f"timezone: {timezone!r} is not an IANA time zone name such as America/Los_Angeles\n"


@pytest.mark.parametrize("email", ["dorothy", "@example.com", "dorothy@", "dorothy vaughan@example.com"])
def test_user_create_rejects_an_invalid_address(run: Run, email: str) -> None:
    result = run("user", "create", email, "--first-name", "A", "--last-name", "B")
    assert (result.exit_code, result.stderr) == (
        1,
        f"email: {email!r} is not an e-mail address such as dorothy@example.com\n",
    )


@pytest.mark.parametrize(
    ("email", "reason"),
    [
        ("bob,al@example.com", "only one address is allowed, without commas and semicolons"),
        ("bob@example.com;al@example.com", "only one address is allowed, without commas and semicolons"),
        ("mailto:bob@example.com", "leave out mailto:"),
        ("bob@example.com.", "it must not end with a dot"),
        ("bob\u200b@example.com", "it contains the invisible character U+200B"),
        ("\u212aate@example.com", "it contains the character U+212A, which could be taken for 'k'"),
    ],
)
def test_an_address_that_is_not_one_recipient_is_refused_with_a_reason(run: Run, email: str, reason: str) -> None:
    names = ("--first-name", "A", "--last-name", "B")
    for command in (("user", "create", email, *names), ("token", email), ("user", "activate", email)):
        result = run(*command)
        told = f"email: {email!r} is not an e-mail address such as dorothy@example.com: {reason}\n"
        assert (result.exit_code, result.stderr) == (1, told)


def test_a_user_is_found_by_every_form_of_the_address(run: Run) -> None:
    create = run("user", "create", "Bob@B\u00dcCHER.example", "--first-name", "Bob", "--last-name", "B")
    assert create.exit_code == 0
    for written in ("bob@b\u00fccher.example", "bob@xn--bcher-kva.example", " BOB@bu\u0308cher.example "):
        assert run("token", written).exit_code == 0


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("\u200b", "has no visible characters"),
        ("\u2800", "has no visible characters"),
        ("A\u202eB", "contains the control character U+202E, which a name must not have"),
        ("A\u0001B", "contains the control character U+0001, which a name must not have"),
    ],
)
def test_user_create_rejects_a_name_that_cannot_be_seen(run: Run, name: str, reason: str) -> None:
    result = run("user", "create", "a@b.c", "--first-name", "A", "--last-name", name)
    assert (result.exit_code, result.stderr) == (1, f"last_name: {name!r} {reason}\n")


def test_user_create_rejects_an_invalid_phone_number(run: Run) -> None:
    result = run("user", "create", "a@b.c", "--first-name", "A", "--last-name", "B", "--phone", "call me")
    told = "phone: 'call me' is not a phone number such as +12025550142 or (202) 555-0142\n"
    assert (result.exit_code, result.stderr) == (1, told)


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("LEAD_OFFERS_JWT_SECRET", "hunter2", "must have at least 32 bytes"),
        ("LEAD_OFFERS_DATABASE_URL", "mysql://u:hunter2@h/d", "must be a URL that begins with sqlite+aiosqlite://"),
        ("LEAD_OFFERS_DATABASE_URL", "postgresql+asyncpg://u:hunter2@h:x/d", "must have a port from 1 to 65535"),
        ("LEAD_OFFERS_DATABASE_URL", "postgresql+asyncpg://u:hunter2@h:65536/d", "must have a port from 1 to 65535"),
        ("LEAD_OFFERS_DATABASE_URL", "postgresql+asyncpg://u:hunter2@h/d?port=0", "must have a port from 1 to 65535"),
        ("LEAD_OFFERS_DATABASE_URL", "postgresql+asyncpg://u:#hunter2@h/d", "# as %23"),
        ("LEAD_OFFERS_DATABASE_URL", "postgresql+asyncpg://u:1?hunter2@h/d", "? as %3F"),
        ("LEAD_OFFERS_DATABASE_URL", "postgresql+asyncpg://u:@hunter2@h/d", "@ as %40"),
        ("LEAD_OFFERS_DATABASE_URL", "postgresql+asyncpg://u:hunter2@h/d?sslmode=require", "calls sslmode ssl"),
        ("LEAD_OFFERS_DATABASE_URL", "postgresql+asyncpg://u:hunter2@h/d?ssl=hunter2", "must have one of disable,"),
        ("LEAD_OFFERS_DATABASE_URL", "postgresql+asyncpg://u@/d?host=hunter2..", "must have a valid host name"),
        ("LEAD_OFFERS_DATABASE_URL", "postgresql+asyncpg://u:hunter2@a:1,b:2/d", "must name several hosts after ?"),
        (
            "LEAD_OFFERS_DATABASE_URL",
            "postgresql+asyncpg://u:hunter2@/d?host=a&host=b",
            "must have a name and a port for each",
        ),
        (
            "LEAD_OFFERS_DATABASE_URL",
            "postgresql+asyncpg://u:hunter2@/d?host=a:1,b:2",
            "must have a name and a port for each",
        ),
        ("LEAD_OFFERS_DATABASE_URL", "postgresql+asyncpg://u:hunter2@/d?host=[::1]:1&host=[::2]:2", "with IPv6"),
        (
            "LEAD_OFFERS_DATABASE_URL",
            "postgresql+asyncpg://u:hunter2@/d?host=a:1&host=b:2",
            "must have target_session_attrs=read-",
        ),
        (
            "LEAD_OFFERS_DATABASE_URL",
            "postgresql+asyncpg://u@h/d?target_session_attrs=hunter2",
            "must have target_session_attrs=read-",
        ),
        ("LEAD_OFFERS_DATABASE_URL", "postgresql+asyncpg://u:hunter2@a/d?host=b:2", "not in both places"),
        ("LEAD_OFFERS_DATABASE_URL", "postgresql+asyncpg://u:hunter2@/d?host=[::1]", "IPv6 addresses without brackets"),
        ("LEAD_OFFERS_DATABASE_URL", "sqlite+aiosqlite://hunter2.db", "must name a file after three slashes"),
        ("LEAD_OFFERS_DATABASE_URL", "sqlite+aiosqlite://", "must name a file after three slashes"),
        ("LEAD_OFFERS_LISTEN_URL", "postgresql+asyncpg://u:hunter2@h:99999/d", "must have a port from 1 to 65535"),
        ("LEAD_OFFERS_LISTEN_URL", "postgresql+asyncpg://u:hunter2@h/d?prepared_statement_cache_size=00", "itself"),
        ("LEAD_OFFERS_LISTEN_URL", "sqlite+aiosqlite:///hunter2.db", "must be a URL that begins with postgresql+"),
        ("LEAD_OFFERS_SMTP_URL", "smtp://user:hunter2#@HOST", "# as %23"),
        ("LEAD_OFFERS_SMTP_URL", "smtp://HOST:99999", "must have a port from 1 to 65535"),
        ("LEAD_OFFERS_SMTP_URL", "smtp://hunter2@HOST", "must have both a user name and a password"),
        ("LEAD_OFFERS_SMTP_URL", "https://hunter2", "must be a URL that begins with smtp://"),
        ("LEAD_OFFERS_TWILIO_URL", "https://u:hunter2@api.example.com", "must not contain a user name"),
        ("LEAD_OFFERS_TWILIO_URL", "https://api.example.com:hunter2", "must have a port from 1 to 65535"),
        ("LEAD_OFFERS_TWILIO_ACCOUNT_SID", "AC00/hunter2", "must have only letters and digits"),
        ("LEAD_OFFERS_WEBHOOK_URL", "https://h:99999/hunter2", "must have a port from 1 to 65535"),
        ("LEAD_OFFERS_WEBHOOK_URL", "https://u:p@hunter2@h/", "@ as %40"),
        ("LEAD_OFFERS_JWKS_URL", "https://hunter2..example.com/keys", "must have a valid host name"),
        ("LEAD_OFFERS_JWKS_URL", "https://u:hunter2@login.example.com/keys", "must not contain a user name"),
        ("LEAD_OFFERS_PUBLIC_URL", "https://hunter2:0", "must have a port from 1 to 65535"),
        ("LEAD_OFFERS_PUBLIC_URL", "https://leads.example.com/?hunter2", "must not contain ?"),
        ("LEAD_OFFERS_RATE_LIMIT_STORAGE", "async+redis://:#hunter2@h", "# as %23"),
        ("LEAD_OFFERS_RATE_LIMIT_STORAGE", "async+redis://:hunter2@h:99999", "must have a port from 1 to 65535"),
        ("LEAD_OFFERS_RATE_LIMIT_STORAGE", "async+redis://h/hunter2", "or with the number of a database"),
        ("LEAD_OFFERS_RATE_LIMIT_STORAGE", "redis://hunter2", "must be a URL that begins with async+redis://"),
        ("LEAD_OFFERS_CORS_ORIGINS", '["https://hunter2:99999"]', "must have a port from 1 to 65535"),
        ("LEAD_OFFERS_CORS_ORIGINS", '["https://hunter2/"]', "without a slash at the end"),
        ("LEAD_OFFERS_CORS_ORIGINS", "hunter2", "must be a list in JSON"),
        ("LEAD_OFFERS_GRAPHIQL", "hunter2", "should be a valid boolean"),
        ("LEAD_OFFERS_EMAIL_FROM", "hunter2", "is not an e-mail address such as"),
        ("LEAD_OFFERS_EMAIL_FROM", "hunter2@example.com, al@example.com", "only one address"),
        ("LEAD_OFFERS_EMAIL_FROM", "Hunter2, Inc. <hunter2@example.com>", "is not a mailbox such as"),
        ("LEAD_OFFERS_EMAIL_FROM", "hunter2\u00fc@example.com", "needs no SMTPUTF8"),
    ],
)
def test_an_invalid_setting_is_named_and_its_value_is_not_printed(
    run: Run, monkeypatch: pytest.MonkeyPatch, name: str, value: str, told: str
) -> None:
    monkeypatch.setenv(name, value)
    result = run("token", "dot@example.com")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith(f"{name}: ")
    assert told in result.stderr
    assert "hunter2" not in result.stderr


@pytest.mark.parametrize(
    "url",
    [
        "postgresql+asyncpg://u:p%23%2F%40@h:5432/d?ssl=require",
        "postgresql+asyncpg:///d?host=/var/run/postgresql",
        "postgresql+asyncpg://postgres:@/d?host=/tmp/socket",
        "postgresql+asyncpg://u@[::1]/d",
        "postgresql+asyncpg://u@/d?host=a:5432&host=b:5433&target_session_attrs=read-write",
        "postgresql+asyncpg://u@/d?host=::1,::2&port=5432,5433&target_session_attrs=primary",
        "postgresql+asyncpg://u@h/d?target_session_attrs=any",
        "sqlite+aiosqlite:////var/lib/leads 2.db",
    ],
)
def test_every_form_of_a_database_url_is_accepted(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setenv("LEAD_OFFERS_DATABASE_URL", url)
    assert read_settings().database_url == url


def test_a_storage_of_rate_limits_that_cannot_be_used_is_named(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "redis.asyncio", None)  # as if the package were not installed
    monkeypatch.setenv("LEAD_OFFERS_RATE_LIMIT_STORAGE", "async+redis://127.0.0.1:1")
    result = run("serve", "--port", "0")
    assert result.exit_code == 1
    assert result.stderr.startswith("LEAD_OFFERS_RATE_LIMIT_STORAGE needs the package redis, version 7: pip install")


def test_an_option_of_redis_that_does_not_exist_is_named(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LEAD_OFFERS_RATE_LIMIT_STORAGE", "async+redis://:hunter2@127.0.0.1:1?wrong=hunter2")
    result = run("serve", "--port", "0")
    assert result.exit_code == 1
    assert result.stderr.startswith("LEAD_OFFERS_RATE_LIMIT_STORAGE has options after the ? that")
    assert "hunter2" not in result.stderr


def test_a_missing_secret_is_named(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LEAD_OFFERS_JWT_SECRET")
    result = run("token", "dot@example.com")
    assert result.exit_code == 1
    assert result.stderr.startswith("LEAD_OFFERS_JWT_SECRET is missing")


@pytest.mark.parametrize(
    ("given", "value", "missing"),
    [
        ("SMTP_URL", "smtp://mail.example.com", "LEAD_OFFERS_EMAIL_FROM is missing"),
        ("PUBLIC_URL", "https://leads.example.com", "LEAD_OFFERS_JWT_SECRET is missing"),
        (
            "DATABASE_URL",
            "postgresql+asyncpg://h/d?prepared_statement_cache_size=0",
            "LEAD_OFFERS_LISTEN_URL is missing",
        ),
    ],
)
def test_a_setting_that_another_needs_is_named(
    run: Run, monkeypatch: pytest.MonkeyPatch, given: str, value: str, missing: str
) -> None:
    monkeypatch.delenv("LEAD_OFFERS_JWT_SECRET")
    monkeypatch.setenv(f"LEAD_OFFERS_{given}", value)
    result = run("migrate")
    assert result.exit_code == 1
    assert result.stderr.startswith(missing)


def test_a_relative_database_is_in_the_current_directory(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, run: Run
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LEAD_OFFERS_DATABASE_URL", "sqlite+aiosqlite:///here.db")
    before = run("token", "dot@example.com")
    assert before.exit_code == 1
    assert "that `lead-offers migrate` was run" in before.stderr
    for _ in range(2):
        migrated = run("migrate")
        assert migrated.exit_code == 0, migrated.stderr
    assert (tmp_path / "here.db").exists()
    create_dorothy(run)


def test_user_deactivate_and_activate(run: Run) -> None:
    create_dorothy(run)
    off = run("user", "deactivate", "DOT@example.com")
    assert (off.exit_code, off.stdout, off.stderr) == (0, "", "")
    assert run("token", "dot@example.com").exit_code == 1
    on = run("user", "activate", "dot@example.com")
    assert (on.exit_code, on.stdout) == (0, "")
    assert run("token", "dot@example.com").exit_code == 0
    for command in ("activate", "deactivate"):
        nobody = run("user", command, "nobody@example.com")
        assert (nobody.exit_code, nobody.stderr) == (1, "No user has the e-mail address nobody@example.com.\n")


async def test_user_deactivate_prints_the_leads_that_the_user_keeps(
    database_url: str, cast: Cast, world: World
) -> None:
    lead = await world.lead(cast.alice, cast.team)
    await world.claimed(lead, cast.bob)
    environment = {"LEAD_OFFERS_DATABASE_URL": database_url}
    command = ["user", "deactivate", str(cast.bob.email)]
    result = await asyncio.to_thread(CliRunner().invoke, app, command, env=environment)
    assert (result.exit_code, result.stdout) == (0, f"{lead.id}\t2026-03-02T09:00:00.000Z\tMary Jackson\n")


async def test_user_deactivate_releases_leads_on_request(
    database: Database, database_url: str, cast: Cast, world: World
) -> None:
    lead = await world.lead(cast.alice, cast.team)
    bobs = await world.offer(lead, cast.bob, status=LeadOfferStatus.CLAIMED)
    others = await world.offer(lead, await world.member_user(cast.team), status=LeadOfferStatus.EXPIRED)
    await world.claimed(lead, cast.bob)
    environment = {"LEAD_OFFERS_DATABASE_URL": database_url}
    command = ["user", "deactivate", str(cast.bob.email), "--release"]
    result = await asyncio.to_thread(CliRunner().invoke, app, command, env=environment)
    assert (result.exit_code, result.stdout) == (0, f"{lead.id}\t2026-03-02T09:00:00.000Z\tMary Jackson\n")
    async with database.read() as session:
        assert (await session.get_one(Lead, lead.id)).claimed_by_id is None
        assert (await session.get_one(LeadOffer, bobs.id)).status is LeadOfferStatus.DECLINED
        assert (await session.get_one(LeadOffer, others.id)).status is LeadOfferStatus.SENT


def test_migrate_does_not_advise_to_migrate(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, run: Run) -> None:
    monkeypatch.setenv("LEAD_OFFERS_DATABASE_URL", f"sqlite+aiosqlite:///{tmp_path}/no/such/folder.db")
    result = run("migrate")
    assert result.exit_code == 1
    assert result.stderr == (
        "The database reported an error: unable to open database file\n"
        "Check LEAD_OFFERS_DATABASE_URL, and that this user can reach the database and write to it.\n"
    )
