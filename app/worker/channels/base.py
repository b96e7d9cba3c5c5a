"""The interface of every channel, and the one error with which it reports that a message could not be sent."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from app.domain.enums import Channel

_DELIVERY = "delivery-"


def delivery_message_id(delivery_id: int) -> str:
    """Return the id of a delivery's message. `Message.delivery_id` reads it again."""
    return f"{_DELIVERY}{delivery_id}"


@dataclass(frozen=True, slots=True)
class Message:
    """A message to one recipient. `id` is the same for every attempt, so that duplicates can be recognized."""

    id: str
    to: str
    subject: str
    text: str
    keypress_url: str | None = None
    """For a call: the URL that receives the pressed key. None if the call asks for no key."""

    @property
    def delivery_id(self) -> str:
        """The id of the delivery of a message to a member. Messages to others have none, and are e-mails."""
        return self.id.removeprefix(_DELIVERY)


class DeliveryError(Exception):
    """A failed attempt.

    `reason` is shown to users: it is in our own words and never contains an address, a phone number or the provider's
    text. A permanent failure is not retried. `retry_after` is the pause that the provider asked for, in seconds.
    """

    def __init__(self, reason: str, *, permanent: bool = False, retry_after: float | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.permanent = permanent
        self.retry_after = retry_after


class DeliveryChannel(Protocol):
    """Sends messages of one or more kinds.

    `max_concurrent` is how many messages one worker sends at the same time in one batch. `accepts_replies` says whether
    recipients can reply to a text or press a key during a call.
    """

    max_concurrent: int
    accepts_replies: bool

    async def send(self, message: Message) -> None:
        """Return once the provider has accepted the message; raise DeliveryError otherwise."""

    async def close(self) -> None:
        """Close the connections to the provider."""


Channels = Mapping[Channel, DeliveryChannel]


class UnconfiguredChannel:
    """Stands in for a channel that is not set up: every attempt fails permanently."""

    max_concurrent = 50
    accepts_replies = False

    def __init__(self, kind: Channel) -> None:
        self.kind = kind

    async def send(self, message: Message) -> None:
        raise DeliveryError(f"This server is not configured to send messages by {self.kind.lower()}.", permanent=True)

    async def close(self) -> None:
        pass
