"""One run of a directory, from its beginning to its end: old or new, never between.

A run has the lease of its directory while it lasts. What a reading changes is staged in small transactions with pauses,
so that whoever else writes gets its turns, and put in force by one short one; killed anywhere it leaves the address
book as it was. What changed meanwhile by somebody else's hand is planned anew, or the run is stale. Not here: reading
(dirsync), planning (sync_planning), when a run is due (process), who is told (directory_mails).
"""

import secrets
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from types import TracebackType
from typing import Self, TypeVar

import structlog

from addressbook.changes import ChangeFault, Reading
from addressbook.runs import Reason, RunLine, RunMode, RunResult, RunState, RunUnderWay
from addressbook.source_options import options_digest
from addressbook.sources import CustomerDirectory
from gateway.sync_planning import PlannedSync, not_taken, plan_now, planned_run, portions, summary
from store.audit import AuditLine
from store.awaited_runs import users_of_run
from store.directories import find_directory_by_key
from store.directory_changes import DirectoryChanges
from store.directory_runs import (
    Run,
    StaleRunError,
    begin_run,
    begin_staging,
    count_failure,
    discard_held,
    end_run,
    find_by_digest,
    find_run,
    find_running,
    hold_run,
    make_ready,
    mark_read,
    note_refused,
    plan_run,
    stage,
    switch,
)
from store.engine.database import Database, StorageError, Transaction
from store.engine.keys import Keys, to_instant, to_stored
from store.leases import DirectoryLeaseRequest, LeaseLostError, Leases
from store.swept_runs import (
    all_runs,
    missing_users,
    old_runs,
    release_lists,
    remove_run,
    sweep,
    unswept_runs,
    users_of_directory,
)

log = structlog.get_logger()

R = TypeVar("R")
_LIFE = timedelta(seconds=60)
_PORTION = 10
_REST = 2.0  # who waits for SQLite's one write lock waits no longer than these take
_TRIES = 3
_FEW = 500
_LOOKS = 2.0
_READ_IN_A_SECOND = 5_000
_SHORTEST_DIGEST = 8
ENDED = Reason(section="run", code="process-ended")
BROKEN = Reason(section="run", code="broken")


class DirectorySync:
    """Runs of directories, each under the lease of its directory; `pause` is given twice the seconds that a step took.

    `tell` is called in the transaction that ends a run, with the present instant in microseconds.
    """

    def __init__(  # noqa: PLR0913 - the use case names everything it needs, once
        self,
        database: Database,
        keys: Keys,
        now: Callable[[], datetime],
        *,
        life: timedelta = _LIFE,
        pause: Callable[[float], None] = time.sleep,
        portion: int = _PORTION,
        tell: Callable[[Transaction, Run, int], None] = lambda *_: None,
    ) -> None:
        self.database = database
        self.keys = keys
        self.life = life
        self.pause = pause
        self.portion = portion
        self.tell = tell
        self._now = now

    def now(self) -> int:
        """Return the present instant in microseconds."""
        return to_stored(self._now())

    def begin(self, directory: CustomerDirectory, mode: RunMode, who: str) -> "SyncRun | RunUnderWay":
        """Begin a run, once what is left over of earlier ones is taken away; or say which one is under way."""
        begun = SyncRun(self, directory, who)
        return begun.open(mode) or begun

    def approve(self, digest: str, who: str) -> RunResult | RunUnderWay | None:
        """Put the run in force that waits under this digest, of which eight digits are enough; None if there is none.

        One that is stale changes nothing: what it would change, or the options of its directory, changed since.
        """
        if len(digest) < _SHORTEST_DIGEST:
            return None
        found = self.database.read_now(partial(_find_waiting, digest=digest))
        if found is None:
            return None
        run, directory = found
        if run.state is not RunState.HELD or directory is None:
            return run.result()
        return SyncRun(self, directory, who).approve(run)

    def clear(self, directory: CustomerDirectory, who: str, *, with_users: bool) -> int | RunUnderWay:
        """Leave a directory's users and lists to administrators, or remove the users; returns how many there were."""
        return SyncRun(self, directory, who).clear(with_users=with_users)


def _find_waiting(tx: Transaction, digest: str) -> tuple[Run, CustomerDirectory | None] | None:
    runs = find_by_digest(tx, digest)
    if not runs:
        return None
    known = find_directory_by_key(tx, runs[0].directory_key)
    return runs[0], known.directory if known is not None else None


