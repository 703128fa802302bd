"""Which messages a carrier's link was given anything of, in a file that a killed process leaves behind.

A part is committed as `submitting` before its bytes go out. After a kill it would be unknown whether they did, though
most had not reached the link yet. Each is noted here just before: one write, which waits for no disk, since what a
process wrote survives its end. It does not survive the system's: a file of an earlier boot says nothing. A lock beside
the file ends with its process, so whoever gets it knows that the one before has ended and gives a link nothing more.
Not here: what becomes of the parts (store.results).
"""

import os
from collections.abc import Iterable
from pathlib import Path

import structlog

from store.engine.opening import DatabaseInUseError, serve_alone
from store.recovery import HandedToLinks

log = structlog.get_logger()

_BOOT = Path("/proc/sys/kernel/random/boot_id")
_KEY_OCTETS = 8
_LONGEST = 1 << 20


class HandedMessages:
    """The file of the process `owner`; where it cannot be written there is none, and everything is as unknown."""

    def __init__(self, file: Path, owner: str, boot: Path = _BOOT) -> None:
        self._file = file
        self.owner = owner
        self._boot = boot.read_text("ascii").strip() if boot.exists() else ""
        self._lock: int | None = None
        self._descriptor: int | None = None
        self._octets = 0
        self.earlier: HandedToLinks | None = None
        """What the process before this one, which has ended, handed to links; None where that is not known."""

    def start(self) -> None:
        """Take the file over; one whose process still runs is left to it, and nothing is noted then."""
        try:
            self._lock = serve_alone(self._file)
        except DatabaseInUseError:
            log.warning("handed_not_noted", file=str(self._file), cause="another process keeps it")
        except OSError as error:
            log.warning("handed_not_noted", file=str(self._file), cause=str(error))
        else:
            self.earlier = self.read()

    def read(self) -> HandedToLinks | None:
        """Return what the file says now, None where that counts for nothing."""
        try:
            head, _, keys = self._file.read_bytes().partition(b"\n")
        except OSError:
            return None
        boot, _, owner = head.decode("utf-8", "replace").partition(" ")
        if not boot or boot != self._boot:
            return None
        whole = range(0, len(keys) - _KEY_OCTETS + 1, _KEY_OCTETS)  # a key that was cut off was handed to nobody
        found = frozenset(int.from_bytes(keys[start : start + _KEY_OCTETS], "big") for start in whole)
        return HandedToLinks(owner=owner, messages=found)

    def begin(self, held: Iterable[int] = ()) -> None:
        """Begin the file anew, with the messages that are held; until it is whole the one before is in its place."""
        if not self._boot or self._lock is None:
            return
        new = self._file.with_name(f"{self._file.name}.new")
        try:
            self._stop_noting()
            self._descriptor = os.open(new, os.O_CREAT | os.O_TRUNC | os.O_WRONLY | os.O_CLOEXEC, 0o600)
            self._octets = os.write(self._descriptor, f"{self._boot} {self.owner}\n".encode() + _octets(held))
            new.replace(self._file)
        except OSError as error:
            self._give_up(error)

    def note(self, messages: Iterable[int], held: Iterable[int]) -> None:
        """Note messages of which a link is given something now; `held` are all that have no answer, these too."""
        if self._descriptor is None:
            return
        data = _octets(messages)
        try:
            written = os.write(self._descriptor, data)
        except OSError as error:
            self._give_up(error)
            return
        self._octets += written
        if written < len(data):
            self._give_up(OSError("the disk is full"))
        elif self._octets > _LONGEST:
            self.begin(held)

    async def stop(self) -> None:
        """Leave the file as it is to the next process: no link is given anything any more."""
        self._stop_noting()
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def _stop_noting(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def _give_up(self, error: OSError) -> None:
        """Take the file away: what is not in it must not pass for what was handed to nobody."""
        log.warning("handed_not_noted", file=str(self._file), cause=str(error))
        self._stop_noting()
        self._file.unlink(missing_ok=True)


def _octets(keys: Iterable[int]) -> bytes:
    return b"".join(key.to_bytes(_KEY_OCTETS, "big") for key in keys)
