"""Settings, read from the environment (`LEAD_OFFERS_…`); the only module that reads it."""

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

PREFIX = "LEAD_OFFERS_"


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
    cors_origins: tuple[str, ...] = Field(
        default=(),
        description='Origins whose pages may call the API, as JSON: `["https://app.example.com"]`. None by default.',
    )
    graphiql: bool = Field(default=True, description="Whether browsers get GraphiQL at `/graphql`: `on` or `off`.")
    demo: bool = Field(
        default=False,
        description="Fills a token and a first query into GraphiQL. For the demo on this machine only.",
    )

    @field_validator("jwt_secret")
    @classmethod
    def _long_enough(cls, secret: SecretStr | None) -> SecretStr | None:
        if secret is not None and len(secret.get_secret_value().encode()) < 32:
            raise ValueError("must have at least 32 bytes")
        return secret
