"""Settings, read from the environment variables `LEAD_OFFERS_…`. No other module reads them.

`python -m app.config` prints the table of docs/settings.md.
"""

import base64
import json
import re
import sys
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Self, TypeVar

import limits
from pydantic import Field, SecretStr, ValidationError, ValidationInfo, field_validator, model_validator
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict
from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

from app.domain.addresses import ENCODE, AddressForm, check_host_and_port
from app.domain.bounds import (
    DAY_IN_SECONDS,
    DEEPEST_DOCUMENT,
    HIGHEST_COST,
    HOUR_IN_SECONDS,
    LARGEST_BODY,
    LARGEST_RATE,
    MOST_CONNECTIONS,
    MOST_OPERATIONS,
    YEAR_IN_MINUTES,
    YEAR_IN_SECONDS,
)
from app.domain.phones import parse_phone
from app.domain.validation import email_to_send, parse_mailbox

PREFIX = "LEAD_OFFERS_"

DRIVERS = SQLITE, POSTGRESQL = "sqlite+aiosqlite", "postgresql+asyncpg"

WEB = ("https", "http")
SMTP = AddressForm(("smtp", "smtps"), credentials=True, path=False)
REDIS = AddressForm(("async+redis", "async+rediss"), credentials=True, query=True)
DATABASE = AddressForm((POSTGRESQL,), credentials=True, query=True, host_is_optional=True)
HTTP = {
    "jwks_url": AddressForm(WEB, query=True),
    "webhook_url": AddressForm(WEB, credentials=True, query=True),
    "public_url": AddressForm(WEB),
    "twilio_url": AddressForm(WEB),
}
ORIGIN = AddressForm(WEB, path=False)

ASYNCPG_OPTIONS = frozenset(
    {"host", "port", "user", "password", "database", "passfile", "service", "servicefile", "krbsrvname", "gsslib"}
    | {"ssl", "target_session_attrs", "prepared_statement_cache_size"}
)
"""The options that may follow the ? of a PostgreSQL URL: those of asyncpg that are text. Numbers cannot be given."""

NO_STATEMENT_CACHE = "prepared_statement_cache_size=0"
"""The option of a PostgreSQL URL whose connections a pooler shares between clients."""

SEVERAL_HOSTS = (
    "as in ?host=10.0.0.1:5432&host=10.0.0.2:5432&target_session_attrs=read-write, "
    "or with IPv6 in ?host=fd00::1,fd00::2&port=5432,5432&target_session_attrs=read-write"
)

WRITING = ("read-write", "primary")
"""The values of `target_session_attrs` with which asyncpg looks for the host that accepts writes."""

SSL_MODES = ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")

Address = TypeVar("Address", str | None, SecretStr | None)

TimeLimit = Annotated[float, Field(gt=0, le=HOUR_IN_SECONDS)]
"""A time limit in seconds."""


class LogFormat(StrEnum):
    JSON = "json"
    CONSOLE = "console"


class Fallback(StrEnum):
    """Where messages go whose channel is not configured."""

    CONSOLE = "console"


