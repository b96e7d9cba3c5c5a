"""Whether a request comes from a browser on this machine."""

from ipaddress import ip_address

from starlette.requests import Request


def is_local(request: Request) -> bool:
    """Whether the browser runs on this machine and asked for a loopback host.

    The host matters: a website could point its own name to 127.0.0.1 and read the demo's tokens (DNS rebinding).
    """
    names = (request.client.host if request.client else "", request.url.hostname or "")
    return all(name == "localhost" or _is_loopback(name) for name in names)


def _is_loopback(name: str) -> bool:
    try:
        return ip_address(name.strip("[]")).is_loopback
    except ValueError:
        return False
