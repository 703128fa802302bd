"""What is measured of an attack, with fewer slow connections."""

import pytest

from tests.benchmarks.attack import measure_attack
from tests.benchmarks.figures import Effort


@pytest.mark.slow
def test_honest_mail_is_taken_beside_slow_connections_and_guesses_at_a_bounded_cost_of_memory():
    honest, memory = measure_attack(Effort(rounds=1, seconds=2, scale=0.1))
    assert "200 slow connections and 2 guessers" in honest.what
    assert honest.verdict in {"met", "MISSED"}
    assert memory.ratio is not None
    assert memory.ratio < 4 * 32  # what few connections share weighs more for each
