"""Tables as files, of however many rows in constant memory: CSV, or a workbook of Excel.

No cell becomes a formula or a link, whatever it begins with. Not here: what stands in a table (details, archive).
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from enum import StrEnum
from itertools import chain, islice
from tempfile import TemporaryFile
from typing import IO, Any, Final
from zoneinfo import ZoneInfo

from addressbook.exchange import SPREADSHEET, csv_lines

Cell = str | int | bool | datetime | None
"""What stands in a cell; instants are aware."""

_CHUNK: Final = 1 << 16
_LINES: Final = 500
_SHEET: Final = 1_048_575  # rows of a worksheet below its heads
_LONGEST: Final = 32_767  # characters of its cell
_OPTIONS: Final = {
    "constant_memory": True,
    "strings_to_formulas": False,
    "strings_to_urls": False,
    "strings_to_numbers": False,
}


class TableForm(StrEnum):
    """How a table becomes a file; also the ending of its name."""

    CSV = "csv"
    XLSX = "xlsx"

    @property
    def media_type(self) -> str:
        """Its media type."""
        if self is TableForm.CSV:
            return "text/csv; charset=utf-8"
        return "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


def write_table(
    form: TableForm, heads: Sequence[str], rows: Iterable[Sequence[Cell]], zone: str = "UTC"
) -> Iterator[bytes]:
    """Yield the file piece by piece; its instants are in the zone, to the second.

    A workbook stands in a temporary file before its first piece comes, and continues on further sheets where one has
    no more room.
    """
    place = ZoneInfo(zone)
    if form is TableForm.CSV:
        lines = csv_lines(heads, (_texts(row, place) for row in rows))
        yield "".join(islice(lines, _LINES)).encode(SPREADSHEET)
        while piece := "".join(islice(lines, _LINES)):
            yield piece.encode()
        return
    with TemporaryFile() as file:
        _write_workbook(file, heads, iter(rows), place)
        file.seek(0)
        while piece_of := file.read(_CHUNK):
            yield piece_of


def _texts(row: Sequence[Cell], zone: ZoneInfo) -> Iterator[str]:
    for cell in row:
        if isinstance(cell, datetime):
            yield cell.astimezone(zone).isoformat(" ", "seconds")[:19]
        elif isinstance(cell, bool):
            yield "yes" if cell else "no"
        else:
            yield "" if cell is None else str(cell)


def _write_workbook(file: IO[bytes], heads: Sequence[str], rows: Iterator[Sequence[Cell]], zone: ZoneInfo) -> None:
    from xlsxwriter import Workbook  # noqa: PLC0415 - who writes CSV loads nothing of it

    book = Workbook(file, _OPTIONS)
    book.use_zip64()
    bold = book.add_format({"bold": True})
    instant = book.add_format({"num_format": "yyyy-mm-dd hh:mm:ss"})
    first: Sequence[Cell] | None = next(rows, None)
    while True:
        sheet = book.add_worksheet()
        sheet.freeze_panes(1, 0)
        for column, head in enumerate(heads):
            sheet.write_string(0, column, head, bold)
        here = islice(chain([first], rows), _SHEET) if first is not None else ()
        for index, row in enumerate(here, 1):
            for column, cell in enumerate(row):
                _write_cell(sheet, index, column, cell, instant, zone)
        first = next(rows, None)
        if first is None:
            break
    book.close()


def _write_cell(sheet: Any, row: int, column: int, cell: Cell, instant: Any, zone: ZoneInfo) -> None:  # noqa: PLR0913, PLR0917 - a place and its content
    if isinstance(cell, datetime):
        sheet.write_datetime(row, column, cell.astimezone(zone).replace(tzinfo=None, microsecond=0), instant)
    elif isinstance(cell, bool):
        sheet.write_string(row, column, "yes" if cell else "no")
    elif isinstance(cell, int):
        sheet.write_number(row, column, cell)
    elif cell:
        sheet.write_string(row, column, cell[:_LONGEST])
