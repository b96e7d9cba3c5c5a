"""The part of Twilio's API that the server uses, on loopback: keeps the requests, and fails on demand."""

import asyncio
import base64
import hashlib
import hmac
import json
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl
from xml.etree import ElementTree

from app.config import Settings

SID, TOKEN, NUMBER = "AC00", "the token of the account", "+12025550100"
TWILIO: Mapping[str, Any] = {"twilio_account_sid": SID, "twilio_auth_token": TOKEN, "twilio_from": NUMBER}
"""The settings of a Twilio account, without the URL of the API."""


@dataclass(frozen=True)
class Sent:
    """A request to send an SMS or to make a call."""

    path: str
    headers: Mapping[str, str]
    form: Mapping[str, str]

    @property
    def twiml(self) -> ElementTree.Element:
        return ElementTree.fromstring(self.form["Twiml"])


@dataclass
class Provider:
    """`asked` has all requests, `sent` those that were accepted.

    `answer` returns the response to a request, or None to hang up in the middle of the response. While `is_silent` is
    set, the server does not respond at all.
    """

    url: str = ""
    asked: list[Sent] = field(default_factory=list)
    sent: list[Sent] = field(default_factory=list)
    answer: Callable[[Sent], bytes | None] = lambda _sent: answering(201, {"sid": "SM1", "status": "queued"})
    is_silent: bool = False

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while head := (await _until_blank_line(reader)).decode():
            request, *lines = head.splitlines()
            headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines if line)}
            body = (await reader.readexactly(int(headers.get("content-length", 0)))).decode()
            self.asked.append(sent := Sent(request.split()[1], headers, dict(parse_qsl(body))))
            if self.is_silent:
                await reader.read()
                break
            answer = self.answer(sent)
            if answer is None:
                writer.write(b"HTTP/1.1 201 Created\r\nContent-Length: 100\r\n\r\n{")
                break
            if answer.startswith(b"HTTP/1.1 201"):
                self.sent.append(sent)
            writer.write(answer)
        writer.close()


async def _until_blank_line(reader: asyncio.StreamReader) -> bytes:
    try:
        return await reader.readuntil(b"\r\n\r\n")
    except (asyncio.IncompleteReadError, ConnectionError):
        return b""


def answering(status: int, body: object, **headers: str) -> bytes:
    """Return an HTTP response with a JSON body; headers as `Retry_After="5"`."""
    content = json.dumps(body).encode()
    lines = [f"HTTP/1.1 {status} .", f"Content-Length: {len(content)}", "Content-Type: application/json"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode() + content


@asynccontextmanager
async def provider() -> AsyncIterator[Provider]:
    """Run the API on a free port."""
    api = Provider()
    server = await asyncio.start_server(api.serve, "127.0.0.1", 0)
    host, port = server.sockets[0].getsockname()
    api.url = f"http://{host}:{port}"
    try:
        yield api
    finally:
        server.close()


def with_twilio(settings: Settings, url: str = "http://127.0.0.1:1", **more: Any) -> Settings:
    """Return the settings with a Twilio account added."""
    return Settings.model_validate(settings.model_dump() | dict(TWILIO) | {"twilio_url": url} | more)


def sign(address: str, form: Mapping[str, str], token: str = TOKEN) -> dict[str, str]:
    """Return the header with which Twilio signs a request to the address."""
    text = address + "".join(name + form[name] for name in sorted(form))
    digest = hmac.new(token.encode(), text.encode(), hashlib.sha1).digest()
    return {"X-Twilio-Signature": base64.b64encode(digest).decode()}
