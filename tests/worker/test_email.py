"""E-mail by a real SMTP server on loopback: what arrives, and what each of its refusals means."""

import asyncio
from collections.abc import Iterator

import pytest

from app.db.models import Contact, Lead, User
from app.domain.enums import DistributionTarget
from app.worker import messages
from app.worker.channels.base import DeliveryError, Message
from app.worker.channels.email import Mail
from tests.support.processes import free_port
from tests.support.smtp_server import Mailbox, mailbox
from tests.support.world import NOW

MESSAGE = Message("delivery-7", "bob@example.com", "Lead offer: Buyer in 94105", "Hello Bob,\n\nMary enquired.\n")


@pytest.fixture
def box() -> Iterator[Mailbox]:
    with mailbox() as box:
        yield box


async def test_a_mail_arrives_with_the_id_of_its_delivery(box: Mailbox) -> None:
    mail = Mail(box.url, "Leads <leads@example.org>", 5)
    for _ in range(2):
        await mail.send(MESSAGE)
    await mail.close()
    assert box.ids == ["<delivery-7@example.org>"] * 2
    got = box.mails[0]
    assert (got["From"], got["To"], got["Subject"]) == ("Leads <leads@example.org>", MESSAGE.to, MESSAGE.subject)
    assert got.get_content().replace("\r\n", "\n") == MESSAGE.text


@pytest.mark.parametrize(
    ("answer", "permanent", "reason"),
    [
        ("550 no such person, bob@example.com", True, "The mail server refuses the message (550)."),
        ("451 try later", False, "The mail server refuses the message (451)."),
    ],
)
async def test_a_refusal_says_whether_to_try_again(box: Mailbox, answer: str, permanent: bool, reason: str) -> None:
    mail = Mail(box.url, "leads@example.org", 5)
    box.answer = lambda _mail: answer
    with pytest.raises(DeliveryError) as failure:
        await mail.send(MESSAGE)
    assert (failure.value.permanent, failure.value.reason) == (permanent, reason)
    box.answer = lambda _mail: None
    await mail.send(MESSAGE)
    await mail.close()
    assert len(box.mails) == 1


async def test_a_server_that_is_not_there() -> None:
    with pytest.raises(DeliveryError, match="connection to the mail server failed") as failure:
        await Mail(f"smtp://127.0.0.1:{free_port()}", "leads@example.org", 5).send(MESSAGE)
    assert not failure.value.permanent


async def test_a_server_that_says_nothing() -> None:
    gone = asyncio.Event()

    async def say_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()
        gone.set()

    server = await asyncio.start_server(say_nothing, "127.0.0.1", 0)
    host, port = server.sockets[0].getsockname()
    with pytest.raises(DeliveryError, match="did not answer in time"):
        await Mail(f"smtp://{host}:{port}", "leads@example.org", 0.3).send(MESSAGE)
    await gone.wait()
    server.close()


async def test_a_server_that_hangs_up_half_way() -> None:
    async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 hello\r\n")
        await reader.readline()
        writer.close()

    server = await asyncio.start_server(hang_up, "127.0.0.1", 0)
    host, port = server.sockets[0].getsockname()
    with pytest.raises(DeliveryError, match="connection to the mail server failed"):
        await Mail(f"smtp://{host}:{port}", "leads@example.org", 5).send(MESSAGE)
    server.close()


# The words


def test_no_message_says_how_to_reach_the_contact() -> None:
    user = User(first_name="Bob", last_name="", timezone="America/Los_Angeles")
    contact = Contact(
        owner_id=1, first_name="Mary\r\nBcc: x@y", last_name="Jackson", email="mary@example.com", mobile_phone="+1202"
    )
    myself = DistributionTarget.MYSELF
    lead = Lead(
        id=9, contact_id=1, creator_id=1, distribution_target=myself, type="Buyer", zipcode="94105", created_at=NOW
    )
    for words in (messages.offered, messages.assigned, messages.exhausted):
        subject, text = words(user, lead, contact)
        assert "Buyer in 94105" in subject
        assert "Mary Bcc: x@y enquired (Buyer, zipcode 94105) on Monday, 02 March 2026 at 01:00" in text
        assert not {"Jackson", "mary@example.com", "+1202"} & {*text.split(), *subject.split()}
        assert "\n" not in subject
