"""Long tables: asked for, watched while they are written, taken, deleted.

Not here: who writes them (reports.download_writer).
"""

from functools import partial
from typing import Final

from starlette.exceptions import HTTPException
from starlette.responses import FileResponse, Response

from addressbook.rights import Right
from gateway.admin.faults import AdminFault
from reports.counting import Direction
from reports.downloads import (
    DIRECT_MOST,
    Download,
    DownloadState,
    Wanted,
    ask_download,
    count_lines,
    end_download,
    get_download,
    list_downloads,
)
from reports.tables import TableForm
from web.attachments import attachment_headers
from web.portal.page import POST, Page
from web.portal.rooms.reports import ROOM, read_received, read_sent
from web.portal.visit import Visit

_DOWNLOADS: Final = f"{ROOM}/downloads"


async def show_downloads(visit: Visit) -> Response:
    """Show the tables that the account asked for, with how far each is written."""
    return await _list(visit)


async def _list(visit: Visit, fault: AdminFault | None = None) -> Response:
    found = await visit.desk.database.read_long(
        partial(list_downloads, customer_key=visit.customer.key, account=visit.account.address)
    )
    return visit.show(
        "rooms/reports/downloads",
        errors={} if fault is None else {"": visit.fault(fault)},
        downloads=found,
    )


async def show_new(visit: Visit) -> Response:
    """Offer to write the table of a filter."""
    return await _offer(visit)


async def ask(visit: Visit) -> Response:
    """Keep the request for the table of a filter."""
    try:
        form = TableForm(visit.form.line("form"))
    except ValueError:
        raise HTTPException(404) from None
    change = partial(
        ask_download,
        customer=visit.customer.name,
        wanted=_wanted(visit),
        form=form,
        language=visit.language,
        zone=visit.zone,
    )
    try:
        await visit.change(change)
    except AdminFault as fault:
        return await _offer(visit, fault)
    return visit.go(f"{visit.here}/reports/downloads", "reports.downloads.asked", address=visit.account.address)


async def _offer(visit: Visit, fault: AdminFault | None = None) -> Response:
    wanted = _wanted(visit)
    lines = await visit.desk.database.read_long(partial(count_lines, wanted=wanted, most=DIRECT_MOST + 1))
    return visit.show(
        "rooms/reports/download-new",
        errors={} if fault is None else {"": visit.fault(fault)},
        direction=visit.asked("direction"),
        lines=lines,
        bound=DIRECT_MOST,
        query=visit.request.url.query,
        chosen=visit.asked("form"),
    )


def _wanted(visit: Visit) -> Wanted:
    return read_received(visit) if visit.asked("direction") == Direction.RECEIVED else read_sent(visit)


async def show_one(visit: Visit) -> Response:
    """Show a download of the customer, with the way to its file; one that has expired says so."""
    return _show_one(visit, await _find(visit))


def _show_one(visit: Visit, found: Download | None, error: str = "") -> Response:
    return visit.show(
        "rooms/reports/download",
        errors={"": error} if error else {},
        status=404 if found is None or error else 200,
        one=found,
    )


async def take(visit: Visit) -> Response:
    """Give the file."""
    found = await _find(visit)
    if found is None or found.state is not DownloadState.READY:
        return _show_one(visit, found)
    path = visit.desk.data_dir / found.place
    if not path.is_file():
        return _show_one(visit, found, visit.say("reports.downloads.elsewhere"))
    return FileResponse(path, media_type=found.form.media_type, headers=attachment_headers(found.file_name))


async def end(visit: Visit) -> Response:
    """Delete a download of the account."""
    change = partial(end_download, customer=visit.customer.name, name=visit.parameter("name"))
    try:
        await visit.change(change)
    except AdminFault:
        raise HTTPException(404) from None
    return visit.go(f"{visit.here}/reports/downloads", "reports.downloads.deleted")


async def _find(visit: Visit) -> Download | None:
    name, customer_key = visit.parameter("name"), visit.customer.key
    return await visit.desk.database.read_long(partial(get_download, name=name, customer_key=customer_key))


PAGES = (
    Page(path=_DOWNLOADS, handler=show_downloads, right=Right.SEE_REPORTS),
    Page(path=f"{_DOWNLOADS}/new", handler=show_new, right=Right.SEE_REPORTS),
    Page(path=f"{_DOWNLOADS}/new", handler=ask, right=Right.SEE_REPORTS, methods=POST),
    Page(path=f"{_DOWNLOADS}/{{name}}", handler=show_one, right=Right.SEE_REPORTS),
    Page(path=f"{_DOWNLOADS}/{{name}}/file", handler=take, right=Right.SEE_REPORTS),
    Page(path=f"{_DOWNLOADS}/{{name}}/delete", handler=end, right=Right.SEE_REPORTS, methods=POST),
)
