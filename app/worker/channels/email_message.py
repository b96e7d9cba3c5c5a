"""E-mails as bytes, with headers that are text and nothing else.

The standard library's `EmailMessage` is not used for headers. It decodes encoded words (RFC 2047) in the values that it
is given, and before Python 3.11.10 and 3.12.5 it then writes their line breaks as they are (CVE-2024-6923): a contact's
name could add a header, or replace the text.
"""

import re
from email.charset import QP, Charset
from email.header import Header
from email.mime.text import MIMEText
from email.policy import compat32
from email.utils import formatdate

from app.worker.channels.base import Message

CRLF = "\r\n"

LONGEST_WORD = 60
"""The characters of a word that fits beside a header's name. Longer ones are encoded, which can be folded anywhere."""

_BODY = Charset("utf-8")
_BODY.body_encoding = QP

_PLAIN = re.compile(r"[ -~]*")
_PLAIN_PHRASE = re.compile(r"[\w !#$%&'*+/=?^`{|}~-]*", re.ASCII)


def compose_email(message: Message, sender: tuple[str, str], recipient: str) -> bytes:
    """Return the e-mail with CRLF line ends. `sender` is a display name, which may be empty, and an address.

    Its Message-ID is the same for every attempt, so that recipients can recognize duplicates. The e-mail is ASCII
    unless the recipient's address is not, which needs the SMTPUTF8 extension.
    """
    name, address = sender
    headers = {
        "From": f"{header_text('From', name, _PLAIN_PHRASE)} <{address}>" if name else address,
        "To": recipient,
        "Subject": header_text("Subject", message.subject),
        "Date": formatdate(usegmt=True),
        "Message-ID": f"<{message.id}@{address.rpartition('@')[2]}>",
        "Auto-Submitted": "auto-generated",
    }
    head = "".join(f"{name}: {value}{CRLF}" for name, value in headers.items())
    body = MIMEText(message.text, _charset=_BODY)  # type: ignore[arg-type]  # accepts a Charset too
    return head.encode() + body.as_bytes(policy=compat32.clone(linesep=CRLF))


def header_text(name: str, text: str, plain: re.Pattern[str] = _PLAIN) -> str:
    """Return the value of a header that readers show as this text, folded to lines that suit the header's name.

    Control characters, line breaks among them, become spaces. Text is written as it is if it matches `plain` and has
    nothing that readers might decode, and as encoded words otherwise.
    """
    line = re.sub(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]+", " ", text).strip()
    is_plain = plain.fullmatch(line) and "=?" not in line and max(map(len, line.split()), default=0) <= LONGEST_WORD
    return Header(line, "us-ascii" if is_plain else "utf-8", header_name=name).encode(linesep=CRLF)
