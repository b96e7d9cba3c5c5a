"""Settings, read from the environment (`LEAD_OFFERS_…`); the only module that reads it."""

import base64
import json
import re
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Self, TypeVar
from urllib.parse import urlsplit

import limits
from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict
from sqlalchemy import make_url
from sqlalchemy.exc import ArgumentError

PREFIX = "LEAD_OFFERS_"

DRIVERS = ("sqlite+aiosqlite", "postgresql+asyncpg")


Address = TypeVar("Address", str | None, SecretStr | None)


class LogFormat(StrEnum):
    JSON = "json"
    CONSOLE = "console"


class Fallback(StrEnum):
    """Where messages go that no channel serves."""

    CONSOLE = "console"


class Settings(BaseSettings):
    """What an operator may set. The description of each is the README's."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True, extra="ignore")

    database_url: str = Field(
        default="sqlite+aiosqlite:///lead-offers.db",
        description="Where the data lives: `sqlite+aiosqlite:///FILE` or `postgresql+asyncpg://USER:PASSWORD@HOST/NAME`.",
    )
    listen_url: str | None = Field(
        default=None,
        description="A direct address of the same PostgreSQL for LISTEN, where a pooler stands before the database.",
    )
    jwt_secret: SecretStr | None = Field(
        default=None,
        description="Key of the access tokens (HS256): the text in UTF-8, at least 32 bytes. Required.",
    )
    cors_origins: Annotated[tuple[str, ...], NoDecode] = Field(
        default=(),
        description='Origins whose pages may call the API, as JSON: `["https://app.example.com"]`. None by default.',
    )
    graphiql: bool = Field(default=True, description="Whether browsers get GraphiQL at `/graphql`: `on` or `off`.")
    demo: bool = Field(
        default=False,
        description="Fills a token and a first query into GraphiQL. For the demo on this machine only.",
    )

    jwks_url: str | None = Field(
        default=None,
        description="Address of an identity provider's keys (JWKS), whose RS256 and ES256 tokens are taken too.",
    )
    jwt_issuer: str | None = Field(default=None, min_length=1, description="The `iss` that every token must have.")
    jwt_audience: str | None = Field(default=None, min_length=1, description="The `aud` that every token must have.")
    jwt_user_claim: str = Field(
        default="sub",
        min_length=1,
        description="The claim that says who the user is: our id, or their e-mail address.",
    )
    rate_limit_per_user: str | None = Field(
        default=None, description="Requests that one user may send, as `600/minute`."
    )
    rate_limit_per_address: str | None = Field(
        default=None, description="Requests that may come from one address, valid or not, as `1200/minute`."
    )
    rate_limit_storage: SecretStr | None = Field(
        default=None,
        description="Where requests are counted for several processes: `async+redis://HOST`. By default in each.",
    )
    request_seconds: float = Field(default=30.0, gt=0, description="How long an operation may take, in seconds.")
    statement_seconds: float = Field(
        default=10.0, gt=0, description="How long one statement in the database may take, in seconds."
    )
    pool_size: int = Field(
        default=10, ge=1, description="Connections to PostgreSQL that a process opens to read, and as many to write."
    )
    pool_seconds: float = Field(
        default=5.0, gt=0, description="How long a request waits for a connection to PostgreSQL, in seconds."
    )
    log_format: LogFormat = Field(
        default=LogFormat.JSON, description="How the log is written: `json`, or `console` for a person to read."
    )
    log_queries: bool = Field(
        default=False, description="Whether the line of a GraphQL request has its document: `on` or `off`."
    )

    public_url: str | None = Field(
        default=None,
        description="Where people reach this server, as `https://leads.example.com`: messages then have a link to "
        "claim, calls a key to press, texts can be replied to. Needs the secret of the access tokens, which signs "
        "the links.",
    )
    smtp_url: SecretStr | None = Field(
        default=None,
        description="Mail server: `smtp://[USER:PASSWORD@]HOST[:PORT]` (TLS where it is offered, always before a "
        "password), or `smtps://` for TLS from the start.",
    )
    email_from: str | None = Field(default=None, description="Address that e-mails come from. Needed with the server.")
    twilio_account_sid: str | None = Field(
        default=None, description="Account at Twilio for texts and calls. The token and the number go with it."
    )
    twilio_auth_token: SecretStr | None = Field(
        default=None, description="The account's token: we sign in with it, and Twilio signs what it tells us."
    )
    twilio_from: str | None = Field(default=None, description="Number that texts and calls come from: +12025550142.")
    twilio_url: str = Field(default="https://api.twilio.com", description="Where Twilio's API is.")
    webhook_url: SecretStr | None = Field(
        default=None,
        description="Where events are posted, as `https://hooks.example.com/…`, signed by Standard Webhooks.",
    )
    webhook_secret: SecretStr | None = Field(
        default=None,
        description="Key of their signatures: `whsec_` and 24 to 64 bytes in base64. Needed with the webhook.",
    )
    fallback: Fallback | None = Field(
        default=None, description="`console`: what has no channel goes to the log. Else dispatching does not start."
    )
    lease_seconds: float = Field(
        default=60.0, ge=1, description="After which the attempt of a worker that died is made again, in seconds."
    )
    unclaimed_minutes: int = Field(
        default=60, ge=0, description="How long after the last offer of a lead its creator hears that nobody took it."
    )

    max_body_bytes: int = Field(default=1024 * 1024, ge=1024, description="How large the body of a request may be.")
    body_seconds: float = Field(
        default=10.0, gt=0, description="How long the body of a request may take to come, in seconds."
    )

    trusted_documents: Path | None = Field(
        default=None,
        description="File of the only documents that may be run, as GraphQL Code Generator or Relay writes it.",
    )
    introspection: bool = Field(
        default=True, description="Whether clients may ask for the schema, as GraphiQL does: `on` or `off`."
    )
    max_depth: int = Field(default=15, ge=1, description="Levels of fields; GraphiQL's query for the schema has 15.")
    max_cost: int = Field(
        default=20_000,
        ge=1,
        description="Values that a response may hold: each field counts one, and once per item of the pages around it.",
    )

    @property
    def suggestions(self) -> bool:
        """Whether mistakes are told with names that exist. They would tell an outsider the schema, name by name."""
        return self.demo

    @property
    def has_webhook(self) -> bool:
        return self.webhook_url is not None

    @field_validator("database_url")
    @classmethod
    def _known_driver(cls, url: str) -> str:
        try:
            known = make_url(url).drivername in DRIVERS
        except (ArgumentError, ValueError):
            known = False
        if not known:
            raise ValueError(f"must be a URL that begins with {' or '.join(f'{driver}://' for driver in DRIVERS)}")
        return url

    @field_validator("listen_url")
    @classmethod
    def _is_postgresql(cls, url: str | None) -> str | None:
        if url is not None and not url.startswith("postgresql+asyncpg://"):
            raise ValueError("must be a URL that begins with postgresql+asyncpg://")
        return url

    @field_validator("jwt_secret")
    @classmethod
    def _long_enough(cls, secret: SecretStr | None) -> SecretStr | None:
        if secret is not None and len(secret.get_secret_value().encode()) < 32:
            raise ValueError("must have at least 32 bytes")
        return secret

    @field_validator("jwks_url", "public_url", "twilio_url", "webhook_url")
    @classmethod
    def _http_address(cls, url: Address) -> Address:
        text = url.get_secret_value() if isinstance(url, SecretStr) else url
        if text is not None and not re.match(r"https?://[^/]", text):
            raise ValueError("must be an address that begins with https:// (http:// only on this machine)")
        return url

    @field_validator("rate_limit_per_user", "rate_limit_per_address")
    @classmethod
    def _known_limit(cls, limit: str | None) -> str | None:
        try:
            if limit is not None:
                limits.parse(limit)
        except ValueError:
            raise ValueError("must be a number of requests and a time, as in 600/minute") from None
        return limit

    @field_validator("cors_origins")
    @classmethod
    def _are_origins(cls, origins: tuple[str, ...]) -> tuple[str, ...]:
        if not all(re.fullmatch(r"https?://[^/*\s]+", origin) for origin in origins):
            raise ValueError('must be origins, without a path and without *, as in ["https://app.example.com"]')
        return origins

    @field_validator("smtp_url")
    @classmethod
    def _names_a_mail_server(cls, url: SecretStr | None) -> SecretStr | None:
        if url is not None:
            parts = urlsplit(url.get_secret_value())
            if parts.scheme not in ("smtp", "smtps") or not parts.hostname:
                raise ValueError("must be smtp://HOST or smtps://HOST, with USER:PASSWORD@ and :PORT where needed")
        return url

    @field_validator("email_from")
    @classmethod
    def _is_an_address(cls, address: str | None) -> str | None:
        if address is not None and "@" not in address:
            raise ValueError("must be an e-mail address")
        return address

    @field_validator("twilio_from")
    @classmethod
    def _is_a_number(cls, number: str | None) -> str | None:
        if number is not None and not re.fullmatch(r"\+[1-9][0-9]{6,14}", number):
            raise ValueError("must be a phone number with + and country, as in +12025550142")
        return number

    @model_validator(mode="after")
    def _twilio_is_complete(self) -> Self:
        parts = {name: getattr(self, name) for name in ("twilio_account_sid", "twilio_auth_token", "twilio_from")}
        missing = [f"{PREFIX}{name.upper()}" for name, value in parts.items() if not value]
        if 0 < len(missing) < len(parts):
            raise ValueError(f"{missing[0]} is missing: texts and calls need account, token and number")
        return self

    @field_validator("webhook_secret")
    @classmethod
    def _is_a_webhook_secret(cls, secret: SecretStr | None) -> SecretStr | None:
        if secret is not None and not 24 <= len(webhook_key(secret)) <= 64:
            raise ValueError("must be whsec_ and 24 to 64 bytes in base64")
        return secret

    @model_validator(mode="after")
    def _links_can_be_signed(self) -> Self:
        if self.public_url is not None and self.jwt_secret is None:
            raise ValueError(f"{PREFIX}JWT_SECRET is missing: it signs the links to claim under {PREFIX}PUBLIC_URL")
        return self

    @model_validator(mode="after")
    def _mail_is_complete(self) -> Self:
        if self.smtp_url is not None and self.email_from is None:
            raise ValueError(f"{PREFIX}EMAIL_FROM is missing: the address that e-mails come from")
        return self

    @model_validator(mode="after")
    def _webhook_can_be_signed(self) -> Self:
        if self.webhook_url is not None and self.webhook_secret is None:
            raise ValueError(f"{PREFIX}WEBHOOK_SECRET is missing: it signs what is sent to {PREFIX}WEBHOOK_URL")
        return self

    @field_validator("cors_origins", mode="before")
    @classmethod
    def _from_json(cls, origins: Any) -> Any:
        try:
            return json.loads(origins) if isinstance(origins, str) else origins
        except ValueError:
            raise ValueError('must be a list in JSON, as in ["https://app.example.com"]') from None


def webhook_key(secret: SecretStr) -> bytes:
    """The key that a webhook's secret spells; no bytes where it spells none."""
    spelled = secret.get_secret_value()
    try:
        return base64.b64decode(spelled.removeprefix("whsec_"), validate=True) if spelled.startswith("whsec_") else b""
    except ValueError:
        return b""


def read_settings() -> Settings:
    """The settings of this process. ValueError has a line for each wrong one, its name and what is wrong with it.

    Never its value: that may be a secret, and errors end up in logs.
    """
    try:
        return Settings()
    except ValidationError as error:
        raise ValueError("\n".join(_line(problem["loc"], problem["msg"]) for problem in error.errors())) from None


def _line(location: tuple[int | str, ...], message: str) -> str:
    """Where settings do not go together there is no location: the message names them."""
    message = message.removeprefix("Value error, ")
    if not location:
        return message
    name, *inside = map(str, location)
    return f"{PREFIX}{'.'.join([name.upper(), *inside])}: {message}"
