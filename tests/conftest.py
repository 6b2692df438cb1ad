"""Fixtures for all tests, and the table of what each folder of tests cost."""

import os
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tests.expected import Golden, golden_files
from tests.postgres import PostgresServer, start_server, stop_server

ROOT = Path(__file__).resolve().parent.parent

# Contracts are no test modules; without this a failed assert in one would not show its values.
pytest.register_assert_rewrite("tests.contracts")

# Wall-clock deadlines would make property tests depend on who else uses the machine. A run in CI
# is repeatable; LONG=1 looks further, for longer, and elsewhere each time.
settings.register_profile(
    "ci", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.register_profile(
    "long", deadline=None, max_examples=5000, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("long" if os.environ.get("LONG") else "ci")


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """A private PostgreSQL server for this test process; stopped at the end."""
    server, process = start_server()
    yield server
    stop_server(server, process)


@pytest.fixture(scope="session")
def postgres_url(postgres_server: PostgresServer) -> str:
    """SQLAlchemy URL of a database shared by the session: tests clean up in it after themselves."""
    return postgres_server.create_database()


@pytest.fixture
def postgres_database(postgres_server: PostgresServer) -> str:
    """SQLAlchemy URL of an empty database for one test."""
    return postgres_server.create_database()


@pytest.fixture(scope="session")
def golden() -> Golden:
    """The files of tests/golden; `make golden` writes them anew."""
    return golden_files()


@pytest.fixture(autouse=True)
def _no_settings_of_the_caller(monkeypatch: pytest.MonkeyPatch) -> None:
    """A test never sees the settings of the person who runs it."""
    for variable in [name for name in os.environ if name.startswith("READYSTATE_")]:
        monkeypatch.delenv(variable)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    seconds: dict[str, float] = defaultdict(float)
    tests: dict[str, int] = defaultdict(int)
    for outcome in ("passed", "failed", "error", "skipped"):
        for report in terminalreporter.stats.get(outcome, []):
            if isinstance(report, pytest.TestReport):
                kind = report.nodeid.split("/")[1] if report.nodeid.count("/") > 1 else "tests"
                seconds[kind] += report.duration
                tests[kind] += report.when == "call"
    if len(seconds) > 1:
        terminalreporter.section("where the time went (setup and teardown of passed tests apart)")
        for kind, spent_s in sorted(seconds.items(), key=lambda item: -item[1]):
            terminalreporter.write_line(f"{kind:<10} {tests[kind]:5d} tests {spent_s:8.1f} s")
