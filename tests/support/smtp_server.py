"""An SMTP server on loopback that keeps the e-mails it receives, and fails on demand."""

import asyncio
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult

from tests.support.processes import free_port


class Mailbox:
    """The server's e-mails, in the order of their arrival.

    `answer` returns the SMTP response to an e-mail, or None to accept it. While `is_silent` is set, the server does not
    respond at all. `begun` counts all e-mails, accepted or not. `received` has the recipients and the bytes of each
    accepted e-mail.
    """

    def __init__(self) -> None:
        self.mails: list[EmailMessage] = []
        self.received: list[tuple[list[str], bytes]] = []
        self.answer: Callable[[EmailMessage], str | None] = lambda _mail: None
        self.url = ""
        self.is_silent = False
        self.begun = 0

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:  # noqa: N802  aiosmtpd's name
        mail = message_from_bytes(envelope.content, policy=policy.default)
        assert isinstance(mail, EmailMessage)
        self.begun += 1
        while self.is_silent:  # noqa: ASYNC110  set from another thread
            await asyncio.sleep(0.02)
        refusal = self.answer(mail)
        if refusal is None:
            self.mails.append(mail)
            self.received.append((envelope.rcpt_tos, envelope.content))
        return refusal or "250 OK"

    def ids(self) -> list[str]:
        """Return the Message-IDs. Not a property: aiosmtpd reads those of its handler for each connection."""
        return [str(mail["Message-ID"]) for mail in self.mails]


@contextmanager
def mailbox(
    *, smtputf8: bool = True, tls: ssl.SSLContext | None = None, account: tuple[bytes, bytes] | None = None
) -> Iterator[Mailbox]:
    """Run the server on a free port, with or without the SMTPUTF8 extension.

    With `tls` it offers STARTTLS, and with an `account`, which needs `tls`, a user has to sign in.
    """
    box = Mailbox()
    port = free_port()
    options: dict[str, Any] = {"enable_SMTPUTF8": smtputf8, "tls_context": tls}
    if account is not None:
        options |= {"auth_required": True, "authenticator": lambda *given: _authenticate(given[-1], account)}
    controller = _Controller(box, hostname="127.0.0.1", port=port, **options)
    controller.start()
    box.url = f"smtp://127.0.0.1:{port}"
    try:
        yield box
    finally:
        controller.stop()


class _Controller(Controller):
    """Ends the connections before the event loop: aiosmtpd leaves them open, which Python warns of in a later test."""

    def __init__(self, *all_: Any, **options: Any) -> None:
        super().__init__(*all_, **options)
        self._connections: list[SMTP] = []

    def factory(self) -> SMTP:
        connection = SMTP(self.handler, **self.SMTP_kwargs)
        self._connections.append(connection)
        return connection

    def stop(self, no_assert: bool = False) -> None:
        asyncio.run_coroutine_threadsafe(self._end_connections(), self.loop).result()
        super().stop(no_assert)

    async def _end_connections(self) -> None:
        for connection in self._connections:
            if isinstance(connection.transport, asyncio.WriteTransport):
                connection.transport.abort()
        await asyncio.sleep(0)  # they end in the next round of the event loop


def _authenticate(given: Any, account: tuple[bytes, bytes]) -> AuthResult:
    return AuthResult(success=(given.login, given.password) == account, handled=False)
