"""Loopback ports for programs that must be told theirs."""

import os
import random
import socket
from collections.abc import Iterator

# Below the ports that systems give to outgoing connections (Linux: from 32768 on), so that no connection takes one
# between this look and the program's start.
_FIRST, _LAST = 10_000, 32_767


def _own_ports() -> Iterator[int]:
    """Yield the ports of this test process in random order, each one once in a turn.

    A port may be given before the program that was told it listens there. So no two calls return the same port, and
    no two test processes of a run share one. The chance is the system's: each process has seeded its own alike.
    """
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    workers = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    ports = list(range(_FIRST + worker, _LAST + 1, workers))
    while True:
        random.SystemRandom().shuffle(ports)
        yield from ports


_ports = _own_ports()


def free_port() -> int:
    """Return a loopback port that nobody uses and that no other call was given."""
    for port in _ports:
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise AssertionError("no port is free")
