"""E-mail over SMTP, with connections that are kept open between messages."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import unquote, urlsplit

import aiosmtplib

from app.domain.validation import email_to_send, parse_mailbox
from app.worker.channels.base import DeliveryError, Message
from app.worker.channels.email_message import compose_email

SERVICE_CLOSING = 421
"""The reply with which a server gives a connection up (RFC 5321, section 4.2.3)."""

PROBE_SECONDS = 5.0
"""How long an idle connection has to show that it works; a third of an attempt where that is shorter."""


class EmailChannel:
    """Sends through the server at `url`: smtp://[USER:PASSWORD@]HOST[:PORT], or smtps:// for implicit TLS.

    With smtp://, STARTTLS is used if the server offers it, and required if there is a password. An attempt times out
    after `seconds`.
    """

    max_concurrent = 10
    accepts_replies = False

    def __init__(self, url: str, sender: str, seconds: float) -> None:
        self._url = urlsplit(url)
        name, address = parse_mailbox(sender)
        self._sender = name, email_to_send(address)
        self._seconds = seconds
        self._idle: list[aiosmtplib.SMTP] = []

    async def send(self, message: Message) -> None:
        recipient = _recipient(message)
        mail = compose_email(message, self._sender, recipient)
        with _reporting_failures():
            async with asyncio.timeout(self._seconds):
                await self._deliver(recipient, mail)

    async def check(self) -> str:
        """Connect, sign in and name the sender, without sending anything. Return what worked; raise DeliveryError."""
        with _reporting_failures():
            async with asyncio.timeout(self._seconds):
                connection = await self._connect()
                try:
                    is_encrypted = connection.get_transport_info("sslcontext") is not None
                    await connection.mail(self._sender[1])
                    await connection.rset()
                finally:
                    _end(connection)
        done = ["connected with TLS" if is_encrypted else "connected without TLS"]
        done += ["signed in"] if self._url.username else []
        return ", ".join([*done, "sender accepted"])

    async def close(self) -> None:
        while self._idle:
            _end(self._idle.pop())

    async def _deliver(self, recipient: str, mail: bytes) -> None:
        """Send over an idle connection and, if that has died in the meantime, at once over a new one."""
        connection = await self._reuse()
        if connection is not None:
            try:
                await self._send_over(connection, recipient, mail)
                return
            except (aiosmtplib.SMTPException, OSError) as error:
                if not _is_lost(error):
                    raise
        await self._send_over(await self._connect(), recipient, mail)

    async def _send_over(self, connection: aiosmtplib.SMTP, recipient: str, mail: bytes) -> None:
        """Send, and keep the connection unless that fails."""
        try:
            options = await _mail_options(connection, recipient)
            await connection.sendmail(self._sender[1], [recipient], mail, mail_options=options)
        except BaseException:
            _end(connection)
            raise
        self._idle.append(connection)

    async def _reuse(self) -> aiosmtplib.SMTP | None:
        """Return an idle connection that works. If one does not, close all: what ended it has ended the others too."""
        if not self._idle:
            return None
        connection = self._idle.pop()
        try:
            await connection.rset(timeout=min(PROBE_SECONDS, self._seconds / 3))
        except (aiosmtplib.SMTPException, OSError):
            _end(connection)
            await self.close()
            return None
        return connection

    async def _connect(self) -> aiosmtplib.SMTP:
        password = self._url.password
        is_tls = self._url.scheme == "smtps"
        connection = aiosmtplib.SMTP(
            hostname=self._url.hostname,
            port=self._url.port,
            use_tls=is_tls,
            start_tls=False if is_tls else (True if password else None),
            timeout=self._seconds,
        )
        await connection.connect()
        if self._url.username:
            try:
                await connection.login(unquote(self._url.username), unquote(password or ""))
            except BaseException:
                _end(connection)
                raise
        return connection


def _end(connection: aiosmtplib.SMTP) -> None:
    """Close the connection at once: by TLS the other side would have to agree, and the event loop may end before."""
    transport = connection.transport
    connection.close()
    if isinstance(transport, asyncio.WriteTransport):
        transport.abort()


@contextmanager
def _reporting_failures() -> Iterator[None]:
    """Raise DeliveryError in place of the failures of a mail server."""
    try:
        yield
    except aiosmtplib.SMTPRecipientsRefused as error:
        raise _refused(error.recipients[0].code, "the address") from error
    except (aiosmtplib.SMTPConnectResponseError, aiosmtplib.SMTPHeloError) as error:
        raise _refused(error.code, "the connection", permanent=False) from error  # whatever it says, it saw no message
    except aiosmtplib.SMTPAuthenticationError as error:
        raise DeliveryError("The mail server rejected this server's login.") from error
    except aiosmtplib.SMTPSenderRefused as error:
        raise _refused(error.code, "the sender") from error
    except aiosmtplib.SMTPResponseException as error:
        raise _refused(error.code, "the message") from error
    except TimeoutError as error:
        raise DeliveryError("The mail server did not respond in time.") from error
    except (aiosmtplib.SMTPException, OSError) as error:
        raise DeliveryError("The connection to the mail server failed.") from error


def _recipient(message: Message) -> str:
    """Return the address of the envelope. Raises DeliveryError for one stored before they were checked."""
    try:
        return email_to_send(message.to)
    except ValueError as error:
        raise DeliveryError("The user's e-mail address is not valid.", permanent=True) from error


async def _mail_options(connection: aiosmtplib.SMTP, recipient: str) -> list[str]:
    """Return what the server must be told about the address. Raises DeliveryError if it cannot do that."""
    if recipient.isascii():
        return []
    if connection.is_ehlo_or_helo_needed:
        await connection.ehlo()
    if not connection.supports_extension("smtputf8"):
        raise DeliveryError(
            "The mail server does not support e-mail addresses with characters outside of ASCII before the @.",
            permanent=True,
        )
    return ["SMTPUTF8"]


def _is_lost(error: Exception) -> bool:
    """Whether the connection has ended, or the server ends it by its reply."""
    if isinstance(error, aiosmtplib.SMTPRecipientsRefused):
        return error.recipients[0].code == SERVICE_CLOSING
    if isinstance(error, aiosmtplib.SMTPResponseException):
        return error.code == SERVICE_CLOSING
    return isinstance(error, aiosmtplib.SMTPServerDisconnected | OSError)


def _refused(code: int, what: str, *, permanent: bool | None = None) -> DeliveryError:
    """A reply of 500 or more is permanent (RFC 5321, section 4.2.1), unless the caller knows better."""
    if code == aiosmtplib.SMTPStatus.invalid_response:
        return DeliveryError("The mail server sent a response that is not SMTP.")
    return DeliveryError(
        f"The mail server rejected {what} ({code}).", permanent=code >= 500 if permanent is None else permanent
    )
