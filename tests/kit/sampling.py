"""What a quick run of the whole suite leaves out: `make test` plays a sample, `.ci/run` plays all.

The sample is the one of the run's random seed: another one each time, the same for the same seed.

- A test that runs on both databases runs on one of them.
- A test with many cases plays `_CASES` of them.
- Of tests marked `slow`, one in `_SLOW`, at least one of each module.

Files, tests, `-k` and `-m` on the command line are played whole, and so is everything with a Hypothesis profile other
than `quick`.
"""

import os
import random
from collections import defaultdict
from collections.abc import Hashable, Iterable
from pathlib import Path

import pytest

from tests.kit.databases import BY_KIND
from tests.kit.one_database import KINDS, kinds_of

_CASES = 8
_SLOW = 4
_SAMPLED = pytest.StashKey[bool]()


def pytest_configure(config: pytest.Config) -> None:
    """Decide once, in the process that was called, whether this run is a sample."""
    worker = getattr(config, "workerinput", None)
    config.stash[_SAMPLED] = worker["sampled"] if worker is not None else _is_quick_run_of_all(config)


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node) -> None:
    """Tell the processes of pytest-xdist, which see another command line."""
    node.workerinput["sampled"] = node.config.stash[_SAMPLED]


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what the sample does without."""
    if not config.stash[_SAMPLED]:
        return
    kept = sample(items, config.getoption("randomly_seed", 0))
    config.hook.pytest_deselected(items=[item for item in items if item not in kept])
    items[:] = [item for item in items if item in kept]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say that this was a sample, so that it does not look whole."""
    if terminalreporter.config.stash[_SAMPLED]:
        terminalreporter.write_line(
            f"sample: each test on one of its databases, {_CASES} cases of each, one in {_SLOW} of the slow ones; "
            "`make test WHOLE=1` plays all"
        )


def sample(items: Iterable[pytest.Item], seed: Hashable) -> set[pytest.Item]:
    """Return the items that the sample of a seed has."""
    functions = defaultdict(list)
    for item in items:
        if _is_on_its_database(item, seed):
            functions[_function(item)].append(item)
    slow: dict[Path, list[list[pytest.Item]]] = defaultdict(list)
    kept: list[list[pytest.Item]] = []
    for function, cases in functions.items():
        few = _some(cases, _CASES, f"{seed} {function}")
        (slow[few[0].path] if few[0].get_closest_marker("slow") else kept).append(few)
    for module, played in slow.items():
        kept += _some(played, -(-len(played) // _SLOW), f"{seed} {module.name}")
    return {item for few in kept for item in few}


def _is_quick_run_of_all(config: pytest.Config) -> bool:
    return (
        os.environ.get("HYPOTHESIS_PROFILE", "quick") == "quick"
        and config.args_source is pytest.Config.ArgsSource.TESTPATHS
        and not config.getoption("keyword")
        and not config.getoption("markexpr")
    )


def _is_on_its_database(item: pytest.Item, seed: Hashable) -> bool:
    """Return whether this is no case of the other database; tests that share one for a module share the choice."""
    parameters = item.callspec.params if hasattr(item, "callspec") else {}
    kinds = {name: value for name, value in parameters.items() if name in BY_KIND}
    if not kinds or len(kinds_of(item.nodeid)) == 1:
        return True
    of = item.path.name if any(name.startswith("module_") for name in kinds) else _function(item)
    return random.Random(f"{seed} {of}").choice(KINDS) in kinds.values()


def _function(item: pytest.Item) -> str:
    return item.nodeid.partition("[")[0]


def _some(values: list, count: int, seed: str) -> list:
    """Return so many of the values, in their order."""
    places = random.Random(seed).sample(range(len(values)), min(count, len(values)))
    return [values[place] for place in sorted(places)]
