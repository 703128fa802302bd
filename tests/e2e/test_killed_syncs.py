"""kill -9 in the middle of runs of a directory: the address book is old or new, never between, and the next run goes on.

`make crash` plays many kills, `make test` a sample of the same code (`--kills`).
"""

import pytest

from addressbook.runs import RunMode, RunState, RunUnderWay
from tests.kit.forked_program import ForkedProgram
from tests.kit.sync_harness import SHORT_LIFE, SyncHarness, chance_reading

PLACES = {
    "gateway.directory_sync:SyncRun._run_step": 40,
    "gateway.directory_sync:SyncRun._switch": 1,
    "store.engine.transaction:Transaction.commit": 60,
    "store.engine.transaction:Transaction.check_committed": 60,
    "store.directory_runs:stage": 20,
    "store.directory_runs:hold_run": 1,
    "store.directory_runs:_switch_list": 1,
    "store.directory_runs:mark_read": 1,
    "store.directory_changes:DirectoryChanges.finish": 10,
    "store.swept_runs:sweep": 20,
    "store.lists:put_authors": 1,
}
"""Where a process is killed, and how often it may come there before."""


@pytest.fixture(name="world")
def _world(database_url):
    made = SyncHarness(database_url, portion=5, life=SHORT_LIFE)
    yield made
    made.close()


@pytest.fixture(name="twin")
def _twin(tmp_path):
    """Return the same customer on a database of its own, on which nothing is killed."""
    made = SyncHarness(f"sqlite:///{tmp_path}/twin.db")
    yield made
    made.close()


@pytest.mark.slow
@pytest.mark.crash
@pytest.mark.timeout(0)  # it grows with --kills; each wait inside has its own bound
async def test_a_sync_killed_anywhere_leaves_the_address_book_old_or_new_never_between(
    world, twin, database_url, kills, chance
):
    killed = 0
    for number in range(kills * 2):
        seed = f"{chance.random()}"
        place, most = chance.choice(sorted(PLACES.items()))
        before, cookie = world.in_force(), world.stored().cookie
        program = ForkedProgram(
            "tests.kit.killed_sync", database_url, seed, place, str(chance.randint(1, most)), outputs=(1, 2)
        )
        code, said = await program.communicate()
        assert code in (0, -9), said
        killed += code == -9
        _wait_for_the_dead(world)
        _in_full(twin, seed)
        if world.stored().cookie == seed:
            assert world.in_force() == twin.in_force(), (number, place)
        else:
            assert (world.in_force(), world.stored().cookie) == (before, cookie), (number, place)
            _in_full(world, seed)
            assert world.in_force() == twin.in_force(), (number, place)
    assert killed


def _wait_for_the_dead(world):
    """Wait until the database has done with what the killed process asked for."""
    world.write(lambda tx: tx.rows("SELECT name FROM lease FOR UPDATE"))


def _in_full(world, seed):
    """Carry out a run as soon as the lease of a killed process is over, with approval where it is held."""
    while isinstance(begun := world.sync.begin(world.directory, RunMode.FULL, "timer"), RunUnderWay):
        # One that was killed between taking the lease and beginning its run has not said who asked for it.
        assert begun.asked_by in ("timer", "")
    with begun:
        result = begun.apply(chance_reading(seed))
    if result.state is RunState.HELD:
        result = world.approve(result.digest)
    assert result.state in (RunState.APPLIED, RunState.UNCHANGED)
