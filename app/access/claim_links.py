"""Links to claim: signed, expiring, each for one offer, whose user whoever has the link may claim the lead for.

A link of a call is not opened by a person: its address is told which key was pressed.
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

_LETTERS = {"e": ClaimedVia.EMAIL, "t": ClaimedVia.TEXT, "p": ClaimedVia.PHONE}
_PAGES = {ClaimedVia.EMAIL: "/claim", ClaimedVia.TEXT: "/claim", ClaimedVia.PHONE: "/twilio/keys"}


@dataclass(frozen=True, slots=True)
class ClaimLink:
    """Which offer the link claims, and how it was told of."""

    offer_id: int
    via: ClaimedVia


def claim_url(settings: Settings, link: ClaimLink, now: datetime) -> str | None:
    """The address of the link, valid for three days; None where the server does not know its own address."""
    letter = next(letter for letter, via in _LETTERS.items() if via is link.via)
    text = f"{link.offer_id}.{letter}.{int((now + VALID_FOR).timestamp())}"
    return public_address(settings, f"{_PAGES[link.via]}?link={text}.{_signature(settings, text)}")


def public_address(settings: Settings, path: str) -> str | None:
    """Where the outside reaches a path of this server; None where it does not know its own address."""
    return None if settings.public_url is None else settings.public_url.rstrip("/") + path


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
