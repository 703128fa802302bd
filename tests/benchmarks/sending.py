"""SMS out and status mails back: the gateway with the simulator and smtp-sink in processes of their own. G6: the client."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.benchmarks.processes import Running, python, running


@dataclass(frozen=True, slots=True)
class Carrier:
    """A simulated message centre in its own process."""

    port: int
    process: Running


@contextmanager
def simulator(folder: Path, *words: str) -> Iterator[Carrier]:
    """Run the message centre; `words` are its command line's."""
    command = python("smpp.simulator", "--port", "0", "--system-id", "gateway", *words)
    with running(command, log=folder / "simulator.log", read_output=True) as process:
        yield Carrier(int(process.line()), process)
