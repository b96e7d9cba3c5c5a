"""Links to claim: signed, expiring, each for one offer, whose user whoever has the link may claim the lead for."""

import hmac
from base64 import urlsafe_b64encode
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256

from app.config import Settings
from app.ids import parse_id
from app.models import ClaimedVia
from app.tokens import signing_key

VALID_FOR = timedelta(days=3)

_LETTERS = {"e": ClaimedVia.EMAIL, "t": ClaimedVia.TEXT}


@dataclass(frozen=True, slots=True)
class ClaimLink:
    """Which offer the link claims, and how it was told of."""

    offer_id: int
    via: ClaimedVia


def claim_url(settings: Settings, link: ClaimLink, now: datetime) -> str | None:
    """The address of the link, valid for three days; None where the server does not know its own address."""
    if settings.public_url is None:
        return None
    letter = next(letter for letter, via in _LETTERS.items() if via is link.via)
    text = f"{link.offer_id}.{letter}.{int((now + VALID_FOR).timestamp())}"
    return f"{settings.public_url.rstrip('/')}/claim?link={text}.{_signature(settings, text)}"


def read_link(settings: Settings, sent: str, now: datetime) -> ClaimLink | None:
    """What a link says; None for one that we did not sign, or that has expired."""
    text, _, signature = sent.rpartition(".")
    if not hmac.compare_digest(signature.encode(), _signature(settings, text).encode()):
        return None
    offer, letter, expires = text.split(".")
    offer_id = parse_id(offer)
    if offer_id is None or now >= datetime.fromtimestamp(int(expires), UTC):
        return None
    return ClaimLink(offer_id, _LETTERS[letter])


def _signature(settings: Settings, text: str) -> str:
    """With a key of its own, made from the secret: a link is no access token, and none is a link."""
    key = hmac.digest(signing_key(settings).encode(), b"lead-offers claim link", sha256)
    return urlsafe_b64encode(hmac.digest(key, text.encode(), sha256)).decode().rstrip("=")
