"""The console channel: writes messages to the log, for demos and for development."""

import logging

from app.domain.printable import printable
from app.worker.channels.base import Message

logger = logging.getLogger(__name__)


class ConsoleChannel:
    max_concurrent = 50
    accepts_replies = False

    async def send(self, message: Message) -> None:
        logger.info("To %s: %s\n%s", printable(message.to), printable(message.subject), printable(message.text, "\n"))

    async def close(self) -> None:
        pass
