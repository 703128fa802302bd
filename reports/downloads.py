"""Downloads: tables too long to wait for are asked for, listed, found and deleted.

A request is a row (store.downloads); its file lies in a folder of the attempt that writes it, below `downloads` of the
data folder, for the gateway's user alone. Not here: who writes it (download_writer), what stands in it (details).
"""

import shutil
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

import msgspec

from gateway.admin.edit import AuditAction, Changed, Edit, Subject
from gateway.admin.faults import AdminFault, FaultCode
from gateway.admin.lookup import get_customer
from reports.counting import Direction
from reports.details import DetailFilter
from reports.inbound_details import InboundFilter
from reports.tables import TableForm
from store.details import count_details
from store.downloads import (
    DownloadState,
    NewDownload,
    StoredDownload,
    add_download,
    count_open,
    delete_download,
    downloads_of,
    find_download,
    folders_kept,
    octets_of,
)
from store.engine.database import Database, Transaction
from store.engine.keys import public_id, to_instant, to_stored
from store.inbound_search import count_inbound

__all__ = ["DownloadState"]

DIRECT_MOST: Final = 50_000
"""A table of more lines is not given at once, but written beside the portal."""
KEPT: Final = timedelta(days=7)
"""So long a file stays after it is written, and a request after it was made."""
SHARE: Final = 1 << 30
"""Octets that all files of a customer may have."""
MOST_OPEN: Final = 5
"""So many of a customer may wait at a time."""
_FOLDER: Final = "downloads"


Wanted = DetailFilter | InboundFilter


def count_lines(tx: Transaction, wanted: Wanted, most: int) -> int:
    """Return how many lines a table has, `most` where there are more."""
    if isinstance(wanted, DetailFilter):
        return count_details(tx, wanted, most)
    return count_inbound(tx, wanted, most)


def ask_download(  # noqa: PLR0913 - what is kept of a request
    edit: Edit, customer: str, wanted: Wanted, *, form: TableForm, language: str, zone: str
) -> Changed:
    """Keep the request for a table, in the name of the account that asks. Raises AdminFault where there is no room."""
    owner = get_customer(edit.tx, customer)
    if count_open(edit.tx, owner.key) >= MOST_OPEN:
        raise AdminFault(FaultCode.DOWNLOADS_WAIT, most=MOST_OPEN)
    if octets_of(edit.tx, owner.key) >= SHARE:
        raise AdminFault(FaultCode.DOWNLOADS_FULL, most=SHARE >> 20)
    direction = Direction.SENT if isinstance(wanted, DetailFilter) else Direction.RECEIVED
    new = NewDownload(
        key=edit.keys.take(),
        public_id=public_id("T", edit.now),
        customer_key=owner.key,
        account=edit.who,
        language=language,
        zone=zone,
        direction=direction.value,
        form=form.value,
        wanted=msgspec.json.encode(wanted).decode(),
        asked_at=to_stored(edit.now),
        expires_at=to_stored(edit.now + KEPT),
    )
    add_download(edit.tx, new)
    about = Subject(owner.name, owner.key, f"{new.public_id}: {direction} as {form}")
    return edit.done(AuditAction.ASK_DOWNLOAD, about, download=new.public_id, customer=owner.name)


def end_download(edit: Edit, customer: str, name: str) -> Changed:
    """Delete a download of the account that asks, written or not. Raises AdminFault where it has none of this name."""
    owner = get_customer(edit.tx, customer)
    found = find_download(edit.tx, name, owner.key)
    if found is None or found.account != edit.who:
        raise AdminFault(FaultCode.NOTHING_OF_THIS_ID, name=name)
    delete_download(edit.tx, found.key)
    return edit.done(AuditAction.END_DOWNLOAD, Subject(owner.name, owner.key, name), download=name, customer=owner.name)


@dataclass(frozen=True, slots=True, kw_only=True)
class Download:
    """One download as pages show it; `lines` of `about` so many are written, `octets` is the size of the file."""

    name: str
    direction: str
    form: TableForm
    state: DownloadState
    account: str
    asked_at: datetime
    expires_at: datetime
    lines: int
    about: int
    octets: int
    problem: str
    file_name: str
    place: str

    @property
    def is_open(self) -> bool:
        """Whether it is still to be written."""
        return self.state in {DownloadState.WAITING, DownloadState.WRITING}


def list_downloads(tx: Transaction, customer_key: int, account: str) -> list[Download]:
    """Return those of an account at a customer, the newest first."""
    return [_view(one) for one in downloads_of(tx, customer_key, account)]


def get_download(tx: Transaction, customer_key: int, name: str) -> Download | None:
    """Return a download of a customer, None where there is none or no more."""
    found = find_download(tx, name, customer_key)
    return None if found is None else _view(found)


def _view(stored: StoredDownload) -> Download:
    asked_at, form = to_instant(stored.asked_at), TableForm(stored.form)
    day = asked_at.astimezone(ZoneInfo(stored.zone)).date()
    return Download(
        name=stored.public_id,
        direction=stored.direction,
        form=form,
        state=stored.state,
        account=stored.account,
        asked_at=asked_at,
        expires_at=to_instant(stored.expires_at),
        lines=stored.lines,
        about=stored.about,
        octets=stored.octets,
        problem=stored.problem,
        file_name=f"sms-{stored.direction}-{stored.customer_key}-{day}.{form}",
        place=place_of(stored),
    )


def place_of(download: StoredDownload) -> str:
    """Return where the file of a download lies below the data folder of the node that wrote it."""
    return f"{_FOLDER}/{download.folder}/sms.{download.form}"


def sweep_files(data_dir: Path, database: Database) -> int:
    """Delete the folders of downloads that there are no more; returns how many."""
    try:
        there = [folder.name for folder in (data_dir / _FOLDER).iterdir()]
    except FileNotFoundError:
        return 0
    kept = database.read_long_now(folders_kept) if there else frozenset()  # read later than the folders: none is new
    gone = [name for name in there if name not in kept]
    for name in gone:
        shutil.rmtree(data_dir / _FOLDER / name, ignore_errors=True)
    return len(gone)
