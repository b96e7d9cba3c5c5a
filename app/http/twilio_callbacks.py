"""Callbacks from Twilio: delivery status of texts and calls, pressed keys, and incoming texts.

Each request is signed with the account's token, over the URL as Twilio knows it and all form fields.
https://www.twilio.com/docs/usage/security
"""

import hmac
import re
from base64 import b64encode
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha1
from urllib.parse import parse_qsl

from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from app.access.claim_links import PRESSED_KEYS, public_address, read_link
from app.commands.delivery_status import record_delivery_status
from app.commands.replies import TextReplyWords, claim_by_reply, is_repeated, match_text_reply, remember_text_reply
from app.commands.text_opt_outs import has_opted_out, opt_in_to_texts, opt_out_of_texts
from app.config import Settings
from app.db.engine import Database
from app.db.models import Contact, Lead, User
from app.domain.enums import ClaimedVia
from app.domain.identifiers import parse_id
from app.errors import DATABASE_FAILURES, ApiError, Code
from app.http.request_body import read_body
from app.observability import requests
from app.worker import messages
from app.worker.channels.twilio import RECEIPTS, reply_twiml, speech_twiml

Form = Mapping[str, str]

DELIVERED = frozenset({"delivered", "read", "completed"})
UNDELIVERED = {
    "undelivered": "The text could not be delivered",
    "failed": "Twilio could not send it",
    "busy": "The line was busy",
    "no-answer": "Nobody answered the call",
    "canceled": "The call was cancelled",
    "machine": "An answering machine took the call",
}
"""Final statuses of a text or a call, and what took a call that nobody answered. All others are ignored."""

MACHINES = ("machine", "fax")
"""How the values of AnsweredBy begin that are no person. https://www.twilio.com/docs/voice/answering-machine-detection"""

CLAIM = re.compile(r"(?:1|YES)(?:[\s,]+#?(?P<lead>[0-9]{1,19}))?(?:[\s,]+(?P<name>.+))?", re.IGNORECASE | re.DOTALL)
"""A text that claims: `1`, `yes`, `1 4711` names a lead, and `1 4711 Ann` a person too."""
STOP = frozenset({"STOP", "STOPALL", "UNSUBSCRIBE", "CANCEL", "END", "QUIT", "REVOKE", "OPTOUT"})
START = frozenset({"START", "UNSTOP"})
"""Words of incoming texts, in capitals. Twilio itself reacts to the STOP and START words, and to YES as to START."""


@dataclass(frozen=True, slots=True)
class Callbacks:
    """The handlers. `clock` returns the current time in UTC."""

    db: Database
    settings: Settings
    clock: Callable[[], datetime]

    async def receipt(self, request: Request, form: Form) -> Response:
        """Record how a text or call ended, or that a machine took the call: `/twilio/receipts?delivery=7`."""
        status = form.get("MessageStatus") or form.get("CallStatus", "")
        if form.get("AnsweredBy", "").startswith(MACHINES):
            status = "machine"
        delivery_id = parse_id(request.query_params.get("delivery", ""))
        if delivery_id is not None and (status in DELIVERED or status in UNDELIVERED):
            failure = None if status in DELIVERED else _failure(status, form.get("ErrorCode", ""))
            now = self.clock()
            await self.db.in_transaction(lambda session: record_delivery_status(session, delivery_id, failure, now))
        return Response(status_code=204)

    async def key(self, request: Request, form: Form) -> Response:
        """Claim the lead if 1 was pressed during a call: `/twilio/keys?link=…`. Other keys do nothing."""
        now = self.clock()
        link = read_link(self.settings, request.query_params.get("link", ""), now)
        if link is None or form.get("Digits") != "1":
            return _twiml(speech_twiml(messages.NOTHING_DONE))
        return _twiml(speech_twiml(await self._claim(link.offer_id, link.via, now)))

    async def reply(self, _request: Request, form: Form) -> Response:
        """Handle an incoming text: `/twilio/texts`. Phone numbers of no user get no reply."""
        phone, said, now = form.get("From", ""), form.get("Body", "").strip(" \t\r\n.!"), self.clock()
        word = said.upper()
        if not await self._is_known(phone):
            reply = None
        elif word in START or (word == "YES" and await self._has_opted_out(phone)):
            reply = await self._allow_texts(_reply_id(form), phone, now)
        elif claim := CLAIM.fullmatch(said):
            lead_id, name = claim["lead"], claim["name"]
            words = TextReplyWords(_reply_id(form), phone, int(lead_id) if lead_id else None, name and name.strip())
            reply = await self._claim_by_reply(words, now)
        elif _is_stop(word):
            await self.db.in_transaction(lambda session: opt_out_of_texts(session, phone, now))
            reply = None  # Twilio itself confirms it
        else:
            reply = messages.HOW_TO_REPLY
        return _twiml(reply_twiml(reply))

    async def _is_known(self, phone: str) -> bool:
        async with self.db.read() as session:
            return (await session.exec(select(User.id).where(col(User.phone) == phone).limit(1))).first() is not None

    async def _has_opted_out(self, phone: str) -> bool:
        """Whether a user with this number gets no texts, so that YES means START."""
        found = select(User.id).where(col(User.phone) == phone, has_opted_out()).limit(1)
        async with self.db.read() as session:
            return (await session.exec(found)).first() is not None

    async def _allow_texts(self, reply_id: str, phone: str, now: datetime) -> str | None:
        """Send texts to the number again, and return the reply.

        A repeated report changes nothing: after a STOP in the meantime, texts stay off. Nor does a YES claim anything
        when it is reported again and texts are on.
        """

        async def allow(session: AsyncSession) -> None:
            if not await is_repeated(session, reply_id):
                await remember_text_reply(session, reply_id, None, now)
                await opt_in_to_texts(session, phone)

        await self.db.in_transaction(allow)
        return None if await self._has_opted_out(phone) else messages.TEXTS_AGAIN

    async def _claim_by_reply(self, reply: TextReplyWords, now: datetime) -> str:
        """Claim the offer that the text names. A transaction of its own stores which, and survives a failed claim."""
        match = await self.db.in_transaction(lambda session: match_text_reply(session, reply, now))
        if match.offer_id is not None:
            return await self._claim(match.offer_id, ClaimedVia.TEXT, now)
        if match.choices:
            return messages.which_lead(match.choices) if match.is_shared else messages.HOW_TO_REPLY
        return messages.NOTHING_OPEN if reply.lead_id is None else messages.NOT_OPEN

    async def _claim(self, offer_id: int, via: ClaimedVia, now: datetime) -> str:
        async def claim(session: AsyncSession) -> str:
            offer = await claim_by_reply(session, offer_id, via, now)
            found = select(Lead, Contact).join(Contact).where(col(Lead.id) == offer.lead_id)
            return messages.claimed(*(await session.exec(found)).one())

        try:
            return await self.db.in_transaction(claim)
        except ApiError as error:
            if error.code in DATABASE_FAILURES:
                raise
            return messages.TAKEN if error.code is Code.ALREADY_CLAIMED else messages.NOT_OPEN