class SyncRun:
    """One run under way, to be used in a `with`; `apply`, or `fail` where the directory could not be read."""

    def __init__(self, sync: DirectorySync, directory: CustomerDirectory, asked_by: str) -> None:
        self._sync = sync
        self._directory = directory
        self._asked_by = asked_by
        self._who = f"directory {directory.name}"
        self._leases = Leases(sync.life)
        self._request = DirectoryLeaseRequest(owner=f"sync-{secrets.token_hex(8)}", directory_key=directory.key)
        self._ended = threading.Event()
        self._heart = threading.Thread(target=self._renew, name="directory-lease", daemon=True)
        self._run: Run | None = None

    @property
    def key(self) -> int:
        """Return the key of the run."""
        assert self._run is not None
        return self._run.key

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        with suppress(StorageError):
            if error is not None:
                self._end(RunState.FAILED, BROKEN)
        self._close()

    def open(self, mode: RunMode) -> RunUnderWay | None:
        """Take the lease, end what a killed process left open, take away its rows, and begin."""
        waits = self._acquire()
        if waits is not None:
            return waits
        try:
            self._clean_up()
            self._run = self._write(partial(self._begin, mode=mode))
        except BaseException:
            self._close()
            raise
        return None

    def fail(self, reason: Reason) -> RunResult:
        """End the run: the directory could not be read whole, so nothing of it is used."""
        self._end(RunState.FAILED, reason)
        self._write(lambda tx: count_failure(tx, self._directory.key))
        return self._told()

    def refuse(self, file: str, faults: Sequence[ChangeFault]) -> RunResult:
        """End the run: this file can't be used, and nothing of it is."""
        left = [not_taken(fault) for fault in faults]
        self._write(lambda tx: note_refused(tx, self.key, file, left))
        return self.fail(left[0].reason)

    def leave(self) -> RunResult:
        """End the run: there was nothing to read."""
        self._end(RunState.DISCARDED)
        return self._told()

    def apply(self, reading: Reading, *, dry_run: bool = False) -> RunResult:
        """Put in force what a reading changes, or hold it for approval; a dry run only says what that would be."""
        step = self._try_dry if dry_run else self._apply
        lines: tuple[RunLine, ...] = ()
        for _ in range(_TRIES):
            try:
                lines = step(reading)
                break
            except StaleRunError:
                self._end(RunState.STALE)
                self._begin_again()
        else:
            self._end(RunState.STALE)
        result = self._told()
        if reading.complete and result.state in (RunState.APPLIED, RunState.UNCHANGED):
            self._purge()
        return replace(result, lines=lines)

    def approve(self, run: Run) -> RunResult | RunUnderWay:
        """Put a run in force that waits for approval."""
        waits = self._acquire()
        if waits is not None:
            return waits
        self._run = run
        try:
            self._let_prepare()
            self._write(partial(self._switch, approved_by=self._asked_by))
        except StaleRunError:
            self._end(RunState.STALE)
        finally:
            self._close()
        return self._told()

    def clear(self, *, with_users: bool) -> int | RunUnderWay:
        """Do away with everything that a directory's runs left, and with its users, or leave them as they are."""
        waits = self._acquire()
        if waits is not None:
            return waits
        with self:
            self._write(lambda tx: discard_held(tx, self._directory.key))
            self._clean_up()
            count = 0
            while users := self._write(partial(self._leave_users, with_users=with_users)):
                count += users
            self._write(lambda tx: release_lists(tx, self._directory.key))
            for key in self._read(lambda tx: all_runs(tx, self._directory.key)):
                self._repeat(partial(remove_run, run_key=key, most=self._sync.portion))
            return count

    def _acquire(self) -> RunUnderWay | None:
        if not self._sync.database.write_now(self._leases.acquire_directory, self._request):
            found = self._read(lambda tx: find_running(tx, self._directory.key))
            began = to_instant(found.began_at if found is not None else self._sync.now())
            return RunUnderWay(asked_by=found.asked_by if found is not None else "", began_at=began)
        self._heart.start()
        return None

    def _renew(self) -> None:
        while not self._ended.wait(self._sync.life.total_seconds() / 3):
            with suppress(StorageError):
                self._sync.database.write_now(self._leases.acquire_directory, self._request)

    def _close(self) -> None:
        self._ended.set()
        if self._heart.is_alive():
            self._heart.join()
        with suppress(StorageError):
            self._sync.database.write_now(self._leases.release, self._request.owner)

    def _begin(self, tx: Transaction, mode: RunMode) -> Run:
        key, directory = self._sync.keys.take(), self._directory
        owners = {"directory_key": directory.key, "customer_key": directory.customer_id}
        begin_run(tx, key, **owners, mode=mode, asked_by=self._asked_by, now=self._sync.now())
        return _stored(tx, key)

    def _begin_again(self) -> None:
        mode = self._known().mode
        self._clean_up()
        self._run = self._write(partial(self._begin, mode=mode))

    def _plan(self, reading: Reading) -> PlannedSync:
        """Plan a reading, and store with the run what it would put in force."""
        found = self._read(lambda tx: plan_now(tx, self._directory, reading, self._sync.now()))
        planned = planned_run(found, self._sync.keys)
        self._write(lambda tx: plan_run(tx, self.key, planned))
        self._run = self._read(lambda tx: _stored(tx, self.key))
        return found

    def _try_dry(self, reading: Reading) -> tuple[RunLine, ...]:
        found = self._plan(reading)
        self._end(RunState.DISCARDED)
        return found.plan.lines

    def _apply(self, reading: Reading) -> tuple[RunLine, ...]:
        found = self._plan(reading)
        run, waiting = self._known(), found.waiting
        if found.changes_nothing:
            self._write(partial(self._note_unchanged, run=run))
        elif waiting is not None and found.held_for and _says_the_same(waiting, run):
            self._end(RunState.DISCARDED)  # the same waits already, and can be approved as it is
            self._run = waiting
        else:
            self._write(lambda tx: begin_staging(tx, run))
            self._stage(found)
            if found.held_for:
                self._write(self._hold)
            else:
                self._let_prepare()
                self._write(self._switch)
        return ()

    def _let_prepare(self) -> None:
        """Give those who follow the address book time to read what a large run changes before it does."""
        users = self._read(lambda tx: len(users_of_run(tx, self.key)))
        if users > _FEW:
            self._write(lambda tx: make_ready(tx, self.key, self._sync.now()))
            self._sync.pause(_LOOKS + users / _READ_IN_A_SECOND)

    def _note_unchanged(self, tx: Transaction, run: Run) -> None:
        discard_held(tx, run.directory_key)  # the directory no longer says what waits
        end_run(tx, run.key, RunState.UNCHANGED, self._sync.now())
        mark_read(tx, run, self._sync.now())
        self._tell(tx, run.key)

    def _stage(self, found: PlannedSync) -> None:
        now = self._sync.now()
        with self._sync.database.commits_at_leisure():
            for portion in portions(found, self._known(), self._sync.keys, self._sync.portion, now):
                begun = time.monotonic()
                self._write(partial(stage, keys=self._sync.keys, portion=portion, who=self._who, now=now))
                self._sync.pause(_REST * (time.monotonic() - begun))

    def _hold(self, tx: Transaction) -> None:
        hold_run(tx, self.key, self._sync.now())
        self._tell(tx, self.key)

    def _tell(self, tx: Transaction, key: int) -> None:
        self._sync.tell(tx, _stored(tx, key), self._sync.now())

    def _switch(self, tx: Transaction, approved_by: str = "") -> None:
        run, now = _stored(tx, self.key), self._sync.now()
        if run.options_digest != options_digest(self._directory):
            raise StaleRunError
        changes = DirectoryChanges(tx, self._sync.keys, approved_by or self._who, now)
        switch(tx, changes, run, now, approved_by)
        told = summary(run.result().counts)
        changes.audit(self._line("sync.apply", self._directory.name, told))
        changes.finish()
        self._tell(tx, run.key)

    def _clean_up(self) -> None:
        """End runs whose process was killed, then take away in small steps what ended runs left."""
        key, most = self._directory.key, self._sync.portion
        self._write(self._end_killed)
        for run_key in self._read(lambda tx: unswept_runs(tx, key)):
            self._repeat(partial(self._sweep, run_key=run_key))
        for run_key in self._read(lambda tx: old_runs(tx, key, self._sync.now())):
            self._repeat(partial(remove_run, run_key=run_key, most=most))

    def _end_killed(self, tx: Transaction) -> None:
        while (run := find_running(tx, self._directory.key)) is not None:
            self._end_in(tx, run.key, RunState.FAILED, ENDED)

    def _sweep(self, tx: Transaction, run_key: int) -> bool:
        changes = DirectoryChanges(tx, self._sync.keys, self._who, self._sync.now())
        left = sweep(tx, changes, run_key, self._sync.portion)
        changes.finish()
        return left

    def _purge(self) -> None:
        """Remove users, with logins and pins, whose entries have been gone for long enough."""
        before = self._sync.now() - int(timedelta(days=self._directory.purge_days).total_seconds()) * 1_000_000
        self._repeat(partial(self._purge_some, before=before))

    def _purge_some(self, tx: Transaction, before: int) -> bool:
        found = missing_users(tx, self._directory.key, before, self._sync.portion)
        changes = DirectoryChanges(tx, self._sync.keys, self._who, self._sync.now())
        for key, address in found:
            changes.remove_user(key)
            changes.audit(self._line("sync.purge", address))
        changes.finish()
        return bool(found)

    def _leave_users(self, tx: Transaction, *, with_users: bool) -> int:
        found = users_of_directory(tx, self._directory.key, self._sync.portion)
        changes = DirectoryChanges(tx, self._sync.keys, self._asked_by, self._sync.now())
        for key, address in found:
            if with_users:
                changes.remove_user(key)
                changes.audit(self._line("user.remove", address))
            else:
                changes.release_user(key)
        changes.finish()
        return len(found)

    def _line(self, action: str, target: str, detail: str = "") -> AuditLine:
        return AuditLine(action=action, target=target, detail=detail, customer_key=self._directory.customer_id)

    def _repeat(self, step: Callable[[Transaction], bool]) -> None:
        """Do a step until it says that there is no more of it, and pause for longer than each took."""
        more = True
        with self._sync.database.commits_at_leisure():
            while more:
                begun = time.monotonic()
                more = self._write(step)
                self._sync.pause(_REST * (time.monotonic() - begun))

    def _known(self) -> Run:
        assert self._run is not None
        return self._run

    def _end(self, state: RunState, reason: Reason | None = None) -> None:
        if self._run is not None:
            key = self._run.key
            self._write(lambda tx: self._end_in(tx, key, state, reason))

    def _end_in(self, tx: Transaction, key: int, state: RunState, reason: Reason | None) -> None:
        if end_run(tx, key, state, self._sync.now(), reason):
            self._tell(tx, key)

    def _told(self) -> RunResult:
        run = self._read(lambda tx: _stored(tx, self.key))
        result = run.result()
        log.info("directory_run_ended", directory=self._directory.name, state=run.state.value, counts=result.counts)
        return result

    def _read(self, query: Callable[[Transaction], R]) -> R:
        return self._sync.database.read_now(query)

    def _write(self, step: Callable[[Transaction], R]) -> R:
        """Do a step in a transaction of its own, in which the directory is ours. Raises StaleRunError."""
        answer = self._sync.database.write_now(self._run_steps, step)
        if isinstance(answer, StaleRunError):
            raise answer
        return answer

    def _run_steps(self, tx: Transaction, steps: list[Callable[[Transaction], R]]) -> list[R | StaleRunError]:
        return [self._run_step(tx, step) for step in steps]

    def _run_step(self, tx: Transaction, step: Callable[[Transaction], R]) -> R | StaleRunError:
        tx.execute("SAVEPOINT one_step")
        if not all(self._leases.acquire_directory(tx, [self._request])):
            raise LeaseLostError(f"another process reads the directory {self._directory.name} now")
        answer: R | StaleRunError
        try:
            answer = step(tx)
        except StaleRunError as stale:  # an ordinary result: it takes back its own step
            tx.execute("ROLLBACK TO SAVEPOINT one_step")
            answer = stale
        tx.execute("RELEASE SAVEPOINT one_step")
        return answer


def _says_the_same(one: Run, other: Run) -> bool:
    return (one.digest, one.options_digest) == (other.digest, other.options_digest)


def _stored(tx: Transaction, key: int) -> Run:
    run = find_run(tx, key)
    assert run is not None
    return run
