"""Typed text in e-mails, as a real SMTP server receives it: headers contain it as text, and never as structure."""

import re
from collections.abc import Callable
from email import message_from_bytes, policy
from email.header import decode_header, make_header
from email.parser import BytesHeaderParser
from itertools import cycle
from typing import Any

import pytest

from app.db.models import Contact, User
from app.worker import messages
from app.worker.channels.base import Message
from app.worker.channels.email import EmailChannel
from app.worker.channels.email_message import compose_email, header_text
from tests.support.smtp_server import mailbox
from tests.support.world import unsaved_lead

HEADERS = {
    *("From", "To", "Subject", "Date", "Message-ID", "Auto-Submitted"),
    *("Content-Type", "MIME-Version", "Content-Transfer-Encoding"),
}

TYPED = [
    "=?utf-8?q?x=0D=0ABcc:evil=40evil.example?=",
    "=?utf-8?q?y=0D=0AContent-Type:_text/html=0D=0A=0D=0A<h1>Pay</h1>?=",
    "=?us-ascii?Q?a=0ABcc:_x?=",
    "=?UTF-8?B?eA0KQmNjOiBldmlsQGV2aWwuZXhhbXBsZQ==?=",
    "=?utf-8?q?x?= =?utf-8?q?=0d=0aBcc:y?=",
    "=?utf-8?q?unfinished=0D=0A",
    "Zo\u00eb =?utf-8?q?=0D=0ABcc:x?=",
    "=?=?utf-8?q?=3D?utf-8?q?=0D=0ABcc:x?=?=",
    "Ann\r\nBcc: evil@evil.example",
    "Ann\rBcc: x\nCc: y\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029Bcc: z",
    "Ann\n\n<h1>Pay</h1>",
    "\u5f20\u4f1f " * 20,
    "long " * 15,
    "x" * 80,
    'a;b,c:<d>"e" (f) \\g [h]',
]


def fields(content: bytes) -> dict[str, str]:
    """Return the headers as text, decoded once."""
    parsed = BytesHeaderParser(policy=policy.compat32).parsebytes(content)
    assert len(parsed.keys()) == len(set(parsed.keys()))
    return {name: str(make_header(decode_header(value))) for name, value in parsed.items()}


def seen(text: str) -> str:
    return " ".join(text.split())


def written(words: Callable[..., messages.Words], field: str, typed: str) -> messages.Words:
    """Return the e-mail about a lead with this text in one field of the lead, the contact or the user."""
    user = User(first_name=typed if field == "user_name" else "Bob", last_name=typed, timezone="UTC")
    contact = Contact(owner_id=1, first_name=typed if field == "first_name" else "Mary", last_name=typed)
    lead = unsaved_lead(type=typed if field == "type" else None, zipcode=typed if field == "zipcode" else "94105")
    return words(user, lead, contact)


@pytest.mark.parametrize("field", ["first_name", "type", "user_name", "zipcode"])
async def test_nothing_typed_becomes_a_header_or_a_body(field: str) -> None:
    kinds = cycle((messages.offered, messages.assigned, messages.exhausted))
    composed = [written(words, field, typed) for words, typed in zip(kinds, TYPED, strict=False)]
    with mailbox() as box:
        channel = EmailChannel(box.url, "Leads <leads@example.org>", 5)
        for subject, text in composed:
            await channel.send(Message("delivery-7", "bob@example.com", subject, text))
        await channel.close()

    for (subject, text), (recipients, content) in zip(composed, box.received, strict=True):
        assert recipients == ["bob@example.com"]
        assert content.isascii()
        got = fields(content)
        assert set(got) == HEADERS
        assert seen(got["Subject"]) == seen(subject)
        assert got["Content-Type"] == 'text/plain; charset="utf-8"'
        body = message_from_bytes(content).get_payload(decode=True)
        assert isinstance(body, bytes)
        assert body.decode().replace("\r\n", "\n").rstrip("\n") == text.rstrip("\n")


@pytest.mark.parametrize("typed", TYPED)
def test_a_header_is_one_field_of_short_lines(typed: str) -> None:
    value = header_text("Subject", typed)
    assert value.isascii()
    lines = value.split("\r\n")
    assert all(line.startswith(" ") and line.strip() for line in lines[1:])
    assert not any(re.search(r"[\x00-\x1f\x7f]", line) for line in lines)
    assert max(map(len, lines)) <= 80
    shown = seen(re.sub(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]", " ", typed))
    assert seen(str(make_header(decode_header(value)))) == shown


@pytest.mark.parametrize("text", ["", "Lead offer: Buyer in 94105", "50 % = half? (yes)", "a_b\\c"])
def test_plain_text_is_readable_in_the_raw_header(text: str) -> None:
    assert header_text("Subject", text) == text


@pytest.mark.parametrize(
    "name", ["Leads", "", "Acme, Inc.", "B\u00fccher <x@y>", "=?utf-8?q?=0D=0ABcc:x?=", 'the "best" \\ leads', "a\r\nb"]
)
def test_a_display_name_is_one_phrase(name: str) -> None:
    message: Any = Message("delivery-7", "bob@example.com", "s", "t")
    sender: Any = message_from_bytes(compose_email(message, (name, "x@example.org"), message.to))["From"]
    decoded = str(make_header(decode_header(sender)))
    assert decoded == (f"{seen(name)} <x@example.org>" if name else "x@example.org")
    assert sender.count("@") == 1
