"""One run of a directory: read, planned, and put in force or held; all of it in the process that asks for it.

Not here: when a run is due (dirsync_schedule), what the steps of a run are (gateway.directory_sync).
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from addressbook.runs import Reason, RunMode, RunResult, RunUnderWay
from addressbook.source_options import options_digest
from dirsync.reading import read
from dirsync.source import ReadFault
from gateway.directory_sync import DirectorySync, SyncRun
from sms.retry import Ladder
from store.directories import StoredDirectory, find_directory_by_key, postpone_directory
from store.engine.keys import to_instant, to_stored

_AGAIN: Final = Ladder.of_seconds(60, 300, 900, 3600)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRequest:
    """What is to be run, by whom: `country` is that of numbers without one; a dry run changes nothing."""

    stored: StoredDirectory
    asked_by: str
    country: str = ""
    full: bool = False
    dry_run: bool = False


def run_directory(sync: DirectorySync, request: RunRequest, now: Callable[[], datetime]) -> RunResult | RunUnderWay:
    """Run a directory, and say what came of it.

    Where another try may succeed without anybody's doing, it is due again sooner than usual.
    """
    directory = request.stored.directory
    mode = RunMode.FULL if request.full or _is_full_due(request.stored, now()) else RunMode.DELTA
    begun = sync.begin(directory, mode, request.asked_by)
    if isinstance(begun, RunUnderWay):
        return begun
    with begun:
        return _read_and_apply(sync, begun, request, mode, now)


def _read_and_apply(
    sync: DirectorySync, run: SyncRun, request: RunRequest, mode: RunMode, now: Callable[[], datetime]
) -> RunResult:
    directory = request.stored.directory
    stored = sync.database.read_now(lambda tx: find_directory_by_key(tx, directory.key)) or request.stored
    try:
        reading = read(directory, stored.cookie, full=mode is RunMode.FULL, now=now(), country=request.country)
    except ReadFault as fault:
        if fault.is_passing:
            again = to_stored(now() + _AGAIN.wait(stored.failures + 1))
            if stored.due_at is None or again < stored.due_at:
                sync.database.write_now(lambda tx, _: [postpone_directory(tx, directory.key, again)], None)
        return run.fail(Reason(section="read", code=fault.code, facts=fault.facts))
    return run.apply(reading, dry_run=request.dry_run)


def _is_full_due(stored: StoredDirectory, now: datetime) -> bool:
    directory = stored.directory
    if stored.full_at is None or options_digest(directory) != stored.digest:
        return True
    return now >= to_instant(stored.full_at) + timedelta(minutes=directory.full_every)
