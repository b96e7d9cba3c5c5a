"""The command `check`: tries everything that the settings configure, and changes nothing."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import aiosmtplib
import httpx2
import typer
from pydantic import SecretStr
from sqlalchemy import make_url
from sqlalchemy.exc import DBAPIError
from sqlmodel import func, select

from app.access.jwks import FETCH_ERRORS, fetch_keys
from app.access.rate_limits import RateLimits
from app.access.tokens import signing_key
from app.cli.running import database_failure, settings_or_exit
from app.config import PREFIX, SQLITE, Settings
from app.db.driver_errors import DRIVER_ERRORS
from app.db.engine import Database, connect
from app.db.limits import Limits
from app.db.listener import Listener
from app.db.migrations import is_up_to_date
from app.domain.enums import Channel
from app.domain.printable import printable
from app.errors import ApiError
from app.worker.channels.base import DeliveryError, UnconfiguredChannel
from app.worker.channels.console import ConsoleChannel
from app.worker.channels.email import EmailChannel
from app.worker.channels.registry import check_channels, make_channels, make_webhook
from app.worker.channels.twilio import TextChannel

SECONDS = 10.0
"""How long the database and the storage of the rate limits may take. The other services have the time of a message."""

LISTEN_CHANNEL = "lead_offers_check"


class Failed(Exception):
    """A service does not work. The message says why."""


@dataclass(frozen=True, slots=True)
class Finding:
    """The result of trying one service. `works` is None if it is not configured."""

    service: str
    works: bool | None
    text: str

    def __str__(self) -> str:
        word = {True: "ok", False: "FAILED", None: "-"}[self.works]
        return printable(f"{word:<8}{self.service}: {self.text}")


Check = Callable[[Settings], Awaitable[str | None]]
"""Tries one service. Returns what worked, or None if it is not configured; raises Failed."""


def check() -> None:
    """Try everything that the settings configure, and print what was found, one line per service.

    Connects to the database, the mail server, Twilio, the webhook endpoint, the identity provider and the storage of
    the rate limits, and signs in where there are credentials. Nothing is sent and nothing is changed. Exits with
    status 1 if anything fails.
    """
    settings = settings_or_exit()
    findings = asyncio.run(try_all(settings))
    for finding in findings:
        typer.echo(finding)
    if any(finding.works is False for finding in findings):
        raise typer.Exit(1)


async def try_all(settings: Settings) -> Sequence[Finding]:
    """Return the findings in a fixed order. The services besides the database are tried at the same time."""
    database = await _try(f"database{_place(settings.database_url)}", _database, settings)
    checks: dict[str, Check] = {}
    if database.works:
        checks |= {} if settings.has_sqlite else {"notifications of the database": _listening}
        checks |= {"channels in use": _channels_in_use}
    checks |= {
        f"e-mail{_place(settings.smtp_url)}": _email,
        f"texts and calls{_place(settings.twilio_url) if settings.twilio_account_sid else ''}": _twilio,
        f"webhook{_place(settings.webhook_url)}": _webhook,
        "tokens": _tokens,
        f"identity provider{_place(settings.jwks_url)}": _identity_provider,
        "sign-up": _sign_up,
        f"rate limits{_place(settings.rate_limit_storage)}": _rate_limits,
    }
    return [database, *await asyncio.gather(*(_try(name, check, settings) for name, check in checks.items()))]


def _place(address: str | SecretStr | None) -> str:
    """Return where a service is, without anything that may be secret, or no text if it is not configured."""
    text = address.get_secret_value() if isinstance(address, SecretStr) else address
    if text is None:
        return ""
    scheme, _, rest = text.partition("://")
    if scheme == SQLITE:
        return f" in {rest.removeprefix('/')}"
    host = urlsplit(text).netloc.rpartition("@")[2]
    return f" at {host}" if host else ""


async def _try(service: str, check: Check, settings: Settings) -> Finding:
    try:
        text = await check(settings)
    except Failed as failure:
        return Finding(service, False, str(failure))
    except DeliveryError as failure:
        match failure.__cause__:
            case aiosmtplib.SMTPResponseException(code=code, message=message):
                detail = f" ({code} {message})"
            case cause:
                detail = f" ({cause})" if cause and str(cause) else ""
        return Finding(service, False, f"{failure.reason}{detail}")
    except Exception as error:  # it must not hide what the other checks have found
        return Finding(service, False, f"{type(error).__name__}: {error}")
    return Finding(service, None, "not configured") if text is None else Finding(service, True, text)


# The database


def _require_file(settings: Settings) -> None:
    """Raises Failed if the database is a SQLite file that does not exist: connecting would create it."""
    if settings.has_sqlite and not Path(str(make_url(settings.database_url).database)).is_file():
        raise Failed("the file does not exist. Run `lead-offers migrate`.")


@asynccontextmanager
async def _connected(settings: Settings) -> AsyncIterator[Database]:
    """Connect to the database. Raises Failed."""
    _require_file(settings)
    db = connect(settings.database_url, Limits(pool_size=2, pool_seconds=SECONDS, statement_seconds=SECONDS))
    try:
        yield db
    except (ApiError, DBAPIError, *DRIVER_ERRORS, OSError) as error:
        raise Failed(f"{database_failure(error).rstrip('.')}. Check {PREFIX}DATABASE_URL.") from error
    finally:
        with suppress(TimeoutError):
            async with asyncio.timeout(1):
                await db.close()


async def _database(settings: Settings) -> str:
    async with _connected(settings) as db:
        async with db.read() as session:
            version = (await session.exec(select(func.version() if db.is_postgresql else func.sqlite_version()))).one()
        product = " ".join(version.split()[:2]) if db.is_postgresql else f"SQLite {version}"
        try:
            async with db.read() as session:
                is_current = await is_up_to_date(session)
        except DBAPIError as error:
            raise Failed(f"{product} has no tables yet. Run `lead-offers migrate`.") from error
        if not is_current:
            raise Failed(f"{product} has the tables of an earlier version. Run `lead-offers migrate`.")
        return f"{product}, tables up to date"


async def _listening(settings: Settings) -> str | None:
    """Notify a channel of PostgreSQL that nothing else uses, and wait for the notification. A pooler may swallow it."""
    heard = asyncio.Event()
    url = settings.listen_url or settings.database_url
    listener = Listener(url, {LISTEN_CHANNEL: lambda _payload: heard.set()}, lambda: None)
    task = asyncio.create_task(listener.run())
    try:
        async with asyncio.timeout(SECONDS):
            await listener.listening.wait()
            async with _connected(settings) as db, db.write() as session:
                await session.exec(select(func.pg_notify(LISTEN_CHANNEL, "")))
            await heard.wait()
    except TimeoutError as error:
        name = "LISTEN_URL" if settings.listen_url else "DATABASE_URL"
        what = "a notification did not arrive" if listener.listening.is_set() else "the server cannot listen"
        raise Failed(f"{what} with {PREFIX}{name}. Behind a connection pooler, set {PREFIX}LISTEN_URL.") from error
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
    return "a notification has arrived"


async def _channels_in_use(settings: Settings) -> str:
    channels = make_channels(settings)
    async with _connected(settings) as db:
        try:
            async with db.read() as session:
                await check_channels(session, channels)
        except ValueError as error:
            raise Failed(" ".join(str(error).split("\n"))) from error
    missing = [kind.lower() for kind, channel in channels.items() if isinstance(channel, UnconfiguredChannel)]
    if any(isinstance(channel, ConsoleChannel) for channel in channels.values()):
        return f"every channel without settings writes to the log ({PREFIX}FALLBACK)"
    return f"no distribution option alerts by {', '.join(missing)}" if missing else "all channels are configured"


# Other services


async def _email(settings: Settings) -> str | None:
    channel = make_channels(settings)[Channel.EMAIL]
    if not isinstance(channel, EmailChannel):
        return None
    try:
        return await channel.check()
    finally:
        await channel.close()


async def _twilio(settings: Settings) -> str | None:
    channel = make_channels(settings)[Channel.TEXT]
    if not isinstance(channel, TextChannel):
        return None
    try:
        return await channel.account.check()
    finally:
        await channel.close()


async def _webhook(settings: Settings) -> str | None:
    webhook = make_webhook(settings)
    if webhook is None:
        return None
    try:
        return await webhook.check()
    finally:
        await webhook.close()


async def _tokens(settings: Settings) -> str | None:
    if settings.jwt_secret is None and settings.jwks_url is not None:
        return None
    try:
        signing_key(settings)
    except ValueError as error:
        raise Failed(str(error)) from error
    return "the signing key is set"


async def _identity_provider(settings: Settings) -> str | None:
    if settings.jwks_url is None:
        return None
    try:
        keys = await fetch_keys(settings.jwks_url)
    except httpx2.HTTPStatusError as error:
        raise Failed(f"the keys cannot be fetched: it responded with status {error.response.status_code}") from error
    except FETCH_ERRORS as error:
        raise Failed(f"the keys cannot be fetched: {type(error).__name__}: {error}") from error
    if not keys:
        raise Failed("it publishes no key for RS256 or ES256")
    return f"{len(keys)} keys, for {' and '.join(sorted({key.algorithm_name for key in keys}))}"


async def _sign_up(settings: Settings) -> str | None:
    """Say whose tokens create accounts, and what keeps their invitations from being useful."""
    if not settings.sign_up:
        return None
    if settings.smtp_url is None and settings.fallback is None:
        raise Failed(f"invitations cannot be sent: {PREFIX}SMTP_URL is missing")
    text = f"on, for verified addresses in the claim {settings.jwt_user_claim}"
    missing = {
        "any audience": settings.jwt_audience is None,
        "any issuer": settings.jwt_issuer is None,
    }
    if any(missing.values()):
        text += f"; tokens of {' and '.join(name for name, is_so in missing.items() if is_so)} create accounts"
    return text if settings.public_url else f"{text}; invitations have no link without {PREFIX}PUBLIC_URL"


async def _rate_limits(settings: Settings) -> str | None:
    if settings.rate_limit_storage is None:
        return None
    try:
        limits = RateLimits(settings)
    except ValueError as error:
        raise Failed(str(error)) from error
    try:
        async with asyncio.timeout(SECONDS):
            await limits.check()
    except TimeoutError as error:
        raise Failed("the storage did not respond in time") from error
    except Exception as error:  # each storage has errors of its own
        raise Failed(f"the storage failed: {type(error).__name__}: {error}") from error
    finally:
        await limits.close()
    return "the storage responds"
