"""The runs of directories as they are stored: begun, staged in portions, put in force by one switch, and swept.

A run writes next versions of users and cells, sets of list members, and its difference as lines of the audit; nobody
sees any of it until `switch` says that the run is applied, which takes the same time for one user as for 50,000. Not
here: whose version is in force (versions), what is left over of runs (swept_runs), what a run changes
(addressbook.sync_plan), the order of these steps (gateway.directory_sync).
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec
from msgspec import Struct

from addressbook.canonical import canonical_name
from addressbook.lists import ListMember
from addressbook.runs import NotTaken, Reason, RunLine, RunMode, RunResult, RunState
from sms.facts import Fact
from store.directory import LOG_REACH, VERSION, read_version
from store.directory_changes import CellToStore, DirectoryChanges
from store.directory_tables import AuditRow, DirectoryRunRow, SettingRow, UserRow
from store.engine.database import Transaction
from store.engine.keys import Keys
from store.engine.rows import query
from store.engine.statements import Insert, Update
from store.lists import put_authors
from store.lists_tables import ListMemberRow, ListRow
from store.meta import lock_meta
from store.versions import IN_FORCE, end_runs_that_replace, owner_rows

_MOST_FAULTS = 200
_PLANNED_UPON = ("all", "customer", "profile")  # domains and profiles that rows were judged by
_NEW_RUNS = Insert(DirectoryRunRow)
_SET_RUN = Update(
    DirectoryRunRow,
    *(
        "mode",
        "source",
        "digest",
        "counts",
        "faults",
        "held_for",
        "base_version",
        "cookie",
        "options_digest",
        "list_sets",
    ),
)
_USERS = Insert(UserRow)
_CELLS = Insert(SettingRow)
_LINES = Insert(AuditRow)
_MEMBERS = Insert(ListMemberRow)
_LISTS = Insert(ListRow)
_ENDED = "state NOT IN ('reading', 'staging', 'held')"
_VERSIONS = f"SELECT key, user_key FROM mail_user WHERE user_key IN (??) AND {IN_FORCE}"  # noqa: S608 - a condition of ours
_CELL_ENDS = f"UPDATE setting SET until_run = ? WHERE owner_key = ? AND scope = ? AND field = ? AND {IN_FORCE}"  # noqa: S608 - the same


class StaleRunError(Exception):
    """What the run was planned upon has changed: it must be planned again."""


class ListSet(Struct, frozen=True, kw_only=True):
    """The next members of a list, under a key of their own, and its authors (None: as they are).

    `replaces` is the set of members that it had when the run was planned; 0 makes a new list.
    """

    list_key: int
    name: str
    members_key: int
    replaces: int = 0
    columns: tuple[str, ...] = ()
    authors: tuple[str, ...] | None = None


class Run(Struct, frozen=True, kw_only=True, array_like=True):
    """One run as stored. Instants are microseconds; `base_version` is the directory version it was planned upon."""

    key: int
    directory_key: int
    customer_key: int
    state: RunState
    mode: RunMode
    began_at: int
    ended_at: int | None
    asked_by: str
    source: str
    digest: str
    counts: str
    problem: str
    faults: str
    held_for: str
    base_version: int
    cookie: str
    options_digest: str
    list_sets: str
    approved_by: str

    @property
    def sets(self) -> tuple[ListSet, ...]:
        """Return the lists' next members."""
        return msgspec.json.decode(self.list_sets, type=tuple[ListSet, ...])

    def result(self) -> RunResult:
        """Return what came of it, without its lines."""
        decode = msgspec.json.decode
        problem = decode(self.problem)
        return RunResult(
            key=self.key,
            state=self.state,
            digest=self.digest,
            counts=decode(self.counts, type=dict[str, int]),
            held_for=tuple(map(_reason, decode(self.held_for))),
            faults=tuple(NotTaken(**{**item, "reason": _reason(item["reason"])}) for item in decode(self.faults)),
            problem=None if problem is None else _reason(problem),
        )


def _reason(stored: dict[str, Any]) -> Reason:
    facts = {name: _fact(value) for name, value in stored["facts"].items()}
    return Reason(section=stored["section"], code=stored["code"], facts=facts)


def _fact(stored: Any) -> Fact:
    return tuple(map(_fact, stored)) if isinstance(stored, list) else stored


_RUNS = query(Run, "FROM directory_run")


