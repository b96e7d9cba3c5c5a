"""What sends messages: one small interface, and the failures that say whether to try again."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from app.domain.enums import Channel


@dataclass(frozen=True, slots=True)
class Message:
    """What one user is told on one channel. `id` stays the same however often it is sent."""

    id: str
    to: str
    subject: str
    text: str
    keys: str | None = None
    """In a call, the address that is told which key was pressed."""


class DeliveryError(Exception):
    """An attempt that failed, in our own words: never an address, a number or what the provider said.

    A permanent failure is not tried again; a provider may say in `retry_after` (seconds) how long to leave it alone.
    """

    def __init__(self, reason: str, *, permanent: bool = False, retry_after: float | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.permanent = permanent
        self.retry_after = retry_after


class Sender(Protocol):
    """Sends messages of one kind.

    `at_once` is how many it takes at the same time, `answers` whether people can answer where they were told: reply to
    a text, press a key in a call.
    """

    at_once: int
    answers: bool

    async def send(self, message: Message) -> None:
        """Returns once the provider has taken the message over. DeliveryError if it has not."""

    async def close(self) -> None:
        """Gives its connections back."""


Senders = Mapping[Channel, Sender]


class Unconfigured:
    """Stands for a channel that this server was given no means for."""

    at_once = 50
    answers = False

    def __init__(self, channel: Channel) -> None:
        self.channel = channel

    async def send(self, message: Message) -> None:
        raise DeliveryError(f"This server is not set up to reach anybody by {self.channel.lower()}.", permanent=True)

    async def close(self) -> None:
        pass
