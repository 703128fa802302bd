"""When directories are read: each due one in a process of its own, some at a time, by one node.

The process is the command `mail2sms dirsync run`, which does everything and tells in one line of JSON what came of it.
Not here: a run (process.dirsync).
"""

import asyncio
import json
import sys
from collections.abc import Callable, Sequence
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Final

import structlog

from addressbook.options import Option
from gateway.directory import DirectoryFollower
from gateway.ports import Clock
from gateway.worker import Worker
from store.directories import StoredDirectory, claim_directory, due_directories
from store.engine.database import Database, Transaction
from store.engine.keys import to_stored

log = structlog.get_logger()

_LOOK_EVERY: Final = 5.0
_AT_ONCE: Final = 2
_LONGEST_RUN: Final = timedelta(hours=6).total_seconds()
_LONGEST_CAUSE: Final = 300
# The folder of this source tree comes last: an installed product is on the path anyway.
_HOUSE: Final = str(Path(__file__).resolve().parents[1])
_START: Final = (
    "import sys; sys.path.append(sys.argv.pop(1)); from cli.__main__ import main; main(prog_name='mail2sms')"
)
_COMMAND: Final = (sys.executable, "-c", _START, _HOUSE, "dirsync", "run")


class DirectorySchedule:
    """Starts the runs of due directories; `file` is the operator's, `command` what is started for one."""

    def __init__(  # noqa: PLR0913 - the use case names everything it needs, once
        self,
        *,
        database: Database,
        book: DirectoryFollower,
        clock: Clock,
        file: Path,
        command: Sequence[str] = _COMMAND,
        written: Callable[[], None] = lambda: None,
    ) -> None:
        """`written` is called after a run, which may have written mails."""
        self._database = database
        self._book = book
        self._clock = clock
        self._file = file
        self._command = tuple(command)
        self._written = written
        self._running: dict[int, asyncio.Task[None]] = {}
        self._worker = Worker("directories", self.step, look_every=_LOOK_EVERY)

    def start(self) -> None:
        """Begin to look."""
        self._worker.start()

    async def stop(self, grace_seconds: float) -> None:
        """Start no more runs and wait for those under way; after the grace they are killed, which changes nothing."""
        await self._worker.stop()
        if self._running:
            _, late = await asyncio.wait(self._running.values(), timeout=grace_seconds)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)

    async def step(self) -> bool:
        """Start what is due and has a place."""
        now = to_stored(self._clock.now())
        due = await self._database.read(partial(due_directories, now=now)) if len(self._running) < _AT_ONCE else []
        for stored in due:
            directory = stored.directory
            if directory.key in self._running or len(self._running) >= _AT_ONCE:
                continue
            next_at = now + int(timedelta(minutes=directory.every).total_seconds()) * 1_000_000
            customer = self._customer(directory.customer_id)
            if await self._database.write(_claim, (stored, next_at)) and customer:
                task = asyncio.get_running_loop().create_task(self._run(stored, customer))
                self._running[directory.key] = task
                task.add_done_callback(partial(self._ended, directory.key))
        return False

    def _customer(self, key: int) -> str:
        """Return the name of a customer that may have directories, else an empty text."""
        snapshot = self._book.current
        found = snapshot.directory.customer(key)
        is_wanted = found is not None and found.active and snapshot.refuse_option(found, Option.DIRECTORY) is None
        return found.name if found is not None and is_wanted else ""

    def _ended(self, key: int, _: "asyncio.Task[None]") -> None:
        del self._running[key]
        self._worker.kick()

    async def _run(self, stored: StoredDirectory, customer: str) -> None:
        name = stored.directory.name
        words = (name, "--customer", customer, "--config", str(self._file), "--json", "--scheduled")
        pipe = asyncio.subprocess.PIPE
        process = await asyncio.create_subprocess_exec(
            *self._command, *words, stdin=asyncio.subprocess.DEVNULL, stdout=pipe, stderr=pipe
        )
        try:
            async with asyncio.timeout(_LONGEST_RUN):
                answer, said = await process.communicate()
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        try:
            told = json.loads(answer)
        except ValueError:
            last = said.decode("utf-8", "replace").strip().rpartition("\n")[2][:_LONGEST_CAUSE]
            log.error("directory_run_broke", directory=name, customer=customer, code=process.returncode, cause=last)
            return
        if told is None:
            return  # a folder without files
        say = log.error if told["state"] == "failed" else log.info
        problem = (told.get("problem") or {}).get("code", "")
        facts = {"directory": name, "customer": customer, "run": told["key"], "state": told["state"]}
        say("directory_read", **facts, counts=told["counts"], faults=len(told["faults"]), problem=problem)
        self._written()


def _claim(tx: Transaction, requests: list[tuple[StoredDirectory, int]]) -> list[bool]:
    return [claim_directory(tx, stored, due_at) for stored, due_at in requests]
