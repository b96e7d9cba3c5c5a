"""Rules of the whole test run: fixtures, markers, Hypothesis profiles, and no skipped test in CI."""

import os
import time
from collections.abc import Generator
from contextlib import ExitStack
from pathlib import Path

import pytest
from hypothesis import settings

TESTS = Path(__file__).parent

os.environ["TZ"] = "Asia/Kathmandu"  # nothing may depend on the time zone of the machine
time.tzset()

settings.register_profile("quick", max_examples=5, deadline=None)

ON_POSTGRESQL = [
    *("process/test_faults.py", "process/test_package.py", "process/test_pgbouncer.py", "process/test_shutdown.py"),
    *("process/test_standby.py", "process/test_tracing.py"),
    *("commands/test_lock_order.py", "lists/test_page_reads.py"),
    *("graphql/test_schemathesis.py", "rest/test_openapi.py"),
]
"""Tests that take long and are about PostgreSQL, or about no database: then PostgreSQL, which is the stricter one."""
ON_SQLITE = [
    *("process/test_redis.py", "process/test_rolling_restart.py"),
    *("access/test_identity.py", "graphql/test_clients.py", "graphql/test_complexity.py", "graphql/test_graphiql.py"),
    *("graphql/test_http.py", "graphql/test_protocol.py", "http/test_twilio_callbacks.py"),
    *("worker/channels/test_twilio.py", "docs/test_monitoring.py", "web/test_lighthouse.py"),
]
"""Tests of tokens, protocols and other services, which are the same on both databases."""
collect_ignore = ON_SQLITE if os.environ.get("LEAD_OFFERS_TEST_DATABASE") == "postgresql" else ON_POSTGRESQL


@pytest.hookimpl(tryfirst=True)
def pytest_sessionstart(session: pytest.Session) -> None:
    """Start the PostgreSQL server that all pytest-xdist workers of this run share.

    The workers inherit its URL from the environment of the process that starts them.
    """
    if os.environ.get("LEAD_OFFERS_TEST_DATABASE") != "postgresql" or "LEAD_OFFERS_TEST_DATABASE_URL" in os.environ:
        return
    from tests.support.databases import UNSAFE_BUT_FAST, postgresql  # noqa: PLC0415  a run on SQLite does not need it

    stack = ExitStack()
    session.config.add_cleanup(stack.close)
    server = stack.enter_context(postgresql(UNSAFE_BUT_FAST))
    os.environ["LEAD_OFFERS_TEST_DATABASE_URL"] = server.get_uri(driver="asyncpg")


def pytest_xdist_auto_num_workers() -> int:
    """Run one worker more than there are processors: tests wait for timers, locks and other processes."""
    return (os.cpu_count() or 1) + 1


def pytest_collectstart(collector: pytest.Collector) -> None:
    """Load the fixtures of the server and its database before the first test file outside of tests/domain.

    They import the whole server, which takes two seconds. The tests of the domain do without them.
    """
    if isinstance(collector, pytest.Module) and not collector.path.is_relative_to(TESTS / "domain"):
        collector.config.pluginmanager.import_plugin("tests.support.fixtures")


def pytest_itemcollected(item: pytest.Item) -> None:
    """Mark the tests with processes, which run one after the other in one of the workers of pytest-xdist.

    They mostly wait. The other workers keep the processors busy meanwhile.
    """
    if item.path.is_relative_to(TESTS / "process"):
        item.add_marker(pytest.mark.process)
    if item.get_closest_marker("process"):
        item.add_marker(pytest.mark.xdist_group("process"))
    if item.get_closest_marker("slow"):
        item.add_marker(pytest.mark.timeout(600))


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """On PostgreSQL leave out what has nothing to do with the database, except tests that start processes.

    Those are the tests that use no database, and those with the marker `page`.

    On SQLite refuse tests of PostgreSQL that were named on the command line.
    """

    def needs_postgresql(item: pytest.Item) -> bool:
        return item.path.relative_to(TESTS).as_posix() in ON_POSTGRESQL

    def has_run_on_sqlite(item: pytest.Item) -> bool:
        is_about_database = "clone" in getattr(item, "fixturenames", ()) and not item.get_closest_marker("page")
        return not is_about_database and not needs_postgresql(item) and "process" not in item.keywords

    if os.environ.get("LEAD_OFFERS_TEST_DATABASE") != "postgresql":
        refused = {item.path.name for item in items if needs_postgresql(item)}
        if refused:
            raise pytest.UsageError(f"{', '.join(sorted(refused))} needs LEAD_OFFERS_TEST_DATABASE=postgresql")
        return

    repeated = [item for item in items if has_run_on_sqlite(item)]
    items[:] = [item for item in items if not has_run_on_sqlite(item)]
    config.hook.pytest_deselected(items=repeated)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Fail a test that is skipped in CI, where everything that the tests need is installed."""
    report = yield
    if report.skipped and os.environ.get("CI") == "true" and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"skipped in CI: {report.longrepr}"
    return report
