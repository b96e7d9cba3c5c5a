"""The changes of the last minute: which are kept, how they are merged, and when they are not all known."""

from datetime import timedelta

import pytest

from app.db.change_feed import LeadChange, OfferChange
from app.domain.enums import LeadOfferStatus
from app.errors import ApiError, Code
from app.graphql.subscriptions import recent_changes
from app.graphql.subscriptions.recent_changes import C, RecentChanges
from tests.support.world import NOW


class Clock:
    """A clock that the test moves."""

    def __init__(self) -> None:
        self.time = 1_000.0

    def __call__(self) -> float:
        return self.time


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def recent(clock: Clock) -> RecentChanges[OfferChange]:
    """Recent changes of a process that started a minute ago."""
    recent: RecentChanges[OfferChange] = RecentChanges(clock)
    clock.time += 61
    return recent


def change(offer_id: int, previous: LeadOfferStatus | None = None) -> OfferChange:
    return OfferChange(offer_id, 1, previous, NOW)


def last(recent: RecentChanges[C], seconds: float) -> dict[int, C]:
    """Return what has changed in the last seconds."""
    return recent.since(NOW - timedelta(seconds=seconds), NOW)


def assert_missed(recent: RecentChanges[OfferChange], seconds: float) -> None:
    with pytest.raises(ApiError, match="Subscribe without replaySince") as caught:
        last(recent, seconds)
    assert caught.value.code is Code.CHANGES_MISSED


def test_the_changes_of_the_last_seconds_in_order(clock: Clock, recent: RecentChanges[OfferChange]) -> None:
    for offer_id in range(70):
        clock.time += 1
        recent.add(change(offer_id))
    assert list(last(recent, 1.25)) == [68, 69]
    assert list(last(recent, 60)) == list(range(9, 70))


def test_only_the_changes_of_these_seconds_are_merged(clock: Clock, recent: RecentChanges[OfferChange]) -> None:
    """A client that knows the offer from before learns what has changed since."""
    recent.add(change(1))
    clock.time += 10
    recent.add(change(1, LeadOfferStatus.SCHEDULED))
    recent.add(change(1, LeadOfferStatus.SENT))
    assert last(recent, 5)[1].previous_status is LeadOfferStatus.SCHEDULED
    assert last(recent, 20)[1].previous_status is None


def test_a_lead_is_new_if_it_was_created_in_these_seconds(clock: Clock) -> None:
    recent: RecentChanges[LeadChange] = RecentChanges(clock)
    clock.time += 30
    recent.add(LeadChange(1, True, NOW))
    clock.time += 10
    recent.add(LeadChange(1, False, NOW + timedelta(seconds=10)))
    assert last(recent, 5) == {1: LeadChange(1, False, NOW + timedelta(seconds=10))}
    assert last(recent, 20) == {1: LeadChange(1, True, NOW + timedelta(seconds=10))}


def test_a_process_does_not_know_the_changes_before_its_start_or_a_gap(
    clock: Clock, recent: RecentChanges[OfferChange]
) -> None:
    assert last(recent, 60) == {}
    recent.add(change(1))
    recent.clear()
    assert_missed(recent, 1)
    clock.time += 2
    assert last(recent, 1.49) == {}
    assert_missed(recent, 1.5)  # the clock may be half a second behind that of the server which gave the time


def test_a_process_keeps_a_limited_number_of_changes(
    clock: Clock, recent: RecentChanges[OfferChange], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recent_changes, "MAX_KEPT", 5)
    for offer_id in range(8):
        clock.time += 1
        recent.add(change(offer_id))
    assert list(last(recent, 4)) == [3, 4, 5, 6, 7]
    assert_missed(recent, 5)


def test_too_many_changes_are_not_replayed(recent: RecentChanges[OfferChange], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recent_changes, "MAX_REPLAYED", 5)
    for offer_id in [*range(5), *range(5)]:
        recent.add(change(offer_id))
    assert len(last(recent, 1)) == 5
    recent.add(change(5))
    assert_missed(recent, 1)
