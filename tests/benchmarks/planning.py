"""«plan»: what the rules of countries cost a submission of 1, 100 and 1,000 recipients in several countries.

The same submission is planned in turn with the rules that are shipped and with none.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import closing
from copy import copy

from msgspec.structs import replace

from addressbook.snapshot import Snapshot
from countries.judge import Judge
from gateway.plan import plan
from gateway.submission import RecipientRequest, Submission
from process.accept_path import AcceptPath
from tests.benchmarks.figures import Effort, Figure, Sample, microseconds
from tests.benchmarks.processes import scratch
from tests.benchmarks.steps import judged_submission, open_core

_SIZES = (1, 100, 1_000)
_HOME = "+447700900{:03}"
_NUMBERS = (_HOME, "+336399800{:02}", "+4917139200{:02}", "+467017406{:02}", "+120255501{:02}")
_OF_EACH = 100  # fictional numbers; what is wanted beyond them is at home
_PLANNED = 1_000


def measure_planning(effort: Effort) -> Iterator[Figure]:
    """Measure the CPU per recipient with and without the rules."""
    with scratch() as folder:
        core = open_core(folder / "planning")
        with closing(core.database):
            submission, with_rules = judged_submission(core), core.book.current
            without = copy(with_rules)
            without.judge = Judge()
            for size in _SIZES:
                asked = replace(submission, wanted=tuple(_request(number) for number in range(size)))
                turns = effort.count(_PLANNED, 100) // size or 1
                series = effort.alternate(
                    {
                        "without": _planning(core, asked, without, turns),
                        "with": _planning(core, asked, with_rules, turns),
                    }
                )
                judged, plain = series["with"], series["without"]
                yield Figure(
                    name="plan",
                    what=f"CPU per recipient of a plan for {size:,} in {min(size, len(_NUMBERS))} countries, with their rules",
                    ours=microseconds(judged),
                    peer=f"without {microseconds(plain)}",
                    ratio=judged.cpu / plain.cpu,
                    goal=1.03,
                    at_most=True,
                )


def _request(number: int) -> RecipientRequest:
    index, country = divmod(number, len(_NUMBERS))
    digits = (
        _NUMBERS[country].format(index) if index < _OF_EACH else _HOME.format(number - _OF_EACH * len(_NUMBERS[1:]))
    )
    return RecipientRequest(given=f"{digits}@sms.example.net", number=digits)


def _planning(core: AcceptPath, asked: Submission, snapshot: Snapshot, turns: int) -> Callable[[], Sample]:
    routes, now, planned = core.routes, core.clock.now(), turns * len(asked.wanted)

    def measure() -> Sample:
        began = time.process_time()
        for _ in range(turns):
            found = plan(asked, snapshot, routes, now)
        assert not any(message.refused for message in found.messages), found.messages[:1]
        return Sample(cpu=(time.process_time() - began) * 1e6 / planned)

    return measure
