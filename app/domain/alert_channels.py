"""Alert channels: which channels an option or an offer alerts on, and which channels this server can send on."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol, Self

from app.domain.enums import Channel

ALERT_FIELDS = {
    Channel.CALL: "has_call_alert",
    Channel.TEXT: "has_text_alert",
    Channel.EMAIL: "has_email_alert",
}
"""The flag of each channel, as the tables and the REST API name it."""


@dataclass(frozen=True, slots=True)
class Alerts:
    """The channels on which a user is notified of an offer, in the order of `ALERT_FIELDS`."""

    call: bool = False
    text: bool = False
    email: bool = False

    @property
    def channels(self) -> list[Channel]:
        """The channels that are on."""
        flags = {Channel.CALL: self.call, Channel.TEXT: self.text, Channel.EMAIL: self.email}
        return [channel for channel, is_on in flags.items() if is_on]

    @classmethod
    def from_fields(cls, fields: Mapping[str, Any]) -> Self:
        """Return the alerts of a row by the names of `ALERT_FIELDS`. Null, which only imported offers have, is off."""
        return cls(*(bool(fields[name]) for name in ALERT_FIELDS.values()))

    def fields(self) -> dict[str, bool]:
        """Return the flags by the names of `ALERT_FIELDS`."""
        on = self.channels
        return {name: channel in on for channel, name in ALERT_FIELDS.items()}


class ChannelSettings(Protocol):
    """The settings that decide which channels a worker can send on."""

    @property
    def fallback(self) -> object | None: ...
    @property
    def smtp_url(self) -> object | None: ...
    @property
    def twilio_account_sid(self) -> str | None: ...


def served(settings: ChannelSettings) -> frozenset[Channel]:
    """Return the channels that a worker with these settings can send on."""
    if settings.fallback is not None:
        return frozenset(Channel)
    by_mail = {Channel.EMAIL} if settings.smtp_url is not None else set()
    by_phone = {Channel.TEXT, Channel.CALL} if settings.twilio_account_sid is not None else set()
    return frozenset(by_mail | by_phone)


def unserved(settings: ChannelSettings) -> frozenset[Channel]:
    """Return the channels to warn of because nothing sends on them.

    A server without any channel leaves sending to workers with their own settings, so it warns of none.
    """
    known = served(settings)
    return frozenset(Channel) - known if known else frozenset()
