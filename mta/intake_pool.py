"""Judges each mail where it can't hold up others: small ones at once, large ones in a thread with a confined reader.

The thread waits for that reader's process, for the database where a mail goes to a list, and works through many
recipients or the rows of a table. Not here: what judging is (judge).
"""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from queue import LifoQueue

from addressbook.senders import Principal
from mta.envelope import ReceivedEnvelope
from mta.intake import Decision, MailIntake
from mta.reading.confined_reader import ConfinedReader

LARGE_OCTETS = 32_768
_MANY_PARTS = 50


class IntakePool:
    """Judges mails; `readers` is how many large ones are read at the same time, the others wait for their turn."""

    def __init__(self, judge: MailIntake, *, readers: int = 2, seconds: float = 2.0) -> None:
        self._judge = judge
        self._threads = ThreadPoolExecutor(max_workers=readers, thread_name_prefix="read-mail")
        self.readers = [ConfinedReader(seconds=seconds) for _ in range(readers)]
        self._free: LifoQueue[ConfinedReader] = LifoQueue()  # the one used last: another costs a process
        for reader in self.readers:
            self._free.put(reader)

    def warm(self) -> None:
        """Start the process that the next large mail gets, so that it does not wait for one."""
        self.readers[-1].warm()

    async def judge(self, raw: bytes, envelope: ReceivedEnvelope, principal: Principal | None) -> Decision:
        """Judge one mail. Raises ReaderUnavailableError where it is large and no process can be had to read it."""
        suspect = is_suspect(raw)
        if not suspect and not self._judge.is_large(envelope, principal):
            return self._judge.judge(raw, envelope, principal)
        confined = suspect or self._judge.brings_table(envelope)
        work = self._judge_confined if confined else self._judge.judge  # many recipients alone need no other process
        return await asyncio.get_running_loop().run_in_executor(self._threads, work, raw, envelope, principal)

    def _judge_confined(self, raw: bytes, envelope: ReceivedEnvelope, principal: Principal | None) -> Decision:
        reader = self._free.get()
        try:
            return self._judge.judge(raw, envelope, principal, reader=reader)
        finally:
            self._free.put(reader)

    def close(self) -> None:
        """End the threads and the processes; a mail that is being judged is let go first."""
        self._threads.shutdown()
        for reader in self.readers:
            reader.close()


def is_suspect(raw: bytes) -> bool:
    """Return whether reading a mail may take long: it is large, or has more parts or header lines than a person's."""
    return len(raw) > LARGE_OCTETS or raw.count(b"\n--") > _MANY_PARTS or raw.count(b"=?") > 10 * _MANY_PARTS
