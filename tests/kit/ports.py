"""Loopback ports for programs that must be told theirs."""

import random
import socket

# Below the ports that systems give to outgoing connections (Linux: from 32768 on), so that no connection takes one
# between this look and the program's start. The chance is the system's: each test process has seeded its own alike.
_PORTS = range(10_000, 32_768)
_CHANCE = random.SystemRandom()


def free_port() -> int:
    """Return a loopback port that nobody uses."""
    while True:
        port = _CHANCE.choice(_PORTS)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
