"""The watched folder: which of its files is read next, whole, and where it goes afterwards.

A file is whole if it keeps its size and time over two looks; names that begin with a dot, or end like those of uploads
under way, are left alone, and so is a file without its end marker that was written lately. A checksum beside it
(`NAME.sha256`, as `sha256sum` writes it) must be true. The oldest file comes first, one at a time; one that is older
than the last is refused, by what orders their names, else by when they were written. A file stays in its place until
its run has ended: killed before that, the next run reads it again; killed after it, the cookie tells that it was read.

Who puts files there must not make the gateway read or move anything else: links, devices and files of several names are
refused, and links in the place of our own folders are not followed. Not here: what a file says (files), when a run is
due (process).
"""

import hashlib
import os
import re
import stat
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

import msgspec

from addressbook.changes import ChangeFault, ChangeFaultCode, DamagedFileError
from addressbook.sources import FileForm, FolderSource
from dirsync.source import ReadFault, ReadFaultCode

DONE: Final = "done"
REFUSED: Final = "refused"
_UNDER_WAY: Final = (".part", ".tmp", ".filepart")
_CHECKSUM: Final = ".sha256"
_LARGEST: Final = 64_000_000
_BETWEEN_LOOKS: Final = 2.0
_WRITTEN_LATELY: Final = timedelta(minutes=10)
_REFUSED_DAYS: Final = 30
_LONGEST_CHECKSUM: Final = 100  # a digest has 64 digits; the name behind it does not count
_LONGEST_NAME: Final = 240  # octets, and a few for an ending
_READ: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_TIME: Final = re.compile(r"(20\d\d)-?([01]\d)-?([0-3]\d)(?:[T_-]?([0-2]\d)[-:]?([0-5]\d)(?:[-:]?([0-5]\d))?)?Z?(?!\d)")
_NUMBER: Final = re.compile(r"(?<=[-_.])(\d{1,18})$", re.ASCII)


class _Seen(msgspec.Struct, frozen=True, kw_only=True):
    """A file as it was read last: `modified` in nanoseconds since 1970."""

    name: str
    modified: int
    digest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FolderFile:
    """A whole file. `series` is what its run counts for: a list's name, or empty for the users.

    `is_repeated`: its run has ended already, so that it only has to be moved. `cookie` is stored with its run.
    """

    name: str
    series: str
    modified_at: datetime
    content: bytes
    cookie: str
    is_repeated: bool = False

    @property
    def source(self) -> str:
        """Its name and time for people."""
        return f"{self.name} {self.modified_at:%Y-%m-%d %H:%M} UTC"


class RefusedFileError(Exception):
    """A file must not be used, for these faults; nothing of it is. It is still where it was."""

    def __init__(self, name: str, faults: Sequence[ChangeFault]) -> None:
        super().__init__(name, faults[0].code)
        self.name = name
        self.faults = tuple(faults)


@dataclass(frozen=True, slots=True)
class _Look:
    """A file at one look."""

    name: str
    mode: int
    size: int
    modified: int
    inode: int
    links: int