@dataclass(frozen=True, slots=True, kw_only=True)
class UserVersion:
    """A user as a run leaves it, with the cells that are different. `ended` is a user that is no more after it."""

    user_key: int
    is_new: bool = False
    ended: bool = False
    address: str = ""
    name: str = ""
    phone: str = ""
    active: bool = True
    profile_key: int | None = None
    anchor: str = ""
    disabled: bool = False
    unseen_at: int | None = None
    missing_at: int | None = None
    cells: tuple[CellToStore, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedRun:
    """What a run needs to be put in force besides its versions."""

    mode: RunMode
    source: str
    digest: str
    counts: Mapping[str, int]
    cookie: str
    options_digest: str
    base_version: int
    held_for: tuple[Reason, ...] = ()
    faults: tuple[NotTaken, ...] = ()
    lists: tuple[ListSet, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class StagedPortion:
    """Some of what a run stages in one transaction. `moving` are all users that it changes."""

    run: Run
    users: Sequence[UserVersion] = ()
    lines: Sequence[RunLine] = ()
    members: Mapping[int, Sequence[tuple[int, ListMember]]] = field(default_factory=dict)
    moving: Collection[int] = frozenset()


def runs_of(tx: Transaction, directory_key: int, most: int = 20) -> list[Run]:
    """Return the newest runs of a directory, newest first."""
    return tx.select(Run, _RUNS + " WHERE directory_key = ? ORDER BY key DESC LIMIT ?", (directory_key, most))


def find_run(tx: Transaction, key: int) -> Run | None:
    """Return the run with this key."""
    return next(iter(tx.select(Run, _RUNS + " WHERE key = ?", (key,))), None)


def find_held(tx: Transaction, directory_key: int) -> Run | None:
    """Return the run of a directory that waits for approval."""
    return next(iter(tx.select(Run, _RUNS + " WHERE directory_key = ? AND state = 'held'", (directory_key,))), None)


def find_by_digest(tx: Transaction, prefix: str) -> list[Run]:
    """Return the runs whose digest begins so, newest first, but those that wait before all others."""
    pattern = prefix.lower().replace("!", "!!").replace("%", "!%").replace("_", "!_") + "%"
    return tx.select(Run, _RUNS + " WHERE digest LIKE ? ESCAPE '!' ORDER BY state = 'held' DESC, key DESC", (pattern,))


def find_running(tx: Transaction, directory_key: int) -> Run | None:
    """Return the run of a directory that is under way, or was when its process ended."""
    found = tx.select(Run, _RUNS + " WHERE directory_key = ? AND state IN ('reading', 'staging')", (directory_key,))
    return next(iter(found), None)


def applied_since(tx: Transaction, directory_key: int, since: int) -> list[Run]:
    """Return the runs of a directory applied since an instant, newest first."""
    where = " WHERE directory_key = ? AND state = 'applied' AND ended_at >= ? ORDER BY key DESC"
    return tx.select(Run, _RUNS + where, (directory_key, since))


class _Line(Struct, frozen=True, array_like=True):
    action: str
    target: str
    field: str
    before: str
    after: str


_LINES_OF = query(_Line, "FROM audit WHERE run_key = ? ORDER BY key LIMIT ?")


def read_lines(tx: Transaction, run_key: int, most: int) -> list[RunLine]:
    """Return the difference that a run makes or made, as far as it is kept with it."""
    rows = tx.select(_Line, _LINES_OF, (run_key, most))
    return [
        RunLine(action=row.action, target=row.target, field=row.field, before=row.before, after=row.after)
        for row in rows
    ]


def begin_run(  # noqa: PLR0913 - a row's columns
    tx: Transaction, key: int, *, directory_key: int, customer_key: int, mode: RunMode, asked_by: str, now: int
) -> None:
    """Store a run that begins to read."""
    row = _NEW_RUNS.row(
        key=key,
        directory_key=directory_key,
        customer_key=customer_key,
        state=RunState.READING.value,
        mode=mode.value,
        began_at=now,
        asked_by=asked_by,
    )
    tx.insert(_NEW_RUNS, [row])


def end_run(tx: Transaction, key: int, state: RunState, now: int, problem: Reason | None = None) -> bool:
    """Store how a run ended that is open; False if it is not open any more."""
    told = msgspec.json.encode(problem).decode()
    set_state = "UPDATE directory_run SET state = ?, ended_at = ?, problem = ? WHERE key = ?"
    return tx.execute(set_state + f" AND NOT ({_ENDED})", (state.value, now, told, key)) == 1


def plan_run(tx: Transaction, key: int, planned: PlannedRun) -> None:
    """Store what a run would put in force."""
    encode = msgspec.json.encode
    row = _SET_RUN.row(
        key=key,
        mode=planned.mode.value,
        source=planned.source,
        digest=planned.digest,
        counts=encode(dict(planned.counts)).decode(),
        faults=encode(planned.faults[:_MOST_FAULTS]).decode(),
        held_for=encode(planned.held_for).decode(),
        base_version=planned.base_version,
        cookie=planned.cookie,
        options_digest=planned.options_digest,
        list_sets=encode(planned.lists).decode(),
    )
    tx.update(_SET_RUN, [row])


def note_refused(tx: Transaction, key: int, source: str, faults: Sequence[NotTaken]) -> None:
    """Store with a run which file is refused whole, and for which faults."""
    told = msgspec.json.encode(faults[:_MOST_FAULTS]).decode()
    tx.execute("UPDATE directory_run SET source = ?, faults = ? WHERE key = ?", (source, told, key))


def begin_staging(tx: Transaction, run: Run) -> None:
    """Say that a planned run is being staged, and give up the one of its directory that waits for approval."""
    discard_held(tx, run.directory_key)
    tx.execute("UPDATE directory_run SET state = 'staging' WHERE key = ?", (run.key,))


def discard_held(tx: Transaction, directory_key: int) -> None:
    """Give up the run of a directory that waits for approval."""
    tx.execute(
        "UPDATE directory_run SET state = 'discarded' WHERE directory_key = ? AND state = 'held'", (directory_key,)
    )


def count_failure(tx: Transaction, directory_key: int) -> None:
    """Store that a directory could not be read once more."""
    tx.execute("UPDATE directory SET failures = failures + 1 WHERE key = ?", (directory_key,))


def make_ready(tx: Transaction, key: int, now: int) -> None:
    """Say that a run is about to come into force: readers prepare for it."""
    tx.execute("UPDATE directory_run SET ready_at = ? WHERE key = ?", (now, key))


def hold_run(tx: Transaction, key: int, now: int) -> None:
    """Say that a staged run waits for approval. Raises StaleRunError."""
    held = "UPDATE directory_run SET state = 'held', ended_at = ? WHERE key = ? AND state = 'staging'"
    if not tx.execute(held, (now, key)):
        raise StaleRunError


def lock_open_run(tx: Transaction, key: int) -> RunState | None:
    """Wait for changes of the address book that are under way, and return the state of a run."""
    lock_meta(tx, VERSION)
    found = tx.value("SELECT state FROM directory_run WHERE key = ? FOR UPDATE", (key,))
    return None if found is None else RunState(found)


def stage(tx: Transaction, keys: Keys, portion: StagedPortion, who: str, now: int) -> None:
    """Write a portion of a run. Raises StaleRunError where the address book is no longer what it was planned upon."""
    run = portion.run
    if lock_open_run(tx, run.key) is not RunState.STAGING:
        raise StaleRunError
    _check_unchanged(tx, portion)
    _end_versions(tx, run, portion.users)
    _check_addresses(tx, portion)
    tx.insert(_USERS, [_version_row(run, keys.take(), user) for user in portion.users if not user.ended])
    cells = [cell for user in portion.users for cell in user.cells]
    changed = [cell for user in portion.users if not user.is_new for cell in user.cells]
    ends = [(run.key, cell.key.owner_id, cell.key.kind.value, cell.field) for cell in changed]
    tx.execute_many(_CELL_ENDS, ends)
    tx.insert(_CELLS, [_cell_row(run, keys.take(), cell, who, now) for cell in cells if cell.text is not None])
    tx.insert(_LINES, [_line_row(run, keys.take(), line, who, now) for line in portion.lines])
    encode = msgspec.json.encode
    tx.insert(
        _MEMBERS,
        [
            _MEMBERS.row(list_key=key, number=member.number, seq=seq, content=encode(dict(member.values)).decode())
            for key, members in portion.members.items()
            for seq, member in members
        ],
    )


def _check_unchanged(tx: Transaction, portion: StagedPortion) -> None:
    """Raise StaleRunError where something changed between the plan and now; what is staged is watched by itself."""
    since = portion.run.base_version
    if read_version(tx) - since > LOG_REACH:
        raise StaleRunError
    for kind, target in tx.rows("SELECT DISTINCT kind, target FROM directory_change WHERE version > ?", (since,)):
        whose = "SELECT customer_key FROM directory_run WHERE key = ?"
        if (
            kind in _PLANNED_UPON
            or (kind in ("user", "layer") and target in portion.moving)
            or (kind == "run" and tx.value(whose, (target,)) == portion.run.customer_key)
        ):
            raise StaleRunError


def _end_versions(tx: Transaction, run: Run, users: Sequence[UserVersion]) -> None:
    stored = [user.user_key for user in users if not user.is_new]
    versions = tx.rows_in(_VERSIONS, stored)
    if {user_key for _, user_key in versions} != set(stored):
        raise StaleRunError
    end_runs_that_replace(tx, stored, run.key)
    tx.execute_many("UPDATE mail_user SET until_run = ? WHERE key = ?", [(run.key, key) for key, _ in versions])


def _check_addresses(tx: Transaction, portion: StagedPortion) -> None:
    wanted = {user.address: user.user_key for user in portion.users if not user.ended}
    own = set(wanted.values())
    if any(owner not in own and owner not in portion.moving for _, owner in owner_rows(tx, wanted)):
        raise StaleRunError


def _version_row(run: Run, key: int, user: UserVersion) -> tuple[object, ...]:
    return _USERS.row(
        key=key,
        user_key=user.user_key,
        customer_key=run.customer_key,
        profile_key=user.profile_key,
        address=user.address,
        name=user.name,
        phone=user.phone,
        active=user.active,
        source="directory",
        directory_key=run.directory_key,
        anchor=user.anchor,
        disabled=user.disabled,
        unseen_at=user.unseen_at,
        missing_at=user.missing_at,
        since_run=run.key,
    )


def _cell_row(run: Run, key: int, cell: CellToStore, who: str, now: int) -> tuple[object, ...]:
    return _CELLS.row(
        key=key,
        scope=cell.key.kind.value,
        owner_key=cell.key.owner_id,
        field=cell.field,
        value=cell.text,
        origin=cell.origin,
        set_at=now,
        set_by=who,
        since_run=run.key,
    )


def _line_row(run: Run, key: int, line: RunLine, who: str, now: int) -> tuple[object, ...]:
    return _LINES.row(
        key=key,
        at=now,
        who=who,
        action=line.action,
        target=line.target,
        customer_key=run.customer_key,
        field=line.field,
        before=line.before,
        after=line.after,
        run_key=run.key,
    )


_APPLY = "UPDATE directory_run SET state = 'applied', ended_at = ?, approved_by = ? WHERE key = ?"
_READ_TO = "UPDATE directory SET cookie = ?, digest = ?, synced_at = ?, failures = 0 WHERE key = ?"
_READ_FULL = "UPDATE directory SET full_at = ? WHERE key = ?"
_SWITCH_LIST = (
    "UPDATE distribution_list SET members_key = ?, columns = ?, directory_key = ? WHERE key = ? AND members_key = ?"
)


def switch(tx: Transaction, changes: DirectoryChanges, run: Run, now: int, approved_by: str = "") -> None:
    """Put a staged or held run in force, with its cookie, lists and version. Raises StaleRunError.

    What it costs does not depend on how much the run changes.
    """
    if run.state not in (RunState.STAGING, RunState.HELD) or lock_open_run(tx, run.key) is not run.state:
        raise StaleRunError
    for item in run.sets:
        _switch_list(tx, changes, run, item)
    tx.execute(_APPLY, (now, approved_by, run.key))
    mark_read(tx, run, now)
    changes.touch_run(run.key)


def mark_read(tx: Transaction, run: Run, now: int) -> None:
    """Store that the address book is as the directory was at this run: from its cookie on goes the next delta."""
    tx.execute(_READ_TO, (run.cookie, run.options_digest, now, run.directory_key))
    if run.mode is RunMode.FULL:
        tx.execute(_READ_FULL, (now, run.directory_key))


def _switch_list(tx: Transaction, changes: DirectoryChanges, run: Run, item: ListSet) -> None:
    columns = msgspec.json.encode(item.columns).decode()
    if item.replaces:
        values = (item.members_key, columns, run.directory_key, item.list_key, item.replaces)
        if not tx.execute(_SWITCH_LIST, values):
            raise StaleRunError
    else:
        taken = "SELECT 1 FROM distribution_list WHERE customer_key = ? AND canonical = ?"
        if tx.rows(taken, (run.customer_key, canonical_name(item.name))):
            raise StaleRunError
        row = _LISTS.row(
            key=item.list_key,
            customer_key=run.customer_key,
            name=item.name,
            canonical=canonical_name(item.name),
            columns=columns,
            members_key=item.members_key,
            directory_key=run.directory_key,
        )
        tx.insert(_LISTS, [row])
    if item.authors is not None:
        put_authors(tx, item.list_key, item.authors)
    changes.touch_list(item.list_key)
