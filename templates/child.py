"""A child process for work that may never end or may break its interpreter: a deadline, little memory, no files.

`Child` is the parent's side and `serve` the child's; requests and answers are octets, and their users define them:
customers' templates (templates.confined) and mails from anybody (mta.reading.confined_reader). This is the lowest
package that both may import (docs/adr/0010); the module uses nothing else of it. The parent measures the child's own
CPU time, so that a busy machine makes no request late. A late answer ends the process; the next request gets a new one,
which starts at once. No foreign code gets in: the child runs isolated (no current folder, no user's folder and no
variable of the environment on its path), in an empty folder that is removed once it has started.
"""

import os
import resource
import select
import signal
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from threading import Lock
from typing import IO

_LENGTH = struct.Struct("!I")
_START_SECONDS = 30.0
_OCTETS_PER_SECOND = 4 * 2**20
_LAST_WORDS_SECONDS = 1.0
_PATIENCE = 5  # a request may take this many times its CPU time by the wall clock
_OUT_OF_MEMORY = 71  # its exit code, used for nothing else

_TICKS = os.sysconf("SC_CLK_TCK")

_Left = Callable[[], float]  # the seconds that are left

# The folder of this source tree comes last: an installed product is on the path anyway.
_HOUSE = str(Path(__file__).resolve().parents[1])
_START = "import sys, runpy; sys.path.append(sys.argv.pop(1)); runpy.run_module(sys.argv.pop(1), run_name='__main__')"
# -I: neither the current folder, nor a user's own modules, nor PYTHON* variables; -B: it may not write anyway.
_COMMAND = ("-I", "-B", "-X", "utf8", "-c", _START, _HOUSE)

# Signals from another process or the machine; the request causes every other end.
_FROM_OUTSIDE = frozenset({signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT})


class ChildUnavailableError(Exception):
    """The process cannot start, was killed from outside or got no CPU: the request itself is not at fault."""


class ChildEndedError(Exception):
    """The process ended or gave an invalid answer: the request broke it. The message says how it ended."""


class ChildMemoryError(ChildEndedError):
    """The request needs more memory than the process may have."""


class ChildLateError(Exception):
    """The process used all its CPU time without an answer."""


