"""Ports that tests give to the programs they start."""

import os
import subprocess
import sys

from tests.kit.ports import free_port

_SAY_PORTS = "from tests.kit.ports import free_port; print(*(free_port() for _ in range(300)))"


def test_no_port_is_given_twice() -> None:
    ports = [free_port() for _ in range(300)]
    assert len(set(ports)) == len(ports)


def test_two_test_processes_of_a_run_share_no_port() -> None:
    given = [
        subprocess.run(
            [sys.executable, "-c", _SAY_PORTS],
            env={**os.environ, "PYTEST_XDIST_WORKER": worker, "PYTEST_XDIST_WORKER_COUNT": "2"},
            check=True,
            capture_output=True,
            text=True,
        ).stdout.split()
        for worker in ("gw0", "gw1")
    ]
    assert len(given[0]) == 300
    assert not set(given[0]) & set(given[1])
