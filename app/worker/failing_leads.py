"""Leads that a worker could not process. They are retried with pauses and a limit, as messages are."""

import logging
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime

from app.worker.leases import MESSAGES

logger = logging.getLogger(__name__)


@dataclass
class FailingLeads:
    """The leads that failed in one step of this worker. Other workers, and this one after a restart, do not know.

    A lead is given up with its fifth failure.
    """

    step: str
    """The work that failed, as the log names it."""
    _failures: Counter[int] = field(default_factory=Counter, init=False)
    _next_at: dict[int, datetime | None] = field(default_factory=dict, init=False)
    """When each lead is tried again. None if it has been given up."""

    def waiting(self, now: datetime) -> list[int]:
        """Return the ids of the leads that are not to be tried now."""
        return [lead_id for lead_id, next_at in self._next_at.items() if next_at is None or next_at > now]

    def next_attempt(self, after: datetime) -> datetime | None:
        """Return when the first lead is tried again after this time; None if there is none."""
        return min((at for at in self._next_at.values() if at is not None and at > after), default=None)

    def failed(self, lead_id: int, now: datetime) -> None:
        """Note a failure. The lead waits for the pause that follows it, or for ever after the last."""
        self._failures[lead_id] += 1
        failures = self._failures[lead_id]
        self._next_at[lead_id] = now + MESSAGES.pauses[failures - 1] if failures <= len(MESSAGES.pauses) else None
        if failures > len(MESSAGES.pauses):
            logger.error(
                "Lead %d: %s failed %d times. This worker does not try it again before it is restarted.",
                lead_id,
                self.step,
                failures,
            )

    def succeeded(self, lead_id: int) -> None:
        """Forget the failures of the lead."""
        self._failures.pop(lead_id, None)
        self._next_at.pop(lead_id, None)
