"""E-mail over SMTP, by connections that are kept open."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from email.message import EmailMessage
from email.utils import formatdate
from urllib.parse import unquote, urlsplit

import aiosmtplib

from app.worker.channels.base import DeliveryError, Message


class Mail:
    """Sends through the server at `url`: smtp://[USER:PASSWORD@]HOST[:PORT], or smtps:// for TLS from the start.

    smtp:// goes over to TLS where the server offers it, and insists on it before it tells a password. An attempt is
    given up after `seconds`.
    """

    at_once = 10
    answers = False

    def __init__(self, url: str, sender: str, seconds: float) -> None:
        self._url = urlsplit(url)
        self._sender = sender
        self._seconds = seconds
        self._idle: list[aiosmtplib.SMTP] = []

    async def send(self, message: Message) -> None:
        try:
            async with asyncio.timeout(self._seconds), self._connection() as connection:
                await connection.send_message(_composed(message, self._sender))
        except aiosmtplib.SMTPRecipientsRefused as error:
            raise _refused(error.recipients[0].code, "the address") from error
        except aiosmtplib.SMTPAuthenticationError as error:
            raise DeliveryError("The mail server refuses our login.") from error
        except aiosmtplib.SMTPResponseException as error:
            raise _refused(error.code, "the message") from error
        except TimeoutError as error:
            raise DeliveryError("The mail server did not answer in time.") from error
        except (aiosmtplib.SMTPException, OSError) as error:
            raise DeliveryError("The connection to the mail server failed.") from error

    async def close(self) -> None:
        while self._idle:
            self._idle.pop().close()

    @asynccontextmanager
    async def _connection(self) -> AsyncIterator[aiosmtplib.SMTP]:
        """One that is idle and still answers, else a new one. It is kept unless sending over it failed."""
        connection = await self._kept() or await self._new()
        try:
            yield connection
        except BaseException:
            connection.close()
            raise
        self._idle.append(connection)

    async def _kept(self) -> aiosmtplib.SMTP | None:
        while self._idle:
            connection = self._idle.pop()
            try:
                await connection.rset()
            except (aiosmtplib.SMTPException, OSError):
                connection.close()
            else:
                return connection
        return None

    async def _new(self) -> aiosmtplib.SMTP:
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


def _composed(message: Message, sender: str) -> EmailMessage:
    """The Message-ID is the delivery's, so that whoever gets it twice can tell."""
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = sender, message.to, message.subject
    mail["Date"] = formatdate(usegmt=True)
    mail["Message-ID"] = f"<{message.id}@{sender.rpartition('@')[2].rstrip('>')}>"
    mail["Auto-Submitted"] = "auto-generated"
    mail.set_content(message.text)
    return mail


def _refused(code: int, what: str) -> DeliveryError:
    return DeliveryError(f"The mail server refuses {what} ({code}).", permanent=code >= 500)
