"""The webhook channel: posts events to one URL, signed according to the Standard Webhooks specification.

https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

import asyncio
import base64
import hashlib
import hmac
import time
from urllib.parse import urlsplit

import httpx2

from app.worker.channels.base import DeliveryError
from app.worker.channels.http_client import http_client
from app.worker.channels.retry_after import retry_after

TEMPORARY = frozenset({408, 425, 429})
"""Statuses below 500 after which an event is retried. All others are permanent."""


class Webhook:
    """Posts to `url`, signed with `key`. An attempt times out after `seconds`."""

    max_concurrent = 20

    def __init__(self, url: str, key: bytes, seconds: float) -> None:
        self._url = url
        self._key = key
        self._seconds = seconds
        self._http = http_client(timeout=None, follow_redirects=False)

    async def send(self, event_id: str, body: str) -> None:
        """Return once the receiver has responded with any 2xx status; raise DeliveryError otherwise."""
        headers = {"Content-Type": "application/json", "User-Agent": "lead-offers", **self._sign(event_id, body)}
        try:
            async with (
                asyncio.timeout(self._seconds),
                self._http.stream("POST", self._url, content=body.encode(), headers=headers) as response,
            ):
                pass  # the body is of no interest
        except TimeoutError as error:
            raise DeliveryError("The webhook endpoint did not respond in time.") from error
        except httpx2.HTTPError as error:
            raise DeliveryError("The connection to the webhook endpoint failed.") from error
        if not response.is_success:
            raise DeliveryError(
                f"The webhook endpoint responded with status {response.status_code}.",
                permanent=response.status_code < 500 and response.status_code not in TEMPORARY,
                retry_after=retry_after(response),
            )

    async def check(self) -> str:
        """Connect to the endpoint, without a request. Return what worked; raise DeliveryError."""
        url = urlsplit(self._url)
        is_encrypted = url.scheme.lower() == "https"
        tls = httpx2.create_ssl_context() if is_encrypted else None
        try:
            async with asyncio.timeout(self._seconds):
                _reader, writer = await asyncio.open_connection(
                    url.hostname, url.port or (443 if is_encrypted else 80), ssl=tls
                )
        except TimeoutError as error:
            raise DeliveryError("The webhook endpoint did not respond in time.") from error
        except OSError as error:
            raise DeliveryError("The connection to the webhook endpoint failed.") from error
        writer.close()
        return f"connected {'with' if is_encrypted else 'without'} TLS; whether it accepts events was not tried"

    async def close(self) -> None:
        await self._http.aclose()

    def _sign(self, event_id: str, body: str) -> dict[str, str]:
        """Return the signature's headers. They are new for every attempt: receivers reject old timestamps."""
        timestamp = str(int(time.time()))
        digest = hmac.digest(self._key, f"{event_id}.{timestamp}.{body}".encode(), hashlib.sha256)
        return {
            "webhook-id": event_id,
            "webhook-timestamp": timestamp,
            "webhook-signature": f"v1,{base64.b64encode(digest).decode()}",
        }
