"""What is measured of a run of a directory, with a few users."""

import pytest

from tests.benchmarks.figures import Effort
from tests.benchmarks.sync import measure_syncs


@pytest.mark.slow
def test_a_first_run_and_a_delta_are_measured_with_what_mails_notice_of_them():
    first, delta, *noticed = measure_syncs(Effort(rounds=1, seconds=2, scale=0.001))
    assert first.what == "first run of 1,000 users"
    assert delta.what == "delta of 100 of 1,000 users"
    assert all(figure.ratio and figure.verdict in {"met", "MISSED"} for figure in noticed)
