"""Internal addresses: the IP addresses that are not on the public internet, or that belong to the cloud provider.

A request to one of them can reach a service that trusts its own network (server-side request forgery, SSRF).
"""

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

METADATA = frozenset(
    map(
        ip_address,
        (
            "169.254.169.254",  # AWS, Azure, Google Cloud, Oracle, DigitalOcean and others
            "169.254.170.2",  # AWS, tasks of ECS
            "169.254.170.23",  # AWS, pods of EKS
            "169.254.42.42",  # Scaleway
            "168.63.129.16",  # Azure's agent, the only one among public addresses
            "100.100.100.200",  # Alibaba Cloud
            "192.0.0.192",  # Oracle, at first
            "fd00:ec2::254",  # AWS
            "fd00:ec2::23",  # AWS, pods of EKS
            "fd20:ce::254",  # Google Cloud
            "fd00:42::42",  # Scaleway
            "fd00:c1::a9fe:a9fe",  # Oracle
            "fe80::a9fe:a9fe",  # OpenStack
        ),
    )
)
"""Where cloud providers answer instances about themselves, credentials included."""

_SHARED = IPv4Network("100.64.0.0/10")
_UNIQUE_LOCAL = IPv6Network("fc00::/7")
_GLOBAL_UNICAST = IPv6Network("2000::/3")
_NOT_ROUTED = (
    IPv4Network("192.0.0.0/24"),
    IPv4Network("192.88.99.0/24"),
    IPv6Network("2001::/23"),
    IPv6Network("3fff::/20"),
)
"""Reserved networks that Python's `is_global` does not know, or takes parts of for public."""

_TRANSLATED = (IPv6Network("64:ff9b::/96"), IPv6Network("::/96"))
"""Networks whose last 32 bits are an IPv4 address: NAT64 (RFC 6052), and IPv4-compatible addresses (RFC 4291)."""


def internal_kind(address: str) -> str | None:
    """Return what kind of internal address an IP address is, such as "loopback", or None if it is public.

    An IPv6 address that stands for an IPv4 address is of the kind of that address. Raises ValueError if the text is no
    IP address.
    """
    parsed = ip_address(address)
    if isinstance(parsed, IPv6Address):
        parsed = IPv6Address(int(parsed))  # without a zone, as in fe80::1%eth0
        parsed = _embedded(parsed) or parsed
    kinds = {
        "cloud metadata": parsed in METADATA,
        "unspecified": parsed.is_unspecified,
        "loopback": parsed.is_loopback,
        "link-local": parsed.is_link_local,
        "multicast": parsed.is_multicast,
        "shared": parsed in _SHARED,
        "unique-local": parsed in _UNIQUE_LOCAL,
        "private": parsed.is_private,
        "reserved": not _is_routed(parsed),
    }
    return next((kind for kind, applies in kinds.items() if applies), None)


def _embedded(address: IPv6Address) -> IPv4Address | None:
    """Return the IPv4 address to which packets for an IPv6 address go: mapped, 6to4, Teredo, NAT64 or compatible."""
    if address.is_unspecified or address.is_loopback:
        return None
    if any(address in network for network in _TRANSLATED):
        return IPv4Address(int(address) & 0xFFFF_FFFF)
    return address.ipv4_mapped or address.sixtofour or (address.teredo[1] if address.teredo else None)


def _is_routed(address: IPv4Address | IPv6Address) -> bool:
    if isinstance(address, IPv6Address) and address not in _GLOBAL_UNICAST:
        return False
    return address.is_global and not any(address in network for network in _NOT_ROUTED)
