"""Programs of ours in processes of their own that start at once: forked from a process that has loaded them already.

Loading the gateway costs a second of CPU or two, several times what its start costs. What is special about a new
interpreter (its environment, what it has not loaded) is for tests that start one.
"""

import asyncio
import multiprocessing
import os
import runpy
import signal
import sys
import threading
from collections.abc import AsyncGenerator, Collection
from multiprocessing.connection import Connection
from pathlib import Path

_ROOT = Path(__file__).parents[2]
_LOADED = multiprocessing.get_context("forkserver")
_LOADED.set_forkserver_preload([__name__, "tests.kit.loaded_program"])


class ForkedProgram:
    """`python -m MODULE WORDS` in the root of the checkout; `outputs` are the descriptors that `lines` reads.

    It belongs to the event loop that started it.
    """

    def __init__(self, module: str, *words: str, outputs: Collection[int] = (2,)) -> None:
        self._read, written = _LOADED.Pipe(duplex=False)
        self._process = _LOADED.Process(target=_run, args=(module, words, written, outputs), daemon=True)
        self._process.start()
        written.close()

    @property
    def pid(self) -> int:
        assert self._process.pid is not None
        return self._process.pid

    def send_signal(self, number: int) -> None:
        os.kill(self.pid, number)

    async def lines(self) -> AsyncGenerator[str, None]:
        """Yield its outputs line by line, to their end."""
        loop = asyncio.get_running_loop()
        reader = asyncio.StreamReader(limit=1 << 20)
        pipe = os.fdopen(os.dup(self._read.fileno()), "rb", buffering=0)
        transport, _ = await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), pipe)
        try:
            while line := await reader.readline():
                yield line.decode()
        finally:
            transport.close()
            self._read.close()

    async def wait(self) -> int:
        """Return its exit code, negative for the signal that ended it."""
        loop = asyncio.get_running_loop()
        ended = asyncio.Event()
        loop.add_reader(self._process.sentinel, ended.set)
        try:
            await ended.wait()
        finally:
            loop.remove_reader(self._process.sentinel)
        self._process.join()
        assert self._process.exitcode is not None
        return self._process.exitcode

    async def communicate(self) -> tuple[int, str]:
        """Return its exit code and its outputs."""
        said = "".join([line async for line in self.lines()])
        return await self.wait(), said


def _run(module: str, words: tuple[str, ...], written: Connection, outputs: Collection[int]) -> None:
    for descriptor in outputs:
        os.dup2(written.fileno(), descriptor)
    written.close()
    threading.Thread(target=_end_with_the_test, daemon=True).start()
    os.chdir(_ROOT)
    sys.argv[1:] = words
    runpy.run_module(module, run_name="__main__", alter_sys=True)


def _end_with_the_test() -> None:
    test = multiprocessing.parent_process()
    assert test is not None
    test.join()
    os.kill(os.getpid(), signal.SIGKILL)
