"""Addresses of services: what is refused, with messages that never contain a part of the address."""

import re

import pytest

from app.domain.addresses import ENCODE, AddressForm

SMTP = AddressForm(("smtp", "smtps"), credentials=True, path=False)
WEB = AddressForm(("https", "http"))

HOST = "must have a valid host name, or an IP address (IPv6 in brackets: [::1])"
PORT = "must have a port from 1 to 65535 after the host, or none"

_HOW_TO_ENCODE = re.escape(f". {ENCODE}") + "$"


def _exactly(reason: str) -> str:
    return f"^{re.escape(reason)}$"


@pytest.mark.parametrize(
    ("address", "host", "port", "password"),
    [
        ("smtp://mail.example.com", "mail.example.com", None, None),
        ("smtps://mail.example.com:465/", "mail.example.com", 465, None),
        ("SMTP://MAIL", "mail", None, None),
        ("smtp://mail_relay:25", "mail_relay", 25, None),
        (
            "smtp://user:p%23ss%2F%3F%3A%40%25@mail.example.com:65535",
            "mail.example.com",
            65535,
            "p%23ss%2F%3F%3A%40%25",
        ),
        ("smtp://user%40example.com:pa:ss@mail", "mail", None, "pa:ss"),
        ("smtp://127.0.0.1:1", "127.0.0.1", 1, None),
        ("smtp://[::1]:25", "::1", 25, None),
        ("smtp://b\u00fccher.example", "b\u00fccher.example", None, None),
        ("smtp://\u4f8b\u3048.\u30c6\u30b9\u30c8.", "\u4f8b\u3048.\u30c6\u30b9\u30c8.", None, None),
        ("smtp://xn--strae-oqa.example", "xn--strae-oqa.example", None, None),
    ],
)
def test_a_valid_address_has_parts(address: str, host: str, port: int | None, password: str | None) -> None:
    parts = SMTP.parse(address)
    assert (parts.hostname, parts.port, parts.password) == (host, port, password)


@pytest.mark.parametrize("mail_host", ["mail:99999", "mail:0", "mail:", "mail:x", "mail:-1", "mail:+25", "mail:2 5"])
def test_a_port_is_a_number_up_to_65535(mail_host: str) -> None:
    reason = "must not contain spaces, line breaks or invisible characters" if " " in mail_host else PORT
    with pytest.raises(ValueError, match=f"^{reason}$"):
        SMTP.parse(f"smtp://{mail_host}")


@pytest.mark.parametrize(
    "host",
    [
        *("", ":25", "::1", "[::1", "[mail]", "256.1.1.1", "1.2.3", "a..b", "-a.example", "a-.example"),
        *(
            "\u2603.example",
            "stra\u00dfe.example",
            "\ufb01.example",
            "-\u00fc.example",
            "\u0663.example",
            "[fe80::1%25eth0]",
        ),
        *("<host>", "a,b", "a*b", "%61", "a" * 64, ".".join(["a" * 60] * 5)),
    ],
)
def test_a_host_is_a_name_or_an_ip_address(host: str) -> None:
    with pytest.raises(ValueError, match=_exactly(HOST)):
        SMTP.parse(f"smtp://{host}")


@pytest.mark.parametrize(
    "secret", ["hun#ter2", "hun/ter2", "hun?ter2", "hun@ter2", "hun%ter2", "hun\\ter2", "hun ter2"]
)
@pytest.mark.parametrize("port", ["", ":25"])
def test_a_special_character_in_a_password_is_refused_with_the_way_to_write_it(secret: str, port: str) -> None:
    with pytest.raises(ValueError, match=_HOW_TO_ENCODE) as refused:
        SMTP.parse(f"smtp://user:{secret}@mail.example.com{port}")
    for part in ("user:", "hun", "ter2", "mail.example.com"):
        assert part not in str(refused.value)


@pytest.mark.parametrize("secret", ["12/ter2", "12?ter2", "12#ter2"])
def test_digits_before_the_special_character_are_no_port(secret: str) -> None:
    with pytest.raises(ValueError, match=_HOW_TO_ENCODE):
        SMTP.parse(f"smtp://user:{secret}@mail.example.com")


@pytest.mark.parametrize(
    ("address", "reason"),
    [
        ("leads.example.com", "must be a URL that begins with https:// or http://"),
        ("https:/leads.example.com", "must be a URL that begins with https:// or http://"),
        ("ftp://leads.example.com", "must be a URL that begins with https:// or http://"),
        (" https://leads.example.com", "must be a URL that begins with https:// or http://"),
        ("https://leads.example.com\n", "must not contain spaces, line breaks or invisible characters"),
        ("https://leads.example.com\u200b", "must not contain spaces, line breaks or invisible characters"),
        ("https://user:hunter2@leads.example.com", "must not contain a user name or a password"),
        ("https://leads.example.com?a=b", "must not contain ?"),
        ("https://leads.example.com/#top", "must not contain #"),
        ("https://", HOST),
        ("https:///path", HOST),
    ],
)
def test_a_web_address(address: str, reason: str) -> None:
    with pytest.raises(ValueError, match=_exactly(reason)):
        WEB.parse(address)
