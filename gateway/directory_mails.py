"""Mails about customers' directories: which runs are told of, to whom, and what such a mail says.

Told is what waits for approval; a failure once for each cause, and when it is over; entries left as they were, when
they are others than before; and what became of each file. Not here: the run (directory_sync), how a mail looks
(templates, mta.sending.directory).
"""

from collections.abc import Iterable, Sequence
from functools import partial
from typing import Final

from addressbook.exchange import SPREADSHEET, write_csv
from addressbook.runs import NotTaken, Reason, RunLine, RunResult, RunState
from addressbook.sources import FolderSource
from gateway.directory import DirectoryFollower
from gateway.ports import DirectoryMail
from sms.message import Origin
from store.directories import StoredDirectory, find_directory_by_key
from store.directory_lookup import find_customer_by_key
from store.directory_runs import Run, find_run, read_lines, runs_of
from store.engine.database import Database, Transaction
from store.engine.keys import Keys, to_instant
from store.outbox import NewRow, Outbox
from templates.directory_view import DirectoryEvent, DirectoryNews, say_place, say_reason
from templates.words import Words

DIRECTORY_MAIL: Final = "directory"
_MOST_LINES: Final = 100_000
_LOOKED_BACK: Final = 100
_SHOWN_DIGEST: Final = 12
_READ: Final = frozenset({RunState.APPLIED, RunState.UNCHANGED, RunState.HELD})


class DirectoryTelling:
    """Writes the mails of runs, in the transaction that ends each; `operator` is told where a customer names nobody."""

    def __init__(self, keys: Keys, operator: str = "") -> None:
        self._outbox = Outbox(keys)
        self._operator = operator

    def tell(self, tx: Transaction, run: Run, now: int) -> None:
        """Write what is to be told of a run that just ended; `now` is in microseconds."""
        customer, stored = find_customer_by_key(tx, run.customer_key), find_directory_by_key(tx, run.directory_key)
        recipient = customer.admin_address or self._operator if customer is not None else ""
        if not recipient or stored is None:
            return
        earlier = [other for other in runs_of(tx, run.directory_key, _LOOKED_BACK) if other.key < run.key]
        for event in _events(run, stored, earlier):
            row = NewRow(
                kind=DIRECTORY_MAIL,
                prefix="DI",
                recipient=recipient,
                now=now,
                about={"run": run.key, "event": event.value},
                customer_key=run.customer_key,
            )
            self._outbox.add(tx, [row])


def _events(run: Run, stored: StoredDirectory, earlier: Sequence[Run]) -> Iterable[DirectoryEvent]:
    """Yield what is told of a run; `earlier` ones are newest first."""
    result, of_files = run.result(), isinstance(stored.directory.source, FolderSource)
    if run.state is RunState.FAILED:
        if of_files and result.problem is not None and result.problem.section == "row":
            yield DirectoryEvent.REFUSED
        elif not any(_cause(other) == _cause(run) for other in _failures(earlier)):
            yield DirectoryEvent.FAILED
        return
    if run.state not in _READ:
        return
    if any(True for _ in _failures(earlier)) and not of_files:
        yield DirectoryEvent.RECOVERED
    if run.state is RunState.HELD:
        yield DirectoryEvent.HELD
    elif of_files:
        yield DirectoryEvent.TAKEN
    elif result.faults and result.faults != _faults_before(earlier):
        yield DirectoryEvent.FAULTY


def _failures(earlier: Iterable[Run]) -> Iterable[Run]:
    """Yield the runs that failed since the last one that read the directory."""
    for run in earlier:
        if run.state in _READ:
            return
        if run.state is RunState.FAILED:
            yield run


def _cause(run: Run) -> str:
    problem = run.result().problem
    return problem.code if problem is not None else ""


def _faults_before(earlier: Iterable[Run]) -> Sequence[NotTaken]:
    return next((run.result().faults for run in earlier if run.state in _READ), ())


class DirectoryMails:
    """Finds what a mail about a run says; the command that approves it names the operator's file."""

    def __init__(self, *, book: DirectoryFollower, database: Database, config_file: str) -> None:
        self._book = book
        self._database = database
        self._config_file = config_file

    async def news(self, mail: DirectoryMail) -> DirectoryNews | None:
        """Return what is told; None where that is over: its run or directory is no more, or waits no longer."""
        found = await self._database.read(partial(_read_run, key=mail.run_key))
        customer = self._book.current.directory.customer(mail.customer_key)
        if found is None or customer is None:
            return None
        run, stored, lines, failures = found
        event, result = DirectoryEvent(mail.event), run.result()
        if event is DirectoryEvent.HELD and run.state is not RunState.HELD:
            return None
        return DirectoryNews(
            event=event,
            directory=stored.directory.name,
            customer=customer.name,
            reference=str(run.key),
            at=to_instant(run.began_at),
            settings=self._book.current.layers.resolve(customer.key, Origin.MAIL.value).settings,
            source=run.source,
            reasons=_reasons(event, result),
            faults=result.faults,
            lines=lines,
            counts=result.counts,
            command=f"mail2sms dirsync approve {run.digest[:_SHOWN_DIGEST]} --config {self._config_file}",
            failures=len(failures),
            failing_since=to_instant(failures[-1].began_at) if failures else None,
        )


def _reasons(event: DirectoryEvent, result: RunResult) -> Sequence[Reason]:
    if event is DirectoryEvent.HELD:
        return result.held_for
    if event in (DirectoryEvent.FAILED, DirectoryEvent.REFUSED) and result.problem is not None:
        return (result.problem,)
    return ()


def _read_run(tx: Transaction, key: int) -> tuple[Run, StoredDirectory, list[RunLine], list[Run]] | None:
    """Return a run with its directory, its lines, and the failures in a row of which it is the last."""
    run = find_run(tx, key)
    stored = find_directory_by_key(tx, run.directory_key) if run is not None else None
    if run is None or stored is None:
        return None
    failures: list[Run] = []
    if run.state is RunState.FAILED:
        earlier = [other for other in runs_of(tx, run.directory_key, _LOOKED_BACK) if other.key < run.key]
        failures = [run, *_failures(earlier)]
    return run, stored, read_lines(tx, key, _MOST_LINES), failures


def lines_as_csv(lines: Sequence[RunLine]) -> bytes:
    """Return a difference as CSV."""
    rows = ((line.action, line.target, line.field, line.before, line.after) for line in lines)
    return write_csv(("action", "who", "field", "before", "after"), rows).encode(SPREADSHEET)


def faults_as_csv(faults: Sequence[NotTaken], words: Words) -> bytes:
    """Return what was left as it was as CSV."""
    rows = ((say_place(fault, words), say_reason(fault.reason, words)) for fault in faults)
    return write_csv(("where", "why"), rows).encode(SPREADSHEET)
