"""Texts and calls through Twilio's REST API.

Apprise speaks it too, but tells neither a passing failure from one for good nor how long Twilio wants to be left
alone, and blocks a thread meanwhile. https://www.twilio.com/docs/messaging/api/message-resource and
https://www.twilio.com/docs/voice/api/call-resource
"""

import asyncio
from typing import Any
from xml.etree.ElementTree import Element, SubElement, tostring

import httpx2

from app.access.claim_links import public_address
from app.config import Settings
from app.worker.channels.base import DeliveryError, Message
from app.worker.channels.retry_after import seconds_of

OURS = frozenset({401, 403, 404, 408, 429})
"""What an operator can mend, or time does; any other 4xx is about the message or the number, and for good."""


class Account:
    """Sends what people are told in one number's name. An attempt is given up after `seconds`."""

    def __init__(self, settings: Settings, seconds: float) -> None:
        assert settings.twilio_account_sid is not None
        assert settings.twilio_auth_token is not None
        sid, token = settings.twilio_account_sid, settings.twilio_auth_token.get_secret_value()
        self._settings = settings
        self._seconds = seconds
        self._http = httpx2.AsyncClient(
            base_url=f"{settings.twilio_url.rstrip('/')}/2010-04-01/Accounts/{sid}/",
            auth=(sid, token),
            timeout=seconds,
        )

    @property
    def answers(self) -> bool:
        """Whether Twilio can reach this server."""
        return self._settings.public_url is not None

    async def create(self, resource: str, message: Message, **form: str) -> None:
        """Makes a text or a call; how it ends is told to our address of receipts. DeliveryError."""
        receipts = public_address(self._settings, f"/twilio/receipts?delivery={message.id.removeprefix('delivery-')}")
        form |= {"To": message.to, "From": str(self._settings.twilio_from)}
        form |= {"StatusCallback": receipts} if receipts else {}
        try:
            async with asyncio.timeout(self._seconds):
                answer = await self._http.post(f"{resource}.json", data=form)
        except (TimeoutError, httpx2.TimeoutException) as error:
            raise DeliveryError("Twilio did not answer in time.") from error
        except httpx2.HTTPError as error:
            raise DeliveryError("The connection to Twilio failed.") from error
        if not answer.is_success:
            raise _refused(answer)

    async def close(self) -> None:
        await self._http.aclose()


class Texts:
    at_once = 10

    def __init__(self, account: Account) -> None:
        self._account = account
        self.answers = account.answers

    async def send(self, message: Message) -> None:
        await self._account.create("Messages", message, Body=message.text)

    async def close(self) -> None:
        await self._account.close()


class Calls:
    at_once = 10

    def __init__(self, account: Account) -> None:
        self._account = account
        self.answers = account.answers

    async def send(self, message: Message) -> None:
        await self._account.create("Calls", message, Twiml=_asking(message))

    async def close(self) -> None:
        await self._account.close()


def saying(text: str) -> str:
    """TwiML that speaks."""
    return _twiml("Say", text)


def texting(text: str | None) -> str:
    """TwiML that answers a text; None: not at all."""
    return _twiml("Message", text) if text else tostring(Element("Response"), "unicode")


def _asking(message: Message) -> str:
    """Speaks twice, and waits for a key where one can be pressed."""
    response = Element("Response")
    asked = {"numDigits": "1", "timeout": "10", "action": message.keys or "", "method": "POST"}
    spoken = SubElement(response, "Gather", asked) if message.keys else response
    SubElement(spoken, "Say", {"loop": "2"}).text = message.text
    return tostring(response, "unicode")


def _twiml(verb: str, text: str) -> str:
    response = Element("Response")
    SubElement(response, verb).text = text
    return tostring(response, "unicode")


def _refused(answer: httpx2.Response) -> DeliveryError:
    """In our words, with Twilio's number of the error. https://www.twilio.com/docs/api/errors"""
    permanent = answer.is_client_error and answer.status_code not in OURS
    what = "the message or the number" if permanent else "to take it now"
    return DeliveryError(
        f"Twilio refuses {what} ({_code(answer)}).", permanent=permanent, retry_after=seconds_of(answer)
    )


def _code(answer: httpx2.Response) -> int:
    try:
        told: Any = answer.json()
    except ValueError:
        return answer.status_code
    code = told.get("code") if isinstance(told, dict) else None
    return code if isinstance(code, int) else answer.status_code
