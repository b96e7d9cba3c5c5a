"""Claim links: signed links that expire. Whoever has one can claim the lead of one offer on behalf of its user.

The link in a phone call is not opened by a person: Twilio posts the pressed key to it.
"""

import hmac
from base64 import urlsafe_b64encode
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256

from app.access.tokens import signing_key
from app.config import Settings
from app.domain.enums import ClaimedVia
from app.domain.identifiers import parse_id

VALID_FOR = timedelta(days=3)

CLAIM_PAGE = "/claim"
"""The path of the page that a link in a text or an e-mail opens."""
PRESSED_KEYS = "/twilio/keys"
"""The path to which Twilio posts the key that is pressed in a call."""

_LETTERS = {"e": ClaimedVia.EMAIL, "t": ClaimedVia.TEXT, "p": ClaimedVia.PHONE}
_PATHS = {ClaimedVia.EMAIL: CLAIM_PAGE, ClaimedVia.TEXT: CLAIM_PAGE, ClaimedVia.PHONE: PRESSED_KEYS}


@dataclass(frozen=True, slots=True)
class ClaimLink:
    """The offer that a link claims, and the channel that the link was sent on."""

    offer_id: int
    via: ClaimedVia


def claim_url(settings: Settings, link: ClaimLink, now: datetime) -> str | None:
    """Return the URL of the link, valid for three days from `now`. None if LEAD_OFFERS_PUBLIC_URL is not set."""
    letter = next(letter for letter, via in _LETTERS.items() if via is link.via)
    text = f"{link.offer_id}.{letter}.{int((now + VALID_FOR).timestamp())}"
    return public_address(settings, f"{_PATHS[link.via]}?link={text}.{_signature(settings, text)}")


def public_address(settings: Settings, path: str) -> str | None:
    """Return the public URL of a path on this server. None if LEAD_OFFERS_PUBLIC_URL is not set."""
    return None if settings.public_url is None else settings.public_url.rstrip("/") + path


def read_link(settings: Settings, token: str, now: datetime) -> ClaimLink | None:
    """Return the content of a link's token. None if this server did not sign it, or if it has expired."""
    text, _, signature = token.rpartition(".")
    if not hmac.compare_digest(signature.encode(), _signature(settings, text).encode()):
        return None
    offer, letter, expires = text.split(".")
    offer_id = parse_id(offer)
    if offer_id is None or now >= datetime.fromtimestamp(int(expires), UTC):
        return None
    return ClaimLink(offer_id, _LETTERS[letter])


def _signature(settings: Settings, text: str) -> str:
    """Sign with a key derived from the secret, so that a link is never a valid access token nor the reverse."""
    key = hmac.digest(signing_key(settings).encode(), b"lead-offers claim link", sha256)
    return urlsafe_b64encode(hmac.digest(key, text.encode(), sha256)).decode().rstrip("=")
