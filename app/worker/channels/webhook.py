"""The webhook channel: posts events to one URL, signed according to the Standard Webhooks specification.

https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

import asyncio
import base64
import hashlib
import hmac
import time
from collections.abc import Sequence
from contextlib import suppress
from http import HTTPStatus
from urllib.request import getproxies, proxy_bypass

import httpx2

from app.worker.channels.base import DeliveryError
from app.worker.channels.endpoint_addresses import Resolve, resolve, resolve_public
from app.worker.channels.http_client import http_client
from app.worker.channels.retry_after import retry_after

PORTS = {"https": 443, "http": 80}


class Webhook:
    """Posts to `url`, signed with `key`. An attempt times out after `seconds`.

    Each attempt connects to an address that it has resolved and checked itself, unless the environment names a proxy
    for the URL (HTTPS_PROXY, NO_PROXY): then the proxy resolves the host name, and decides what may be reached.
    """

    max_concurrent = 20

    def __init__(
        self, url: str, key: bytes, seconds: float, *, allows_internal: bool = False, resolve: Resolve = resolve
    ) -> None:
        self._url = httpx2.URL(url)
        self._host = self._url.raw_host.decode()
        self._port = self._url.port or PORTS[self._url.scheme]
        self._key = key
        self._seconds = seconds
        self._allows_internal = allows_internal
        self._resolve = resolve
        self._proxy = _proxy_for(self._url)
        self._tls = httpx2.create_ssl_context()
        # `trust_env` would choose a proxy for each request by the address instead of the name.
        self._http = http_client(follow_redirects=False, verify=self._tls, proxy=self._proxy, trust_env=False)

    async def send(self, event_id: str, body: str) -> None:
        """Return once the receiver has responded with any 2xx status; raise DeliveryError otherwise.

        The failure is permanent if the status is 410 Gone: the receiver wants no more of it.
        """
        try:
            async with asyncio.timeout(self._seconds):
                response = await self._post(event_id, body)
        except (TimeoutError, httpx2.TimeoutException) as error:
            raise DeliveryError("The webhook endpoint did not respond in time.") from error
        except httpx2.HTTPError as error:
            raise DeliveryError("The connection to the webhook endpoint failed.") from error
        if not response.is_success:
            raise DeliveryError(
                f"The webhook endpoint responded with status {response.status_code}.",
                permanent=response.status_code == HTTPStatus.GONE,
                retry_after=retry_after(response),
            )

    async def _post(self, event_id: str, body: str) -> httpx2.Response:
        """Post to the first address that can be connected to, and return the response without its body."""
        headers = {
            "Host": self._url.netloc.decode(),
            "Content-Type": "application/json",
            "User-Agent": "lead-offers",
            **self._sign(event_id, body),
        }
        addresses = await self._addresses()
        timeout = httpx2.Timeout(None, connect=self._seconds / len(addresses))
        for address in addresses:
            post = self._http.stream(
                "POST",
                self._url.copy_with(host=address),
                content=body.encode(),
                headers=headers,
                timeout=timeout,
                extensions={"sni_hostname": self._host},  # the name for which the certificate must be valid
            )
            try:
                async with post as response:
                    return response
            except (httpx2.ConnectError, httpx2.ConnectTimeout):
                if address == addresses[-1]:
                    raise
        raise AssertionError("a host has an address")

    async def _addresses(self) -> Sequence[str]:
        """Return the IP addresses of the endpoint, or its host name for a proxy. Raises DeliveryError."""
        if self._proxy is not None:
            return [self._host]
        return await resolve_public(self._host, self._port, self._resolve, allows_internal=self._allows_internal)

    async def check(self) -> str:
        """Connect to the endpoint, without a request. Return what worked; raise DeliveryError."""
        is_encrypted = self._url.scheme == "https"
        tls, name = (self._tls, self._host) if is_encrypted else (None, None)
        try:
            async with asyncio.timeout(self._seconds):
                address = (await self._addresses())[0]
                _reader, writer = await asyncio.open_connection(address, self._port, ssl=tls, server_hostname=name)
        except TimeoutError as error:
            raise DeliveryError("The webhook endpoint did not respond in time.") from error
        except OSError as error:
            raise DeliveryError("The connection to the webhook endpoint failed.") from error
        writer.transport.abort()  # `close` would wait for the other side
        with suppress(OSError):
            await writer.wait_closed()
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


def _proxy_for(url: httpx2.URL) -> str | None:
    """Return the proxy that the environment names for the URL, or None if the client connects directly."""
    proxies = getproxies()
    proxy = proxies.get(url.scheme) or proxies.get("all")
    if not proxy or proxy_bypass(url.netloc.decode()):
        return None
    return proxy if "://" in proxy else f"http://{proxy}"
