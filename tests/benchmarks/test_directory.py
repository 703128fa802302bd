"""What is measured of a directory, with a few users."""

import pytest

from tests.benchmarks.directory import measure_directory
from tests.benchmarks.figures import Effort, MissingPeerError
from tests.kit.peer import require_peer


def test_both_readers_read_all_users_of_the_same_server_and_changes_are_read_alone():
    try:
        figure, changes = measure_directory(Effort(rounds=1, scale=0.001))
    except MissingPeerError as error:
        require_peer(str(error), None)
        pytest.fail("require_peer lets nothing pass that is missing")
    assert figure.what == "full read of 200 users"
    assert figure.ratio
    assert figure.verdict in {"met", "MISSED"}
    assert changes.what == "delta of 100 changes among them"
