"""The webhook: events are posted to one address, signed as Standard Webhooks says.

https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

import asyncio
import base64
import hashlib
import hmac
import time

import httpx2

from app.worker.channels.base import DeliveryError
from app.worker.channels.retry_after import seconds_of

NOT_NOW = (408, 425, 429)
"""What a receiver answers who may take the event later, beside 5xx. Every other refusal is for good."""


class Webhook:
    """Posts to `url`, signed with `key`. An attempt is given up after `seconds`."""

    at_once = 20

    def __init__(self, url: str, key: bytes, seconds: float) -> None:
        self._url = url
        self._key = key
        self._seconds = seconds
        self._http = httpx2.AsyncClient(timeout=None, follow_redirects=False)

    async def send(self, event_id: str, body: str) -> None:
        """Return once the receiver has accepted the event with any 2xx; raise DeliveryError otherwise."""
        headers = {"Content-Type": "application/json", "User-Agent": "lead-offers", **self._signed(event_id, body)}
        try:
            async with (
                asyncio.timeout(self._seconds),
                self._http.stream("POST", self._url, content=body.encode(), headers=headers) as answer,
            ):
                status, retry_after = answer.status_code, seconds_of(answer)
        except TimeoutError as error:
            raise DeliveryError("The webhook's receiver did not answer in time.") from error
        except httpx2.HTTPError as error:
            raise DeliveryError("The connection to the webhook's receiver failed.") from error
        if not 200 <= status < 300:
            is_permanent = status < 500 and status not in NOT_NOW
            reason = f"The webhook's receiver answers {status}."
            raise DeliveryError(reason, permanent=is_permanent, retry_after=retry_after)

    async def close(self) -> None:
        await self._http.aclose()

    def _signed(self, event_id: str, body: str) -> dict[str, str]:
        """Dated anew at each attempt: receivers refuse what is minutes old."""
        timestamp = str(int(time.time()))
        digest = hmac.digest(self._key, f"{event_id}.{timestamp}.{body}".encode(), hashlib.sha256)
        return {
            "webhook-id": event_id,
            "webhook-timestamp": timestamp,
            "webhook-signature": f"v1,{base64.b64encode(digest).decode()}",
        }
