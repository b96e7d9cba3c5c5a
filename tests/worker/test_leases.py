"""The pauses between attempts."""

from datetime import timedelta

import pytest

from app.worker.channels.base import DeliveryError
from app.worker.leases import MESSAGES, RetrySchedule
from app.worker.webhook_events import RETRIES

MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)


def test_pauses_grow_and_add_up_to_half_an_hour() -> None:
    failure = DeliveryError("no")
    assert sum(MESSAGES.pauses, timedelta()) == 30 * MINUTE
    assert [MESSAGES.pause_after(n, failure, 0.5) for n in range(1, 6)] == [*MESSAGES.pauses, None]
    assert [MESSAGES.pause_after(1, failure, luck) for luck in (0, 1)] == [
        timedelta(seconds=48),
        timedelta(seconds=72),
    ]
    assert MESSAGES.pause_after(1, DeliveryError("no", retry_after=1), 0.5) == MINUTE


def test_events_are_retried_for_three_days() -> None:
    pauses = [timedelta(seconds=5), 5 * MINUTE, 30 * MINUTE, *(n * HOUR for n in (2, 5, 10, 14, 20, 24))]
    failure = DeliveryError("no")
    for luck, share in ((0, 0.9), (0.5, 1), (1, 1.1)):
        assert [RETRIES.pause_after(n, failure, luck) for n in range(1, 11)] == [
            *(pytest.approx(pause * share, abs=timedelta(microseconds=2)) for pause in pauses),
            None,
        ]


@pytest.mark.parametrize("schedule", [MESSAGES, RETRIES])
def test_what_the_provider_says_counts(schedule: RetrySchedule) -> None:
    assert schedule.pause_after(1, DeliveryError("no", permanent=True), 0.5) is None
    assert schedule.pause_after(1, DeliveryError("no", retry_after=600), 0) == 10 * MINUTE
