"""What every test run shares: Hypothesis profiles, and the closing list of what was skipped and why."""

import gc
import os
import random
import sys
from collections import Counter
from collections.abc import Generator

import pytest
from hypothesis import HealthCheck, settings

from tests.kit.in_process import undo_a_command
from tests.kit.peer import MISSING

pytest_plugins = [
    "tests.kit.databases",
    "tests.kit.kept_children",
    "tests.kit.passwords",
    "tests.kit.samba",
    "tests.kit.sampling",
]

# Tests start hundreds of processes: where the environment forbids to keep bytecode, each would compile everything anew.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

# A busy machine must not fail a property: no deadline anywhere. Only `default` and `fuzz` play other examples each time.
_PROFILES = {"quick": 20, "ci": 60, "seeded": 1_000, "default": 100, "fuzz": 20_000}
for _name, _examples in _PROFILES.items():
    settings.register_profile(
        _name,
        deadline=None,
        derandomize=_name not in {"default", "fuzz"},
        max_examples=_examples,
        suppress_health_check=[HealthCheck.too_slow],
    )
_CHOSEN = os.environ.get("HYPOTHESIS_PROFILE", "quick")
settings.load_profile(_CHOSEN)


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


@pytest.fixture
def thorough():
    """Whether a test does all of a long work: in `.ci/run` and `make fuzz`; `make test` does a sample of it."""
    return _CHOSEN != "quick"


@pytest.fixture(autouse=True)
def process_as_ever():
    """Undo what commands did to the process; a fixture of a whole module may have run some before."""
    undo_a_command()
    yield
    undo_a_command()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Send the test's markers alone from process to process: all its keywords cost more than most tests do."""
    report = yield
    report.keywords = {mark.name: 1 for mark in item.iter_markers()}
    return report


def pytest_collection_finish() -> None:
    """Spare the garbage collector the walk over twelve thousand tests, which stay to the end."""
    gc.collect()
    gc.freeze()


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
