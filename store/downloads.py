"""Downloads: long tables that accounts asked for, how far each is written, and where its file is.

Not here: who writes the file (reports.downloads), what stands in it (reports.details).
"""

# ruff: noqa: D106 - peewee's Meta is configuration, the docstring is its model's

from dataclasses import dataclass, fields
from enum import StrEnum
from typing import Final

import peewee
from msgspec import Struct

from store.engine.database import Transaction
from store.engine.rows import query
from store.engine.statements import Insert
from store.outbox import NewRow, Outbox
from store.tables import KeyedRow


class DownloadState(StrEnum):
    """How far one is. `erased`: the file is gone, since what is known of somebody was erased."""

    WAITING = "waiting"
    WRITING = "writing"
    READY = "ready"
    FAILED = "failed"
    ERASED = "erased"


class DownloadRow(KeyedRow):
    """One download. `wanted` is the filter as JSON; `direction` and `form` say what table becomes what file.

    `node` and `attempt` are those who write it or wrote it, `touched_at` is their last sign of life. `lines` of `about`
    so many are written; `octets` is the size of the file.
    """

    public_id = peewee.TextField(unique=True)
    customer_key = peewee.BigIntegerField(index=True)
    account = peewee.TextField()
    language = peewee.TextField()
    zone = peewee.TextField()
    direction = peewee.TextField()
    form = peewee.TextField()
    wanted = peewee.TextField()
    state = peewee.TextField(index=True)
    asked_at = peewee.BigIntegerField()
    expires_at = peewee.BigIntegerField(index=True)
    node = peewee.IntegerField(default=-1)
    attempt = peewee.IntegerField(default=0)
    touched_at = peewee.BigIntegerField(default=0)
    about = peewee.BigIntegerField(default=0)
    lines = peewee.BigIntegerField(default=0)
    octets = peewee.BigIntegerField(default=0)
    problem = peewee.TextField(default="")

    class Meta:
        table_name = "download"


class StoredDownload(Struct, frozen=True, array_like=True):
    """A download as stored; instants in microseconds."""

    key: int
    public_id: str
    customer_key: int
    account: str
    language: str
    zone: str
    direction: str
    form: str
    wanted: str
    state: DownloadState
    asked_at: int
    expires_at: int
    node: int
    attempt: int
    about: int
    lines: int
    octets: int
    problem: str

    @property
    def folder(self) -> str:
        """The name of the folder that this attempt writes to."""
        return f"{self.public_id}-{self.attempt}"


@dataclass(frozen=True, slots=True, kw_only=True)
class NewDownload:
    """What is asked for; instants in microseconds."""

    key: int
    public_id: str
    customer_key: int
    account: str
    language: str
    zone: str
    direction: str
    form: str
    wanted: str
    asked_at: int
    expires_at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TakeDownload:
    """A node that can write one, at an instant; whoever was not heard of since `dead_since` does not write any more."""

    node: int
    now: int
    dead_since: int


@dataclass(frozen=True, slots=True, kw_only=True)
class WrittenLines:
    """How far an attempt is. `ends` is the state that it ends in, with the letter that tells of it."""

    key: int
    attempt: int
    now: int
    about: int
    lines: int
    octets: int
    ends: DownloadState | None = None
    expires_at: int = 0
    problem: str = ""
    letter: NewRow | None = None


_NEW = Insert(DownloadRow)
_DOWNLOADS = query(StoredDownload, "FROM download")
_OPEN: Final = "state IN ('waiting', 'writing')"
_TAKE = (
    "UPDATE download SET state = 'writing', node = ?, attempt = attempt + 1, touched_at = ?, lines = 0, octets = 0"
    " WHERE key = ? AND attempt = ? AND state IN ('waiting', 'writing') RETURNING key"
)
_NEXT = (
    "SELECT key, attempt FROM download WHERE (state = 'waiting' OR state = 'writing' AND (node = ? OR touched_at <= ?))"
    " ORDER BY asked_at, key LIMIT 1"
)
_GO_ON = (
    "UPDATE download SET touched_at = ?, about = ?, lines = ?, octets = ?"
    " WHERE key = ? AND attempt = ? AND state = 'writing' RETURNING key"
)
_END = "UPDATE download SET state = ?, expires_at = ?, problem = ? WHERE key = ?"


