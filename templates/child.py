"""A process of our own for work that may never end or may break its interpreter: a deadline, little memory, no files.

`Child` is the parent's side and `serve` the child's; requests and answers are octets, and what is in them is theirs who
use this: customers' templates (templates.confined) and mails from anybody (mta.words.confined_reader). It stands here
since this is the lowest ring that both may import (docs/adr/0010), and knows nothing of what else stands here.
The clock is outside: an answer that is late costs the process its life, and the next request gets a new one.
"""

import os
import resource
import select
import signal
import struct
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from threading import Lock
from typing import IO

_LENGTH = struct.Struct("!I")
_START_SECONDS = 30.0


class ChildUnavailableError(Exception):
    """The process cannot be started: nothing is known of the request."""


class ChildEndedError(Exception):
    """The process ended, or answered what it should not: the request needs more memory, or broke it."""


class ChildLateError(Exception):
    """The process gave no answer in time."""


class Child:
    """One child process, started when it is first needed and again after it ended; any thread may ask."""

    def __init__(self, module: str, *, seconds: float, memory_bytes: int, longest_answer: int) -> None:
        """Name the module, whose main function calls `serve`.

        Each answer has so many seconds and octets, and the process so much memory beyond what it starts with.
        """
        self._module = module
        self._seconds = seconds
        self._memory = memory_bytes
        self._longest = longest_answer
        self._process: subprocess.Popen[bytes] | None = None
        self._lock = Lock()

    @property
    def pid(self) -> int | None:
        """Return the id of the process, None where there is none."""
        return self._process.pid if self._process else None

    def ask(self, request: bytes) -> bytes:
        """Return the answer. Raises ChildUnavailableError, ChildEndedError or ChildLateError, and then has ended it."""
        with self._lock:
            process = self._running()
            deadline = time.monotonic() + self._seconds
            try:
                return self._exchange(process, request, deadline)
            except TimeoutError:
                raise ChildLateError(f"no answer within {self._seconds:g} seconds") from None
            except (OSError, EOFError, ValueError) as error:
                raise ChildEndedError(str(error) or type(error).__name__) from error

    def close(self) -> None:
        """End the process."""
        with self._lock:
            self._end()

    def _exchange(self, process: subprocess.Popen[bytes], request: bytes, deadline: float) -> bytes:
        assert process.stdin is not None
        assert process.stdout is not None
        answered = False
        try:
            _write_until(process.stdin, _LENGTH.pack(len(request)) + request, deadline)
            (length,) = _LENGTH.unpack(_read_until(process.stdout, _LENGTH.size, deadline))
            if length > self._longest:  # it is trusted no more than what it works on
                raise ValueError("the answer is too long")
            answer = _read_until(process.stdout, length, deadline)
            answered = True
        finally:
            if not answered:
                self._end()
        return answer

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is not None and self._process.poll() is None:
            return self._process
        self._end()
        # The child finds the same modules and nothing else of our environment.
        environment = {"PYTHONPATH": os.pathsep.join(filter(None, sys.path)), "PYTHONDONTWRITEBYTECODE": "1"}
        try:
            process = subprocess.Popen(  # noqa: S603  (our own interpreter and module)
                [sys.executable, "-m", self._module, str(self._memory), str(self._seconds)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env=environment,
                start_new_session=True,
            )
        except OSError as error:
            raise ChildUnavailableError(str(error)) from error
        assert process.stdin is not None
        assert process.stdout is not None
        self._process = process
        os.set_blocking(process.stdin.fileno(), False)
        try:
            _read_until(process.stdout, 1, time.monotonic() + _START_SECONDS)  # its start is not the request's fault
        except (OSError, EOFError) as error:
            self._end()
            raise ChildUnavailableError(f"the process of {self._module} did not start") from error
        return process

    def _end(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                with suppress(OSError):  # what was not yet written to a dead process is lost, as it should be
                    pipe.close()


def _wait_until(pipe: IO[bytes], event: int, deadline: float) -> None:
    """Wait until the pipe is ready or broken. Raises TimeoutError."""
    seconds = deadline - time.monotonic()
    poll = select.poll()  # select() takes no descriptor above 1023, and a gateway has thousands of connections
    poll.register(pipe, event)
    if seconds <= 0 or not poll.poll(seconds * 1000):
        raise TimeoutError


def _write_until(pipe: IO[bytes], data: bytes, deadline: float) -> None:
    left = memoryview(data)
    while left:
        _wait_until(pipe, select.POLLOUT, deadline)
        with suppress(BlockingIOError):
            left = left[os.write(pipe.fileno(), left) :]


def _read_until(pipe: IO[bytes], size: int, deadline: float) -> bytes:
    chunks: list[bytes] = []
    while size:
        _wait_until(pipe, select.POLLIN, deadline)
        chunk = os.read(pipe.fileno(), min(size, 1 << 20))
        if not chunk:
            raise EOFError
        chunks.append(chunk)
        size -= len(chunk)
    return b"".join(chunks)


def serve(answer: Callable[[bytes], bytes]) -> None:
    """Answer requests on stdin until it ends, which it does with the parent; this is the child's whole life.

    What is loaded before this call is free; afterwards there is little memory and nothing to write to.
    """
    requests, answers = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    _renounce(int(sys.argv[1]))
    longest = 2 * float(sys.argv[2])
    answers.write(b"!")
    answers.flush()
    while len(head := requests.read(_LENGTH.size)) == _LENGTH.size:
        request = requests.read(*_LENGTH.unpack(head))
        signal.setitimer(signal.ITIMER_REAL, longest)  # ends us where the parent is no longer there to do it
        data = answer(request)
        signal.setitimer(signal.ITIMER_REAL, 0)
        answers.write(_LENGTH.pack(len(data)) + data)
        answers.flush()


def _renounce(memory_bytes: int) -> None:
    """Give up the right to more memory, to write files, to open many and to leave a core behind."""
    with open("/proc/self/statm", "rb") as file:  # noqa: PTH123  (no import in the child that it does not need)
        in_use = int(file.read().split()[0]) * resource.getpagesize()
    for limit, value in (
        (resource.RLIMIT_AS, in_use + memory_bytes),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_NOFILE, 32),
        (resource.RLIMIT_CORE, 0),
    ):
        resource.setrlimit(limit, (value, value))
