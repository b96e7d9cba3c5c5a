"""Texts and calls through Twilio's REST API.

Apprise also supports Twilio, but it does not distinguish temporary from permanent failures, ignores `Retry-After` and
blocks a thread. https://www.twilio.com/docs/messaging/api/message-resource and
https://www.twilio.com/docs/voice/api/call-resource
"""

import asyncio
from typing import Any
from xml.etree.ElementTree import Element, SubElement, tostring

import httpx2

from app.access.claim_links import public_address
from app.config import Settings
from app.worker.channels.base import DeliveryError, Message
from app.worker.channels.http_client import http_client
from app.worker.channels.retry_after import retry_after

RECEIPTS = "/twilio/receipts"
"""The path to which Twilio reports what became of a message."""

TEMPORARY = frozenset({401, 403, 404, 408, 429})
"""Client errors that time or an operator can resolve. All others concern the message or the number: permanent."""


class TwilioAccount:
    """A Twilio account and the number that it sends from. An attempt times out after `seconds`."""

    def __init__(self, settings: Settings, seconds: float) -> None:
        assert settings.twilio_account_sid is not None
        assert settings.twilio_auth_token is not None
        sid, token = settings.twilio_account_sid, settings.twilio_auth_token.get_secret_value()
        self._settings = settings
        self._seconds = seconds
        self._account = f"{settings.twilio_url.rstrip('/')}/2010-04-01/Accounts/{sid}"
        self._http = http_client(auth=(sid, token), timeout=seconds)

    @property
    def accepts_replies(self) -> bool:
        """Whether this server has a public URL at which Twilio can reach it."""
        return self._settings.public_url is not None

    async def create(self, resource: str, message: Message, **form: str) -> None:
        """Create a text or a call, and ask Twilio to report its delivery status. Raises DeliveryError."""
        form |= {"To": message.to, "From": str(self._settings.twilio_from)}
        callback = self.receipt_url(message)
        form |= {"StatusCallback": callback} if callback else {}
        await self._request("POST", f"{self._account}/{resource}.json", data=form)

    async def check(self) -> str:
        """Sign in and read the account, without sending anything. Return what was found; raise DeliveryError."""
        response = await self._request("GET", f"{self._account}.json")
        try:
            account: Any = response.json()
        except ValueError:
            account = None
        status = account.get("status") if isinstance(account, dict) else None
        if status != "active":
            raise DeliveryError(f"The status of the Twilio account is {status!r} and not 'active'.")
        trial = ", a trial account, which reaches verified numbers only" if account.get("type") == "Trial" else ""
        return f"signed in, account active{trial}"

    async def _request(self, method: str, url: str, **options: Any) -> httpx2.Response:
        try:
            async with asyncio.timeout(self._seconds):
                response = await self._http.request(method, url, **options)
        except (TimeoutError, httpx2.TimeoutException) as error:
            raise DeliveryError("Twilio did not respond in time.") from error
        except httpx2.HTTPError as error:
            raise DeliveryError("The connection to Twilio failed.") from error
        if not response.is_success:
            raise _refused(response)
        return response

    def receipt_url(self, message: Message) -> str | None:
        """Return the URL to which Twilio reports what became of the message; None without a public URL."""
        return public_address(self._settings, f"{RECEIPTS}?delivery={message.delivery_id}")

    async def close(self) -> None:
        await self._http.aclose()


class TextChannel:
    max_concurrent = 10

    def __init__(self, account: TwilioAccount) -> None:
        self.account = account
        self.accepts_replies = account.accepts_replies

    async def send(self, message: Message) -> None:
        await self.account.create("Messages", message, Body=message.text)

    async def close(self) -> None:
        await self.account.close()


class CallChannel:
    max_concurrent = 10

    def __init__(self, account: TwilioAccount) -> None:
        self._account = account
        self.accepts_replies = account.accepts_replies

    async def send(self, message: Message) -> None:
        form = {"Twiml": _call_twiml(message)}
        if callback := self._account.receipt_url(message):  # beside the call, which does not wait for it
            form |= {"MachineDetection": "Enable", "AsyncAmd": "true", "AsyncAmdStatusCallback": callback}
        await self._account.create("Calls", message, **form)

    async def close(self) -> None:
        await self._account.close()


def speech_twiml(text: str) -> str:
    """Return TwiML that speaks the text."""
    return _twiml("Say", text)


def reply_twiml(text: str | None) -> str:
    """Return TwiML that replies with a text, or with nothing if it is None."""
    return _twiml("Message", text) if text else tostring(Element("Response"), "unicode")


def _call_twiml(message: Message) -> str:
    """Speak the text twice, and wait for a key if the message asks for one."""
    response = Element("Response")
    gather = {"numDigits": "1", "timeout": "10", "action": message.keypress_url or "", "method": "POST"}
    spoken = SubElement(response, "Gather", gather) if message.keypress_url else response
    SubElement(spoken, "Say", {"loop": "2"}).text = message.text
    return tostring(response, "unicode")


def _twiml(verb: str, text: str) -> str:
    response = Element("Response")
    SubElement(response, verb).text = text
    return tostring(response, "unicode")


def _refused(response: httpx2.Response) -> DeliveryError:
    """Return our own words with Twilio's error code. https://www.twilio.com/docs/api/errors"""
    permanent = response.is_client_error and response.status_code not in TEMPORARY
    what = "the message or the number" if permanent else "the request for now"
    return DeliveryError(
        f"Twilio rejected {what} ({_error_code(response)}).", permanent=permanent, retry_after=retry_after(response)
    )


def _error_code(response: httpx2.Response) -> int:
    try:
        body: Any = response.json()
    except ValueError:
        return response.status_code
    code = body.get("code") if isinstance(body, dict) else None
    return code if isinstance(code, int) else response.status_code
