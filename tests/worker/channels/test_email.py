"""The e-mail channel with a real SMTP server on loopback: the mails it sends, and how it reports failures."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from app.worker.channels.base import DeliveryError, Message
from app.worker.channels.email import EmailChannel
from tests.support.processes import free_port
from tests.support.smtp_server import Mailbox, mailbox

MESSAGE = Message("delivery-7", "bob@example.com", "Lead offer: Buyer in 94105", "Hello Bob,\n\nMary enquired.\n")


@pytest.fixture
def box() -> Iterator[Mailbox]:
    with mailbox() as box:
        yield box


async def test_every_attempt_has_the_same_message_id(box: Mailbox) -> None:
    mail = EmailChannel(box.url, "Leads <leads@example.org>", 5)
    for _ in range(2):
        await mail.send(MESSAGE)
    await mail.close()
    assert box.ids() == ["<delivery-7@example.org>"] * 2
    got = box.mails[0]
    assert (got["From"], got["To"], got["Subject"]) == ("Leads <leads@example.org>", MESSAGE.to, MESSAGE.subject)
    assert got.get_content().replace("\r\n", "\n") == MESSAGE.text


@pytest.mark.parametrize(
    ("answer", "permanent", "reason"),
    [
        ("550 no such person, bob@example.com", True, "The mail server rejected the message (550)."),
        ("451 try later", False, "The mail server rejected the message (451)."),
    ],
)
async def test_a_rejection_is_permanent_or_temporary(box: Mailbox, answer: str, permanent: bool, reason: str) -> None:
    mail = EmailChannel(box.url, "leads@example.org", 5)
    box.answer = lambda _mail: answer
    with pytest.raises(DeliveryError) as failure:
        await mail.send(MESSAGE)
    assert (failure.value.permanent, failure.value.reason) == (permanent, reason)
    box.answer = lambda _mail: None
    await mail.send(MESSAGE)
    await mail.close()
    assert len(box.mails) == 1


@pytest.mark.parametrize(
    ("stored", "sent"),
    [
        ("bob@b\u00fccher.example", "bob@xn--bcher-kva.example"),
        ("bob@b\u00fccher.b\u00fccher.example", "bob@xn--bcher-kva.xn--bcher-kva.example"),
        ("bob@\u4f8b\u3048.\u30c6\u30b9\u30c8", "bob@xn--r8jz45g.xn--zckzah"),
        ("bob@stra\u00dfe.example", "bob@xn--strae-oqa.example"),
        ("bob+leads@example.com", "bob+leads@example.com"),
    ],
)
async def test_an_international_domain_is_sent_in_ascii(stored: str, sent: str) -> None:
    with mailbox(smtputf8=False) as box:
        mail = EmailChannel(box.url, "Leads <leads@b\u00fccher.example>", 5)
        await mail.send(replace(MESSAGE, to=stored))
        await mail.close()
        [(recipients, content)] = box.received
    assert recipients == [sent]
    assert content.isascii()
    assert f"\r\nTo: {sent}\r\n".encode() in content
    assert b"From: Leads <leads@xn--bcher-kva.example>\r\n" in content


async def test_an_international_local_part_needs_a_server_that_supports_it(box: Mailbox) -> None:
    message = replace(MESSAGE, to="\u00fcnal@b\u00fccher.example")
    mail = EmailChannel(box.url, "leads@example.org", 5)
    await mail.send(message)
    await mail.close()
    [(recipients, content)] = box.received
    assert recipients == ["\u00fcnal@xn--bcher-kva.example"]
    assert "\r\nTo: \u00fcnal@xn--bcher-kva.example\r\n".encode() in content

    with mailbox(smtputf8=False) as old:
        mail = EmailChannel(old.url, "leads@example.org", 5)
        for _ in range(2):
            with pytest.raises(
                DeliveryError, match="does not support e-mail addresses with characters outside"
            ) as told:
                await mail.send(message)
            assert told.value.permanent
        await mail.send(MESSAGE)
        await mail.close()
        assert [recipients for recipients, _content in old.received] == [["bob@example.com"]]


@pytest.mark.parametrize(
    "stored", ["bob,al@example.com", "bob@example.com\r\nRCPT TO:<al@example.com>", "bob", "<a@b>"]
)
async def test_an_address_from_before_they_were_checked_gets_nothing(box: Mailbox, stored: str) -> None:
    mail = EmailChannel(box.url, "leads@example.org", 5)
    with pytest.raises(DeliveryError, match=r"^The user's e-mail address is not valid.$") as told:
        await mail.send(replace(MESSAGE, to=stored))
    assert told.value.permanent
    assert box.begun == 0


async def test_a_server_that_is_down() -> None:
    with pytest.raises(DeliveryError, match="connection to the mail server failed") as failure:
        await EmailChannel(f"smtp://127.0.0.1:{free_port()}", "leads@example.org", 5).send(MESSAGE)
    assert not failure.value.permanent


async def test_a_server_that_does_not_respond() -> None:
    gone = asyncio.Event()

    async def stay_silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()
        gone.set()

    server = await asyncio.start_server(stay_silent, "127.0.0.1", 0)
    host, port = server.sockets[0].getsockname()
    with pytest.raises(DeliveryError, match="did not respond in time"):
        await EmailChannel(f"smtp://{host}:{port}", "leads@example.org", 0.3).send(MESSAGE)
    await gone.wait()
    server.close()


SILENT, HANGS_UP = "silent", "hangs up"


@asynccontextmanager
async def smtp_server_that_loses_connections(at: str, how: str) -> AsyncIterator[tuple[str, list[bytes]]]:
    """Run a server whose connections each take one e-mail, and end at a command of the second; yield its URL and mails.

    They end with silence, by hanging up, or with the reply `how`.
    """
    mails: list[bytes] = []
    serving: list[asyncio.Task[None]] = []

    def begin(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        serving.append(asyncio.create_task(serve(reader, writer)))

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        taken = 0
        writer.write(b"220 hello\r\n")
        while line := await reader.readline():
            command = line.decode().split()[0].upper()
            if taken and command == at:
                if how == SILENT:
                    await reader.read()
                elif how != HANGS_UP:
                    writer.write(f"{how}\r\n".encode())
                break
            if command == "DATA":
                writer.write(b"354 go on\r\n")
                mails.append(await reader.readuntil(b"\r\n.\r\n"))
                taken += 1
            writer.write(b"250 fine\r\n")
        writer.close()

    server = await asyncio.start_server(begin, "127.0.0.1", 0)
    host, port = server.sockets[0].getsockname()
    try:
        yield f"smtp://{host}:{port}", mails
    finally:
        server.close()
        await asyncio.wait(serving, timeout=10)


@pytest.mark.parametrize(
    ("at", "how"),
    [
        ("RSET", SILENT),
        *((at, how) for at in ("RSET", "MAIL", "RCPT", "DATA") for how in (HANGS_UP, "421 closing the connection")),
    ],
)
async def test_a_kept_connection_that_has_died_delays_no_mail(at: str, how: str) -> None:
    async with smtp_server_that_loses_connections(at, how) as (url, mails):
        mail = EmailChannel(url, "leads@example.org", 3)
        for number in range(3):
            await mail.send(replace(MESSAGE, id=f"delivery-{number}"))
        await mail.close()
    assert [b"<delivery-%d@" % number in mail for number, mail in enumerate(mails)] == [True] * 3


async def test_other_replies_are_not_tried_again_on_a_new_connection() -> None:
    async with smtp_server_that_loses_connections("MAIL", "451 later") as (url, mails):
        mail = EmailChannel(url, "leads@example.org", 3)
        await mail.send(MESSAGE)
        with pytest.raises(DeliveryError, match="451"):
            await mail.send(MESSAGE)
        await mail.close()
    assert len(mails) == 1


async def test_a_server_that_closes_the_connection() -> None:
    async def close_early(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 hello\r\n")
        await reader.readline()
        writer.close()

    server = await asyncio.start_server(close_early, "127.0.0.1", 0)
    host, port = server.sockets[0].getsockname()
    with pytest.raises(DeliveryError, match="connection to the mail server failed"):
        await EmailChannel(f"smtp://{host}:{port}", "leads@example.org", 5).send(MESSAGE)
    server.close()


@pytest.mark.parametrize(
    ("replies", "reason"),
    [
        (["554 no SMTP service here"], "The mail server rejected the connection (554)."),
        (["550 your address is blocked"], "The mail server rejected the connection (550)."),
        (["220 hello", "550 no", "550 no"], "The mail server rejected the connection (550)."),
        (["HTTP/1.1 400 Bad Request"], "The mail server sent a response that is not SMTP."),
        (["220 hello", "250 hello", "what?"], "The mail server sent a response that is not SMTP."),
    ],
)
async def test_a_server_that_refuses_everybody_does_not_refuse_the_message(replies: list[str], reason: str) -> None:
    """Its operator can change that, so the message is tried again."""

    gone = asyncio.Event()

    async def reply(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for each in replies:
            writer.write(f"{each}\r\n".encode())
            await reader.readline()
        writer.close()
        await writer.wait_closed()
        gone.set()

    server = await asyncio.start_server(reply, "127.0.0.1", 0)
    host, port = server.sockets[0].getsockname()
    with pytest.raises(DeliveryError) as failure:
        await EmailChannel(f"smtp://{host}:{port}", "leads@example.org", 5).send(MESSAGE)
    assert (failure.value.permanent, failure.value.reason) == (False, reason)
    await gone.wait()
    server.close()
