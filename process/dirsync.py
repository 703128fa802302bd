"""One run of a directory: read, planned, and put in force or held; all of it in the process that asks for it.

Not here: when a run is due (dirsync_schedule), what the steps of a run are (gateway.directory_sync).
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from addressbook.runs import Reason, RunMode, RunResult, RunState, RunUnderWay
from addressbook.source_options import options_digest
from addressbook.sources import FileForm, FolderSource
from dirsync.files import read_folder_file
from dirsync.folder import FolderFile, RefusedFileError, WatchedFolder
from dirsync.reading import read
from dirsync.source import ReadFault
from gateway.directory_sync import DirectorySync, SyncRun
from gateway.sync_planning import not_taken
from sms.retry import Ladder
from sms.settings import Settings
from store.directories import StoredDirectory, find_directory_by_key, postpone_directory
from store.directory_runs import find_held
from store.engine.keys import to_instant, to_stored
from templates.directory_view import say_place, say_reason
from templates.words import Dictionary

_AGAIN: Final = Ladder.of_seconds(60, 300, 900, 3600)
_WRITTEN: Final = timedelta(minutes=1)
"""When a folder is looked at again whose files are being written."""
_ENDED: Final = frozenset({RunState.APPLIED, RunState.UNCHANGED, RunState.HELD})


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRequest:
    """What is to be run, by whom; `settings` are the customer's. A dry run changes nothing.

    `pause` waits so many seconds before a server is tried again.
    """

    stored: StoredDirectory
    asked_by: str
    settings: Settings
    full: bool = False
    dry_run: bool = False
    is_scheduled: bool = False
    pause: Callable[[float], None] = time.sleep


def run_directory(
    sync: DirectorySync,
    request: RunRequest,
    now: Callable[[], datetime],
    open_folder: Callable[[FolderSource], WatchedFolder] = WatchedFolder,
) -> RunResult | RunUnderWay | None:
    """Run a directory, and say what came of it; None for a folder without a file that may be read now.

    Where another try may succeed without anybody's doing, or more files wait, it is due again sooner than usual.
    """
    directory, folder = request.stored.directory, None
    if isinstance(directory.source, FolderSource):
        folder = open_folder(directory.source)
        if _is_empty(folder) or (request.is_scheduled and _has_to_wait(sync, directory.key, directory.source)):
            return None
    begun = sync.begin(directory, _mode(request, now()), request.asked_by)
    if isinstance(begun, RunUnderWay):
        return begun
    with begun:
        # What an earlier run stored counts, which ended before this one had the lease.
        stored = sync.database.read_now(lambda tx: find_directory_by_key(tx, directory.key)) or request.stored
        return _Reader(sync, begun, request, stored, now).run(folder)


def _is_empty(folder: WatchedFolder) -> bool:
    try:
        return not folder.has_files()
    except ReadFault:
        return False  # the run tells it


def _has_to_wait(sync: DirectorySync, key: int, source: FolderSource) -> bool:
    """Return whether the next file would discard another one's changes that wait for approval, and not replace them.

    A file that is one list, or some of the users, says nothing of what another one says.
    """
    is_whole = source.complete and source.form is not FileForm.LIST
    return not is_whole and sync.database.read_now(lambda tx: find_held(tx, key)) is not None


def _mode(request: RunRequest, now: datetime) -> RunMode:
    stored, directory = request.stored, request.stored.directory
    if request.full or stored.full_at is None or options_digest(directory) != stored.digest:
        return RunMode.FULL
    is_due = now >= to_instant(stored.full_at) + timedelta(minutes=directory.full_every)
    return RunMode.FULL if is_due else RunMode.DELTA


class _Reader:
    """Reads for one run that has begun."""

    def __init__(
        self,
        sync: DirectorySync,
        run: SyncRun,
        request: RunRequest,
        stored: StoredDirectory,
        now: Callable[[], datetime],
    ) -> None:
        self._sync = sync
        self._run = run
        self._request = request
        self._stored = stored
        self._now = now

    def run(self, folder: WatchedFolder | None) -> RunResult:
        """Read, and apply what was read."""
        try:
            return self._run_server() if folder is None else self._run_files(folder)
        except ReadFault as fault:
            reason = Reason(section="read", code=fault.code, facts=fault.facts)
            if self._request.dry_run:
                return replace(self._run.leave(), state=RunState.FAILED, problem=reason)
            if fault.is_passing:
                self._read_again_at(self._now() + _AGAIN.wait(self._stored.failures + 1))
            return self._run.fail(reason)

    def _run_server(self) -> RunResult:
        directory, country = self._stored.directory, self._request.settings.default_country
        is_full = _mode(self._request, self._now()) is RunMode.FULL
        pause = self._request.pause
        reading = read(directory, self._stored.cookie, full=is_full, now=self._now(), country=country, pause=pause)
        return self._run.apply(reading, dry_run=self._request.dry_run)

    def _run_files(self, folder: WatchedFolder) -> RunResult:
        """Read one file, the oldest that is whole."""
        is_dry, file, again = self._request.dry_run, None, timedelta(0)
        try:
            file = folder.take(self._stored.cookie)
            result = self._run.leave() if file is None or file.is_repeated else self._run_file(file)
        except RefusedFileError as refused:
            if is_dry:
                left = tuple(map(not_taken, refused.faults))
                return replace(self._run.leave(), state=RunState.FAILED, problem=left[0].reason, faults=left)
            result = self._run.refuse(refused.name, refused.faults)
            folder.refuse(refused.name, self._why(refused))
        else:
            if file is None:
                again = _WRITTEN
            elif not is_dry and (file.is_repeated or result.state in _ENDED):
                folder.finish(file)
        if not is_dry and result.state is not RunState.HELD and folder.has_files():
            self._read_again_at(self._now() + again)
        return result

    def _run_file(self, file: FolderFile) -> RunResult:
        directory, country = self._stored.directory, self._request.settings.default_country
        reading = read_folder_file(file, directory, now=self._now(), country=country)
        return self._run.apply(reading, dry_run=self._request.dry_run)

    def _why(self, refused: RefusedFileError) -> str:
        """Return what is wrong with a file, in the customer's language."""
        words = Dictionary().words(self._request.settings.language)
        faults = map(not_taken, refused.faults)
        return "".join(f"{say_place(left, words)}: {say_reason(left.reason, words)}\n" for left in faults)

    def _read_again_at(self, at: datetime) -> None:
        key, due_at = self._stored.directory.key, to_stored(at)
        if self._stored.due_at is None or due_at < self._stored.due_at:
            self._sync.database.write_now(lambda tx, _: [postpone_directory(tx, key, due_at)], None)