class WatchedFolder:
    """The folder of one directory; used by one run at a time, which has its lease."""

    def __init__(
        self,
        source: FolderSource,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        pause: Callable[[], None] = lambda: time.sleep(_BETWEEN_LOOKS),
    ) -> None:
        """`pause` passes the time between two looks."""
        self._source = source
        self._now = now
        self._pause = pause

    def has_files(self) -> bool:
        """Return whether there is anything to read; raises ReadFault if nobody can say."""
        with self._opened() as folder:
            return any(True for _ in self._look(folder))

    def take(self, cookie: str) -> FolderFile | None:
        """Return the oldest file that is whole, None if there is none.

        Raises RefusedFileError for a file that must not be read, and ReadFault if the folder cannot be used.
        """
        with self._opened() as folder:
            first = set(self._look(folder))
            if not first:
                return None
            self._pause()
            for look in _oldest_first(item for item in self._look(folder) if item in first):
                found = self._read(folder, look, cookie)
                if found is not None:
                    return found
        return None

    def finish(self, file: FolderFile) -> None:
        """Move a file whose run has ended to `done/`, or remove it, and remove what was kept long enough."""
        with self._opened() as folder:
            if self._source.keep_days:
                self._move(folder, file.name, DONE)
            else:
                with suppress(FileNotFoundError):
                    os.unlink(file.name, dir_fd=folder)
                _remove_checksum(folder, file.name)
            self._sweep(folder)

    def refuse(self, name: str, why: str) -> None:
        """Move a file to `refused/`, with the reasons in a text file beside it."""
        with self._opened() as folder:
            moved = self._move(folder, name, REFUSED)
            with _subfolder(folder, REFUSED) as refused:
                told = os.open(f"{moved}.txt", os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644, dir_fd=refused)
                with os.fdopen(told, "w", encoding="utf-8") as file:
                    file.write(why)
            self._sweep(folder)

    @contextmanager
    def _opened(self) -> Iterator[int]:
        path = self._source.folder
        try:
            folder = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError as error:
            raise ReadFault(ReadFaultCode.FOLDER_UNUSABLE, folder=path, cause=str(error.strerror)) from None
        try:
            if os.fstat(folder).st_mode & stat.S_IWOTH:
                cause = "everybody on this machine may write into it"
                raise ReadFault(ReadFaultCode.FOLDER_UNUSABLE, folder=path, cause=cause)
            yield folder
        except OSError as error:
            cause = f"{error.filename or ''}: {error.strerror}".removeprefix(": ")
            raise ReadFault(ReadFaultCode.FOLDER_UNUSABLE, folder=path, cause=cause) from None
        finally:
            os.close(folder)

    def _look(self, folder: int) -> Iterator[_Look]:
        with os.scandir(folder) as entries:
            names = [entry.name for entry in entries]
        for name in names:
            if name.startswith(".") or name.lower().endswith((*_UNDER_WAY, _CHECKSUM)):
                continue
            with suppress(FileNotFoundError):
                found = os.stat(name, dir_fd=folder, follow_symlinks=False)
                if not stat.S_ISDIR(found.st_mode):
                    yield _Look(name, found.st_mode, found.st_size, found.st_mtime_ns, found.st_ino, found.st_nlink)

    def _read(self, folder: int, look: _Look, cookie: str) -> FolderFile | None:
        try:
            return self._read_whole(folder, look, _read_cookie(cookie))
        except DamagedFileError as damaged:
            raise RefusedFileError(look.name, [damaged.fault]) from None

    def _read_whole(self, folder: int, look: _Look, seen: dict[str, _Seen]) -> FolderFile | None:
        if odd := _oddity_of(look):
            raise DamagedFileError(ChangeFaultCode.NO_FILE, kind=odd)
        if look.size > _LARGEST:
            raise DamagedFileError(ChangeFaultCode.FILE_TOO_LARGE, megabytes=_LARGEST // 1_000_000)
        with os.fdopen(os.open(look.name, _READ, dir_fd=folder), "rb") as file:
            content = file.read(_LARGEST + 1)
            after = os.fstat(file.fileno())
        if (after.st_ino, after.st_size, after.st_mtime_ns) != (look.inode, look.size, look.modified):
            return None  # it is being written
        modified_at = datetime.fromtimestamp(look.modified // 1_000_000_000, UTC)
        if self._lacks_its_end(content) and self._now() - modified_at < _WRITTEN_LATELY:
            return None
        series = series_of(look.name) if self._source.form is FileForm.LIST else ""
        last = seen.get(series)
        digest = hashlib.sha256(content).hexdigest()
        told = _read_checksum(folder, look.name)
        if told not in ("", digest):
            raise DamagedFileError(ChangeFaultCode.CHECKSUM, told=told)
        this = _Seen(name=look.name, modified=look.modified, digest=digest)
        if last is not None and _is_older(this, last, self._now()):
            raise DamagedFileError(ChangeFaultCode.OLDER_FILE, last=last.name)
        return FolderFile(
            name=look.name,
            series=series,
            modified_at=modified_at,
            content=content,
            cookie=msgspec.json.encode(seen | {series: this}).decode(),
            is_repeated=this == last,
        )

    def _lacks_its_end(self, content: bytes) -> bool:
        """Return whether the end marker is not in the last line; what exactly is there, the readers judge."""
        last = content.rstrip(b"\0 \t\r\n,;|\"'").rpartition(b"\n")[2]
        return bool(self._source.end_marker) and self._source.end_marker.encode() not in last.replace(b"\0", b"")

    def _move(self, folder: int, name: str, to: str) -> str:
        moved = os.fsdecode(os.fsencode(f"{self._now():%Y%m%dT%H%M%S}Z-{name}")[:_LONGEST_NAME])
        with _subfolder(folder, to) as target:
            os.rename(name, moved, src_dir_fd=folder, dst_dir_fd=target)
        _remove_checksum(folder, name)
        return moved

    def _sweep(self, folder: int) -> None:
        """Remove files that were moved longer ago than they are kept; refused ones stay a month at least."""
        for name, days in ((DONE, self._source.keep_days), (REFUSED, max(self._source.keep_days, _REFUSED_DAYS))):
            with _subfolder(folder, name) as kept, os.scandir(kept) as entries:
                for entry in list(entries):
                    moved_at = datetime.fromtimestamp(entry.stat(follow_symlinks=False).st_ctime, UTC)
                    if not entry.is_dir(follow_symlinks=False) and self._now() - moved_at > timedelta(days=days):
                        os.unlink(entry.name, dir_fd=kept)


def series_of(name: str) -> str:
    """Return a file's name without its ending, and without what orders it: `crew-20261129T1200.csv` is `crew`."""
    stem = name.rpartition(".")[0] or name
    return (_NUMBER.sub("", _TIME.sub("", stem)).strip("-_.")) or stem


def sequence_of(name: str) -> tuple[str, int]:
    """Return what orders a file by its name: a time (`users-20261129T1200.csv`), else a number at its end, if any."""
    stem = name.rpartition(".")[0] or name
    if time_found := _TIME.search(stem):
        return "time", int("".join(part or "00" for part in time_found.groups()))
    number = _NUMBER.search(stem)
    return ("number", int(number[1])) if number else ("", 0)


def _is_older(this: _Seen, last: _Seen, now: datetime) -> bool:
    """Return whether a file is older than the one read last: by the names where both have the same kind of order.

    A time of writing that is still to come is a wrong clock's, and says nothing.
    """
    (kind, place), (last_kind, last_place) = sequence_of(this.name), sequence_of(last.name)
    if kind == last_kind and place != last_place:
        return place < last_place
    return this.modified < last.modified <= now.timestamp() * 1_000_000_000


def _oldest_first(looks: Iterator[_Look]) -> Sequence[_Look]:
    found = list(looks)
    if len({sequence_of(look.name)[0] for look in found}) > 1:
        return sorted(found, key=lambda look: look.modified)
    return sorted(found, key=lambda look: (sequence_of(look.name), look.modified, look.name))


def _read_cookie(cookie: str) -> dict[str, _Seen]:
    return msgspec.json.decode(cookie, type=dict[str, _Seen]) if cookie else {}


def _read_checksum(folder: int, name: str) -> str:
    """Return the SHA-256 that stands beside a file, empty for none."""
    try:
        told = os.open(name + _CHECKSUM, _READ, dir_fd=folder)
    except OSError:
        return ""
    with os.fdopen(told, "rb") as file:
        words = file.read(_LONGEST_CHECKSUM).split() if stat.S_ISREG(os.fstat(told).st_mode) else []
    return words[0].decode("ascii", "replace").lower() if words else "-"


def _remove_checksum(folder: int, name: str) -> None:
    with suppress(OSError):  # the name may be too long for one
        os.unlink(name + _CHECKSUM, dir_fd=folder)


def _oddity_of(look: _Look) -> str:
    """Return what is wrong with a file, whatever it contains; empty for nothing."""
    if not stat.S_ISREG(look.mode):
        return "a link" if stat.S_ISLNK(look.mode) else "a device or pipe"
    if look.links != 1:
        return "a file with several names"
    if look.mode & stat.S_IWOTH:
        return "a file that everybody may write"
    return "" if look.name.isprintable() else "a file with control characters in its name"


@contextmanager
def _subfolder(folder: int, name: str) -> Iterator[int]:
    """Open a folder of ours within the watched one, made if it is missing; a link in its place is not followed."""
    with suppress(FileExistsError):
        os.mkdir(name, 0o755, dir_fd=folder)  # who put a file may see why it was refused
    opened = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder)
    try:
        yield opened
    finally:
        os.close(opened)
