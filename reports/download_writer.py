"""The worker that writes long tables, one at a time and with a rest after each portion.

A file is complete when its row says so, in the transaction that writes the letter to who asked: a kill at any point
leaves a row that is written anew. Not here: what is asked for (downloads), what stands in a table (details).
"""

import asyncio
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import IO, Final
from zoneinfo import ZoneInfo

import msgspec
import structlog

from addressbook.exchange import separator_for
from gateway.letters import letter_row
from gateway.limits import DiskReserve
from gateway.ports import Clock
from gateway.worker import Worker
from reports.counting import Direction
from reports.details import COLUMNS, REST, DetailFilter, RowPortion, read_portion
from reports.downloads import KEPT, SHARE, Wanted, count_lines, place_of, sweep_files
from reports.inbound_details import INBOUND_COLUMNS, InboundFilter, read_inbound_portion
from reports.tables import TableForm, TableWriter
from store.details import DetailPlace
from store.downloads import (
    DownloadState,
    StoredDownload,
    TakeDownload,
    WrittenLines,
    is_due,
    note_written,
    octets_of,
    take_downloads,
)
from store.engine.database import Database, Transaction
from store.engine.keys import Keys, to_instant, to_stored
from store.engine.turns import short_turns
from store.outbox import NewRow, Outbox

log = structlog.get_logger()

_LOOK_EVERY: Final = 2.0
_NOTED: Final = 100  # portions between two notes of how far it is
_MOST_ATTEMPTS: Final = 20
_SILENT: Final = timedelta(minutes=15)
_MOST_COUNTED: Final = 10_000_000


class DownloadProblem(StrEnum):
    """Why there is no file."""

    TOO_LARGE = "too-large"
    NO_ROOM = "no-room"
    ERROR = "error"


@dataclass(slots=True, kw_only=True)
class _Writing:
    """One that is being written; `place` is that of the last row."""

    download: StoredDownload
    wanted: Wanted
    about: int
    left: int
    file: IO[bytes]
    writer: TableWriter
    place: DetailPlace | None = None
    lines: int = 0
    portions: int = 0


def _write(writer: TableWriter, portion: RowPortion) -> None:
    with short_turns():
        writer.write(portion.rows)


