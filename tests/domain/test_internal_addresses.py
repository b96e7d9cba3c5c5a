"""Internal IP addresses, in every form in which they can be written."""

from ipaddress import IPv4Address, IPv6Address

import pytest
from hypothesis import given
from hypothesis.strategies import ip_addresses

from app.domain.internal_addresses import internal_kind

INTERNAL = {
    "loopback": [
        "127.0.0.1",
        "127.255.255.254",
        "::1",
        "::ffff:127.0.0.1",
        "64:ff9b::7f00:1",
        "2002:7f00:1::",
        "::7f00:1",
    ],
    "unspecified": ["0.0.0.0", "::", "::ffff:0.0.0.0", "64:ff9b::"],
    "private": [
        *(
            "10.0.0.1",
            "172.16.0.1",
            "172.31.255.255",
            "192.168.1.1",
            "0.1.2.3",
            "198.18.0.1",
            "203.0.113.9",
        ),
        *("240.0.0.1", "255.255.255.255", "::ffff:10.0.0.1", "::ffff:c0a8:101", "64:ff9b::10.0.0.1", "2002:a00:1::1"),
        *("2001:db8::1", "100::1"),
    ],
    "link-local": ["169.254.0.1", "fe80::1", "fe80::1%eth0", "::ffff:169.254.1.1", "2002:a9fe:101::"],
    "unique-local": ["fc00::1", "fdff:ffff::1"],
    "multicast": ["224.0.0.1", "239.255.255.255", "ff02::1", "::ffff:224.0.0.1"],
    "shared": ["100.64.0.1", "100.127.255.255", "::ffff:100.64.0.1", "64:ff9b::100.64.0.1"],
    "reserved": ["fec0::1", "3fff::1", "192.88.99.1", "192.0.0.8", "64:ff9b:1::1", "4000::1"],
    "cloud metadata": [
        *("169.254.169.254", "::ffff:169.254.169.254", "::ffff:a9fe:a9fe", "64:ff9b::a9fe:a9fe", "2002:a9fe:a9fe::"),
        *("fd00:ec2::254", "fd20:ce::254", "168.63.129.16", "100.100.100.200", "fe80::a9fe:a9fe%eth0"),
    ],
}


@pytest.mark.parametrize(("kind", "address"), [(kind, each) for kind, all_ in INTERNAL.items() for each in all_])
def test_internal_addresses(kind: str, address: str) -> None:
    assert internal_kind(address) == kind


@pytest.mark.parametrize(
    "address",
    [
        *("1.1.1.1", "8.8.8.8", "100.63.255.255", "100.128.0.1", "172.15.0.1", "172.32.0.1", "168.63.129.17"),
        *(
            "223.255.255.255",
            "2606:4700::1111",
            "2a00:1450::1",
            "::ffff:8.8.8.8",
            "64:ff9b::8.8.8.8",
            "2002:808:808::1",
        ),
    ],
)
def test_public_addresses(address: str) -> None:
    assert internal_kind(address) is None


@given(ip_addresses(v=4))
def test_an_address_is_of_one_kind_in_every_form(address: IPv4Address) -> None:
    number = int(address)
    forms = [0xFFFF_0000_0000 | number, 0x64_FF9B << 96 | number, 0x2002 << 112 | number << 80]
    assert {internal_kind(str(IPv6Address(form))) for form in forms} == {internal_kind(str(address))}


@given(ip_addresses())
def test_a_public_address_is_global_unicast(address: IPv4Address | IPv6Address) -> None:
    if internal_kind(str(address)) is None:
        assert address.is_global or str(address).startswith(("2002:", "64:ff9b:", "::ffff:"))
        assert not address.is_multicast


def test_text_that_is_no_address() -> None:
    with pytest.raises(ValueError, match=r"hooks\.example\.com"):
        internal_kind("hooks.example.com")
