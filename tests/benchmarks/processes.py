"""Processes that are measured: started, their CPU read from /proc, ended by their own ids; none outlives this program."""

import ctypes
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from tests.benchmarks.figures import MissingPeerError
from tests.kit.peer import find_program

ROOT = Path(__file__).parents[2]
_PR_SET_PDEATHSIG = 1
_TICK = os.sysconf("SC_CLK_TCK")


def program(name: str, package: str) -> str:
    """Return the path of a program; raises MissingPeerError, which names its package."""
    found = find_program(name)
    if found is None:
        raise MissingPeerError(f"{name} is not installed (Debian: apt-get install {package})")
    return found


@contextmanager
def scratch(mode: int = 0o755) -> Iterator[Path]:
    """Give a folder on the real disk, which is deleted at the end: durability on a memory disk would say nothing."""
    folder = Path(tempfile.mkdtemp(prefix="mail2sms-bench-", dir="/var/tmp"))
    folder.chmod(mode)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


class Running:
    """One process with its descendants. What it writes is in `log`, or read from `output` line by line."""

    def __init__(
        self,
        command: Sequence[str],
        *,
        log: Path,
        environment: Mapping[str, str] | None = None,
        read_output: bool = False,
    ) -> None:
        self.log = log
        with log.open("ab") as file:
            self._process = subprocess.Popen(
                command,
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE if read_output else file,
                stderr=file,
                env={**os.environ, **(environment or {})},
                preexec_fn=_end_with_parent,  # noqa: PLW1509 - no thread is running then, and it only calls prctl
                text=read_output,
            )

    @property
    def pid(self) -> int:
        return self._process.pid

    def line(self) -> str:
        """Return the next line of output; raises RuntimeError where the process ended instead."""
        assert self._process.stdout is not None
        line = str(self._process.stdout.readline())
        if not line:
            self._fail()
        return line.strip()

    def until(self, ready: Callable[[], bool], seconds: float = 30) -> None:
        """Wait until the process did what is asked."""
        end = time.monotonic() + seconds
        while not ready():
            if self._process.poll() is not None or time.monotonic() > end:
                self._fail()
            time.sleep(0.01)

    def _fail(self) -> None:
        tail = self.log.read_text(errors="replace")[-1500:]
        raise RuntimeError(f"{self._process.args!r} did not do what was waited for:\n{tail}")

    def cpu(self) -> float:
        """Return the CPU seconds of this process, its descendants, and those of them that have ended."""
        return cpu_of_tree(self._process.pid)

    def stop(self) -> None:
        """Ask it to end, and insist after ten seconds; then its descendants that stayed, such as Postfix's pipe(8)."""
        family = _family(_stat_of_all(), self._process.pid) - {self._process.pid}
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
            try:
                self._process.wait(10)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        for pid in family:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGTERM)
        if self._process.stdout is not None:
            self._process.stdout.close()


@contextmanager
def running(
    command: Sequence[str], *, log: Path, environment: Mapping[str, str] | None = None, read_output: bool = False
) -> Iterator[Running]:
    """Run a process for a while."""
    process = Running(command, log=log, environment=environment, read_output=read_output)
    try:
        yield process
    finally:
        process.stop()


def python(*words: str) -> list[str]:
    """Return the command that runs a module in this interpreter."""
    return [sys.executable, "-m", *words]


def answers(port: int) -> bool:
    """Return whether somebody listens on a loopback port."""
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def cpu_of_tree(pid: int) -> float:
    """Return the CPU seconds of a process and all below it (proc(5): utime, stime, cutime, cstime)."""
    stats = _stat_of_all()
    return sum(stats[member][1] for member in _family(stats, pid) if member in stats) / _TICK


def memory_of_tree(pid: int, *, peak: bool = False) -> int:
    """Return the octets in memory of a process and all below it, now or each at its peak (proc(5): VmRSS, VmHWM)."""
    total = 0
    for member in _family(_stat_of_all(), pid):
        try:
            status = Path(f"/proc/{member}/status").read_text()
        except (FileNotFoundError, ProcessLookupError):
            continue
        found = re.search(r"VmHWM:\s+(\d+) kB" if peak else r"VmRSS:\s+(\d+) kB", status)
        total += int(found[1]) * 1024 if found else 0
    return total


def _stat_of_all() -> dict[int, tuple[int, int]]:
    """Return the parent and the CPU ticks of every process."""
    stats: dict[int, tuple[int, int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                words = (entry / "stat").read_text().rpartition(")")[2].split()
            except (FileNotFoundError, ProcessLookupError):
                continue
            stats[int(entry.name)] = (int(words[1]), sum(map(int, words[11:15])))
    return stats


def _family(stats: Mapping[int, tuple[int, int]], pid: int) -> set[int]:
    """Return a process and all below it."""
    family = {pid}
    grown = True
    while grown:
        children = {child for child, (parent, _) in stats.items() if parent in family and child not in family}
        grown = bool(children)
        family |= children
    return family


def _end_with_parent() -> None:
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
