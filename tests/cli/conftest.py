"""Commands run in the process of the tests, and configure its logging."""

import pytest


@pytest.fixture(autouse=True)
def _restored_logging(_root_logger: None) -> None:
    """Restore the logging after each test: its handler writes to a standard error that the test has closed."""
