"""Tables as files, of however many rows in constant memory: CSV, or a workbook of Excel.

No cell becomes a formula or a link, whatever it begins with. Not here: what stands in a table (details, archive).
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from enum import StrEnum
from itertools import islice
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


class TableWriter:
    """Writes a table into a file portion by portion, in constant memory; `close` completes the file."""

    def __init__(  # noqa: PLR0913 - what a file needs
        self, form: TableForm, heads: Sequence[str], zone: str, file: IO[bytes], *, folder: str, separator: str
    ) -> None:
        """Begin; a workbook keeps what it has not yet put together in files of the folder."""
        self._form = form
        self._heads = heads
        self._place = ZoneInfo(zone)
        self._file = file
        self._book: _Workbook | None = None
        self._separator = separator
        if form is TableForm.XLSX:
            self._book = _Workbook(file, heads, self._place, folder)
        else:
            file.write("".join(csv_lines(heads, (), separator)).encode(SPREADSHEET))

    def write(self, rows: Iterable[Sequence[Cell]]) -> None:
        """Write rows."""
        if self._book is not None:
            self._book.write(rows)
        else:
            lines = csv_lines(None, (_texts(row, self._place) for row in rows), self._separator)
            self._file.write("".join(lines).encode())

    def close(self) -> None:
        """Complete the file."""
        if self._book is not None:
            self._book.close()

    def abandon(self) -> None:
        """Leave the file as it is."""
        if self._book is not None:
            self._book.abandon()


def write_table(
    form: TableForm, heads: Sequence[str], rows: Iterable[Sequence[Cell]], zone: str = "UTC", separator: str = ","
) -> Iterator[bytes]:
    """Yield the file piece by piece; its instants are in the zone, to the second; `separator` is that of CSV.

    A workbook stands in a temporary file before its first piece comes, and continues on further sheets where one has
    no more room.
    """
    place = ZoneInfo(zone)
    if form is TableForm.CSV:
        lines = csv_lines(heads, (_texts(row, place) for row in rows), separator)
        yield "".join(islice(lines, _LINES)).encode(SPREADSHEET)
        while piece := "".join(islice(lines, _LINES)):
            yield piece.encode()
        return
    with TemporaryFile() as file:
        book = _Workbook(file, heads, place)
        book.write(rows)
        book.close()
        file.seek(0)
        while piece_of := file.read(_CHUNK):
            yield piece_of


def _texts(row: Sequence[Cell], zone: ZoneInfo) -> Iterator[str]:
    for cell in row:
        if isinstance(cell, str):  # most of them, so that it is asked first
            yield cell
        elif isinstance(cell, datetime):
            yield cell.astimezone(zone).isoformat(" ", "seconds")[:19]
        elif isinstance(cell, bool):
            yield "yes" if cell else "no"
        else:
            yield "" if cell is None else str(cell)


class _Workbook:
    """A workbook that continues on a further sheet where one has no more room."""

    def __init__(self, file: IO[bytes], heads: Sequence[str], zone: ZoneInfo, folder: str | None = None) -> None:
        from xlsxwriter import Workbook  # noqa: PLC0415 - who writes CSV loads nothing of it

        self._book = Workbook(file, {**_OPTIONS, "tmpdir": folder})
        self._book.use_zip64()
        self._heads = heads
        self._zone = zone
        self._bold = self._book.add_format({"bold": True})
        self._instant = self._book.add_format({"num_format": "yyyy-mm-dd hh:mm:ss"})
        self._begin_sheet()

    def write(self, rows: Iterable[Sequence[Cell]]) -> None:
        """Write rows below those that are there."""
        for row in rows:
            if self._lines == _SHEET:
                self._begin_sheet()
            self._lines += 1
            for column, cell in enumerate(row):
                _write_cell(self._sheet, self._lines, column, cell, self._instant, self._zone)

    def close(self) -> None:
        """Complete the file."""
        self._book.close()

    def abandon(self) -> None:
        """Close the files of what is not yet put together."""
        for sheet in self._book.worksheets():
            sheet.row_data_fh.close()

    def _begin_sheet(self) -> None:
        self._sheet = self._book.add_worksheet()
        self._sheet.freeze_panes(1, 0)
        for column, head in enumerate(self._heads):
            self._sheet.write_string(0, column, head, self._bold)
        self._lines = 0


def _write_cell(sheet: Any, row: int, column: int, cell: Cell, instant: Any, zone: ZoneInfo) -> None:  # noqa: PLR0913, PLR0917 - a place and its content
    if isinstance(cell, datetime):
        sheet.write_datetime(row, column, cell.astimezone(zone).replace(tzinfo=None, microsecond=0), instant)
    elif isinstance(cell, bool):
        sheet.write_string(row, column, "yes" if cell else "no")
    elif isinstance(cell, int):
        sheet.write_number(row, column, cell)
    elif cell:
        sheet.write_string(row, column, cell[:_LONGEST])
