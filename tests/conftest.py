"""What every test run shares: Hypothesis profiles, and the closing list of what was skipped and why."""

import os
import random
import sys
from collections import Counter

import pytest
from hypothesis import HealthCheck, settings

from tests.kit.in_process import undo_a_command
from tests.kit.peer import MISSING

pytest_plugins = ["tests.kit.databases"]

# Tests start hundreds of processes: where the environment forbids to keep bytecode, each would compile everything anew.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

# A busy machine must not fail a property: no deadline anywhere. `ci` and `seeded` play the same examples each time.
settings.register_profile("default", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile(
    "ci", deadline=None, derandomize=True, max_examples=60, suppress_health_check=[HealthCheck.too_slow]
)
settings.register_profile("fuzz", deadline=None, max_examples=20_000, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile(
    "seeded", deadline=None, derandomize=True, max_examples=1_000, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci"))


def pytest_addoption(parser: pytest.Parser) -> None:
    """What `make crash` raises: how often a process is killed, and which moments chance picks."""
    group = parser.getgroup("crash")
    group.addoption("--kills", type=int, default=3, help="how often a crash test kills a process (default: 3)")
    group.addoption("--crash-seed", type=int, default=1, help="the seed of the moments of a kill (default: 1)")


@pytest.fixture
def kills(pytestconfig):
    """How often a crash test kills a process."""
    return pytestconfig.getoption("kills")


@pytest.fixture
def chance(pytestconfig):
    """The chance that picks the moments of a kill: the same for the same seed."""
    return random.Random(pytestconfig.getoption("crash_seed"))


@pytest.fixture(autouse=True)
def process_as_ever():
    """Undo what commands did to the process; a fixture of a whole module may have run some before."""
    undo_a_command()
    yield
    undo_a_command()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say what was skipped and why, one line per reason, so that a green run hides nothing."""
    details = [report.longrepr for report in terminalreporter.stats.get("skipped", [])]
    texts = [detail[2] if isinstance(detail, tuple | list) else str(detail) for detail in details]
    reasons = Counter(text.removeprefix("Skipped: ") for text in texts)
    if not reasons:
        terminalreporter.write_line("skipped: nothing; every peer was present")
        return
    terminalreporter.section("skipped, and why")
    for reason, count in sorted(reasons.items()):
        hint = "  (.ci/run installs it)" if reason.startswith(MISSING) else ""
        terminalreporter.write_line(f"{count:4} × {reason}{hint}")
