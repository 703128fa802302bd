"""The gateway as a process of its own that starts at once: forked from one that has loaded the program already.

To load the program takes a second or two of CPU, ten times what the start of a gateway takes. What is particular to a
new interpreter (the exit code of `python -m cli`, its environment) is for tests that start one.
"""

import asyncio
import multiprocessing
import os
from collections.abc import AsyncIterator
from multiprocessing.connection import Connection
from pathlib import Path

_ROOT = Path(__file__).parents[2]
_LOADED = multiprocessing.get_context("forkserver")
_LOADED.set_forkserver_preload([__name__, "tests.kit.loaded_program"])


class GatewayProcess:
    """`mail2sms WORDS` from the root of the checkout. It belongs to the event loop that started it."""

    def __init__(self, *words: str) -> None:
        self._log, written = _LOADED.Pipe(duplex=False)
        self._process = _LOADED.Process(target=_run, args=(words, written), daemon=True)
        self._process.start()
        written.close()

    @property
    def pid(self) -> int:
        assert self._process.pid is not None
        return self._process.pid

    def send_signal(self, number: int) -> None:
        os.kill(self.pid, number)

    async def lines(self) -> AsyncIterator[bytes]:
        """Yield what it says on standard error, line by line, until it has ended."""
        loop = asyncio.get_running_loop()
        reader = asyncio.StreamReader(limit=1 << 20)
        log = os.fdopen(os.dup(self._log.fileno()), "rb", buffering=0)
        transport, _ = await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), log)
        try:
            while line := await reader.readline():
                yield line
        finally:
            transport.close()
            self._log.close()

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


def _run(words: tuple[str, ...], log: Connection) -> None:
    os.dup2(log.fileno(), 2)
    log.close()
    os.chdir(_ROOT)
    from cli.__main__ import main  # the process of the test does without

    main(words)
