"""Which sender serves which channel, by the settings."""

from sqlmodel import select
from sqlmodel.ext.asyncio.session import AsyncSession

from app.config import PREFIX, Fallback, Settings, webhook_key
from app.db.alert_columns import alert_columns
from app.db.models import DistributionOption
from app.domain.enums import Channel
from app.worker.channels.base import Sender, Senders, Unconfigured
from app.worker.channels.console import Console
from app.worker.channels.email import Mail
from app.worker.channels.twilio import Account, Calls, Texts
from app.worker.channels.webhook import Webhook

_TWILIO = ", ".join(f"{PREFIX}TWILIO_{part}" for part in ("ACCOUNT_SID", "AUTH_TOKEN", "FROM"))
_NEEDS = {
    Channel.CALL: f"no channel for calls: set {_TWILIO}",
    Channel.TEXT: f"no channel for texts: set {_TWILIO}",
    Channel.EMAIL: f"no channel for e-mail: set {PREFIX}SMTP_URL and {PREFIX}EMAIL_FROM",
}


LONGEST_ATTEMPT = 30.0
"""Seconds. An attempt ends well before its lease does: nobody else begins it meanwhile."""


def make_senders(settings: Settings) -> Senders:
    """A sender for every channel. What is not set up goes to the fallback, or fails for good when it is used."""
    console = Console()
    senders: dict[Channel, Sender] = {
        channel: console if settings.fallback is Fallback.CONSOLE else Unconfigured(channel) for channel in Channel
    }
    seconds = min(LONGEST_ATTEMPT, settings.lease_seconds / 2)
    if settings.twilio_account_sid is not None:
        account = Account(settings, seconds)
        senders |= {Channel.TEXT: Texts(account), Channel.CALL: Calls(account)}
    if settings.smtp_url is not None and settings.email_from is not None:
        senders[Channel.EMAIL] = Mail(settings.smtp_url.get_secret_value(), settings.email_from, seconds)
    return senders


def make_webhook(settings: Settings) -> Webhook | None:
    """What events are sent to, if anything."""
    if settings.webhook_url is None or settings.webhook_secret is None:
        return None
    seconds = min(LONGEST_ATTEMPT, settings.lease_seconds / 2)
    return Webhook(settings.webhook_url.get_secret_value(), webhook_key(settings.webhook_secret), seconds)


async def check_channels(session: AsyncSession, senders: Senders) -> None:
    """ValueError, a line for each channel that a distribution option uses and that nothing serves."""
    flags = alert_columns(DistributionOption)
    lines = []
    for channel in (channel for channel, sender in senders.items() if isinstance(sender, Unconfigured)):
        uses = select(DistributionOption.id).where(flags[channel].is_(True)).limit(1)
        if (await session.exec(uses)).first() is not None:
            lines.append(f"Distribution options alert by {channel.lower()}, and there is {_NEEDS[channel]}.")
    if lines:
        lines.append(f"Or set {PREFIX}FALLBACK=console: what has no channel goes to the log.")
        raise ValueError("\n".join(lines))
