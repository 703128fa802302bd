"""Files for a directory's watched folder that come by HTTPS: kept whole in it, then read as those that come by SFTP.

What was acknowledged is on the disk under its name, so that no crash loses it; what was not is under a name that the
folder leaves alone. Not here: how files are read (dirsync.folder), who may send them (gateway.auth), HTTP (web).
"""

import asyncio
import fcntl
import hashlib
import os
import re
import secrets
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import BinaryIO, Final

import structlog

from addressbook.options import Option
from addressbook.senders import Principal
from addressbook.sources import FolderSource
from gateway.directory import DirectoryFollower
from gateway.limits import DiskReserve
from gateway.ports import Clock
from store.directories import StoredDirectory, find_directory, postpone_directory, watched_folders
from store.engine.database import Database
from store.engine.keys import to_stored

log = structlog.get_logger()

LARGEST: Final = 64_000_000
"""Octets of a file; a folder reads no larger ones."""
_NAME: Final = re.compile(r"[\w(+@][\w ()+@,.-]{0,149}")
_OWN_UNDER_WAY: Final = re.compile(r"\.[0-9a-f]{16}\.part")
_UNDER_WAY: Final = (".part", ".tmp", ".filepart")
_FOLDER: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_NEW: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


class FileFault(StrEnum):
    """Why a file was not kept; nothing of it is there then."""

    NO_DIRECTORY = "no-directory"
    NO_FOLDER = "no-folder"
    NOT_CONTRACTED = "not-contracted"
    SUSPENDED = "suspended"
    BAD_NAME = "bad-name"
    WAITS = "waits"
    TOO_LARGE = "too-large"
    OTHER_DIGEST = "other-digest"
    NO_ROOM = "no-room"
    UNUSABLE = "unusable"


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptFile:
    """A file that is kept and will be read; `digest` is its SHA-256 in hexadecimal."""

    directory: str
    name: str
    size: int
    digest: str


class DirectoryFiles:
    """The use case."""

    def __init__(self, *, database: Database, book: DirectoryFollower, clock: Clock, disk: DiskReserve) -> None:
        self._database = database
        self._book = book
        self._clock = clock
        self._disk = disk
        self._naming = asyncio.Lock()

    async def keep(
        self, principal: Principal, directory: str, name: str, content: AsyncIterator[bytes], digest: bytes | None
    ) -> KeptFile | FileFault:
        """Keep a file for a directory of the principal's customer, and have it read soon.

        `digest` is the SHA-256 that its sender says, None: it says none.
        """
        stored = await self._find(principal, directory)
        if isinstance(stored, FileFault):
            return stored
        source = stored.directory.source
        if not isinstance(source, FolderSource):
            return FileFault.NO_FOLDER
        if not _NAME.fullmatch(name) or name.endswith(_UNDER_WAY):
            return FileFault.BAD_NAME
        try:
            kept = await self._write(source.folder, name, content, digest)
        except OSError as error:
            log.error("directory_file_not_kept", directory=stored.directory.name, cause=str(error)[:200])
            return FileFault.UNUSABLE
        if isinstance(kept, FileFault):
            return kept
        await self._read_soon(stored)
        log.info("directory_file_kept", directory=stored.directory.name, login=principal.login, octets=kept[0])
        return KeptFile(directory=stored.directory.name, name=name, size=kept[0], digest=kept[1])

    async def sweep(self) -> None:
        """Remove what is left of uploads that were killed; one that is under way, in whatever process, is locked."""
        for folder in await self._database.read(watched_folders):
            try:
                await asyncio.to_thread(_sweep, folder)
            except OSError as error:
                log.warning("directory_folder_not_swept", cause=str(error)[:200])

    async def _find(self, principal: Principal, name: str) -> StoredDirectory | FileFault:
        """Return the directory of this name, of the principal's customer."""
        snapshot = self._book.current
        customer = snapshot.directory.customer(principal.customer_id)
        if customer is None or not snapshot.has_option(customer, Option.DIRECTORY):
            return FileFault.NOT_CONTRACTED
        if customer.suspension_of(Option.DIRECTORY) is not None:
            return FileFault.SUSPENDED
        stored = await self._database.read(lambda tx: find_directory(tx, customer.key, name))
        if stored is None or not stored.directory.active:
            return FileFault.NO_DIRECTORY
        return stored if self._disk.enough() else FileFault.NO_ROOM

    async def _write(
        self, folder: str, name: str, content: AsyncIterator[bytes], digest: bytes | None
    ) -> tuple[int, str] | FileFault:
        place = os.open(folder, _FOLDER)
        under_way = f".{secrets.token_hex(8)}.part"
        try:
            with os.fdopen(os.open(under_way, _NEW, 0o640, dir_fd=place), "wb") as file:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                hashed, size = hashlib.sha256(), 0
                async for block in content:
                    size += len(block)
                    if size > LARGEST:
                        return FileFault.TOO_LARGE
                    hashed.update(block)
                    file.write(block)
                if digest is not None and digest != hashed.digest():
                    return FileFault.OTHER_DIGEST
                await asyncio.to_thread(_to_disk, file)
                async with self._naming:  # a file that is being read would be taken away with the one of its name
                    if _is_there(place, name):
                        return FileFault.WAITS
                    os.rename(under_way, name, src_dir_fd=place, dst_dir_fd=place)
                    under_way = ""
            await asyncio.to_thread(os.fsync, place)
            return size, hashed.hexdigest()
        finally:
            if under_way:
                _remove(place, under_way)
            os.close(place)

    async def _read_soon(self, stored: StoredDirectory) -> None:
        now = to_stored(self._clock.now())
        await self._database.write(
            lambda tx, keys: [postpone_directory(tx, key, now) for key in keys], stored.directory.key
        )


def _to_disk(file: BinaryIO) -> None:
    file.flush()
    os.fsync(file.fileno())


def _sweep(folder: str) -> None:
    for path in Path(folder).iterdir():
        if not _OWN_UNDER_WAY.fullmatch(path.name) or path.is_symlink():
            continue
        with suppress(BlockingIOError, FileNotFoundError), path.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            path.unlink()
            log.info("directory_file_left_over_removed", name=path.name)


def _is_there(place: int, name: str) -> bool:
    try:
        os.stat(name, dir_fd=place, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return True


def _remove(place: int, name: str) -> None:
    try:
        os.unlink(name, dir_fd=place)
    except FileNotFoundError:
        return
