"""Creates the channels that the settings configure, and checks that every channel in use is set up."""

from sqlmodel import select
from sqlmodel.ext.asyncio.session import AsyncSession

from app.config import PREFIX, Fallback, Settings, webhook_key
from app.db.alert_columns import alert_columns
from app.db.models import DistributionOption
from app.domain.enums import Channel
from app.worker.channels.base import Channels, DeliveryChannel, UnconfiguredChannel
from app.worker.channels.console import ConsoleChannel
from app.worker.channels.email import EmailChannel
from app.worker.channels.twilio import CallChannel, TextChannel, TwilioAccount
from app.worker.channels.webhook import Webhook

_TWILIO = ", ".join(f"{PREFIX}TWILIO_{part}" for part in ("ACCOUNT_SID", "AUTH_TOKEN", "FROM"))
_HOW_TO_SET_UP = {
    Channel.CALL: f"no channel for calls: set {_TWILIO}",
    Channel.TEXT: f"no channel for texts: set {_TWILIO}",
    Channel.EMAIL: f"no channel for e-mail: set {PREFIX}SMTP_URL and {PREFIX}EMAIL_FROM",
}


MAX_ATTEMPT_SECONDS = 30.0
"""The timeout of an attempt. With short leases it is half a lease, so that attempts end before their leases do."""


def make_channels(settings: Settings) -> Channels:
    """Return a channel of every kind. Kinds that are not set up use the fallback, or fail permanently without one."""
    console = ConsoleChannel()
    channels: dict[Channel, DeliveryChannel] = {
        kind: console if settings.fallback is Fallback.CONSOLE else UnconfiguredChannel(kind) for kind in Channel
    }
    if settings.twilio_account_sid is not None:
        account = TwilioAccount(settings, _attempt_seconds(settings))
        channels |= {Channel.TEXT: TextChannel(account), Channel.CALL: CallChannel(account)}
    if settings.smtp_url is not None and settings.email_from is not None:
        url = settings.smtp_url.get_secret_value()
        channels[Channel.EMAIL] = EmailChannel(url, settings.email_from, _attempt_seconds(settings))
    return channels


def make_webhook(settings: Settings) -> Webhook | None:
    """Return the webhook that events are sent to, or None if it is not set up."""
    if settings.webhook_url is None or settings.webhook_secret is None:
        return None
    key = webhook_key(settings.webhook_secret)
    return Webhook(
        settings.webhook_url.get_secret_value(),
        key,
        _attempt_seconds(settings),
        allows_internal=settings.webhook_allow_private,
    )


def _attempt_seconds(settings: Settings) -> float:
    return min(MAX_ATTEMPT_SECONDS, settings.lease_seconds / 2)


async def check_channels(session: AsyncSession, channels: Channels) -> None:
    """Raise ValueError, with a line per channel, if distribution options use channels that are not set up."""
    flags = alert_columns(DistributionOption)
    lines = []
    for kind in (kind for kind, channel in channels.items() if isinstance(channel, UnconfiguredChannel)):
        uses = select(DistributionOption.id).where(flags[kind].is_(True)).limit(1)
        if (await session.exec(uses)).first() is not None:
            lines.append(f"Distribution options alert by {kind.lower()}, and there is {_HOW_TO_SET_UP[kind]}.")
    if lines:
        lines.append(f"Or set {PREFIX}FALLBACK=console to log the messages instead of sending them.")
        raise ValueError("\n".join(lines))
