"""What a quick run of the suite plays: a sample of each kind, another one for another seed."""

import pytest

from tests.kit.sampling import sample

SEEDS = [str(seed) for seed in range(40)]


@pytest.fixture
def mine(request):
    """Return the tests of this module that this run has collected."""
    return [item for item in request.session.items if item.path == request.path]


@pytest.mark.parametrize("number", range(20))
def test_of_many_cases_some_are_played(number, mine):
    assert any(item.name.endswith(f"[{number}]") for seed in SEEDS for item in sample(mine, seed))
    many = [item for item in mine if item.name.startswith("test_of_many_cases")]
    assert all(len(sample(many, seed)) == min(4, len(many)) for seed in SEEDS)


def test_a_test_runs_on_one_of_its_databases_each_time(database_url, mine):
    of_databases = [item for item in mine if "databases_each" in item.name]
    played = {tuple(sample(of_databases, seed)) for seed in SEEDS}
    assert all(len(once) <= 1 for once in played)
    assert {item for once in played for item in once} == set(of_databases)


@pytest.mark.slow
@pytest.mark.parametrize("case", ["only"])
def test_at_least_one_slow_test_of_a_module_is_played(case, mine):
    slow = [item for item in mine if item.get_closest_marker("slow")]
    assert all(len(sample(slow, seed)) == 1 for seed in SEEDS)


def test_the_same_seed_plays_the_same(mine):
    assert sample(mine, "1") == sample(mine, "1")
    assert sample(mine, "1") <= set(mine)