def add_download(tx: Transaction, new: NewDownload) -> None:
    """Keep what is asked for."""
    given = {field.name: getattr(new, field.name) for field in fields(new)}
    tx.insert(_NEW, [_NEW.row(state=DownloadState.WAITING.value, **given)])


def find_download(tx: Transaction, public_id: str, customer_key: int) -> StoredDownload | None:
    """Return a download of a customer."""
    found = tx.select(
        StoredDownload, f"{_DOWNLOADS} WHERE public_id = ? AND customer_key = ?", (public_id, customer_key)
    )
    return next(iter(found), None)


def downloads_of(tx: Transaction, customer_key: int, account: str) -> list[StoredDownload]:
    """Return those of an account at a customer, the newest first."""
    sql = f"{_DOWNLOADS} WHERE customer_key = ? AND account = ? ORDER BY asked_at DESC, key DESC"
    return tx.select(StoredDownload, sql, (customer_key, account))


def count_open(tx: Transaction, customer_key: int) -> int:
    """Return how many of a customer are not written yet."""
    return int(tx.value(f"SELECT count(*) FROM download WHERE customer_key = ? AND {_OPEN}", (customer_key,)))  # noqa: S608


def octets_of(tx: Transaction, customer_key: int) -> int:
    """Return how much all files of a customer have."""
    return int(tx.value("SELECT COALESCE(sum(octets), 0) FROM download WHERE customer_key = ?", (customer_key,)))


def delete_download(tx: Transaction, key: int) -> None:
    """Forget one; its file goes with the next sweep."""
    tx.execute("DELETE FROM download WHERE key = ?", (key,))


def is_due(tx: Transaction, now: int) -> bool:
    """Return whether some are not written yet, or have expired."""
    return bool(tx.rows(f"SELECT 1 FROM download WHERE expires_at <= ? OR {_OPEN} LIMIT 1", (now,)))  # noqa: S608 - ours


def take_downloads(tx: Transaction, calls: list[TakeDownload]) -> list[StoredDownload | None]:
    """Give each the oldest that nobody writes, and forget what has expired.

    What a process before at this node had begun begins anew.
    """
    return [_take(tx, call) for call in calls]


def _take(tx: Transaction, call: TakeDownload) -> StoredDownload | None:
    tx.execute("DELETE FROM download WHERE expires_at <= ?", (call.now,))
    for key, attempt in tx.rows(_NEXT, (call.node, call.dead_since)):
        if tx.rows(_TAKE, (call.node, call.now, key, attempt)):
            return tx.select(StoredDownload, f"{_DOWNLOADS} WHERE key = ?", (key,))[0]
    return None


def note_written(tx: Transaction, calls: list[tuple[WrittenLines, Outbox]]) -> list[bool]:
    """Keep how far attempts are; False where it is not theirs any more: deleted, erased, or taken by another node."""
    return [_note(tx, call, outbox) for call, outbox in calls]


def _note(tx: Transaction, call: WrittenLines, outbox: Outbox) -> bool:
    place = (call.now, call.about, call.lines, call.octets, call.key, call.attempt)
    if not tx.rows(_GO_ON, place):
        return False
    if call.ends is not None:
        tx.execute(_END, (call.ends.value, call.expires_at, call.problem, call.key))
        if call.letter is not None:
            outbox.add(tx, [call.letter])
    return True


def erase_downloads(tx: Transaction, _: list[None]) -> list[int]:
    """Take back all files and filters, which may have what was erased; returns how many files."""
    files = int(tx.value("SELECT count(*) FROM download WHERE state = 'ready'"))
    tx.execute("UPDATE download SET state = 'erased', wanted = '', octets = 0 WHERE state <> 'erased'")
    return [files for _ in _]


def folders_kept(tx: Transaction) -> frozenset[str]:
    """Return the names of the folders that somebody writes to, or that hold a file."""
    rows = tx.rows("SELECT public_id, attempt FROM download WHERE state IN ('writing', 'ready')")
    return frozenset(f"{name}-{attempt}" for name, attempt in rows)
