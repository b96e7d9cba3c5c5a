"""The form of API keys: `lo_`, 36 random letters and digits, and a checksum of six.

Secret scanners find a key by this form, and text that only looks like one costs no statement.
"""

import hashlib
import re
import string
from zlib import crc32

PREFIX = "lo_"
DIGITS = string.digits + string.ascii_uppercase + string.ascii_lowercase
RANDOM_LENGTH = 36
"""Random characters of a key: 214 bits."""
CHECKSUM_LENGTH = 6
SHOWN_LENGTH = 11
"""How many characters of a key are stored, shown and logged, so that people can tell keys apart."""

_KEY = re.compile(rf"{PREFIX}[0-9A-Za-z]{{{RANDOM_LENGTH + CHECKSUM_LENGTH},}}")


def make_key(body: str) -> str:
    """Return the key with these random characters."""
    return PREFIX + body + _checksum(body)


def looks_like_key(text: str) -> bool:
    """Whether a bearer token is meant as an API key. A JWT never begins like one."""
    return text.startswith(PREFIX)


def is_well_formed(key: str) -> bool:
    """Whether a text has the form of a key, and the right checksum."""
    body, checksum = key[len(PREFIX) : -CHECKSUM_LENGTH], key[-CHECKSUM_LENGTH:]
    is_written_so = looks_like_key(key) and len(body) == RANDOM_LENGTH and key.isascii()
    return is_written_so and _checksum(body) == checksum


def hash_key(key: str) -> str:
    """Return the hash by which a key is stored and found. It needs no salt, because keys are random."""
    return hashlib.sha256(key.encode()).hexdigest()


def hide_keys(text: str) -> str:
    """Return the text with each key in it cut to its first characters."""
    return _KEY.sub(lambda key: f"{key[0][:SHOWN_LENGTH]}…", text)


def _checksum(body: str) -> str:
    number, digits = crc32(body.encode()), ""
    for _ in range(CHECKSUM_LENGTH):
        number, digit = divmod(number, len(DIGITS))
        digits += DIGITS[digit]
    return digits
