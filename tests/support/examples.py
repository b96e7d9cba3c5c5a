"""Hypothesis settings for tests that use a database."""

from hypothesis import HealthCheck, settings


def examples(number: int) -> settings:
    """Return settings for this number of examples, or a tenth of it in the profile `quick`, which scripts/unit uses.

    All examples of a test share its database, which is too slow for Hypothesis' deadline.
    """
    is_quick = settings.get_current_profile_name() == "quick"
    return settings(
        max_examples=number // 10 if is_quick else number,
        deadline=None,
        suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    )
