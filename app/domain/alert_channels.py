"""Channels: which of them an option or an offer alerts on, and which this server is set up for."""

from typing import Protocol

from app.domain.enums import Channel


class Alerts(Protocol):
    """An option, an offer, or one that is planned."""

    @property
    def has_call_alert(self) -> bool | None: ...
    @property
    def has_text_alert(self) -> bool | None: ...
    @property
    def has_email_alert(self) -> bool | None: ...


def alerted_on(alerts: Alerts) -> list[Channel]:
    """The channels that are switched on."""
    switches = {
        Channel.CALL: alerts.has_call_alert,
        Channel.TEXT: alerts.has_text_alert,
        Channel.EMAIL: alerts.has_email_alert,
    }
    return [channel for channel, is_on in switches.items() if is_on]


class ChannelSettings(Protocol):
    """The settings that say which channels a worker can send on."""

    @property
    def fallback(self) -> object | None: ...
    @property
    def smtp_url(self) -> object | None: ...
    @property
    def twilio_account_sid(self) -> str | None: ...


def served(settings: ChannelSettings) -> frozenset[Channel]:
    """Those on which a worker with these settings reaches people."""
    if settings.fallback is not None:
        return frozenset(Channel)
    by_mail = {Channel.EMAIL} if settings.smtp_url is not None else set()
    by_phone = {Channel.TEXT, Channel.CALL} if settings.twilio_account_sid is not None else set()
    return frozenset(by_mail | by_phone)


def unserved(settings: ChannelSettings) -> frozenset[Channel]:
    """Those to warn of. A server that was given no channel at all leaves sending to others, and knows of none."""
    known = served(settings)
    return frozenset(Channel) - known if known else frozenset()