class Child:
    """One child process, started on first use, or earlier by `warm`; any thread may ask."""

    def __init__(self, module: str, *, seconds: float, memory_bytes: int, longest_answer: int) -> None:
        """Name the module, whose main function calls `serve`.

        `longest_answer` is in octets; an answer may take `seconds` of CPU time, plus one for each 4 MiB of its request;
        `memory_bytes` bounds the memory beyond that at the start.
        """
        self._module = module
        self._seconds = seconds
        self._memory = memory_bytes
        self._longest = longest_answer
        self._process: _Process | None = None
        self._kept_warm = False
        self._lock = Lock()

    @property
    def pid(self) -> int | None:
        """The id of the process, None if there is none."""
        return self._process.popen.pid if self._process else None

    def warm(self) -> None:
        """Start the process early without waiting; from now on one that ended is replaced at once."""
        with self._lock:
            self._kept_warm = True
            self._start_ahead()

    def ask(self, *pieces: bytes) -> bytes:
        """Return the answer to a request; its pieces are never joined, since one may be large.

        Raises ChildUnavailableError, ChildEndedError or ChildLateError after ending the process.
        """
        with self._lock:
            process = self._running()
            budget = _Budget(process.popen.pid, _allowed(self._seconds, pieces))
            answered = False
            try:
                answer = self._exchange(process, pieces, budget.left)
                answered = True
            except TimeoutError:
                raise budget.spent() from None
            except (OSError, EOFError) as error:
                raise process.died() from error
            finally:
                if not answered:
                    self._end()
                    if self._kept_warm:
                        self._start_ahead()
            return answer

    def replace(self) -> None:
        """End the process after an invalid answer; the next request gets a new one."""
        with self._lock:
            self._end()
            if self._kept_warm:
                self._start_ahead()

    def close(self) -> None:
        """End the process, and start no new one early."""
        with self._lock:
            self._kept_warm = False
            self._end()

    def _exchange(self, process: "_Process", pieces: Sequence[bytes], left: _Left) -> bytes:
        head = bytes([len(pieces)]) + b"".join(_LENGTH.pack(len(piece)) for piece in pieces)
        for octets in (head, *pieces):
            _write_until(process.requests, octets, left)
        (length,) = _LENGTH.unpack(_read_until(process.answers, _LENGTH.size, left))
        if length > self._longest:  # it is trusted no more than its input
            raise ChildEndedError("its answer is too long")
        return _read_until(process.answers, length, left)

    def _running(self) -> "_Process":
        if self._process is None or self._process.popen.poll() is not None:
            self._end()
            self._process = self._start()
        if not self._process.ready:
            try:
                self._process.wait_for_start()
            except (OSError, EOFError) as error:
                how = "it took too long" if isinstance(error, TimeoutError) else str(self._process.died())
                self._end()
                raise ChildUnavailableError(f"the process of {self._module} did not start: {how}") from error
        return self._process

    def _start_ahead(self) -> None:
        if self._process is None:
            with suppress(ChildUnavailableError):  # the next request reports it
                self._process = self._start()

    def _start(self) -> "_Process":
        try:
            return _Process(self._module, str(self._memory), str(self._seconds))
        except OSError as error:
            raise ChildUnavailableError(f"the process of {self._module} did not start: {error}") from error

    def _end(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.end()


class _Process:
    """One life of the process: its pipes, its folder, and how it ended."""

    def __init__(self, *arguments: str) -> None:
        self._folder = tempfile.mkdtemp(prefix="mail2sms-")
        words, words_end = os.pipe()
        os.set_blocking(words_end, False)  # a child that writes too much loses output and does not block
        try:
            self.popen = subprocess.Popen(  # noqa: S603  (our own interpreter and module)
                [sys.executable, *_COMMAND, *arguments],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=words_end,
                env={},
                cwd=self._folder,
                start_new_session=True,
            )
        except OSError:
            os.close(words)
            self._remove_folder()
            raise
        finally:
            os.close(words_end)
        assert self.popen.stdin is not None
        assert self.popen.stdout is not None
        self.requests, self.answers = self.popen.stdin, self.popen.stdout
        self._words = os.fdopen(words, "rb", buffering=0)
        os.set_blocking(words, False)
        os.set_blocking(self.requests.fileno(), False)
        self.ready = False
        self._start_until = time.monotonic() + _START_SECONDS

    def wait_for_start(self) -> None:
        """Wait until it takes requests. Raises TimeoutError or EOFError: the request is not at fault."""
        if _read_until(self.answers, 1, lambda: self._start_until - time.monotonic()) != b"!":
            raise EOFError
        self._remove_folder()  # its current folder does not exist any more
        self.ready = True

    def died(self) -> ChildEndedError | ChildUnavailableError:
        """Return the error to raise for a process that ended by itself."""
        try:
            code = self.popen.wait(_LAST_WORDS_SECONDS)
        except subprocess.TimeoutExpired:
            return ChildEndedError("it closed its answers and went on")
        if code == _OUT_OF_MEMORY:
            return ChildMemoryError("it needs more memory than is allowed")
        if code < 0:
            error = ChildUnavailableError if -code in _FROM_OUTSIDE else ChildEndedError
            return error(f"it was killed by signal {-code} ({_name_of(-code)})")
        words = (self._words.read(65536) or b"").decode("utf-8", "replace").strip().splitlines()
        return ChildEndedError(f"it ended with code {code}" + (f": {words[-1][:200]}" if words else ""))

    def end(self) -> None:
        """Kill it and clean up."""
        self.popen.kill()
        self.popen.wait()
        self._remove_folder()
        for pipe in (self.requests, self.answers, self._words):
            with suppress(OSError):  # octets not yet written to a dead process may be lost
                pipe.close()

    def _remove_folder(self) -> None:
        with suppress(OSError):  # removed already
            Path(self._folder).rmdir()


def _name_of(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:  # a real-time signal has no name
        return "no name"


def _allowed(seconds: float, pieces: Sequence[bytes]) -> float:
    """Return how long a request may take: a large one may take longer."""
    return seconds + sum(map(len, pieces)) / _OCTETS_PER_SECOND


class _Budget:
    """The time of one request: seconds of the process's CPU time, and a multiple of them by the wall clock."""

    def __init__(self, pid: int, seconds: float) -> None:
        self._pid = pid
        self._seconds = seconds
        self._until = time.monotonic() + _PATIENCE * seconds
        self._before = _cpu_seconds(pid)

    def left(self) -> float:
        """Return for how many seconds it may surely continue."""
        return min(self._seconds - self._used(), self._until - time.monotonic())

    def spent(self) -> ChildLateError | ChildUnavailableError:
        """Return the error to raise when no time is left."""
        if self._used() >= self._seconds:
            return ChildLateError(f"no answer within {self._seconds:.3g} seconds")
        return ChildUnavailableError(
            f"in {_PATIENCE * self._seconds:.3g} seconds it could compute for {self._used():.2f}: the machine is busy"
        )

    def _used(self) -> float:
        return _cpu_seconds(self._pid) - self._before


def _cpu_seconds(pid: int) -> float:
    """Return the user and system CPU time of a process that was not yet waited for (proc(5))."""
    fields = Path(f"/proc/{pid}/stat").read_text("ascii", "replace").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def _wait_until(pipe: IO[bytes], event: int, left: _Left) -> None:
    """Wait until the pipe is ready or broken. Raises TimeoutError."""
    poll = select.poll()  # select() takes no descriptor above 1023, and a gateway has thousands of connections
    poll.register(pipe, event)
    while (seconds := left()) > 0:
        if poll.poll(seconds * 1000):
            return
    raise TimeoutError


def _write_until(pipe: IO[bytes], data: bytes, left: _Left) -> None:
    rest = memoryview(data)
    while rest:
        _wait_until(pipe, select.POLLOUT, left)
        with suppress(BlockingIOError):
            rest = rest[os.write(pipe.fileno(), rest) :]


def _read_until(pipe: IO[bytes], size: int, left: _Left) -> bytes:
    chunks: list[bytes] = []
    while size:
        _wait_until(pipe, select.POLLIN, left)
        chunk = os.read(pipe.fileno(), min(size, 1 << 20))
        if not chunk:
            raise EOFError
        chunks.append(chunk)
        size -= len(chunk)
    return b"".join(chunks)


def serve(answer: Callable[..., bytes]) -> None:
    """Answer requests, given in their pieces, until stdin ends, as it does when the parent ends.

    Memory used before this call is not counted; afterwards there is little memory and no file can be written.
    """
    requests, answers = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    _renounce(int(sys.argv[1]))
    seconds = float(sys.argv[2])
    answers.write(b"!")
    answers.flush()
    try:
        while count := requests.read(1):
            lengths = [_LENGTH.unpack(requests.read(_LENGTH.size))[0] for _ in range(count[0])]
            pieces = [requests.read(length) for length in lengths]
            longest = 2 * _PATIENCE * _allowed(seconds, pieces)
            signal.setitimer(signal.ITIMER_REAL, longest)  # ends us if the parent is gone
            data = answer(*pieces)
            del pieces  # or large pieces stay in memory until the next request
            signal.setitimer(signal.ITIMER_REAL, 0)
            answers.write(_LENGTH.pack(len(data)) + data)
            answers.flush()
    except MemoryError:
        os._exit(_OUT_OF_MEMORY)


def _renounce(memory_bytes: int) -> None:
    """Give up the rights to more memory, to write files, to open many and to dump core."""
    with open("/proc/self/statm", "rb") as file:  # noqa: PTH123  (no import in the child that it does not need)
        in_use = int(file.read().split()[0]) * resource.getpagesize()
    for limit, value in (
        (resource.RLIMIT_AS, in_use + memory_bytes),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_NOFILE, 32),
        (resource.RLIMIT_CORE, 0),
    ):
        resource.setrlimit(limit, (value, value))
