"""Any sequence of readings, approvals and broken runs: the address book is always what the last applied run left."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from addressbook.runs import RunState
from tests.kit.sync_harness import SyncHarness, entry, reading_of

NAMES = [f"u{number}" for number in range(6)]
PEOPLE = st.dictionaries(st.sampled_from(NAMES), st.sampled_from(["1", "2", ""]), min_size=1)
STEPS = st.lists(
    st.tuples(PEOPLE, st.sampled_from(["whole", "broken", "held"]), st.integers(0, 5)), min_size=1, max_size=4
)


class BrokenError(Exception):
    """A run that ends in the middle."""


def read(people, cookie):
    changes = [entry(name, place, cost_centre=value) for place, (name, value) in enumerate(sorted(people.items()), 1)]
    return reading_of(*changes, cookie=cookie)


def said(world):
    return {name: world.cells(name).get("cost_centre", "") for name, user in world.users().items() if user.may_send}


@pytest.fixture(name="world")
def _world(database_url):
    made = SyncHarness(database_url, portion=2)
    yield made
    made.close()


@pytest.mark.slow
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=STEPS)
def test_after_any_sequence_of_runs_the_address_book_is_as_the_last_applied_one_said(world, steps):
    for number, (people, how, portions) in enumerate(steps):
        before, cookie = world.in_force(), world.stored().cookie
        left = [portions]

        def pause(_: float, how: str = how, left: list[int] = left) -> None:
            left[0] -= 1
            if how == "broken" and left[0] < 0:
                raise BrokenError

        reading = read(people, f"{number}")
        world.sync.pause = pause
        try:
            result = world.run(reading)
        except BrokenError:
            assert (world.in_force(), world.stored().cookie) in ((before, cookie), (world.in_force(), f"{number}"))
            result = None
        world.sync.pause = lambda _: None
        if result is not None and result.state is RunState.HELD:
            assert (world.in_force(), world.stored().cookie) == (before, cookie)
            if how == "held":
                continue
            result = world.approve(result.digest)
        if result is not None:
            assert result.state in (RunState.APPLIED, RunState.UNCHANGED)
            assert people.items() <= said(world).items()
    for _ in range(2):  # who is not there is missing after the second complete reading
        result = world.run(read(people, "last"))
        if result.state is RunState.HELD:
            world.approve(result.digest)
    assert said(world) == people
