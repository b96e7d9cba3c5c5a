"""Addresses of services: URLs that are parsed whole, so that one that cannot work is found before it is used.

The messages never contain a part of the address, because it may be a password.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address
from urllib.parse import SplitResult, urlsplit

import idna

HIGHEST_PORT = 65_535

LONGEST_HOST = 253

ENCODE = (
    "In a user name or password, write special characters percent-encoded: "
    "% as %25, # as %23, / as %2F, ? as %3F, : as %3A, @ as %40, a space as %20"
)

_LABEL = re.compile(r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?", re.IGNORECASE | re.ASCII)
_BAD_PERCENT = re.compile(r"%(?![0-9A-Fa-f]{2})")
_UNPRINTABLE = re.compile(r"[\x00-\x20\x7f-\xa0\u2028\u2029\ufeff\u200b-\u200f]")


@dataclass(frozen=True, slots=True)
class AddressForm:
    """The parts that an address of one kind of service may have besides a scheme, a host and a port."""

    schemes: Sequence[str]
    credentials: bool = False
    path: bool = True
    query: bool = False
    host_is_optional: bool = False

    def parse(self, address: str) -> SplitResult:
        """Return the parts of an address. Raises ValueError with a message that follows the name of the setting."""
        scheme, separator, rest = address.partition("://")
        if not separator or scheme.lower() not in self.schemes:
            raise ValueError(f"must be a URL that begins with {' or '.join(f'{each}://' for each in self.schemes)}")
        try:
            self._check(rest)
        except ValueError as error:
            has_credentials = self.credentials and ("@" in rest or "#" in rest)
            raise ValueError(f"{error}. {ENCODE}" if has_credentials else str(error)) from None
        return urlsplit(address)

    def _check(self, rest: str) -> None:
        if _UNPRINTABLE.search(rest):
            raise ValueError("must not contain spaces, line breaks or invisible characters")
        if "\\" in rest:
            raise ValueError("must not contain a backslash")
        if "#" in rest:
            raise ValueError("must not contain #")
        authority = re.split(r"[/?]", rest, maxsplit=1)[0]
        path, has_query, _query = rest[len(authority) :].partition("?")
        credentials, has_credentials, host = authority.rpartition("@")
        if has_credentials:
            self._check_credentials(credentials)
        if host or not self.host_is_optional:
            check_host_and_port(host)
        if path.strip("/") and not self.path:
            raise ValueError("must end after the host and the port, without a path")
        if has_query and not self.query:
            raise ValueError("must not contain ?")

    def _check_credentials(self, credentials: str) -> None:
        if not self.credentials:
            raise ValueError("must not contain a user name or a password")
        if "@" in credentials or _BAD_PERCENT.search(credentials):
            raise ValueError("has an invalid user name or password")


def check_host_and_port(text: str) -> None:
    """Raises ValueError unless the text is a host, or a host and a port as in `example.com:25` and `[::1]:25`."""
    match = re.fullmatch(r"(?P<host>\[[^\[\]]*\]|[^:\[\]]*)(:(?P<port>.*))?", text, re.DOTALL)
    if match is None or not _is_host(match["host"]):
        raise ValueError("must have a valid host name, or an IP address (IPv6 in brackets: [::1])")
    port = match["port"]
    if port is not None and not (re.fullmatch(r"[0-9]{1,5}", port, re.ASCII) and 1 <= int(port) <= HIGHEST_PORT):
        raise ValueError(f"must have a port from 1 to {HIGHEST_PORT} after the host, or none")


def _ascii_host(host: str) -> str:
    """Return the host in ASCII. Raises ValueError if it is not a host, or if clients differ in how they write it.

    HTTP clients follow IDNA 2008. Sockets follow IDNA 2003, which maps other characters and takes symbols: with
    `stra\u00dfe.example`, they would connect to somebody else.
    """
    if host.isascii():
        return host
    encoded = idna.encode(host.lower()).decode()
    if encoded != host.encode("idna").decode():
        raise ValueError("is not the same in IDNA 2003 and 2008")
    return encoded


def _is_host(host: str) -> bool:
    try:
        if host.startswith("["):
            return "%25" not in host and bool(IPv6Address(host[1:-1]))
        labels = _ascii_host(host).removesuffix(".").split(".")
        if labels[-1].isdecimal():
            return bool(IPv4Address(host))
    except ValueError:
        return False
    return len(host) <= LONGEST_HOST and all(_LABEL.fullmatch(label) for label in labels)
