"""The circuit breaker by itself: when it allows calls."""

from app.access.circuit_breaker import CircuitBreaker


def test_after_a_failure_one_call_per_pause_is_allowed_until_one_succeeds() -> None:
    now = 100.0
    breaker = CircuitBreaker(pause=2, clock=lambda: now)
    assert [breaker.allows_call() for _ in range(3)] == [True] * 3
    breaker.failed()
    assert not breaker.allows_call()
    now = 101.9
    assert not breaker.allows_call()
    now = 102.0
    assert [breaker.allows_call() for _ in range(3)] == [True, False, False]
    breaker.failed()
    now = 104.0
    assert [breaker.allows_call() for _ in range(3)] == [True, False, False]
    breaker.succeeded()
    assert [breaker.allows_call() for _ in range(3)] == [True] * 3


def test_a_call_that_is_cancelled_is_followed_by_another_after_the_pause() -> None:
    now = 100.0
    breaker = CircuitBreaker(pause=2, clock=lambda: now)
    breaker.failed()
    now = 102.0
    assert breaker.allows_call()  # and neither `succeeded` nor `failed`
    now = 104.0
    assert breaker.allows_call()
