"""E-mail over SMTP, with connections that are kept open between messages."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import unquote, urlsplit

import aiosmtplib

from app.domain.validation import email_to_send, parse_mailbox
from app.worker.channels.base import DeliveryError, Message
from app.worker.channels.email_message import compose_email


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
        try:
            async with asyncio.timeout(self._seconds), self._connection() as connection:
                options = await _mail_options(connection, recipient)
                await connection.sendmail(self._sender[1], [recipient], mail, mail_options=options)
        except aiosmtplib.SMTPRecipientsRefused as error:
            raise _refused(error.recipients[0].code, "the address") from error
        except aiosmtplib.SMTPAuthenticationError as error:
            raise DeliveryError("The mail server rejected this server's login.") from error
        except aiosmtplib.SMTPResponseException as error:
            raise _refused(error.code, "the message") from error
        except TimeoutError as error:
            raise DeliveryError("The mail server did not respond in time.") from error
        except (aiosmtplib.SMTPException, OSError) as error:
            raise DeliveryError("The connection to the mail server failed.") from error

    async def close(self) -> None:
        while self._idle:
            self._idle.pop().close()

    @asynccontextmanager
    async def _connection(self) -> AsyncIterator[aiosmtplib.SMTP]:
        """Yield an idle connection that still works, or a new one, and keep it unless the caller fails."""
        connection = await self._reuse() or await self._connect()
        try:
            yield connection
        except BaseException:
            connection.close()
            raise
        self._idle.append(connection)

    async def _reuse(self) -> aiosmtplib.SMTP | None:
        while self._idle:
            connection = self._idle.pop()
            try:
                await connection.rset()
            except (aiosmtplib.SMTPException, OSError):
                connection.close()
            else:
                return connection
        return None

    async def _connect(self) -> aiosmtplib.SMTP:
        password = self._url.password
        is_tls = self._url.scheme == "smtps"
        connection = aiosmtplib.SMTP(
            hostname=self._url.hostname,
            port=self._url.port,
            username=unquote(self._url.username) if self._url.username else None,
            password=unquote(password) if password else None,
            use_tls=is_tls,
            start_tls=False if is_tls else (True if password else None),
            timeout=self._seconds,
        )
        await connection.connect()
        return connection


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


def _refused(code: int, what: str) -> DeliveryError:
    """A reply of 500 or more is permanent (RFC 5321, section 4.2.1)."""
    return DeliveryError(f"The mail server rejected {what} ({code}).", permanent=code >= 500)