class DownloadWriter:
    """The worker; a table is begun in one step, and each portion of it is another one.

    `heads` are the columns' words in a language; `written` is called when there is a letter to send. `address` is where
    people reach the portal. No table is written where the disk has less than `reserve` octets.
    """

    def __init__(  # noqa: PLR0913 - what a worker of the portal needs
        self,
        *,
        database: Database,
        keys: Keys,
        clock: Clock,
        node: int,
        data_dir: Path,
        reserve: int,
        address: str,
        heads: Callable[[str, Sequence[str]], Sequence[str]],
        written: Callable[[], None],
    ) -> None:
        self._database = database
        self._outbox = Outbox(keys)
        self._clock = clock
        self._node = node
        self._data_dir = data_dir
        self._disk = DiskReserve(data_dir, reserve)
        self._address = address
        self._heads = heads
        self._written = written
        self._writing: _Writing | None = None
        self._worker = Worker("downloads", self.step, look_every=_LOOK_EVERY, rest=REST)

    def start(self) -> None:
        """Begin to look."""
        self._worker.start()

    async def stop(self) -> None:
        """End; what is half written begins anew at the next start."""
        await self._worker.stop()
        self._abandon()

    async def step(self) -> bool:
        """Write a portion, or begin or forget something; returns whether there may be more."""
        try:
            if self._writing is not None:
                await self._go_on(self._writing)
                return True
            return await self._begin()
        except BaseException:
            self._abandon()
            raise

    async def _begin(self) -> bool:
        now = self._clock.now()
        await asyncio.to_thread(sweep_files, self._data_dir, self._database)
        if not await self._database.read_long(partial(is_due, now=to_stored(now))):
            return False
        call = TakeDownload(node=self._node, now=to_stored(now), dead_since=to_stored(now - _SILENT))
        download = await self._database.write(take_downloads, call)
        if download is None:
            return False
        if download.attempt > _MOST_ATTEMPTS:
            await self._note(download, 0, DownloadState.FAILED, problem=DownloadProblem.ERROR)
            return True
        wanted, columns = _read_request(download)
        about = await self._database.read_long(partial(count_lines, wanted=wanted, most=_MOST_COUNTED))
        used = await self._database.read_long(partial(octets_of, customer_key=download.customer_key))
        file = await asyncio.to_thread(self._open, download)
        self._writing = _Writing(
            download=download,
            wanted=wanted,
            about=about,
            left=SHARE - used,
            file=file,
            writer=TableWriter(
                TableForm(download.form),
                self._heads(download.language, columns),
                download.zone,
                file,
                folder=str((self._data_dir / place_of(download)).parent),
                separator=separator_for(download.language),
            ),
        )
        await self._note(download, 0, about=about)
        return True

    def _open(self, download: StoredDownload) -> IO[bytes]:
        path = self._data_dir / place_of(download)
        path.parent.mkdir(mode=0o700, parents=True)
        return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb")

    async def _go_on(self, writing: _Writing) -> None:
        if problem := self._problem_of(writing):
            await self._end(writing, DownloadState.FAILED, problem=problem)
            return
        portion = await self._database.read_long(partial(_read, wanted=writing.wanted, after=writing.place))
        await asyncio.to_thread(_write, writing.writer, portion)
        writing.place, writing.lines = portion.place, writing.lines + len(portion.rows)
        writing.portions += 1
        is_noted = not portion.more or writing.portions % _NOTED == 0
        if is_noted and not await self._note(writing.download, writing.lines, about=writing.about):
            self._abandon()
        elif not portion.more:
            await asyncio.to_thread(self._complete, writing)
            await self._end(writing, DownloadState.READY)

    def _problem_of(self, writing: _Writing) -> DownloadProblem | None:
        if writing.file.tell() > writing.left:
            return DownloadProblem.TOO_LARGE
        return None if self._disk.enough() else DownloadProblem.NO_ROOM

    @staticmethod
    def _complete(writing: _Writing) -> None:
        writing.writer.close()
        writing.file.flush()
        os.fsync(writing.file.fileno())

    async def _end(self, writing: _Writing, state: DownloadState, problem: DownloadProblem | None = None) -> None:
        octets = writing.file.tell() if state is DownloadState.READY else 0
        if octets > writing.left:
            state, problem, octets = DownloadState.FAILED, DownloadProblem.TOO_LARGE, 0
        await self._note(writing.download, writing.lines, state, about=writing.about, octets=octets, problem=problem)
        self._abandon()

    async def _note(  # noqa: PLR0913 - how far it is
        self,
        download: StoredDownload,
        lines: int,
        ends: DownloadState | None = None,
        *,
        about: int = 0,
        octets: int = 0,
        problem: DownloadProblem | None = None,
    ) -> bool:
        now = self._clock.now()
        call = WrittenLines(
            key=download.key,
            attempt=download.attempt,
            now=to_stored(now),
            about=about,
            lines=lines,
            octets=octets,
            ends=ends,
            expires_at=to_stored(now + KEPT),
            problem=problem or "",
            letter=self._letter(download, ends, lines, now) if ends is not None else None,
        )
        ours = await self._database.write(note_written, (call, self._outbox))
        if ends is not None and ours:
            log.info("download_ended", download=download.public_id, state=ends.value, lines=lines, problem=problem)
            self._written()
        return ours

    def _letter(self, download: StoredDownload, ends: DownloadState, lines: int, now: datetime) -> NewRow:
        zone = ZoneInfo(download.zone)
        fields = {
            "asked": f"{to_instant(download.asked_at).astimezone(zone):%Y-%m-%d %H:%M}",
            "until": f"{(now + KEPT).astimezone(zone):%Y-%m-%d %H:%M}",
            "zone": download.zone,
            "lines": str(lines),
            "link": f"{self._address}/portal/c/{download.customer_key}/reports/downloads/{download.public_id}",
        }
        return letter_row(
            download.account,
            f"download-{ends.value}",
            fields,
            now=to_stored(now),
            customer_key=download.customer_key,
            language=download.language,
        )

    def _abandon(self) -> None:
        """Let go of what is being written; where it is not complete the next sweep deletes it."""
        if self._writing is not None:
            self._writing.writer.abandon()
            self._writing.file.close()
            self._writing = None


def _read_request(download: StoredDownload) -> tuple[Wanted, Sequence[str]]:
    if download.direction == Direction.SENT:
        return msgspec.json.decode(download.wanted, type=DetailFilter), COLUMNS
    return msgspec.json.decode(download.wanted, type=InboundFilter), INBOUND_COLUMNS


def _read(tx: Transaction, wanted: Wanted, after: DetailPlace | None) -> RowPortion:
    if isinstance(wanted, DetailFilter):
        return read_portion(tx, wanted, after)
    return read_inbound_portion(tx, wanted, after)
