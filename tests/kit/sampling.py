"""What a quick run of the whole suite leaves out: `make test` plays a sample, `.ci/run` plays all.

The sample is the one of the run's random seed: another one each time, the same for the same seed.

- A test that runs on both databases runs on one of them.
- A test with many cases plays `_CASES` of them.
- Of the tests of a module one in `_SHARES` is played, at least one; of those marked `slow`, one in `_SLOW` at most.

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

_CASES = 4
_SLOW = 8
_SHARES = {"e2e": 8, "peers": 8, "fuzz": 4, "protocol": 4, "unit": 3}
_TESTS = Path(__file__).parents[1]
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
            f"sample: some tests of each module, each on one of its databases, {_CASES} cases of each; "
            "`make test WHOLE=1` plays all"
        )


def sample(items: Iterable[pytest.Item], seed: Hashable) -> set[pytest.Item]:
    """Return the items that the sample of a seed has."""
    functions = defaultdict(list)
    for item in items:
        if _is_on_its_database(item, seed):
            functions[_function(item)].append(item)
    modules: dict[tuple[Path, int], list[list[pytest.Item]]] = defaultdict(list)
    for function, cases in functions.items():
        few = _some(cases, _CASES, f"{seed} {function}")
        modules[few[0].path, _share(few[0])].append(few)
    kept: list[list[pytest.Item]] = []
    for (module, share), played in modules.items():
        kept += _some(played, -(-len(played) // share), f"{seed} {module.name}")
    return {item for few in kept for item in few}


def _share(item: pytest.Item) -> int:
    """Return of how many tests like this one is played."""
    share = _SHARES.get(item.path.relative_to(_TESTS).parts[0], 1)
    return max(share, _SLOW) if item.get_closest_marker("slow") else share


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
