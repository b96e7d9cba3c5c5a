"""Text that somebody typed, as a message may contain it: one line without addresses, phone numbers and links."""

import re
import unicodedata

from app.db.models import Contact

MAX_LENGTH = 80

FEWEST_DIGITS = 7
"""The digits of a phone number without its area code."""

FEWEST_LETTERS = 8
"""The letters of an e-mail address that is also looked for without its punctuation. Shorter ones are parts of words."""

_NOT_IN_XML = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff]")
_ADDRESS = re.compile(r"[^\s@]+@[^\s@]+\.[^\s@]+")
_PHONE = re.compile(r"\+?\(?\d(?:[\s().+/\u2010-\u2015-]*\d){6,}")
_JOINERS = re.compile(r"(?<=[.:@/\u3002])[\u200c\u200d]+|[\u200c\u200d]+(?=[.:@/\u3002])")
"""Joiners beside the signs of an address, where they join nothing, and browsers leave them out."""

_IP_ADDRESS = re.compile(r"(?<![\d.])\d{1,3}(?:\.\d{1,3}){3}(?![\d.]*\d)")
"""Telephones make links of these."""

_LINK = re.compile(r"(?<=[^\W\d]):(?=\S)|(?<=[^\W\d])[.\u3002](?=\w)|(?<=\w)[.\u3002](?=[^\W\d])")


def presentable(text: str | None, contact: Contact | None) -> str:
    """Return the text as one line of at most MAX_LENGTH characters, which may be empty.

    `contact` is the person whom the message is about, if it is about one. E-mail addresses and phone numbers are left
    out, and so is everything if the contact's own remain in another spelling, such as `mary (at) example.com`. Links
    become text that mail programs do not open: `evil. example`.
    """
    line = unicodedata.normalize("NFKC", text or "")
    line = "".join(each for each in line if unicodedata.category(each) != "Cf" or each in "\u200c\u200d")
    line = _JOINERS.sub("", _NOT_IN_XML.sub(" ", line))
    shown = _PHONE.sub(" ", _ADDRESS.sub(" ", line))
    if contact is not None and _reveals(shown, contact):
        return ""
    shown = _IP_ADDRESS.sub(lambda address: address[0].replace(".", ". "), shown)
    shown = " ".join(_LINK.sub(lambda link: f"{link[0]} ", shown).split())
    return shown[:MAX_LENGTH] if re.search(r"\w", shown) or shown == " ".join(line.split()) else ""


def _reveals(text: str, contact: Contact) -> bool:
    """Whether the contact's e-mail address or phone number is in the text, however it is punctuated."""
    email, letters = (contact.email or "").casefold(), _letters(contact.email or "")
    number = _digits(contact.mobile_phone or "")[-FEWEST_DIGITS:]
    return (
        (bool(email) and email in text.casefold())
        or (len(letters) >= FEWEST_LETTERS and letters in _letters(text))
        or (len(number) == FEWEST_DIGITS and number in _digits(text))
    )


def _letters(text: str) -> str:
    """Return the letters and digits of an address, without the words in which people spell its signs."""
    return re.sub(r"\b(?:at|dot)\b|[\W_]", "", unicodedata.normalize("NFKC", text).casefold())


def _digits(text: str) -> str:
    return "".join(str(unicodedata.digit(each)) for each in text if each.isdecimal())