def twilio_routes(db: Database, settings: Settings, clock: Callable[[], datetime]) -> list[Route]:
    """Return the routes; none unless both the Twilio account and the public URL are configured."""
    if settings.twilio_auth_token is None or settings.public_url is None:
        return []
    token, callbacks = settings.twilio_auth_token.get_secret_value(), Callbacks(db, settings, clock)

    def route(path: str, handler: Callable[[Request, Form], Awaitable[Response]]) -> Route:
        async def handle(request: Request) -> Response:
            requests.current().operation = f"POST {path}"
            form = await _read_signed_form(request, settings, token)
            return await handler(request, form)

        return Route(path, handle, methods=["POST"])

    return [
        route(RECEIPTS, callbacks.receipt),
        route(PRESSED_KEYS, callbacks.key),
        route("/twilio/texts", callbacks.reply),
    ]


async def _read_signed_form(request: Request, settings: Settings, token: str) -> Form:
    """Return the form fields. FORBIDDEN unless Twilio has signed them, BAD_REQUEST as `read_body`."""
    body = (await read_body(request, settings)).decode(errors="replace")
    form = dict(parse_qsl(body, keep_blank_values=True))
    query = request.scope["query_string"].decode()
    address = public_address(settings, request.url.path + (f"?{query}" if query else "")) or ""
    sent = request.headers.get("x-twilio-signature", "")
    if not hmac.compare_digest(signature(token, address, form).encode(), sent.encode()):
        raise ApiError(Code.FORBIDDEN, "The X-Twilio-Signature header is missing or does not match this request.")
    return form


def signature(token: str, address: str, form: Form) -> str:
    """Return Twilio's signature of a request to the address."""
    signed = address + "".join(f"{name}{form[name]}" for name in sorted(form))
    return b64encode(hmac.digest(token.encode(), signed.encode(), sha1)).decode()


def _reply_id(form: Form) -> str:
    """Return Twilio's id of an incoming text. Raises ApiError BAD_REQUEST if the form has none."""
    if not form.get("MessageSid"):
        raise ApiError(Code.BAD_REQUEST, "The form has no field MessageSid.")
    return form["MessageSid"]


def _is_stop(text: str) -> bool:
    """Whether a text in capitals is a STOP word, with any punctuation: people also write `OPT OUT` and `"STOP"`."""
    return re.sub(r"[\W_]", "", text) in STOP


def _failure(status: str, code: str) -> str:
    """Return the reason of a failed delivery, with Twilio's error code if there is one."""
    return f"{UNDELIVERED[status]} ({code})." if code.isascii() and code.isdigit() else f"{UNDELIVERED[status]}."


def _twiml(text: str) -> Response:
    return Response(text, media_type="text/xml")
