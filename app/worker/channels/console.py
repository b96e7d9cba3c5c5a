"""The console: messages go to the log, for demos and for trying things out."""

import logging

from app.worker.channels.base import Message

logger = logging.getLogger(__name__)


class Console:
    at_once = 50
    answers = False

    async def send(self, message: Message) -> None:
        logger.info("To %s: %s\n%s", message.to, message.subject, message.text)

    async def close(self) -> None:
        pass
