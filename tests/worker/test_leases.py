"""The pauses between attempts."""

from datetime import timedelta

from app.worker.channels.base import DeliveryError
from app.worker.leases import PAUSES, pause_after

MINUTE = timedelta(minutes=1)


def test_pauses_grow_and_add_up_to_half_an_hour() -> None:
    failure = DeliveryError("no")
    assert sum(PAUSES, timedelta()) == 30 * MINUTE
    assert [pause_after(n, failure, 0.5) for n in range(1, 6)] == [*PAUSES, None]
    assert [pause_after(1, failure, luck) for luck in (0, 1)] == [timedelta(seconds=48), timedelta(seconds=72)]
    assert pause_after(1, DeliveryError("no", permanent=True), 0.5) is None
    assert pause_after(1, DeliveryError("no", retry_after=600), 0.5) == 10 * MINUTE
    assert pause_after(1, DeliveryError("no", retry_after=1), 0.5) == MINUTE
