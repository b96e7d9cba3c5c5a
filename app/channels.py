"""Which channels this server is set up for, by its settings."""

from app.config import Settings
from app.enums import Channel


def served(settings: Settings) -> frozenset[Channel]:
    """Those on which a worker with these settings reaches people."""
    if settings.fallback is not None:
        return frozenset(Channel)
    by_mail = {Channel.EMAIL} if settings.smtp_url is not None else set()
    by_phone = {Channel.TEXT, Channel.CALL} if settings.twilio_account_sid is not None else set()
    return frozenset(by_mail | by_phone)


def unserved(settings: Settings) -> frozenset[Channel]:
    """Those to warn of. A server that was given no channel at all leaves sending to others, and knows of none."""
    known = served(settings)
    return frozenset(Channel) - known if known else frozenset()