class Settings(BaseSettings):
    """The settings of an operator. `settings_table` turns the descriptions into the documentation, in this order."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True, extra="ignore")

    database_url: str = Field(
        default="sqlite+aiosqlite:///lead-offers.db",
        description="The database: `sqlite+aiosqlite:///FILE` (relative to the current directory) or "
        "`postgresql+asyncpg://USER:PASSWORD@HOST/NAME`.",
    )
    listen_url: str | None = Field(
        default=None,
        description="A direct URL of the same PostgreSQL database, used for LISTEN. Required if "
        "`LEAD_OFFERS_DATABASE_URL` leads to a [pooler](deploying.md#pgbouncer) in transaction mode.",
    )
    pool_size: int = Field(
        default=10,
        ge=1,
        le=MOST_CONNECTIONS,
        description="The number of connections to PostgreSQL that each process opens for reads, and again for writes.",
    )
    pool_seconds: TimeLimit = Field(
        default=5.0,
        description="How long a request waits for a connection to PostgreSQL, in seconds, before it gets UNAVAILABLE.",
    )

    jwt_secret: SecretStr | None = Field(
        default=None,
        description="The key of the access tokens (HS256): text of at least 32 bytes in UTF-8. Required unless "
        "`LEAD_OFFERS_JWKS_URL` is set.",
    )
    jwks_url: str | None = Field(
        default=None,
        description="The URL of an identity provider's keys (JWKS). The server then also accepts the provider's RS256 "
        "and ES256 tokens.",
    )
    jwt_issuer: str | None = Field(
        default=None,
        min_length=1,
        description="The issuer (`iss`) that every token must have. Set it together with `LEAD_OFFERS_JWKS_URL`.",
    )
    jwt_audience: str | None = Field(
        default=None,
        min_length=1,
        description="The audience (`aud`) that every token must have. Set it together with `LEAD_OFFERS_JWKS_URL`.",
    )
    jwt_leeway_seconds: float = Field(
        default=60.0,
        ge=0,
        le=HOUR_IN_SECONDS,
        description="How far another clock may be ahead, in seconds: a token is accepted so long before its `nbf`.",
    )
    jwt_user_claim: str = Field(
        default="sub",
        min_length=1,
        description="The claim that identifies the user, by their id here or by their e-mail address. The identity "
        "provider's claim `email` must be an address. Choose no claim that people can set as they like.",
    )
    sign_up: bool = Field(
        default=False,
        description="Creates an account for a verified e-mail address that has none: `on` or `off`. Needs "
        "`LEAD_OFFERS_JWKS_URL`. See [Accounts](deploying.md#accounts).",
    )

    oidc_client_id: str | None = Field(
        default=None,
        min_length=1,
        description="The client id of the [web application](web.md#sign-in) at the identity provider. People then "
        "sign in there (OpenID Connect). Requires `LEAD_OFFERS_JWKS_URL` and `LEAD_OFFERS_JWT_ISSUER`.",
    )
    oidc_scope: str = Field(
        default="openid email offline_access read write",
        min_length=1,
        description="The scopes that the web application asks the identity provider for, separated by spaces. "
        "`read` and `write` are those of the API; `offline_access` lets it renew tokens.",
    )

    cors_origins: Annotated[tuple[str, ...], NoDecode] = Field(
        default=(),
        description='Origins whose pages may call the API, as a JSON list: `["https://app.example.com"]`.',
    )
    cors_headers: Annotated[tuple[str, ...], NoDecode] = Field(
        default=(),
        description='Request headers that those pages may send besides the usual ones, as a JSON list: `["X-Tenant"]`.',
    )
    graphiql: bool = Field(default=True, description="Serves GraphiQL to browsers at `/graphql`: `on` or `off`.")
    demo: bool = Field(
        default=False,
        description="Puts access tokens into the pages, for browsers on this machine: of every user into the web "
        "application's sign-in, and of a team leader into GraphiQL. Only for the demo.",
    )

    rate_limit_per_user: str | None = Field(
        default=None,
        description="The number of requests that one user may send, such as `600/minute`. Further requests get 429 "
        "with `Retry-After`.",
    )
    rate_limit_per_address: str | None = Field(
        default=None,
        description="The number of requests that may come from one address, authenticated or not, such as "
        "`1200/minute`. IPv6 addresses count by their /64 network.",
    )
    rate_limit_per_intake_key: str = Field(
        default="60/minute",
        description="The number of requests that may be sent to `POST /intake/{key}` with one API key. Such keys stand "
        "in public pages, so this limit is always on.",
    )
    rate_limit_storage: SecretStr | None = Field(
        default=None,
        description="Where several processes count requests together: `async+redis://[USER:PASSWORD@]HOST[:PORT]`, "
        "which needs the extra `redis`. By default each process counts for itself. While Redis fails or takes longer "
        "than 0.25 s, requests are not limited.",
    )
    request_seconds: TimeLimit = Field(
        default=30.0,
        description="The time limit of a GraphQL operation or REST request, in seconds. Longer ones are stopped with "
        "TIMEOUT.",
    )
    drain_seconds: float = Field(
        default=0.0,
        ge=0,
        le=HOUR_IN_SECONDS,
        description="How long a server still accepts requests after SIGTERM, in seconds, while `/readyz` answers 503. "
        "Needed only for load balancers that do not try another server if one refuses the connection.",
    )
    statement_seconds: TimeLimit = Field(
        default=10.0,
        description="The time limit of one SQL statement, in seconds. Longer ones are stopped with TIMEOUT.",
    )
    max_operations_per_connection: int = Field(
        default=20,
        ge=1,
        le=MOST_OPERATIONS,
        description="The number of operations that one WebSocket may run at the same time.",
    )
    max_operations_per_user: int = Field(
        default=50,
        ge=1,
        le=MOST_OPERATIONS,
        description="The number of operations that one user may run at the same time over WebSockets and server-sent "
        "events. Each server process counts for itself.",
    )
    max_body_bytes: int = Field(
        default=1024 * 1024,
        ge=1024,
        le=LARGEST_BODY,
        description="The maximum size of a request body. Larger ones get 413.",
    )
    body_seconds: TimeLimit = Field(
        default=10.0,
        description="How long a request body may take to arrive, in seconds. Slower ones get 408.",
    )

    log_format: LogFormat = Field(
        default=LogFormat.JSON,
        description="The format of the log on standard error: `json` for one JSON object per line, or `console` for "
        "people.",
    )
    log_queries: bool = Field(
        default=False,
        description="Logs the document of each GraphQL request, including literal values: `on` or `off`. Variables "
        "and tokens are never logged.",
    )
    tracing: bool = Field(
        default=False,
        description="Records [traces](deploying.md#traces) with OpenTelemetry: `on` or `off`. Needs the extra `otel`. "
        "The standard variables `OTEL_…` say where they are sent.",
    )

    public_url: str | None = Field(
        default=None,
        description="The URL at which users reach this server, such as `https://leads.example.com`. Messages then "
        "contain a link to claim, calls offer a key to press, and text messages can be replied to. Needs "
        "`LEAD_OFFERS_JWT_SECRET`, which signs the links.",
    )
    smtp_url: SecretStr | None = Field(
        default=None,
        description="The mail server: `smtp://[USER:PASSWORD@]HOST[:PORT]` (uses TLS if the server offers it, and "
        "always before it sends a password), or `smtps://` for TLS from the start.",
    )
    email_from: str | None = Field(
        default=None,
        description="The sender of e-mails: `leads@example.com`, or with a name `Leads <leads@example.com>`. Required "
        "with `LEAD_OFFERS_SMTP_URL`.",
    )
    twilio_account_sid: str | None = Field(
        default=None,
        description="The Twilio account for text messages and calls. Requires the token and a number.",
    )
    twilio_auth_token: SecretStr | None = Field(
        default=None,
        description="The token of the Twilio account. It authenticates requests to Twilio and verifies requests from "
        "Twilio.",
    )
    twilio_from: str | None = Field(
        default=None, description="The phone number of text messages and calls, such as `+12025550142`."
    )
    twilio_url: str = Field(
        default="https://api.twilio.com",
        description="The URL of the Twilio API. Change it only for a server that replaces Twilio.",
    )
    webhook_url: SecretStr | None = Field(
        default=None,
        description="The URL to which [events](webhooks.md) are posted, such as `https://hooks.example.com/…`. Set it "
        "for servers, which record events, and for workers, which send them.",
    )
    webhook_secret: SecretStr | None = Field(
        default=None,
        description="The key of the webhook signatures: `whsec_` and 24 to 64 random bytes in base64, such as from "
        "`openssl rand -base64 32`. Required with `LEAD_OFFERS_WEBHOOK_URL`.",
    )
    webhook_allow_private: bool = Field(
        default=False,
        description="Lets the webhook have an address that is not on the public internet, such as a private or a "
        "loopback address: `on` or `off`. Turn it on for a receiver in your own network. See "
        "[Addresses](webhooks.md#addresses).",
    )
    fallback: Fallback | None = Field(
        default=None,
        description="`console` writes messages on channels that are not configured to the log. Without it, workers "
        "refuse to start while a distribution option uses such a channel.",
    )
    lease_seconds: float = Field(
        default=60.0,
        ge=1,
        le=DAY_IN_SECONDS,
        description="How long a worker reserves a message, in seconds. If the worker crashes, another one sends the "
        "message after this time.",
    )
    unclaimed_minutes: int = Field(
        default=60,
        ge=0,
        le=YEAR_IN_MINUTES,
        description="How long after the last offer of a lead its creator is notified that nobody has claimed it, "
        "in minutes.",
    )

    trusted_documents: Path | None = Field(
        default=None,
        description="A file with the only documents that may be run: one JSON object of names and documents, as "
        "written by GraphQL Code Generator (`persistedDocuments`) or Relay's compiler (`persistConfig`).",
    )
    introspection: bool = Field(
        default=True, description="Lets clients query the schema, as GraphiQL does: `on` or `off`."
    )
    max_depth: int = Field(
        default=15,
        ge=1,
        le=DEEPEST_DOCUMENT,
        description="The maximum number of levels of fields. GraphiQL's introspection query has 15.",
    )
    max_cost: int = Field(
        default=20_000,
        ge=1,
        le=HIGHEST_COST,
        description="The maximum number of values that a response may contain. Each field counts once per item of the "
        "pages around it, based on their `limit`.",
    )

    @property
    def suggestions(self) -> bool:
        """Whether error messages suggest existing names. Outsiders could use suggestions to discover the schema."""
        return self.demo

    @property
    def has_webhook(self) -> bool:
        return self.webhook_url is not None

    @property
    def has_sqlite(self) -> bool:
        """Whether the database is a file of SQLite."""
        return self.database_url.startswith(f"{SQLITE}://")

    @field_validator("database_url")
    @classmethod
    def _check_database_url(cls, url: str) -> str:
        scheme = url.partition("://")[0]
        if scheme not in DRIVERS:
            raise ValueError(f"must be a URL that begins with {' or '.join(f'{driver}://' for driver in DRIVERS)}")
        if scheme == SQLITE:
            return _checked_sqlite_url(url)
        return _checked_postgresql_url(url)

    @field_validator("listen_url")
    @classmethod
    def _check_listen_url(cls, url: str | None) -> str | None:
        if url is not None and shares_connections(_checked_postgresql_url(url)):
            raise ValueError(f"must lead to PostgreSQL itself, and not have {NO_STATEMENT_CACHE} after ?")
        return url

    @field_validator("jwt_secret")
    @classmethod
    def _check_secret_length(cls, secret: SecretStr | None) -> SecretStr | None:
        if secret is not None and len(secret.get_secret_value().encode()) < 32:
            raise ValueError("must have at least 32 bytes")
        return secret

    @field_validator(*HTTP)
    @classmethod
    def _check_http_url(cls, url: Address, info: ValidationInfo) -> Address:
        text = url.get_secret_value() if isinstance(url, SecretStr) else url
        if text is not None:
            HTTP[str(info.field_name)].parse(text)
        return url

    @field_validator("rate_limit_storage")
    @classmethod
    def _check_rate_limit_storage(cls, url: SecretStr | None) -> SecretStr | None:
        if url is not None:
            parts = REDIS.parse(url.get_secret_value())
            if not re.fullmatch(r"/?[0-9]{0,3}", parts.path, re.ASCII):
                raise ValueError("must end with the host and the port, or with the number of a database: /0")
        return url

    @field_validator("rate_limit_per_user", "rate_limit_per_address", "rate_limit_per_intake_key")
    @classmethod
    def _check_rate_limit(cls, limit: str | None) -> str | None:
        if limit is None:
            return None
        try:
            [rate] = limits.parse_many(limit)
        except ValueError:
            raise ValueError("must be one number of requests and a unit of time, such as 600/minute") from None
        if not rate.amount:
            raise ValueError("must be at least one request")
        if rate.amount > LARGEST_RATE or rate.get_expiry() > YEAR_IN_SECONDS:
            raise ValueError(f"must be at most {LARGEST_RATE:,} requests in at most a year")
        return limit

    @field_validator("cors_origins", "cors_headers", mode="before")
    @classmethod
    def _parse_list(cls, texts: Any, info: ValidationInfo) -> Any:
        try:
            return json.loads(texts) if isinstance(texts, str) else texts
        except ValueError:
            example = "https://app.example.com" if info.field_name == "cors_origins" else "X-Tenant"
            raise ValueError(f'must be a list in JSON, such as ["{example}"]') from None

    @field_validator("cors_headers")
    @classmethod
    def _check_headers(cls, headers: tuple[str, ...]) -> tuple[str, ...]:
        if not all(re.fullmatch(r"[\w!#$%&'+.^`|~-]+", header, re.ASCII) for header in headers):
            raise ValueError('must be names of headers, without *, such as ["X-Tenant"]')
        return headers

    @field_validator("cors_origins")
    @classmethod
    def _check_origins(cls, origins: tuple[str, ...]) -> tuple[str, ...]:
        for origin in origins:
            try:
                ORIGIN.parse(origin)
            except ValueError as error:
                example = 'such as ["https://app.example.com"]'
                raise ValueError(f"must be origins, without a path and without *, {example}: each {error}") from None
            if origin.endswith("/"):
                raise ValueError("must be origins, without a slash at the end")
        return origins

    @field_validator("smtp_url")
    @classmethod
    def _check_smtp_url(cls, url: SecretStr | None) -> SecretStr | None:
        if url is not None:
            parts = SMTP.parse(url.get_secret_value())
            if bool(parts.username) != bool(parts.password):
                raise ValueError("must have both a user name and a password, as in smtp://USER:PASSWORD@HOST, or none")
        return url

    @field_validator("twilio_account_sid")
    @classmethod
    def _check_account_sid(cls, sid: str | None) -> str | None:
        if sid is not None and not re.fullmatch(r"[0-9A-Za-z]+", sid):
            raise ValueError("must have only letters and digits, as the account SID in the Twilio console")
        return sid

    @field_validator("email_from")
    @classmethod
    def _check_mailbox(cls, mailbox: str | None) -> str | None:
        if mailbox is not None:
            _name, address = parse_mailbox(mailbox)
            if not email_to_send(address).isascii():
                raise ValueError("must be an address that needs no SMTPUTF8: only ASCII characters before the @")
        return mailbox

    @field_validator("twilio_from")
    @classmethod
    def _check_phone_number(cls, number: str | None) -> str | None:
        if number is not None and not _is_e164(number):
            raise ValueError("must be a phone number with + and country code, such as +12025550142")
        return number

    @field_validator("webhook_secret")
    @classmethod
    def _check_webhook_secret(cls, secret: SecretStr | None) -> SecretStr | None:
        if secret is not None and not 24 <= len(webhook_key(secret)) <= 64:
            raise ValueError("must be whsec_ and 24 to 64 bytes in base64")
        return secret

    @model_validator(mode="after")
    def _check_combinations(self) -> Self:
        """Raises ValueError if a setting is missing that another one needs."""
        twilio = ("twilio_account_sid", "twilio_auth_token", "twilio_from")
        uses_twilio = any(getattr(self, name) for name in twilio)
        needs = (
            *((uses_twilio, name, "texts and calls need the account, its token and a number") for name in twilio),
            (self.public_url, "jwt_secret", f"it signs the links to claim under {PREFIX}PUBLIC_URL"),
            (self.smtp_url, "email_from", "it is the sender address of e-mails"),
            (self.oidc_client_id, "jwks_url", f"it has the keys of the tokens for {PREFIX}OIDC_CLIENT_ID"),
            (self.oidc_client_id, "jwt_issuer", f"people sign in there with {PREFIX}OIDC_CLIENT_ID"),
            (self.webhook_url, "webhook_secret", f"it signs what is sent to {PREFIX}WEBHOOK_URL"),
            (self.sign_up, "jwks_url", f"{PREFIX}SIGN_UP needs the keys of an identity provider"),
            (
                shares_connections(self.database_url),
                "listen_url",
                f"LISTEN does not work through the pooler to which {PREFIX}DATABASE_URL leads with "
                f"{NO_STATEMENT_CACHE}. It must be the address of PostgreSQL itself",
            ),
        )
        for given, name, reason in needs:
            if given and not getattr(self, name):
                raise ValueError(f"{PREFIX}{name.upper()} is missing: {reason}")
        if self.oidc_client_id:
            _check_issuer(self.jwt_issuer or "")
        return self


def _check_issuer(issuer: str) -> None:
    """Raises ValueError unless browsers can be sent to the issuer."""
    try:
        AddressForm(WEB).parse(issuer)
    except ValueError as error:
        raise ValueError(f"{PREFIX}JWT_ISSUER: {error}, because people sign in there") from None


def _checked_sqlite_url(url: str) -> str:
    """Return the URL. Raises ValueError unless it names a file."""
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):
        parsed = URL.create(SQLITE)
    is_file = parsed.database not in (None, "", ":memory:")
    if not is_file or parsed.host or parsed.port or parsed.username or parsed.query:
        raise ValueError(f"must name a file after three slashes, as in {SQLITE}:///lead-offers.db, and nothing else")
    return url


def _checked_postgresql_url(url: str) -> str:
    """Return the URL. Raises ValueError unless the driver can connect with it."""
    authority = re.split(r"[/?]", url.partition("://")[2], maxsplit=1)[0]
    if "," in authority.rpartition("@")[2]:
        raise ValueError(f"must name several hosts after ? and none before it, {SEVERAL_HOSTS}")
    host = DATABASE.parse(url).hostname
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):
        raise ValueError("has options after ? that the driver cannot read") from None
    options = _driver_options(parsed)
    if (parsed.host or "").lower() != (host or ""):  # SQLAlchemy reads the user and the password up to the @
        raise ValueError(f"has an invalid user name or password. {ENCODE}")
    _check_hosts(parsed, options)
    if unknown := {*options} - ASYNCPG_OPTIONS:
        hint = ": asyncpg calls sslmode ssl" if "sslmode" in unknown else ""
        raise ValueError(f"has an option after ? that is none of {', '.join(sorted(ASYNCPG_OPTIONS))}{hint}")
    if options.get("ssl", "prefer") not in SSL_MODES:
        raise ValueError(f"must have one of {', '.join(SSL_MODES)} as ssl after ?")
    return url


def _driver_options(parsed: URL) -> dict[str, Any]:
    """Return the arguments with which SQLAlchemy would call asyncpg. Raises ValueError."""
    try:
        return dict(parsed.get_dialect()().create_connect_args(parsed)[1])
    except (ArgumentError, AssertionError, TypeError, ValueError):
        if _has_several_hosts(parsed):
            raise ValueError(f"must have a name and a port for each of several hosts, {SEVERAL_HOSTS}") from None
        raise ValueError("has options after ? that the driver cannot read") from None


def _has_several_hosts(parsed: URL) -> bool:
    return any("," in ",".join(parsed.normalized_query.get(name, ())) for name in ("host", "port"))


def _check_hosts(parsed: URL, options: Mapping[str, Any]) -> None:
    """Raises ValueError unless there is one host, or several of which asyncpg looks for the one that accepts writes."""
    if (parsed.host and "host" in parsed.query) or (parsed.port and "port" in parsed.query):
        raise ValueError("must have the host and the port either before the / or after ?, not in both places")
    for each in (options.get("host"), options.get("port")):
        for part in each if isinstance(each, list) else [each]:
            if isinstance(part, int):
                check_host_and_port(f"port:{part}")
            elif part and "[" in part:
                raise ValueError("must have IPv6 addresses without brackets after ?")
            elif part and not part.startswith("/"):
                check_host_and_port(f"[{part}]" if ":" in part else part)
    target = options.get("target_session_attrs", "any")
    if target not in WRITING and (target != "any" or _has_several_hosts(parsed)):
        raise ValueError("must have target_session_attrs=read-write after ?: the server has to write")


def shares_connections(url: str) -> bool:
    """Return whether a valid database URL says that a pooler shares its connections between clients."""
    return int(str(make_url(url).query.get(NO_STATEMENT_CACHE.partition("=")[0], "100"))) == 0


def _is_e164(number: str) -> bool:
    try:
        return parse_phone(number) == number
    except ValueError:
        return False


def webhook_key(secret: SecretStr) -> bytes:
    """Return the key that a `whsec_` secret encodes, or no bytes if it is malformed."""
    encoded = secret.get_secret_value()
    try:
        return base64.b64decode(encoded.removeprefix("whsec_"), validate=True) if encoded.startswith("whsec_") else b""
    except ValueError:
        return b""


def read_settings() -> Settings:
    """Read the settings of this process.

    Raises ValueError with one line per invalid setting: its name and the problem. The value is never part of it,
    because it may be a secret and errors end up in logs.
    """
    try:
        return Settings()
    except ValidationError as error:
        lines = (_line(problem["loc"], problem["type"], problem["msg"]) for problem in error.errors())
        raise ValueError("\n".join(lines)) from None


def _line(location: tuple[int | str, ...], kind: str, message: str) -> str:
    message = message.removeprefix("Value error, ")
    if not location:  # settings that do not go together: the message names them
        return message
    name, *inside = map(str, location)
    if kind != "value_error" and (allowed := _allowed_numbers(Settings.model_fields[name])):
        message = f"must be {allowed}"
    return f"{PREFIX}{'.'.join([name.upper(), *inside])}: {message}"


def _allowed_numbers(field: FieldInfo) -> str:
    """Return which numbers a setting may have, or nothing if it is no number. Each has a maximum."""
    if field.annotation not in (int, float):
        return ""
    number = "a whole number" if field.annotation is int else "a number"
    bounds = {name: getattr(bound, name) for bound in field.metadata for name in ("ge", "le") if hasattr(bound, name)}
    low, high = bounds.get("ge"), f"{bounds['le']:,}"
    return f"{number} greater than 0 and at most {high}" if low is None else f"{number} from {low:,} to {high}"


def settings_table() -> str:
    """Return the Markdown table of all settings with their defaults and descriptions, in the order of their fields."""
    rows = [
        f"| `{PREFIX}{name.upper()}` | {_default_cell(field.default)} | {_meaning(field)} |"
        for name, field in Settings.model_fields.items()
    ]
    return "\n".join(["| setting | default | meaning |", "|---|---|---|", *rows, ""])


def _meaning(field: FieldInfo) -> str:
    """Return the description and, for a number, its bounds."""
    allowed = _allowed_numbers(field)
    return f"{field.description} {allowed[0].upper()}{allowed[1:]}." if allowed else str(field.description)


def _default_cell(default: object) -> str:
    match default:
        case None:
            return ""
        case bool():
            return "`on`" if default else "`off`"
        case ():
            return "`[]`"
    return f"`{default}`"


if __name__ == "__main__":
    sys.stdout.write(settings_table())
