"""Settings, read from the environment (`LEAD_OFFERS_…`); the only module that reads it."""

import json
from typing import Annotated, Any

from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict
from sqlalchemy import make_url
from sqlalchemy.exc import ArgumentError

PREFIX = "LEAD_OFFERS_"

DRIVERS = ("sqlite+aiosqlite", "postgresql+asyncpg")


class Settings(BaseSettings):
    """What an operator may set. The description of each is the README's."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True, extra="ignore")

    database_url: str = Field(
        default="sqlite+aiosqlite:///lead-offers.db",
        description="Where the data lives: `sqlite+aiosqlite:///FILE` or `postgresql+asyncpg://USER:PASSWORD@HOST/NAME`.",
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

    max_body_bytes: int = Field(default=1024 * 1024, ge=1024, description="How large the body of a request may be.")
    body_seconds: float = Field(
        default=10.0, gt=0, description="How long the body of a request may take to come, in seconds."
    )

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

    @field_validator("jwt_secret")
    @classmethod
    def _long_enough(cls, secret: SecretStr | None) -> SecretStr | None:
        if secret is not None and len(secret.get_secret_value().encode()) < 32:
            raise ValueError("must have at least 32 bytes")
        return secret

    @field_validator("cors_origins", mode="before")
    @classmethod
    def _from_json(cls, origins: Any) -> Any:
        try:
            return json.loads(origins) if isinstance(origins, str) else origins
        except ValueError:
            raise ValueError('must be a list in JSON, as in ["https://app.example.com"]') from None


def read_settings() -> Settings:
    """The settings of this process. ValueError has a line for each wrong one, its name and what is wrong with it.

    Never its value: that may be a secret, and errors end up in logs.
    """
    try:
        return Settings()
    except ValidationError as error:
        raise ValueError("\n".join(_line(problem["loc"], problem["msg"]) for problem in error.errors())) from None


def _line(location: tuple[int | str, ...], message: str) -> str:
    name, *inside = map(str, location)
    return f"{PREFIX}{'.'.join([name.upper(), *inside])}: {message.removeprefix('Value error, ')}"
