"""The IP addresses of a webhook endpoint: resolved once per attempt, and checked before anything connects to them.

The connection goes to an address that was checked. If the HTTP client resolved the name again, a DNS server could
answer with another address then (DNS rebinding).
"""

import asyncio
import socket
from collections.abc import Awaitable, Callable, Sequence

from app.config import PREFIX
from app.domain.internal_addresses import internal_kind
from app.worker.channels.base import DeliveryError

ALLOW = f"{PREFIX}WEBHOOK_ALLOW_PRIVATE"

Resolve = Callable[[str, int], Awaitable[Sequence[str]]]
"""Returns the IP addresses of a host, in the order in which to try them. Raises OSError."""


async def resolve(host: str, port: int) -> Sequence[str]:
    """Return the IP addresses of a host name, or the one that is written as the host. Raises OSError."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [*dict.fromkeys(str(address[0]) for *_, address in found)]


async def resolve_public(host: str, port: int, resolve: Resolve, *, allows_internal: bool) -> Sequence[str]:
    """Return the IP addresses of a host, all of them public unless internal ones are allowed. Raises DeliveryError."""
    try:
        addresses = await resolve(host, port)
    except OSError as error:
        raise DeliveryError("The host name of the webhook endpoint could not be resolved.") from error
    kinds = filter(None, map(internal_kind, addresses))
    if not allows_internal and (kind := next(kinds, None)):
        raise DeliveryError(f"The webhook endpoint has an internal address ({kind}), which {ALLOW} does not allow.")
    return addresses
