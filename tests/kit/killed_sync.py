"""`python -m tests.kit.killed_sync URL SEED PLACE TIMES`: a run of a directory, killed when it calls a place so often.

Where it waits for approval, it gets that. The reading is `chance_reading(SEED)`.
"""

import sys

from addressbook.runs import RunState
from tests.kit.killed_at import code_of, kill_at
from tests.kit.sync_harness import SHORT_LIFE, SyncHarness, chance_reading


def main() -> None:
    """Carry out the run; the process may not see its end."""
    url, seed, place, times = sys.argv[1:]
    kill_at(code_of(place), int(times))  # threads that were there before would not be watched
    world = SyncHarness(url, fresh=False, portion=5, life=SHORT_LIFE)
    result = world.run(chance_reading(seed))
    if result.state is RunState.HELD:
        world.approve(result.digest)
    world.close()


if __name__ == "__main__":
    main()
